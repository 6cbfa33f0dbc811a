"""A change of replication without one of its rules (PROTOCOL.md 11)."""

from collections.abc import Iterable
from contextlib import AbstractContextManager

from core.engine.membership import Membership
from core.engine.replicating import Replicating
from core.engine.replication import Replication
from sync import replication as rules
from sync.agreed import Refusal
from sync.lease import Lease
from sync.replication import Replicas, ReplicationChange, Step
from tests.support.mutations import Mutation, patched

Context = AbstractContextManager[None]
Did = tuple[Refusal | None, bool]


def freeze_not_heeded() -> Context:
    """Cores take shards over whatever the row says."""
    return patched((Membership, "frozen", property(lambda self: not self.rows_known)))


def freeze_not_awaited() -> Context:
    """The configuration is altered as soon as the freeze is recorded."""

    def nobody(_change: ReplicationChange, _leases: Iterable[Lease]) -> list[str]:
        return []

    return patched((rules, "not_frozen", nobody))


def takeovers_under_way_not_awaited() -> Context:
    """A lease names the row as soon as it was read, with takeovers under way or not."""
    heeded = Replication.heeded
    return patched((Replication, "heeded", lambda self, _moving: heeded(self, False)))


def all_replicas_at_once() -> Context:
    """The plan has one unit, from the old configuration to the new one."""
    plan = rules.plan

    def at_once(
        keyspace: str, old: Replicas, new: Replicas, nonce: str
    ) -> ReplicationChange | Refusal:
        made = plan(keyspace, old, new, nonce)
        if isinstance(made, Refusal) or len(made.configurations) < 2:
            return made
        first, last = made.configurations[0], made.configurations[-1]
        return ReplicationChange(1, nonce, keyspace, (first, last))

    return patched((rules, "plan", at_once))


def _left_out(*names: str) -> Context:
    do = Replicating._do

    async def without(self: Replicating, row: ReplicationChange, step: Step) -> Did:
        if step.name in names:
            return None, True
        return await do(self, row, step)

    return patched((Replicating, "_do", without))


def new_replica_left_empty() -> Context:
    """What was added is neither rebuilt nor repaired, and nobody looks."""
    return _left_out("rebuild", "repair", "verify")


def local_rows_left_behind() -> Context:
    """What stands on the leaving replica alone is not brought to the others before."""
    return _left_out("repair_before", "verify_before")


def writers_not_stopped() -> Context:
    """The last replica of a region goes away while its cores run."""
    return _left_out("stop_writers")


def difference_passed_over() -> Context:
    """A verification that found a difference counts as one that found none."""
    return patched((rules, "not_verified", rules.done))


def driver_without_lease() -> Context:
    """Who drives the change alters the configuration whatever became of its lease."""

    async def alter(self: Replicating, row: ReplicationChange, step: Step) -> None:
        await self._replicator.alter(row.keyspace, step.replicas, self._alter_s)

    return patched((Replicating, "_alter", alter))


REPLICATION: tuple[Mutation, ...] = (
    Mutation("freeze_not_heeded", "11", "replication", freeze_not_heeded),
    Mutation("freeze_not_awaited", "11", "replication", freeze_not_awaited),
    Mutation("takeovers_under_way_not_awaited", "11", "taking", takeovers_under_way_not_awaited),
    Mutation("all_replicas_at_once", "11", "replication", all_replicas_at_once),
    Mutation("new_replica_left_empty", "11", "replication", new_replica_left_empty),
    Mutation("difference_passed_over", "11", "replication", difference_passed_over),
    Mutation("local_rows_left_behind", "11", "leaving", local_rows_left_behind),
    Mutation("writers_not_stopped", "11", "replication", writers_not_stopped),
    Mutation("driver_without_lease", "11", "replication", driver_without_lease),
)
