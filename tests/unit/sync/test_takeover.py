"""What a new owner reads of a shard's past."""

from typing import Any

from sync.forced import epoch_of
from sync.owner.takeover import (
    Loaded,
    ReadFloors,
    ReadRegistry,
    ReadRows,
    highest_floors,
    load,
    sent_of,
)
from sync.records import FloorPart, Intent, Outcome, Place, encode
from sync.store.port import Registered

A1, A2 = "accept.h.urgent_local.c1.0", "accept.h.urgent_local.c2.0"
E1, E2, E3 = (f"effect.h.urgent.c{n}.0" for n in (1, 2, 3))
REGISTRY = [
    Registered("c1", "h", "", [A1, E1]),
    Registered("c2", "h", "", [A2, E2]),
    Registered("c3", "h", "", [E3, "effect.elsewhere.urgent.c3.0"]),
]


def drive(
    floors: dict[str, bytes], rows: dict[str, dict[int, bytes]], *taken: tuple[int, int]
) -> Any:
    machine = load("h", list(taken), 77)
    asked: list[str] = []
    answer: Any = None
    while True:
        try:
            ask = machine.send(answer)
        except StopIteration as done:
            return done.value, asked
        if isinstance(ask, ReadFloors):
            answer = floors
        elif isinstance(ask, ReadRegistry):
            answer = REGISTRY
        else:
            assert isinstance(ask, ReadRows)
            asked.append(ask.log)
            stored = rows.get(ask.log, {})
            answer = [(n, stored[n]) for n in sorted(stored) if n >= ask.first][: ask.limit]


def floor(*shards: tuple[int, int], **more: Any) -> bytes:
    values = {"accept": {}, "effect": {}, "closed": (), "due": 5, **more}
    return encode([FloorPart(shards, **values)])


def intent(message_id: str, shard: int, epoch: int = 1) -> Intent:
    return Intent(message_id, shard, epoch, Place(A1, 1, 0), b"", "acc", "", 0, 0, False, 9, 0, 0)


def test_a_shard_that_nobody_ever_had() -> None:
    (loaded,), asked = drive({}, {E1: {1: encode([intent("m", 0)])}}, (0, 1))
    assert asked == []
    assert loaded == Loaded([(0, 1)], {A1: 0, A2: 0}, {}, (), 77, {})


def test_the_floor_of_the_highest_epoch_alone_counts() -> None:
    floors = {
        "c1": floor((0, 1), (1, 4), accept={A1: 90}, due=9),
        "c2": floor((0, 2), accept={A1: 30}, effect={E2: 4}, due=6),
    }
    best = highest_floors(floors, [0, 1, 2])
    assert {shard: (f.owner, f.epoch) for shard, f in best.items()} == {0: ("c2", 2), 1: ("c1", 4)}
    (loaded,), _ = drive(floors, {}, (0, 3))
    assert (loaded.cursors, loaded.due) == ({A1: 30, A2: 0}, 6)


def test_the_floors_of_a_region_that_was_alone_count_for_nothing_later() -> None:
    floors = {
        "c1": floor((0, 2), accept={A1: 3}, due=5),
        "c2": floor((0, epoch_of(1, 1)), (1, epoch_of(1, 1)), accept={A1: 9}, due=8),
    }
    assert highest_floors(floors, [0])[0].owner == "c2"
    best = highest_floors(floors, [0, 1], apart={1})
    assert {shard: each.owner for shard, each in best.items()} == {0: "c1"}


def test_effect_logs_of_all_former_owners_are_read_from_their_marks() -> None:
    floors = {"c2": floor((0, 2), effect={E1: 1, E2: 0})}
    rows = {
        E1: {1: encode([intent("forgotten", 0)]), 2: encode([intent("older", 0)])},
        E2: {1: encode([intent("newer", 0, 2), intent("of another shard", 1, 2)])},
        E3: {1: encode([intent("never an owner", 0)])},
    }
    (loaded,), asked = drive(floors, rows, (0, 3))
    assert set(asked) == {E1, E2}
    assert sorted(loaded.effects) == ["newer", "older"]
    assert loaded.effects["older"] == (0, [(Place(E1, 2, 0), intent("older", 0))])
    assert loaded.effect_read == {E1: 2, E2: 1}


def test_a_log_that_the_floor_does_not_name_yet_is_read_from_its_start() -> None:
    (loaded,), _ = drive({"c1": floor((0, 1))}, {E1: {1: encode([intent("m", 0)])}}, (0, 2))
    assert sorted(loaded.effects) == ["m"]


def test_a_long_log_is_read_to_its_end() -> None:
    rows = {n: encode([intent(f"m{n}", 0)]) for n in range(1, 151)}
    (loaded,), asked = drive({"c1": floor((0, 1))}, {E1: rows}, (0, 2))
    assert len(loaded.effects) == 150
    assert asked.count(E1) == 3


def test_closed_logs_are_not_opened_again() -> None:
    (loaded,), _ = drive({"c1": floor((0, 1), closed=(A1,))}, {}, (0, 2))
    assert (loaded.cursors, loaded.closed) == ({A2: 0}, (A1,))


def test_shards_that_stand_differently_are_loaded_apart() -> None:
    floors = {"c1": floor((0, 1), (1, 1)), "c2": floor((2, 5))}
    loaded, _ = drive(floors, {}, (0, 2), (1, 2), (2, 6), (3, 1))
    assert [each.shards for each in loaded] == [[(0, 2), (1, 2)], [(2, 6)], [(3, 1)]]


def test_provider_ids_that_may_stand_in_no_segment() -> None:
    took = Outcome("m", 0, "c1-u0-2-1", "accepted", "p1", "", "", 0)
    no = Outcome("m", 0, "c1-u0-3-0", "retryable", "", "", "", 0)
    rows = {E1: {1: encode([took, no])}}
    (loaded,), _ = drive({"c1": floor((0, 1))}, rows, (0, 2))
    (sent,) = sent_of("h", loaded)
    assert (sent.intent, sent.provider_ids, sent.id) == (Place(E1, 2, 1), "p1", "m")
