"""What can be configured for one account in Twilio's form. Data only; secrets are kept apart.

`problems` says what is wrong with settings that belong together; it is asked when the account is
written.
"""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, field

from core.contract.pointers import FieldProblem
from core.providers.http_places import HttpPlace, Line, Url, address_problem

_Sid = Annotated[str, Meta(max_length=64, pattern="^[A-Za-z0-9]*$(?!\n)")]
_Seconds = Annotated[int, Meta(ge=1, le=36_000)]


class SmsHttpSettings(HttpPlace, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account that takes messages in Twilio's form."""

    account_sid: Annotated[_Sid, Meta(min_length=1)]
    base_url: Url = "https://api.twilio.com"
    """Where the API is, without /2010-04-01."""

    api_key_sid: _Sid = ""
    """Log in with this API key and the secret `api_key_secret` instead of account and token."""

    from_: Line = field(default="", name="from")
    """The sender of a message that names none; or `messaging_service_sid`, which chooses one."""

    messaging_service_sid: _Sid = ""
    callback_url: Url = ""
    """Where status callbacks reach us from outside, as the provider calls it: the public address
    of /v1/receipts/<this account>. Empty: none are asked for, and none are taken."""

    validity_max_s: _Seconds = 36_000
    """The longest validity that the provider takes; a message that lives longer is given this."""


def problems(settings: SmsHttpSettings, secrets: Mapping[str, str | None]) -> list[FieldProblem]:
    """What is wrong beyond single fields; `secrets` are the names of those that it will have."""
    found = []
    if not settings.from_ and not settings.messaging_service_sid:
        hint = "Set `from` to a number or name, or `messaging_service_sid`."
        found.append(FieldProblem("/settings/from", "there is no sender", hint))
    if settings.from_ and settings.messaging_service_sid:
        detail = "there are two senders: `from` and `messaging_service_sid`"
        found.append(FieldProblem("/settings/from", detail, "Leave out one of them."))
    wrong = address_problem("/settings/base_url", settings.base_url, allow_http=settings.allow_http)
    if wrong is None and "?" in settings.base_url:
        hint = "Leave out what follows `?`."
        wrong = FieldProblem("/settings/base_url", "the address has a query", hint)
    found += [wrong] if wrong else []
    if settings.callback_url:
        wrong = address_problem("/settings/callback_url", settings.callback_url, allow_http=True)
        found += [wrong] if wrong else []
    for name, needed in (
        ("auth_token", not settings.api_key_sid or bool(settings.callback_url)),
        ("api_key_secret", bool(settings.api_key_sid)),
    ):
        if needed and name not in secrets:
            hint = "Give it under `secrets`."
            found.append(FieldProblem(f"/secrets/{name}", "the secret is missing", hint))
    return found
