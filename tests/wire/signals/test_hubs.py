"""Three hubs joined by gateways: what passes, what is refused, and that it passes again."""

import asyncio
import contextlib
import io
import json
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from core.contract.log import Log
from core.supervisor import gateways
from tests.support.hubs import Hub, hubs_of
from tests.support.wait import until

NAMES = ["eu", "us", "ap"]


@pytest.fixture
async def hubs(tmp_path: Path) -> AsyncIterator[dict[str, Hub]]:
    made = hubs_of(tmp_path, NAMES)
    try:
        await asyncio.gather(*(hub.start() for hub in made.values()))
        await asyncio.gather(*(hub.until_joined() for hub in made.values()))
        yield made
    finally:
        await asyncio.gather(*(hub.kill() for hub in made.values()))


class Listener:
    """A client of a region's hub: what it heard, and what it was refused."""

    def __init__(self, client: Client, refused: list[str]) -> None:
        self.client = client
        self.heard: list[tuple[str, bytes]] = []
        self.refused = refused

    async def say(self, subject: str, word: bytes) -> None:
        await self.client.publish(subject, word)
        await self.client.flush()


@contextlib.asynccontextmanager
async def client_of(hub: Hub, url: str = "") -> AsyncIterator[Listener]:
    refused: list[str] = []

    async def on_error(error: Exception) -> None:
        refused.append(str(error))

    client = await nats.connect(
        url or hub.own_url, error_cb=on_error, max_reconnect_attempts=-1, reconnect_time_wait=0.1
    )
    listener = Listener(client, refused)

    async def heard(message: nats.aio.msg.Msg) -> None:
        listener.heard.append((message.subject, message.data))

    await client.subscribe("goutong.>", cb=heard)
    await client.flush()
    try:
        yield listener
    finally:
        await client.close()


async def arrives(speaker: Listener, subject: str, word: bytes, *listeners: Listener) -> None:
    """Say it until every listener has heard it: a subscription takes a moment to spread."""

    async def told() -> bool:
        await speaker.say(subject, word)
        return all((subject, word) in listener.heard for listener in listeners)

    await until(told, 20, every_s=0.05)


async def test_a_beat_of_one_region_is_heard_in_the_others(hubs: dict[str, Hub]) -> None:
    async with (
        client_of(hubs["eu"]) as eu,
        client_of(hubs["us"]) as us,
        client_of(hubs["ap"]) as ap,
    ):
        await arrives(eu, "goutong.eu.beat", b"1", us, ap)
        await arrives(ap, "goutong.ap.beat", b"2", us, eu)


async def test_nobody_speaks_under_another_regions_name(hubs: dict[str, Hub]) -> None:
    async with client_of(hubs["eu"]) as eu, client_of(hubs["us"]) as us:
        await arrives(eu, "goutong.eu.beat", b"true", us)
        for subject in ("goutong.us.beat", "goutong.eux.beat", "elsewhere", "goutong.eu"):
            eu.refused.clear()
            await eu.say(subject, b"false")
            await until(lambda: eu.refused)
            assert "permissions violation" in eu.refused[0].lower()
        await arrives(eu, "goutong.eu.beat", b"last", us)
        assert {word for _, word in [*us.heard, *eu.heard]} == {b"true", b"last"}


@pytest.mark.parametrize("who", [{"user": "eu", "pass": "secret-of-eu"}, {"user": "us"}, {}])
async def test_a_hub_takes_its_own_region_only(hubs: dict[str, Hub], who: dict[str, str]) -> None:
    host, _, port = hubs["us"].url.removeprefix("nats://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(10):
            assert (await reader.readline()).startswith(b"INFO ")
            writer.write(b"CONNECT " + json.dumps(who).encode() + b"\r\nPING\r\n")
            assert (await reader.readline()).startswith(b"-ERR 'Authorization Violation'")
    finally:
        writer.close()
        await writer.wait_closed()


async def test_signals_flow_again_after_a_hub_was_killed(hubs: dict[str, Hub]) -> None:
    async with (
        client_of(hubs["eu"]) as eu,
        client_of(hubs["us"]) as us,
        client_of(hubs["ap"]) as ap,
    ):
        await arrives(eu, "goutong.eu.beat", b"before", us, ap)
        await hubs["us"].kill()
        await arrives(eu, "goutong.eu.beat", b"meanwhile", ap)
        await hubs["us"].start()
        await until(lambda: us.client.is_connected, 20)
        await arrives(eu, "goutong.eu.beat", b"after", us, ap)
        await arrives(us, "goutong.us.beat", b"back", eu, ap)


async def test_a_frozen_hub_is_given_up_within_seconds_and_found_again(
    hubs: dict[str, Hub],
) -> None:
    async with client_of(hubs["eu"]) as eu, client_of(hubs["us"]) as us:
        await arrives(eu, "goutong.eu.beat", b"before", us)
        hubs["us"].send(signal.SIGSTOP)
        try:
            # With the server's own two minutes between pings it would still be believed.
            await until(partial(is_left, hubs["eu"], "us"), 20)
        finally:
            hubs["us"].send(signal.SIGCONT)
        await hubs["eu"].until_joined()
        await until(lambda: us.client.is_connected, 20)
        await arrives(eu, "goutong.eu.beat", b"after", us)


async def is_left(hub: Hub, region: str) -> bool:
    return region not in await hub.joined_to()


async def test_a_hub_that_does_not_connect_to_one_that_answers_is_started_again(
    hubs: dict[str, Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateways, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(gateways, "STUCK_S", 0.3)
    restarts: list[bool] = []
    lines = io.BytesIO()
    log = Log(lines)

    def watch(others: dict[str, int]) -> asyncio.Task[None]:
        work = gateways.watch_forever(
            hubs["eu"].monitor, others, lambda: restarts.append(True), log
        )
        return asyncio.create_task(work)

    # To a region that eu's hub was never told of it has no gateway, but something answers there.
    well = watch(hubs["eu"].others)
    await hubs["ap"].kill()  # away, which is not stuck
    stuck = watch({**hubs["eu"].others, "sa": hubs["eu"].others["us"]})
    try:
        await until(lambda: restarts, 20)
    finally:
        for task in (well, stuck):
            task.cancel()
        await asyncio.gather(well, stuck, return_exceptions=True)
    log.flush()
    assert restarts == [True]
    assert b'"regions":["sa"]' in lines.getvalue()
