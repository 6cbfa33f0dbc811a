"""The body of a webhook. Pure.

A message becomes `{"type": "message", "timestamp": ..., "data": {"id", "text", ...}}`; the
timestamp is when the message was accepted. What is `raw` is the whole body already.
"""

from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from core.providers.port import OutMessage

_encode = msgspec.json.Encoder().encode


class Data(Struct, frozen=True, gc=False, omit_defaults=True):
    """What the message says."""

    id: str
    text: str
    subject: str = ""
    html: str = ""


class Body(Struct, frozen=True, gc=False):
    """What an endpoint gets."""

    type: str
    timestamp: str
    data: Data


def body_of(message: OutMessage, message_id: str) -> bytes:
    """The body as it is signed and sent."""
    if message.raw:
        return message.text.encode()
    data = Data(message_id, message.text, message.subject, message.html)
    return _encode(Body("message", _rfc3339(message.created_ms), data))


def _rfc3339(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms / 1_000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
