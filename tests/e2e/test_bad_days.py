"""Providers that behave badly, one habit at a time and all at once, under load.

Whatever they do: what was accepted ends, nothing is sent more often than the bound allows, what was
sent twice is marked, and whoever asks is told why a message did not arrive.
"""

import asyncio
import itertools
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core import audit
from tests.support.load import Client
from tests.support.reckon import reckon
from tests.support.region import Region, ask, running, wait_for

SMSC, MAIL = "sandbox-smsc", "sandbox-smtp"
ALONE, TOGETHER = 150, 500
_numbers = itertools.count(0, 10_000)


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    """A region whose provider accounts lose patience soon, so that doubts arise within seconds."""
    data = tmp_path_factory.mktemp("bad-days") / "data"
    with running(data, env={"GOUTONG_RETRY_LONGEST_MS": "500"}) as started:
        started.switch("sandbox-sms-http", False)  # it would take what the SMSC does not
        started.tune(
            SMSC,
            window=10,
            response_timeout_ms=500,
            enquire_link_ms=200,
            reconnect_min_ms=20,
            reconnect_max_ms=200,
            throttle_wait_ms=100,
        )
        started.tune(
            MAIL,
            data_timeout_ms=500,
            late_reply_ms=500,
            reconnect_min_ms=20,
            reconnect_max_ms=200,
            throttle_wait_ms=100,
        )
        yield started


def post(region: Region, count: int, **fields: Any) -> Client:
    """So many messages for each kind of delivery; all are accepted, whatever providers do."""
    client = Client(region)  # type: ignore[arg-type]
    for delivery in ("at_least_once", "at_most_once"):
        asyncio.run(client.post(count, next(_numbers), delivery=delivery, **fields))
    assert client.answers == Counter({"202": 2 * count})
    return client


def mail() -> dict[str, Any]:
    """To somebody new: an address that was refused for good is suppressed from then on."""
    number = next(_numbers)
    content = {"subject": f"mail {number}", "text": "hello", "html": "<p>hello</p>"}
    return {"to": {"email": f"ada{number}@example.com"}, "content": content}


def refusals(region: Region, since: int) -> int:
    return sum(1 for entry in region.history() if entry["seq"] > since and not entry["effective"])


def last_seq(region: Region) -> int:
    return max((entry["seq"] for entry in region.history()), default=0)


@pytest.mark.parametrize("kind", ["throttled", "temporary"])
def test_what_is_refused_for_now_arrives_later(region: Region, kind: str) -> None:
    before = last_seq(region)
    with region.behaving(SMSC, refuse={"ratio": 0.3, "as": kind}):
        found = reckon(region, post(region, ALONE).accepted, "delivered")
    assert refusals(region, before) > ALONE * 0.3
    assert not found.twice


@pytest.mark.parametrize("kind", ["permanent", "invalid_target"])
def test_what_is_refused_for_good_fails_with_a_reason(region: Region, kind: str) -> None:
    before = last_seq(region)
    with region.behaving(SMSC, refuse={"ratio": 0.3, "as": kind}):
        found = reckon(region, post(region, ALONE).accepted, "delivered", "failed")
    assert found.states["failed"] == refusals(region, before) > 0
    for message in found.messages.values():
        if message["status"] == "failed":
            assert message["reason"] == "permanent"
            assert message["events"][-1]["detail"], "the provider's word is shown"
            assert found.sent[message["id"]] == 0


def test_a_refused_account_waits_for_its_operator(region: Region) -> None:
    with region.behaving(SMSC, refuse={"ratio": 1.0, "as": "account"}):
        message = region.sms("+447400000001", "who are you")
        wait_for(lambda: "fault" in state_of(region, SMSC))
        wait_for(lambda: "source address" in str(region.message(message)["events"][-1]))
    assert region.message(message)["status"] in ("queued", "sending")
    region.tune(SMSC, source_addr="Mended")
    region.ended(message, "delivered")


def state_of(region: Region, account: str) -> str:
    told = region.call("GET", f"/v1/providers/{account}", key=region.admin_key)
    return str(told.json()["state"])


def test_slow_answers_are_waited_for(region: Region) -> None:
    with region.behaving(SMSC, latency_ms=[20, 200]):
        found = reckon(region, post(region, ALONE).accepted, "delivered")
    assert not found.twice


