"""A message as the API shows it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.engine.payload import Payload, encode_payload
from core.messages.view import Facts, LookedAfter, Windows, is_final, rfc3339, show
from sync.naming import attempt_name, effect_log
from sync.records import End, Intent, Message, Outcome, Place, Receipt, Record

ID = "local-u00102s00abc0123456789abcdef"
NOW = 1_800_000_000_000
LOG = effect_log("local", "normal", "local0", 0)
ATTEMPT = attempt_name(LOG, 1, 0)
WINDOWS = Windows({"sms": 3600, "email": 0})
ACCEPT = Place("accept.local.normal_local.local0.0", 1, 0)


def message(channel: str = "sms") -> Message:
    payload = Payload("t", "ntf_1", channel, "+447700900123", "GB", "otp", "local", "trace", "text")
    return Message(ID, 1, b"h", 1, True, False, NOW + 300_000, NOW, encode_payload(payload))


INTENT = Intent(ID, 1, 7, ACCEPT, b"h", "smsc", "", 0, NOW, False, NOW, 0, NOW + 10, (), b'{"a":1}')
ACCEPTED = Outcome(ID, 1, ATTEMPT, "accepted", "p1", "0", "", NOW + 20)
DELIVERED = Receipt(ID, 1, ATTEMPT, "smsc", "p1", "delivered", "DELIVRD", "", NOW + 30)


def facts(*records: Record, channel: str = "sms") -> Facts:
    placed = [(Place(LOG, 1 + i, 0), record) for i, record in enumerate(records)]
    return Facts(message(channel), placed, "accepted", "", False)


def test_the_whole_story_of_a_delivered_message() -> None:
    shown = show(facts(INTENT, ACCEPTED, DELIVERED), "local", WINDOWS, NOW + 40)
    assert (shown.status, shown.final, shown.possible_duplicate) == ("delivered", True, False)
    (attempt,) = shown.attempts
    assert (attempt.account, attempt.epoch, attempt.outcome) == ("smsc", 7, "accepted")
    assert attempt.explanation == {"a": 1}
    assert [event.type for event in shown.events] == [
        "accepted",
        "sending",
        "provider: accepted",
        "receipt: delivered",
    ]


@pytest.mark.parametrize(
    ("channel", "later_ms", "final"),
    [("sms", 0, False), ("sms", 3_600_000, True), ("email", 0, True)],
)
def test_sent_is_final_where_no_receipt_can_come_any_more(
    channel: str, later_ms: int, final: bool
) -> None:
    shown = show(facts(INTENT, ACCEPTED, channel=channel), "local", WINDOWS, NOW + 20 + later_ms)
    assert (shown.status, shown.final) == ("sent", final)


def test_nothing_is_waited_for_where_the_account_never_reports() -> None:
    sent = facts(INTENT, ACCEPTED, channel="email")
    for silent, final in ((lambda _: False, False), (lambda account: account == "smsc", True)):
        shown = show(sent, "local", Windows({"email": 3600}, silent), NOW + 40)
        assert (shown.status, shown.final) == ("sent", final)


def test_a_second_send_is_marked() -> None:
    again = Intent(ID, 1, 8, ACCEPT, b"h", "smsc", "", 0, NOW, False, NOW, 1, NOW + 15, (ATTEMPT,))
    unknown = Outcome(ID, 1, ATTEMPT, "unknown", "", "", "link lost", NOW + 12)
    shown = show(facts(INTENT, unknown, again), "local", WINDOWS, NOW)
    assert shown.possible_duplicate
    assert shown.status == "sending"


def test_an_end_keeps_its_reason() -> None:
    end = End(ID, 1, 7, ACCEPT, b"h", "expired", "expired", "its time was over", NOW + 50)
    shown = show(facts(end), "local", WINDOWS, NOW + 60)
    assert (shown.status, shown.reason, shown.final) == ("expired", "expired", True)
    assert shown.events[-1].detail == "its time was over"


@given(st.permutations([INTENT, ACCEPTED, DELIVERED]))
def test_the_order_of_records_does_not_matter(order: list[Record]) -> None:
    places = {id(INTENT): 1, id(ACCEPTED): 2, id(DELIVERED): 3}
    placed = [(Place(LOG, places[id(r)], 0), r) for r in order]
    shown = show(Facts(message(), placed, "accepted", "", False), "local", WINDOWS, NOW)
    assert shown.status == "delivered"


def test_a_status_that_is_under_way_is_never_final() -> None:
    assert not is_final("sending", 0, 0, NOW)
    assert is_final("unknown", 0, 3600, 0)


def test_times_are_rfc_3339() -> None:
    assert rfc3339(NOW + 7) == "2027-01-15T08:00:00.007Z"


def test_each_event_has_the_region_where_it_was_written_down() -> None:
    """Taken in in one region, sent from a second, reported to a third."""
    regions = {"accept.local.normal_local.us0.0": "us", LOG: "local", "receipts": "ap"}
    found = facts(INTENT, ACCEPTED, DELIVERED)
    found.records[-1] = (Place("receipts", 1, 0), DELIVERED)
    found.accept = Place("accept.local.normal_local.us0.0", 4, 0)
    by = LookedAfter("local0", 7, lambda log: regions[log])
    shown = show(found, "eu", WINDOWS, NOW + 40, by)
    assert [event.region for event in shown.events] == ["us", "local", "local", "ap"]
    assert (shown.region, shown.home, shown.owner, shown.epoch) == ("us", "local", "local0", 7)
    nobody_knows = show(facts(INTENT), "eu", WINDOWS, NOW)
    assert (nobody_knows.region, nobody_knows.owner) == ("eu", "")
