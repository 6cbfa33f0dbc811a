"""A replication change: what each unit does, who may go on, and that quorums always meet."""

from itertools import combinations, pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.agreed import Refusal
from sync.lease import Lease
from sync.replication import (
    Replicas,
    ReplicationChange,
    Step,
    begun,
    done,
    finished,
    in_force,
    next_step,
    not_frozen,
    not_verified,
    plan,
    quorum,
    quorums_meet,
    steps,
    taken_on,
    takeovers_frozen,
)

OLD = {"eu": 3, "us": 3}
NEW = {"eu": 3, "ap": 2}


def planned(old: Replicas, new: Replicas) -> ReplicationChange:
    change = plan("world", old, new, "n")
    assert isinstance(change, ReplicationChange), change
    return change


def on(result: ReplicationChange | Refusal) -> ReplicationChange:
    assert isinstance(result, ReplicationChange), result
    return result


def now(change: ReplicationChange) -> Step:
    step = next_step(change)
    assert step is not None
    return step


def until(change: ReplicationChange, name: str) -> ReplicationChange:
    while now(change).name != name:
        change = on(done(change, now(change), "n"))
    return change


def test_what_is_added_comes_first_and_each_unit_is_one_replica() -> None:
    assert planned(OLD, NEW).configurations == (
        {"eu": 3, "us": 3},
        {"ap": 1, "eu": 3, "us": 3},
        {"ap": 2, "eu": 3, "us": 3},
        {"ap": 2, "eu": 3, "us": 2},
        {"ap": 2, "eu": 3, "us": 1},
        {"ap": 2, "eu": 3},
    )


def test_the_steps_of_an_added_replica() -> None:
    change = planned({"eu": 3}, {"eu": 4})
    assert [step.name for step in steps(change)] == [
        "freeze",
        "await_frozen",
        "alter",
        "rebuild",
        "repair",
        "paxos_repair",
        "verify",
        "thaw",
    ]
    assert now(until(change, "alter")).replicas == {"eu": 4}


