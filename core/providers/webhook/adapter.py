"""A webhook account: signed calls to whatever endpoints messages name.

Nothing is connected beforehand, so the account is up as soon as it has started. A call to an
endpoint that has asked to wait (429, or 503 with Retry-After) ends as `throttled` without being
made until that time is over; the endpoints that have asked are remembered up to a bound.
"""

import asyncio
import ssl
from collections import OrderedDict

from core.clock import Clock
from core.providers.http import (
    BadUrlError,
    HttpPool,
    HttpRequest,
    HttpResult,
    Names,
    Target,
    target_of,
    tls_context,
)
from core.providers.port import AdapterEvents, Call, Outcome
from core.providers.webhook.body import body_of
from core.providers.webhook.capabilities import CAPABILITIES
from core.providers.webhook.classify import outcome_of
from core.providers.webhook.settings import WebhookSettings
from core.providers.webhook.signing import BadSecretError, signatures, signer

_RESTING_MAX = 10_000


class WebhookAdapter:
    """See the module; it implements `core.providers.port.Adapter`."""

    capabilities = CAPABILITIES

    def __init__(
        self,
        account_id: str,
        settings: WebhookSettings,
        secret: str,
        events: AdapterEvents,
        clock: Clock,
    ) -> None:
        self.account_id = account_id
        self._settings = settings
        self._secrets = (secret,) if secret else ()
        self._ports = frozenset(settings.ports)
        self._events = events
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._pool: HttpPool | None = None
        self._resting: OrderedDict[Target, float] = OrderedDict()
        self._fault = ""
        self._stopped = False

    # --- port.Adapter ---

    async def start(self) -> None:
        """Ready for calls, or a fault where the secret or the CA file is none."""
        try:
            for secret in self._secrets:
                signer(secret)
            tls = tls_context(self._settings.ca_file)
        except BadSecretError as error:
            self._fault = f"secret: {error}"
        except (OSError, ssl.SSLError) as error:
            self._fault = f"ca_file: {error.strerror or 'no certificates in it'}"
        else:
            limits = self._settings.limits()
            names = Names(self._settings.rules(), limits)
            self._pool = HttpPool(limits, names, tls)
        if self._fault:
            self._events.fault(self._fault)
        else:
            self._events.changed()

    async def stop(self, grace_ms: int) -> None:
        """Let calls that were written end within the grace, then close by reset."""
        self._stopped = True
        if self._pool is not None:
            await self._pool.stop(grace_ms)

    def capacity(self) -> int:
        """How many calls may be under way, those that wait for a connection included."""
        return 0 if self._pool is None or self._stopped else self._settings.calls_max

    def state(self) -> str:
        """`up`, `connecting`, `down: stopped` or `fault: <why>`."""
        if self._fault:
            return f"fault: {self._fault}"
        if self._stopped:
            return "down: stopped"
        return "connecting" if self._pool is None else "up"

    def submit(self, call: Call) -> None:
        """Call one endpoint, at once or when a connection to its host is free."""
        pool = self._pool
        request = self._request(call)
        if pool is None:
            request = Outcome("not_sent", detail="the account has not started")
        if isinstance(request, Outcome):
            self._loop.call_soon(call.done, request)
            return
        assert pool is not None
        job = _Job(self, call, request.target)
        pool.send(request, call.guard, job.done, job.late)

    # --- inside ---

    def _request(self, call: Call) -> HttpRequest | Outcome:
        message = call.message
        try:
            target = target_of(message.to)
        except BadUrlError as error:
            return Outcome("permanent", detail=str(error))
        if self._ports and target.port not in self._ports:
            return Outcome("permanent", detail=f"port {target.port} is not among the account's")
        if self._resting and (left_ms := self._rests_ms(target)):
            return Outcome("throttled", detail="the endpoint asked to wait", wait_ms=left_ms)
        message_id = message.event_id or id_of(message.ref)
        body = body_of(message, message_id)
        if len(body) > self._settings.body_bytes_max:
            limit = self._settings.body_bytes_max
            return Outcome("permanent", detail=f"the body has {len(body)} bytes, more than {limit}")
        now_s = self._clock.wall_ms() // 1_000
        secrets = message.signing or self._secrets
        fields = b"content-type: application/json\r\nwebhook-id: %b\r\nwebhook-timestamp: %d\r\n"
        fields %= (message_id.encode(), now_s)
        if secrets:
            try:
                signed = signatures(secrets, message_id, now_s, body)
            except BadSecretError as error:
                return Outcome("permanent", detail=f"a secret of the endpoint: {error}")
            fields += b"webhook-signature: %b\r\n" % signed
        return HttpRequest(target, fields, body)

    def judge(self, result: HttpResult, target: Target, message_id: str) -> Outcome:
        """What the result means; remembers that an endpoint wants to rest."""
        settings = self._settings
        outcome = outcome_of(
            result,
            message_id,
            self._clock.wall_ms(),
            settings.throttle_wait_ms,
            settings.throttle_wait_max_ms,
        )
        if outcome.kind == "throttled" and outcome.wait_ms:
            self._resting[target] = self._clock.boot() + outcome.wait_ms / 1_000
            self._resting.move_to_end(target)
            if len(self._resting) > _RESTING_MAX:
                self._resting.popitem(last=False)
        return outcome

    def late(self, call: Call, outcome: Outcome) -> None:
        """An answer after the call was told `unknown`."""
        self._events.late(call.message.ref, outcome)

    def _rests_ms(self, target: Target) -> int:
        until = self._resting.get(target, 0.0)
        left_ms = int((until - self._clock.boot()) * 1_000)
        if left_ms > 0:
            return left_ms
        self._resting.pop(target, None)
        return 0


class _Job:
    """One call and who made it."""

    __slots__ = ("_adapter", "_call", "_target")

    def __init__(self, adapter: WebhookAdapter, call: Call, target: Target) -> None:
        self._adapter = adapter
        self._call = call
        self._target = target

    def done(self, result: HttpResult) -> None:
        """The result of the call."""
        self._call.done(self._judge(result))

    def late(self, result: HttpResult) -> None:
        """The answer after the time-out."""
        self._adapter.late(self._call, self._judge(result))

    def _judge(self, result: HttpResult) -> Outcome:
        message_id = id_of(self._call.message.ref)
        return self._adapter.judge(result, self._target, message_id)


def id_of(ref: str) -> str:
    """The message's id in an attempt's name, "message.attempt.epoch"."""
    return ref.rsplit(".", 2)[0]
