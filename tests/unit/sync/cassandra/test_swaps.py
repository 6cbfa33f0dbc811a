"""Compare-and-set: what is asked of the store, and what its answers mean."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cassandra import InvalidRequest, OperationTimedOut

from sync.forced import PLAIN, Ruling
from sync.lease import Lease
from sync.serving import first_set
from sync.store.cassandra.levels import LOCAL, LOCAL_SERIAL, QUORUM, SERIAL, Levels
from sync.store.cassandra.session import Request
from sync.store.cassandra.swaps import NAME_AGAIN, Swaps, encoded
from sync.store.port import Answer, ShardRow, SwapLease, Swapped, SwapServing, SwapShards

ONE, TWO = Lease("c1", 1, "n1", "active"), Lease("c1", 2, "n2", "active")
ROWS = [ShardRow(0, "c9", 4), ShardRow(1, "", 0), ShardRow(2, "", 0)]


class Store:
    """What is sent, and the swaps under test; `answers` are given in order."""

    def __init__(self, *answers: Any, ruling: Ruling = PLAIN) -> None:
        self.sent: list[Request] = []
        self._answers = list(answers)
        self.told: list[Answer] = []
        self.readable = True
        levels = Levels(ruling, "eu")
        self.swaps = Swaps(
            self,  # type: ignore[arg-type] # the part of a session that swaps need
            lambda name, _: name,
            levels,
            ruling,
            lambda _: 3,
            self._read,
        )

    def send(self, request: Request, told: Any, ahead: bool) -> None:
        assert ahead
        self.sent.append(request)
        answer = self._answers.pop(0)
        told(*((None, answer) if isinstance(answer, Exception) else (answer, None)))

    def _read(self, _: str, told: Callable[[list[ShardRow] | None], None]) -> None:
        told(ROWS if self.readable else None)

    def do(self, write: Any) -> Answer:
        self.swaps.submit(write, self.told.append)
        return self.told.pop()

    @property
    def names(self) -> list[list[Any]]:
        return [[statement for statement, _ in request.parts] for request in self.sent]


def applied(yes: bool, **columns: Any) -> list[dict[str, Any]]:
    return [{"[applied]": yes, **columns}]


def test_a_first_lease_is_named_before_it_stands() -> None:
    store = Store([], applied(True))
    assert store.do(SwapLease(None, ONE)) == Swapped(True, lease=ONE)
    assert store.names == [["lease_name"], ["lease_first"]]
    assert [(r.level, r.serial) for r in store.sent] == [(QUORUM, None), (QUORUM, SERIAL)]
    failing = Store(OperationTimedOut())
    assert failing.do(SwapLease(None, ONE)) == "unknown"
    assert failing.names == [["lease_name"]]


def test_a_renewal_names_its_lease_now_and_then() -> None:
    store = Store(applied(True), [], applied(True))
    assert store.do(SwapLease(ONE, TWO)) == Swapped(True, lease=TWO)
    later = Lease("c1", NAME_AGAIN, "n", "active")
    assert store.do(SwapLease(TWO, later)) == Swapped(True, lease=later)
    assert store.names == [["lease_next"], ["lease_name"], ["lease_next"]]


def test_any_failure_is_unknown_and_a_mistake_is_raised() -> None:
    assert Store(OperationTimedOut()).do(SwapLease(ONE, TWO)) == "unknown"
    with pytest.raises(InvalidRequest):
        Store(InvalidRequest("no such table")).do(SwapLease(ONE, TWO))


def test_a_refusal_shows_what_stands() -> None:
    shown = Store(applied(False, body=encoded(TWO))).do(SwapLease(ONE, TWO))
    assert shown == Swapped(False, lease=TWO)
    assert Store(applied(False)).do(SwapLease(ONE, TWO)) == Swapped(False, lease=None)


def test_an_equal_row_in_the_bytes_of_another_release_is_what_was_expected() -> None:
    short = msgspec.msgpack.encode(["c1", 1, "n1", "active"])
    store = Store(applied(False, body=short), applied(True))
    assert store.do(SwapLease(ONE, TWO)) == Swapped(True, lease=TWO)
    assert store.sent[1].parts[0][1][-1] == short
    row = first_set(["eu", "us"], "n1")
    other = msgspec.msgpack.encode({**msgspec.to_builtins(row), "later": 1})
    store = Store(applied(False, body=other), applied(False, body=encoded(row)))
    after = first_set(["eu"], "n2")
    assert store.do(SwapServing(row, after)) == Swapped(False, serving=row)
    assert len(store.sent) == 2


def test_shards_that_nobody_had_have_no_row() -> None:
    store = Store(applied(True))
    given = [ShardRow(0, "c1", 5), ShardRow(1, "c1", 1)]
    assert store.do(SwapShards("h", ROWS[:2], "c1")) == Swapped(True, shards=given)
    assert store.names == [["shard_next", "shard_first"]]


def test_refused_shards_are_read_all_of_them() -> None:
    store = Store(applied(False), applied(False))
    assert store.do(SwapShards("h", ROWS[:1], "c1")) == Swapped(False, shards=ROWS)
    store.readable = False
    assert store.do(SwapShards("h", ROWS[:1], "c1")) == "unknown"
    assert store.do(SwapShards("h", [ShardRow(3, "", 0)], "c1")) == "unknown"
    assert len(store.sent) == 2


def test_a_region_that_is_alone_has_leases_and_shards_of_its_number() -> None:
    ruling = Ruling(2, frozenset({"eu"}), alone=True)
    store = Store([], applied(True), applied(True), ruling=ruling)
    store.do(SwapLease(None, ONE))
    free = ShardRow(0, "", 2 << 40)
    store.do(SwapShards("h", [free], "c1"))
    assert [(r.level, r.serial) for r in store.sent[1:]] == [(LOCAL, LOCAL_SERIAL)] * 2
    assert store.sent[1].parts[0][1][:2] == ("c1", 2)
    assert store.names[2] == ["shard_first"]
    assert store.sent[2].parts[0][1][:3] == ("h", 2, 0)
