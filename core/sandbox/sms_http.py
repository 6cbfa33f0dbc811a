"""The sandbox's provider of text messages in Twilio's form, with signed status callbacks.

`POST /2010-04-01/Accounts/{sid}/Messages.json` with the account's name and token (Basic), as a
form. Callbacks go to StatusCallback by POST, signed with the token.
"""

import base64
import hmac
from collections.abc import Callable, Mapping, Sequence
from email.utils import formatdate
from urllib.parse import parse_qs, parse_qsl, urlencode

import msgspec

from core.providers.sms_http.signature import HEADER, sign
from core.sandbox.behaviour import RefuseAs
from core.sandbox.callbacks import Callback
from core.sandbox.http_behaviour import Refusal, Story, Word
from core.sandbox.http_double import SECRET, HttpDouble, number_can_be_reached
from core.sandbox.http_peer import Ending, HttpCall, HttpReply

PROVIDER = "sandbox-sms-http"
WIRE = "sms-http"
ACCOUNT_SID = "ACsandbox"
TEXT_CHARS_MAX = 1_600

_ERRORS: dict[RefuseAs, tuple[int, int, str]] = {
    "throttled": (429, 20429, "Too Many Requests"),
    "temporary": (500, 20500, "Internal Server Error"),
    "permanent": (400, 21610, "Attempt to send to unsubscribed recipient"),
    "invalid_target": (400, 21211, "Invalid 'To' Phone Number"),
    "account": (401, 20003, "Authenticate"),
}
_WORDS: dict[Word, str] = {
    "queued": "queued",
    "sent": "sent",
    "delivered": "delivered",
    "failed": "undelivered",
    "read": "read",
    "unheard_of": "teleported",
}
_UNREACHABLE = "30003"


class SmsHttpDouble(HttpDouble):
    """What all connections share."""

    provider = PROVIDER
    wire = WIRE

    async def handle(self, call: HttpCall) -> Ending:
        if call.path != f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json":
            return _error(404, 20404, "The requested resource was not found")
        if call.method != "POST":
            return _error(405, 20004, "Method not allowed")
        if not _logged_in(call.headers.get("authorization", "")):
            return _error(*_ERRORS["account"])
        try:
            fields = dict(parse_qsl(call.body.decode("ascii"), errors="strict", max_num_fields=50))
        except ValueError:
            return _error(400, 21602, "The form cannot be read")
        missing = _missing(fields)
        if missing is not None:
            return missing
        to, text = fields["To"], fields["Body"]
        callback_url = fields.get("StatusCallback", "")
        ref = parse_qs(callback_url.partition("?")[2]).get("ref", [None])[0]
        wrong: RefuseAs | None = None if number_can_be_reached(to) else "invalid_target"
        return await self.take(
            to, text, ref, self._refused, lambda: self._accepted(fields, callback_url), wrong
        )

    def _refused(self, refusal: Refusal) -> HttpReply:
        status, code, message = _ERRORS[refusal.as_]
        if not refusal.in_200:
            return _error(status, code, message)
        said = {"sid": self._new_sid(), "status": "failed", "error_code": code}
        return _json(201, said | {"error_message": message})

    def _accepted(
        self, fields: Mapping[str, str], callback_url: str
    ) -> tuple[HttpReply, Callable[[Story], Sequence[Callback]]]:
        sid = self._new_sid()
        said = {
            "sid": sid,
            "account_sid": ACCOUNT_SID,
            "to": fields["To"],
            "from": fields.get("From"),
            "messaging_service_sid": fields.get("MessagingServiceSid"),
            "body": fields["Body"],
            "status": "queued",
            "error_code": None,
            "error_message": None,
            "date_created": formatdate(self.clock.wall_ms() / 1_000, usegmt=True),
        }

        def callbacks(story: Story) -> list[Callback]:
            if not callback_url:
                return []
            wrong = story.wrong_signature
            return [_callback(sid, word, fields, callback_url, wrong) for word in story.words]

        return _json(201, said), callbacks

    def _new_sid(self) -> str:
        return f"SM{self.new_number():032x}"


def _callback(
    sid: str, word: Word, fields: Mapping[str, str], url: str, wrong_signature: bool
) -> Callback:
    told = {
        "MessageSid": sid,
        "SmsSid": sid,
        "MessageStatus": _WORDS[word],
        "SmsStatus": _WORDS[word],
        "AccountSid": ACCOUNT_SID,
        "To": fields["To"],
        "From": fields.get("From", ""),
        "ApiVersion": "2010-04-01",
    }
    if word == "failed":
        told["ErrorCode"] = _UNREACHABLE
    key = "not the token" if wrong_signature else SECRET
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        HEADER: sign(key, url, told.items()),
    }
    return Callback("POST", url, urlencode(told).encode("ascii"), lambda: headers)


def _logged_in(authorization: str) -> bool:
    wanted = "Basic " + base64.b64encode(f"{ACCOUNT_SID}:{SECRET}".encode()).decode()
    return hmac.compare_digest(authorization.encode("latin-1"), wanted.encode())


def _missing(fields: Mapping[str, str]) -> HttpReply | None:
    if not fields.get("To"):
        return _error(400, 21604, "A 'To' phone number is required")
    if not fields.get("From") and not fields.get("MessagingServiceSid"):
        return _error(400, 21603, "A 'From' phone number is required")
    if not fields.get("Body"):
        return _error(400, 21602, "Message body is required")
    if len(fields["Body"]) > TEXT_CHARS_MAX:
        return _error(400, 21617, "The message body exceeds the 1600 character limit")
    return None


def _error(status: int, code: int, message: str) -> HttpReply:
    more = f"https://www.twilio.com/docs/errors/{code}"
    reply = _json(status, {"code": code, "message": message, "more_info": more, "status": status})
    if status == 429:
        return HttpReply(status, reply.body, headers={"Retry-After": "1"})
    return reply


def _json(status: int, said: Mapping[str, object]) -> HttpReply:
    return HttpReply(status, msgspec.json.encode(said))
