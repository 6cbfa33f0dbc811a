"""The lean webhook sink counts each message once, however its bytes come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.bench.lean.goal import Goal
from core.bench.lean.hooks import HookSink, HookTally
from tests.unit.bench.fakes import FakeTransport


def call(number: int, name: str = "Content-Length") -> bytes:
    body = b'{"data":{"text":"bench-%08d and more"}}' % number
    return b"POST /hook HTTP/1.1\r\n%b: %d\r\nA: b\r\n\r\n%b" % (name.encode(), len(body), body)


def sink() -> tuple[HookSink, HookTally, FakeTransport]:
    tally = HookTally(Goal(lambda: 1.0))
    one, transport = HookSink(tally), FakeTransport()
    one.connection_made(transport)  # type: ignore[arg-type]
    return one, tally, transport


@given(st.lists(st.integers(1, 200), max_size=6))
def test_calls_are_counted_however_they_are_cut(cuts: list[int]) -> None:
    one, tally, transport = sink()
    data = call(1) + call(2, "content-length") + call(1)
    at = 0
    for cut in [*cuts, len(data)]:
        if data[at : at + cut]:
            one.data_received(data[at : at + cut])
        at += cut
    assert (tally.calls, tally.hooks.count) == (3, 2)
    assert b"".join(transport.written).count(b"200 OK") == 3


def test_a_new_run_begins_at_nought() -> None:
    one, tally, _ = sink()
    one.data_received(call(1))
    tally.begin()
    tally.hooks.aim(1)
    one.data_received(call(1))
    assert (tally.calls, tally.hooks.count) == (1, 1)


@pytest.mark.parametrize("head", [b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"])
def test_what_is_not_compared_is_cut_off(head: bytes) -> None:
    one, tally, transport = sink()
    one.data_received(head)
    assert tally.calls == 0
    assert transport.closed
