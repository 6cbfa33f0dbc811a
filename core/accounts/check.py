"""Whether a provider account can be what its owner says: wire, channel, settings, secrets.

Findings carry a JSON pointer into the request and never a value of `secrets` or `settings`.
"""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from core.accounts.model import ProviderAccount
from core.contract.pointers import FieldProblem, escape, explain_mismatch
from core.contract.providers import ProviderIn
from core.providers.registry import WIRES, Checks, Wire, wire

SECRET_CHARS_MAX = 4096
# Where credentials go. Whoever changes one of these has to know the credentials: otherwise a key
# that may edit accounts could have them sent to a server of its own, and so read them.
WHERE: frozenset[str] = frozenset(
    {
        "host",
        "port",
        "url",
        "base_url",
        "tls",
        "tls_verify",
        "tls_ca_file",
        "ca_file",
        "tls_server_name",
    }
    | {"allow_plain_auth", "system_id", "username"}
)


def read_settings(found: Wire, settings: dict[str, object]) -> Struct | FieldProblem:
    """The wire's settings struct, or what is wrong with it."""
    body = msgspec.json.encode(settings)
    try:
        return msgspec.json.decode(body, type=found.Settings)
    except msgspec.ValidationError as error:
        problem = explain_mismatch(str(error), body, found.Settings)
    pointer, hint = f"/settings{problem.pointer}", problem.hint
    if problem.pointer.removeprefix("/") in found.SECRETS:
        hint = "Give it under `secrets`, where it is sealed."
    return FieldProblem(pointer, problem.detail, hint)


def check_account(given: ProviderIn, before: ProviderAccount | None) -> list[FieldProblem]:
    """All that is wrong with it; `before` is the account that it replaces."""
    if given.wire not in WIRES:
        hint = f"Use one of: {', '.join(sorted(WIRES))}."
        return [FieldProblem("/wire", "there is no such wire", hint)]
    known = wire(given.wire)
    found: list[FieldProblem] = []
    channel = known.CAPABILITIES.channel
    if given.channel != channel:
        detail = f"the wire {given.wire} serves the channel {channel}"
        found.append(FieldProblem("/channel", detail, f"Use `{channel}`."))
    settings = read_settings(known, given.settings)
    if isinstance(settings, FieldProblem):
        found.append(settings)
    elif isinstance(known, Checks):
        sealed: Mapping[str, str | None] = dict.fromkeys(before.secrets) if before else {}
        found += known.problems(settings, sealed if given.secrets is None else given.secrets)
    if given.secrets is not None:
        found += _check_secrets(given.secrets, known.SECRETS)
    elif before and before.secrets and _goes_elsewhere(given, before):
        hint = f"Give `secrets` with: {', '.join(sorted(before.secrets))}."
        detail = "the account now logs in elsewhere, so its credentials have to be given again"
        found.append(FieldProblem("/secrets", detail, hint))
    return found


def _check_secrets(secrets: dict[str, str], names: Iterable[str]) -> list[FieldProblem]:
    known = sorted(names)
    found = []
    for name, value in secrets.items():
        pointer = f"/secrets/{escape(name)}"
        if name not in known:
            hint = f"The wire has: {', '.join(known) or 'none'}."
            found.append(FieldProblem(pointer, "unknown secret", hint))
        elif not value or len(value) > SECRET_CHARS_MAX:
            detail = f"a secret has 1 to {SECRET_CHARS_MAX} characters"
            found.append(FieldProblem(pointer, detail, "Correct it, or leave it out."))
    return found


def _goes_elsewhere(given: ProviderIn, before: ProviderAccount) -> bool:
    return given.wire != before.wire or any(
        given.settings.get(name) != before.settings.get(name) for name in WHERE
    )
