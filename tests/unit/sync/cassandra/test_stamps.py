"""A write has one timestamp, however often it is repeated."""

from sync.store.cassandra.stamps import UNKNOWN_MAX, Stamps
from sync.store.port import PutFloor, PutRow


def test_timestamps_rise_although_the_clock_stands_or_goes_back() -> None:
    times = iter([100, 100, 50, 200])
    stamps = Stamps(lambda: next(times))
    assert [stamps.of(PutFloor("h", "c", b"")) for _ in range(4)] == [100, 101, 102, 200]


def test_what_is_unknown_keeps_its_timestamp_until_it_is_known() -> None:
    stamps = Stamps(lambda: 100)
    write, other = PutFloor("h", "c", b"1"), PutFloor("h", "c", b"1")
    first = stamps.of(write)
    stamps.answered(write, first, known=False)
    assert stamps.of(other) != first
    assert stamps.of(write) == first
    stamps.answered(write, first, known=True)
    assert stamps.of(write) != first


def test_a_log_row_is_known_by_its_number_though_it_is_made_anew() -> None:
    stamps = Stamps(lambda: 100)
    first = stamps.of(PutRow("log", 7, b"x"))
    assert stamps.of(PutRow("log", 7, b"x")) == first
    assert stamps.of(PutRow("another", 7, b"x")) != first
    assert stamps.of(PutRow("log", 8, b"y")) > first
    assert stamps.of(PutRow("log", 3, b"z", True, 42)) == 42
    assert stamps.of(PutRow("log", 8, b"y")) != 42


def test_only_so_many_are_remembered() -> None:
    stamps = Stamps(lambda: 100)
    writes = [PutFloor("h", f"c{n}", b"") for n in range(UNKNOWN_MAX + 1)]
    given = [stamps.of(write) for write in writes]
    for write, stamp in zip(writes, given, strict=True):
        stamps.answered(write, stamp, known=False)
    assert stamps.of(writes[0]) not in given
    assert [stamps.of(write) for write in writes[1:]] == given[1:]
