"""Lists of messages, search, dead letters, sending again and replays, on a real socket."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from core.api.asked import read_time_ms
from core.api.internal_auth import guard
from core.contract.ids import parse_id
from core.contract.problems import problem
from core.contract.times import rfc3339
from tests.support.asking import DAY_MS, START_MS, Asking
from tests.support.wait import until

SECRET = "internal-secret"


class Lists:
    """Calls the doors of one core as an edge does."""

    def __init__(self, core: Asking, url: str, session: aiohttp.ClientSession) -> None:
        self.core = core
        self._url = url
        self._session = session

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        status: int = 200,
        tenant: str = "acme",
        scopes: str = "read,send",
        key: str = "",
    ) -> Any:
        """The answer's body; the status has to be as expected."""
        sent = {
            "X-GouTong-Internal": SECRET,
            "X-GouTong-Tenant": tenant,
            "X-GouTong-Scopes": scopes,
            "X-GouTong-Trace": "trace-1",
        }
        if key:
            sent["Idempotency-Key"] = key
        data = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        url = aiohttp.client.URL(self._url + path, encoded=True)
        async with self._session.request(method, url, data=data, headers=sent) as answer:
            text = await answer.text()
            assert answer.status == status, text
            return msgspec.json.decode(text)

    async def ids(self, path: str, **how: Any) -> list[str]:
        """The ids of a list that fits one page."""
        page = await self.call("GET", path, **how)
        assert page["next_cursor"] is None
        return [row["id"] for row in page["data"]]


@pytest.fixture
async def doors(tmp_path: Path) -> AsyncIterator[Lists]:
    core = Asking(tmp_path)
    app = web.Application(middlewares=[guard(SECRET, core.log)], client_max_size=2_000_000)
    app.add_routes(core.routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        yield Lists(core, f"http://127.0.0.1:{runner.addresses[0][1]}", session)
    await runner.cleanup()
    await core.close()


async def test_a_list_has_enough_for_a_table(doors: Lists) -> None:
    failed = await doors.core.message("failed")
    page = await doors.call("GET", "/v1/messages")
    assert page == {
        "next_cursor": None,
        "data": [
            {
                "id": failed,
                "channel": "sms",
                "status": "failed",
                "reason": "permanent",
                "class": "otp",
                "created_at": rfc3339(START_MS),
                "at": rfc3339(START_MS),
                "possible_duplicate": False,
                "final": True,
            }
        ],
    }


async def test_by_status_channel_time_and_tenant(doors: Lists) -> None:
    core = doors.core
    old = await core.message("sent")
    core.clock.now_s += 7200
    failed, mail = await core.message("failed"), await core.message("sent", channel="email")
    opened = await core.message("accepted")
    event = await core.message("delivered", channel="webhook", kind="event", to="ep-1")
    other = await core.message("failed", tenant="other")
    ids = doors.ids
    assert await ids("/v1/messages") == [opened, mail, failed, old]
    assert await ids("/v1/messages?status=sent") == [mail, old]
    assert await ids("/v1/messages?status=sent,failed&channel=sms") == [failed, old]
    assert await ids("/v1/messages?status=sent&status=failed&channel=email") == [mail]
    assert await ids("/v1/messages?status=open") == [opened]
    assert await ids("/v1/messages?status=accepted") == [opened]
    assert await ids("/v1/messages?status=queued") == []
    assert await ids("/v1/messages?channel=event") == [event]
    since = quote(rfc3339(START_MS + 3_600_000), safe="")
    assert await ids(f"/v1/messages?since={since}") == [opened, mail, failed]
    assert await ids(f"/v1/messages?until={since}") == [old]
    assert await ids("/v1/messages", tenant="other") == [other]
    assert await ids("/v1/messages?tenant=other", scopes="admin") == [other]
    refused = await doors.call("GET", "/v1/messages?tenant=other", status=403)
    assert refused["code"] == "forbidden_scope"
    await doors.call("GET", "/v1/messages", scopes="send", status=403)
    core.clock.now_s += 86_400 - 3600
    assert old not in await ids("/v1/messages")  # the last day, where nothing is said
    assert old in await ids(f"/v1/messages?since={quote(rfc3339(START_MS), safe='')}")


async def test_pages_and_their_cursors(doors: Lists) -> None:
    made = [await doors.core.message("failed") for _ in range(7)]
    found: list[str] = []
    path = "/v1/messages?limit=3"
    while True:
        page = await doors.call("GET", path)
        assert len(page["data"]) <= 3
        found += [row["id"] for row in page["data"]]
        if page["next_cursor"] is None:
            break
        path = f"/v1/messages?limit=3&cursor={page['next_cursor']}"
    assert found == made[::-1]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("status=gone", "`status`"),
        ("channel=fax", "`channel`"),
        ("since=yesterday", "`since`"),
        ("since=2026-01-31T12:00:00", "`since`"),
        ("until=", "`until`"),
        ("limit=0", "`limit`"),
        ("limit=101", "`limit`"),
        ("limit=%D9%A3", "`limit`"),
        ("cursor=nonsense", "cursor"),
        ("cursor=%F0%9F%98%80", "cursor"),
        ("colour=red", "`colour`"),
    ],
)
async def test_wrong_queries_are_explained(doors: Lists, query: str, said: str) -> None:
    refused = await doors.call("GET", f"/v1/messages?{query}", status=400)
    assert refused["code"] == "invalid_request"
    (error,) = refused["errors"]
    assert said in error["detail"]
    assert error["hint"]
    await doors.call("GET", f"/v1/deadletters?{query}", status=400)


