"""Leases, epochs, floors and logs without one of the rules that hold between regions.

All sections are of PROTOCOL.md. Levels of writes and reads are in `levels`.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

from msgspec.structs import replace

from core.engine.calls import Calls
from core.engine.dispatch import Dispatcher
from core.engine.logs import Logs
from core.engine.membership import Membership
from core.engine.ownership import Ownership
from core.engine.reading import ROWS_AT_ONCE
from core.engine.shell import Shell
from core.sim.store import view
from core.sim.store.rows import pick
from sync.keeper.members import Command, Members, Revoke
from sync.keeper.shards import Take
from sync.lease import Holder, Lease, Watch
from sync.owner import takeover
from sync.owner.inherited import Inherited
from sync.owner.marks import Marks
from sync.owner.owner import Owner
from sync.owner.state import Msg
from sync.records import FloorPart, Intent, Place, Record, decode_floor, decode_row
from sync.store.port import ShardRow, StoreError, Swapped, SwapShards
from tests.support.mutations import Mutation, patched
from tests.support.mutations.levels import LEVELS

Context = AbstractContextManager[None]

# Leases


def epsilon_zero() -> Context:
    """A lease is over for others at the very moment at which its length has gone by."""
    return patched(
        (Watch, "expired", lambda self, now: _unmoved(self, now, self._length_s)),
    )


def _unmoved(watch: Watch, now: float, wait_s: float) -> list[tuple[str, int]]:
    return [(who, counter) for who, (counter, at) in watch._seen.items() if now - at >= wait_s]


def lease_checked_too_early() -> Context:
    """The lease is looked at before the intent is written, not in the turn of the first byte."""
    pump = Dispatcher._pump

    def checked(self: Dispatcher) -> None:
        if self._lease_left_s() >= self._calls._write_timeout_s:
            pump(self)
        else:
            self._armed = False

    return patched((Calls, "may_begin", property(lambda _: True)), (Dispatcher, "_pump", checked))


def unknown_renewal_is_applied() -> Context:
    """A renewal whose answer was lost counts as applied."""

    def failed(self: Holder) -> None:
        asked, self._asked = self._asked, None
        if asked is not None:
            self._unsure[asked[0].nonce] = asked
            self.valid_until = max(self.valid_until, asked[1] + self.length_s)

    return patched((Holder, "failed", failed))


def renewals_without_nonce() -> Context:
    """A row that is active and further on is taken for the request that was just made."""
    answered = Holder.answered

    def blind(self: Holder, applied: bool, shown: Lease | None) -> None:
        asked = self._asked
        ahead = shown is not None and shown.state == "active" and shown.counter > self.counter
        if not applied and asked is not None and shown is not None and ahead:
            shown = replace(shown, nonce=asked[0].nonce)
        answered(self, applied, shown)

    return patched((Holder, "answered", blind))


def wait_counted_from_before_the_read() -> Context:
    """A counter counts as seen when the read of it began."""
    look_around, read = Membership._look_around, Members.leases_read
    begun: dict[int, float] = {}

    async def timed(self: Membership) -> None:
        begun[id(self.members)] = self._clock.boot()
        await look_around(self)

    def earlier(self: Members, leases: Iterable[Lease], now: float) -> None:
        read(self, leases, begun.get(id(self), now))

    return patched((Membership, "_look_around", timed), (Members, "leases_read", earlier))


def revoked_whatever_the_counter() -> Context:
    """`revoked` is set however far the counter went on meanwhile."""

    revoke_if = Membership._revoke

    async def revoke(self: Membership, command: Revoke) -> None:
        try:
            there = await self._store.lease(command.lease.incarnation)
        except StoreError:
            there = None
        if there is not None and there.state == "active":
            gone = replace(command.lease, counter=there.counter, nonce=there.nonce)
            command = Revoke(there, gone)
        await revoke_if(self, command)

    return patched((Membership, "_revoke", revoke))


def every_sight_starts_the_wait() -> Context:
    """The wait for a counter begins anew whenever it is seen, moved or not."""

    def saw(self: Watch, lease: Lease, now: float) -> None:
        self._seen[lease.incarnation] = (lease.counter, now)
        if lease.state != "active":
            del self._seen[lease.incarnation]

    return patched((Watch, "saw", saw))


# Epochs


def taken_without_the_epoch() -> Context:
    """Shards are taken from whoever holds them by now."""
    take = Ownership._take

    async def blind(self: Ownership, command: Take) -> bool:
        wanted = {row.shard for row in command.rows}
        try:
            there = await self._store.shards_of_home(self._home)
        except StoreError:
            return await take(self, command)
        return await take(self, Take(tuple(row for row in there if row.shard in wanted)))

    return patched((Ownership, "_take", blind))


def unknown_take_is_applied() -> Context:
    """Shards whose compare-and-set was not answered are worked on."""

    async def take(self: Ownership, command: Take) -> bool:
        rows, me = list(command.rows), self._owner.owner
        answer = await self._membership.submit(SwapShards(self._home, rows, me))
        if isinstance(answer, Swapped):
            shown, applied = answer.shards, answer.applied
        else:
            shown, applied = [ShardRow(row.shard, me, row.epoch + 1) for row in rows], True
        self._see(shown)
        self.shards.take_answered(command, shown)
        return applied

    return patched((Ownership, "_take", take))


def floor_of_a_lower_epoch() -> Context:
    """Any floor of a shard will do: the one of the lowest epoch is taken."""

    def lowest(floors: dict[str, bytes], shards: list[int], _apart: Any = ()) -> dict[int, Any]:
        best: dict[int, Any] = {}
        for owner, body in sorted(floors.items()):
            for part in decode_floor(body):
                for shard, epoch in part.shards:
                    known = best.get(shard)
                    if shard in shards and (known is None or known.epoch > epoch):
                        best[shard] = takeover._Floor(owner, epoch, part)
        return best

    return patched((takeover, "highest_floors", lowest))


def floors_joined_by_maximum() -> Context:
    """Of several floors of a shard the furthest mark of each log counts."""
    highest = takeover.highest_floors

    def joined(floors: dict[str, bytes], shards: list[int], apart: Any = ()) -> dict[int, Any]:
        best = highest(floors, shards, apart)
        for body in floors.values():
            for part in decode_floor(body):
                for shard, _ in part.shards:
                    if shard in best:
                        mine = best[shard]
                        best[shard] = takeover._Floor(mine.owner, mine.epoch, _max(mine.part, part))
        return best

    return patched((takeover, "highest_floors", joined))


def _max(one: FloorPart, other: FloorPart) -> FloorPart:
    accept, effect = dict(one.accept), dict(one.effect)
    for into, marks in ((accept, other.accept), (effect, other.effect)):
        for log, mark in marks.items():
            into[log] = max(into.get(log, 0), mark)
    closed = tuple(sorted({*one.closed, *other.closed}))
    return FloorPart(one.shards, accept, effect, closed, max(one.due, other.due))


def floor_forgets_a_shard() -> Context:
    """A floor row names only the shards that its owner has by then."""

    def parts(self: Owner, own_effects: dict[str, int]) -> list[FloorPart]:
        self._last_parts.clear()
        return all_parts(self, own_effects)

    def lose(self: Owner, shards: set[int]) -> None:
        given_up(self, shards)
        self._last_parts.clear()

    all_parts, given_up = Owner.floor_parts, Owner.lose
    return patched((Owner, "floor_parts", parts), (Owner, "lose", lose))


def due_marks_too_far() -> Context:
    """A due mark goes as far as the open set was read."""
    part = Marks.part

    def far(self: Marks, shard: int, epoch: int, *more: Any, **named: Any) -> FloorPart:
        found = part(self, shard, epoch, *more, **named)
        return replace(found, due=more[3])

    return patched((Marks, "part", far))


# Logs


def revoked_logs_closed_at_once() -> Context:
    """A revoked writer's logs end where they end when it is revoked."""
    find_ends = Members._find_ends

    def closed(self: Members, incarnation: str, lease: Lease, commands: list[Command]) -> None:
        self._closed.add(incarnation)
        find_ends(self, incarnation, lease, commands)

    return patched((Members, "_find_ends", closed))


