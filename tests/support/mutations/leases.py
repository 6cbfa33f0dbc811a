"""Leases, epochs and takeovers without one of their rules (PROTOCOL.md 3, 4 and 7)."""

from contextlib import AbstractContextManager
from typing import Any

from core.engine.calls import Calls
from core.engine.dispatch import Dispatcher
from core.engine.membership import Membership
from core.engine.ownership import Ownership
from sync.keeper.handover import Command as Step
from sync.keeper.handover import Giving, Resume, Stage
from sync.keeper.members import Revoke
from sync.keeper.shards import Shards
from sync.lease import Holder, Lease, Watch
from sync.naming import log_name
from sync.owner import takeover
from sync.owner.owner import Owner
from sync.store.port import Registered, ShardRow
from tests.support.mutations import Mutation, patched

Context = AbstractContextManager[None]


def takeover_without_revoking() -> Context:
    """A silent owner counts as gone although nobody set its lease to revoked."""

    async def revoke(self: Membership, command: Revoke) -> None:
        self.members.revoke_answered(command, command.lease, self._clock.boot())

    return patched((Membership, "_revoke", revoke))


def no_lease_check() -> Context:
    """Neither the pump nor the guard looks at the lease."""
    return patched(
        (Calls, "may_begin", property(lambda _: True)),
        (Holder, "left_s", lambda self, _: -1.0 if self.lost else 9.0),
    )


def no_counter() -> Context:
    """Revoked after the lease's length since it was first seen, moving counter or not."""

    def saw(self: Watch, lease: Lease, now: float) -> None:
        first = self._seen.get(lease.incarnation, (0, now))[1]
        self._seen[lease.incarnation] = (lease.counter, first)

    return patched((Watch, "saw", saw))


def right_counted_from_the_answer() -> Context:
    """The right runs from when the renewal was answered, not from before it was sent."""
    renew = Membership._renew

    async def late(self: Membership, now: float) -> None:
        before = self.holder.valid_until
        await renew(self, now)
        if self.holder.valid_until > before:
            self.holder.valid_until = self._clock.boot() + self.holder.length_s

    return patched((Membership, "_renew", late))


def told_without_the_lease() -> Context:
    """Ends are told by an owner whose lease is over."""
    return patched((Dispatcher, "has_right", lambda _: True))


def given_up_cas_not_taken_up() -> Context:
    """Shards that a compare-and-set believed lost gave us are left alone."""

    async def blind(self: Ownership) -> set[str]:
        rows = await self._store.shards_of_home(self._home)
        me, held = self._owner.owner, self.shards.held
        self._see(row for row in rows if row.owner != me or row.shard in held)
        return {row.owner for row in rows}

    return patched((Ownership, "read_shards", blind))


def handover_given_up_without_epoch() -> Context:
    """An owner that gives a hand-over up goes on under the epoch that it has, at once."""

    def give_up(self: Giving) -> list[Step]:
        if self.stage is Stage.ENDED:
            return []
        self.stage = Stage.ENDED
        return [Resume(self.row)]

    given = Shards.given

    def ended(self: Shards, shard: int, row: ShardRow) -> bool:
        if self.held.get(shard) != row.epoch:
            return given(self, shard, row)
        self.giving.pop(shard, None)
        return self.rows[shard] == row

    return patched((Giving, "give_up", give_up), (Shards, "given", ended))


def intent_before_first_floor() -> Context:
    """Shards are worked on before the first floor that names them stands."""
    begin = Owner.begin

    def begin_at_once(self: Owner, loaded: takeover.Loaded, now_ms: int) -> None:
        begin(self, loaded, now_ms)
        self.go(set(self.shards))
        self.ask(now_ms)

    return patched((Owner, "begin", begin_at_once))


def last_owner_only() -> Context:
    """Only the effect logs of the owner who wrote the floor are read."""

    def starts(
        home: str, floor: Any, registry: list[Registered], _anybody: bool = False
    ) -> dict[str, int]:
        if floor is None:
            return {}
        own = [log for r in registry if r.incarnation == floor.owner for log in r.logs]
        names = [(log, log_name(log)) for log in own]
        effects = [log for log, name in names if name.kind == "effect" and name.home == home]
        return {log: floor.part.effect.get(log, 0) for log in effects}

    return patched((takeover, "effect_starts", starts))


def effects_not_followed() -> Context:
    """A new owner reads no effect log of those before it."""
    return patched((takeover, "effect_starts", lambda *_: {}))


LEASES = (
    Mutation("takeover_without_revoking", "4", "crashes", takeover_without_revoking),
    Mutation("no_lease_check", "4", "swarm", no_lease_check),
    Mutation("no_counter", "4", "swarm", no_counter),
    Mutation("right_counted_from_the_answer", "4", "struck", right_counted_from_the_answer),
    Mutation("told_without_the_lease", "4", "slow_owners", told_without_the_lease),
    Mutation("given_up_cas_not_taken_up", "4", "swarm", given_up_cas_not_taken_up),
    Mutation("handover_given_up_without_epoch", "7", "given_up", handover_given_up_without_epoch),
    Mutation("intent_before_first_floor", "3", "takeovers", intent_before_first_floor),
    Mutation("last_owner_only", "3", "takeovers", last_owner_only),
    Mutation("effects_not_followed", "3", "swarm", effects_not_followed),
)
