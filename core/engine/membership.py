"""This incarnation among the others: its registration, its lease, and the watch over their leases.

Carries out what `sync.keeper.members` decides. One lease serves all homes; the shards of each home
are its `Ownership`'s part, which has its turn after each look at the leases. When the own lease is
lost the process must end: `on_lost` is called once, and whoever supervises it starts a new
incarnation with empty hands. A store that cannot be read is looked at again.
"""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Protocol

from core.clock import Clock
from core.contract.log import Log
from core.engine.agreed import Agreed
from core.engine.logs import Logs
from core.engine.pace import Pace
from core.engine.sightings import Sightings
from core.engine.signals import Beat
from core.engine.submitting import submitted
from sync.keeper.members import Beat as MemberBeat
from sync.keeper.members import (
    Command,
    Members,
    ReadEnd,
    ReadLease,
    Revoke,
    Timing,
    isolated,
    leaving,
    renewal,
)
from sync.lease import Holder, Lease
from sync.naming import log_name
from sync.store.port import (
    Answer,
    JournalStore,
    Register,
    StoreError,
    SwapLease,
    Swapped,
    Write,
)

LEAVE_TRIES = 3
LEAVE_LOOKS = 40
LEAVE_LOOK_S = 0.05


class Home(Protocol):
    """What is done for each home around a look at the leases."""

    async def read_shards(self) -> set[str]:
        """Read the shard rows; who stands in them."""

    def follow_logs(self) -> None:
        """Tell the owner which logs the registry names."""

    async def reconcile(self) -> None:
        """Take up, take and drop shards."""

    async def write_floor(self) -> None:
        """Write the floor of now."""

    @property
    def moving(self) -> bool:
        """Whether a shard is being taken, taken up or given."""


