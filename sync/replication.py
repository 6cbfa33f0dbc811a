"""A change of a keyspace's replication, one replica at a time (PROTOCOL.md 11).

The plan goes from old to new counts of replicas by datacentre in units of one replica, first what
is added, then what is taken away. Between two neighbouring configurations any two quorums share a
replica, so nothing that was written at quorum is missed while both are in use; with two replicas
at once it would be (`quorums_meet` is the arithmetic). Each unit is made whole, rebuilt, repaired
(Paxos too) and verified before the next one starts, and no shard is taken over meanwhile.

The change is one row under compare-and-set: an operator's process reads it, does `next_step`, and
records it with `done`. Every step names what is to be, not what is to be added, so it may be done
twice. `done` of an earlier step changes nothing, of a later one it is refused. A verification that
fails leads back to the repair (`not_verified`), never on.

- One incarnation drives the change at a time, the row's `driver`; another one takes it on
  (`taken_on`) when that one's lease is revoked or left. A driver alters only while its lease is
  valid for as long as that may take: else one that stood still would, much later, bring back a
  configuration that is several replicas away from the one in use.

- A takeover looks at the row first (`takeovers_frozen`), but may have looked before the freeze:
  `await_frozen` is done only when every active core has seen the row and its running takeovers
  have ended, which its lease says (`not_frozen`). A core whose first lease comes later reads the
  row after that, and before it owns anything.
- What is taken away is repaired, and that is verified, *before* too: rows of local durability may
  stand on the leaving replica and one other only, or on replicas that all leave. A datacentre that
  leaves altogether writes no more before that (`stop_writers`): its region is drained and no core
  of it runs.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from sync.agreed import Refusal
from sync.lease import Lease

StepName = Literal[
    "stop_writers",
    "freeze",
    "await_frozen",
    "repair_before",
    "paxos_repair_before",
    "verify_before",
    "alter",
    "rebuild",
    "repair",
    "paxos_repair",
    "verify",
    "thaw",
]
ADDING: tuple[StepName, ...] = (
    "freeze",
    "await_frozen",
    "alter",
    "rebuild",
    "repair",
    "paxos_repair",
    "verify",
    "thaw",
)
REMOVING: tuple[StepName, ...] = (
    "freeze",
    "await_frozen",
    "repair_before",
    "paxos_repair_before",
    "verify_before",
    "alter",
    "repair",
    "paxos_repair",
    "verify",
    "thaw",
)
LEAVING: tuple[StepName, ...] = ("stop_writers", *REMOVING)
REPAIRED_BY: dict[StepName, StepName] = {"verify_before": "repair_before", "verify": "repair"}

Replicas = dict[str, int]


class Step(Struct, frozen=True):
    """One thing to do. `replicas` is the whole configuration that holds after the unit.

    `round` is that of the row: what was done before a verification failed is not taken for what
    has to be done again after it.
    """

    unit: int
    round: int
    name: StepName
    datacentre: str
    replicas: Replicas


class ReplicationChange(Struct, frozen=True):
    """The row. `configurations` has the old one first and the new one last.

    Unit n leads from configuration n to n + 1; `unit` and `step` say what is to be done next.
    `round` counts the verifications that failed; `driver` is the incarnation that does the steps.
    """

    version: int
    nonce: str
    keyspace: str
    configurations: tuple[Replicas, ...]
    unit: int = 0
    step: int = 0
    round: int = 0
    driver: str = ""


def quorum(replicas: Replicas) -> int:
    """A majority of all replicas, as QUORUM and SERIAL take it."""
    return sum(replicas.values()) // 2 + 1


def quorums_meet(before: Replicas, after: Replicas) -> bool:
    """Whether any quorum before and any quorum after share a replica, at QUORUM and locally.

    Within one datacentre the smaller set of replicas is part of the larger one, so both together
    are as many as the larger has. A datacentre that has no replica has no local quorum.
    """
    both = {dc: max(before.get(dc, 0), after.get(dc, 0)) for dc in sorted({*before, *after})}
    if quorum(before) + quorum(after) <= sum(both.values()):
        return False
    return all(
        quorum({dc: before[dc]}) + quorum({dc: after[dc]}) > both[dc]
        for dc in both
        if before.get(dc, 0) and after.get(dc, 0)
    )


def plan(keyspace: str, old: Replicas, new: Replicas, nonce: str) -> ReplicationChange | Refusal:
    """The row to begin with, from the counts as they are to the counts wanted (0: leaves)."""
    for datacentre, count in sorted((old | new).items()):
        if count < 0 or old.get(datacentre, 0) < 0:
            what = f"{count} replicas in {datacentre}"
            return Refusal("replicas", datacentre, what, "Use 0 or more; 0 lets it leave.")
    for which, replicas in (("old", old), ("new", new)):
        if not any(replicas.values()):
            what = f"the {which} configuration has no replica"
            return Refusal("last_replica", keyspace, what, "Keep at least one replica somewhere.")
    configurations = [_without_none(old)]
    for datacentre, by in _single_changes(old, new):
        now = dict(configurations[-1])
        now[datacentre] = now.get(datacentre, 0) + by
        configurations.append(_without_none(now))
    return ReplicationChange(1, nonce, keyspace, tuple(configurations))


def begun(
    current: ReplicationChange | None,
    keyspace: str,
    old: Replicas,
    new: Replicas,
    driver: str,
    nonce: str,
) -> ReplicationChange | Refusal:
    """The row of a change after the last one. Versions go on: a lease may name an older one.

    Refused while one is under way; that one again if it leads to the same configuration.
    """
    if current is not None and not finished(current):
        if current.configurations[-1] == _without_none(new):
            return current
        what = f"a change of {current.keyspace} is under way, at unit {current.unit}"
        return Refusal("change_under_way", keyspace, what, "Let it be finished first.")
    planned = plan(keyspace, old, new, nonce)
    if isinstance(planned, Refusal):
        return planned
    version = 1 if current is None else current.version + 1
    return replace(planned, version=version, driver=driver)


def taken_on(
    change: ReplicationChange, driver: str, driver_gone: bool, nonce: str
) -> ReplicationChange | Refusal:
    """Another incarnation goes on. `driver_gone`: the present driver's lease is not active."""
    if change.driver == driver:
        return change
    if change.driver and not driver_gone:
        what = f"{change.driver} does the steps of this change"
        return Refusal("driver_gone", change.keyspace, what, "Ask there, or wait until it is gone.")
    return replace(change, version=change.version + 1, nonce=nonce, driver=driver)


