"""The calls of a session against a clock of the test's own."""

from functools import partial

from core.providers.port import Call, Outcome, OutMessage
from core.providers.smpp import Settings
from core.providers.smpp.classify import status_table
from core.providers.smpp.flight import Flight
from core.providers.smpp.window import Window


class Bench:
    """A window, its clock, and what it told."""

    def __init__(self, window: int = 50) -> None:
        self.now = 0.0
        self.told: list[tuple[str, Outcome]] = []
        self.lates: list[tuple[str, Outcome]] = []
        self.carried: list[Flight] = []
        settings = Settings(host="h", system_id="us", window=window, response_timeout_ms=10_000)
        self.window = Window(
            settings,
            status_table({}, settings.throttle_wait_ms),
            lambda ref, outcome: self.lates.append((ref, outcome)),
            self.carried.append,
            lambda: self.now,
        )

    def write(self, ref: str, parts: int = 1) -> None:
        """Submit a call and write it at once."""
        call = Call(
            OutMessage(ref, "+4477"), lambda: True, lambda told: self.told.append((ref, told))
        )
        self.window.submit(call, [b"body"] * parts)
        self.window.begun(len(self.window.gather()))


def test_calls_time_out_in_the_order_of_writing() -> None:
    bench = Bench()
    for ref in ("a", "b", "c"):
        bench.write(ref)
        bench.now += 1
    bench.now = 10.9
    bench.window.expire(bench.now)
    assert [ref for ref, _ in bench.told] == ["a"]
    assert bench.window.room() == 48
    # The answer to the first is late now, the second's is not.
    assert bench.window.answered(1, 0, b"x\0")
    assert bench.window.answered(2, 0, b"y\0")
    assert bench.lates == [("a", Outcome("accepted", "x"))]
    assert bench.told[1:] == [("b", Outcome("accepted", "y"))]
    assert not bench.window.answered(2, 0, b"y\0")


def test_answers_that_come_too_late_are_remembered_in_bounds() -> None:
    bench = Bench()
    for number in range(10_001):
        bench.write(str(number))
        bench.now += 11
        bench.window.expire(bench.now)
    assert not bench.window.answered(1, 0, b"x\0")
    assert bench.window.answered(2, 0, b"x\0")
    assert bench.lates == [("1", Outcome("accepted", "x"))]


def test_a_message_that_can_be_repeated_here_no_more_is_handed_on() -> None:
    bench = Bench()
    bench.write("long", parts=2)
    bench.window.answered(1, 0, b"x\0")
    bench.window.drop_queue("the SMSC unbinds")
    assert bench.carried == []
    bench.window.answered(2, 0x58, b"")
    [flight] = bench.carried
    assert (bench.window.calls, bench.told) == (0, [])
    other = Bench()
    other.window.adopt(flight)
    other.now = 1
    other.window.expire(other.now)
    other.window.begun(len(other.window.gather()))
    other.window.answered(1, 0, b"y\0")
    assert bench.told == [("long", Outcome("accepted", "x,y"))]
    assert other.window.calls == 0


def test_repeating_ends_in_time() -> None:
    bench = Bench()
    bench.write("long", parts=2)
    bench.window.answered(1, 0, b"x\0")
    bench.window.answered(2, 0x58, b"")
    bench.now = 30.1
    bench.window.expire(bench.now)
    bench.window.begun(len(bench.window.gather()))
    bench.window.answered(3, 0x58, b"")
    detail = "part 2 of 2 not taken"
    assert bench.told == [("long", Outcome("accepted", "x,", "partial:0x00000058", detail))]


def test_sequence_numbers_start_again_before_the_reserved_one() -> None:
    bench = Bench()
    bench.window._sequence = 0x7FFFFFFD
    bench.write("long", parts=3)
    for sequence in (0x7FFFFFFE, 1, 2):
        assert bench.window.answered(sequence, 0, b"x\0")
    assert [outcome.provider_id for _, outcome in bench.told] == ["x,x,x"]


def test_calls_that_could_not_begin_are_asked_again_and_keep_their_order() -> None:
    bench = Bench()
    answers = {"a": [True], "b": [True, True], "c": [True, False]}
    for ref, left in answers.items():
        call = Call(
            OutMessage(ref, "+4477"),
            partial(left.pop, 0),
            lambda outcome, ref=ref: bench.told.append((ref, outcome)),  # type: ignore[misc]
        )
        bench.window.submit(call, [ref.encode()])
    assert [chunk[16:] for chunk in bench.window.gather()] == [b"a", b"b", b"c"]
    bench.window.begun(1)
    assert bench.window.room() == 47
    assert [chunk[16:] for chunk in bench.window.gather()] == [b"b"]
    assert bench.told == [], "nothing is told between the guards and the write"
    bench.window.begun(1)
    assert bench.told == [("c", Outcome("withdrawn"))]
    assert answers == {"a": [], "b": [], "c": []}
    assert bench.window.room() == 48