class Membership:
    """See the module's docstring. `homes` are set once, before anything runs. Until `rows_known`
    nothing may be owned."""

    def __init__(
        self,
        store: JournalStore,
        logs: Logs,
        holder: Holder,
        timing: Timing,
        clock: Clock,
        random: Random,
        log: Log,
        incarnation: str,
        region: str,
        url: str,
        look_s: float,
        pace: Pace,
        agreed: Agreed,
    ) -> None:
        self._store = store
        self._logs = logs
        self.holder = holder
        self._clock = clock
        self._random = random
        self._log = log
        self.incarnation = incarnation
        self.region = region
        self._url = url
        self._look_s = look_s
        self._pace = pace
        self._lease = Lease(incarnation, 0, "", "active")
        self.members = Members(incarnation, region, timing, store.closes_revoked)
        self.sightings = Sightings(timing.silence_s, timing.lease_s)
        self.draining = False
        self.serving, self.maps = agreed.serving, agreed.maps
        self.replication, self.force = agreed.replication, agreed.force
        self.force.on_changed = lambda: self.on_lost("ownership was forced")
        self.rows_known = False
        self._started_s = clock.boot()
        self._registry_read = -1e9
        self._accept_logs: dict[str, list[str]] = {}
        self._effect_logs: dict[str, list[str]] = {}
        self._leaving = False
        self.homes: list[Home] = []
        self.on_lost: Callable[[str], None] = lambda _: None

    def left_s(self) -> float:
        """How long the right to act still lasts."""
        return self.holder.left_s(self._clock.boot())

    @property
    def isolated(self) -> bool:
        """Whether this core lives and could not renew for as long as a right lasts."""
        return isolated(self.holder, self._started_s, self._clock.boot(), self.holder.length_s)

    def region_closed(self, region: str) -> None:
        """An operator's word: since the region's lost cores ended, everything was repaired and
        checked, or the region is gone for good.

        It holds for those that this core knows to be gone now: their logs end where they stand,
        and are followed no longer.
        """
        self.members.region_closed(region)

    def url_of(self, incarnation: str) -> str:
        """Where another one that is alive answers; "" for the own and where nobody knows."""
        if incarnation == self.incarnation or incarnation not in self.members.leases:
            return ""
        entry = self.members.registry.get(incarnation)
        return entry.url if entry else ""

    def hears(self, incarnation: str) -> bool:
        """Whether the core is this one, or one that shows that it lives."""
        own = incarnation == self.incarnation
        return own or self.sightings.heard(incarnation, self._clock.boot())

    @property
    def alone(self) -> bool:
        """Whether there is nobody else to whom shards could be given."""
        cores = self.members.cores(self._clock.boot())
        return not any(
            core.incarnation != self.incarnation
            and core.region not in self.serving.out
            and not (core.draining or core.silent)
            for core in cores
        )

    async def register(self, at_quorum: bool = False) -> None:
        """Known before the first accept row: who reads the registry finds every log.

        In the own region first, so that a core can start in one that is cut off; at quorum before
        the first lease and the first row of a global lane.
        """
        write = Register(self.incarnation, self.region, self._url, self._logs.names, at_quorum)
        while await self.submit(write) != "ok":
            await asyncio.sleep(0.1)

    async def register_again_forever(self) -> None:
        """Every now and then, so that the entry outlives its TTL."""
        while True:
            await asyncio.sleep(self._pace.register_again_s)
            await self.register(at_quorum=True)

    # The own lease

    async def renew_forever(self) -> None:
        """Renew until the lease is lost or left; registered at quorum first.

        What the first lease names of the placement map, and of a change of replication, was read
        before it, so that what is agreed already need not wait for this core.
        """
        await self.register(at_quorum=True)
        self._logs.open_global()
        await self._read_rows()
        while not self._leaving:
            now = self._clock.boot()
            if self.holder.due(now) and await self._may_renew():
                await self._renew(now)
            if self.holder.lost:
                self.on_lost("the lease was revoked")
                return
            await asyncio.sleep(min(self._pace.renew_look_s, self.holder.renew_s))

    async def _read_rows(self) -> None:
        while True:
            try:
                await self.maps.read()
                await self.replication.read()
            except StoreError as error:
                self._log.error("what cores agree on cannot be read", error=str(error))
                await asyncio.sleep(self._look_s)
            else:
                return

    async def _may_renew(self) -> bool:
        """Whether the ruling of this process is known to hold; its right runs from before this."""
        try:
            return await self.force.holds()
        except StoreError as error:
            self._log.error("forced ownership cannot be read", error=str(error))
            return False

    async def _renew(self, now: float) -> None:
        renew = self.holder.ask(now, f"{self._random.getrandbits(64):016x}")
        heeded = self.replication.heeded(any(home.moving for home in self.homes))
        lease = renewal(self._lease, renew, self.maps.book.lease_version, heeded)
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
        self._logs.shut()
        for _ in range(LEAVE_LOOKS):
            if self._logs.idle:
                break
            await asyncio.sleep(LEAVE_LOOK_S)
        else:
            return  # its logs' ends are not known: the lease lapses, and others revoke it
        for _ in range(LEAVE_TRIES):
            left = leaving(self._lease, self._logs.last_rows())
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
        await self.serving.look()
        await self.replication.look()
        leases = await self._store.leases()
        now = self._clock.boot()
        self.members.leases_read(leases, now)  # the wait begins after the reading
        for lease in leases:
            self.sightings.lease(lease.incarnation, lease.counter, now)
        self.sightings.keep(self.members.leases)
        await self.maps.saw_leases(self.members.map_versions())
        owning = await asyncio.gather(*(home.read_shards() for home in self.homes))
        for owners in owning:
            self.members.owners_read(owners)
        if self._clock.boot() - self._registry_read >= self._pace.registry_every_s:
            await self.read_registry()
        await asyncio.gather(*map(self._carry_out, self.members.step(self._clock.boot())))
        for home in self.homes:
            home.follow_logs()
        await self._read_rows_again()
        await self._reconcile()
        names = {name for owners in owning for name in owners if name}
        await self.serving.go_on({self.members.region_of(name) for name in names})

    async def _read_rows_again(self) -> None:
        """Once more after the first lease was applied, before anything is owned (`rows_known`).

        Whoever counted the leases before that one stood had written by then; so this core knows
        every version of the map by which somebody may accept, and every freeze that is counted on.
        """
        if not self.rows_known and self.left_s() > 0:
            await self.maps.read()
            await self.replication.read()
            self.rows_known = True

    @property
    def frozen(self) -> bool:
        """Whether no shard may be taken, taken up or given now."""
        return not self.rows_known or self.replication.frozen

    async def _reconcile(self) -> None:
        """Side by side: a home whose floor cannot be written holds up none of the others."""
        work = [home.reconcile() for home in self.homes]
        for failed in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(failed, BaseException):
                raise failed

    async def _carry_out(self, command: Command) -> None:
        """What cannot be read or swapped now is asked again by the next look."""
        if type(command) is Revoke:
            await self._revoke(command)
        elif type(command) is ReadLease:
            try:
                lease = await self._store.lease(command.incarnation)
            except StoreError:
                self.members.lease_not_read(command.incarnation)
            else:
                self.members.lease_read(command.incarnation, lease, self._clock.boot())
        elif type(command) is ReadEnd:
            try:
                row = await self._store.last_row(command.log)
            except StoreError:
                self.members.end_read(command.log, None)
            else:
                self.members.end_read(command.log, row)

    async def _revoke(self, command: Revoke) -> None:
        answer = await self.submit(SwapLease(command.expect, command.lease))
        shown = answer.lease if isinstance(answer, Swapped) else None
        if isinstance(answer, Swapped) and answer.applied:
            shown = command.lease
            self._log.warning("lease revoked", incarnation=shown.incarnation, counter=shown.counter)
        self.members.revoke_answered(command, shown, self._clock.boot())

    def heard(self, beat: Beat) -> None:
        """Another core said of itself that it lives."""
        told = MemberBeat(beat.incarnation, beat.seq, beat.counter, beat.region, beat.draining)
        if self.members.heard(told, self._clock.boot()):
            self.sightings.beat(beat.incarnation, self._clock.boot())

    async def read_registry(self) -> None:
        """Find what was registered since the last time."""
        self._registry_read = self._clock.boot()
        self.members.registry_read(await self._store.registry())
        self._accept_logs, self._effect_logs = {}, {}
        for entry in self.members.registry.values():
            for log in entry.logs:
                name = log_name(log)
                if name.kind == "accept":
                    self._accept_logs.setdefault(name.home, []).append(log)
                elif entry.incarnation != self.incarnation:
                    self._effect_logs.setdefault(name.home, []).append(log)

    def accept_logs(self, home: str) -> tuple[list[str], dict[str, int]]:
        """The home's accept logs, and the last rows of logs that can never grow again."""
        return self._accept_logs.get(home, []), self.members.ends

    def effect_logs(self, home: str) -> list[str]:
        """The home's effect logs that others may write."""
        return self._effect_logs.get(home, [])

    async def submit(self, write: Write) -> Answer:
        """Hand a write to the store, and wait for its answer."""
        return await submitted(self._store, write)
