"""What e-mail by SMTP can do. Bounces come as mails of their own, to the return path: there are
receipts only where an account's return paths name the attempt (`bounce_domain`)."""

from msgspec.structs import replace

from core.providers.port import Capabilities

CAPABILITIES = Capabilities(
    wire="smtp",
    channel="email",
    formats=("text", "html", "subject"),
    text_chars_max=1_000_000,
    receipts=False,
    reference=True,
)
WITH_BOUNCES = replace(CAPABILITIES, receipts=True)
