"""An operator's process changes the keyspace's replication, one step after the other.

`begin` writes the plan, `go_on` does what is next and records it. Whoever calls it again until the
change is finished, in this process or, when it died, in another one, brings it to its end. A step
that must wait (for cores that have not seen the freeze, for a region that is still drained) is
answered with a `Refusal` that says for what; `StoreError` says that the store could not be asked,
or did not do the step. Ask again later in both cases.

One step at a time is done in a process, and by one process (`sync.replication`, `driver`).
"""

from core.contract.log import Log
from core.engine.membership import Membership
from sync import replication as rules
from sync.agreed import Refusal
from sync.lease import Lease
from sync.replication import Replicas, ReplicationChange, Step
from sync.store.port import JournalStore, Registered
from sync.store.replicator import Replicator


class Replicating:
    """See the module's docstring. `alter_s` is the longest that asking for an `alter` may take."""

    def __init__(
        self,
        membership: Membership,
        store: JournalStore,
        replicator: Replicator,
        log: Log,
        alter_s: float,
    ) -> None:
        self._membership = membership
        self._row = membership.replication
        self._me = membership.incarnation
        self._store = store
        self._replicator = replicator
        self._log = log
        self._alter_s = alter_s
        self._at_work = False

    async def begin(self, keyspace: str, wanted: Replicas) -> ReplicationChange | Refusal:
        """Plan the way from the counts as they are to those wanted; this process drives it."""
        now = await self._replicator.replicas(keyspace)
        return await self._row.change(
            lambda row, nonce: rules.begun(row, keyspace, now, wanted, self._me, nonce)
        )

    async def go_on(self) -> ReplicationChange | Refusal:
        """Do the next step and record it; the row afterwards, the same one if it is finished."""
        if self._at_work:
            return Refusal("one_step", self._me, "this process does a step", "Wait for its end.")
        self._at_work = True
        try:
            return await self._go_on()
        finally:
            self._at_work = False

    async def _go_on(self) -> ReplicationChange | Refusal:
        row = await self._row.read()
        if row is None:
            return Refusal("change_begun", "", "no change was begun", "Begin one.")
        if row.driver != self._me and not rules.finished(row):
            taken = await self._take_on(row.driver)
            if isinstance(taken, Refusal):
                return taken
            row = taken
        step = rules.next_step(row)
        if step is None:
            return row
        refused, verified = await self._do(row, step)
        if refused is not None:
            return refused
        record = rules.done if verified else rules.not_verified
        self._log.info("step of a change of replication", step=step.name, verified=verified)
        return await self._row.change(lambda there, nonce: record(_there(there), step, nonce))

    async def _take_on(self, driver: str) -> ReplicationChange | Refusal:
        """Go on for another incarnation, if its lease is over."""
        lease = await self._store.lease(driver) if driver else None
        gone = lease is None or lease.state != "active"

        def take(row: ReplicationChange | None, nonce: str) -> ReplicationChange | Refusal:
            there = _there(row)
            return rules.taken_on(there, self._me, gone and there.driver == driver, nonce)

        return await self._row.change(take)

    async def _do(self, row: ReplicationChange, step: Step) -> tuple[Refusal | None, bool]:
        """What the step is about. Why it could not be done; and False if it found a difference."""
        keyspace, store = row.keyspace, self._replicator
        if step.name == "stop_writers":
            return await self._stop_writers(step.datacentre), True
        if step.name == "await_frozen":
            return await self._await_frozen(row), True
        if step.name == "alter":
            return await self._alter(row, step), True
        if step.name == "rebuild":
            await store.rebuild(keyspace, step.datacentre)
        elif step.name in ("repair", "repair_before"):
            await store.repair(keyspace)
        elif step.name in ("paxos_repair", "paxos_repair_before"):
            await store.paxos_repair(keyspace)
        elif step.name in ("verify", "verify_before"):
            return None, await store.verify(keyspace)
        return None, True

    async def _alter(self, row: ReplicationChange, step: Step) -> Refusal | None:
        """Only with a right that lasts until the store was asked: then nobody else drives yet."""
        if self._membership.left_s() < self._alter_s:
            what = f"the lease of {self._me} ends too soon"
            return Refusal("driver_leased", row.keyspace, what, "Wait until it was renewed.")
        await self._replicator.alter(row.keyspace, step.replicas, self._alter_s)
        return None

    async def _await_frozen(self, row: ReplicationChange) -> Refusal | None:
        late = rules.not_frozen(row, await self._active())
        if not late:
            return None
        what = f"{', '.join(late)} may have takeovers under way"
        return Refusal("frozen_everywhere", row.keyspace, what, "Wait until their leases say no.")

    async def _stop_writers(self, region: str) -> Refusal | None:
        """Drain the region; done when it is drained and every core of it has ended.

        One that registered and has no lease yet is about to write.
        """
        answer = await self._membership.serving.drain(region, "its replicas leave")
        if isinstance(answer, Refusal):
            return answer
        if answer.regions[region].state != "drained":
            return Refusal("region_drained", region, "shards are still there", "Wait for them.")
        left = [
            entry.incarnation
            for entry, lease in await self._registered()
            if entry.region == region and (lease is None or lease.state == "active")
        ]
        if left:
            return Refusal("cores_ended", region, f"{', '.join(left)} run", "Stop them.")
        return None

    async def _registered(self) -> list[tuple[Registered, Lease | None]]:
        """All that registered and are not known to be gone, each with its lease at SERIAL.

        Whoever has one was registered at quorum before it was asked for.
        """
        members = self._membership.members
        await self._membership.read_registry()
        names = sorted(members.registry.keys() - members.gone.keys())
        return [(members.registry[name], await self._store.lease(name)) for name in names]

    async def _active(self) -> list[Lease]:
        leases = [lease for _, lease in await self._registered()]
        return [lease for lease in leases if lease is not None and lease.state == "active"]


def _there(row: ReplicationChange | None) -> ReplicationChange:
    assert row is not None  # a row that was there stays
    return row
