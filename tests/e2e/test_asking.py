"""Asking for messages in groups, and sending them again, through the doors of a running region."""

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.reckon import reckon
from tests.support.region import Region, running, wait_for

SMSC = "sandbox-smsc"


@pytest.fixture(scope="module")
def bad_region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    """A region of its own: its sandbox refuses, and its core is killed."""
    with running(tmp_path_factory.mktemp("asking") / "data") as started:
        started.switch("sandbox-sms-http", False)  # it would take what the SMSC does not
        yield started


def listed(region: Region, path: str) -> list[dict[str, Any]]:
    told = region.call("GET", path)
    assert told.status == 200, told.body
    return list(json.loads(told.body)["data"])


def core_of(region: Region) -> int:
    processes = region.call("GET", "/status", key=None).json()["processes"]
    (pid,) = [process["pid"] for process in processes if process["role"] == "core"]
    return int(pid)


def test_what_was_sent_is_listed_and_found(region: Region) -> None:
    message = region.sms("+447700910777", "listed")
    region.ended(message, "delivered")

    def shown() -> dict[str, Any] | None:
        rows = listed(region, "/v1/messages?status=delivered&limit=100")
        return next((row for row in rows if row["id"] == message), None)

    row = wait_for(shown)
    assert (row["channel"], row["class"], row["final"]) == ("sms", "transactional", True)
    found = region.call("POST", "/v1/messages/search", {"recipient": "+44 7700 910777"})
    assert [each["id"] for each in found.json()["data"]] == [message]
    again = region.call("POST", f"/v1/messages/{message}/resend").json()
    assert again["resend_of"] == message
    region.ended(again["id"], "delivered")
    assert [e["text"] for e in region.sent(again["id"])] == ["listed"]


def test_an_open_message_is_listed_as_open(bad_region: Region) -> None:

    def shown() -> bool:
        return message in [row["id"] for row in listed(bad_region, "/v1/messages?status=open")]

    with bad_region.behaving(SMSC, down=True):
        message = bad_region.sms("+447700910778", "waits")
        wait_for(shown)
    bad_region.ended(message, "delivered")
    wait_for(lambda: not shown())


def test_dead_letters_are_replayed_once_over_a_crash(bad_region: Region) -> None:
    region = bad_region
    with region.behaving(SMSC, refuse={"ratio": 1.0, "as": "permanent"}):
        ids = [region.sms(f"+4477009110{n:02}", f"dead {n}") for n in range(30)]
        for message in ids:
            region.ended(message, "failed")
    wait_for(lambda: len(listed(region, "/v1/deadletters?limit=100")) == 30)
    asked = {"status": ["failed"], "per_second": 10}
    replay = region.call("POST", "/v1/deadletters/replay", asked).json()
    path = f"/v1/deadletters/replays/{replay['id']}"

    def progress() -> dict[str, Any]:
        told = region.call("GET", path)
        return told.json() if told.status == 200 else {"sent": 0, "state": ""}

    wait_for(lambda: progress()["sent"] >= 5)
    os.kill(core_of(region), signal.SIGKILL)
    done = wait_for(lambda: (now := progress())["state"] == "done" and now, 60.0)
    assert (done["sent"], done["passed_over"]) == (30, {})
    texts = {f"dead {n}" for n in range(30)}

    def arrived() -> dict[str, set[str]]:
        """The messages that brought each text."""
        by_text: dict[str, set[str]] = {}
        for entry in region.history():
            if entry["effective"] and entry["text"] in texts:
                by_text.setdefault(entry["text"], set()).add(entry["ref"].partition(".")[0])
        return by_text

    wait_for(lambda: len(arrived()) == 30)
    replayed = [message for messages in arrived().values() for message in messages]
    assert len(replayed) == 30, "one new message for each dead letter"
    reckon(region, replayed, "delivered", "sent", "unknown")  # a call may have been cut off
