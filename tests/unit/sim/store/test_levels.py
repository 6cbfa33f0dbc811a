"""What is answered when replicas are out of reach, and who sees what then."""

import pytest

from core.sim.network import NetworkRates
from core.sim.store.faults import StoreFaults
from sync.store.port import (
    ByIdRow,
    OpenRow,
    PutById,
    PutFloor,
    PutKey,
    PutOpen,
    PutPending,
    PutProviderIds,
    PutRow,
    PutViews,
    Register,
    StoreError,
    ViewRow,
    Write,
)
from tests.unit.sim.store.stage import EFFECT, GLOBAL, LOCAL, Stage

AT_QUORUM: list[Write] = [
    PutRow(EFFECT, 1, b"x"),
    PutRow(GLOBAL, 1, b"x"),
    PutById([ByIdRow("p", "i", 1, b"x")]),
    PutOpen([OpenRow("a", 0, 1, "i", 1, 5, b"x")]),
    PutFloor("a", "c1", b"x"),
    PutProviderIds("acc", 1, "c1", 1, b"x"),
    PutPending("acc", "p", b"x"),
    Register("c1", "a", "", [], at_quorum=True),
]
IN_THE_REGION: list[Write] = [
    PutRow(LOCAL, 1, b"x"),
    PutKey("t", "k", b"x"),
    PutViews([ViewRow("p", "k", 1, "c1", 1, b"x")]),
    Register("c1", "a", "", []),
]


def kind(write: Write) -> str:
    return type(write).__name__


@pytest.mark.parametrize("write", AT_QUORUM, ids=kind)
def test_a_majority_is_needed(write: Write) -> None:
    stage = Stage()
    assert stage.write("a", write) == "ok"
    stage = Stage()
    stage.network.cut("a", "b")
    assert stage.write("a", write) == "ok"
    stage = Stage()
    stage.network.isolate("a")
    assert stage.write("a", write) == "unknown"


@pytest.mark.parametrize("write", IN_THE_REGION, ids=kind)
def test_the_own_region_is_enough(write: Write) -> None:
    stage = Stage()
    stage.network.isolate("a")
    assert stage.write("a", write) == "ok"
    assert stage.scheduler.now < 0.1


def test_unknown_is_answered_at_the_time_out() -> None:
    stage = Stage()
    stage.network.isolate("a")
    stage.row("a", EFFECT, 1)
    assert 1.0 <= stage.scheduler.now < 1.02


def test_acknowledgements_that_do_not_come_back_do_not_count() -> None:
    stage = Stage()
    stage.network.cut_one_way("b", "a")
    stage.network.cut_one_way("c", "a")
    assert stage.row("a", EFFECT, 1) == "unknown"
    stage.run(1)
    assert stage.rows("b", EFFECT) == [b"x"]


def test_reads_need_a_majority_and_local_ones_only_the_region() -> None:
    stage = Stage()
    stage.row("a", LOCAL, 1)
    stage.network.isolate("a")
    with pytest.raises(StoreError):
        stage.rows("a", LOCAL)
    assert stage.rows("a", LOCAL, local=True) == [b"x"]
    assert stage.read("a", stage.views["a"].key("t", "k")) is None


def test_a_local_row_is_found_in_the_writers_region_alone_until_it_has_spread() -> None:
    stage = Stage()
    stage.network.isolate("a")
    assert stage.row("a", LOCAL, 1) == "ok"
    assert stage.rows("b", LOCAL) == []
    assert stage.rows("b", LOCAL, local=True) == []
    assert stage.rows("a", LOCAL, local=True) == [b"x"]
    stage.network.heal()
    stage.run(6)
    assert stage.rows("b", LOCAL, local=True) == [b"x"]


def test_whatever_a_quorum_read_saw_is_seen_by_the_next() -> None:
    stage = Stage()
    stage.network.isolate("a")
    assert stage.row("a", EFFECT, 1) == "unknown"  # on a's replica alone
    stage.network.heal()
    assert stage.rows("a", EFFECT) == [b"x"]
    assert stage.store.counts["read repairs"] == 1
    stage.network.isolate("a")
    assert stage.rows("b", EFFECT) == [b"x"]
    assert stage.rows("c", EFFECT) == [b"x"]


def test_a_torn_write_is_unknown_and_on_a_minority() -> None:
    stage = Stage(StoreFaults(write_torn=1.0), replicas=3)
    assert stage.row("a", EFFECT, 1) == "unknown"
    stage.run(10)
    (version,) = stage.store.rows.partitions[("log", EFFECT)].values()
    assert 1 <= version.mask.bit_count() <= 4
    assert stage.store.stands.logs == {}
    assert stage.store.truth.logs == {EFFECT: {1: b"x"}}