async def test_search_by_recipient(doors: Lists) -> None:
    core = doors.core
    first = await core.message("failed")
    mail = await core.message("sent", channel="email", to="ada@example.com")
    hook = await core.message("sent", channel="webhook", to="https://example.com/hooks")
    last = await core.message("delivered")
    await core.message("delivered", to="+447700900999")
    await core.message("delivered", tenant="other")

    async def found(recipient: str, **more: Any) -> list[str]:
        body = {"recipient": recipient, **more}
        page = await doors.call("POST", "/v1/messages/search", body)
        return [row["id"] for row in page["data"]]

    assert await found("+44 7700 900123") == [last, first]
    assert await found("ada@EXAMPLE.com") == [mail]
    assert await found("HTTPS://example.com/hooks") == [hook]
    assert await found("+447700900124") == []
    assert await found("+447700900123", until=rfc3339(START_MS)) == []
    page = await doors.call(
        "POST", "/v1/messages/search", {"recipient": "+447700900123", "limit": 1}
    )
    assert [row["id"] for row in page["data"]] == [last]
    assert await found("+447700900123", cursor=page["next_cursor"]) == [first]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"recipient": "07700 900123"}, "/recipient"),
        ({"recipient": "ftp://example.com"}, "/recipient"),
        ({"recipient": "+447700900123", "since": "x"}, "/since"),
        ({"recipient": "+447700900123", "cursor": "x"}, "/cursor"),
        ({"recipient": "+447700900123", "limit": 101}, "/limit"),
        ({"recipient": "+447700900123", "page": 1}, "/page"),
        ({}, "/recipient"),
    ],
)
async def test_wrong_searches_are_explained(doors: Lists, body: Any, pointer: str) -> None:
    refused = await doors.call("POST", "/v1/messages/search", body, status=400)
    assert [error["pointer"] for error in refused["errors"]] == [pointer]


