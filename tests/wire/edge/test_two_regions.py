"""Two regions with real edges, links, acceptors and engines, on one journal in memory.

One idempotency key used in both gives one message, whatever versions of the placement map the two
edges know; and one request's messages go into the logs of their own homes.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

import aiohttp
import pytest
from msgspec.structs import replace

from core.accept.keys import Keys
from core.accept.made import acceptor_of
from core.api.link import LinkServer
from core.contract.frames import FrameReader, Hello, HelloOk, MapServes, encode_frame
from core.contract.ids import parse_id
from core.contract.log import silent
from core.contract.sections.common import RegionSettings
from core.contract.settings import Settings
from core.sim.mapplan import changed
from sync.maps import MapRow
from sync.placement import PlacementMap, world_map
from sync.records import Message, decode_row
from sync.store.memory_journal import MemoryJournal
from tests.support.fake_core import SECRET, FakeCore
from tests.support.wait import until
from tests.unit.engine.rig import SHARDS, Rig
from tests.wire.edge.support import Running, edge

REGIONS = ("eu", "us")
GERMAN, AMERICAN = "+4915123456789", "+12025550123"


class OtherKeys:
    """A region has rows of its own keys only; they are in the core's memory, too."""

    async def key(self, tenant: str, key: str) -> None:
        return None


class Region(FakeCore):
    """A core that is real behind its link; keys and the like are the fake's."""

    def __init__(self, store: MemoryJournal, region: str) -> None:
        super().__init__(region, SHARDS)
        self.rig = Rig(store, f"{region}c", region=region, homes=REGIONS)
        engine = self.rig.engine
        self.acceptor = acceptor_of(
            Settings(region=RegionSettings(name=region, home_shards=SHARDS)),
            engine,
            Keys(cast("Any", OtherKeys()), 100),
            cast("Any", None),  # nothing here has a template
            self.rig.clock,
            silent(),
            lambda: None,
            self.rig.spawn,
        )
        placement = engine.placement
        hello = HelloOk(region, SHARDS, placement.version, f"{region}c", placement)
        self.server = LinkServer(self.acceptor, SECRET, hello, 1 << 20, 10, silent())
        engine.on_map = self._map_serves

    def _map_serves(self, placement: PlacementMap) -> None:
        self.server.map_serves(placement)
        self.acceptor.map_version = placement.version

    async def start_link(self) -> None:
        self.link_port = await self.server.start("127.0.0.1", 0)
        await self.rig.start()
        self.rig.open_account()

    async def stop_link(self) -> None:
        self.server.leaving()
        self.server.close()
        await self.rig.end()

    @property
    def version(self) -> int:
        return self.rig.engine.placement.version

    async def publish(self, country: str, home: str) -> None:
        maps = self.rig.engine.membership.maps
        newest = maps.book.kept[-1].placement
        assert isinstance(await maps.publish(changed(newest, country, home)), MapRow)


class Side:
    """A region with its edge."""

    def __init__(self, region: Region, running: Running, key: str) -> None:
        self.region = region
        self.running = running
        self._key = key

    async def post(self, *numbers: str, key: str = "") -> tuple[int, Any]:
        to = [{"phone": number} for number in numbers]
        headers = {"Authorization": f"Bearer {self._key}"}
        if key:
            headers["Idempotency-Key"] = key
        body = {"to": to, "content": {"text": "x"}, "class": "otp"}
        url = f"{self.running.url}/v1/notifications"
        async with (
            aiohttp.ClientSession() as http,
            http.post(url, json=body, headers=headers) as answer,
        ):
            return answer.status, await answer.json()

    @property
    def version(self) -> int:
        placed = self.running.app._dispatcher.placement
        return 0 if placed is None else placed.version


@contextlib.asynccontextmanager
async def side(store: MemoryJournal, name: str) -> AsyncIterator[Side]:
    async with Region(store, name) as region, edge(region, connected=False) as running:
        await until(lambda: running.app.connected_cores == 1)
        yield Side(region, running, region.add_key())


@pytest.fixture
async def store() -> MemoryJournal:
    return MemoryJournal(REGIONS, SHARDS)


@pytest.fixture
async def sides(store: MemoryJournal) -> AsyncIterator[tuple[Side, Side]]:
    async with side(store, "eu") as one, side(store, "us") as two:
        await until(lambda: len(store.tables.lease_rows) == 2)
        yield one, two


def ids(told: Any) -> list[str]:
    return [message["id"] for message in told["messages"]]


def homes(told: Any) -> list[str]:
    return [one.home for each in ids(told) if (one := parse_id(each)) is not None]


