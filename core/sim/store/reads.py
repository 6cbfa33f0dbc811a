"""Reads: as many replicas as the level asks for, joined by rank, with blocking read repair.

The replicas asked are those that answer first: the own region's, then the others' in the order of
their distance, or, as often as `far_reads` says, in the reverse one. Each read sees all of them at
one moment: mostly that of the call, the oldest that is right, and which costs no event; sometimes
one half way.
"""

from asyncio import Future
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

from core.sim.process import Process
from core.sim.store.replicas import some_of
from core.sim.store.rows import Version
from sync.store.port import StoreError

if TYPE_CHECKING:
    from core.sim.store.store import SimStore

SEEN_LATER = 0.25
Look = Callable[[int, list[Version]], Any]


class Reads:
    """See the module's docstring."""

    def __init__(self, store: "SimStore", random: Random) -> None:
        self._store = store
        self._random = random
        network = store.network
        self._orders: dict[str, list[list[str]]] = {}
        for region in store.replicas.bits:
            others = [other for other in store.replicas.bits if other != region]
            others.sort(key=lambda other: network.distance_s(region, other))
            self._orders[region] = [[region, *others], [region, *reversed(others)]]

    def read(self, process: Process, local: bool, look: Look, each: bool = False) -> "Future[Any]":
        """Await what `look(replicas asked, versions that some of them lack)` sees at its moment.

        With `each` all that can be reached are asked.
        """
        store, after = self._store, self._store.scheduler.after
        future = process.loop.create_future()
        fate = store.fate("read", process)
        asked, reach_s = self.ask_each(process.region) if each else self.ask(process.region, local)
        if not asked or fate == "fails":
            self.fail(future, process)
            return future
        if fate == "slow":
            reach_s += self._random.random() * store.faults.slow_max_s
        if reach_s > store.timeout_s:
            self.fail(future, process)
            return future

        def see(back_s: float) -> None:
            stale: list[Version] = []
            seen = look(asked, stale)
            if not stale:
                after(back_s, lambda: tell(future, seen), process)
            elif self._answer(process.region, asked):
                store.counts["read repairs"] += 1
                after(reach_s, lambda: self._repair(stale, asked))
                after(back_s + reach_s, lambda: tell(future, seen), process)
            else:
                self.fail(future, process)

        if self._random.random() < SEEN_LATER:
            after(reach_s / 2, lambda: see(reach_s / 2))
        else:
            see(reach_s)
        return future

    def ask(self, region: str, local: bool) -> tuple[int, float]:
        """The replicas that a read of this level asks, and how long they take; 0: too few."""
        replicas, travel_s = self._store.replicas, self._store.network.travel_s
        follows = replicas.at(region)
        needs, asked, reach_s = follows.needs(region, local), 0, 0.0
        if not follows.bits[region] & ~replicas.down:
            return 0, 0.0
        order = self._orders[region][self._random.random() < self._store.far_reads]
        for there in order[:1] if local else order:
            up = follows.bits[there] & ~replicas.down
            if not up:
                continue
            out_s = travel_s(region, there)
            back_s = travel_s(there, region) if out_s is not None else None
            if out_s is None or back_s is None:
                continue
            if up.bit_count() > needs:
                up = some_of(up, needs, self._random.randrange(64))
            asked |= up
            needs -= up.bit_count()
            reach_s = max(reach_s, out_s + back_s)
            if needs <= 0:
                return asked, reach_s
        return 0, 0.0

    def ask_each(self, region: str) -> tuple[int, float]:
        """All replicas within reach, and how long they take; 0 if they are no majority, or a
        majority of the own region's is not among them."""
        replicas, travel_s = self._store.replicas, self._store.network.travel_s
        follows, asked, reach_s = replicas.at(region), 0, 0.0
        for there, bits in follows.bits.items():
            out_s, back_s = travel_s(region, there), travel_s(there, region)
            if out_s is not None and back_s is not None:
                asked |= bits & ~replicas.down
                reach_s = max(reach_s, out_s + back_s)
        own = (asked & follows.bits[region]).bit_count()
        enough = own >= follows.needs(region, local=True) and asked.bit_count() >= follows.quorum
        return (asked, reach_s) if enough else (0, 0.0)

    def _repair(self, stale: list[Version], asked: int) -> None:
        for version in stale:
            self._store.writes.spread_to(version, asked)

    def _answer(self, region: str, asked: int) -> bool:
        bits, network = self._store.replicas.bits, self._store.network
        if asked & self._store.replicas.down:
            return False
        return all(network.connected(region, there) for there in bits if bits[there] & asked)

    def fail(self, future: "Future[Any]", process: Process) -> None:
        """The read ends with `StoreError`, at its time-out."""
        self._store.counts["reads failed"] += 1
        error = StoreError("the store cannot be read: too few replicas answered")

        def refuse() -> None:
            if not future.done():
                future.set_exception(error)

        self._store.scheduler.after(self._store.timeout_s, refuse, process)


def tell(future: "Future[Any]", seen: Any) -> None:
    """Answer a read that is still awaited."""
    if not future.done():
        future.set_result(seen)