@pytest.mark.parametrize("habit", ["reset_after_body", "hang"])
def test_what_is_in_doubt_is_sent_again_once_or_never(region: Region, habit: str) -> None:
    with region.behaving(SMSC, **{habit: 0.05}):
        found = reckon(region, post(region, ALONE).accepted, "delivered", "sent", "unknown")
    careful = [m for m in found.messages.values() if m["delivery"] == "at_most_once"]
    assert all(found.sent[m["id"]] <= 1 for m in careful)
    in_doubt = [m for m in found.messages.values() if m["possible_duplicate"]]
    assert in_doubt, "the habit never showed"
    assert any(m["status"] == "unknown" for m in careful)
    for message in found.messages.values():
        if message["status"] == "unknown":
            assert message["reason"] == "in_doubt"
            assert "whether" in message["events"][-1]["detail"]


@pytest.mark.parametrize(
    ("habits", "states"),
    [
        ({"early": 1.0}, {"delivered"}),
        ({"twice": 1.0}, {"delivered"}),
        ({"early": 0.5, "twice": 1.0}, {"delivered"}),
        ({"fail": 1.0}, {"failed"}),
        ({"fail": 1.0, "early": 1.0, "twice": 1.0}, {"failed"}),
        ({"none": 1.0}, {"sent"}),
        ({"delay_ms": 1500}, {"delivered"}),
    ],
    ids=["early", "twice", "early-twice", "fail", "fail-early-twice", "none", "late"],
)
def test_receipts_are_joined(region: Region, habits: dict[str, Any], states: set[str]) -> None:
    with region.behaving(SMSC, receipt=habits):
        accepted = post(region, 20).accepted
        receipts_in(region, accepted, states)
        found = reckon(region, accepted)
    assert set(found.states) == states
    assert not found.twice
    for message in found.messages.values():
        if message["status"] == "failed":
            assert message["reason"] == "permanent"


@pytest.mark.parametrize(
    "notation", ["hex", "dec_in_receipt", "hex_in_receipt", "case", "zeros", "same"]
)
def test_receipts_with_ids_in_another_notation(region: Region, notation: str) -> None:
    # Between decimal and hexadecimal nobody can guess: the operator has to say so.
    said = notation if notation.endswith("_in_receipt") else "auto"
    region.tune(SMSC, id_notation=said)
    with region.behaving(SMSC, id_notation=notation):
        accepted = post(region, 20).accepted
        receipts_in(region, accepted, {"delivered"})


def receipts_in(region: Region, accepted: dict[str, str], states: set[str]) -> None:
    """Wait until every message has come to one of these states."""
    for message_id in accepted:
        region.ended(message_id, *states)


def test_long_texts_have_one_status_and_one_entry(region: Region) -> None:
    text = "Ein langer Text mit € und [Klammern], der nicht in einen Teil passt. " * 10
    with region.behaving(SMSC, receipt={"early": 0.5, "twice": 0.5}):
        sent = [
            region.sms(f"+4474000001{n:02}", f"{text}{n} 沟通" if n % 2 else f"{text}{n}")
            for n in range(10)
        ]
        for message in sent:
            region.ended(message, "delivered")
    for number, message in enumerate(sent):
        (entry,) = region.sent(message)
        assert entry["text"] == (f"{text}{number} 沟通" if number % 2 else f"{text}{number}")


def test_messages_wait_while_the_provider_is_down(region: Region) -> None:
    with region.behaving(SMSC, down=True):
        accepted = post(region, ALONE).accepted
        last = list(accepted)[-1]
        shown = wait_for(lambda: waiting(region, last))
        assert "sandbox-smsc" in shown
        assert audit.run(region.data)["open"] == 2 * ALONE
    found = reckon(region, accepted, "delivered", "sent")
    assert not found.twice


def waiting(region: Region, message_id: str) -> str:
    """Why the message waits, as its events tell it."""
    events = region.message(message_id)["events"]
    return next((event["detail"] for event in events if event["type"] == "waiting"), "")


def test_what_cannot_go_out_in_time_expires_visibly(region: Region) -> None:
    with region.behaving(SMSC, down=True):
        found = reckon(region, post(region, 20, expires_in=1).accepted, "expired")
    for message in found.messages.values():
        assert message["reason"] == "expired"
        assert "its time was over" in message["events"][-1]["detail"]
    assert not any(found.sent[message] for message in found.messages)
    # It stays so: nothing goes out once the provider is back.
    later = region.sms("+447400000002", "later")
    region.ended(later, "delivered")
    assert not [e for e in region.history() if str(e["ref"]).split(".")[0] in found.messages]


