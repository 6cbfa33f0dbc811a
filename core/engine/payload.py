"""The content of a message as it is journaled: bytes to `sync`, everything to the core.

A message is rendered when it is accepted; its record holds the request, the template's version
and the rendered parts, so that a later owner sends exactly what was accepted.
"""

import msgspec
from msgspec import Struct


class Payload(Struct, frozen=True, array_like=True, gc=False):
    """See the module. `request` is the canonical request without its recipients."""

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


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Payload)
encode_payload = _encoder.encode


def decode_payload(body: bytes) -> Payload:
    """The content again; raises msgspec.DecodeError on a damaged record."""
    return _decoder.decode(body)
