"""How a described gateway is spoken to; see `core.providers.http_account.Talk`."""

from collections.abc import Mapping

import msgspec

from core.providers.http import BadUrlError, HttpRequest, Target, field_lines, target_of
from core.providers.http_gateway.callback import read
from core.providers.http_gateway.classify import Classifier
from core.providers.http_gateway.request import build
from core.providers.http_gateway.settings import HttpGatewaySettings
from core.providers.port import Callback, CallbackAnswer, Outcome, OutMessage


class GatewayTalk:
    """One account's way of speaking."""

    def __init__(self, settings: HttpGatewaySettings, secrets: Mapping[str, str]) -> None:
        self._settings = settings
        self._secrets = secrets
        self._classifier = Classifier(settings, secrets.values())

    def request(self, message: OutMessage) -> HttpRequest | Outcome:
        longest = self._settings.text_chars_max
        if len(message.text) > longest:
            return Outcome("permanent", detail=f"the text is longer than {longest} characters")
        made = build(message, self._settings, self._secrets)
        try:
            fields = field_lines(made.headers)
            target = _target(made.url)
        except (ValueError, BadUrlError):
            return Outcome("permanent", detail="the message does not fit into the request")
        return HttpRequest(target, fields, made.body, made.method.encode())

    def outcome(self, ref: str, status: int, body: bytes, throttle_wait_ms: int) -> Outcome:
        outcome = self._classifier.outcome(status, body, throttle_wait_ms)
        if outcome.kind == "accepted" and not outcome.provider_id:
            # A gateway without ids reports by our own name of the attempt.
            return msgspec.structs.replace(outcome, provider_id=ref)
        return outcome

    def callback(self, callback: Callback, wall_ms: int) -> CallbackAnswer:
        secret = self._secrets.get("callback_secret", "")
        return read(callback, self._settings.callbacks, secret, wall_ms)


def _target(url: str) -> Target:
    """Addresses with a message's text in them are made for one call and not kept."""
    made: Target = target_of.__wrapped__(url)
    return made
