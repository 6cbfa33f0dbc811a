"""This incarnation among the others: its registration, its lease, and the watch over their leases.

Registers the incarnation and its logs, takes the lease, renews it by compare-and-set, and revokes
others whose counter stood still for the lease's length and epsilon. One lease serves all homes; the
shards of each home are its `Ownership`'s part, which has its turn after each look at the leases.
When the own lease is lost the process must end: `on_lost` is called once, and whoever supervises it
starts a new incarnation with empty hands. A store that cannot be read is looked at again.

A log is closed, and need not be followed beyond its end, once its writer left, naming its last
rows. That of a revoked writer is closed only where the store itself refuses its rows from then on;
elsewhere one may land however late, and whoever wrote it may have been told that it stands.
"""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Protocol

from core.clock import Clock
from core.contract.log import Log
from core.engine.logs import Logs
from core.engine.pace import Pace
from sync.lease import Holder, Lease, Watch
from sync.naming import log_name
from sync.store.port import (
    Answer,
    JournalStore,
    Register,
    Registered,
    StoreError,
    SwapLease,
    Swapped,
    Write,
)

LEAVE_TRIES = 3
ENDS_AT_ONCE = 32


class Home(Protocol):
    """What is done for each home around a look at the leases."""

    async def read_shards(self) -> set[str]:
        """Read the shard rows; who stands in them."""

    async def follow_logs(self) -> None:
        """Tell the owner which logs the registry names."""

    async def reconcile(self) -> None:
        """Take up, take and drop shards."""

    async def write_floor(self) -> None:
        """Write the floor of now."""


