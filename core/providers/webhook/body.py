"""The body of a webhook. Pure.

A message becomes `{"type": "message", "timestamp": ..., "data": {"id", "text", ...}}`; the
timestamp is when the message was accepted. What is `raw` is the whole body already.
"""

import msgspec
from msgspec import Struct

from core.contract.times import rfc3339
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
    return _encode(Body("message", rfc3339(message.created_ms), data))
