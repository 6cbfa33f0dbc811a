"""E-mails that come back: what the mail server says by mail is shown of the message it is about."""

import itertools
import json
import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.region import Region, ask, running, wait_for

MAIL = "sandbox-smtp"
NUMBERS = itertools.count()

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    with running(tmp_path_factory.mktemp("bounces") / "data") as started:
        yield started


def mail(region: Region, **fields: Any) -> str:
    """To another address each time: one that bounced is not sent to again."""
    told = region.notify(
        {
            "to": {"email": f"ada{next(NUMBERS)}@example.com"},
            "content": {"subject": "Hello", "text": "Good morning"},
            **fields,
        }
    )
    assert told.status == 202, told.body
    return str(told.json()["messages"][0]["id"])


def receipts(message: dict[str, Any]) -> list[tuple[str, str]]:
    return [(e["type"], e["detail"]) for e in message["events"] if "receipt" in e["type"]]


def told(region: Region, kind: str) -> int:
    """How many mails that said this came to the core."""
    processes = json.loads((region.data / "processes.json").read_text())["processes"]
    (core,) = [each["url"] for each in processes if each["role"] == "core"]
    text = ask(core, "GET", "/metrics").body.decode()
    found = re.findall(rf'^goutong_core_bounces_total{{.*kind="{kind}"}} (\d+)', text, re.MULTILINE)
    return sum(map(int, found))


def test_an_email_that_bounces_has_failed_and_says_why(region: Region) -> None:
    with region.behaving(MAIL, bounce={"dsn": 1, "delayed": 1}):
        message = region.ended(mail(region), "failed")
    assert message["final"]
    assert message["reason"] == "permanent"
    delayed, failed = receipts(message)
    assert delayed[0] == "receipt: accepted" and delayed[1].startswith("4.4.1 451 ")
    assert failed[0] == "receipt: failed" and failed[1].startswith("5.1.1 550 ")
    assert "ada" not in failed[1]
    [attempt] = message["attempts"]
    assert attempt["outcome"] == "accepted"


def test_a_complaint_is_shown_and_the_message_stays_as_it_is(region: Region) -> None:
    with region.behaving(MAIL, bounce={"complaint": 1}):
        message_id = mail(region)
        wait_for(lambda: receipts(region.message(message_id)))
    message = region.message(message_id)
    [(event, detail)] = receipts(message)
    assert event == "receipt: complained" and detail.startswith("abuse")
    assert message["status"] in ("sent", "delivered")


def test_what_is_forged_damaged_or_no_bounce_changes_nothing(region: Region) -> None:
    kinds = ("refused", "malformed", "auto_reply")
    before = {kind: told(region, kind) for kind in kinds}
    with region.behaving(MAIL, bounce={"forged": 1, "malformed": 1, "auto_reply": 1}):
        ids = [mail(region) for _ in range(5)]
        for kind in kinds:
            wait_for(lambda kind=kind: told(region, kind) >= before[kind] + len(ids))
    for message_id in ids:
        message = region.message(message_id)
        assert message["status"] == "sent"
        assert not receipts(message)
        # A bounce may still come.
        assert not message["final"]


def test_a_bounce_in_a_bad_night_is_brought_again(region: Region) -> None:
    """The core dies while bounces are on their way; another one takes them."""

    def status(message_id: str) -> str:
        told = region.call("GET", f"/v1/messages/{message_id}")
        return told.json()["status"] if told.status == 200 else "nobody knows now"

    with region.behaving(MAIL, bounce={"dsn": 1, "delay_ms": 300}):
        ids = [mail(region) for _ in range(20)]
        wait_for(lambda: all(status(each) in ("sent", "failed") for each in ids))
        processes = json.loads((region.data / "processes.json").read_text())["processes"]
        (pid,) = [each["pid"] for each in processes if each["role"] == "core"]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: all(status(each) == "failed" for each in ids), timeout_s=60)
