"""What an owner writes into the views, and what of it is true later."""

import msgspec

from core.engine.payload import Payload, encode_payload
from core.views.segments import (
    HOUR_MS,
    Row,
    bucket_of,
    list_part,
    recipient_hash,
    recipient_part,
)
from core.views.truth import Truth
from core.views.writer import OPENED_AT_ONCE_MAX, Views
from sync.owner.owner import Owner
from sync.owner.state import Limits, Msg, Phase
from sync.records import ById, Message, Place, State, encode
from sync.store.memory_journal import MemoryJournal
from sync.store.port import ByIdRow, PutById, ViewRow, ignore

NOW = 1_800_000_000_000
PLACE = Place("accept.local.normal_local.c1.0", 1, 0)


def msg(
    number: int,
    state: State = "accepted",
    *,
    to: str = "+447700900123",
    channel: str = "sms",
    kind: str = "",
    tenant: str = "acme",
    age_ms: int = 5000,
) -> Msg:
    made = Msg(f"local-k001{number:026}", 1)
    payload = Payload(tenant, "ntf_1", channel, to, "GB", "otp", "local", "t", "Hi", kind=kind)
    accepted_ms = NOW - age_ms
    made.message = Message(
        made.id, 1, b"h", 1, True, False, NOW, accepted_ms, encode_payload(payload)
    )
    if state != "accepted":
        made.phase, made.state = Phase.ENDED, state
    return made


def writer() -> Views:
    return Views("c1", lambda: NOW, 1000)


def rows_of(segment: ViewRow) -> list[Row]:
    return msgspec.msgpack.decode(segment.body, type=list[Row])


def lists(segments: list[ViewRow]) -> dict[str, list[str]]:
    return {s.kind: [r.id for r in rows_of(s)] for s in segments if s.kind}


def test_one_segment_for_each_partition_and_kind() -> None:
    sent, also, mail = msg(1, "sent"), msg(2, "sent", to="+447700900124"), msg(3, channel="email")
    event = msg(4, "delivered", channel="webhook", kind="event", to="endpoint-1")
    other = msg(5, "failed", tenant="other")
    other.reason = "permanent"
    segments = writer().gather([sent, also, mail, event, other])
    assert lists(segments) == {
        "sms/sent": [sent.id, also.id],
        "email/open": [mail.id],
        "event/delivered": [event.id],
        "sms/failed": [other.id],
    }
    assert len({segment.seq for segment in segments}) == len(segments)
    assert {(s.at_ms, s.writer) for s in segments} == {(NOW, "c1")}
    parts = {segment.kind: segment.part for segment in segments if segment.kind}
    assert parts["sms/sent"] == list_part("acme", NOW // HOUR_MS)
    assert parts["sms/failed"] == list_part("other", NOW // HOUR_MS)
    hashed = recipient_hash("acme", "endpoint-1")
    part = recipient_part("acme", bucket_of(hashed), NOW // (24 * HOUR_MS))
    (found,) = [r for s in segments if s.part == part for r in rows_of(s) if r.id == event.id]
    assert found == Row(event.id, "event", "delivered", "", "otp", NOW - 5000, hashed)
    by_recipient = [r.id for s in segments if not s.kind for r in rows_of(s)]
    assert sorted(by_recipient) == sorted(m.id for m in (sent, also, mail, event, other))


def test_addresses_stand_in_no_segment() -> None:
    for segment in writer().gather([msg(1, "sent")]):
        assert b"7700900123" not in segment.body
        assert "7700900123" not in segment.part


def test_a_status_is_told_once_and_again_when_it_changed() -> None:
    views, one = writer(), msg(1, "sent")
    assert lists(views.gather([one])) == {"sms/sent": [one.id]}
    assert views.gather([one]) == []
    one.state = "delivered"
    segments = views.gather([one])
    assert lists(segments) == {"sms/delivered": [one.id]}
    assert views.gather([one]) == []


def test_messages_without_content_are_passed_over() -> None:
    assert writer().gather([Msg("local-k001x", 1)]) == []


def test_open_ones_are_told_once_when_they_are_old_enough() -> None:
    views = writer()
    young, old, ended = msg(1, age_ms=900), msg(2), msg(3)
    parked = msg(4)
    parked.bucket = 7
    assert lists(views.opened([young, old, parked])) == {"sms/open": [old.id]}
    assert views.opened([young, old, parked]) == []
    assert views.gather([old, parked]) == []
    assert lists(views.gather([ended])) == {"sms/open": [ended.id]}
    many = [msg(n) for n in range(OPENED_AT_ONCE_MAX + 10)]
    assert len(lists(views.opened(many))["sms/open"]) == OPENED_AT_ONCE_MAX
    assert len(lists(views.opened(many))["sms/open"]) == 10


def test_an_open_message_says_how_far_it_is() -> None:
    waiting = msg(1)
    waiting.why = "no account is up"
    (segment, _) = writer().gather([waiting])
    assert [(segment.kind, row.status) for row in rows_of(segment)] == [("sms/open", "queued")]


async def test_what_is_true_of_rows() -> None:
    owner, store, left = Owner("local", "c1", Limits()), MemoryJournal("local", 1), [1.0]
    truth, views = Truth(owner.find, store, lambda: left[0]), writer()

    def row(of: Msg, status: str) -> Row:
        return Row(of.id, "sms", status, "", "otp", NOW, b"h")

    async def state(of: Msg, status: str) -> str | None:
        (found,) = await truth.of([row(of, status)])
        return found.status if found else None

    one = msg(1, "sent")
    owner.recent[one.id] = one
    assert await state(one, "accepted") == "sent"  # the views are about to have it
    views.gather([one])
    assert await state(one, "accepted") is None  # a later row stands
    assert await state(one, "sent") == "sent"
    one.state = "delivered"
    assert await state(one, "sent") == "delivered"
    left[0] = 0.0  # without the lease only the store speaks
    assert await state(one, "sent") == "sent"

    def by_id(of: Msg, known: State, ended: bool) -> None:
        body = encode(ById(b"h", known, ended, PLACE))
        store.submit(PutById([ByIdRow("p", of.id, 1, body, 1)]), ignore)
        store._flush()

    two, three = msg(2), msg(3)
    assert await state(two, "sent") == "sent"
    by_id(two, "accepted", False)
    assert await state(two, "sent") == "sent"
    by_id(three, "failed", True)
    assert await state(three, "queued") is None
    assert await state(three, "failed") == "failed"
    assert await state(three, "delivered") == "delivered"


def test_what_has_its_end_and_waits_for_what_follows_is_left_to_its_by_id_row() -> None:
    """Written beside it, a view might be lost where the by-id row stands."""
    views, skipped = writer(), msg(1, "skipped")
    skipped.phase = Phase.FOLLOWING
    assert views.opened([skipped]) == []
    assert lists(views.gather([skipped])) == {"sms/skipped": [skipped.id]}