def not_frozen(change: ReplicationChange, leases: Iterable[Lease]) -> list[str]:
    """Whose lease does not say yet that its holder heeds the freeze of this row."""
    return [
        lease.incarnation
        for lease in leases
        if lease.state == "active" and lease.replication_version < change.version
    ]


def finished(change: ReplicationChange) -> bool:
    """Whether nothing is left to do."""
    return change.unit == len(change.configurations) - 1


def next_step(change: ReplicationChange) -> Step | None:
    """What is to be done now, perhaps once more; None when all is done."""
    if finished(change):
        return None
    datacentre, names = _unit(change, change.unit)
    after = change.configurations[change.unit + 1]
    return Step(change.unit, change.round, names[change.step], datacentre, after)


def steps(change: ReplicationChange) -> list[Step]:
    """All steps of the plan, done or not, in their order."""
    return [
        Step(unit, change.round, name, datacentre, change.configurations[unit + 1])
        for unit in range(len(change.configurations) - 1)
        for datacentre, names in [_unit(change, unit)]
        for name in names
    ]


def takeovers_frozen(change: ReplicationChange | None) -> bool:
    """Whether no shard may be taken over: from the record of `freeze` to the record of `thaw`."""
    if change is None or finished(change):
        return False
    return change.step > _unit(change, change.unit)[1].index("freeze")