@pytest.mark.parametrize(
    ("habits", "states"),
    [
        ({"refuse": {"ratio": 0.3, "as": "throttled"}}, {"sent"}),
        ({"refuse": {"ratio": 0.3, "as": "temporary"}}, {"sent"}),
        ({"refuse": {"ratio": 0.3, "as": "permanent"}}, {"sent", "failed"}),
        ({"refuse": {"ratio": 0.3, "as": "invalid_target"}}, {"sent", "failed"}),
        ({"reset_after_body": 0.4}, {"sent", "unknown"}),
        ({"hang": 0.4}, {"sent", "unknown"}),
    ],
    ids=["throttled", "temporary", "permanent", "invalid-target", "reset", "hang"],
)
def test_mail_servers_behave_badly_too(
    region: Region, habits: dict[str, Any], states: set[str]
) -> None:
    with region.behaving(MAIL, **habits):
        accepted = [
            region.notify({**mail(), "delivery": delivery}).json()["messages"][0]["id"]
            for _ in range(20)
            for delivery in ("at_least_once", "at_most_once")
        ]
        found = reckon(region, accepted)
    assert set(found.states) == states


@pytest.mark.slow
def test_what_waits_in_the_open_set_survives_its_owner(tmp_path: Path) -> None:
    """Retries that are far off leave the memory; whoever owns them then takes them up again."""
    soon = {
        "GOUTONG_CORE_PARK_AFTER_MS": "100",
        "GOUTONG_RETRY_LONGEST_MS": "4000",
        "GOUTONG_BREAKER_IN_A_ROW": "100000",
        "GOUTONG_BREAKER_CALLS_MIN": "100000",
        "GOUTONG_DISPATCH_RETRY_FLOOR_PER_S": "10000",
    }
    with running(tmp_path / "data", env=soon) as region:
        region.switch("sandbox-sms-http", False)
        with region.behaving(SMSC, refuse={"ratio": 1.0, "as": "temporary"}):
            accepted = post(region, 100).accepted
            wait_for(lambda: refusals(region, 0) > 3 * len(accepted))
            os.kill(core(region)["pid"], signal.SIGKILL)
            wait_for(lambda: core(region).get("restarts") == 1)
        found = reckon(region, accepted, "delivered", "unknown")  # a call may have been cut off
        assert found.states["delivered"] >= len(accepted) // 2


def core(region: Region) -> dict[str, Any]:
    """The only core's process of now; nothing while it is away."""
    processes = region.call("GET", "/status").json()["processes"]
    return next((dict(each) for each in processes if each["role"] == "core"), {})


@pytest.mark.slow
def test_every_habit_at_once(region: Region) -> None:
    everything: dict[str, Any] = {
        "latency_ms": [5, 100],
        "refuse": {"ratio": 0.1, "as": "temporary"},
        "reset_after_body": 0.02,
        "hang": 0.01,
        "receipt": {"none": 0.1, "early": 0.2, "twice": 0.2, "delay_ms": 50, "fail": 0.05},
    }
    with region.behaving(SMSC, **everything), region.behaving(MAIL, **everything):
        accepted = list(post(region, TOGETHER).accepted)
        accepted += [m["id"] for _ in range(50) for m in region.notify(mail()).json()["messages"]]
        for kind in ("throttled", "permanent", "invalid_target"):
            ask(region.sandbox, "PUT", f"/sandbox/behaviour/{SMSC}", {"refuse": {"as": kind}})
            more = post(region, TOGETHER // 10).accepted
            accepted += more
        ask(region.sandbox, "PUT", f"/sandbox/behaviour/{SMSC}", {"down": True})
        more = post(region, TOGETHER // 10).accepted
        accepted += more
        ask(region.sandbox, "PUT", f"/sandbox/behaviour/{SMSC}", {"down": False})
        region.ended(next(iter(more)), "delivered", "sent", "failed", "unknown")
    found = reckon(region, accepted, "delivered", "sent", "failed", "unknown")
    assert found.states["unknown"] < len(accepted) / 4, found.states
    print(dict(found.states), "sent twice and marked:", len(found.twice))
