"""Many notifications in one request, and what is sent later, through the whole of a region."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.region import Region

BATCH = "/v1/notifications/batch"


def item(number: int, **fields: Any) -> dict[str, Any]:
    to = {"phone": f"+4477009007{number:02}"}
    return {"to": to, "content": {"text": f"item {number}"}, **fields}


def test_each_item_of_a_batch_has_its_own_outcome_and_is_sent_once(region: Region) -> None:
    wrong = {"to": {"phone": "1"}, "content": {"text": "x"}}
    unrendered = {"to": item(0)["to"], "template": "gone"}
    asked = [item(0), wrong, item(2), unrendered, item(4, **{"class": "otp"})]
    told = region.call("POST", BATCH, asked, headers={"Idempotency-Key": "batch-1"})
    assert told.status == 200
    outcomes = told.json()
    assert [one["index"] for one in outcomes] == [0, 1, 2, 3, 4]
    assert [one["status"] for one in outcomes] == [202, 400, 202, 400, 202]
    codes = [one["body"].get("code") for one in outcomes]
    assert codes == [None, "invalid_request", None, "unknown_template", None]
    messages = [one["body"]["messages"][0]["id"] for one in outcomes if one["status"] == 202]
    for message in messages:
        region.ended(message, "delivered")
    again = region.call("POST", BATCH, asked, headers={"Idempotency-Key": "batch-1"})
    accepted = [one for one in again.json() if one["status"] == 202]
    assert accepted == [one for one in outcomes if one["status"] == 202]
    assert [len(region.sent(message)) for message in messages] == [1, 1, 1]


def test_what_is_to_be_sent_later_waits(region: Region) -> None:
    at = datetime.now(UTC) + timedelta(hours=1)
    told = region.notify({**item(50), "send_at": at.isoformat()})
    assert told.status == 202
    (brief,) = told.json()["messages"]
    assert brief["status"] == "scheduled"
    expires = datetime.fromisoformat(region.message(brief["id"])["expires_at"])
    assert timedelta(0) <= expires - at - timedelta(days=1) + timedelta(milliseconds=1)
    told = region.call("POST", f"/v1/messages/{brief['id']}/cancel")
    assert told.status in (200, 202)
    region.ended(brief["id"], "canceled")
    assert region.sent(brief["id"]) == []
    past = region.notify({**item(51), "send_at": "2001-01-01T00:00:00", "time_zone": "Asia/Tokyo"})
    (brief,) = past.json()["messages"]
    assert brief["status"] == "accepted"
    region.ended(brief["id"], "delivered")