def in_force(change: ReplicationChange) -> tuple[Replicas, ...]:
    """The configuration that the store has; two while an `alter` may or may not have happened."""
    if finished(change):
        return (change.configurations[-1],)
    before, after = change.configurations[change.unit : change.unit + 2]
    alter = _unit(change, change.unit)[1].index("alter")
    if change.step == alter:
        return before, after
    return (before,) if change.step < alter else (after,)


def done(change: ReplicationChange, step: Step, nonce: str) -> ReplicationChange | Refusal:
    """Record that a step was done: the row to write if this one's version still stands."""
    place = _place(change, step)
    if isinstance(place, Refusal):
        return place
    now = (change.unit, change.round, change.step)
    if place < now:
        return change
    if place > now:
        waiting = next_step(change)
        assert waiting is not None  # a finished change has no later place
        what = f"{step.name} of unit {step.unit} comes after {waiting.name} of unit {waiting.unit}"
        return Refusal("step_skipped", change.keyspace, what, f"Do {waiting.name} first.")
    unit, at = change.unit, change.step + 1
    if at == len(_unit(change, unit)[1]):
        unit, at = unit + 1, 0
    return _at(change, unit, at, change.round, nonce)


def not_verified(change: ReplicationChange, step: Step, nonce: str) -> ReplicationChange | Refusal:
    """A verification found rows that differ: back to the repair before it, still frozen."""
    place = _place(change, step)
    if isinstance(place, Refusal):
        return place
    names, again = _unit(change, step.unit)[1], REPAIRED_BY.get(step.name)
    if again is None or place != (change.unit, change.round, change.step):
        what = f"{step.name} of unit {step.unit} is not a verification that is to be done now"
        return Refusal("verify_now", change.keyspace, what, "Read the row again and go on from it.")
    return _at(change, change.unit, names.index(again), change.round + 1, nonce)


def _single_changes(old: Replicas, new: Replicas) -> list[tuple[str, int]]:
    """(datacentre, +1 or -1), what is added first: never fewer replicas than are needed."""
    differences = [(dc, new.get(dc, 0) - old.get(dc, 0)) for dc in sorted({*old, *new})]
    added = [(dc, 1) for dc, by in differences for _ in range(by)]
    return added + [(dc, -1) for dc, by in differences for _ in range(-by)]


def _unit(change: ReplicationChange, unit: int) -> tuple[str, tuple[StepName, ...]]:
    """The datacentre that a unit changes, and the unit's steps."""
    before, after = change.configurations[unit : unit + 2]
    differing = (dc for dc in sorted({*before, *after}) if before.get(dc, 0) != after.get(dc, 0))
    datacentre = next(differing)
    if after.get(datacentre, 0) > before.get(datacentre, 0):
        return datacentre, ADDING
    leaves = datacentre not in change.configurations[-1]
    return datacentre, LEAVING if leaves else REMOVING


def _place(change: ReplicationChange, step: Step) -> tuple[int, int, int] | Refusal:
    """Where a step stands in the plan."""
    if 0 <= step.unit < len(change.configurations) - 1:
        datacentre, names = _unit(change, step.unit)
        after = change.configurations[step.unit + 1]
        if step.name in names and (step.datacentre, step.replicas) == (datacentre, after):
            return step.unit, step.round, names.index(step.name)
    what = f"{step.name} of unit {step.unit} is no step of this change"
    return Refusal("step_of_change", change.keyspace, what, "Read the row and do its next step.")


def _at(
    change: ReplicationChange, unit: int, step: int, round_: int, nonce: str
) -> ReplicationChange:
    version = change.version + 1
    return replace(change, version=version, nonce=nonce, unit=unit, step=step, round=round_)


def _without_none(replicas: Replicas) -> Replicas:
    return {dc: count for dc, count in sorted(replicas.items()) if count}
