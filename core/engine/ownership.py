"""This incarnation's lease, the watch over others' leases, and the taking of shards.

Registers the incarnation and its logs, takes the lease, renews it by compare-and-set, revokes
others whose counter stood still for the lease's length and epsilon, and takes their shards. When
the own lease is lost the process must end: `on_lost` is called once, and whoever supervises it
starts a new incarnation with empty hands.
"""

import asyncio
import secrets
from collections.abc import Callable
from hashlib import blake2b
from random import Random

from core.clock import Clock
from core.contract.log import Log
from core.engine.logs import Logs
from core.engine.shell import Shell
from sync.lease import Holder, Lease, Watch
from sync.naming import log_name
from sync.owner.owner import Owner
from sync.owner.takeover import Loaded, load
from sync.records import encode
from sync.store.port import (
    Answer,
    JournalStore,
    PutFloor,
    Register,
    Registered,
    ShardRow,
    StoreError,
    SwapLease,
    Swapped,
    SwapShards,
    Write,
)

SHARDS_AT_ONCE = 32
REGISTRY_EVERY_S = 1.0
FLOOR_AGAIN_S = 3600.0
LEAVE_TRIES = 3
UNBORN_LEASES = 5


class Ownership:
    """See the module's docstring. All lengths in seconds."""

    def __init__(
        self,
        store: JournalStore,
        owner: Owner,
        logs: Logs,
        shell: Shell,
        holder: Holder,
        watch: Watch,
        clock: Clock,
        random: Random,
        log: Log,
        region: str,
        url: str,
        shards_poll_s: float,
        write_timeout_s: float,
    ) -> None:
        self._store = store
        self._owner = owner
        self._logs = logs
        self._shell = shell
        self.holder = holder
        self._watch = watch
        self._clock = clock
        self._random = random
        self._log = log
        self._region = region
        self._url = url
        self._shards_poll_s = shards_poll_s
        self._write_timeout_s = write_timeout_s
        self._lease = Lease(owner.owner, 0, "", "active")
        self._first_seen: dict[int, float] = {}
        self._gone: set[str] = set()
        self._unborn: dict[str, float] = {}
        self._ends: dict[str, int] = {}
        self._registry_read = -1e9
        self._floor = b""
        self._floor_at = 0.0
        self._floor_under_way = False
        self._leaving = False
        self.registry: dict[str, Registered] = {}
        self.leases: dict[str, Lease] = {}
        self.shard_rows: list[ShardRow] = []
        self.on_lost: Callable[[str], None] = lambda _: None

    def url_of_owner(self, shard: int) -> str:
        """Where the shard's owner answers, "" if that is this process or nobody known."""
        for row in self.shard_rows:
            if row.shard == shard and row.owner in self.leases and row.owner != self._owner.owner:
                entry = self.registry.get(row.owner)
                return entry.url if entry else ""
        return ""

    def left_s(self) -> float:
        """How long the right to act still lasts."""
        return self.holder.left_s(self._clock.boot())

    async def register(self) -> None:
        """Known before the first accept row: who reads the registry finds every log."""
        write = Register(self._owner.owner, self._region, self._url, self._logs.names)
        while await self._submit(write) != "ok":
            await asyncio.sleep(0.1)

    # The own lease

    async def renew_forever(self) -> None:
        """Renew until the lease is lost or left."""
        while not self._leaving:
            now = self._clock.boot()
            if self.holder.due(now):
                await self._renew(now)
            if self.holder.lost:
                self.on_lost("the lease was revoked")
                return
            await asyncio.sleep(min(0.05, self.holder.renew_s))

    async def _renew(self, now: float) -> None:
        renew = self.holder.ask(now, secrets.token_hex(8))
        lease = Lease(self._owner.owner, renew.counter, renew.nonce, "active")
        expect = self._lease if renew.expect else None
        answer = await self._submit(SwapLease(expect, lease))
        if not isinstance(answer, Swapped):
            self.holder.failed()
            return
        self.holder.answered(answer.applied, answer.lease)
        if answer.lease is not None:
            self._lease = answer.lease

    # Others' leases and the shards

    async def watch_forever(self) -> None:
        """Look at leases and shard rows, revoke the dead, take what is free."""
        while not self._leaving:
            try:
                await self._look_around()
            except StoreError as error:
                self._log.error("leases cannot be read", error=str(error))
            await asyncio.sleep(min(0.25, self._shards_poll_s))

    async def _look_around(self) -> None:
        self.leases = {lease.incarnation: lease for lease in await self._store.leases()}
        now = self._clock.boot()  # not before: the wait begins when the counter was seen
        await self._find_gone()
        for lease in self.leases.values():
            if lease.incarnation != self._owner.owner:
                self._watch.saw(lease, now)
        for incarnation, counter in self._watch.expired(self._clock.boot()):
            await self._revoke(incarnation, counter)
        if self._clock.boot() - self._registry_read >= REGISTRY_EVERY_S:
            await self.learn_logs()
        else:
            self._owner.logs_known(*await self._accept_logs())
        await self._reconcile()

    async def learn_logs(self) -> None:
        """Read the registry: logs that were opened since are read from now on, too."""
        self._registry_read = self._clock.boot()
        self.registry = {r.incarnation: r for r in await self._store.registry()}
        self._owner.logs_known(*await self._accept_logs())

    async def _find_gone(self) -> None:
        """Whoever owns shards or logs without an active lease: revoked, left, or just starting."""
        self.shard_rows = await self._store.shards_of_home(self._owner.home)
        names = {row.owner for row in self.shard_rows} | set(self.registry)
        for incarnation in names - set(self.leases) - self._gone - {""}:
            lease = await self._store.lease(incarnation)
            if lease is not None and lease.state != "active":
                self._gone.add(incarnation)
            elif lease is None and incarnation != self._owner.owner:
                await self._revoke_unborn(incarnation)

    async def _revoke_unborn(self, incarnation: str) -> None:
        """One that registered and never took a lease: after a lease's length it never will."""
        since = self._unborn.setdefault(incarnation, self._clock.boot())
        if self._clock.boot() - since < self.holder.length_s * UNBORN_LEASES:
            return
        self._unborn.pop(incarnation)
        revoked = Lease(incarnation, 0, "", "revoked")
        await self._submit(SwapLease(None, revoked))

    async def _revoke(self, incarnation: str, counter: int) -> None:
        lease = self.leases.get(incarnation)
        if lease is None or lease.state != "active" or lease.counter != counter:
            return
        gone = Lease(incarnation, counter, lease.nonce, "revoked", lease.map_version)
        answer = await self._submit(SwapLease(lease, gone))
        if isinstance(answer, Swapped) and answer.applied:
            self._log.warning("lease revoked", incarnation=incarnation, counter=counter)
            self.leases.pop(incarnation, None)
            self._gone.add(incarnation)

    async def _accept_logs(self) -> tuple[list[str], dict[str, int]]:
        """The home's accept logs, and the last rows of logs that can never grow again."""
        accept: list[str] = []
        for entry in self.registry.values():
            gone = entry.incarnation != self._owner.owner and self._dead(entry.incarnation)
            for log in entry.logs:
                name = log_name(log)
                if name.home != self._owner.home:
                    continue
                if name.kind == "accept":
                    accept.append(log)
                if gone and log not in self._ends:
                    self._ends[log] = await self._store.last_row(log)
        return accept, self._ends

    def _dead(self, incarnation: str) -> bool:
        """Nobody, or one whose lease was revoked or left. One without a lease yet lives."""
        if incarnation in self.leases:
            return False
        return incarnation == "" or incarnation in self._gone

    async def _reconcile(self) -> None:
        """Take up what the shard rows give us, take what nobody holds, drop what is gone."""
        mine = {row.shard: row.epoch for row in self.shard_rows if row.owner == self._owner.owner}
        lost = {s for s, state in self._owner.shards.items() if mine.get(s) != state.epoch}
        if lost:
            self._log.warning("shards lost", shards=sorted(lost))
            self._shell.lose(lost)
        if self.left_s() < self._write_timeout_s:
            return
        given = [(s, epoch) for s, epoch in mine.items() if s not in self._owner.shards]
        if given:
            await self._take_up(sorted(given))
        free = [row for row in self.shard_rows if self._dead(row.owner) and self._my_turn(row)]
        for at in range(0, len(free), SHARDS_AT_ONCE):
            await self._take(free[at : at + SHARDS_AT_ONCE])

    def _my_turn(self, row: ShardRow) -> bool:
        """The living cores share what is free by rendezvous; others step in a little later."""
        best = max(self.leases, default="", key=lambda i: _weight(i, row.shard))
        if best == self._owner.owner:
            return True
        since = self._first_seen.setdefault(row.shard, self._clock.boot())
        patience = self._shards_poll_s * (1 + self._random.random())
        return self._clock.boot() - since > patience

    async def _take(self, rows: list[ShardRow]) -> None:
        answer = await self._submit(SwapShards(self._owner.home, rows, self._owner.owner))
        if isinstance(answer, Swapped) and answer.applied:
            await self._take_up([(row.shard, row.epoch) for row in answer.shards])

    async def _take_up(self, taken: list[tuple[int, int]]) -> None:
        """Read what the former owners left, write the first floor, and only then begin."""
        for shard, _ in taken:
            self._first_seen.pop(shard, None)
        bucket = self._clock.wall_ms() // self._owner.limits.bucket_ms
        loaded: list[Loaded] = await self._shell.reading.run_load(
            load(self._owner.home, taken, bucket), self._owner.home
        )
        for each in loaded:
            await self._shell.learn(each)
        known = await self._accept_logs()  # a failed read must come before `begin`, not after
        for each in loaded:
            self._owner.begin(each, self._clock.wall_ms())
        self._owner.logs_known(*known)
        while await self._write_floor() != "ok":
            await asyncio.sleep(0.05)
        self._owner.go({shard for shard, _ in taken})
        self._owner.ask(self._clock.wall_ms())
        self._shell.drain()
        self._shell.read_wanted({})
        self._log.info(
            "shards taken",
            shards=len(taken),
            epoch=max(epoch for _, epoch in taken),
            effects=sum(len(each.effects) for each in loaded),
        )

    # Floors

    async def write_floor(self) -> None:
        """Write the floor of now; never two at once."""
        if not self._floor_under_way and self._owner.groups:
            self._floor_under_way = True
            try:
                await self._write_floor()
            finally:
                self._floor_under_way = False

    async def _write_floor(self) -> Answer:
        """Only when it changed, and every now and then so that it outlives its TTL."""
        body = encode(self._owner.floor_parts(self._logs.effect_rows()))
        now = self._clock.boot()
        if body == self._floor and now - self._floor_at < FLOOR_AGAIN_S:
            return "ok"
        answer = await self._submit(PutFloor(self._owner.home, self._owner.owner, body))
        if answer == "ok":
            self._floor, self._floor_at = body, now
        return answer

    async def leave(self) -> None:
        """After everything ended: the last floor, then the lease is left with its last rows."""
        self._leaving = True
        await self.write_floor()
        for _ in range(LEAVE_TRIES):
            left = Lease(
                self._owner.owner,
                self._lease.counter,
                self._lease.nonce,
                "left",
                self._lease.map_version,
                self._logs.last_rows(),
            )
            answer = await self._submit(SwapLease(self._lease, left))
            if not isinstance(answer, Swapped) or answer.applied or answer.lease is None:
                return
            self._lease = answer.lease  # a renewal was under way and came first

    async def _submit(self, write: Write) -> Answer:
        told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def done(answer: Answer) -> None:
            if not told.done():
                told.set_result(answer)

        self._store.submit(write, done)
        return await told


def _weight(incarnation: str, shard: int) -> bytes:
    return blake2b(f"{incarnation}.{shard}".encode(), digest_size=8).digest()
