"""The sandbox's webhook endpoint: every path takes POSTs, and answers as badly as told.

Order of things for a call: decide, write its entry to the operating system, then the answer. A
refusal and a redirect have no effect. A reset or a hang comes after the effect; so does a slow
drip, an answer of which one byte comes at a time. Where the behaviour names a secret, the entry
says what the call's signature by Standard Webhooks is worth; it is taken whatever that is.
"""

import asyncio
import hmac
from base64 import b64decode, b64encode
from random import Random
from typing import Literal

from core.clock import Clock
from core.contract.log import Log
from core.contract.times import rfc3339
from core.sandbox.behaviour import (
    Millis,
    RefuseAs,
    Share,
    draw_after,
    draw_latency_ms,
    draw_refusal,
)
from core.sandbox.history import Entry, History
from core.sandbox.http_behaviour import HttpBehaviour
from core.sandbox.http_double import HttpDouble
from core.sandbox.http_peer import Drip, Ending, HttpCall, HttpReply
from core.sandbox.limits import SandboxLimits

PROVIDER = "sandbox-webhook"
WIRE = "webhook"

_STATUSES: dict[RefuseAs, int] = {
    "throttled": 429,
    "temporary": 503,
    "permanent": 400,
    "invalid_target": 410,
    "account": 401,
}
_TOLERANCE_S = 300
_ELSEWHERE = "/redirected"
Signature = Literal["", "valid", "invalid", "none"]


class WebhookBehaviour(HttpBehaviour, frozen=True, forbid_unknown_fields=True):
    """How the endpoint behaves; the defaults are a good day. There are no receipts."""

    redirect: Share = 0.0
    slow_drip: Share = 0.0
    drip_ms: Millis = 200
    retry_after_s: Millis = 0
    secret: str = ""


class WebhookSink(HttpDouble):
    """What all connections share."""

    provider = PROVIDER
    wire = WIRE
    behaviour: WebhookBehaviour

    def __init__(
        self, history: History, limits: SandboxLimits, clock: Clock, random: Random, log: Log
    ) -> None:
        super().__init__(history, limits, clock, random, log)
        self.behaviour = WebhookBehaviour()

    async def handle(self, call: HttpCall) -> Ending:
        if call.method != "POST":
            return HttpReply(405, headers={"Allow": "POST"})
        behaviour, random = self.behaviour, self.random
        latency_ms = draw_latency_ms(behaviour, random)
        refused = draw_refusal(behaviour, random)
        redirected = bool(behaviour.redirect) and random.random() < behaviour.redirect
        failed = refused is not None or redirected
        after = "refused" if failed else draw_after(behaviour, random)
        if not self._enter_call(call, after):
            return HttpReply(503)
        if after in ("reset", "hang"):
            return "reset" if after == "reset" else "hang"
        if latency_ms:
            await asyncio.sleep(latency_ms / 1_000)
        if refused is not None:
            return self._refusal(refused)
        if redirected:
            return HttpReply(302, headers={"Location": _ELSEWHERE})
        reply = HttpReply(200)
        if behaviour.slow_drip and random.random() < behaviour.slow_drip:
            return Drip(reply, behaviour.drip_ms)
        return reply

    def _refusal(self, refused: RefuseAs) -> HttpReply:
        wait_s = self.behaviour.retry_after_s
        told = {"Retry-After": str(wait_s)} if wait_s and refused == "throttled" else {}
        return HttpReply(_STATUSES[refused], headers=told)

    def _enter_call(self, call: HttpCall, outcome: str) -> bool:
        headers = call.headers
        entry = Entry(
            rfc3339(self.clock.wall_ms()),
            PROVIDER,
            WIRE,
            f"http://{headers.get('host', '')}{call.target}",
            call.body.decode("utf-8", "replace"),
            outcome,
            outcome != "refused",
            headers.get("webhook-id"),
            signature_of(call, self.behaviour.secret, self.clock.wall_ms() // 1_000),
        )
        return self.enter(entry)


def signature_of(call: HttpCall, secret: str, now_s: int) -> Signature:
    """What the call's signature is worth, "" without a secret to tell by."""
    if not secret:
        return ""
    headers = call.headers
    given = headers.get("webhook-signature", "").split(" ")
    at = headers.get("webhook-timestamp", "")
    if given == [""]:
        return "none"
    try:
        key = b64decode(secret.removeprefix("whsec_"))
        fresh = abs(now_s - int(at)) <= _TOLERANCE_S
    except ValueError:
        return "invalid"
    content = f"{headers.get('webhook-id', '')}.{at}.".encode() + call.body
    wanted = b"v1," + b64encode(hmac.digest(key, content, "sha256"))
    same = [hmac.compare_digest(each.encode(), wanted) for each in given]
    return "valid" if fresh and any(same) else "invalid"
