"""Beats between regions whose cores share a NATS server."""

import msgspec
import nats

from core.engine.signals import Beat
from tests.support.wait import until
from tests.wire.signals.conftest import Core


async def test_a_beat_reaches_the_cores_of_all_regions(cores: dict[str, Core]) -> None:
    def heard(core: Core) -> set[str]:
        return {beat.incarnation for beat in core.beats}

    await until(lambda: all(heard(core) == set(cores) - {name} for name, core in cores.items()))
    for core in cores.values():
        assert all(beat.region == beat.incarnation[:2] for beat in core.beats)


async def test_a_beat_under_another_regions_name_is_refused(
    url: str, cores: dict[str, Core]
) -> None:
    stranger = await nats.connect(url)
    false = msgspec.msgpack.encode(Beat("us9", 1, 7, {}, "us"))
    for subject, body in (
        ("goutong.eu.beat", false),
        ("goutong.eu.beat", b"nonsense"),
        ("goutong.eu.beat", msgspec.msgpack.encode(["us9"])),
    ):
        await stranger.publish(subject, body)
    await stranger.flush()
    ap = cores["ap1"]
    await until(lambda: ap.signals.refused == 3)
    assert all(beat.incarnation != "us9" for beat in ap.beats)
    (told,) = [line for line in ap.lines() if line["event"] == "a beat is refused"]
    assert told["subject"] == "goutong.eu.beat" and "'us'" in told["why"]
    await stranger.publish("goutong.us.beat", false)
    await until(lambda: any(beat.incarnation == "us9" for beat in ap.beats))
    await stranger.close()
