"""What checkers see of the store."""

from core.sim.store.truth import Truth
from sync.lease import Lease
from sync.records import Cancel, Place, encode
from sync.store.port import (
    ByIdRow,
    OpenRow,
    PutById,
    PutFloor,
    PutOpen,
    PutRow,
    Register,
    SwapLease,
    Write,
)
from tests.unit.sim.store.stage import EFFECT, LOCAL, Stage


def test_records_by_shard_and_home() -> None:
    truth = Truth(["a", "b"], 4)
    first, second = Cancel("x", 1, 5), Cancel("y", 2, 6)
    truth.put(PutRow(LOCAL, 1, encode([first, second])), 1)
    truth.put(PutRow(LOCAL, 1, encode([first, second])), 2)
    assert truth.of_shard("accept", "a", 2) == [(Place(LOCAL, 1, 1), second)]
    truth.put(PutRow(LOCAL, 2, encode([second])), 3)
    assert [place.row for place, _ in truth.of_shard("accept", "a", 2)] == [1, 2]
    assert truth.of_shard("accept", "b", 2) == []
    assert truth.records(LOCAL, 1) == [first, second]
    assert truth.records(LOCAL, 9) == []
    assert truth.changed == []


def test_a_row_of_a_revoked_incarnation_stands() -> None:
    truth = Truth(["a"], 4)
    truth.apply(SwapLease(None, Lease("c1", 1, "n", "revoked")))
    assert truth.put(PutRow(EFFECT, 1, b"x"), 1) == "ok"
    assert truth.rows(EFFECT, 1, 9) == [(1, b"x")]


def test_later_stamps_win_whenever_they_arrive() -> None:
    truth = Truth(["a"], 4)
    for stamp in (2, 1):
        truth.put(PutFloor("a", "c1", b"%d" % stamp), stamp)
        truth.put(PutOpen([OpenRow("a", 0, 1, "i", 1, stamp, b"")]), stamp)
        truth.put(Register("c1", "a", f"http://{stamp}", []), stamp)
    assert truth.floors("a") == {"c1": b"2"}
    assert [row.due_ms for row in truth.open.values()] == [2]
    assert truth.registered["c1"].url == "http://2"


def test_two_bodies_of_one_row_are_noticed() -> None:
    truth = Truth(["a"], 4)
    truth.put(PutRow(EFFECT, 1, b"one"), 1)
    truth.put(PutRow(EFFECT, 1, b"one"), 2)
    assert truth.changed == []
    truth.put(PutRow(EFFECT, 1, b"two"), 3)
    assert truth.changed == [(EFFECT, 1)]


def test_a_row_stands_also_where_another_of_its_write_is_hidden_by_a_later_one() -> None:
    stage = Stage(hint_window_s=0.1)
    one, other = ByIdRow("p", "one", 1, b"x"), ByIdRow("q", "other", 1, b"x")
    told: list[Write] = []
    stage.store.on_stands = lambda write, _: told.append(write)
    stage.network.isolate("a")
    assert stage.write("a", PutById([one, other])) == "unknown"
    stage.network.heal()
    stage.run(10.0)
    later = PutById([ByIdRow("q", "other", 2, b"y")])
    assert stage.write("b", later) == "ok"
    stage.run(1.0)
    assert told == [later]
    assert stage.read("a", stage.views["a"].by_ids(["one"])) == {"one": one}
    assert told == [later, PutById([one, other])]
    assert stage.read("c", stage.views["c"].by_ids(["other"])) == {"other": later.rows[0]}
