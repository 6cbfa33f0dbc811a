"""Passes everything but notifications on to a core, and its answer back.

The caller was let in by the edge; the core gets tenant, scopes, key id and trace as headers that a
caller cannot set, because no other header than the few named here goes through. Reads are repeated
at another core when one fails; what can have an effect only if nothing was written.
"""

from collections.abc import Mapping

from aiohttp import web
from msgspec import Struct

from core.contract.internal import KEY_ID_HEADER, SCOPES_HEADER, TENANT_HEADER, TRACE_HEADER
from core.contract.problems import problem
from edge.answers import JSON_TYPE, Answer
from edge.bodies import Bodies, check_json
from edge.cores import CoreAnswer, CoreHttp, CoreSilent, CoreUnreachable
from edge.gate import Gate
from edge.routes import Route

TARGET_CHARS_MAX = 4096
_TO_CORE = ("Content-Type", "Accept", "If-Match", "If-None-Match", "Idempotency-Key")
_TO_CALLER = (
    *("ETag", "Location", "Retry-After", "Cache-Control", "Last-Modified"),
    *("Content-Security-Policy", "Referrer-Policy"),
)


class ProxyLimits(Struct, frozen=True):
    """How long a forwarded call may take."""

    timeout_ms: int


class Proxy:
    """Forwards the calls of the table's routes."""

    def __init__(self, gate: Gate, bodies: Bodies, cores: CoreHttp, limits: ProxyLimits) -> None:
        self._gate = gate
        self._bodies = bodies
        self._cores = cores
        self._limits = limits

    async def forward(self, request: web.BaseRequest, route: Route, trace: str) -> Answer:
        """The core's answer, or ProblemError."""
        assert route.scope is not None
        caller = await self._gate.find(request, route.scope)
        target = request.raw_path
        if len(target) > TARGET_CHARS_MAX or not target.isascii():
            raise problem("bad_request", "The path with its query is too long or not ASCII.")
        with self._bodies.hold(self._bodies.expected(request)):
            body = await self._bodies.read(request)
            if route.body is not None:
                check_json(request)
            headers = {name: request.headers[name] for name in _TO_CORE if name in request.headers}
            headers[TENANT_HEADER] = caller.tenant
            headers[SCOPES_HEADER] = ",".join(sorted(caller.scopes))
            headers[KEY_ID_HEADER] = caller.id
            headers[TRACE_HEADER] = trace
            timeout_ms = self._limits.timeout_ms
            answer = await asked(self._cores, route.method, target, timeout_ms, headers, body)
        return relayed(answer, trace)


async def asked(
    cores: CoreHttp,
    method: str,
    target: str,
    timeout_ms: int,
    headers: Mapping[str, str],
    body: bytes,
) -> CoreAnswer:
    """A core's answer, or ProblemError."""
    try:
        return await cores.call(
            method, target, timeout_ms=timeout_ms, headers=headers, body=body or None
        )
    except CoreUnreachable:
        detail = "No core can be reached; nothing was done. Try again."
        raise problem("no_core", detail, headers={"Retry-After": "1"}) from None
    except CoreSilent as silent:
        done = "" if method == "GET" else " Whether it was carried out is not known."
        code = "core_timeout" if silent.timed_out else "core_failed"
        raise problem(code, f"The core gave no whole answer.{done}") from None


def relayed(answer: CoreAnswer, trace: str) -> Answer:
    """The core's answer as the caller gets it."""
    headers = {name: answer.headers[name] for name in _TO_CALLER if name in answer.headers}
    content_type = answer.headers.get("Content-Type", JSON_TYPE)
    return Answer(answer.status, answer.body, trace, content_type=content_type, headers=headers)
