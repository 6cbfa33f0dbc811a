"""How Twilio's form is spoken; see `core.providers.http_account.Talk`."""

from collections.abc import Mapping

from core.providers.http import HttpRequest, field_lines, target_of
from core.providers.port import Callback, CallbackAnswer, Outcome, OutMessage
from core.providers.sms_http.callback import read
from core.providers.sms_http.capabilities import CAPABILITIES
from core.providers.sms_http.classify import outcome
from core.providers.sms_http.request import FORM, authorization, form, messages_url
from core.providers.sms_http.settings import SmsHttpSettings


class TwilioTalk:
    """One account's way of speaking."""

    def __init__(self, settings: SmsHttpSettings, secrets: Mapping[str, str]) -> None:
        self._settings = settings
        self._secrets = secrets
        self._target = target_of(messages_url(settings))
        name = settings.api_key_sid or settings.account_sid
        password = secrets.get("api_key_secret" if settings.api_key_sid else "auth_token", "")
        headers = {"Content-Type": FORM, "Accept": "application/json"}
        self._fields = field_lines(headers | {"Authorization": authorization(name, password)})

    def request(self, message: OutMessage) -> HttpRequest | Outcome:
        if len(message.text) > CAPABILITIES.text_chars_max:
            most = CAPABILITIES.text_chars_max
            return Outcome("permanent", detail=f"the text is longer than {most} characters")
        if not message.text:
            return Outcome("permanent", detail="the text is empty")
        return HttpRequest(self._target, self._fields, form(message, self._settings))

    def outcome(self, ref: str, status: int, body: bytes, throttle_wait_ms: int) -> Outcome:  # noqa: ARG002 - answers have ids of their own
        return outcome(status, body, throttle_wait_ms)

    def callback(self, callback: Callback, wall_ms: int) -> CallbackAnswer:  # noqa: ARG002 - no time in it
        return read(callback, self._settings.callback_url, self._secrets)
