"""The secrets of an SMTP account, checked against its settings. Pure."""

from collections.abc import Mapping

from core.contract.pointers import FieldProblem
from core.providers.smtp.dkim import BadKeyError, read_key
from core.providers.smtp.settings import SmtpSettings
from core.providers.smtp.verp import KEY_CHARS_MIN

SECRETS = ("password", "dkim_key", "bounce_key")

_PEM_HINT = "Give a private key in PEM, such as `openssl genrsa 2048` writes it."
_BOUNCE_HINT = (
    f"Give a random text of {KEY_CHARS_MIN} characters at least as secret `bounce_key`, such as "
    "`openssl rand -hex 32` writes it."
)


def problems(settings: SmtpSettings, secrets: Mapping[str, str | None]) -> list[FieldProblem]:
    """What is missing or unfit; a secret that is there and sealed has the value None."""
    found: list[FieldProblem] = []
    key = secrets.get("dkim_key")
    if key:
        try:
            read_key(key)
        except BadKeyError as error:
            found.append(FieldProblem("/secrets/dkim_key", str(error), _PEM_HINT))
        if not settings.dkim_domain:
            detail = "there is a key to sign with, and no domain to sign for"
            hint = "Set dkim_domain and dkim_selector, under which the public key is published."
            found.append(FieldProblem("/settings/dkim_domain", detail, hint))
    elif settings.dkim_domain and "dkim_key" not in secrets:
        detail = "dkim_domain is set, and there is no key to sign with"
        found.append(FieldProblem("/secrets/dkim_key", detail, _PEM_HINT))
    bounce_key = secrets.get("bounce_key")
    if settings.bounce_domain and "bounce_key" not in secrets:
        detail = "bounce_domain is set, and there is no key that keeps bounces from being forged"
        found.append(FieldProblem("/secrets/bounce_key", detail, _BOUNCE_HINT))
    elif bounce_key and len(bounce_key) < KEY_CHARS_MIN:
        detail = f"a bounce key has {KEY_CHARS_MIN} characters at least"
        found.append(FieldProblem("/secrets/bounce_key", detail, _BOUNCE_HINT))
    return found