def test_what_is_taken_away_is_repaired_before_and_a_leaving_datacentre_writes_no_more() -> None:
    fewer = [step.name for step in steps(planned({"eu": 3}, {"eu": 2}))]
    assert "stop_writers" not in fewer
    assert fewer.index("freeze") < fewer.index("repair_before") < fewer.index("verify_before")
    assert fewer.index("verify_before") < fewer.index("alter")
    assert fewer.index("alter") < fewer.index("repair") < fewer.index("verify")
    leaving = steps(planned({"eu": 3, "us": 1}, {"eu": 3}))
    assert [step.name for step in leaving] == ["stop_writers", *fewer]
    assert {step.datacentre for step in leaving} == {"us"}


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ({"eu": 3}, {"eu": 0}, "last_replica"),
        ({}, {"eu": 3}, "last_replica"),
        ({"eu": 3}, {"eu": -1}, "replicas"),
        ({"eu": -3}, {"eu": 3}, "replicas"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(old: Replicas, new: Replicas, rule: str) -> None:
    refusal = plan("world", old, new, "n")
    assert isinstance(refusal, Refusal)
    assert refusal.rule == rule


def test_nothing_to_change_is_finished_at_once() -> None:
    change = planned(OLD, OLD | {"ap": 0})
    assert finished(change)
    assert next_step(change) is None
    assert steps(change) == []
    assert in_force(change) == (OLD,)
    assert not takeovers_frozen(change)


def test_takeovers_are_frozen_from_the_record_of_freeze_to_the_record_of_thaw() -> None:
    assert not takeovers_frozen(None)
    change = planned(OLD, NEW)
    frozen: list[tuple[str, bool]] = []
    while not finished(change):
        frozen.append((now(change).name, takeovers_frozen(change)))
        change = on(done(change, now(change), "n"))
    assert {name for name, is_frozen in frozen if not is_frozen} == {"freeze", "stop_writers"}
    assert all(not is_frozen for name, is_frozen in frozen if name in ("freeze", "stop_writers"))
    assert not takeovers_frozen(change)


def test_while_an_alter_is_under_way_either_configuration_may_hold() -> None:
    change = planned({"eu": 3}, {"eu": 4})
    assert in_force(change) == ({"eu": 3},)
    change = until(change, "alter")
    assert in_force(change) == ({"eu": 3}, {"eu": 4})
    assert in_force(until(change, "rebuild")) == ({"eu": 4},)


def test_a_step_recorded_twice_changes_nothing_and_one_ahead_is_refused() -> None:
    change = planned(OLD, NEW)
    freeze, wait, alter = steps(change)[:3]
    second = on(done(change, freeze, "n1"))
    assert (second.version, second.nonce) == (change.version + 1, "n1")
    assert done(second, freeze, "n2") is second
    skipped = done(second, alter, "n2")
    assert isinstance(skipped, Refusal)
    assert skipped.rule == "step_skipped"
    assert "await_frozen" in skipped.hint
    assert now(on(done(second, wait, "n2"))) == alter


def test_a_step_of_another_change_is_refused() -> None:
    change = planned(OLD, NEW)
    other = now(planned(OLD, OLD | {"us": 4}))
    beyond = msgspec.structs.replace(now(change), unit=99)
    for step in (other, beyond):
        refusal = done(change, step, "n")
        assert isinstance(refusal, Refusal)
        assert refusal.rule == "step_of_change"
        assert isinstance(not_verified(change, step, "n"), Refusal)


def test_a_failed_verification_leads_back_to_the_repair_and_old_work_does_not_count() -> None:
    change = until(planned(OLD, NEW), "repair")
    old_repair = now(change)
    change = until(change, "verify")
    back = on(not_verified(change, now(change), "n"))
    assert now(back).name == "repair"
    assert takeovers_frozen(back)
    assert done(back, old_repair, "n") is back  # somebody records the repair before it, late
    assert now(on(done(back, now(back), "n"))).name == "paxos_repair"


def test_nothing_is_taken_away_before_a_repair_that_was_verified() -> None:
    """A repair may say that it is done and have missed rows that stand on the leaving replica."""
    change = until(planned({"eu": 3, "us": 1}, {"eu": 3}), "verify_before")
    back = on(not_verified(change, now(change), "n"))
    assert now(back).name == "repair_before"
    assert in_force(back) == ({"eu": 3, "us": 1},)


def test_only_the_verification_that_is_due_can_fail() -> None:
    change = planned(OLD, NEW)
    verify = next(step for step in steps(change) if step.name == "verify")
    for step in (verify, now(change)):
        refusal = not_verified(change, step, "n")
        assert isinstance(refusal, Refusal)
        assert refusal.rule == "verify_now"


def test_the_row_survives_being_written_down() -> None:
    change = until(planned(OLD, NEW), "rebuild")
    assert msgspec.json.decode(msgspec.json.encode(change), type=ReplicationChange) == change


def test_two_replicas_at_once_would_let_two_quorums_miss_each_other() -> None:
    assert quorums_meet({"eu": 3}, {"eu": 4})
    assert not quorums_meet({"eu": 3}, {"eu": 5})
    assert not quorums_meet({"eu": 2, "us": 1}, {"eu": 1, "us": 2})  # one away and one added
    assert not quorums_meet({"eu": 3, "us": 4}, {"eu": 5, "us": 3})


def test_at_quorum_over_all_two_may_pass_but_locally_they_do_not() -> None:
    assert quorum({"eu": 3, "us": 3}) + quorum({"eu": 5, "us": 3}) > 8
    assert not quorums_meet({"eu": 3, "us": 3}, {"eu": 5, "us": 3})


replicas = st.dictionaries(st.sampled_from(["ap", "eu", "us"]), st.integers(0, 4))
some = replicas.filter(lambda one: any(one.values()))


@given(some, some)
def test_any_two_neighbouring_quorums_meet(old: Replicas, new: Replicas) -> None:
    change = planned(old, new)
    assert change.configurations[0] == {dc: count for dc, count in old.items() if count}
    assert change.configurations[-1] == {dc: count for dc, count in new.items() if count}
    for before, after in pairwise(change.configurations):
        both = {*before, *after}
        assert sum(abs(before.get(dc, 0) - after.get(dc, 0)) for dc in both) == 1
        assert quorums_meet(before, after)


def nodes(of: Replicas) -> list[str]:
    return [f"{dc}{n}" for dc, count in sorted(of.items()) for n in range(count)]


def all_meet(before: list[str], after: list[str]) -> bool:
    """By trying: each majority of the one against each majority of the other."""
    return all(
        {*one} & {*other}
        for one in combinations(before, len(before) // 2 + 1)
        for other in combinations(after, len(after) // 2 + 1)
    )


small = st.dictionaries(st.sampled_from(["eu", "us"]), st.integers(0, 3)).filter(
    lambda one: any(one.values())
)


@given(small, small)
def test_the_arithmetic_says_what_trying_all_quorums_says(old: Replicas, new: Replicas) -> None:
    met = all_meet(nodes(old), nodes(new)) and all(
        all_meet(nodes({dc: old[dc]}), nodes({dc: new[dc]}))
        for dc in {*old, *new}
        if old.get(dc) and new.get(dc)
    )
    assert quorums_meet(old, new) == met


events = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["read", "do", "record", "fail"])), max_size=120
)


