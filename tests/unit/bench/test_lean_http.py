"""The lean caller measures answers by their length and patches nothing but the number."""

import pytest

from core.bench.lean.goal import Goal
from core.bench.lean.http import BadAnswerError, CallbackSink, Caller, Load, answer_length
from tests.unit.bench.fakes import FakeClock, FakeTransport

ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"


def test_length_of_a_whole_answer_and_of_two() -> None:
    assert answer_length(ANSWER) == len(ANSWER)
    assert answer_length(ANSWER + ANSWER[:10]) == len(ANSWER)


@pytest.mark.parametrize("cut", [1, 20, len(ANSWER) - 6, len(ANSWER) - 1])
def test_a_part_of_an_answer_has_no_length_yet(cut: int) -> None:
    assert answer_length(ANSWER[:cut]) == 0


def test_header_names_in_any_case_are_found() -> None:
    assert answer_length(ANSWER.replace(b"Content-Length", b"content-length")) == len(ANSWER)


def test_an_answer_without_length_is_refused() -> None:
    with pytest.raises(BadAnswerError):
        answer_length(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


def make(count: int = 2) -> tuple[Caller, Load, FakeTransport, FakeClock, list[Exception]]:
    clock = FakeClock()
    accepted = Goal(clock.now)
    accepted.aim(count)
    load = Load(b"<", b">", range(7, 7 + count), accepted=accepted, now=clock.now)
    errors: list[Exception] = []
    caller = Caller(load, errors.append)
    transport = FakeTransport()
    caller.connection_made(transport)
    return caller, load, transport, clock, errors


def test_one_request_under_way_and_the_next_after_the_answer() -> None:
    caller, load, transport, clock, errors = make()
    caller.go()
    assert transport.take() == b"<00000007>"
    clock.go(0.25)
    caller.data_received(ANSWER[:30])
    assert transport.take() == b""
    caller.data_received(ANSWER[30:])
    assert transport.take() == b"<00000008>"
    caller.data_received(ANSWER)
    assert transport.take() == b""
    assert load.accepted.count == 2
    assert load.accepted.reached.is_set()
    assert list(load.latencies_s) == [0.25, 0.0]
    assert errors == []


def test_refusals_are_counted_and_the_first_is_kept() -> None:
    caller, load, _, _, _ = make()
    caller.go()
    caller.data_received(ANSWER.replace(b"202 Accepted", b"503 Storage!"))
    caller.data_received(ANSWER.replace(b"202 Accepted", b"401 Whoareya"))
    assert load.refused == {"503": 1, "401": 1}
    assert "503 Storage!" in load.first_refusal
    assert load.accepted.count == 0


def test_a_connection_closed_under_a_request_ends_the_run_and_an_idle_one_does_not() -> None:
    caller, _, _, _, errors = make()
    caller.go()
    caller.connection_lost(None)
    assert len(errors) == 1
    caller, _, transport, _, errors = make()
    caller.close()
    caller.connection_lost(None)
    assert transport.closed
    assert errors == []


def test_callbacks_are_counted_wherever_the_pieces_are_cut() -> None:
    request = b"GET /dlr?d=1 HTTP/1.1\r\nHost: x\r\n\r\n"
    stream = request * 3
    for cut in range(1, len(stream)):
        calls = Goal(lambda: 1.0)
        sink = CallbackSink(calls)
        transport = FakeTransport()
        sink.connection_made(transport)
        sink.data_received(stream[:cut])
        sink.data_received(stream[cut:])
        assert calls.count == 3, cut
        assert transport.take().count(b"HTTP/1.1 200 OK") == 3