class Membership:
    """See the module's docstring. `homes` are set once, before anything runs."""

    def __init__(
        self,
        store: JournalStore,
        logs: Logs,
        holder: Holder,
        watch: Watch,
        clock: Clock,
        random: Random,
        log: Log,
        incarnation: str,
        region: str,
        url: str,
        look_s: float,
        pace: Pace,
    ) -> None:
        self._store = store
        self._logs = logs
        self.holder = holder
        self._watch = watch
        self._clock = clock
        self._random = random
        self._log = log
        self.incarnation = incarnation
        self._region = region
        self._url = url
        self._look_s = look_s
        self._pace = pace
        self._lease = Lease(incarnation, 0, "", "active")
        self._gone: set[str] = set()
        self._unborn: dict[str, float] = {}
        self._closed: set[str] = set()
        self._ends: dict[str, int] = {}
        self._registry_read = -1e9
        self._leaving = False
        self.homes: list[Home] = []
        self.registry: dict[str, Registered] = {}
        self.leases: dict[str, Lease] = {}
        self.on_lost: Callable[[str], None] = lambda _: None

    def left_s(self) -> float:
        """How long the right to act still lasts."""
        return self.holder.left_s(self._clock.boot())

    def url_of(self, incarnation: str) -> str:
        """Where another one that is alive answers; "" for the own and where nobody knows."""
        if incarnation == self.incarnation or incarnation not in self.leases:
            return ""
        entry = self.registry.get(incarnation)
        return entry.url if entry else ""

    def dead(self, incarnation: str) -> bool:
        """Nobody, or one whose lease was revoked or left. One without a lease yet lives."""
        if incarnation in self.leases:
            return False
        return incarnation == "" or incarnation in self._gone

    async def register(self, at_quorum: bool = False) -> None:
        """Known before the first accept row: who reads the registry finds every log.

        In the own region first, so that a core can start in one that is cut off; at quorum before
        the first lease and the first row of a global lane.
        """
        write = Register(self.incarnation, self._region, self._url, self._logs.names, at_quorum)
        while await self.submit(write) != "ok":
            await asyncio.sleep(0.1)

    async def register_again_forever(self) -> None:
        """Every now and then, so that the entry outlives its TTL."""
        while True:
            await asyncio.sleep(self._pace.register_again_s)
            await self.register(at_quorum=True)

    # The own lease

    async def renew_forever(self) -> None:
        """Renew until the lease is lost or left; registered at quorum first."""
        await self.register(at_quorum=True)
        self._logs.open_global()
        while not self._leaving:
            now = self._clock.boot()
            if self.holder.due(now):
                await self._renew(now)
            if self.holder.lost:
                self.on_lost("the lease was revoked")
                return
            await asyncio.sleep(min(self._pace.renew_look_s, self.holder.renew_s))

    async def _renew(self, now: float) -> None:
        renew = self.holder.ask(now, f"{self._random.getrandbits(64):016x}")
        lease = Lease(self.incarnation, renew.counter, renew.nonce, "active")
        expect = self._lease if renew.expect else None
        answer = await self.submit(SwapLease(expect, lease))
        if not isinstance(answer, Swapped):
            self.holder.failed()
            return
        self.holder.answered(answer.applied, answer.lease)
        if answer.lease is not None:
            self._lease = answer.lease

    async def leave(self) -> None:
        """After everything ended: the last floors, then the lease is left with its last rows."""
        self._leaving = True
        for home in self.homes:
            await home.write_floor()
        for _ in range(LEAVE_TRIES):
            left = Lease(
                self.incarnation,
                self._lease.counter,
                self._lease.nonce,
                "left",
                self._lease.map_version,
                self._logs.last_rows(),
            )
            answer = await self.submit(SwapLease(self._lease, left))
            if not isinstance(answer, Swapped) or answer.applied or answer.lease is None:
                return
            self._lease = answer.lease  # a renewal was under way and came first

    # Others' leases, and the homes after them

    async def watch_forever(self) -> None:
        """Look at leases and shard rows, revoke the dead, take what is free."""
        while not self._leaving:
            try:
                await self._look_around()
            except StoreError as error:
                self._log.error("leases cannot be read", error=str(error))
            await asyncio.sleep(self._look_s)

    async def _look_around(self) -> None:
        self.leases = {lease.incarnation: lease for lease in await self._store.leases()}
        now = self._clock.boot()  # not before: the wait begins when the counter was seen
        await self._find_gone()
        for lease in self.leases.values():
            if lease.incarnation != self.incarnation:
                self._watch.saw(lease, now)
        for incarnation, counter in self._watch.expired(self._clock.boot()):
            await self._revoke(incarnation, counter)
        if self._clock.boot() - self._registry_read >= self._pace.registry_every_s:
            await self.read_registry()
        for home in self.homes:
            await home.follow_logs()
        await self._reconcile()

    async def _reconcile(self) -> None:
        """Side by side: a home whose floor cannot be written holds up none of the others."""
        work = [home.reconcile() for home in self.homes]
        for failed in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(failed, BaseException):
                raise failed

    async def read_registry(self) -> None:
        """Find what was registered since the last time."""
        self._registry_read = self._clock.boot()
        self.registry = {r.incarnation: r for r in await self._store.registry()}

    async def _find_gone(self) -> None:
        """Whoever owns shards or logs without an active lease: revoked, left, or just starting."""
        names = set(self.registry)
        for home in self.homes:
            names |= await home.read_shards()
        for incarnation in sorted(names - set(self.leases) - self._gone - {""}):
            lease = await self._store.lease(incarnation)
            if lease is not None and lease.state != "active":
                self._went(lease)
            elif lease is None and incarnation != self.incarnation:
                await self._revoke_unborn(incarnation)

    async def _revoke_unborn(self, incarnation: str) -> None:
        """One that registered and never took a lease: after a lease's length it never will."""
        since = self._unborn.setdefault(incarnation, self._clock.boot())
        if self._clock.boot() - since < self.holder.length_s * self._pace.unborn_leases:
            return
        self._unborn.pop(incarnation)
        revoked = Lease(incarnation, 0, "", "revoked")
        await self.submit(SwapLease(None, revoked))

    async def _revoke(self, incarnation: str, counter: int) -> None:
        lease = self.leases.get(incarnation)
        if lease is None or lease.state != "active" or lease.counter != counter:
            return
        gone = Lease(incarnation, counter, lease.nonce, "revoked", lease.map_version)
        answer = await self.submit(SwapLease(lease, gone))
        if isinstance(answer, Swapped) and answer.applied:
            self._log.warning("lease revoked", incarnation=incarnation, counter=counter)
            self.leases.pop(incarnation, None)
            self._went(gone)

    def _went(self, lease: Lease) -> None:
        """Revoked or left, for good."""
        self._gone.add(lease.incarnation)
        if lease.state == "left":
            self._ends.update(lease.last_rows)
        if lease.state == "left" or self._store.closes_revoked:
            self._closed.add(lease.incarnation)

    async def accept_logs(self, home: str) -> tuple[list[str], dict[str, int]]:
        """The home's accept logs, and the last rows of logs that can never grow again."""
        accept: list[str] = []
        unknown: list[str] = []
        for entry in self.registry.values():
            closed = entry.incarnation in self._closed
            for log in entry.logs:
                name = log_name(log)
                if name.home != home:
                    continue
                if name.kind == "accept":
                    accept.append(log)
                if closed and log not in self._ends:
                    unknown.append(log)
        for at in range(0, len(unknown), ENDS_AT_ONCE):
            await self._find_ends(unknown[at : at + ENDS_AT_ONCE])
        return accept, self._ends

    async def _find_ends(self, logs: list[str]) -> None:
        """Side by side: one after the other would take long where the store is far away."""
        rows = await asyncio.gather(*(self._store.last_row(log) for log in logs))
        self._ends.update(zip(logs, rows, strict=True))

    async def submit(self, write: Write) -> Answer:
        """Hand a write to the store, and wait for its answer."""
        told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def done(answer: Answer) -> None:
            if not told.done():
                told.set_result(answer)

        self._store.submit(write, done)
        return await told