async def test_dead_letters(doors: Lists) -> None:
    core = doors.core
    failed, unknown = await core.message("failed"), await core.message("unknown")
    expired = await core.message("expired")
    await core.message("delivered")
    core.clock.now_s += 3 * 86_400
    assert await doors.ids("/v1/deadletters") == [unknown, failed]
    assert await doors.ids("/v1/deadletters?status=expired,unknown") == [expired, unknown]
    assert await doors.ids("/v1/deadletters?channel=email") == []
    await doors.call("GET", "/v1/deadletters?status=delivered", status=400)
    core.clock.now_s += 5 * 86_400
    assert await doors.ids("/v1/deadletters") == []  # the last week, where nothing is said


async def test_the_deliveries_of_an_endpoint(doors: Lists) -> None:
    core = doors.core
    failed = await core.message("failed", channel="webhook", kind="event", to="ep_1")
    told = await core.message("sent", channel="webhook", kind="event", to="ep_1")
    await core.message("sent", channel="webhook", kind="event", to="ep_2")
    path = "/v1/webhooks/ep_1/deliveries"
    assert await doors.ids(path, scopes="webhooks") == [told, failed]
    assert await doors.ids(path + "?status=failed", scopes="webhooks") == [failed]
    assert await doors.ids(path, scopes="webhooks", tenant="other") == []
    await doors.call("GET", path + "?channel=sms", scopes="webhooks", status=400)
    await doors.call("GET", path, scopes="read", status=403)
    again = await doors.call("POST", f"/v1/messages/{failed}/resend", status=202)
    ((message, payload),) = await core.accepted(failed)
    assert (message.id, payload.kind, payload.to) == (again["id"], "event", "ep_1")


async def test_resend_makes_a_new_message(doors: Lists) -> None:
    core = doors.core
    failed = await core.message("failed", text="Once more")
    answer = await doors.call("POST", f"/v1/messages/{failed}/resend", status=202)
    assert answer == {
        "id": answer["id"],
        "status": "accepted",
        "region": "local",
        "resend_of": failed,
    }
    ((message, payload),) = await core.accepted(failed)
    assert message.id == answer["id"] != failed
    assert (payload.text, payload.to, payload.trace) == ("Once more", "+447700900123", "trace-1")
    named = parse_id(message.id)
    assert named is not None
    assert (named.shard, named.keyed) == (1, False)
    assert message.expires_ms == core.clock.wall_ms() + 300_000
    body = {"expires_in": 60}
    await doors.call("POST", f"/v1/messages/{failed}/resend", body, status=202)
    assert len({m.id for m, _ in await core.accepted(failed)}) == 2
    assert (await core.accepted(failed))[1][0].expires_ms == core.clock.wall_ms() + 60_000


@pytest.mark.parametrize("state", ["sent", "delivered", "expired", "canceled", "suppressed"])
async def test_whatever_has_ended_may_be_sent_again(doors: Lists, state: Any) -> None:
    ended = await doors.core.message(state)
    await doors.call("POST", f"/v1/messages/{ended}/resend", status=202)


async def test_what_is_not_sent_again(doors: Lists) -> None:
    core = doors.core
    opened, others = await core.message("accepted"), await core.message("failed", tenant="other")
    failed = await core.message("failed")

    async def refused(message_id: str, status: int, body: Any = None, **how: Any) -> str:
        path = f"/v1/messages/{message_id}/resend"
        return str((await doors.call("POST", path, body, status=status, **how))["code"])

    assert await refused(opened, 409) == "not_ended"
    assert await refused("nonsense", 404) == "not_found"
    assert await refused(others, 404) == await refused(others[:-1] + "0", 404)
    assert await refused(failed, 400, {"expires_in": 0}) == "invalid_request"
    assert await refused(failed, 400, {"expires_in": 30 * DAY_MS}) == "invalid_request"
    assert await refused(failed, 400, b"{") == "bad_json"
    assert await refused(failed, 403, scopes="read") == "forbidden_scope"
    assert await refused(failed, 400, key="a b") == "invalid_idempotency_key"
    core.refuses = problem("storage_full", "no space")
    assert await refused(failed, 503) == "storage_full"
    assert await core.accepted(failed) == []


