"""The core's door of callbacks, beside what the habits show."""

from typing import Any

import aiohttp
import pytest

from core.sandbox.app import Sandbox
from tests.support.http_sms import Bench, Worker, at_work


@pytest.fixture
async def bench(box: Sandbox) -> Any:
    async with at_work(box, "json") as made:
        yield made


async def called(bench: Bench, account: str, **more: Any) -> int:
    async with aiohttp.ClientSession() as session:
        url = bench.door.replace("/gw", f"/{account}")
        async with session.post(url, **more) as answer:
            return answer.status


async def test_an_account_that_is_not_there_or_takes_no_callbacks(bench: Bench) -> None:
    assert await called(bench, "nobody", data=b"[]") == 404
    idle = bench.accounts["idle"] = Worker()
    assert await called(bench, "idle", data=b"[]") == 503
    plain: Any = object()
    idle.adapter = plain
    assert await called(bench, "idle", data=b"[]") == 404
    assert bench.callbacks == []


async def test_what_is_forged_is_refused_and_counted(bench: Bench) -> None:
    report = b'[{"biz_id": "9", "err_code": "DELIVERED"}]'
    headers = {"X-Gateway-Timestamp": "1", "X-Gateway-Signature": "00"}
    assert await called(bench, "gw", data=report) == 403
    assert await called(bench, "gw", data=report, headers=headers) == 403
    assert bench.callbacks == [403, 403]
    assert bench.receipts == []
    [line] = [each for each in bench.lines() if each["event"] == "callback refused"]
    assert (line["account"], "9" in line["reason"]) == ("gw", False)
