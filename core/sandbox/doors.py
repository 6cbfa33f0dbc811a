"""The sandbox's HTTP doors: its history, the behaviour of its providers, and what there is.

Every error is application/problem+json and says what to do.
"""

import secrets
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware
from msgspec import Struct

from core.contract.log import Log
from core.contract.pointers import FieldProblem
from core.contract.problems import CONTENT_TYPE, ProblemError, invalid, problem
from core.sandbox.behaviour import Behaviour
from core.sandbox.history import History
from core.sandbox.limits import SandboxLimits

_PAGE_ENTRIES = 100
_SEQ_MAX = 2**63 - 1
_STATUS_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ProviderInfo(Struct, frozen=True):
    """What a user has to know to talk to a provider."""

    name: str
    wire: str
    host: str
    port: int
    user: str
    password: str
    behaviour: Behaviour


class Box(Protocol):
    """The sandbox as its doors see it."""

    history: History
    limits: SandboxLimits
    log: Log

    def providers(self) -> list[ProviderInfo]: ...

    def behaviour(self, provider: str) -> Behaviour: ...

    def behave(self, provider: str, changes: bytes) -> Behaviour: ...

    def restore(self, provider: str) -> Behaviour: ...


def application(box: Box) -> web.Application:
    """The doors of this sandbox."""
    app = web.Application(
        middlewares=[_problems_of(box)], client_max_size=box.limits.request_bytes_max
    )
    doors = _Doors(box)
    app.router.add_get("/", doors.index)
    app.router.add_get("/livez", doors.livez)
    app.router.add_get("/sandbox", doors.index)
    app.router.add_get("/sandbox/history", doors.history)
    app.router.add_get("/sandbox/behaviour", doors.behaviours)
    app.router.add_get("/sandbox/behaviour/{provider}", doors.behaviour)
    app.router.add_put("/sandbox/behaviour/{provider}", doors.behave)
    app.router.add_delete("/sandbox/behaviour/{provider}", doors.restore)
    return app


class _Doors:
    """The handlers."""

    def __init__(self, box: Box) -> None:
        self._box = box

    async def index(self, _request: web.Request) -> web.Response:
        return _json(
            {
                "name": "GouTong sandbox",
                "providers": self._box.providers(),
                "history": "/sandbox/history?after=0&limit=100",
                "behaviour": "/sandbox/behaviour/{provider}",
                "entries": self._box.history.last_seq,
            }
        )

    async def livez(self, _request: web.Request) -> web.Response:
        return _json({"status": "ok"})

    async def history(self, request: web.Request) -> web.Response:
        """A page of the history. `limit` beyond the largest page is taken as that."""
        after = _number(request, "after", 0, 0)
        limit = _number(request, "limit", _PAGE_ENTRIES, 1)
        lines = self._box.history.read(after, limit)
        # The number leads the line, so it can be read without decoding the rest.
        last = int(lines[-1][len(b'{"seq":') :].split(b",", 1)[0]) if lines else after
        body = b'{"data":[%b],"next":%d}' % (b",".join(lines), last)
        return web.Response(body=body, content_type="application/json")

    async def behaviours(self, _request: web.Request) -> web.Response:
        return _json({each.name: each.behaviour for each in self._box.providers()})

    async def behaviour(self, request: web.Request) -> web.Response:
        return _json(self._box.behaviour(request.match_info["provider"]))

    async def behave(self, request: web.Request) -> web.Response:
        provider = request.match_info["provider"]
        # The name is looked at before the body: it is the likelier mistake.
        self._box.behaviour(provider)
        return _json(self._box.behave(provider, await request.read()))

    async def restore(self, request: web.Request) -> web.Response:
        return _json(self._box.restore(request.match_info["provider"]))


def _number(request: web.Request, name: str, default: int, least: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= _SEQ_MAX:
        return int(text)
    hint = f"Write a whole number from {least}, or leave it out."
    raise invalid([FieldProblem(f"?{name}", f"{name} is not a number that can be used", hint)])


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


def _problems_of(box: Box) -> Middleware:
    """What goes wrong in a handler becomes a problem."""

    @web.middleware
    async def answer(request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except ProblemError as error:
            return _problem(error)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            return _problem(_in_our_words(request, error))
        except Exception as error:
            box.log.error("door failed", path=request.path, error=repr(error))
            return _problem(problem("internal", "The sandbox's log says more."))

    return answer


def _in_our_words(request: web.Request, error: web.HTTPException) -> ProblemError:
    refused = problem(
        _STATUS_CODES.get(error.status, "invalid_request"), _explained(request, error)
    )
    refused.status = error.status
    if "Allow" in error.headers:
        refused.headers["Allow"] = error.headers["Allow"]
    return refused


def _explained(request: web.Request, error: web.HTTPException) -> str:
    if error.status == 404:
        return f"{request.path} leads nowhere; GET /sandbox shows what there is."
    if error.status == 405:
        return f"{request.method} is not allowed here; allowed: {error.headers.get('Allow', '')}."
    return error.text or error.reason


def _problem(error: ProblemError) -> web.Response:
    return web.Response(
        status=error.status,
        body=error.body(secrets.token_hex(16)),
        content_type=CONTENT_TYPE,
        headers=error.headers,
    )
