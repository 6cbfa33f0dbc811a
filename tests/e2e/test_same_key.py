"""The same request again, many recipients at once, and taking a message back."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.support.problems import refused
from tests.support.region import Region, Told


def body(to: str, text: str, **fields: Any) -> dict[str, Any]:
    return {"to": {"phone": to}, "content": {"text": text}, **fields}


def ids(told: Told) -> list[str]:
    return [message["id"] for message in told.json()["messages"]]


def test_the_same_request_again_has_the_same_answer_and_one_send(region: Region) -> None:
    asked = body("+447700900300", "once")
    first = region.notify(asked, idempotency_key="again-1")
    assert first.status == 202
    again = [region.notify(asked, idempotency_key="again-1") for _ in range(3)]
    assert [each.status for each in again] == [202] * 3
    assert {each.body for each in again} == {first.body}
    assert [each.headers.get("idempotent-replayed") for each in again] == ["true"] * 3
    assert "idempotent-replayed" not in first.headers
    # The same request written in another way is the same request.
    other = b'{"content":{"text":"once"},   "to":{"phone":"+44 7700 900300"}}'
    region.ended(ids(first)[0], "delivered")
    assert region.notify(other, idempotency_key="again-1").status in (202, 422)
    assert len(region.sent(ids(first)[0])) == 1


def test_the_key_with_another_body_or_recipient_is_refused(region: Region) -> None:
    first = region.notify(body("+447700900301", "first"), idempotency_key="other-1")
    assert first.status == 202
    for changed in (
        body("+447700900301", "second"),
        body("+447700900302", "first"),
        body("+447700900301", "first", **{"class": "otp"}),
        {"to": [{"phone": "+447700900301"}] * 2, "content": {"text": "first"}},
    ):
        told = region.notify(changed, idempotency_key="other-1")
        refused(told, 422, "idempotency_conflict")
    region.ended(ids(first)[0], "delivered")
    to = [e["to"] for e in region.history() if e["to"].endswith("7700900302")]
    assert to == []
    assert [entry["text"] for entry in region.sent(ids(first)[0])] == ["first"]


def test_a_refused_request_does_not_use_the_key_up(region: Region) -> None:
    wrong = body("+44", "mended")
    refused(region.notify(wrong, idempotency_key="mended-1"), 400, "invalid_request")
    unrendered = {"to": {"phone": "+447700900303"}, "template": "otp"}
    refused(region.notify(unrendered, idempotency_key="mended-1"), 400, "template_failed")
    assert region.notify(body("+447700900303", "m"), idempotency_key="mended-1").status == 202


def test_the_same_moment_many_times_is_one_send(region: Region) -> None:
    for round_ in range(5):
        asked = body("+447700900304", f"moment {round_}")
        key = f"moment-{round_}"
        with ThreadPoolExecutor(20) as threads:
            jobs = [threads.submit(region.notify, asked, idempotency_key=key) for _ in range(20)]
            told = [job.result() for job in jobs]
        statuses = Counter(each.status for each in told)
        assert set(statuses) <= {202, 409}, statuses
        accepted = {each.body for each in told if each.status == 202}
        assert len(accepted) == 1
        for each in told:
            if each.status == 409:
                refused(each, 409, "idempotency_running")
        (answer,) = [each for each in told if each.status == 202][:1]
        region.ended(ids(answer)[0], "delivered")
        assert len(region.sent(ids(answer)[0])) == 1
        last = region.notify(asked, idempotency_key=key)
        assert (last.status, last.body) == (202, answer.body)


def test_different_requests_under_one_key_at_the_same_moment_are_one_send(region: Region) -> None:
    bodies = [body("+447700900305", f"variant {number}") for number in range(10)]
    with ThreadPoolExecutor(10) as threads:
        jobs = [threads.submit(region.notify, b, idempotency_key="variants") for b in bodies]
        told = [job.result() for job in jobs]
    assert Counter(each.status for each in told)[202] == 1
    assert {each.status for each in told} <= {202, 409, 422}
    (answer,) = [each for each in told if each.status == 202]
    region.ended(ids(answer)[0], "delivered")
    sent = [e for e in region.history() if e["effective"] and e["text"].startswith("variant")]
    assert len(sent) == 1


def test_many_recipients_each_get_their_own(region: Region) -> None:
    to = [{"phone": f"+4477009004{number:02}"} for number in range(50)]
    to.insert(7, {"email": "ada@example.com"})
    asked = {"to": to, "content": {"subject": "All", "text": "to all"}}
    told = region.notify(asked, idempotency_key="all-1")
    assert told.status == 202
    messages = told.json()["messages"]
    assert [m["channel"] for m in messages] == ["sms"] * 7 + ["email"] + ["sms"] * 43
    assert len(set(ids(told))) == 51
    for message in messages:
        wanted = "sent" if message["channel"] == "email" else "delivered"
        region.ended(message["id"], wanted)
    reached = [entry["to"].lstrip("+") for m in messages for entry in region.sent(m["id"])]
    wanted_to = [(each.get("phone") or each["email"]).lstrip("+") for each in to]
    assert reached == wanted_to
    again = region.notify(asked, idempotency_key="all-1")
    assert again.body == told.body


def test_the_same_recipient_twice_in_one_request_is_two_messages(region: Region) -> None:
    asked = {"to": [{"phone": "+447700900500"}] * 2, "content": {"text": "both"}}
    told = region.notify(asked)
    assert told.status == 202
    for message in ids(told):
        region.ended(message, "delivered")
        assert len(region.sent(message)) == 1


def test_a_message_that_waits_can_be_taken_back(region: Region) -> None:
    with region.behaving("sandbox-smsc", down=True):
        message = region.sms("+447700900501", "taken back")
        region.ended(message, "queued")
        told = region.call("POST", f"/v1/messages/{message}/cancel")
        assert (told.status, told.json()["status"], told.json()["final"]) == (200, "canceled", True)
    # One that was accepted later goes out; the canceled one would have gone before it.
    later = region.sms("+447700900501", "later")
    region.ended(later, "delivered", timeout_s=30)
    assert region.message(message)["status"] == "canceled"
    assert region.sent(message) == []
    again = region.call("POST", f"/v1/messages/{message}/cancel")
    assert again.json()["status"] == "canceled"


def test_taking_back_what_was_sent_says_so(region: Region) -> None:
    message = region.sms("+447700900502", "gone out")
    region.ended(message, "delivered")
    told = region.call("POST", f"/v1/messages/{message}/cancel")
    assert told.json()["status"] == "delivered"
    assert region.message(message)["status"] == "delivered"
    assert len(region.sent(message)) == 1


def test_taking_back_at_once_is_told_truthfully(region: Region) -> None:
    """Whoever is told `canceled` can rely on it; whoever is not, on the opposite."""
    told: dict[str, str] = {}
    for number in range(40):
        message = region.sms("+447700900503", f"race {number}")
        answer = region.call("POST", f"/v1/messages/{message}/cancel")
        assert answer.status in (200, 202), answer.body
        told[message] = answer.json()["status"]
    time.sleep(0.5)
    sent = Counter(str(e["ref"]).partition(".")[0] for e in region.history() if e["effective"])
    for message, status in told.items():
        now = region.message(message)["status"]
        assert sent[message] == (0 if status == "canceled" else 1), (status, now)
        assert (now == "canceled") == (status == "canceled")