def former_effects_not_followed() -> Context:
    """Effect logs of revoked owners are read when a shard is taken over, and never again."""
    return patched((Owner, "former_wants", lambda _: []))


def late_intent_is_doubt() -> Context:
    """An intent that came to stand after the takeover leaves its message in doubt."""
    late_effect = Inherited.late_effect

    def doubtful(self: Any, place: Place, record: Record) -> None:
        late_effect(self, place, record)  # type: ignore[arg-type]
        msg: Msg | None = self.find(record.id)
        if msg is not None and type(record) is Intent:
            msg.late -= {place}
            self.classify_all(msg)

    return patched((Inherited, "late_effect", doubtful))


def late_effects_dropped() -> Context:
    """What comes to stand after a takeover is read, and is nothing to anyone."""
    return patched((Inherited, "late_effect", lambda *_: None))


def late_outcome_without_segment() -> Context:
    """Provider ids of an outcome that lands after the takeover are written down nowhere."""

    async def read(self: Shell, log: str, first: int) -> None:
        try:
            for row, body in await self._store.rows(log, first, ROWS_AT_ONCE):
                self._owner.former_row(log, row, decode_row(body))
            self._owner.ask(self._clock.wall_ms())
            self.drain()
        finally:
            self._reading.discard(log)

    return patched((Shell, "_read_former", read))


