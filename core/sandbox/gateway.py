"""The sandbox's gateway for text messages, which speaks two dialects as real ones do.

`POST /gateway/json`: a JSON object with `to`, `text`, `ref` and `report_url`, the token in
X-Api-Key. The answer is always HTTP 200; an error stands in its `Code`. Reports are POSTs of a
list, signed: hex HMAC-SHA256 of "timestamp.body" in X-Gateway-Signature.

`GET /gateway/text`: a query with `username`, `password`, `to`, `text` and `dlr-url`. The answer is
`Success "id"` or `Error "reason"`. Reports are GETs of `dlr-url`, in which %I and %d stand for the
id and the state (1 delivered, 2 failed, 4 queued, 8 sent, 32 read).
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from urllib.parse import parse_qs, parse_qsl

import msgspec

from core.sandbox.behaviour import RefuseAs
from core.sandbox.callbacks import Callback
from core.sandbox.http_behaviour import Story, Word
from core.sandbox.http_double import SECRET, HttpDouble, number_can_be_reached
from core.sandbox.http_peer import Ending, HttpCall, HttpReply

PROVIDER = "sandbox-gateway"
WIRE = "http-gateway"

_CODES: dict[RefuseAs, str] = {
    "throttled": "isv.BUSINESS_LIMIT_CONTROL",
    "temporary": "isp.SYSTEM_ERROR",
    "permanent": "isv.BLACK_KEY_CONTROL_LIMIT",
    "invalid_target": "isv.MOBILE_NUMBER_ILLEGAL",
    "account": "isv.ACCOUNT_ABNORMAL",
}
_REASONS: dict[RefuseAs, tuple[int, str]] = {
    "throttled": (403, "throughput exceeded"),
    "temporary": (503, "try again later"),
    "permanent": (400, "content rejected"),
    "invalid_target": (400, "destination invalid"),
    "account": (403, "authentication failure"),
}
_STATES: dict[Word, str] = {
    "queued": "4",
    "sent": "8",
    "delivered": "1",
    "failed": "2",
    "read": "32",
    "unheard_of": "77",
}
_ERR_CODES: dict[Word, str] = {
    "queued": "QUEUED",
    "sent": "SENT",
    "delivered": "DELIVERED",
    "failed": "UNDELIV",
    "read": "READ",
    "unheard_of": "TELEPORTED",
}
_Taken = tuple[HttpReply, Callable[[Story], Sequence[Callback]]]


class GatewayDouble(HttpDouble):
    """What all connections share."""

    provider = PROVIDER
    wire = WIRE

    async def handle(self, call: HttpCall) -> Ending:
        if call.path == "/gateway/json" and call.method == "POST":
            return await self._json(call)
        if call.path == "/gateway/text" and call.method == "GET":
            return await self._text(call)
        return HttpReply(404, b"Not found\n", "text/plain")

    async def _json(self, call: HttpCall) -> Ending:
        if not _same(call.headers.get("x-api-key", ""), SECRET):
            return _coded(_CODES["account"])
        try:
            fields = msgspec.json.decode(call.body, type=dict[str, str])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _coded("isv.INVALID_PARAMETERS")
        if not fields.get("to") or not fields.get("text"):
            return _coded("isv.INVALID_PARAMETERS")
        ref = fields.get("ref")
        return await self.take(
            fields["to"],
            fields["text"],
            ref,
            lambda refusal: _coded(_CODES[refusal.as_]),
            lambda: self._json_accepted(ref or "", fields.get("report_url", "")),
            None if number_can_be_reached(fields["to"]) else "invalid_target",
        )

    def _json_accepted(self, ref: str, url: str) -> _Taken:
        biz_id = str(self.new_number())

        def callback(word: Word, wrong_signature: bool) -> Callback:
            told = {"biz_id": biz_id, "out_id": ref, "err_code": _ERR_CODES[word]}
            body = msgspec.json.encode([told])
            key = "not the secret" if wrong_signature else SECRET
            return Callback("POST", url, body, lambda: _signed(body, key, self.clock.wall_ms()))

        def callbacks(story: Story) -> list[Callback]:
            return [callback(word, story.wrong_signature) for word in story.words] if url else []

        return _coded("OK", biz_id), callbacks

    async def _text(self, call: HttpCall) -> Ending:
        try:
            fields = dict(parse_qsl(call.query, errors="strict", max_num_fields=50))
        except ValueError:
            fields = {}
        logged_in = _same(fields.get("username", ""), SECRET)
        if not (_same(fields.get("password", ""), SECRET) and logged_in):
            return _reason("account", False)
        to, text, url = (fields.get(name, "") for name in ("to", "text", "dlr-url"))
        if not to or not text:
            return HttpReply(400, b'Error "mandatory arguments missing"', "text/plain")
        return await self.take(
            to if to.startswith("+") else f"+{to}",
            text,
            parse_qs(url.partition("?")[2]).get("ref", [None])[0],
            lambda refusal: _reason(refusal.as_, refusal.in_200),
            lambda: self._text_accepted(url),
            None if number_can_be_reached(to) else "invalid_target",
        )

    def _text_accepted(self, url: str) -> _Taken:
        name = f"{self.new_number():x}"
        said = HttpReply(200, f'Success "{name}"'.encode(), "text/plain")

        def callbacks(story: Story) -> list[Callback]:
            filled = url.replace("%I", name)
            if story.wrong_signature:
                filled = filled.replace(f"={SECRET}", "=wrong")
            states = (_STATES[word] for word in story.words) if url else ()
            return [Callback("GET", filled.replace("%d", state)) for state in states]

        return said, callbacks


def _signed(body: bytes, key: str, wall_ms: int) -> dict[str, str]:
    stamp = str(wall_ms // 1_000)
    signed = hmac.new(key.encode(), stamp.encode() + b"." + body, sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "X-Gateway-Timestamp": stamp,
        "X-Gateway-Signature": signed,
    }


def _coded(code: str, biz_id: str = "") -> HttpReply:
    said: Mapping[str, str] = {"Code": code, "Message": code}
    return HttpReply(200, msgspec.json.encode({**said, "BizId": biz_id} if biz_id else said))


def _reason(as_: RefuseAs, in_200: bool) -> HttpReply:
    status, reason = _REASONS[as_]
    return HttpReply(200 if in_200 else status, f'Error "{reason}"'.encode(), "text/plain")


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())