def sent(*sides: Side) -> list[str]:
    """What was sent, whoever sent it."""
    return [each for one in sides for each in one.region.rig.adapter.sent.values()]


def state(message_id: str, *sides: Side) -> str:
    found = [one.region.rig.engine.find(message_id) for one in sides]
    return "".join(msg.state for msg in found if msg is not None and msg.message is not None)


async def journaled(store: MemoryJournal) -> dict[str, list[str]]:
    """The ids that stand in accept logs, by the home of the log."""
    found: dict[str, list[str]] = {}
    for log in await store.logs():
        kind, home, *_ = log.split(".")
        if kind == "accept":
            for _, body in await store.rows(log, 1, 1000):
                messages = [each for each in decode_row(body) if isinstance(each, Message)]
                found.setdefault(home, []).extend(message.id for message in messages)
    return found


async def test_one_key_in_two_regions_is_one_message(
    sides: tuple[Side, Side], store: MemoryJournal
) -> None:
    one, two = sides
    await one.region.publish("US", "us")
    await until(lambda: (one.version, two.version) == (2, 2))
    answers = await asyncio.gather(*(each.post(GERMAN, AMERICAN, key="k") for each in sides))
    assert [status for status, _ in answers] == [202, 202]
    (_, first), (_, second) = answers
    assert (first["id"], ids(first)) == (second["id"], ids(second))
    assert homes(first) == ["eu", "us"]
    stands = await journaled(store)
    assert {home: set(found) for home, found in stands.items() if found} == {
        "eu": {ids(first)[0]},
        "us": {ids(first)[1]},
    }
    await until(lambda: {state(each, *sides) for each in ids(first)} == {"sent"}, timeout_s=20.0)
    await asyncio.sleep(0.3)
    assert sorted(sent(*sides)) == sorted(ids(first))


async def test_one_key_under_two_versions_of_the_map_is_sent_once(
    sides: tuple[Side, Side],
) -> None:
    """The second edge hears late that another version serves; both are kept, so one gives way."""
    one, two = sides
    status, old = await two.post(AMERICAN, key="k")
    assert (status, homes(old)) == (202, ["eu"])
    await until(lambda: state(ids(old)[0], *sides) == "sent", timeout_s=20.0)
    await one.region.publish("US", "us")
    await until(lambda: (one.version, two.version) == (2, 2))
    status, new = await one.post(AMERICAN, key="k")
    assert (status, homes(new)) == (202, ["us"])
    assert new["id"] == old["id"]
    await until(lambda: state(ids(new)[0], *sides) == "canceled", timeout_s=20.0)
    assert sent(*sides) == ids(old)


# The link server by itself


class Client:
    """A link by hand; `close` it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = FrameReader()

    async def hello(self, hello: Hello) -> list[Any]:
        self._writer.write(encode_frame(hello))
        return await self.read()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def read(self) -> list[Any]:
        """What comes next; [] when the other side closed."""
        with contextlib.suppress(ConnectionResetError):
            async with asyncio.timeout(5):
                while data := await self._reader.read(65_536):
                    if frames := self._frames.feed(data):
                        return list(frames)
        return []

    async def quiet(self) -> bool:
        try:
            async with asyncio.timeout(0.2):
                return not await self._reader.read(1)
        except TimeoutError:
            return True


@pytest.mark.parametrize("regions", [("eu",), REGIONS])
async def test_which_edges_the_link_lets_in(regions: tuple[str, ...]) -> None:
    placement = world_map(regions, 4)
    hello = HelloOk("eu", 4, 1, "i", placement)
    server = LinkServer(cast("Any", None), SECRET, hello, 1 << 20, 10, silent())
    port = await server.start("127.0.0.1", 0)
    clients: list[Client] = []

    async def client() -> Client:
        made = Client(*await asyncio.open_connection("127.0.0.1", port))
        clients.append(made)
        return made

    assert await (await client()).hello(Hello("wrong", "e", maps=True)) == []
    older, newer = await client(), await client()
    assert await newer.hello(Hello(SECRET, "e", maps=True)) == [hello]
    alone = len(regions) == 1
    assert await older.hello(Hello(SECRET, "e")) == ([hello] if alone else [])
    second = replace(placement, version=2, countries={"US": "eu"})
    server.map_serves(second)
    assert await newer.read() == [MapServes(second)]
    if alone:
        assert await older.quiet(), "it would not know the frame"
    server.map_serves(second)
    assert await newer.quiet(), "it is told once"
    (told,) = await (await client()).hello(Hello(SECRET, "e", maps=True))
    assert (told.map_version, told.placement) == (2, second)
    for each in clients:
        await each.close()
    server.leaving()
    server.close()
