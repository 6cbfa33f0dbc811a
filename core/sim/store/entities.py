"""The configuration's store of several regions: registers, and a copy of them in each region.

An entity is a register under compare-and-set: it is swapped at one instant, if its coordinator
then reaches a majority of the replicas; an answer that was lost says nothing, as with
`core.sim.store.swaps`. What was written is in its writer's region at once; to the others it is
sent until it has arrived, so it comes late, or out of order, and is never lost. Reads and the feed
are those of the own region's copy, whose versions only rise: where it does not answer they raise
`StoreError`. A replica that loses its data is taken to have its copies again when it answers.

Without `change` nobody edits anything: there is nothing to draw, and a read costs nothing.
`written` has all versions of each register, `arrived` when each came to which region, and
`troubled_s` when a read of a process last failed or was slow: for checkers.
"""

from asyncio import Future
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, TypeVar

from core.sim.process import Process
from sync.store.entities import (
    LIST_MAX,
    Changes,
    Entity,
    StaleVersion,
    check_body,
    check_expected,
    check_name,
)
from sync.store.port import StoreError

if TYPE_CHECKING:
    from core.sim.store.store import SimStore

T = TypeVar("T")
Name = tuple[str, str]
AGAIN_S = 0.5
LATE_MAX_S = 1.5
LATE = 0.2


class Copy:
    """What one region has. `feed` is in the order in which it came."""

    def __init__(self) -> None:
        self.rows: dict[Name, Entity] = {}
        self.feed: dict[Name, int] = {}
        self.head = 0

    def take(self, entity: Entity) -> bool:
        """Have this version, unless a newer one is there already."""
        name = (entity.kind, entity.id)
        known = self.rows.get(name)
        if known is not None and known.version >= entity.version:
            return False
        self.head += 1
        self.rows[name] = entity
        self.feed.pop(name, None)
        self.feed[name] = self.head
        return True


class Entities:
    """See the module's docstring."""

    def __init__(self, store: "SimStore", random: Random, change: bool) -> None:
        self.store = store
        self.random = random
        self.change = change
        self.copies = {region: Copy() for region in store.replicas.bits}
        self.written: dict[Name, list[Entity]] = {}
        self.arrived: dict[tuple[str, Name], list[tuple[float, int]]] = {}
        self.troubled_s: dict[str, float] = {}

    def view(self, process: Process) -> "EntityView":
        """The store as a process has it."""
        return EntityView(self, process)

    def newest(self, name: Name) -> Entity | None:
        """The register as it stands; None where nothing was ever written."""
        versions = self.written.get(name)
        return versions[-1] if versions else None

    def seed(self, kind: str, name: str, body: bytes) -> None:
        """What there is from the beginning, everywhere."""
        entity = Entity(kind, name, 1, body)
        self.written[kind, name] = [entity]
        for region in self.copies:
            self._take(region, entity)

    def swap(
        self, region: str, kind: str, name: str, body: bytes | None, expect: int | None
    ) -> int:
        """The register's next version, written in a region; None as body is a deletion.

        0 where there was nothing to delete; raises StaleVersion.
        """
        versions = self.written.setdefault((kind, name), [])
        version = len(versions)
        gone = not versions or versions[-1].deleted
        if body is None and expect is None and gone:
            return 0
        check_expected(expect, version, gone)
        if body is None and gone:
            return 0
        entity = Entity(kind, name, version + 1, body or b"", body is None)
        versions.append(entity)
        self._take(region, entity)
        for other in self.copies:
            if other != region:
                late = self.store.faulty and self.random.random() < LATE
                wait_s = self.random.uniform(0.0, LATE_MAX_S) if late else 0.0
                self.store.scheduler.after(wait_s, lambda to=other: self._send(region, to, entity))
        return version + 1

    def _send(self, region: str, other: str, entity: Entity) -> None:
        """Until it has arrived, and the other region's replicas took it."""
        again = lambda: self._send(region, other, entity)  # noqa: E731 - said in two places
        took_s = self.store.network.travel_s(region, other)

        def arrive() -> None:
            if self.store.replicas.up(other):
                self._take(other, entity)
            else:
                self.store.scheduler.after(AGAIN_S, again)

        if took_s is None:
            self.store.scheduler.after(AGAIN_S, again)
        else:
            self.store.scheduler.after(took_s, arrive)

    def _take(self, region: str, entity: Entity) -> None:
        if self.copies[region].take(entity):
            arrivals = self.arrived.setdefault((region, (entity.kind, entity.id)), [])
            arrivals.append((self.store.now, entity.version))