async def test_a_key_gives_the_same_new_message(doors: Lists) -> None:
    core = doors.core
    failed, another = await core.message("failed"), await core.message("failed")
    path = f"/v1/messages/{failed}/resend"
    core.refuses = problem("storage_full", "no space")
    await doors.call("POST", path, key="k", status=503)  # what came to nothing takes no key
    core.refuses = None
    first = await doors.call("POST", path, key="k", status=202)
    assert await doors.call("POST", path, key="k", status=202) == first
    assert len(await core.accepted(failed)) == 1
    conflict = await doors.call("POST", path, {"expires_in": 9}, key="k", status=422)
    assert conflict["code"] == "idempotency_conflict"
    path = f"/v1/messages/{another}/resend"
    await doors.call("POST", path, key="k", status=422)
    assert (await doors.call("POST", path, key="k2", status=202))["id"] != first["id"]


async def test_a_replay_from_start_to_end(doors: Lists) -> None:
    core = doors.core
    failed = [await core.message("failed") for _ in range(5)]
    body = {"status": ["failed"], "since": rfc3339(START_MS - 1000), "per_second": 50}
    core.clock.now_s += 60
    made = await doors.call("POST", "/v1/deadletters/replay", body, status=202)
    assert (made["state"], made["per_second"], made["sent"]) == ("running", 50, 0)
    path = f"/v1/deadletters/replays/{made['id']}"

    async def done() -> Any:
        shown = await doors.call("GET", path)
        return shown if shown["state"] == "done" else None

    shown = await until(done)
    assert (shown["sent"], shown["passed_over"]) == (5, {})
    assert sorted(p.resend_of for _, p in await core.accepted() if p.resend_of) == sorted(failed)
    assert await doors.call("POST", path + "/cancel") == shown
    await doors.call("GET", path, tenant="other", status=404)
    assert await doors.call("GET", path + "?tenant=acme", tenant="root", scopes="admin") == shown
    await doors.call("POST", "/v1/deadletters/replays/rpl_none/cancel", status=404)


async def test_a_replay_by_ids_can_be_stopped(doors: Lists) -> None:
    core = doors.core
    ids = [await core.message("failed") for _ in range(3)]
    core.refuses = problem("storage_full", "no space")
    body = {"ids": [*ids, ids[0]], "per_second": 1000}
    made = await doors.call("POST", "/v1/deadletters/replay", body, status=202)
    path = f"/v1/deadletters/replays/{made['id']}"
    stopped = await doors.call("POST", path + "/cancel")
    assert stopped["state"] == "canceled"
    await until(lambda: not core.spawned)
    assert (await doors.call("GET", path))["state"] == "canceled"
    assert [p for _, p in await core.accepted() if p.resend_of] == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"ids": ["x"], "status": ["failed"]}, "/status"),
        ({"ids": []}, "/ids"),
        ({"status": ["delivered"]}, "/status/0"),
        ({"since": "x"}, "/since"),
        ({"per_second": 0}, "/per_second"),
        ({"per_second": 1001}, "/per_second"),
    ],
)
async def test_wrong_replays_are_explained(doors: Lists, body: Any, pointer: str) -> None:
    refused = await doors.call("POST", "/v1/deadletters/replay", body, status=400)
    assert [error["pointer"] for error in refused["errors"]] == [pointer]
    await doors.call("POST", "/v1/deadletters/replay", {"ids": ["x"]}, scopes="read", status=403)


@given(st.text(max_size=40))
def test_times_are_times_or_none(text: str) -> None:
    assert isinstance(read_time_ms(text), int | None)


def test_times_with_a_plus_that_became_a_space() -> None:
    assert read_time_ms("2027-01-15T09:00:00 01:00") == read_time_ms("2027-01-15T08:00:00Z")
    assert read_time_ms("2027-01-15T08:00:00.250Z") == START_MS + 250
    assert read_time_ms("2027-01-15 08:00:00Z") == START_MS
