"""Webhooks from the API to an endpoint, on good days and on bad ones."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from core import audit
from tests.support.region import Region, running, wait_for

NAME = "sandbox-webhook"
SECRET = "whsec_" + "QUJD" * 8
HABITS: dict[str, Any] = {
    "refuse": {"ratio": 0.15, "as": "temporary"},
    "redirect": 0.1,
    "reset_after_body": 0.1,
    "hang": 0.1,
    "slow_drip": 0.2,
    "drip_ms": 5,
}


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    data = tmp_path_factory.mktemp("webhooks") / "data"
    with running(data, env={"GOUTONG_RETRY_LONGEST_MS": "500"}) as started:
        started.tune(NAME, timeout_ms=1_500)
        yield started


def hook(region: Region, path: str = "/hook") -> str:
    ports = json.loads((region.data / "ports.json").read_text())
    return f"http://127.0.0.1:{ports[NAME]}{path}"


def send(region: Region, url: str, **fields: Any) -> str:
    told = region.notify({"to": {"url": url}, "content": {"text": "Grüße"}, **fields})
    assert told.status == 202, told.body
    return str(told.json()["messages"][0]["id"])


def entries(region: Region, message_id: str) -> list[dict[str, Any]]:
    return [each for each in region.history() if each["ref"] == message_id]


def test_a_webhook_arrives_as_the_message_it_is(region: Region) -> None:
    url = hook(region, "/a/b?c=d")
    message_id = send(region, url)
    message = region.ended(message_id, "sent")
    assert message["attempts"][0]["account"] == NAME
    [entry] = entries(region, message_id)
    body = json.loads(entry["text"])
    assert entry["to"] == url
    assert body["type"] == "message"
    assert body["data"] == {"id": message_id, "text": "Grüße"}
    assert body["timestamp"] == message["created_at"]


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://0xA000001/"]
)
def test_a_private_network_is_refused_with_its_reason(region: Region, url: str) -> None:
    message = region.ended(send(region, url), "failed")
    assert message["attempts"][0]["detail"] == "the host is a private address"


def test_an_endpoint_that_is_gone_ends_the_message(region: Region) -> None:
    with region.behaving(NAME, refuse={"ratio": 1.0, "as": "invalid_target"}):
        message = region.ended(send(region, hook(region, "/gone")), "failed")
    assert message["attempts"][0]["detail"] == "the endpoint said gone (410)"


def test_an_endpoint_that_asks_to_wait_delays_no_other(region: Region) -> None:
    with region.behaving(NAME, refuse={"ratio": 1.0, "as": "throttled"}, retry_after_s=600):
        waits = send(region, hook(region, "/slow"))
        wait_for(lambda: region.message(waits)["attempts"])
    region.ended(send(region, hook(region, "/other")), "sent")
    assert region.message(waits)["status"] in ("queued", "sending")
    region.call("POST", f"/v1/messages/{waits}/cancel")


@pytest.mark.slow
def test_everything_arrives_on_bad_days(region: Region) -> None:
    """A repetition has the id of the call in doubt, by which its receiver knows it again."""
    with region.behaving(NAME, **HABITS):
        ids = [send(region, hook(region, f"/{number}")) for number in range(60)]
        found: dict[str, Any] = {}

        def settled() -> bool:
            found.update(audit.run(region.data))
            return bool(found["open"] == 0)

        wait_for(settled, 60.0, lambda: found)
    assert (found["lost"], found["violations"]) == ([], [])
    got = [each for each in region.history() if each["ref"] in ids]
    assert {each["outcome"] for each in got} == {"accepted", "refused", "reset", "hang"}
    effective = Counter(each["ref"] for each in got if each["effective"])
    for message_id in ids:
        assert region.message(message_id)["status"] == "sent"
        assert effective[message_id] >= 1
