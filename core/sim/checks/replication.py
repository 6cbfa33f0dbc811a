"""A change of replication: one replica at a time, frozen, repaired, verified, and finished.

- A configuration differs from the one before by one replica, any two quorums of both share one, all
  coordinators followed the one before, and the row says that it is its turn.
- Where a region's last replica goes away no core has an active lease.
- From the record of `await_frozen` until that of `thaw` no core whose lease is active takes or
  gives a shard, or begins with one that it has taken up.
- When a verification is recorded as passed, what stood before the repair stands at a quorum of the
  configuration that holds; and so does, at the end, all that ever stood.
- At the end the row is finished, and all coordinators follow the last configuration of its plan.
"""

from collections.abc import Iterable, Sequence
from math import inf
from typing import TYPE_CHECKING

from core.sim.history import ViolationError
from core.sim.store.replicas import Configuration
from core.sim.store.swaps import Operation
from sync.replication import (
    ReplicationChange,
    StepName,
    finished,
    in_force,
    next_step,
    quorums_meet,
    steps,
)
from sync.store.port import SwapLease, SwapShards

if TYPE_CHECKING:
    from core.sim.store.store import SimStore

ON_ITS_WAY_S = 2.0


class ReplicationChanges:
    """See the module's docstring."""

    def __init__(self, store: "SimStore") -> None:
        self._store = store
        self._row: ReplicationChange | None = None
        self._frozen_from_s: float | None = None
        self._frozen: list[tuple[float, float]] = []
        self._repair_from_s = 0.0

    # What happens

    def altered(self, before: Configuration, after: Configuration) -> None:
        """The store was asked for another configuration."""
        old, new = before.counts(), after.counts()
        by = sum(abs(new.get(region, 0) - old.get(region, 0)) for region in after.bits)
        if by != 1 or not quorums_meet(old, new):
            raise ViolationError("several_replicas", f"from {old} to {new}")
        if not self._store.replicas.agreed:
            raise ViolationError("three_configurations", f"from {old} to {new}, not followed yet")
        row = self._store.truth.replication_row
        if row is None or new not in in_force(row):
            raise ViolationError("altered_out_of_turn", f"from {old} to {new}; the row is {row}")
        for region in old.keys() - new.keys():
            self._left(region)

    def _left(self, region: str) -> None:
        """The region's last replica goes away. Names of cores begin with their region."""
        for name, lease in self._store.truth.lease_rows.items():
            if name.startswith(region) and lease.state == "active":
                raise ViolationError("writers_left", f"{name} runs where no replica is left")

    def applied(self, row: ReplicationChange) -> None:
        """The row was set."""
        before, self._row = self._row, row
        now_s = self._store.now
        frozen = _is_frozen(row)
        if frozen and self._frozen_from_s is None:
            self._frozen_from_s = now_s
        elif not frozen and self._frozen_from_s is not None:
            self._frozen.append((self._frozen_from_s, now_s))
            self._frozen_from_s = None
        if _waits_for(row, "repair") and not (before and _waits_for(before, "repair")):
            self._repair_from_s = now_s
        if before is not None and _waits_for(before, "verify") and _waits_for(row, "thaw"):
            self._stands(self._repair_from_s, "verified")

    def begins(self, core: str, shards: Iterable[int]) -> None:
        """A core has taken shards up, and begins to send."""
        lease = self._store.truth.lease_rows.get(core)
        if self._frozen_from_s is not None and lease is not None and lease.state == "active":
            raise ViolationError("taken_up_frozen", f"{core} begins with {sorted(shards)}")

    # At the end

    def final(self, operations: Sequence[Operation]) -> None:
        """Everything had its time."""
        self._moved(operations)
        row, replicas = self._row, self._store.replicas
        if row is None:
            return
        there = replicas.newest.counts()
        if not finished(row) or there != row.configurations[-1] or not replicas.agreed:
            raise ViolationError("not_as_planned", f"{there} is in use; the row is {row}")
        self._stands(self._store.now - ON_ITS_WAY_S, "finished")

    def _moved(self, operations: Sequence[Operation]) -> None:
        gone_s = self._gone_s(operations)
        for one in operations:
            swap, asked_s = one.argument, one.invoked_s
            if not isinstance(swap, SwapShards) or asked_s > gone_s.get(one.process, inf):
                continue
            if any(first_s < asked_s < last_s for first_s, last_s in self._frozen):
                what = f"{one.process} gives {swap.expect} of {one.register} to {swap.owner}"
                raise ViolationError("moved_frozen", f"{what} at {asked_s:.3f}")

    def _gone_s(self, operations: Iterable[Operation]) -> dict[str, float]:
        """Since when a lease is revoked or left."""
        found: dict[str, float] = {}
        for one in operations:
            swap = one.argument
            if isinstance(swap, SwapLease) and swap.lease.state != "active":
                name = swap.lease.incarnation
                if self._store.truth.lease_rows.get(name) == swap.lease:
                    found[name] = min(one.executed_s, found.get(name, inf))
        return found

    def _stands(self, before_s: float, when: str) -> None:
        """What stood once and was there by then: that, or what hides it, has a quorum."""
        newest = self._store.replicas.newest
        for partition, rows in self._store.rows.partitions.items():
            for key, version in rows.items():
                having, walked = 0, version
                while walked.older is not None and not (walked.stood and walked.born_s < before_s):
                    having |= walked.mask
                    walked = walked.older
                having |= walked.mask
                if walked.stood and walked.born_s < before_s and not _enough(having, newest):
                    what = f"{partition} {key} stands on {having & newest.all:b} of {newest.all:b}"
                    raise ViolationError("below_quorum", f"{when}: {what}")


def _enough(having: int, newest: Configuration) -> bool:
    return (having & newest.all).bit_count() >= newest.quorum


def _waits_for(row: ReplicationChange, name: StepName) -> bool:
    step = next_step(row)
    return step is not None and step.name == name


def _is_frozen(row: ReplicationChange) -> bool:
    """From the record of `await_frozen` on, until that of `thaw`."""
    step = next_step(row)
    if step is None:
        return False
    names = [one.name for one in steps(row) if one.unit == step.unit]
    return names.index(step.name) > names.index("await_frozen")