def global_rows_before_quorum() -> Context:
    """Rows of global lanes are written before the log is registered at quorum."""
    made = Logs.__init__

    def init(self: Logs, *args: Any, **named: Any) -> None:
        made(self, *args, **named)
        self._held = []

    return patched((Logs, "__init__", init))


def rows_past_a_gap() -> Context:
    """A log is read on behind a row that is missing."""

    async def rows(
        self: view.SimView, log: str, first: int, limit: int, local: bool
    ) -> list[tuple[int, bytes]]:
        def look(asked: int, stale: list[Any]) -> list[tuple[int, bytes]]:
            there = self._find(("log", log)) or {}
            found = []
            for row in sorted(n for n in there if first <= n < first + limit):
                body = pick(there[row], asked, stale)
                if body is not None:
                    found.append((row, body))
            return found

        read: list[tuple[int, bytes]] = await self._read(look, local)
        return read

    def awaits(self: Owner, log: str, row: int) -> bool:
        return any(g.live and g.cursors.get(log, row) < row for g in self.groups)

    def available(self: Owner, log: str, row: int, records: list[Record]) -> None:
        for group in self.groups:
            if group.live and group.cursors.get(log, row) < row:
                group.cursors[log] = row
                self.row_read(log, row, records, group.shards)

    return patched(
        (view.SimView, "_rows", rows),
        (Owner, "awaits", awaits),
        (Owner, "row_available", available),
    )


REGIONS: tuple[Mutation, ...] = (
    *LEVELS,
    Mutation("epsilon_zero", "4", "lapses", epsilon_zero),
    Mutation("lease_checked_too_early", "4", "struck", lease_checked_too_early),
    Mutation("unknown_renewal_is_applied", "4", "drifts", unknown_renewal_is_applied),
    Mutation("renewals_without_nonce", "4", "slow_owners", renewals_without_nonce),
    Mutation("wait_counted_from_before_the_read", "4", "struck", wait_counted_from_before_the_read),
    Mutation("revoked_whatever_the_counter", "4", "slow_owners", revoked_whatever_the_counter),
    Mutation("every_sight_starts_the_wait", "4", "crashes", every_sight_starts_the_wait),
    Mutation("taken_without_the_epoch", "4", "takeovers", taken_without_the_epoch),
    Mutation("unknown_take_is_applied", "4", "takeovers", unknown_take_is_applied),
    Mutation("floor_of_a_lower_epoch", "3", "takeovers", floor_of_a_lower_epoch),
    Mutation("floors_joined_by_maximum", "3", "stale", floors_joined_by_maximum),
    Mutation("floor_forgets_a_shard", "3", "given_gone", floor_forgets_a_shard),
    Mutation("due_marks_too_far", "3", "parked", due_marks_too_far),
    Mutation("revoked_logs_closed_at_once", "2", "struck", revoked_logs_closed_at_once),
    Mutation("former_effects_not_followed", "2", "struck", former_effects_not_followed),
    Mutation("late_intent_is_doubt", "6", "late_intents", late_intent_is_doubt),
    Mutation("late_effects_dropped", "2", "struck", late_effects_dropped),
    Mutation("late_outcome_without_segment", "8", "late_outcomes", late_outcome_without_segment),
    Mutation("global_rows_before_quorum", "1", "gone_for_good", global_rows_before_quorum),
    Mutation("rows_past_a_gap", "2", "hints_expire", rows_past_a_gap),
)
