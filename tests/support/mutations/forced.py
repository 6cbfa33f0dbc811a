"""Forced ownership without one of its rules (PROTOCOL.md 7, `sync.forced`)."""

from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import AbstractContextManager

from core.engine.force import Force
from core.engine.receipts import Receipts
from core.sim.checks import journal
from core.sim.store import view
from sync import doubt
from sync.agreed import Refusal
from sync.forced import Forced, Ruling, joined, ruling
from sync.owner import inherited, intake
from sync.store.port import ByIdRow
from tests.support.mutations import Mutation, patched

Context = AbstractContextManager[None]
Repaired = Callable[[], Awaitable[Collection[str]]]


def begins_at_once() -> Context:
    """A region that is alone does not wait until no right of before lasts."""

    def may_own(self: Force) -> bool:
        return self.now.may_own(self._region)

    return patched((Force, "may_own", property(may_own)))


def never_reads() -> Context:
    """A process goes on under the ruling that held when it started."""

    async def holds(_self: Force) -> bool:
        return True

    async def watch(_self: Force) -> None:
        return None

    return patched((Force, "holds", holds), (Force, "watch_forever", watch))


def joins_without_a_pause() -> Context:
    """Regions join as soon as they are repaired: the one that was alone goes on meanwhile."""

    async def join(self: Force, repaired: Repaired) -> Forced | Refusal:
        assert self._forces is not None
        rows = await self._known(self._forces)
        now = ruling(rows)
        if now.number == 0:
            return joined(now, ())
        taken = any(row.alone and row.number == now.number for row in rows)
        row = Forced(now.number + taken, tuple(sorted(await repaired())))
        await self.settle()
        await self._put(row, at_quorum=True)
        return row

    return patched((Force, "_join", join))


def joins_before_the_repair() -> Context:
    """Regions join before they have what the one that was alone wrote."""
    join = Force._join

    async def unrepaired() -> Collection[str]:
        return ("ap", "eu", "us")

    async def at_once(self: Force, _repaired: Repaired) -> Forced | Refusal:
        return await join(self, unrepaired)

    return patched((Force, "_join", at_once))


def owners_by_shard_rows_only() -> Context:
    """Only whom the shard rows and floors name is read: they begin with nobody."""
    return patched((Force, "anybody", property(lambda _self: False)))


def later_row_hides() -> Context:
    """Of by-id rows of several force numbers the highest epoch alone counts."""

    def latest(rows: Iterable[ByIdRow]) -> ByIdRow | None:
        return max(rows, key=lambda row: (row.epoch, row.stamp), default=None)

    return patched((view, "latest", latest), (journal, "latest", latest))


def pending_not_settled() -> Context:
    """Receipts that waited in one region are not looked at again when regions join."""

    async def nothing(_self: Receipts, _accounts: Iterable[str]) -> None:
        return None

    return patched((Receipts, "look_again", nothing))


def floors_of_one_region_count() -> Context:
    """What a region that was alone passed over nobody reads again."""
    return patched((Force, "apart", property(lambda _self: frozenset())))


def rows_of_lower_numbers_left() -> Context:
    """What owners of two force numbers wrote of a message that has ended stays apart."""
    return patched((intake, "force_of", lambda _epoch: 0))


def intents_of_others_ignored() -> Context:
    """What an owner of a lower force number did late counts for nothing."""
    return patched((inherited, "force_of", lambda _epoch: 0), (doubt, "force_of", lambda _epoch: 0))


def two_may_be_alone() -> Context:
    """Of two regions that were forced under one number each goes on."""

    def may_own(self: Ruling, region: str) -> bool:
        return self.regions is None or region in self.regions

    def see(self: Force, rows: Collection[Forced]) -> bool:
        found = ruling(row for row in rows if not row.alone or self._region in row.regions)
        if found.number > self.under.number:
            self.on_changed()
            return False
        self.now = found if found.number == self.under.number else self.now
        return True

    return patched((Ruling, "may_own", may_own), (Force, "_see", see))


FORCED: tuple[Mutation, ...] = (
    Mutation("alone_begins_at_once", "7", "forced", begins_at_once),
    Mutation("rulings_never_read", "7", "forced", never_reads),
    Mutation("joined_without_a_pause", "7", "parted", joins_without_a_pause),
    Mutation("joined_before_the_repair", "7", "missed", joins_before_the_repair),
    Mutation("owners_by_shard_rows_only", "7", "parted", owners_by_shard_rows_only),
    Mutation("later_by_id_row_hides", "7", "missed", later_row_hides),
    Mutation("floors_of_one_region_count", "7", "missed", floors_of_one_region_count),
    Mutation("rows_of_lower_numbers_left", "7", "missed", rows_of_lower_numbers_left),
    Mutation("pending_not_settled", "7", "parted", pending_not_settled),
    Mutation("intents_of_others_ignored", "7", "doubted", intents_of_others_ignored),
    Mutation("two_may_be_alone", "7", "doubled", two_may_be_alone),
)
