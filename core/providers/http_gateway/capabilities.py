"""What a gateway described by settings can do. It is not known to recognise repeats."""

from core.providers.port import Capabilities

CAPABILITIES = Capabilities(
    wire="http_gateway",
    channel="sms",
    formats=("text",),
    text_chars_max=10_000,
    receipts=True,
    reference=True,
)
