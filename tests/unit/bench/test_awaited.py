"""What `bench urgent` times: each number of the run once, from its request to the SMSC."""

import pytest

from core.bench.lean.awaited import Awaited
from core.bench.lean.goal import Goal
from core.bench.lean.http import Caller, Load
from core.bench.urgent import body
from tests.unit.bench.fakes import FakeClock, FakeTransport

ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


def test_only_the_runs_own_numbers_count_and_each_once() -> None:
    goal = Goal(lambda: 9.0)
    goal.aim(1)
    awaited = Awaited("4473", goal)
    awaited.sent(7, 1.0)
    awaited.arrived(b"447300000008", 1.1)
    awaited.arrived(b"447300000007", 1.25)
    awaited.arrived(b"447300000007", 3.0)
    assert list(awaited.took_s) == [pytest.approx(0.25)]
    assert (goal.count, goal.reached_at) == (1, 9.0)


def test_a_connection_waits_between_an_answer_and_the_next_request() -> None:
    clock, transport = FakeClock(), FakeTransport()
    load = Load(
        b"<",
        b">",
        range(2),
        accepted=Goal(clock.now),
        now=clock.now,
        pause=lambda then: clock.call_later(0.1, then),
    )
    caller = Caller(load, lambda _: None)
    caller.connection_made(transport)
    caller.go()
    assert transport.take() == b"<00000000>"
    caller.data_received(ANSWER)
    assert transport.take() == b""
    clock.go(0.2)
    assert transport.take() == b"<00000001>"
    caller.close()
    clock.go(1.0)
    assert transport.take() == b""


def test_the_request_names_its_class() -> None:
    head, tail = body("otp")
    assert '"class":"otp"' in head + "00000001" + tail
