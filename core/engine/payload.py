"""The content of a message as it is journaled: bytes to `sync`, everything to the core.

A message is rendered when it is accepted; its record holds the request, the template's version
and the rendered parts, so that a later owner sends exactly what was accepted.
"""

import msgspec
from msgspec import Struct

from sync.owner.state import Msg


class Step(Struct, frozen=True, array_like=True, gc=False):
    """A later channel of a fallback chain, rendered when its first message was accepted."""

    channel: str
    to: str
    country: str
    text: str = ""
    subject: str = ""
    html: str = ""
    template: str = ""
    template_version: int = 0
    locale: str = ""


class Payload(Struct, frozen=True, array_like=True, gc=False):
    """See the module. `request` is the request's data, where a template was rendered with any.

    `steps` are what follows when this message does not come as far as was asked; `step` counts
    them from 0 for the first message, `parent` is the message that this one follows. `resend_of`
    is the message of which this one is a new sending. `kind` is "event" for what is told to a
    tenant's own webhook endpoint (`to` is then the endpoint's id), else "".
    """

    tenant: str
    notification: str
    channel: str
    to: str
    country: str
    message_class: str
    durability: str
    trace: str
    text: str = ""
    subject: str = ""
    html: str = ""
    template: str = ""
    template_version: int = 0
    locale: str = ""
    key: str = ""
    request: bytes = b""
    steps: tuple[Step, ...] = ()
    step: int = 0
    parent: str = ""
    resend_of: str = ""
    kind: str = ""


NO_COUNTRY = "ZZ"


def placing_country(payload: Payload) -> str:
    """The country by which the home was chosen: that of the first number in the message's chain.

    A chain that begins with an e-mail and goes on to a number has the home of that number.
    """
    if payload.country != NO_COUNTRY or not payload.steps:
        return payload.country
    known = (step.country for step in payload.steps if step.country != NO_COUNTRY)
    return next(known, NO_COUNTRY)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Payload)
encode_payload = _encoder.encode


def decode_payload(body: bytes) -> Payload:
    """The content again; raises msgspec.DecodeError on a damaged record."""
    return _decoder.decode(body)


def content_of(msg: Msg) -> Payload:
    """The content of a message in memory, decoded once. It must have its content at hand."""
    message, known = msg.message, msg.content
    assert message is not None
    if known is None or known[0] is not message:
        known = msg.content = (message, decode_payload(message.payload))
    payload: Payload = known[1]
    return payload


def viewed_as(msg: Msg) -> str:
    """The status with which the message stands in the views; "" if this owner wrote none."""
    known = msg.content
    fits = known is not None and len(known) > 2 and known[0] is msg.message
    return known[2] if fits else ""


def mark_viewed(msg: Msg, payload: Payload, status: str) -> None:
    """Keep the status with the content: where another copy's counts, views are written again."""
    msg.content = (msg.message, payload, status)
