"""Passes providers' callbacks on to a core: the one door of the API that needs no key.

Whether a callback is genuine is decided by the account's adapter in the core; here is what keeps
strangers from costing much: bodies have bounds of their own, an account that is not there is
answered without asking again for a while, and names that were never seen are asked for at a
bounded rate. The provider's headers go through whole, since signatures stand in them; what the
edge itself says to cores cannot be said by a caller.
"""

from collections import OrderedDict
from collections.abc import Callable

from aiohttp import web
from msgspec import Struct

from core.contract.internal import TRACE_HEADER
from core.contract.problems import problem
from edge.answers import Answer
from edge.bodies import Bodies
from edge.cores import CoreHttp
from edge.proxy import TARGET_CHARS_MAX, asked, relayed
from edge.routes import Route

_HELD_BACK = frozenset(
    (
        *("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect"),
        *("host", "content-length", "cookie", "accept-encoding", "proxy-authorization"),
    )
)
_OURS = "x-goutong-"


class CallbackLimits(Struct, frozen=True):
    """What strangers may cost."""

    timeout_ms: int
    accounts_max: int
    unknown_ms: int
    unknown_per_s: int


class Names:
    """Which accounts are there, as far as cores said. Pure; times are seconds."""

    def __init__(self, limits: CallbackLimits) -> None:
        self._limits = limits
        self._there: OrderedDict[str, None] = OrderedDict()
        self._absent_until: OrderedDict[str, float] = OrderedDict()
        self._tokens = float(limits.unknown_per_s)
        self._filled_at = 0.0

    def may_ask(self, name: str, now: float) -> bool:
        """Whether a core may be asked. ProblemError 404 where it is known not to be there."""
        if name in self._there:
            return True
        if self._absent_until.get(name, now) > now:
            raise problem("not_found", "There is no such account.")
        rate = self._limits.unknown_per_s
        self._tokens = min(float(rate), self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def learn(self, name: str, there: bool, now: float) -> None:
        """A core answered."""
        if there:
            self._absent_until.pop(name, None)
            self._there[name] = None
            self._there.move_to_end(name)
        else:
            self._there.pop(name, None)
            self._absent_until[name] = now + self._limits.unknown_ms / 1000
            self._absent_until.move_to_end(name)
        for kept in (self._there, self._absent_until):
            if len(kept) > self._limits.accounts_max:
                kept.popitem(last=False)


class CallbackDoor:
    """Forwards /v1/receipts/{account}."""

    def __init__(
        self, bodies: Bodies, cores: CoreHttp, limits: CallbackLimits, now: Callable[[], float]
    ) -> None:
        self._bodies = bodies
        self._cores = cores
        self._limits = limits
        self._names = Names(limits)
        self._now = now

    async def forward(self, request: web.BaseRequest, route: Route, trace: str) -> Answer:
        """The core's answer, or ProblemError."""
        target = request.raw_path
        if len(target) > TARGET_CHARS_MAX or not target.isascii():
            raise problem("bad_request", "The path with its query is too long or not ASCII.")
        name = target.partition("?")[0].rpartition("/")[2]
        if not self._names.may_ask(name, self._now()):
            detail = "Too many accounts are asked for that were never seen. Try again."
            raise problem("overloaded", detail, headers={"Retry-After": "1"})
        with self._bodies.hold(self._bodies.expected(request)):
            body = await self._bodies.read(request)
            headers = _passed(request)
            headers[TRACE_HEADER] = trace
            answer = await asked(
                self._cores, route.method, target, self._limits.timeout_ms, headers, body
            )
        self._names.learn(name, answer.status != 404, self._now())
        return relayed(answer, trace)


def _passed(request: web.BaseRequest) -> dict[str, str]:
    """The caller's headers but those that are between it and us, and those that are ours. One
    that came twice is joined, so that no two readers can see different ones."""
    passed: dict[str, str] = {}
    for written, value in request.headers.items():
        name = written.lower()
        if name not in _HELD_BACK and not name.startswith(_OURS) and value.isascii():
            passed[name] = f"{passed[name]}, {value}" if name in passed else value
    return passed