def test_of_several_partitions_some_are_left_out_each_whole() -> None:
    rows = [OpenRow("a", n % 3, 1, f"i{n}", 1, 5, b"x") for n in range(12)]
    counts = set()
    for seed in range(20):
        stage = Stage(StoreFaults(write_torn=1.0), seed=seed)
        assert stage.write("a", PutOpen(rows)) == "unknown"
        shards = [key[2] for key in stage.store.truth.open]
        assert all(shards.count(shard) == 4 for shard in set(shards))
        counts.add(len(set(shards)))
        stage.store.faulty = False
        assert stage.write("a", PutOpen(rows)) == "ok"
        assert len(stage.store.truth.open) == 12
    assert {1, 2} <= counts


@pytest.mark.parametrize(
    ("faults", "answer", "stands"),
    [
        (StoreFaults(write_lost=1.0), "unknown", False),
        (StoreFaults(write_unheard=1.0), "unknown", True),
        (StoreFaults(write_full=1.0), "full", False),
    ],
)
def test_faults_of_writes(faults: StoreFaults, answer: str, stands: bool) -> None:
    stage = Stage(faults)
    assert stage.row("a", EFFECT, 1) == answer
    assert (stage.rows("b", EFFECT) == [b"x"]) == stands
    stage.store.faulty = False
    assert stage.row("a", EFFECT, 2) == "ok"


def test_a_late_write_lands_after_it_was_given_up() -> None:
    stage = Stage(StoreFaults(write_late=1.0))
    landed: list[float] = []
    stage.store.on_applied = lambda _write, _region: landed.append(stage.scheduler.now)
    assert stage.row("a", EFFECT, 1) == "unknown"
    assert landed == []
    stage.run(5)
    assert len(landed) == 3
    assert min(landed) >= 1.0
    assert max(landed) < 4.5


def test_of_floors_the_latest_stays_though_an_earlier_one_lands_later() -> None:
    stage = Stage()
    late = Stage(StoreFaults(write_late=1.0))
    for it in (stage, late):
        it.submit("a", PutFloor("a", "c1", b"1"))
        it.store.faulty = False
        assert it.write("a", PutFloor("a", "c1", b"2")) == "ok"
        it.run(6)
        assert it.read("b", it.views["b"].floors("a")) == {"c1": b"2"}
        assert it.store.truth.floors("a") == {"c1": b"2"}


def test_timestamps_rise_though_the_wall_clock_goes_back() -> None:
    stage = Stage()
    stage.write("a", PutFloor("a", "c1", b"1"))
    stage.processes["a"].wall_ahead_ms = -5000
    stage.write("a", PutFloor("a", "c1", b"2"))
    assert stage.read("a", stage.views["a"].floors("a")) == {"c1": b"2"}


def test_a_repeated_write_keeps_its_timestamp() -> None:
    stage = Stage()
    first, second = PutFloor("a", "c1", b"1"), PutFloor("a", "c1", b"2")
    stage.network.isolate("a")
    assert stage.write("a", first) == "unknown"
    stage.network.heal()
    assert stage.write("a", second) == "ok"
    assert stage.write("a", first) == "ok"
    assert stage.read("b", stage.views["b"].floors("a")) == {"c1": b"2"}


def test_rows_of_a_revoked_incarnation_can_land_and_a_second_body_is_noticed() -> None:
    stage = Stage()
    stage.row("a", EFFECT, 1, b"one")
    stage.row("b", EFFECT, 1, b"two")
    assert stage.rows("c", EFFECT) == [b"one"]
    assert stage.store.truth.changed == [(EFFECT, 1)]


def test_a_slow_read_is_answered_or_fails_at_the_time_out() -> None:
    stage = Stage(StoreFaults(read_slow=1.0))
    failed = 0
    for _ in range(20):
        begun_s = stage.scheduler.now
        try:
            stage.rows("a", EFFECT)
        except StoreError:
            failed += 1
        assert stage.scheduler.now - begun_s < 1.1
    assert 0 < failed < 20


def test_losses_of_the_network_reach_the_store() -> None:
    stage = Stage(rates=NetworkRates(loss=0.6))
    answers = [stage.row("a", EFFECT, n + 1) for n in range(40)]
    assert {"ok", "unknown"} == set(answers)
    stage.network.faulty = False
    stage.run(10)
    assert stage.store.hints.waiting() == 0
    assert all(version.mask == 0b111 for version in stage.store.rows.versions())


