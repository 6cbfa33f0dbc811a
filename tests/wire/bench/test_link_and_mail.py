"""The load over the framed link against a core that only answers, and the aiosmtplib peer."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from core.bench.cli import parser, plan_of
from core.bench.cycle import sms_body
from core.bench.lean.wire import RunResult, RunSpec
from core.bench.leanctl import Lean
from core.bench.mail_cycle import SmtpPeer
from core.bench.plan import PHONE_HEAD
from core.contract.frames import (
    AcceptBatch,
    AcceptCall,
    AcceptReplies,
    AcceptReply,
    FrameReader,
    Hello,
    HelloOk,
    encode_frame,
)
from core.contract.ids import parse_id, shard_of
from core.contract.requests import NotificationRequest, Target


class FakeCore(asyncio.Protocol):
    """Says hello, answers each call with `status`, and keeps the calls."""

    def __init__(self, calls: list[AcceptCall], status: int = 202) -> None:
        self._calls = calls
        self._status = status
        self._reader = FrameReader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert isinstance(self._transport, asyncio.Transport)
        for frame in self._reader.feed(data):
            if isinstance(frame, Hello):
                assert frame.secret == "s3"
                self._transport.write(encode_frame(HelloOk("eu", 64, 1, "inc")))
            elif isinstance(frame, AcceptBatch):
                self._calls += frame.calls
                replies = [AcceptReply(call.seq, self._status, b"{}") for call in frame.calls]
                self._transport.write(encode_frame(AcceptReplies(replies)))


async def over_link(status: int, timeout_s: float) -> tuple[RunResult, list[AcceptCall]]:
    calls: list[AcceptCall] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: FakeCore(calls, status), "127.0.0.1", 0)
    head, tail = sms_body()
    spec = RunSpec(
        "accepted",
        300,
        "127.0.0.1",
        server.sockets[0].getsockname()[1],
        head,
        tail,
        connections=2,
        depth=16,
        link_secret="s3",
        tenant="acme",
        recipient=PHONE_HEAD,
        timeout_s=timeout_s,
    )
    with Lean() as lean:
        seen = await asyncio.to_thread(lean.run, spec)
    server.close()
    await server.wait_closed()
    return seen, calls


async def test_calls_over_the_link_are_those_of_an_edge() -> None:
    seen, calls = await over_link(202, 20)
    assert (seen.error, seen.accepted) == ("", 300)
    assert seen.accept_s > 0
    assert sorted(call.seq for call in calls) == list(range(300))
    ids = {call.ids[0] for call in calls}
    assert len(ids) == 300
    for call in calls:
        request = msgspec.json.decode(call.body, type=NotificationRequest)
        assert isinstance(request.to, Target)
        assert request.to.phone is not None
        found = parse_id(call.ids[0])
        assert found is not None
        assert (found.home, found.shard) == ("eu", shard_of("acme", request.to.phone, 64))
        assert call.tenant == "acme"


async def test_refusals_over_the_link_are_reported() -> None:
    seen, _ = await over_link(503, 1)
    assert seen.refused == {"503": 300}
    assert "not reached" in seen.error


def test_aiosmtplib_sends_to_the_same_sink(tmp_path: Path) -> None:
    pytest.importorskip("aiosmtplib")
    plan = plan_of(parser().parse_args(["email", "--smtp-sessions", "3"]), tmp_path)
    with Lean() as lean, SmtpPeer(lean.ports.smtp, plan) as peer:
        for first in (0, 1_000):
            seen = peer.run(lean, first, 200)
            assert (seen.mails, seen.distinct) == (200, 200)
            assert 0 < seen.reached_s < 20
        (process,) = peer.processes()
        assert process.role == "aiosmtplib"
    assert not Path(f"/proc/{process.pid}").exists()
