"""Reports of a gateway: verified, then read by the account's description. Pure but for the time.

Nothing is taken from a report that does not prove where it comes from, or whose signature is too
old. One that cannot be read is answered 400, whole: of a list no half is taken. A report without
id and without an attempt's name belongs to no message and is passed over.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from core.contract.pointers import too_deep
from core.providers.http_gateway.classify import CODE_CHARS_MAX, provider_id
from core.providers.http_gateway.pointer import as_text, find
from core.providers.http_gateway.settings import Callbacks, Verification
from core.providers.port import Callback, CallbackAnswer, ReceiptIn

FIELDS_MAX = 200
DEPTH_MAX = 16
_DETAIL_CHARS_MAX = 64
NOT_ASKED_FOR = CallbackAnswer(403, b"This account takes no reports.\n")
REFUSED = CallbackAnswer(403, b"The report does not prove where it comes from.\n")
_MALFORMED = CallbackAnswer(400, b"The report has not the form that the account describes.\n")
_TOO_MANY = CallbackAnswer(413, b"There are too many reports in one.\n")


def read(
    callback: Callback, described: Callbacks | None, secret: str, wall_ms: int
) -> CallbackAnswer:
    """The answer, with the receipts that the report tells of."""
    if described is None:
        return NOT_ASKED_FOR
    try:
        query = _pairs(callback.url.partition("?")[2])
    except ValueError:
        return _MALFORMED
    if not genuine(callback, query, described.verification, secret, wall_ms):
        return REFUSED
    try:
        reports = _reports(callback, query, described)
    except ValueError:
        return _MALFORMED
    if len(reports) > described.reports_max:
        return _TOO_MANY
    read_ones = [_receipt(each, query, described) for each in reports]
    reply = described.reply
    return CallbackAnswer(
        reply.status,
        reply.body.encode(),
        reply.content_type,
        tuple(each for each in read_ones if each is not None),
    )


def genuine(
    callback: Callback, query: Mapping[str, str], how: Verification, secret: str, wall_ms: int
) -> bool:
    """Whether it proves where it comes from; what is compared with a secret takes its time."""
    if how.kind == "none":
        return True
    if not secret:
        return False
    if how.kind == "query":
        return _same(query.get(how.name, ""), how.prefix + secret)
    given = callback.headers.get(how.name.lower(), "")
    if how.kind == "header":
        return _same(given, how.prefix + secret)
    signed = callback.body
    if how.timestamp_header:
        stamp = callback.headers.get(how.timestamp_header.lower(), "")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 14):
            return False
        if abs(int(stamp) * 1_000 - wall_ms) > how.tolerance_s * 1_000:
            return False
        signed = stamp.encode() + b"." + signed
    digest = hmac.new(secret.encode(), signed, sha256).digest()
    if not given.startswith(how.prefix):
        return False
    written = given[len(how.prefix) :].strip()
    try:
        got = bytes.fromhex(written) if how.encoding == "hex" else _from_base64(written)
    except ValueError:
        return False
    return hmac.compare_digest(got, digest)


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), wanted.encode("utf-8", "surrogatepass")
    )


def _pairs(text: str) -> dict[str, str]:
    """A form's fields; raises ValueError where it is none."""
    pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)
    return dict(pairs)


def _reports(callback: Callback, query: dict[str, str], described: Callbacks) -> list[Any]:
    """The reports in it, one at least; raises ValueError where it has another form."""
    if described.form == "query":
        return [query]
    if described.form == "form":
        return [_pairs(callback.body.decode("ascii"))]
    if too_deep(callback.body, DEPTH_MAX):
        raise ValueError("nested too deeply")
    try:
        whole = msgspec.json.decode(callback.body)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
    found = find(whole, described.reports)
    reports = found if isinstance(found, list) else [found]
    if not all(isinstance(each, dict) for each in reports):
        raise ValueError("a report is no object")
    return reports


def _receipt(report: Any, query: Mapping[str, str], described: Callbacks) -> ReceiptIn | None:
    named = provider_id(as_text(find(report, described.id))) if described.id else ""
    ref = as_text(find(report, described.ref)) if described.ref else ""
    if not ref and described.ref_query:
        ref = query.get(described.ref_query, "")
    named = named or provider_id(ref)
    if not named:
        return None
    word = as_text(find(report, described.status))
    status = described.statuses.get(word, "unknown")
    code = as_text(find(report, described.code)) if described.code else ""
    if status == "unknown" and not code:
        code = word
    return ReceiptIn(
        named,
        status,
        _nobody,
        _nobody,
        ref=ref,
        code=code[:CODE_CHARS_MAX],
        detail=word[:_DETAIL_CHARS_MAX],
    )


def _nobody() -> None:
    """Whoever hands the receipt on says what its acknowledgement is."""
