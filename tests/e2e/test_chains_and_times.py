"""Fallback from text message to e-mail, and messages for later, over the death of the core."""

import itertools
import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.reckon import reckon
from tests.support.region import Region, running, wait_for

pytestmark = pytest.mark.slow
SMSC = "sandbox-smsc"
ZONE = "Asia/Shanghai"
# Each its own: a number that a provider calls invalid is on the suppression list from then on.
_numbers = itertools.count()


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    with running(tmp_path_factory.mktemp("chains") / "data") as started:
        started.switch("sandbox-sms-http", False)  # it would take what the SMSC refuses
        yield started


def chain(region: Region, **fields: Any) -> str:
    """A text message, else an e-mail; the id of the first."""
    told = region.notify(
        {
            "to": {"phone": f"+44740001{next(_numbers):04}", "email": "ada@example.com"},
            "channel": ["sms", "email"],
            "until": "delivered",
            "content": {"subject": "Your table", "text": "It is free."},
            **fields,
        }
    )
    assert told.status == 202, told.body
    [message] = told.json()["messages"]
    assert message["channel"] == "sms"
    return str(message["id"])


def mail_after(region: Region, message_id: str) -> str:
    """The id of the e-mail that may follow."""
    [later] = region.message(message_id)["next"]
    assert later["channel"] == "email"
    return str(later["id"])


def kill_core(region: Region) -> None:
    processes = json.loads((region.data / "processes.json").read_text())["processes"]
    [pid] = [each["pid"] for each in processes if each["role"] == "core"]
    os.kill(pid, signal.SIGKILL)


def sent(region: Region, message_id: str) -> bool:
    """Whether the message was made and sent."""
    told = region.call("GET", f"/v1/messages/{message_id}")
    return told.status == 200 and told.json()["status"] == "sent"


def test_a_refused_text_message_is_followed_at_once(region: Region) -> None:
    with region.behaving(SMSC, refuse={"ratio": 1.0, "as": "invalid_target"}):
        first = chain(region, escalate_after=3600)
        region.ended(first, "failed")
        mail = mail_after(region, first)
        wait_for(lambda: sent(region, mail))
    assert region.message(mail)["follows"] == first
    [entry] = region.sent(mail)
    assert (entry["wire"], entry["to"]) == ("smtp", "ada@example.com")


def test_silence_is_followed_and_a_delivery_is_not_over_a_crash(region: Region) -> None:
    delivered = [chain(region, escalate_after=4) for _ in range(10)]
    for message_id in delivered:
        region.ended(message_id, "delivered")
    with region.behaving(SMSC, receipt={"none": 1.0}):
        silent = [chain(region, escalate_after=4) for _ in range(10)]
        for message_id in silent:
            region.ended(message_id, "sent")
        kill_core(region)
        mails = [mail_after_crash(region, message_id) for message_id in silent]
        for mail in mails:
            wait_for(lambda mail=mail: sent(region, mail), 30.0)
    found = reckon(region, [*delivered, *silent, *mails])
    assert not found.twice
    assert all(found.sent[mail] == 1 for mail in mails)
    # The turn of these came before that of the silent ones.
    for message_id in delivered:
        mail = mail_after(region, message_id)
        assert region.call("GET", f"/v1/messages/{mail}").status == 404
        assert not found.sent[mail]


def mail_after_crash(region: Region, message_id: str) -> str:
    """The same, once somebody answers again."""
    path = f"/v1/messages/{message_id}"
    wait_for(lambda: region.call("GET", path).status == 200, 30.0)
    return mail_after(region, message_id)


def test_scheduled_messages_survive_a_crash_and_are_not_early(region: Region) -> None:
    at = (datetime.now(UTC) + timedelta(seconds=6)).replace(microsecond=0)
    local = at.astimezone(ZoneInfo(ZONE)).replace(tzinfo=None).isoformat()
    later = [
        region.sms(f"+4474000002{n:02}", f"later {n}", send_at=local, time_zone=ZONE)
        for n in range(20)
    ]
    dropped = region.sms("+447400000300", "never", send_at=at.isoformat())
    assert {region.message(each)["status"] for each in later} == {"scheduled"}
    assert region.call("POST", f"/v1/messages/{dropped}/cancel").json()["status"] == "canceled"
    kill_core(region)
    path = f"/v1/messages/{later[0]}"
    wait_for(lambda: region.call("GET", path).status == 200, 30.0)
    found = reckon(region, [*later, dropped], "delivered", "canceled")
    assert found.states == {"delivered": len(later), "canceled": 1}
    assert not found.twice
    entries = [e for e in region.history() if str(e["ref"]).partition(".")[0] in later]
    assert len(entries) == len(later)
    assert min(datetime.fromisoformat(entry["at"]) for entry in entries) >= at
