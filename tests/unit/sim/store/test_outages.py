"""Replicas that miss something, and how it comes to them."""

import pytest

from core.sim.store.faults import StoreFaults
from sync.store.port import OpenRow, PutFloor, PutOpen, StoreError
from tests.unit.sim.store.stage import EFFECT, LOCAL, Stage


def stands_on(stage: Stage, log: str = EFFECT) -> list[str]:
    """On which replicas each row of the log stands, as bits."""
    there = stage.store.rows.partitions.get(("log", log), {})
    width = stage.store.replicas.places
    return [f"{there[row].mask:0{width}b}" for row in sorted(there)]


def test_a_hint_brings_what_a_cut_off_region_missed() -> None:
    stage = Stage()
    stage.network.isolate("c")
    assert stage.row("a", EFFECT, 1) == "ok"
    stage.run(10)
    assert stands_on(stage) == ["011"]
    stage.network.heal()
    assert stands_on(stage) == ["011"]
    stage.run(10)
    assert stands_on(stage) == ["111"]
    assert stage.store.counts["hints delivered"] == 1


def test_after_the_hint_window_only_a_repair_brings_it() -> None:
    stage = Stage(hint_window_s=20.0)
    stage.network.isolate("c")
    stage.row("a", EFFECT, 1)
    stage.run(30)
    stage.row("a", EFFECT, 2)
    stage.network.heal()
    stage.run(10)
    assert stands_on(stage) == ["011", "111"]
    assert stage.rows("c", EFFECT, local=True) == []
    assert stage.store.repair("c")
    assert stage.rows("c", EFFECT, local=True) == [b"x", b"x"]
    assert stage.store.counts["hints expired"] == 1


def test_a_repair_needs_a_majority_and_works_both_ways() -> None:
    stage = Stage(hint_window_s=0.0)
    stage.network.isolate("c")
    stage.row("a", EFFECT, 1)
    stage.row("c", LOCAL, 1)
    assert not stage.store.repair("c")
    stage.network.heal()
    assert stage.store.repair("c")
    assert (stands_on(stage), stands_on(stage, LOCAL)) == (["111"], ["111"])


def test_what_hints_complete_stands_at_its_level() -> None:
    stage = Stage()
    stage.network.isolate("a")
    stage.row("a", EFFECT, 1)
    assert stage.store.stands.logs == {}
    stage.network.heal()
    stage.run(10)
    assert stage.store.stands.logs == {EFFECT: {1: b"x"}}


def test_a_replica_that_is_down_answers_nothing_and_gets_hints() -> None:
    stage = Stage()
    stage.store.outages.take_down(1, 5.0)
    assert stage.row("a", EFFECT, 1) == "ok"
    assert stage.row("b", EFFECT, 2) == "unknown"  # its region has no other replica
    with pytest.raises(StoreError):
        stage.rows("b", EFFECT)
    assert stands_on(stage) == ["101"]
    stage.run(15)
    assert stands_on(stage) == ["111"]
    assert stage.rows("b", EFFECT) == [b"x"]


def test_of_three_replicas_one_may_be_down() -> None:
    stage = Stage(replicas=3)
    stage.store.outages.take_down(0, 60.0)
    stage.network.isolate("a")
    assert stage.row("a", LOCAL, 1) == "ok"
    assert stage.rows("a", LOCAL, local=True) == [b"x"]
    stage.store.outages.take_down(1, 60.0)
    assert stage.row("a", LOCAL, 2) == "unknown"


def test_two_outages_of_one_replica_end_with_the_later() -> None:
    stage = Stage()
    stage.store.outages.take_down(0, 5.0)
    stage.store.outages.take_down(0, 1.0)
    stage.run(2)
    assert stage.store.replicas.down == 0b001
    stage.run(4)
    assert stage.store.replicas.down == 0


def test_a_replica_that_lost_its_data_is_rebuilt_before_it_answers() -> None:
    stage = Stage()
    stage.network.isolate("c")
    stage.row("a", EFFECT, 1)
    stage.network.heal()
    stage.store.outages.lose_data(0)
    assert stands_on(stage) == ["010"]
    assert stage.rows("b", EFFECT) == [b"x"]
    with pytest.raises(StoreError):
        stage.rows("a", EFFECT)
    assert stage.store.outages.rebuild(0)
    assert stage.rows("a", EFFECT, local=True) == [b"x"]


def test_a_rebuild_waits_for_enough_others() -> None:
    stage = Stage()
    stage.store.outages.lose_data(0)
    stage.network.cut("a", "b")
    assert not stage.store.outages.rebuild(0)
    stage.network.heal()
    assert stage.store.outages.rebuild(0)


def test_hints_are_lost_with_the_replica_that_kept_them() -> None:
    stage = Stage()
    stage.network.isolate("a")
    stage.row("a", LOCAL, 1)
    stage.store.outages.lose_data(0)
    stage.network.heal()
    stage.store.outages.rebuild(0)
    stage.run(20)
    assert stage.rows("b", LOCAL) == []
    assert stage.store.truth.logs == {LOCAL: {1: b"x"}}


def test_tables_expire_by_age() -> None:
    stage = Stage()
    stage.row("a", EFFECT, 1)
    stage.write("a", PutFloor("a", "c1", b"old"))
    stage.run(100)
    stage.row("a", EFFECT, 2)
    stage.write("a", PutFloor("a", "c1", b"new"))
    stage.write("a", PutOpen([OpenRow("a", 0, 1, "i", 1, 5, b"x")]))
    assert stage.store.outages.expire(50) == 1
    view = stage.views["b"]
    assert stage.rows("b", EFFECT) == []
    assert stage.read("b", view.last_row(EFFECT)) == 2
    assert stage.read("b", view.floors("a")) == {"c1": b"new"}


def test_outages_come_by_themselves_and_end_with_the_faults() -> None:
    faults = StoreFaults(replica_down=0.05, replica_lost=0.02, down_max_s=3.0)
    stage = Stage(faults, replicas=3)
    answers = []
    for n in range(60):
        answers.append(stage.row("abc"[n % 3], EFFECT, n + 1))
        stage.run(1.0)
    counts = stage.store.counts
    assert counts["replica down"] > 5
    assert counts["replicas rebuilt"] > 1
    stage.store.faulty = False
    stage.run(30.0)
    assert stage.store.replicas.down == 0
    found = stage.read("a", stage.views["a"].rows(EFFECT, 1, 99))
    acknowledged = {n + 1 for n, answer in enumerate(answers) if answer == "ok"}
    there = stage.store.stands.logs[EFFECT]
    assert acknowledged <= set(there)
    assert [row for row, _ in found] == list(range(1, len(found) + 1))
