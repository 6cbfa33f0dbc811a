"""Accounts that nobody may use, and one whose credentials stop working in the middle of a load."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.load import Client
from tests.support.reckon import reckon
from tests.support.region import Region, running, wait_for

pytestmark = pytest.mark.slow
SMSC, SMS_HTTP = "sandbox-smsc", "sandbox-sms-http"


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    """A region with two accounts for text messages."""
    with running(tmp_path_factory.mktemp("trouble") / "data") as started:
        yield started


def policy(region: Region, when_none: str) -> None:
    """Leave no account to alerts."""
    told = region.call(
        "PUT",
        "/v1/policies/nobody",
        {"match": {"classes": ["alert"]}, "forbid": [SMSC, SMS_HTTP], "when_none": when_none},
        key=region.admin_key,
    )
    assert told.status in (200, 201), told.body


def state_of(region: Region, account: str) -> str:
    told = region.call("GET", f"/v1/providers/{account}", key=region.admin_key)
    return str(told.json()["state"])


def takers(messages: dict[str, dict[str, Any]]) -> set[str]:
    """The accounts that took these messages."""
    return {
        attempt["account"]
        for message in messages.values()
        for attempt in message["attempts"]
        if attempt["outcome"] == "accepted"
    }


@pytest.mark.parametrize(
    ("when_none", "fields", "status", "reason"),
    [("end", {}, "failed", "no_route"), ("wait", {"expires_in": 2}, "expired", "expired")],
)
def test_a_policy_that_leaves_no_account_says_why(
    region: Region, when_none: str, fields: dict[str, int], status: str, reason: str
) -> None:
    policy(region, when_none)

    def refused() -> bool:
        """The core has the policy of now."""
        asked = {"to": {"phone": "+447400000003"}, "class": "alert"}
        told = region.call("POST", "/v1/route", asked)
        assert told.status == 200, told.body
        [route] = told.json()["routes"]
        return bool(route["when_none"] == when_none and not route["decision"]["account"])

    wait_for(refused)
    message_id = region.sms("+447400000003", "nobody takes me", **{"class": "alert"}, **fields)
    message = region.ended(message_id, status)
    assert message["reason"] == reason
    assert message["attempts"] == []
    detail = message["events"][-1]["detail"]
    assert SMSC in detail and SMS_HTTP in detail
    assert not region.sent(message_id)


def test_credentials_that_stop_working_cost_no_message(region: Region) -> None:
    """The other account takes over; once it was edited, the first one has its place again."""
    client = Client(region)  # type: ignore[arg-type]
    asyncio.run(client.post(100, 0))
    with region.behaving(SMSC, refuse={"ratio": 1.0, "as": "account"}):
        asyncio.run(client.post(300, 1000))
        wait_for(lambda: "fault" in state_of(region, SMSC))
        found = reckon(region, client.accepted, "delivered")
    assert takers(found.messages) == {SMSC, SMS_HTTP}
    assert not found.twice
    assert "fault" in state_of(region, SMSC)
    region.tune(SMSC, source_addr="Mended")
    region.ended(message_id := region.sms("+447400000004", "back again"), "delivered")
    assert takers({message_id: region.message(message_id)}) == {SMSC}
