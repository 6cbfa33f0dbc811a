"""Telling a webhook endpoint again, one delivery or many, on a real socket."""

from typing import Any

from core.contract.times import rfc3339
from core.contract.webhooks import EndpointIn
from tests.support.asking import DAY_MS, START_MS
from tests.support.wait import until
from tests.wire.api.test_lists import Lists, doors

__all__ = ["doors"]


async def test_a_delivery_is_told_again_to_its_own_endpoint_only(doors: Lists) -> None:
    core = doors.core
    failed = await core.message("failed", channel="webhook", kind="event", to="ep_1")
    message = await core.message("failed", channel="webhook", to="ep_1")
    others = await core.message(
        "failed", channel="webhook", kind="event", to="ep_1", tenant="other"
    )

    async def replay(message_id: str, status: int, endpoint: str = "ep_1", **how: Any) -> Any:
        path = f"/v1/webhooks/{endpoint}/deliveries/{message_id}/replay"
        return await doors.call("POST", path, status=status, scopes="webhooks", **how)

    for wrong in (message, others, others[:-1] + "0"):
        await replay(wrong, 404)
    await replay(failed, 404, "ep_2")
    assert await core.accepted(failed) == []
    told = await replay(failed, 202, key="once")
    assert await replay(failed, 202, key="once") == told
    ((again, payload),) = await core.accepted(failed)
    assert (again.id, payload.to, payload.notification) == (told["id"], "ep_1", "ntf_1")
    await doors.call(
        "POST", f"/v1/webhooks/ep_1/deliveries/{failed}/replay", scopes="send", status=403
    )


async def test_what_failed_at_an_endpoint_is_told_again(doors: Lists) -> None:
    core = doors.core
    given = EndpointIn("https://hooks.example.com")
    made = await core.endpoints.create("acme", given, "https://hooks.example.com")
    endpoint = made.endpoint.id
    states = ("failed", "unknown", "expired", "sent")
    ids = [
        await core.message(state, channel="webhook", kind="event", to=endpoint)  # type: ignore[arg-type]
        for state in states
    ]
    await core.message("failed", channel="webhook", kind="event", to="ep_other")
    await core.message("failed")
    core.clock.now_s += 1
    path = f"/v1/webhooks/{endpoint}/replay"

    async def replayed(body: Any) -> Any:
        asked = {"since": rfc3339(START_MS - DAY_MS), "per_second": 100, **body}
        begun = await doors.call("POST", path, asked, status=202, scopes="webhooks")

        async def done() -> Any:
            found = await doors.call("GET", f"/v1/deadletters/replays/{begun['id']}")
            return found if found["state"] == "done" else None

        return await until(done)

    assert (await replayed({}))["sent"] == 3
    new = [payload.resend_of for _, payload in await core.accepted() if payload.resend_of]
    assert sorted(new) == sorted(ids[:3])
    assert (await replayed({"all": True}))["sent"] == 4
    for wrong, pointer in (
        ({"since": "yesterday"}, "/since"),
        ({"since": rfc3339(START_MS), "until": "now"}, "/until"),
        ({"since": rfc3339(START_MS), "per_second": 0}, "/per_second"),
        ({}, "/since"),
    ):
        refused = await doors.call("POST", path, wrong, status=400, scopes="webhooks")
        assert refused["errors"][0]["pointer"] == pointer
    body = {"since": rfc3339(START_MS)}
    await doors.call("POST", path, body, status=404, scopes="webhooks", tenant="other")
    await doors.call("POST", path, body, status=403, scopes="read,send")
