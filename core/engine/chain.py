"""The next message of a fallback chain, made from the one before (PROTOCOL.md 8).

Pure: the same parent gives the same id and the same body, whoever makes it and however often, so a
child that was made twice is one message. Its content was rendered when the chain was accepted.
"""

from hashlib import blake2b

import msgspec

from core.contract.ids import mint_child, parse_id
from core.engine.payload import Payload, encode_payload
from sync.records import Message


def child_of(message: Message, payload: Payload, home: str, stamp: int, now_ms: int) -> Message:
    """What follows `message`; its payload must have a step left.

    The child has the chain's expiry, and as long as its parent had until the next channel's turn.
    """
    step, *later = payload.steps
    number = payload.step + 1
    start_ms = max(message.accepted_ms, message.not_before_ms)
    turn_ms = message.escalate_at_ms - start_ms if message.escalate_at_ms else 0
    content = msgspec.structs.replace(
        payload,
        channel=step.channel,
        to=step.to,
        country=step.country,
        text=step.text,
        subject=step.subject,
        html=step.html,
        template=step.template,
        template_version=step.template_version,
        locale=step.locale,
        steps=tuple(later),
        step=number,
        parent=message.id,
    )
    return Message(
        mint_child(home, message.shard, message.id, number),
        message.shard,
        blake2b(message.body_hash + b"%d" % number, digest_size=16).digest(),
        stamp,
        message.urgent,
        message.at_most_once,
        message.expires_ms,
        now_ms,
        encode_payload(content),
        0,
        message.until if later else "",
        now_ms + turn_ms if later and turn_ms else 0,
    )


def later_ids(message_id: str, payload: Payload) -> list[str]:
    """The ids of the messages that may follow this one, in their order: in its home and shard."""
    found: list[str] = []
    parent, named = message_id, parse_id(message_id)
    if named is None:
        return []
    for number in range(payload.step + 1, payload.step + 1 + len(payload.steps)):
        parent = mint_child(named.home, named.shard, parent, number)
        found.append(parent)
    return found
