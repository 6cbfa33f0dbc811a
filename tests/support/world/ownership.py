"""core/engine/ownership.py in virtual time: lease, watch, taking of shards, floors."""

from contextlib import suppress
from zlib import crc32

from sync.lease import Lease, Watch
from sync.naming import log_name
from sync.owner.takeover import Loaded, load
from sync.records import encode
from sync.store.port import (
    Answer,
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
from tests.support.world.loop import Resume, Wait
from tests.support.world.plan import BUCKET_MS, HOME, WRITE_TIMEOUT_S
from tests.support.world.process import Core

SHARDS_AT_ONCE = 2
REGISTRY_EVERY_S = 1.0
FLOOR_AGAIN_S = 10.0
POLL_S = 0.6
UNBORN_LEASES = 2


class SimOwnership:
    """See the module's docstring."""

    def __init__(self, core: Core, watch: Watch) -> None:
        self._core = core
        self._owner = core.owner
        self.holder = core.holder
        self._watch = watch
        self._lease = Lease(core.incarnation, 0, "", "active")
        self._first_seen: dict[int, float] = {}
        self._gone: set[str] = set()
        self._unborn: dict[str, float] = {}
        self._ends: dict[str, int] = {}
        self._registry_read = -1e9
        self._floor = b""
        self._floor_at = 0.0
        self._floor_under_way = False
        self._nonce = 0
        self.registry: dict[str, Registered] = {}
        self.leases: dict[str, Lease] = {}
        self.shard_rows: list[ShardRow] = []

    async def register(self) -> None:
        """Known before the first accept row."""
        write = Register(self._core.incarnation, HOME, "", self._core.logs.names)
        while await self._submit(write) != "ok":
            await self._core.sleep(0.1)

    # The own lease

    async def renew_forever(self) -> None:
        """Renew until the lease is lost."""
        while True:
            now = self._core.boot()
            if self.holder.due(now):
                await self._renew(now)
            if self.holder.lost:
                self._core.end("the lease was revoked")
            await self._core.sleep(0.2)

    async def _renew(self, now: float) -> None:
        self._nonce += 1
        renew = self.holder.ask(now, f"{self._core.incarnation}.{self._nonce}")
        lease = Lease(self._core.incarnation, renew.counter, renew.nonce, "active")
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
        while True:
            with suppress(StoreError):
                await self._look_around()
            await self._core.sleep(0.4)

    async def _look_around(self) -> None:
        core = self._core
        leases = await core.read(lambda t: list(t.lease_rows.values()))
        now = core.boot()
        self.leases = {lease.incarnation: lease for lease in leases if lease.state == "active"}
        await self._find_gone()
        for lease in self.leases.values():
            if lease.incarnation != core.incarnation:
                self._watch.saw(lease, now)
        for incarnation, counter in self._watch.expired(core.boot()):
            await self._revoke(incarnation, counter)
        if core.boot() - self._registry_read >= REGISTRY_EVERY_S:
            await self.learn_logs()
        else:
            self._owner.logs_known(*await self._accept_logs())
        await self._reconcile()

    async def learn_logs(self) -> None:
        """Read the registry: logs that were opened since are read from now on, too."""
        self._registry_read = self._core.boot()
        found = await self._core.read(lambda t: list(t.registered.values()))
        self.registry = {r.incarnation: r for r in found}
        self._owner.logs_known(*await self._accept_logs())

    async def _find_gone(self) -> None:
        self.shard_rows = await self._core.read(lambda t: list(t.shard_rows[HOME]))
        names = {row.owner for row in self.shard_rows} | set(self.registry)
        for incarnation in sorted(names - set(self.leases) - self._gone - {""}):
            lease = await self._core.read(lambda t, i=incarnation: t.lease_rows.get(i))
            if lease is not None and lease.state != "active":
                self._gone.add(incarnation)
            elif lease is None and incarnation != self._core.incarnation:
                await self._revoke_unborn(incarnation)

    async def _revoke_unborn(self, incarnation: str) -> None:
        """One that registered and never took a lease: after a while it never will."""
        since = self._unborn.setdefault(incarnation, self._core.boot())
        if self._core.boot() - since < self.holder.length_s * UNBORN_LEASES:
            return
        self._unborn.pop(incarnation)
        await self._submit(SwapLease(None, Lease(incarnation, 0, "", "revoked")))

    async def _revoke(self, incarnation: str, counter: int) -> None:
        lease = self.leases.get(incarnation)
        if lease is None or lease.state != "active" or lease.counter != counter:
            return
        gone = Lease(incarnation, counter, lease.nonce, "revoked", lease.map_version)
        answer = await self._submit(SwapLease(lease, gone))
        if isinstance(answer, Swapped) and answer.applied:
            self.leases.pop(incarnation, None)
            self._gone.add(incarnation)

    async def _accept_logs(self) -> tuple[list[str], dict[str, int]]:
        accept: list[str] = []
        for entry in self.registry.values():
            gone = entry.incarnation != self._core.incarnation and self._dead(entry.incarnation)
            for log in entry.logs:
                if log_name(log).kind == "accept":
                    accept.append(log)
                if gone and log not in self._ends:
                    self._ends[log] = await self._core.read(lambda t, log=log: t.last_row(log))
        return accept, self._ends

    def _dead(self, incarnation: str) -> bool:
        if incarnation in self.leases:
            return False
        return incarnation == "" or incarnation in self._gone

    async def _reconcile(self) -> None:
        mine = {row.shard: row.epoch for row in self.shard_rows if row.owner == self._owner.owner}
        lost = {s for s, state in self._owner.shards.items() if mine.get(s) != state.epoch}
        if lost:
            self._owner.lose(lost)
        if self._core.lease_left_s() < WRITE_TIMEOUT_S:
            return
        given = [(s, epoch) for s, epoch in mine.items() if s not in self._owner.shards]
        if given:
            await self._take_up(sorted(given))
        free = [row for row in self.shard_rows if self._dead(row.owner) and self._my_turn(row)]
        for at in range(0, len(free), SHARDS_AT_ONCE):
            await self._take(free[at : at + SHARDS_AT_ONCE])

    def _my_turn(self, row: ShardRow) -> bool:
        best = max(self.leases, default="", key=lambda i: crc32(f"{i}.{row.shard}".encode()))
        if best == self._core.incarnation:
            return True
        since = self._first_seen.setdefault(row.shard, self._core.boot())
        return self._core.boot() - since > POLL_S * (1 + self._core.chance.random())

    async def _take(self, rows: list[ShardRow]) -> None:
        answer = await self._submit(SwapShards(HOME, rows, self._core.incarnation))
        if isinstance(answer, Swapped) and answer.applied:
            await self._take_up([(row.shard, row.epoch) for row in answer.shards])

    async def _take_up(self, taken: list[tuple[int, int]]) -> None:
        core = self._core
        for shard, _ in taken:
            self._first_seen.pop(shard, None)
        bucket = core.wall_ms() // BUCKET_MS
        loaded: list[Loaded] = await core.shell.run_load(load(HOME, taken, bucket))
        for each in loaded:
            await core.shell.learn(each)
        known = await self._accept_logs()
        for each in loaded:
            self._owner.begin(each, core.wall_ms())
        self._owner.logs_known(*known)
        while await self._write_floor() != "ok":
            await core.sleep(0.05)
        self._owner.go({shard for shard, _ in taken})
        self._owner.ask(core.wall_ms())
        core.shell.drain()
        core.shell.read_wanted({})

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
        body = encode(self._owner.floor_parts(self._core.logs.effect_rows()))
        now = self._core.boot()
        if body == self._floor and now - self._floor_at < FLOOR_AGAIN_S:
            return "ok"
        answer: Answer = await self._submit(PutFloor(HOME, self._core.incarnation, body))
        if answer == "ok":
            self._floor, self._floor_at = body, now
        return answer

    def _submit(self, write: Write) -> Wait:
        def start(resume: Resume) -> None:
            self._core.submit(write, resume)

        return Wait(start)
