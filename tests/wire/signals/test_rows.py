"""Questions for rows between regions whose cores share a NATS server."""

import nats

from core.engine.signals import QUESTIONS_MAX
from tests.support.wait import until
from tests.wire.signals.conftest import Core

LOG = "accept.eu.normal_local.us1.0"


async def test_one_core_of_the_writers_region_gets_the_question(cores: dict[str, Core]) -> None:
    for row in range(1, 21):
        cores["eu1"].signals.ask_row("us", LOG, row)
    us = [cores["us1"], cores["us2"]]
    await until(lambda: sum(len(core.asked) for core in us) >= 20)
    heard = len(us[0].beats)
    await until(lambda: len(us[0].beats) > heard)
    assert sorted(us[0].asked + us[1].asked) == [(LOG, row) for row in range(1, 21)]
    assert cores["ap1"].asked == cores["eu1"].asked == []


async def test_questions_wait_for_the_next_beat_up_to_a_bound(cores: dict[str, Core]) -> None:
    for row in range(1, QUESTIONS_MAX + 11):
        cores["eu1"].signals.ask_row("ap", LOG, row)
    await until(lambda: len(cores["ap1"].asked) >= QUESTIONS_MAX)
    assert cores["ap1"].asked == [(LOG, row) for row in range(11, QUESTIONS_MAX + 11)]


async def test_what_is_no_question_is_refused_with_its_reason(
    url: str, cores: dict[str, Core]
) -> None:
    stranger = await nats.connect(url)
    for bad in (b"", b"nonsense", b"\x92\x01\x01", b"\x92\xd9\xff" + b"x" * 255 + b"\x01"):
        await stranger.publish("goutong.eu.missing.ap", bad)
    await stranger.flush()
    await until(lambda: len(cores["ap1"].lines()) == 4)
    assert all(line["why"] and line["level"] == "warning" for line in cores["ap1"].lines())
    cores["eu1"].signals.ask_row("ap", LOG, 1)
    await until(lambda: cores["ap1"].asked == [(LOG, 1)])
    await stranger.close()


async def test_without_a_connection_nothing_is_kept(url: str) -> None:
    lonely = Core(url, "eu", "eu9")
    lonely.signals.ask_row("us", LOG, 1)
    other = Core(url, "us", "us9")
    await other.start()
    await lonely.start()

    def heard() -> bool:
        lonely.signals.ask_row("us", LOG, 2)
        return bool(other.asked)

    await until(heard)
    assert (LOG, 1) not in other.asked
    await lonely.stop()
    await other.stop()
