"""What steps of a change of replication do to the simulated store, asked by one process.

A rebuild copies what one other replica has, as a stream from one source does. Repairs and the
verification need every replica. Each takes a while; who dies meanwhile has done nothing.
"""

import asyncio
from typing import TYPE_CHECKING

from core.sim.process import Process
from core.sim.store.replicas import some_of
from sync.replication import Replicas
from sync.store.port import StoreError

if TYPE_CHECKING:
    from core.sim.store.store import SimStore

LOOK_S = 0.2
AGREED_WITHIN_S = 3.0
WORK_S = (0.05, 0.4)
BEGUN = ("", "unheard", "late", "slow")  # fates of a write that is carried out all the same


class SimReplicator:
    """Implements `sync.store.replicator.Replicator`."""

    def __init__(self, store: "SimStore", process: Process) -> None:
        self._store = store
        self._process = process

    async def replicas(self, keyspace: str) -> Replicas:  # noqa: ARG002 # there is one
        """The counts by region."""
        await self._agreed()
        return self._store.replicas.newest.counts()

    async def alter(self, keyspace: str, replicas: Replicas, within_s: float) -> None:  # noqa: ARG002
        """Asked at once; coordinators follow in a while."""
        store, process = self._store, self._process
        fate = store.fate("write", process)
        if not store.majority(process.region) or fate not in BEGUN:
            await self._fail()
        store.alters.alter(process.region, replicas)
        if fate in ("unheard", "late"):
            await self._fail()
        await self._agreed()

    async def rebuild(self, keyspace: str, datacentre: str) -> None:  # noqa: ARG002
        """From one replica, elsewhere if there is one."""
        alters = self._store.alters
        await self._work()
        newest = self._store.replicas.newest
        there = self._within_reach()
        getting = newest.bits[datacentre] & there
        sources = there & ~newest.bits[datacentre] or getting
        if getting != newest.bits[datacentre] or not sources:
            await self._fail()
        source = some_of(sources, 1, alters.random.randrange(64))
        alters.join(source, getting)

    async def repair(self, keyspace: str) -> None:  # noqa: ARG002
        """All replicas have the same afterwards."""
        began_s = self._store.now
        await self._work()
        await self._all_there()
        every = self._store.replicas.newest.all
        self._store.alters.join(every, every)
        self._store.alters.repaired_from_s = began_s

    async def paxos_repair(self, keyspace: str) -> None:  # noqa: ARG002
        """Paxos is not played; the replicas must be there all the same."""
        await self._work()
        await self._all_there()

    async def verify(self, keyspace: str) -> bool:  # noqa: ARG002
        """Whether all replicas have what was repaired."""
        await self._work()
        await self._all_there()
        same = self._store.alters.same()
        if not same:
            self._store.counts["replicas found to differ"] += 1
        return same

    async def _work(self) -> None:
        await asyncio.sleep(self._store.alters.random.uniform(*WORK_S))

    async def _agreed(self) -> None:
        """Wait until all coordinators follow the same configuration, each reached from here."""
        store, until_s = self._store, self._store.now + AGREED_WITHIN_S
        while not store.replicas.agreed or not self._reaches_all():
            if store.now >= until_s:
                await self._fail()
            await asyncio.sleep(LOOK_S)

    def _reaches_all(self) -> bool:
        store, region = self._store, self._process.region
        return all(store.network.connected(region, there) for there in store.replicas.bits)

    def _within_reach(self) -> int:
        store, region, found = self._store, self._process.region, 0
        for there in store.replicas.bits:
            if store.network.connected(region, there):
                found |= store.replicas.up(there)
        return found

    async def _all_there(self) -> None:
        replicas = self._store.replicas
        if not replicas.agreed or self._within_reach() != replicas.newest.all:
            await self._fail()

    async def _fail(self) -> None:
        await asyncio.sleep(self._store.timeout_s)
        raise StoreError("a step of the change of replication was not done")
