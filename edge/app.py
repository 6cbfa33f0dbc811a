"""The edge, put together: the only place that knows all its parts.

`EdgeApp.start` listens and begins to connect; `stop` takes nothing new, lets running requests end
within the grace, and closes everything. The process around it is `edge.__main__`.
"""

import asyncio
import os
import random
import time
import traceback
from collections.abc import Callable
from importlib.metadata import version

import orjson
from aiohttp import web
from msgspec import Struct

from core.contract.frames import Hello
from core.contract.log import Log
from core.contract.problems import CONTENT_TYPE as PROBLEM_TYPE
from core.contract.problems import ProblemError, problem
from edge.answers import JSON_TYPE, Answer, problem_answer
from edge.batch import Batches
from edge.bodies import Bodies, must_close
from edge.callbacks import CallbackDoor
from edge.caller import caller_address, trace_of
from edge.config import (
    EdgeConfig,
    batch_limits,
    callback_limits,
    dispatch_limits,
    key_limits,
    link_door_limits,
    link_limits,
    request_limits,
    server_limits,
)
from edge.cores import CoreHttp
from edge.dispatch import Dispatcher
from edge.gate import Gate
from edge.keycache import KeyCache
from edge.metrics import Counts
from edge.minting import Minter
from edge.notifications import Notifications
from edge.openapi import document
from edge.operations import LoopLag, Operations
from edge.proxy import Proxy, ProxyLimits
from edge.routes import BATCH, CALLBACKS, FORWARDED, NOTIFY, Table
from edge.server import GuardedServer
from edge.sight import Sight
from edge.telling_routes import TELLING, UNSUBSCRIBE
from edge.unsubscribe import BODY_BYTES_MAX, UnsubscribeDoor

ROUTES = (NOTIFY, BATCH, *FORWARDED, *TELLING, *CALLBACKS, *UNSUBSCRIBE)


class Rim(Struct, frozen=True):
    """Clocks and randomness, passed in so that tests can hold them."""

    now: Callable[[], float] = time.monotonic
    wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    random_bytes: Callable[[int], bytes] = os.urandom
    random_bits: Callable[[int], int] = random.getrandbits


