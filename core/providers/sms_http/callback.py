"""Status callbacks in Twilio's form: verified, then read. Pure.

Nothing is taken from a callback whose signature is missing or wrong. A status word that we do not
know is kept as the code of a receipt that says "unknown".
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from core.providers.port import Callback, CallbackAnswer, ReceiptIn, ReceiptStatus
from core.providers.sms_http.request import FORM, REF
from core.providers.sms_http.signature import HEADER, SETTINGS_HEADER, algorithm_named, verified

FIELDS_MAX = 200
_CODE_CHARS_MAX = 64
_STATUSES: dict[str, ReceiptStatus] = {
    "accepted": "accepted",
    "scheduled": "accepted",
    "queued": "accepted",
    "sending": "accepted",
    "sent": "accepted",
    "partially_delivered": "accepted",
    "delivered": "delivered",
    "read": "seen",
    "undelivered": "failed",
    "failed": "failed",
    "canceled": "failed",
}
_INCOMING = frozenset({"receiving", "received"})
REFUSED = CallbackAnswer(403, b"The signature is missing or wrong.\n")
NOT_ASKED_FOR = CallbackAnswer(403, b"This account has no callback_url.\n")
_MALFORMED = CallbackAnswer(400, b"This is no form that a status callback has.\n")
_WRONG_METHOD = CallbackAnswer(405, b"Status callbacks are sent by POST.\n")
_NOTHING = CallbackAnswer(204)


def read(callback: Callback, callback_url: str, secrets: Mapping[str, str]) -> CallbackAnswer:
    """The answer, with the receipt that the callback tells of."""
    if not callback_url:
        return NOT_ASKED_FOR
    if callback.method != "POST":
        return _WRONG_METHOD
    query = callback.url.partition("?")[2]
    try:
        fields = _pairs(callback)
        asked = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError:
        return _MALFORMED
    if not _genuine(callback, callback_url, query, fields, secrets):
        return REFUSED
    return _told(dict(fields), asked.get(REF, ""))


def _genuine(
    callback: Callback,
    callback_url: str,
    query: str,
    fields: list[tuple[str, str]],
    secrets: Mapping[str, str],
) -> bool:
    """The query is signed as it was called; what stands before it is the public address."""
    url = callback_url.partition("?")[0] + (f"?{query}" if query else "")
    keyed_by = callback.headers.get(SETTINGS_HEADER, "")
    key = secrets.get("auth_token", "")
    if keyed_by:
        key = secrets.get("shared_key", key)
    given = callback.headers.get(HEADER, "")
    return verified(key, url, fields, algorithm_named(keyed_by), given)


def _pairs(callback: Callback) -> list[tuple[str, str]]:
    """The form's fields; raises ValueError where it is none."""
    kind = callback.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        raise ValueError(kind)
    return parse_qsl(
        callback.body.decode("ascii"),
        keep_blank_values=True,
        errors="strict",
        max_num_fields=FIELDS_MAX,
    )


def _told(fields: Mapping[str, str], ref: str) -> CallbackAnswer:
    sid = fields.get("MessageSid") or fields.get("SmsSid", "")
    word = fields.get("MessageStatus") or fields.get("SmsStatus", "")
    if not sid or len(sid) > _CODE_CHARS_MAX or not word or word in _INCOMING:
        return _NOTHING  # signed, and not about a message of ours
    status = _STATUSES.get(word, "unknown")
    code = fields.get("ErrorCode", "")
    if not code and (status == "unknown" or word == "canceled"):
        code = word
    receipt = ReceiptIn(
        sid, status, _nobody, _nobody, ref=ref, code=code[:_CODE_CHARS_MAX], detail=word[:64]
    )
    return CallbackAnswer(204, receipts=(receipt,))


def _nobody() -> None:
    """Whoever hands the receipt on says what its acknowledgement is."""
