"""What text messages over Twilio's HTTP form can do. The form has no way to recognise a repeat."""

from core.providers.port import Capabilities

CAPABILITIES = Capabilities(
    wire="sms_http",
    channel="sms",
    formats=("text",),
    text_chars_max=1_600,
    receipts=True,
    reference=True,
)
