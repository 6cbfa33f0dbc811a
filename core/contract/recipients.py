"""Who gets a request, by which channel, at which normalised address; and the rules that types
cannot say.

`recipients_of` is asked by the edge (to find shards and mint ids) and by the core (which trusts
nobody), so both see the same addresses in the same order. It raises ProblemError (400) that names
each wrong recipient; all pure.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from urllib.parse import quote, urlsplit, urlunsplit

import idna
from msgspec import Struct

from core.contract.pointers import FieldProblem
from core.contract.problems import invalid
from core.contract.requests import ChannelName, Content, NotificationRequest, Target

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
_LINE_BREAKS = re.compile(r"[\r\n\0]")


class Recipient(Struct, frozen=True, gc=False):
    """One message to be: `index` is its place in `to`."""

    index: int
    channel: ChannelName
    address: str


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


def recipients_of(
    request: NotificationRequest, *, recipients_max: int, horizon_s: int
) -> list[Recipient]:
    """The recipients in the order of `to`; ProblemError with all that is wrong otherwise."""
    errors = _request_errors(request, horizon_s)
    found: list[Recipient] = []
    to = request.to
    targets = [to] if isinstance(to, Target) else to
    if not targets:
        errors.append(FieldProblem("/to", "no recipients", "Name at least one recipient."))
    elif len(targets) > recipients_max:
        hint = f"Send at most {recipients_max} recipients in one request."
        errors.append(FieldProblem("/to", f"{len(targets)} recipients", hint))
        raise invalid(errors)
    for index, target in enumerate(targets):
        answer = _recipient(request, index, target)
        if isinstance(answer, Recipient):
            found.append(answer)
        else:
            errors.append(answer)
            if len(errors) >= ERRORS_SHOWN_MAX:
                break
    if not errors and request.content is not None:
        for channel in {one.channel for one in found}:
            errors += _content_errors(request.content, channel)
    if errors:
        raise invalid(errors)
    return found


def _request_errors(request: NotificationRequest, horizon_s: int) -> list[FieldProblem]:
    errors = []
    if request.template is None and request.content is None:
        hint = "Name a `template`, or give `content` with the ready text."
        errors.append(FieldProblem("", "neither template nor content", hint))
    elif request.template is not None and request.content is not None:
        hint = "Leave out one of `template` and `content`."
        errors.append(FieldProblem("/content", "both template and content", hint))
    # What is not asked for follows from the class, and the settings keep that within the horizon.
    if request.expires_in is not None and request.expires_in > horizon_s:
        hint = f"Use at most {horizon_s} seconds."
        errors.append(FieldProblem("/expires_in", "beyond the horizon", hint))
    return errors


def _recipient(
    request: NotificationRequest, index: int, target: Target
) -> Recipient | FieldProblem:
    given = {"sms": target.phone, "email": target.email, "webhook": target.url}
    channel = request.channel or next((name for name in CHANNELS if given[name] is not None), None)
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


def recipient_pointer(request: NotificationRequest, recipient: Recipient) -> str:
    """Where the recipient's address stands in the request."""
    return f"{_pointer(request, recipient.index)}/{FIELDS[recipient.channel]}"


def _pointer(request: NotificationRequest, index: int) -> str:
    return "/to" if isinstance(request.to, Target) else f"/to/{index}"


def _content_errors(content: Content, channel: ChannelName) -> list[FieldProblem]:
    errors = []
    if channel != "email":
        if not content.text:
            hint = f"The channel {channel} needs `text`."
            errors.append(FieldProblem("/content/text", "missing or empty", hint))
        return errors
    if not content.subject:
        errors.append(FieldProblem("/content/subject", "missing or empty", "Add a subject."))
    elif _LINE_BREAKS.search(content.subject):
        hint = "Write the subject in one line."
        errors.append(FieldProblem("/content/subject", "line break in a subject", hint))
    if not content.text and not content.html:
        hint = "An e-mail needs `text` or `html`, or both."
        errors.append(FieldProblem("/content", "neither text nor html", hint))
    return errors
