"""The shards of one home: taking them up, taking what nobody holds, dropping what is gone, floors.

`Membership` reads the leases and then gives each home its turn. Nothing is decided about a lease
here: who is dead is asked of it, and before shards are taken the own lease must last for at least
the write time-out. The first floor of shards that were taken stands before anything is sent.
"""

import asyncio
from hashlib import blake2b
from random import Random

from core.clock import Clock
from core.contract.log import Log
from core.engine.logs import Logs
from core.engine.membership import Membership
from core.engine.pace import Pace
from core.engine.shell import Shell
from sync.owner.owner import Owner
from sync.owner.takeover import Loaded, load
from sync.records import encode
from sync.store.port import Answer, JournalStore, PutFloor, ShardRow, Swapped, SwapShards


class Ownership:
    """See the module's docstring. All lengths in seconds."""

    def __init__(
        self,
        store: JournalStore,
        owner: Owner,
        logs: Logs,
        shell: Shell,
        membership: Membership,
        clock: Clock,
        random: Random,
        log: Log,
        shards_poll_s: float,
        write_timeout_s: float,
        pace: Pace,
    ) -> None:
        self._store = store
        self._owner = owner
        self._home = owner.home
        self._logs = logs
        self._shell = shell
        self._membership = membership
        self._clock = clock
        self._random = random
        self._log = log
        self._shards_poll_s = shards_poll_s
        self._write_timeout_s = write_timeout_s
        self._pace = pace
        self._first_seen: dict[int, float] = {}
        self._floor = b""
        self._floor_at = 0.0
        self._floor_under_way = False
        self.shard_rows: list[ShardRow] = []

    def url_of_owner(self, shard: int) -> str:
        """Where the shard's owner answers, "" if that is this process or nobody known."""
        for row in self.shard_rows:
            if row.shard == shard:
                return self._membership.url_of(row.owner)
        return ""

    # Its turn after a look at the leases

    async def read_shards(self) -> set[str]:
        """Read the home's shard rows; who stands in them."""
        self.shard_rows = await self._store.shards_of_home(self._home)
        return {row.owner for row in self.shard_rows}

    async def follow_logs(self) -> None:
        """Logs that the registry names are read from now on, too."""
        self._owner.logs_known(*await self._membership.accept_logs(self._home))

    async def learn_logs(self) -> None:
        """Read the registry for logs that were opened since it was read last."""
        await self._membership.read_registry()
        await self.follow_logs()

    async def reconcile(self) -> None:
        """Take up what the shard rows give us, take what nobody holds, drop what is gone."""
        mine = {row.shard: row.epoch for row in self.shard_rows if row.owner == self._owner.owner}
        lost = {s for s, state in self._owner.shards.items() if mine.get(s) != state.epoch}
        if lost:
            self._log.warning("shards lost", shards=sorted(lost))
            self._shell.lose(lost)
        if self._membership.left_s() < self._write_timeout_s:
            return
        given = [(s, epoch) for s, epoch in mine.items() if s not in self._owner.shards]
        if given:
            await self._take_up(sorted(given))
        free = [
            row
            for row in self.shard_rows
            if self._membership.dead(row.owner) and self._my_turn(row)
        ]
        at_once = self._pace.shards_at_once
        for at in range(0, len(free), at_once):
            await self._take(free[at : at + at_once])

    def _my_turn(self, row: ShardRow) -> bool:
        """The living cores share what is free by rendezvous; others step in a little later."""
        leases = self._membership.leases
        best = max(leases, default="", key=lambda i: _weight(i, self._home, row.shard))
        if best == self._owner.owner:
            return True
        since = self._first_seen.setdefault(row.shard, self._clock.boot())
        patience = self._shards_poll_s * (1 + self._random.random())
        return self._clock.boot() - since > patience

    async def _take(self, rows: list[ShardRow]) -> None:
        answer = await self._membership.submit(SwapShards(self._home, rows, self._owner.owner))
        if isinstance(answer, Swapped) and answer.applied:
            await self._take_up([(row.shard, row.epoch) for row in answer.shards])

    async def _take_up(self, taken: list[tuple[int, int]]) -> None:
        """Read what the former owners left, write the first floor, and only then begin."""
        for shard, _ in taken:
            self._first_seen.pop(shard, None)
        bucket = self._clock.wall_ms() // self._owner.limits.bucket_ms
        loaded: list[Loaded] = await self._shell.reading.run_load(
            load(self._home, taken, bucket), self._home
        )
        for each in loaded:
            await self._shell.learn(each)
        # A failed read must come before `begin`, not after.
        known = await self._membership.accept_logs(self._home)
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
        body = encode(self._owner.floor_parts(self._logs.effect_rows(self._home)))
        now = self._clock.boot()
        if body == self._floor and now - self._floor_at < self._pace.floor_again_s:
            return "ok"
        answer = await self._membership.submit(PutFloor(self._home, self._owner.owner, body))
        if answer == "ok":
            self._floor, self._floor_at = body, now
        return answer


def _weight(incarnation: str, home: str, shard: int) -> bytes:
    return blake2b(f"{incarnation}.{home}.{shard}".encode(), digest_size=8).digest()
