"""A core as an edge sees it: a real link server and a real internal HTTP, told how to behave.

`calls` holds each call as it came, repeats too. `reply` makes the answer to a call; None means
silence. `reset_next` drops the link after so many batches have come without answering them.
Without a `placement` it is one of an older release, which tells its region alone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import msgspec
from aiohttp import web

from core.contract.frames import (
    AcceptBatch,
    AcceptCall,
    AcceptReplies,
    AcceptReply,
    Frame,
    FrameReader,
    Hello,
    HelloOk,
    Leaving,
    MapServes,
    encode_frame,
)
from core.contract.internal import ChangesAnswer, KeyAnswer
from core.contract.keys import ApiKey, format_key, mint_key, secret_hash
from core.contract.requests import MessageBrief, NotificationAnswer
from sync.placement import PlacementMap

SECRET = "internal secret of the tests"
Page = web.StreamResponse | Awaitable[web.StreamResponse]
Reply = Callable[[AcceptCall], AcceptReply | None]


def accepted(call: AcceptCall) -> AcceptReply:
    """The answer of a core that took everything in."""
    briefs = [
        MessageBrief(id=each, channel="sms", status="accepted", region="local", index=index)
        for index, each in enumerate(call.ids)
    ]
    return AcceptReply(call.seq, 202, msgspec.json.encode(NotificationAnswer(call.ntf, briefs)))


class _Connection(asyncio.Protocol):
    def __init__(self, core: "FakeCore") -> None:
        self._core = core
        self._reader = FrameReader()
        self.greeted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self.transport = transport
        self._core.connections.append(self)

    def data_received(self, data: bytes) -> None:
        for frame in self._reader.feed(data):
            self._core.on_frame(self, frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self._core.connections.remove(self)

    def send(self, frame: Frame) -> None:
        self.transport.write(encode_frame(frame))  # type: ignore[attr-defined]


class FakeCore:
    """One core. Use as an async context manager; `address` is what the edge is told."""

    def __init__(
        self, region: str = "local", shards: int = 64, placement: PlacementMap | None = None
    ) -> None:
        self.secret = SECRET
        self.placement = placement
        self.strangers = 0
        self.region = region
        self.shards = shards
        self.calls: list[AcceptCall] = []
        self.batches: list[int] = []
        self.connections: list[_Connection] = []
        self.reply: Reply = accepted
        self.reset_next = 0
        self.keys: dict[str, KeyAnswer] = {}
        self.key_lookups = 0
        self.changed: list[str] = []
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: Callable[[web.Request], Page] | None = None
        self.link_port = 0
        self.http_port = 0
        self._link: asyncio.Server | None = None
        self._runner: web.AppRunner | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.link_port}/{self.http_port}"

    def add_key(self, tenant: str = "acme", scopes: tuple[str, ...] = ("send", "read")) -> str:
        """A new key as its owner would hold it."""
        count = len(self.keys) + 1
        key: ApiKey = mint_key(bytes([count]) * 40)
        digest = secret_hash(key.secret).hex()
        self.keys[key.id] = KeyAnswer(key.id, tenant, digest, list(scopes))
        return format_key(key)

    def revoke_all(self) -> None:
        for key_id, key in list(self.keys.items()):
            self.keys[key_id] = msgspec.structs.replace(key, revoked=True)
            self.changed.append(key_id)

    async def __aenter__(self) -> Self:
        await self.start_link()
        await self.start_http()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop_link()
        await self.stop_http()

    async def start_link(self) -> None:
        """Listen for edges; the port stays the same once it was chosen."""
        loop = asyncio.get_running_loop()
        self._link = await loop.create_server(
            lambda: _Connection(self), "127.0.0.1", self.link_port
        )
        self.link_port = self._link.sockets[0].getsockname()[1]

    async def stop_link(self) -> None:
        """Stop listening and reset every link, as a core that is killed would."""
        if self._link is not None:
            self._link.close()
            self._link = None
        self.reset_links()

    def reset_links(self) -> None:
        for connection in list(self.connections):
            connection.transport.abort()  # type: ignore[attr-defined]

    def leave(self) -> None:
        """Tell the edges to choose another core."""
        for connection in self.connections:
            connection.send(Leaving())

    def serve(self, placement: PlacementMap) -> None:
        """Accept by another version of the map from now on, and tell the edges."""
        self.placement = placement
        for connection in self.connections:
            connection.send(MapServes(placement))

    async def start_http(self) -> None:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{tail:.*}", self._http)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.http_port)
        await site.start()
        self.http_port = self._runner.addresses[0][1]

    async def stop_http(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def on_frame(self, connection: _Connection, frame: Frame) -> None:
        if isinstance(frame, Hello):
            if frame.secret != self.secret:
                self.strangers += 1
                connection.transport.close()  # type: ignore[attr-defined]
                return
            connection.greeted = True
            version = 1 if self.placement is None else self.placement.version
            incarnation = "0123456789abcdef"
            connection.send(HelloOk(self.region, self.shards, version, incarnation, self.placement))
        elif isinstance(frame, AcceptBatch):
            assert connection.greeted
            self.calls.extend(frame.calls)
            self.batches.append(len(frame.calls))
            if self.reset_next:
                self.reset_next -= 1
                connection.transport.abort()  # type: ignore[attr-defined]
                return
            replies = [reply for call in frame.calls if (reply := self.reply(call))]
            if replies:
                connection.send(AcceptReplies(replies))

    def answer_now(self, call: AcceptCall, reply: AcceptReply) -> None:
        """An answer that was held back."""
        assert reply.seq == call.seq
        self.connections[-1].send(AcceptReplies([reply]))

    async def _http(self, request: web.Request) -> web.StreamResponse:
        if request.headers["X-GouTong-Internal"] != self.secret:
            return web.Response(status=403)
        if request.path.startswith("/internal/keys/"):
            self.key_lookups += 1
            found = self.keys.get(request.path.rpartition("/")[2])
            if found is None:
                return web.Response(status=404)
            return _json(found)
        if request.path == "/internal/changes":
            since = int(request.query["since"])
            return _json(ChangesAnswer(len(self.changed), self.changed[since:]))
        body = await request.read()
        self.requests.append((request.method, request.raw_path, dict(request.headers), body))
        if self.answer is not None:
            answer = self.answer(request)
            return await answer if isinstance(answer, Awaitable) else answer
        headers = {"ETag": '"7"', "X-Hidden": "not for callers"}
        return web.json_response({"path": request.raw_path}, headers=headers)


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
