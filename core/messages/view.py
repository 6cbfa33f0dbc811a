"""A message as the API shows it, joined from its records. Pure.

`final` is derived here: an end is final, and so is `sent` where no receipt can come or none came
within the channel's window (PROTOCOL.md 8).
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, cast

from msgspec import Struct

from core.contract.requests import ChannelName, Durability, MessageClass
from core.contract.resources import AttemptOut, EventOut, MessageOut, NextOut
from core.contract.times import rfc3339
from core.engine.chain import later_ids
from core.engine.payload import Payload, decode_payload
from sync.lattice import RANK, AttemptFacts, gather, join, possibly_twice
from sync.naming import home_of
from sync.records import End, Intent, Message, Outcome, Place, Receipt, Record, State


class Windows(Struct, frozen=True):
    """How long a receipt of a channel is waited for, in seconds; 0: none comes. `silent` says of an
    account that its provider never reports back."""

    seconds: dict[str, int]
    silent: Callable[[str], bool] = lambda _: False

    def of(self, channel: str, attempts: Iterable[AttemptFacts]) -> int:
        """The window of a message with these attempts."""
        takers = [a.intent.account for a in attempts if a.intent and a.outcome == "accepted"]
        if takers and all(map(self.silent, takers)):
            return 0
        return self.seconds.get(channel, 0)


class Facts(Struct):
    """What is known of a message, from wherever it was read. `accept` is where it was taken in."""

    message: Message
    records: list[tuple[Place, Record]]
    state: State
    reason: str
    canceling: bool
    why: str = ""
    conflicts: int = 0
    accept: Place | None = None


class LookedAfter(Struct, frozen=True):
    """Who looks after a message: its shard's owner and epoch, and who wrote which log."""

    owner: str = ""
    epoch: int = 0
    region_of_log: Callable[[str], str] = lambda _: ""


def is_final(state: State, sent_ms: int, window_s: int, now_ms: int) -> bool:
    """Whether the status is not expected to change any more."""
    if RANK[state] < RANK["unknown"]:
        return False
    return state != "sent" or window_s == 0 or now_ms >= sent_ms + window_s * 1000


NOBODY = LookedAfter()


def show(
    facts: Facts, region: str, windows: Windows, now_ms: int, by: LookedAfter = NOBODY
) -> MessageOut:
    """The message as `GET /v1/messages/{id}` answers it. `region` is the one that answers: it
    stands for the one that took it in where nobody knows that."""
    message, payload = facts.message, decode_payload(facts.message.payload)
    attempts, state, reason = gather(facts.records)
    state = join(state, facts.state)
    if state == facts.state and not reason:
        reason = facts.reason
    if RANK[state] < RANK["sending"] and (facts.records or facts.why):
        state = join(state, "queued")
    shown = [_attempt(a) for a in attempts.values() if a.intent is not None]
    sent_ms = _sent_ms(attempts, message.accepted_ms)
    window_s = windows.of(payload.channel, attempts.values())
    return MessageOut(
        id=message.id,
        notification_id=payload.notification,
        tenant=payload.tenant,
        channel=cast("ChannelName", payload.channel),
        status=state,
        reason=reason,
        final=is_final(state, sent_ms, window_s, now_ms),
        region=(by.region_of_log(facts.accept.log) if facts.accept else "") or region,
        possible_duplicate=possibly_twice([a.intent for a in attempts.values() if a.intent]),
        class_=cast("MessageClass", payload.message_class),
        delivery="at_most_once" if message.at_most_once else "at_least_once",
        durability=cast("Durability", payload.durability),
        created_at=rfc3339(message.accepted_ms),
        expires_at=rfc3339(message.expires_ms),
        events=_events(facts, payload, by.region_of_log),
        attempts=shown,
        send_at=rfc3339(message.not_before_ms) if message.not_before_ms else None,
        until=message.until or None,
        follows=payload.parent or None,
        next=_next(message, payload),
        resend_of=payload.resend_of or None,
        engagement=_engagement(facts),
        home=home_of(message.id),
        owner=by.owner,
        epoch=by.epoch,
    )


def _next(message: Message, payload: Payload) -> list[NextOut]:
    ids = later_ids(message.id, payload)
    return [
        NextOut(each, cast("ChannelName", step.channel))
        for each, step in zip(ids, payload.steps, strict=True)
    ]


def _engagement(facts: Facts) -> list[str]:
    said = {record.status for _, record in facts.records if isinstance(record, Receipt)}
    return sorted(said & {"seen", "complained"})


def _sent_ms(attempts: dict[str, AttemptFacts], otherwise_ms: int) -> int:
    answered = [a.answer.at_ms for a in attempts.values() if a.answer and a.outcome == "accepted"]
    return max(answered, default=otherwise_ms)


def _attempt(facts: AttemptFacts) -> AttemptOut:
    intent = facts.intent
    assert intent is not None
    answer = facts.answer
    return AttemptOut(
        attempt=facts.name,
        account=intent.account,
        epoch=intent.epoch,
        at=rfc3339(intent.at_ms),
        outcome=facts.outcome or "under_way",
        code=answer.code if answer else "",
        detail=answer.detail if answer else "",
        provider_id=answer.provider_id if answer else "",
        resend=intent.resend,
        explanation=_explanation(intent.note),
    )


def _explanation(note: bytes) -> Any:
    try:
        return json.loads(note) if note else None
    except ValueError:
        return None


def _events(facts: Facts, payload: Payload, region_of_log: Callable[[str], str]) -> list[EventOut]:
    """What happened, in the order of its time, and where it was written down."""
    message = facts.message
    template = f"template {payload.template} version {payload.template_version}"
    taken_in = region_of_log(facts.accept.log) if facts.accept else ""
    said = template if payload.template else ""
    found = [(message.accepted_ms, 0, "accepted", said, taken_in)]
    for place, record in facts.records:
        region = region_of_log(place.log)
        if isinstance(record, Intent):
            what = "sending again" if record.resend else "sending"
            found.append((record.at_ms, 1, what, f"through {record.account}", region))
        elif isinstance(record, Outcome):
            found.append((record.at_ms, 2, f"provider: {record.kind}", _said(record), region))
        elif isinstance(record, Receipt):
            found.append((record.at_ms, 3, f"receipt: {record.status}", _said(record), region))
        elif isinstance(record, End):
            found.append((record.at_ms, 4, record.state, record.detail, region))
    found.sort(key=lambda event: (event[0], event[1]))
    events = [EventOut(rfc3339(at), what, said, where) for at, _, what, said, where in found]
    now = events[-1].at
    if facts.canceling and RANK[facts.state] < RANK["unknown"]:
        events.append(EventOut(now, "cancel requested"))
    if facts.why and RANK[facts.state] < RANK["sending"]:
        events.append(EventOut(now, "waiting", facts.why))
    if facts.conflicts:
        said = f"{facts.conflicts} with another body, not sent"
        events.append(EventOut(now, "idempotency_conflict", said))
    return events


def _said(record: Outcome | Receipt) -> str:
    """The provider's own words."""
    return " ".join(part for part in (record.code, record.detail) if part)
