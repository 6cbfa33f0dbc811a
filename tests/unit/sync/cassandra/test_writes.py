"""Which requests a write is made of: rows of one partition together, within bounds."""

from typing import Any

import pytest

from sync.forced import PLAIN
from sync.store.cassandra.levels import LOCAL, QUORUM, Levels
from sync.store.cassandra.session import Request
from sync.store.cassandra.settings import CassandraSettings
from sync.store.cassandra.writes import Writes
from sync.store.port import ByIdRow, OpenRow, PutById, PutOpen, PutRow, PutViews, ViewRow, Write

DAY_US = 86_400_000_000
NOW_US = 1_700_000_000_000_000


def requests(write: Write, made: Writes | None = None, **others: Any) -> list[Request]:
    writes = made or written(**others)
    return writes.requests(write, 5, Levels(PLAIN, "eu"))


def written(**others: Any) -> Writes:
    settings = CassandraSettings(("127.0.0.1",), "eu", {"eu": 1}, **others)
    return Writes(settings, lambda name, home: (name, home), lambda: NOW_US)


def names(request: Request) -> list[str]:
    return [statement[0] for statement, _ in request.parts]


def test_by_id_rows_go_by_partition_in_batches_within_bounds() -> None:
    rows = [ByIdRow(f"h.{n % 2}", f"h-{n}", 1, b"x" * 10, n) for n in range(14)]
    made = requests(PutById(rows), batch_rows_max=3)
    assert sorted(len(request.parts) for request in made) == [1, 1, 3, 3, 3, 3]
    for request in made:
        assert len({values[0] for _, values in request.parts}) == 1
    assert sorted(values[1] for r in made for _, values in r.parts) == sorted(r.id for r in rows)


def test_a_batch_is_bounded_in_bytes_and_a_large_row_goes_alone() -> None:
    rows = [ViewRow("p", "k", n, "w", n, b"x" * size) for n, size in enumerate((400, 400, 3000, 1))]
    made = requests(PutViews(rows), batch_bytes_max=1100)
    assert [len(request.parts) for request in made] == [2, 1, 1]
    assert {request.level for request in made} == {LOCAL}


def test_an_open_entry_and_its_place_in_the_order_are_one_mutation() -> None:
    rows = [OpenRow("h", n % 2, 7, f"h-{n}", 1, n, b"x" * 90) for n in range(9)]
    made = requests(PutOpen(rows), batch_rows_max=5, batch_bytes_max=700)
    assert all(names(request) == ["open", "due"] * (len(request.parts) // 2) for request in made)
    for request in made:
        assert len({tuple(values[:3]) for _, values in request.parts}) == 1
    assert sum(len(request.parts) for request in made) == 18


def test_the_newest_partition_of_a_log_is_named_once() -> None:
    writes = written()
    log = "effect.h.urgent.c1.0"
    assert [names(r) for r in requests(PutRow(log, 1, b"x"), writes)] == [["row"], ["head"]]
    writes.row_stands(PutRow(log, 1, b"x"))
    assert [names(r) for r in requests(PutRow(log, 2, b"x"), writes)] == [["row"]]
    assert [names(r) for r in requests(PutRow(log, 1024, b"x"), writes)] == [["row"], ["head"]]
    again = requests(PutRow(log, 2, b"x", at_quorum=True), writes)
    assert [names(r) for r in again] == [["row"], ["head"]]
    assert {request.level for request in again} == {QUORUM}


def test_a_row_that_is_written_again_lives_no_longer_than_it_would_have() -> None:
    settings: dict[str, Any] = {"ttl_s": 10 * 86_400}
    log = "accept.h.normal_local.c1.0"
    for lived_us, left_s in ((3 * DAY_US, 7 * 86_400), (11 * DAY_US, 1), (-DAY_US, 10 * 86_400)):
        row = requests(PutRow(log, 1, b"x", True, NOW_US - lived_us), **settings)[0]
        assert names(row) == ["row_again"]
        assert row.parts[0][1][-1] == left_s


def test_a_row_that_is_too_large_is_refused_wherever_it_stands() -> None:
    large = b"x" * 101
    for write in (
        PutRow("effect.h.urgent.c1.0", 1, large),
        PutById([ByIdRow("h.0", "h-1", 1, large)]),
        PutOpen([OpenRow("h", 0, 7, "h-1", 1, 1, large)]),
    ):
        with pytest.raises(ValueError, match="row_bytes_max"):
            requests(write, row_bytes_max=100)


def test_a_write_without_rows_asks_for_nothing() -> None:
    assert requests(PutById([])) == []
