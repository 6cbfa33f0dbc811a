"""What e-mail by SMTP can do. Bounces come as mails of their own, so there are no receipts."""

from core.providers.port import Capabilities

CAPABILITIES = Capabilities(
    wire="smtp",
    channel="email",
    formats=("text", "html", "subject"),
    text_chars_max=1_000_000,
    receipts=False,
    reference=True,
)
