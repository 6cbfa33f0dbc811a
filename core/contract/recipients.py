"""Who gets a request, by which channels, at which normalised addresses.

`recipients_of` is asked by the edge (to find shards and mint ids) and by the core (which trusts
nobody), so both see the same addresses in the same order. Of many recipients the wrong ones are
set apart, each with its reason, and the others stand. It raises ProblemError (400) where the
request as a whole is wrong, or every recipient of it. All pure.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from urllib.parse import quote, urlsplit, urlunsplit

import idna
from msgspec import Struct

from core.contract.pointers import FieldProblem
from core.contract.problems import ProblemError, invalid
from core.contract.requests import ChannelName, NotificationRequest, Target
from core.contract.rules import Rules, content_errors, request_faults

CHANNELS: tuple[ChannelName, ...] = ("sms", "email", "webhook")
FIELDS: dict[ChannelName, str] = {"sms": "phone", "email": "email", "webhook": "url"}
ERRORS_SHOWN_MAX = 100
EMAIL_CHARS_MAX = 254
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_PHONE_FILLING = str.maketrans("", "", " -\u00a0\u2010\u2011")
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_URL_SAFE = "%/:?#[]@!$&'()*+,;=-._~"
_URLS_KEPT = 4_096  # a tenant's webhooks go to the same few places again and again


class Destination(Struct, frozen=True, gc=False):
    """One channel of a recipient, and its normalised address there."""

    channel: ChannelName
    address: str


class Recipient(Struct, frozen=True, gc=False):
    """One message to be: `index` is its place in `to`, `later` what follows in a chain."""

    index: int
    channel: ChannelName
    address: str
    later: tuple[Destination, ...] = ()


class Rejected(Struct, frozen=True, array_like=True, gc=False):
    """A recipient that is wrong, and why."""

    index: int
    errors: list[FieldProblem]


class Recipients(Struct, frozen=True, gc=False):
    """A request's recipients, both lists in the order of `to`. `send_at_ms` is 0 for now."""

    good: list[Recipient]
    wrong: list[Rejected]
    send_at_ms: int