def test_a_process_dies_before_or_after_a_write() -> None:
    landed = set()
    for seed in range(12):
        stage = Stage(StoreFaults(crash_at_write=1.0), seed=seed)
        assert stage.submit("a", PutRow(EFFECT, 1, b"x")) == []
        assert stage.processes["a"].dead
        stage.run(3)
        landed.add(stage.rows("b", EFFECT) == [b"x"])
    assert landed == {True, False}


def test_a_fault_can_be_noted_and_forbidden() -> None:
    stage = Stage(StoreFaults(write_lost=1.0))
    asked: list[tuple[int, str, str]] = []

    def permit(number: int, what: str, whom: str) -> bool:
        asked.append((number, what, whom))
        return number != 2

    stage.store.permit = permit
    answers = [stage.row("a", EFFECT, n) for n in (1, 2, 3)]
    assert answers == ["unknown", "ok", "unknown"]
    assert asked == [(n, "write lost", "core-a") for n in (1, 2, 3)]
    assert stage.store.counts["write lost"] == 2


def test_the_dead_get_no_answers_and_write_nothing() -> None:
    stage = Stage()
    answers = stage.submit("a", PutRow(EFFECT, 1, b"x"))
    stage.processes["a"].die("gone")
    stage.views["a"].submit(PutRow(EFFECT, 2, b"x"), answers.append)
    stage.run(3)
    assert answers == []
    assert stage.rows("b", EFFECT) == [b"x"]


@pytest.mark.parametrize("replicas", [1, 3])
def test_one_seed_one_world(replicas: int) -> None:
    faults = StoreFaults(write_lost=0.1, write_late=0.1, write_torn=0.1, read_fails=0.1)

    def world(seed: int) -> object:
        stage = Stage(faults, NetworkRates(loss=0.05, reorder=0.05), replicas, seed)
        landed: list[object] = []
        stage.store.on_applied = lambda w, r: landed.append((stage.scheduler.now, r, repr(w)))
        answers = [stage.row("abc"[n % 3], EFFECT, n + 1) for n in range(60)]
        return answers, landed, stage.store.counts, stage.scheduler.events

    assert world(3) == world(3)
    assert world(3) != world(4)


@pytest.mark.parametrize("replicas", [1, 3])
def test_a_row_written_again_at_quorum_stands_there_as_it_was(replicas: int) -> None:
    stage = Stage(StoreFaults(write_alone=1.0), replicas=replicas)
    assert stage.row("a", LOCAL, 1) == "ok"
    stage.run(60.0)
    assert stage.rows("b", LOCAL, local=True) == stage.rows("c", LOCAL, local=True) == []
    (again,) = stage.read("a", stage.views["a"].rows_here(LOCAL, 1, 9))
    stage.store.faulty = False
    assert stage.write("a", again) == "ok"
    stage.run(1.0)
    assert stage.rows("b", LOCAL, local=True) == stage.rows("c", LOCAL, local=True) == [b"x"]
    assert stage.read("c", stage.views["c"].rows_here(LOCAL, 1, 9)) == [again]
    assert again.at_us > 0


def test_a_row_written_again_is_answered_by_a_majority_only() -> None:
    stage = Stage()
    stage.network.isolate("a")
    assert stage.row("a", LOCAL, 1) == "ok"
    (again,) = stage.read("a", stage.views["a"].rows_here(LOCAL, 1, 9))
    assert stage.write("a", again) == "unknown"


def test_reads_that_never_go_far_do_not_see_what_stands_there_alone() -> None:
    stage = Stage(StoreFaults(write_alone=1.0))
    stage.store.far_reads = 0.0
    near, far = sorted("bc", key=lambda there: stage.network.distance_s("a", there))
    stage.row(near, LOCAL, 1, b"near")
    assert stage.rows("a", LOCAL) == [b"near"]
    other = "accept.a.normal_local.c2.0"
    stage.row(far, other, 1, b"far")
    assert all(stage.rows("a", other) == [] for _ in range(20))


def test_what_is_held_lands_late_and_is_not_answered() -> None:
    stage = Stage()
    stage.store.writes.hold(stage.processes["a"], 1.0, 5.0)
    assert stage.row("a", EFFECT, 1) == "unknown"
    assert stage.row("a", EFFECT, 2) == "ok"
    stage.processes["a"].die("it has ended")
    assert stage.read("b", stage.views["b"].rows(EFFECT, 1, 9)) == []
    stage.run(5.0)
    assert stage.read("b", stage.views["b"].rows(EFFECT, 1, 9)) == [(1, b"x"), (2, b"x")]