class EntityView:
    """The `EntityStore` of one process."""

    def __init__(self, entities: Entities, process: Process) -> None:
        self._entities = entities
        self._store = entities.store
        self._process = process
        self._copy = entities.copies[process.region]

    async def get(self, kind: str, name: str) -> Entity | None:
        return await self._read(lambda: self._copy.rows.get((kind, name)))

    async def list(self, kind: str, after: str = "", limit: int = 100) -> list[Entity]:
        def look() -> list[Entity]:
            rows = [
                row
                for row in self._copy.rows.values()
                if row.kind == kind and row.id > after and not row.deleted
            ]
            return sorted(rows, key=lambda row: row.id)[: min(limit, LIST_MAX)]

        return await self._read(look)

    async def put(self, kind: str, name: str, body: bytes, expect: int | None) -> int:
        check_name(kind, name)
        check_body(body)
        return await self._swap(kind, name, body, expect)

    async def delete(self, kind: str, name: str, expect: int | None) -> int:
        return await self._swap(kind, name, None, expect)

    async def changes(self, since: int, limit: int) -> Changes:
        def look() -> Changes:
            found = [(name, seq) for name, seq in self._copy.feed.items() if seq > since][:limit]
            return (found[-1][1] if found else self._copy.head), [name for name, _ in found]

        return await self._read(look)

    async def head(self) -> int:
        return await self._read(lambda: self._copy.head)

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _read(self, look: Callable[[], T]) -> T:
        """What `look` sees in the own region's copy, half way."""
        if not self._entities.change:
            return look()
        store, process = self._store, self._process
        fate = store.fate("read", process)
        took_s = store.network.rates.near_s
        if fate == "slow":
            took_s += self._entities.random.random() * store.faults.slow_max_s
        failed = fate == "fails" or not store.replicas.up(process.region)
        future: Future[T] = process.loop.create_future()
        if failed or took_s > store.timeout_s:
            self._trouble(store.timeout_s)
            store.reads.fail(future, process)
            return await future
        if fate:
            self._trouble(took_s)

        def see() -> None:
            seen = look()
            store.scheduler.after(took_s / 2, lambda: future.set_result(seen), process)

        store.scheduler.after(took_s / 2, see)
        return await future

    def _trouble(self, took_s: float) -> None:
        self._entities.troubled_s[self._process.name] = self._store.now + took_s

    async def _swap(self, kind: str, name: str, body: bytes | None, expect: int | None) -> int:
        """As `core.sim.store.swaps` does it: `StoreError` where the answer is not known."""
        store, random, process = self._store, self._entities.random, self._process
        future: Future[int] = process.loop.create_future()
        fate = store.fate("swap", process)
        asked, round_s = store.reads.ask(process.region, local=False)
        reach_s = 2 * round_s if asked else None
        unheard = fate != "" or reach_s is None or reach_s > store.timeout_s

        def execute() -> None:
            answer: int | Exception
            if not store.majority(process.region):
                answer = StoreError("too few replicas answered")
            else:
                try:
                    answer = self._entities.swap(process.region, kind, name, body, expect)
                except StaleVersion as stale:
                    answer = stale
            if not unheard:
                store.scheduler.after((reach_s or 0.0) / 2, lambda: told(answer), process)

        def told(answer: int | Exception) -> None:
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

        if unheard:
            store.reads.fail(future, process)
        if fate == "late":
            reach_s = random.uniform(0.0, store.faults.late_max_s) * 2
        if reach_s is not None and not (fate == "lost" and random.random() < 0.5):
            store.scheduler.after(reach_s / 2, execute)
        return await future