class AddressError(ValueError):
    """An address that is none; says why and what to do."""

    def __init__(self, detail: str, hint: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint


def normal_phone(text: str) -> str:
    """The number in E.164 form, or AddressError."""
    if _PHONE.fullmatch(text) is not None:
        return text
    number = text.translate(_PHONE_FILLING)
    if _PHONE.fullmatch(number) is None:
        raise AddressError(
            "this is no phone number in E.164 form",
            "Write it with the plus sign and the country code, digits only: +447700900123.",
        )
    return number


def normal_email(text: str) -> str:
    """The address with its domain in lower case and in ASCII, or AddressError."""
    local, at, domain = text.strip(" ").rpartition("@")
    if not at or not local or not domain:
        raise AddressError("this is no e-mail address", "Write it as name@example.com.")
    if _LOCAL.fullmatch(local) is None or len(local) > 64:
        raise AddressError(
            "the part before the @ is not valid",
            "Use up to 64 letters, digits and . _ + - there; no spaces, no quotes.",
        )
    domain = domain.lower()
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except (idna.IDNAError, UnicodeError):
            domain = ""
    if _DOMAIN.fullmatch(domain) is None or len(local) + 1 + len(domain) > EMAIL_CHARS_MAX:
        raise AddressError("the domain is not valid", "Write a domain such as example.com.")
    return f"{local}@{domain}"


@lru_cache(_URLS_KEPT)
def normal_url(text: str) -> str:
    """The URL with its scheme and host in lower case and in ASCII, or AddressError.

    Whether its host may be called is found out when it is called, for names change.
    """
    try:
        url = urlsplit(text.strip(" "))
        host, port = url.hostname or "", url.port
        if not host.isascii():
            host = idna.encode(host, uts46=True).decode()
    except (ValueError, UnicodeError):
        raise AddressError("this is no URL", "Write it as https://example.com/path.") from None
    if url.scheme not in ("http", "https") or not host:
        raise AddressError("this is no URL of http or https", "Write https://example.com/path.")
    if url.username is not None or url.password is not None or url.fragment:
        raise AddressError("a user or a fragment in the URL", "Leave them out.")
    if not text.isprintable() or " " in url.path + url.query:
        raise AddressError("a space or control character in the URL", "Percent-encode it.")
    place = f"[{host}]" if ":" in host else host
    place += f":{port}" if port is not None else ""
    path = quote(url.path, safe=_URL_SAFE) or "/"
    return urlunsplit((url.scheme, place, path, quote(url.query, safe=_URL_SAFE), ""))


def normal_address(channel: ChannelName, text: str) -> str:
    """The address in the form of its channel, or AddressError."""
    return _NORMAL[channel](text)


_NORMAL: Mapping[str, Callable[[str], str]] = {
    "sms": normal_phone,
    "email": normal_email,
    "webhook": normal_url,
}


def recipients_of(request: NotificationRequest, rules: Rules, now_ms: int) -> Recipients:
    """Who gets the request, and who cannot; ProblemError where nobody can."""
    errors, send_at_ms = request_faults(request, rules, now_ms)
    good: list[Recipient] = []
    wrong: list[Rejected] = []
    to = request.to
    targets = [to] if isinstance(to, Target) else to
    if not targets:
        errors.append(FieldProblem("/to", "no recipients", "Name at least one recipient."))
    elif len(targets) > rules.recipients_max:
        hint = f"Send at most {rules.recipients_max} recipients in one request."
        errors.append(FieldProblem("/to", f"{len(targets)} recipients", hint))
        raise invalid(errors)
    for index, target in enumerate(targets):
        answer = _recipient(request, index, target)
        if type(answer) is Recipient:
            good.append(answer)
        else:
            wrong.append(Rejected(index, [answer]))  # type: ignore[list-item]  # not a Recipient
    if not errors and request.content is not None:
        for channel in channels_of(good):
            errors += content_errors(request.content, channel)
    if errors or not good:
        raise nobody(wrong, errors)
    return Recipients(good, wrong, send_at_ms)


def nobody(wrong: list[Rejected], errors: list[FieldProblem] | None = None) -> ProblemError:
    """The refusal of a whole request: its own errors, then those of its recipients."""
    told = list(errors or [])
    for one in wrong:
        told += one.errors
        if len(told) >= ERRORS_SHOWN_MAX:
            break
    return invalid(told)


def _first(given: Mapping[ChannelName, str | None]) -> ChannelName | None:
    """The first channel for which there is an address."""
    for name in CHANNELS:
        if given[name] is not None:
            return name
    return None


def channels_of(recipients: list[Recipient]) -> list[ChannelName]:
    """Every channel that one of them may be reached by, each once."""
    if len(recipients) == 1 and not recipients[0].later:
        return [recipients[0].channel]
    found = {one.channel: None for one in recipients}
    for one in recipients:
        for later in one.later:
            found[later.channel] = None
    return list(found)


def _recipient(
    request: NotificationRequest, index: int, target: Target
) -> Recipient | FieldProblem:
    given: dict[ChannelName, str | None]
    given = {"sms": target.phone, "email": target.email, "webhook": target.url}
    wanted = request.channel
    if isinstance(wanted, list):
        return _chain(request, index, given, wanted)
    channel = wanted or _first(given)
    if channel is None:
        pointer = _pointer(request, index)
        hint = "Give `phone`, `email` or `url`."
        return FieldProblem(pointer, "a recipient without address", hint)
    field, address = FIELDS[channel], given[channel]
    if address is None:
        pointer = f"{_pointer(request, index)}/{field}"
        hint = f"Add `{field}`, or choose another channel."
        return FieldProblem(pointer, f"channel {channel} needs `{field}`", hint)
    try:
        normal = _NORMAL[channel](address)
    except AddressError as error:
        return FieldProblem(f"{_pointer(request, index)}/{field}", error.detail, error.hint)
    return Recipient(index, channel, normal)


def _chain(
    request: NotificationRequest,
    index: int,
    given: dict[ChannelName, str | None],
    channels: list[ChannelName],
) -> Recipient | FieldProblem:
    """The channels of the list for which there is an address; one that is wrong is an error."""
    found: list[Destination] = []
    for channel in channels:
        address = given[channel]
        if address is None:
            continue
        try:
            found.append(Destination(channel, _NORMAL[channel](address)))
        except AddressError as error:
            pointer = f"{_pointer(request, index)}/{FIELDS[channel]}"
            return FieldProblem(pointer, error.detail, error.hint)
    if not found:
        fields = " or ".join(f"`{FIELDS[channel]}`" for channel in channels)
        detail = "no address for any channel of the list"
        return FieldProblem(_pointer(request, index), detail, f"Give {fields}.")
    first, *later = found
    return Recipient(index, first.channel, first.address, tuple(later))


def pointer_to(request: NotificationRequest, index: int, channel: ChannelName) -> str:
    """Where a recipient's address of this channel stands in the request."""
    return f"{_pointer(request, index)}/{FIELDS[channel]}"


def _pointer(request: NotificationRequest, index: int) -> str:
    return "/to" if isinstance(request.to, Target) else f"/to/{index}"