@given(some, some, events)
def test_operators_that_come_and_go_do_every_step_in_order(
    old: Replicas, new: Replicas, happened: list[tuple[int, str]]
) -> None:
    """Three processes hold a step they once read; any may do it, die, or record it late."""
    row = planned(old, new)
    held: list[Step | None] = [None] * 3
    did: list[bool] = [False] * 3
    work: set[tuple[int, int, str]] = set()
    for who, what in happened:
        step = held[who]
        if what == "read":
            held[who], did[who] = next_step(row), False
        elif step is None:
            continue
        elif what == "do":
            did[who] = True
            work.add((step.unit, step.round, step.name))
        elif what == "record" and did[who]:
            result = done(row, step, "n")
            assert isinstance(result, ReplicationChange)
            row = result
        elif what == "fail" and step == next_step(row) and step.name.startswith("verify"):
            row = on(not_verified(row, step, "n"))
        names = [one for one in steps(row) if one.unit == row.unit]
        done_now = names[: row.step]
        after_repair = [one.name for one in names].index("repair") if names else 0
        for place, one in enumerate(done_now):
            rounds = [row.round] if place >= after_repair and row.round else range(row.round + 1)
            assert any((one.unit, r, one.name) in work for r in rounds)


def test_a_next_change_goes_on_from_the_last_version_and_not_before_its_end() -> None:
    first = on(begun(None, "world", OLD, NEW, "c1", "n"))
    assert (first.version, first.driver) == (1, "c1")
    refused = begun(first, "world", OLD, OLD, "c2", "n")
    assert isinstance(refused, Refusal)
    assert refused.rule == "change_under_way"
    assert begun(first, "world", OLD, NEW, "c2", "n") is first
    change = first
    while not finished(change):
        change = on(done(change, now(change), "n"))
    second = on(begun(change, "world", NEW, OLD, "c2", "n"))
    assert second.version == change.version + 1
    assert second.configurations[0] == NEW


def test_one_process_drives_and_another_only_when_it_is_gone() -> None:
    change = on(begun(None, "world", OLD, NEW, "c1", "n"))
    assert taken_on(change, "c1", False, "m") is change
    refused = taken_on(change, "c2", False, "m")
    assert isinstance(refused, Refusal)
    assert refused.rule == "driver_gone"
    taken = on(taken_on(change, "c2", True, "m"))
    assert (taken.driver, taken.version, taken.nonce) == ("c2", 2, "m")
    assert next_step(taken) == next_step(change)


def test_who_names_an_older_row_is_waited_for_and_who_is_gone_is_not() -> None:
    change = until(planned(OLD, NEW), "await_frozen")
    leases = [
        Lease("seen", 1, "n", "active", replication_version=change.version),
        Lease("late", 1, "n", "active", replication_version=change.version - 1),
        Lease("gone", 1, "n", "revoked"),
        Lease("left", 1, "n", "left"),
    ]
    assert not_frozen(change, leases) == ["late"]
