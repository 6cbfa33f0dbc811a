"""Whether the answers of a register under compare-and-set can be explained by one order.

The search of Wing and Gong: an order of all uses in which each takes effect between its call and
its answer and is answered as the register then stood. A use whose answer is unknown may take
effect at any moment after its call, also long after it was given up, or never. Places of the
search that were seen once are not searched again, and an unknown swap is tried only where it would
change the register. Nothing is asked of how the register works.
"""

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import msgspec
from msgspec import Struct

from sync.store.port import (
    ShardRow,
    SwapLease,
    SwapMaps,
    Swapped,
    SwapReplication,
    SwapServing,
    SwapShards,
)


class Use(Struct, frozen=True):
    """A use of a register. `argument` None is a read, answered `(what stood there,)`.

    `answer` None: it is unknown whether it took effect, and `answered_s` counts for nothing.
    """

    invoked_s: float
    answered_s: float
    argument: SwapLease | SwapShards | SwapServing | SwapMaps | SwapReplication | None
    answer: Swapped | tuple[Any] | None
    process: str = ""


class Unexplained(Struct, frozen=True):
    """No order explains the answers. `use` is the first that none reached."""

    use: Use
    explained: int


Step = Callable[[Any, Any], tuple[Any, Any]]


def step_lease(state: Any, swap: SwapLease | None) -> tuple[Any, Any]:
    """A lease's register: its next state, and the answer."""
    if swap is None:
        return state, (state,)
    if state != swap.expect:
        return state, Swapped(False, lease=state)
    return swap.lease, Swapped(True, lease=swap.lease)


def step_shards(state: Any, swap: SwapShards | None) -> tuple[Any, Any]:
    """The register of a home's shards: its next state, and the answer."""
    if swap is None:
        return state, (state,)
    there = {row.shard: row for row in state}
    if any(there.get(row.shard) != row for row in swap.expect):
        return state, Swapped(False, shards=state)
    given = {row.shard: ShardRow(row.shard, swap.owner, row.epoch + 1) for row in swap.expect}
    return [given.get(row.shard, row) for row in state], Swapped(True, shards=[*given.values()])


def step_serving(state: Any, swap: SwapServing | None) -> tuple[Any, Any]:
    """The register of the serving regions: its next state, and the answer."""
    if swap is None:
        return state, (state,)
    if state != swap.expect:
        return state, Swapped(False, serving=state)
    return swap.row, Swapped(True, serving=swap.row)


def step_maps(state: Any, swap: SwapMaps | None) -> tuple[Any, Any]:
    """The register of the placement map: its next state, and the answer."""
    if swap is None:
        return state, (state,)
    if state != swap.expect:
        return state, Swapped(False, maps=state)
    return swap.row, Swapped(True, maps=swap.row)


def step_replication(state: Any, swap: SwapReplication | None) -> tuple[Any, Any]:
    """The register of a change of replication: its next state, and the answer."""
    if swap is None:
        return state, (state,)
    if state != swap.expect:
        return state, Swapped(False, replication=state)
    return swap.row, Swapped(True, replication=swap.row)


def unexplained(uses: Sequence[Use], start: Any, step: Step) -> Unexplained | None:
    """None if there is an order of one register's uses; else how far the search came."""
    known = sorted((u for u in uses if u.answer is not None), key=lambda use: use.invoked_s)
    unknown = sorted(
        (u for u in uses if u.answer is None and u.argument), key=lambda use: use.invoked_s
    )
    search = _Search(known, unknown, step)
    return search.run(start)


class _Search:
    """A place of the search: which uses have taken effect (as bits), and the state then."""

    def __init__(self, known: list[Use], unknown: list[Use], step: Step) -> None:
        self._known = known
        self._unknown = unknown
        self._step = step
        self._all = (1 << len(known)) - 1

    def run(self, start: Any) -> Unexplained | None:
        places: list[tuple[int, int, Any]] = [(0, 0, start)]
        seen: set[tuple[int, int, bytes]] = set()
        furthest = 0
        while places:
            done, happened, state = places.pop()
            if done == self._all:
                return None
            key = (done, happened, msgspec.msgpack.encode(state))
            if key in seen:
                continue
            seen.add(key)
            if done.bit_count() > furthest.bit_count():
                furthest = done
            places += reversed(self._next(done, happened, state))
        return Unexplained(self._known[_lowest_clear(furthest)], furthest.bit_count())

    def _next(self, done: int, happened: int, state: Any) -> list[tuple[int, int, Any]]:
        """Where one more use leads to: of those that none not yet done was answered before."""
        found = []
        until_s, index = inf, _lowest_clear(done)
        candidates = []
        while index < len(self._known) and self._known[index].invoked_s <= until_s:
            if not done >> index & 1:
                candidates.append(index)
                until_s = min(until_s, self._known[index].answered_s)
            index += 1
        for index in candidates:
            use = self._known[index]
            after, answer = self._step(state, use.argument)
            if use.invoked_s <= until_s and answer == use.answer:
                found.append((done | 1 << index, happened, after))
        for index, use in enumerate(self._unknown):
            if use.invoked_s > until_s:
                break
            if not happened >> index & 1:
                after, answer = self._step(state, use.argument)
                if answer.applied:
                    found.append((done, happened | 1 << index, after))
        return found


def _lowest_clear(bits: int) -> int:
    return (~bits & (bits + 1)).bit_length() - 1
