"""Draining, returning and forcing regions over HTTP, on a real store of three regions."""

from collections.abc import AsyncIterator, Awaitable, Callable
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from core.api.internal_auth import guard
from core.api.region_changes import RegionDeps, routes
from core.clock import SystemClock
from core.contract.log import Log
from core.contract.sections.core import LimitsSettings
from core.engine.force import Force
from core.engine.maps import Maps
from core.engine.serving import Serving
from core.engine.submitting import submitted
from sync.forced import PLAIN, Forced, Ruling
from sync.placement import world_map
from sync.store.port import Answer, JournalStore, PutForced, Write
from sync.store.sqlite_journal import SQLiteJournal

SECRET = "internal-secret"
REGIONS = ["eu", "us", "ap"]
Call = Callable[..., Awaitable[tuple[int, Any]]]


class Forcible:
    """The rows of forced ownership of a store of several regions that all answer."""

    def __init__(self) -> None:
        self.rows: list[Forced] = []

    async def forced(self, here: bool) -> list[Forced]:
        return list(self.rows)

    def under(self, ruling: Ruling) -> JournalStore:
        raise NotImplementedError

    async def submit(self, write: Write) -> Answer:
        assert isinstance(write, PutForced)
        self.rows.append(write.row)
        return "ok"


@pytest.fixture
async def call(tmp_path: Path) -> AsyncIterator[Call]:
    clock, log = SystemClock(), Log(BytesIO())
    store = SQLiteJournal(tmp_path / "journal.db", REGIONS, 4, clock.wall_ms)

    async def submit(write: Write) -> Answer:
        return await submitted(store, write)

    chance = Random(1)
    maps = Maps(store, submit, clock, chance, log, world_map(REGIONS, 4), REGIONS, 1_000)
    serving = Serving(store, submit, clock, chance, log, "eu", REGIONS, 1.0, 30.0, maps)
    forcible = Forcible()
    force = Force(forcible, forcible.submit, clock, log, "eu", PLAIN, 4.25, 5.0)
    app = web.Application(middlewares=[guard(SECRET, log, frozenset())])
    app.add_routes(routes(RegionDeps(serving, force, "eu", LimitsSettings())))
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession() as session:

        async def ask(path: str, body: Any = None, scopes: str = "admin") -> tuple[int, Any]:
            headers = {
                "X-GouTong-Internal": SECRET,
                "X-GouTong-Tenant": "acme",
                "X-GouTong-Scopes": scopes,
                "X-GouTong-Key-Id": "key000000001",
                "X-GouTong-Trace": "trace-1",
            }
            url = f"http://127.0.0.1:{port}/v1/regions/{path}"
            async with session.post(url, json=body, headers=headers) as answer:
                return answer.status, await answer.json(content_type=None)

        yield ask
    await runner.cleanup()
    await store.close()


def states(body: Any) -> dict[str, tuple[str, int]]:
    return {one["name"]: (one["state"], one["share_pct"]) for one in body["data"]}


async def test_a_region_drains_and_returns_with_a_small_share(call: Call) -> None:
    status, body = await call("us/drain", {"reason": "new disks"})
    assert status == 200
    assert states(body) == {"ap": ("serving", 100), "eu": ("serving", 100), "us": ("draining", 0)}
    assert next(one["reason"] for one in body["data"] if one["name"] == "us") == "new disks"
    assert (await call("us/drain", {"reason": "again"}))[1] == body  # a repeat changes nothing
    status, body = await call("us/return")
    assert (status, states(body)["us"]) == (200, ("returning", 5))


async def test_the_last_serving_region_is_not_drained(call: Call) -> None:
    assert (await call("us/drain", {"reason": "x"}))[0] == 200
    assert (await call("ap/drain", {"reason": "x"}))[0] == 200
    status, body = await call("eu/drain", {"reason": "x"})
    assert (status, body["code"], body["rule"]) == (409, "rule_says_no", "last_serving_region")
    assert "Let another region return first" in body["detail"]


@pytest.mark.parametrize("change", ["drain", "return"])
async def test_a_region_that_is_not_there_is_not_found(call: Call, change: str) -> None:
    body = {"reason": "x"} if change == "drain" else None
    status, answer = await call(f"mars/{change}", body)
    assert status == 404 and "Name one of: ap, eu, us" in answer["detail"]


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x" * 201}, {"why": "x"}])
async def test_a_drain_says_why(call: Call, body: Any) -> None:
    status, answer = await call("us/drain", body)
    assert (status, answer["code"]) == (400, "invalid_request")


async def test_ownership_is_forced_in_the_region_itself_by_one_who_knows_the_price(
    call: Call,
) -> None:
    assert (await call("eu/force-own", {"accept_duplicates": False}))[0] == 400
    status, answer = await call("us/force-own", {"accept_duplicates": True})
    assert (status, answer["rule"]) == (409, "ask_there")
    status, answer = await call("eu/force-own", {"accept_duplicates": True})
    assert (status, answer) == (200, {"number": 1, "alone": True, "regions": ["eu"]})


async def test_regions_pause_before_they_join(call: Call) -> None:
    await call("eu/force-own", {"accept_duplicates": True})
    status, answer = await call("eu/join", {"repaired": REGIONS})
    assert (status, answer) == (200, {"number": 2, "alone": False, "regions": []})


async def test_only_an_admin_changes_regions(call: Call) -> None:
    for change in ("drain", "return", "force-own", "join"):
        assert (await call(f"eu/{change}", {}, scopes="send,read,providers"))[0] == 403
