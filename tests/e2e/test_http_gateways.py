"""Text messages over HTTP through a whole region: sent, reported, and nothing forged believed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.gateways import TEXT_GATEWAY
from tests.support.region import Region, ask, running, wait_for

pytestmark = pytest.mark.slow
SMS_HTTP = "sandbox-sms-http"


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    """A region whose text messages go over HTTP only."""
    with running(tmp_path_factory.mktemp("region") / "data") as started:
        started.switch("sandbox-smsc", False)
        yield started


def callbacks(region: Region, account: str, status: int) -> int:
    """How many callbacks of the account were answered so, by the cores' numbers."""
    line = f'goutong_core_callbacks_total{{account="{account}",status="{status}"}}'
    found = 0.0
    for process in region.line["regions"].values():
        for each in process["processes"]:
            if each["role"] == "core":
                text = ask(each["url"], "GET", "/metrics").body.decode()
                found += sum(
                    float(one.rpartition(" ")[2])
                    for one in text.splitlines()
                    if one.startswith(line)
                )
    return int(found)


def test_a_text_message_is_delivered_by_a_signed_callback(region: Region) -> None:
    message_id = region.sms("+447700900123", "Grüße over HTTP")
    message = region.ended(message_id, "delivered")
    assert message["attempts"][0]["account"] == SMS_HTTP
    assert message["attempts"][0]["provider_id"].startswith("SM")
    [entry] = region.sent(message_id)
    assert (entry["wire"], entry["text"]) == ("sms-http", "Grüße over HTTP")


def test_a_wrong_signature_is_ignored_and_counted(region: Region) -> None:
    before = callbacks(region, SMS_HTTP, 403)
    with region.behaving(SMS_HTTP, receipt={"wrong_signature": 1}):
        message_id = region.sms("+447700900123", "forged")
        region.ended(message_id, "sent")
        wait_for(lambda: callbacks(region, SMS_HTTP, 403) >= before + 3)
    assert region.message(message_id)["status"] == "sent"


def test_a_callback_may_come_first_or_stand_in_for_the_answer(region: Region) -> None:
    with region.behaving(SMS_HTTP, receipt={"early": 1, "out_of_order": 1, "twice": 1}):
        region.ended(region.sms("+447700900123", "early"), "delivered")
    with region.behaving(SMS_HTTP, reset_after_body=1):
        message_id = region.sms("+447700900123", "doubt")
        message = region.ended(message_id, "sent", "delivered")
    assert len(region.sent(message_id)) == len(message["attempts"])


def test_failures_and_refusals_end_with_their_reason(region: Region) -> None:
    with region.behaving(SMS_HTTP, receipt={"fail": 1}):
        region.ended(region.sms("+447700900123", "undelivered"), "failed")
    with region.behaving(SMS_HTTP, error_in_200=1, refuse={"as": "invalid_target"}):
        message = region.ended(region.sms("+447700900124", "nobody"), "failed")
    assert message["attempts"][0]["code"] == "21211"


def test_strangers_get_nowhere(region: Region) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b"MessageSid=SM1&MessageStatus=delivered"
    path = f"/v1/receipts/{SMS_HTTP}"
    assert region.call("POST", path, body, key=None, headers=form).status == 403
    signed = {**form, "X-Twilio-Signature": "AAAA"}
    assert region.call("POST", path, body, key=None, headers=signed).status == 403
    assert region.call("POST", "/v1/receipts/nobody", body, key=None, headers=form).status == 404
    assert region.call("POST", "/v1/receipts/sandbox-smtp", body, key=None).status == 404


def test_a_gateway_by_settings_alone_cannot_speak_of_anothers_messages(
    region: Region, tmp_path: Path
) -> None:
    message_id = region.sms("+447700900123", "mine")
    attempt = region.ended(message_id, "delivered")["attempts"][0]
    region.switch(SMS_HTTP, False)
    index = ask(region.sandbox, "GET", "/sandbox").json()["providers"]
    port = next(each["port"] for each in index if each["name"] == "sandbox-gateway")
    door = f"{region.url}/v1/receipts/gw"
    fields = {**TEXT_GATEWAY["fields"]}
    fields["dlr-url"] = fields["dlr-url"].replace("https://in.example/v1/receipts/gw", door)
    account: dict[str, Any] = {
        "id": "gw",
        "wire": "http_gateway",
        "channel": "sms",
        "settings": {
            **TEXT_GATEWAY,
            "url": f"http://127.0.0.1:{port}/gateway/text",
            "fields": fields,
        },
        "secrets": {"password": "sandbox", "callback_secret": "sandbox"},
    }
    told = region.call("POST", "/v1/providers", account, key=region.admin_key)
    assert told.status == 201, told.body
    try:
        own = region.sms("+447700900123", "by the gateway")
        assert region.ended(own, "delivered")["attempts"][0]["account"] == "gw"
        # Its provider knows the secret, and names an attempt of another account.
        ref = quote(f"{message_id}.{attempt['attempt']}.{attempt['epoch']}")
        forged = f"/v1/receipts/gw?secret=sandbox&id=x1&status=2&ref={ref}"
        assert region.call("GET", forged, key=None).status == 200
        events = region.message(message_id)["events"]
        assert not [each for each in events if "failed" in each["detail"] + each["type"]]
    finally:
        region.call("DELETE", "/v1/providers/gw", key=region.admin_key)
        region.switch(SMS_HTTP, True)
