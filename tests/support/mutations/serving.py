"""The set of serving regions without one of its rules (PROTOCOL.md 7, last bullet; 0.1)."""

from contextlib import AbstractContextManager

from core.engine.serving import Serving, Transition
from sync import serving as rules
from sync.agreed import Refusal
from sync.serving import RegionRow, ServingSet
from sync.store.port import Swapped, SwapServing
from tests.support.mutations import Mutation, patched

Context = AbstractContextManager[None]


def last_region_drained() -> Context:
    """A region is drained without a look at whether another one serves."""

    def drain(
        current: ServingSet, region: str, reason: str, nonce: str, _groups: object
    ) -> ServingSet | Refusal:
        version = current.version + 1
        row = RegionRow("draining", 0, version, reason)
        return ServingSet(version, nonce, current.regions | {region: row})

    return patched((rules, "drain", drain))


def group_left_by_its_last() -> Context:
    """A region is drained without a look at who else of its placement groups serves."""
    drain = rules.drain

    def whatever_its_groups(
        current: ServingSet, region: str, reason: str, nonce: str, _groups: object
    ) -> ServingSet | Refusal:
        return drain(current, region, reason, nonce)

    return patched((rules, "drain", whatever_its_groups))


def lost_answer_is_refused() -> Context:
    """A change whose answer was lost counts as one that was not made: the operator is told no."""

    async def change(self: Serving, transition: Transition) -> ServingSet | Refusal:
        row = await self._read()
        wanted = transition(row, self._nonce())
        if isinstance(wanted, Refusal) or wanted is row:
            return wanted
        answer = await self._submit(SwapServing(row, wanted))
        if isinstance(answer, Swapped) and answer.applied:
            self._see(wanted)
            return wanted
        return Refusal("row_changed", "", "the row was not changed", "Ask again.")

    return patched((Serving, "_change", change))


def lost_answer_is_applied() -> Context:
    """A change whose answer was lost counts as made."""

    made = Serving._made

    async def believed(self: Serving, expect: ServingSet | None, wanted: ServingSet) -> bool:
        if expect is None:
            return await made(self, expect, wanted)
        answer = await self._submit(SwapServing(expect, wanted))
        return answer.applied if isinstance(answer, Swapped) else True

    return patched((Serving, "_made", believed))


def drained_regions_take_shards() -> Context:
    """Cores do not look at which regions are out when they take and give shards."""
    return patched((Serving, "out", property(lambda _: ())))


SERVING: tuple[Mutation, ...] = (
    Mutation("last_region_drained", "7", "drains", last_region_drained),
    Mutation("group_left_by_its_last", "10", "narrowed", group_left_by_its_last),
    Mutation("lost_serving_answer_is_refused", "0.1", "drains", lost_answer_is_refused),
    Mutation("lost_serving_answer_is_applied", "0.1", "drains", lost_answer_is_applied),
    Mutation("drained_regions_take_shards", "7", "drains", drained_regions_take_shards),
)
