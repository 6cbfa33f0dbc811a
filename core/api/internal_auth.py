"""The core's own HTTP: only edges and operators' tools that know the shared secret get in.

`guard` makes the middleware of the application. A request without the right
X-GouTong-Internal is answered 401 and never reaches a handler, but for the paths named open. What
handlers raise becomes problem+json: a `ProblemError` as it is, a failing store as 503, a lost race
as 412, and anything unexpected as 500 `internal`, with its place in the log and nothing of it in
the body.
"""

import hmac
import traceback
from pathlib import Path
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from msgspec import Struct

from core.contract.internal import (
    INTERNAL_SECRET_HEADER,
    KEY_ID_HEADER,
    SCOPES_HEADER,
    TENANT_HEADER,
    TRACE_HEADER,
)
from core.contract.keys import SCOPES, Scope, grants
from core.contract.log import Log
from core.contract.problems import CONTENT_TYPE, ProblemError, problem
from sync.store.entities import StaleVersion, StoreFull
from sync.store.port import StoreError

_TRACE_CHARS_MAX = 128
_FRAMES_MAX = 20
_HTTP_CODES = {
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
}


class Caller(Struct, frozen=True):
    """Who calls, as the edge found out."""

    tenant: str
    scopes: frozenset[Scope]
    key_id: str
    trace: str

    @property
    def is_admin(self) -> bool:
        return grants(self.scopes, "admin")


def caller_of(request: web.Request, scope: Scope) -> Caller:
    """The caller, if it has the scope; ProblemError 401 or 403 otherwise."""
    tenant = request.headers.get(TENANT_HEADER, "")
    if not tenant:
        raise problem("unauthenticated", f"The header {TENANT_HEADER} is missing.")
    names = request.headers.get(SCOPES_HEADER, "").split(",")
    scopes = cast("frozenset[Scope]", SCOPES.intersection(names))
    if not grants(scopes, scope):
        raise problem("forbidden_scope", f"The API key needs the scope `{scope}`.")
    return Caller(tenant, scopes, request.headers.get(KEY_ID_HEADER, ""), trace_of(request))


def trace_of(request: web.Request) -> str:
    """The request's trace id, cut to a sane length."""
    return request.headers.get(TRACE_HEADER, "")[:_TRACE_CHARS_MAX]


def guard(secret: str, log: Log, open_paths: frozenset[str] = frozenset()) -> Middleware:
    """The middleware; `open_paths` are answered to everybody (probes and metrics)."""
    if not secret:
        raise ValueError("the internal secret must not be empty")
    wanted = secret.encode()

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if request.path not in open_paths:
                given = request.headers.get(INTERNAL_SECRET_HEADER, "")
                if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted):
                    raise problem("unauthenticated", "This listener is for edges only.")
            return await handler(request)
        except ProblemError as error:
            return _answer(request, error)
        except ConnectionError:
            raise  # the other side is gone: there is nobody to answer
        except Exception as error:
            return _answer(request, _as_problem(request, error, log))

    return guarded


def _as_problem(request: web.Request, error: Exception, log: Log) -> ProblemError:
    if isinstance(error, web.HTTPException):
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        detail = f"{request.method} {request.path}: {error.reason}"
        return problem(_HTTP_CODES.get(error.status, "invalid_request"), detail, headers=allow)
    if isinstance(error, StaleVersion):
        detail = f"It is at version {error.current} now. Read it again, then repeat the change."
        return problem("stale_version", detail)
    trace = trace_of(request)
    if isinstance(error, StoreError):
        log.error("configuration store failed", trace=trace, path=request.path, reason=str(error))
        again = {"Retry-After": "1"}
        if isinstance(error, StoreFull):
            return problem("storage_full", "There is no space for the change.", headers=again)
        return problem("overloaded", "The configuration cannot be reached now.", headers=again)
    # Places only: the exception's own text may quote a body, and bodies hold secrets.
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_MAX:]
    stack = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    log.error(
        "request failed",
        trace=trace,
        method=request.method,
        path=request.path,
        error=type(error).__name__,
        stack=stack,
    )
    return problem("internal", "Something went wrong here; the log has it under the trace id.")


def _answer(request: web.Request, error: ProblemError) -> web.Response:
    return web.Response(
        status=error.status,
        body=error.body(trace_of(request)),
        content_type=CONTENT_TYPE,
        headers=error.headers,
    )
