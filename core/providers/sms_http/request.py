"""The request that sends one text message in Twilio's form. Pure."""

import base64
from urllib.parse import quote, urlencode

from core.providers.port import OutMessage
from core.providers.sms_http.settings import SmsHttpSettings

FORM = "application/x-www-form-urlencoded"
REF = "ref"  # the query's field that names the attempt in the callback's address


def messages_url(settings: SmsHttpSettings) -> str:
    """Where messages are posted to."""
    base = settings.base_url.rstrip("/")
    return f"{base}/2010-04-01/Accounts/{settings.account_sid}/Messages.json"


def authorization(name: str, password: str) -> str:
    """The value of the Authorization header."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def callback_address(callback_url: str, ref: str) -> str:
    """Where the callbacks of this attempt are to go: its name stands in the query, so that a
    callback that overtakes the answer to the call finds its message too."""
    joint = "&" if "?" in callback_url else "?"
    return f"{callback_url}{joint}{REF}={quote(ref, safe='')}"


def form(message: OutMessage, settings: SmsHttpSettings) -> bytes:
    """The body."""
    fields = {"To": message.to, "Body": message.text}
    sender = message.sender or settings.from_
    if sender:
        fields["From"] = sender
    else:
        fields["MessagingServiceSid"] = settings.messaging_service_sid
    if settings.callback_url:
        fields["StatusCallback"] = callback_address(settings.callback_url, message.ref)
    if message.valid_for_ms > 0:
        lives_s = max(1, message.valid_for_ms // 1_000)
        fields["ValidityPeriod"] = str(min(lives_s, settings.validity_max_s))
    return urlencode(fields, encoding="utf-8", errors="strict").encode("ascii")
