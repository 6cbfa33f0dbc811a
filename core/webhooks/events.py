"""What is told of a message: its events, as messages to the tenant's endpoints. Pure.

An event's id follows from the message, the endpoint and the type, so that an event that is made
again, by this owner or the next, is the same one and is told once. Events are told of what was
asked to be sent, never of events.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import msgspec

from core.contract.ids import mint_derived
from core.contract.times import rfc3339
from core.contract.webhooks import EventType
from core.engine.payload import Payload, encode_payload
from core.webhooks.store import Endpoint
from sync.owner.state import Msg
from sync.records import Message, Outcome, Receipt

EVENT_KIND = "event"
CLOCKS_APART_MS = 1000  # of the processes that made the endpoint and saw the event, at most
EXPIRES_MS = 4 * 86_400_000  # past the last retry of the schedule
_SAID = frozenset(
    {"sent", "delivered", "failed", "expired", "canceled", "suppressed", "skipped", "unknown"}
)
_json = msgspec.json.Encoder().encode


def types_of(msg: Msg) -> dict[EventType, int]:
    """The types of events that the message gave rise to so far, each with its time (ms)."""
    found: dict[str, int] = {}
    last = 0
    for _, record in msg.effects:
        last = max(last, record.at_ms)
        if type(record) is Outcome and record.kind == "accepted":
            found.setdefault("message.sent", record.at_ms)
    for _, receipt in msg.receipts:
        last = max(last, receipt.at_ms)
        found.setdefault("message.sent", receipt.at_ms)
        if receipt.status in ("seen", "complained"):
            found.setdefault(f"message.{receipt.status}", receipt.at_ms)
    if msg.state in _SAID:
        found.setdefault(f"message.{msg.state}", _since(msg, last))
    return found  # type: ignore[return-value]


def events_of(
    msg: Msg, payload: Payload, endpoints: Iterable[Endpoint], home: str, now_ms: int
) -> list[Message]:
    """The events that were not made yet (`msg.told`), one for each endpoint that wants it and was
    there when it happened."""
    if payload.kind:
        return []
    made: list[Message] = []
    told = list(msg.told)
    types = types_of(msg)
    for endpoint in endpoints:
        for kind, at_ms in types.items():
            name = f"{endpoint.id}.{kind}"
            if name in told or (endpoint.events and kind not in endpoint.events):
                continue
            if at_ms + CLOCKS_APART_MS < endpoint.created_ms:
                continue
            told.append(name)
            made.append(_event(msg, payload, endpoint.id, kind, at_ms, home, now_ms))
    msg.told = tuple(told)
    return made


def event_message(
    tenant: str,
    endpoint_id: str,
    event_id: str,
    shard: int,
    body: bytes,
    trace: str,
    now_ms: int,
) -> Message:
    """A message that carries `body` to an endpoint. Its `notification` is the event's id, which
    stays when the message is sent again as a new one."""
    payload = Payload(
        tenant,
        event_id,
        "webhook",
        endpoint_id,
        "ZZ",
        "transactional",
        "local",
        trace,
        body.decode(),
        kind=EVENT_KIND,
    )
    digest = blake2b(body, digest_size=16).digest()
    return Message(
        event_id,
        shard,
        digest,
        now_ms * 1000,
        False,
        False,
        now_ms + EXPIRES_MS,
        now_ms,
        encode_payload(payload),
    )


def _event(
    msg: Msg,
    payload: Payload,
    endpoint_id: str,
    kind: EventType,
    at_ms: int,
    home: str,
    now_ms: int,
) -> Message:
    data: dict[str, Any] = {
        "id": msg.id,
        "notification_id": payload.notification,
        "channel": payload.channel,
        "class": payload.message_class,
        "status": kind.partition(".")[2],
        "reason": _reason(msg, kind),
        "possible_duplicate": msg.possible_duplicate,
    }
    before = {"parent": payload.parent, "resend_of": payload.resend_of}
    data |= {name: value for name, value in before.items() if value}
    body = _json({"type": kind, "timestamp": rfc3339(at_ms), "data": data})
    event_id = mint_derived(home, msg.shard, b"event", msg.id, endpoint_id, kind)
    return event_message(
        payload.tenant, endpoint_id, event_id, msg.shard, body, payload.trace, now_ms
    )


def _since(msg: Msg, last_ms: int) -> int:
    """When the message came to its state, as its records say."""
    wanted = "delivered" if msg.state == "delivered" else "failed"
    times = [
        record.at_ms
        for _, record in msg.receipts
        if type(record) is Receipt and record.status == wanted
    ]
    if msg.state in ("delivered", "failed") and times:
        return min(times)
    return last_ms


def _reason(msg: Msg, kind: str) -> str:
    return msg.reason if kind == f"message.{msg.state}" else ""