class EdgeApp:
    """One edge router."""

    def __init__(self, config: EdgeConfig, log: Log, rim: Rim | None = None) -> None:
        self._config = config
        self._log = log
        self._rim = rim or Rim()
        settings = config.settings
        self._counts = Counts()
        self._table = Table(ROUTES)
        self._lag = LoopLag()
        self._minter = Minter(self._rim.wall_ms, self._rim.random_bytes)
        self._make_ways()
        self._keys = KeyCache(self._http, key_limits(settings), now=self._rim.now, log=log)
        gate = Gate(self._keys)
        self._bodies = Bodies(
            bytes_max=settings.body_bytes_max,
            held_bytes_max=settings.body_bytes_held_max,
            timeout_ms=settings.body_timeout_ms,
        )
        self._make_takers(gate)
        limits = ProxyLimits(settings.proxy_timeout_ms)
        self._proxy = Proxy(gate, self._bodies, self._http, limits)
        self._callbacks = self._callback_door()
        self._links = self._unsubscribe_door()
        self._server = GuardedServer(
            self._handle, server_limits(settings), log, random_bits=self._rim.random_bits
        )
        sight = Sight(
            self._counts,
            self._dispatcher,
            self._server,
            self._bodies,
            self._keys,
            self._lag,
            self._batches,
        )
        self.facts = sight.facts
        self._operations = Operations(
            self._dispatcher,
            sight.registry(),
            self._lag,
            document=orjson.dumps(document(ROUTES, version("goutong"))),
            processes_file=config.processes_file,
            facts=sight.facts,
        )
        self._listener: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def _make_ways(self) -> None:
        """The ways to the cores: links for what is accepted, plain HTTP for the rest."""
        config, settings = self._config, self._config.settings
        self._dispatcher = Dispatcher(
            [(core.host, core.link_port) for core in config.cores],
            Hello(config.secret, config.name, maps=True),
            link_limits(settings),
            dispatch_limits(settings),
            self._minter,
            now=self._rim.now,
            log=self._log,
            region=config.region,
            far={
                name: [(core.host, core.link_port) for core in cores]
                for name, cores in config.far.items()
            },
        )
        self._http = CoreHttp(
            config.cores,
            config.secret,
            connections_max=settings.proxy_connections_max,
            body_bytes_max=settings.proxy_body_bytes_max,
            far=[core for cores in config.far.values() for core in cores],
        )

    def _make_takers(self, gate: Gate) -> None:
        self._notifications = Notifications(
            gate,
            self._bodies,
            self._dispatcher,
            request_limits(self._config),
            self._minter,
            wall_ms=self._rim.wall_ms,
        )
        self._batches = Batches(
            gate,
            self._notifications,
            self._dispatcher,
            batch_limits(self._config),
            self._log,
            lambda: self._operations.draining,
        )

    def _callback_door(self) -> CallbackDoor:
        settings = self._config.settings
        bodies = Bodies(
            bytes_max=settings.callback_body_bytes_max,
            held_bytes_max=settings.callback_bytes_held_max,
            timeout_ms=settings.body_timeout_ms,
        )
        return CallbackDoor(bodies, self._http, callback_limits(settings), self._rim.now)

    def _unsubscribe_door(self) -> UnsubscribeDoor:
        settings = self._config.settings
        bodies = Bodies(
            bytes_max=BODY_BYTES_MAX,
            held_bytes_max=settings.callback_bytes_held_max,
            timeout_ms=settings.body_timeout_ms,
        )
        return UnsubscribeDoor(bodies, self._http, link_door_limits(settings))

    @property
    def port(self) -> int:
        """Where it listens; settled by `start`."""
        assert self._listener is not None
        return int(self._listener.sockets[0].getsockname()[1])

    @property
    def connected_cores(self) -> int:
        """How many links can take calls."""
        return sum(link.usable for link in self._dispatcher.links)

    async def start(self) -> None:
        """Listen, and connect to the cores in the background. OSError if the port is taken."""
        settings = self._config.settings
        self._listener = await asyncio.get_running_loop().create_server(
            self._server, settings.host, settings.port, backlog=1024, reuse_address=True
        )
        self._dispatcher.start()
        work = (self._keys.poll, self._server.sweep, self._lag.watch)
        self._tasks = [asyncio.create_task(each()) for each in work]
        self._log.info("edge listens", port=self.port, cores=[c.name for c in self._config.cores])

    async def stop(self) -> None:
        """Stop: nothing new, running requests end within the grace."""
        self._operations.draining = True
        grace_s = self._config.settings.stop_grace_ms / 1000
        if self._listener is not None:
            self._listener.close()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace_s
        while self._server.close_idle() and loop.time() < deadline:
            await asyncio.sleep(0.02)
        left = len(self._server.connections)
        # What still runs gets its last answer from here: calls under way end as unknown.
        await self._dispatcher.stop()
        await self._server.shutdown(1.0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.close()
        self._log.info("edge stopped", unfinished=left)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        began = self._rim.now()
        trace = trace_of(request.headers.get("traceparent"), self._rim.random_bits(128))
        path = request.raw_path.partition("?")[0]
        methods = self._table.methods(path)
        route = methods.get(request.method)
        name = route.path if route is not None else "other"
        answer: web.StreamResponse
        try:
            if route is NOTIFY:
                answer = await self._accept(request, trace)
                self._counts.accepted(self._rim.now() - began)
            elif route is BATCH:
                answer = await self._batches.answer(request, trace)
            elif route in UNSUBSCRIBE:
                answer = await self._links.forward(request, route, trace)
            elif route is not None and route.scope is None:
                answer = await self._callbacks.forward(request, route, trace)
            elif route is not None:
                answer = await self._proxy.forward(request, route, trace)
            elif self._operations.has(path):
                answer = self._operations.answer(path, request.method, trace)
            else:
                raise _no_route(list(methods))
        except ProblemError as error:
            answer = problem_answer(error, trace, close=must_close(error))
            self._log_problem(request, error, trace, name)
        except Exception as error:
            self._log.error("handler failed", trace=trace, route=name, error=_where(error))
            failed = problem("internal", "Something went wrong; the trace id names the log line.")
            answer = problem_answer(failed, trace, close=True)
        if self._operations.draining:
            answer.force_close()
        self._counts.answered(name, answer.status)
        return answer

    async def _accept(self, request: web.BaseRequest, trace: str) -> Answer:
        reply = await self._notifications.accept(request, trace)
        content_type = JSON_TYPE if reply.status < 400 else PROBLEM_TYPE
        headers = reply.headers
        if headers:
            # The core's word on the type goes before ours; names of headers know no case.
            types = [text for name, text in headers.items() if name.lower() == "content-type"]
            content_type = types[0] if types else content_type
            headers = {n: text for n, text in headers.items() if n.lower() != "content-type"}
        return Answer(reply.status, reply.body, trace, content_type=content_type, headers=headers)

    def _log_problem(
        self, request: web.BaseRequest, error: ProblemError, trace: str, route: str
    ) -> None:
        say = self._log.warning if error.status >= 500 else self._log.info
        peer = request.transport.get_extra_info("peername") if request.transport else None
        address = caller_address(
            peer[0] if peer else "",
            request.headers.getall("X-Forwarded-For", []),
            self._config.settings.trusted_hops,
        )
        say(
            "request refused",
            trace=trace,
            route=route,
            method=request.method[:16],
            status=error.status,
            code=error.code,
            caller=self._log.hashed(address),
            ids=error.extra.get("message_ids", [])[:10],
        )


def _where(error: Exception) -> str:
    """Kind and place of what nobody expected; not its text, which may hold what callers sent."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    return " < ".join([type(error).__name__, *(f"{f.name}:{f.lineno}" for f in reversed(frames))])


def _no_route(methods: list[str]) -> ProblemError:
    if methods:
        detail = f"This path takes {', '.join(sorted(methods))}."
        headers = {"Allow": ", ".join(sorted(methods))}
        return problem("method_not_allowed", detail, headers=headers)
    return problem("not_found", "There is no such path; /openapi.json lists them.")
