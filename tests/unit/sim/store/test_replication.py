"""Replicas that join and leave: who counts for a quorum since when, and what they have."""

import pytest

from core.sim.store.faults import StoreFaults
from core.sim.store.replicator import SimReplicator
from sync.store.port import PutRow, StoreError
from tests.unit.sim.store.stage import EFFECT, LOCAL, Stage

ONE_EACH = {"a": 1, "b": 1, "c": 1}
TWO_AT_A = {"a": 2, "b": 1, "c": 1}


def replicator(stage: Stage, region: str = "a") -> SimReplicator:
    return SimReplicator(stage.store, stage.processes[region])


def having(stage: Stage, row: int = 1, log: str = EFFECT) -> int:
    """How many of the replicas that hold the keyspace have the row."""
    version = stage.store.rows.partitions[("log", log)][row]
    return (version.mask & stage.store.replicas.newest.all).bit_count()


def altered(stage: Stage, counts: dict[str, int], region: str = "a") -> None:
    stage.read(region, replicator(stage, region).alter("k", counts, 1.0))


def test_a_replica_that_joins_is_empty_until_it_is_rebuilt() -> None:
    stage = Stage(replicas=3, counts=ONE_EACH)
    stage.row("a", EFFECT, 1)
    stage.run(1)
    altered(stage, TWO_AT_A)
    assert stage.read("b", replicator(stage, "b").replicas("k")) == TWO_AT_A
    assert having(stage) == 3
    stage.read("a", replicator(stage).rebuild("k", "a"))
    assert having(stage) == 4


def test_what_it_had_before_it_left_is_gone_when_it_joins_again() -> None:
    stage = Stage(replicas=3, counts=TWO_AT_A)
    stage.row("a", EFFECT, 1)
    stage.run(1)
    assert having(stage) == 4
    altered(stage, ONE_EACH)
    altered(stage, TWO_AT_A)
    assert having(stage) == 3


def test_coordinators_follow_one_after_the_other_and_those_cut_off_later() -> None:
    stage = Stage(replicas=3, counts=ONE_EACH)
    stage.network.isolate("c")
    with pytest.raises(StoreError):
        altered(stage, TWO_AT_A)
    replicas = stage.store.replicas
    assert [replicas.at(region).counts() for region in "abc"] == [TWO_AT_A, TWO_AT_A, ONE_EACH]
    assert not replicas.agreed
    stage.network.heal()
    altered(stage, TWO_AT_A)  # asked again: it only waits for the last one
    assert replicas.agreed
    assert stage.store.counts["replication altered"] == 1


def test_a_write_under_way_keeps_the_requirement_that_it_began_with() -> None:
    stage = Stage(replicas=3, counts=ONE_EACH)
    stage.network.cut("a", "c")
    stage.network.cut("a", "b")
    answers = stage.submit("a", _row())  # on a's replica alone so far; it needs two of three
    stage.network.heal()
    altered(stage, TWO_AT_A)
    stage.run(5)  # hints
    mutation = stage.store.rows.partitions[("log", EFFECT)][1].mutation
    assert mutation is not None
    assert (mutation.needs, mutation.stands, answers) == (2, True, ["unknown"])
    assert having(stage) == 3
    assert stage.row("b", EFFECT, 2) == "ok"
    later = stage.store.rows.partitions[("log", EFFECT)][2].mutation
    assert later is not None
    assert later.needs == 3


def test_a_quorum_needs_more_replicas_as_soon_as_its_coordinator_knows() -> None:
    stage = Stage(replicas=3, counts=ONE_EACH)
    altered(stage, TWO_AT_A)
    altered(stage, {"a": 3, "b": 1, "c": 1})
    stage.network.halves(["a"])
    assert stage.row("a", EFFECT, 1) == "ok"  # three of five
    assert stage.row("b", EFFECT, 2) == "unknown"


def test_a_region_without_a_replica_can_neither_write_nor_read() -> None:
    stage = Stage(replicas=3, counts=ONE_EACH)
    altered(stage, {"a": 1, "b": 1})
    assert stage.row("c", LOCAL.replace("c1", "c2"), 1) == "unknown"
    with pytest.raises(StoreError):
        stage.rows("c", EFFECT)
    assert stage.row("a", EFFECT, 1) == "ok"
    altered(stage, ONE_EACH)
    stage.read("c", replicator(stage, "c").rebuild("k", "c"))
    assert stage.rows("c", EFFECT) == [b"x"]


def test_a_repair_that_falls_short_is_found_by_the_verification() -> None:
    stage = Stage(StoreFaults(repair_short=1.0), replicas=3, counts=ONE_EACH)
    for row in range(1, 9):
        stage.row("a", EFFECT, row)
    stage.run(1)
    altered(stage, TWO_AT_A)
    at = replicator(stage)
    stage.read("a", at.repair("k"))
    assert stage.read("a", at.verify("k")) is False
    stage.store.faulty = False
    stage.read("a", at.repair("k"))
    assert stage.read("a", at.verify("k")) is True


def test_repairs_need_every_replica() -> None:
    stage = Stage(replicas=3, counts=ONE_EACH)
    stage.network.isolate("b")
    at = replicator(stage)
    for asked in (at.repair("k"), at.paxos_repair("k"), at.verify("k")):
        with pytest.raises(StoreError):
            stage.read("a", asked)


def _row() -> PutRow:
    return PutRow(EFFECT, 1, b"x")
