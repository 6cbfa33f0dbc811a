"""The shards of one home: taking them up, taking what nobody holds, giving them on, floors.

Carries out what `sync.keeper.shards` and `sync.keeper.handover` decide. `Membership` reads the
leases and then gives each home its turn. The first floor of shards that were taken stands before
anything is sent; that of a shard that was kept after all names its new epoch before it is.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from random import Random

from core.clock import Clock
from core.contract.log import Log
from core.engine.logs import Logs
from core.engine.membership import Membership
from core.engine.pace import Pace
from core.engine.shell import Shell
from sync.keeper.balance import Place
from sync.keeper.handover import (
    Command as Step,
)
from sync.keeper.handover import (
    Forget,
    Giving,
    ReadRow,
    Resume,
    Stage,
    StopSending,
    Swap,
    WriteFloor,
)
from sync.keeper.shards import Around, Give, GiveUp, Lose, Shards, Take, TakeUp
from sync.owner.owner import Owner
from sync.owner.takeover import Loaded, load
from sync.records import encode
from sync.store.port import (
    Answer,
    JournalStore,
    PutFloor,
    ShardRow,
    StoreError,
    Swapped,
    SwapShards,
)

FLOOR_AGAIN_S = 0.05
NOBODY_KNOWN = "?"


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
        place: Place,
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
        self._pace = pace
        self._before: dict[int, str] = {}
        self._given_up: set[int] = set()
        self.shards = Shards(place, owner.owner, membership.region, pace.shards)
        self._floor = b""
        self._floor_at = 0.0
        self._floor_under_way = False

    @property
    def moving(self) -> bool:
        """Whether a take, a take-up or a hand-over is under way."""
        return self.shards.moving

    # Its turn after a look at the leases

    async def read_shards(self) -> set[str]:
        """Read the home's shard rows; who stands in them."""
        rows = await self._store.shards_of_home(self._home)
        self._see(rows)
        return {row.owner for row in rows}

    def _see(self, rows: Iterable[ShardRow]) -> None:
        """Keep who had each shard before: a living one may still wait for answers to its calls."""
        for row in rows:
            known = self.shards.rows.get(row.shard)
            if known is not None and known.epoch == row.epoch - 1:
                self._before[row.shard] = known.owner
            elif known is not None and known.epoch < row.epoch:
                self._before[row.shard] = NOBODY_KNOWN
        self.shards.rows_seen(rows)

    def follow_logs(self) -> None:
        """Logs that the registry names are read from now on, too."""
        self._owner.logs_known(*self._membership.accept_logs(self._home))
        if self._membership.force.anybody:
            self._owner.former_known(self._membership.effect_logs(self._home))

    async def learn_logs(self) -> None:
        """Read the registry for logs that were opened since it was read last."""
        await self._membership.read_registry()
        self.follow_logs()

    async def reconcile(self) -> None:
        """Take up what the shard rows give us, take what nobody holds, give what is another's."""
        members = self._membership.members
        while True:
            around = Around(
                self._clock.boot(),
                self._membership.left_s(),
                members.cores(self._clock.boot()),
                members.gone,
                self._random.random(),
                drained=self._membership.serving.out,
                draining=self._membership.draining,
                frozen=self._membership.frozen,
                may_own=self._membership.force.may_own,
            )
            commands = self.shards.look(around)
            takes = [self._take(each) for each in commands if type(each) is Take]
            for command in commands:
                if type(command) is Lose:
                    self._lose(command)
                elif type(command) is TakeUp:
                    self._shell.spawn(self._take_up(command))
                elif type(command) is Give:
                    self._shell.spawn(self._give(command))
                elif type(command) is GiveUp:
                    self._given_up.add(command.shard)
            if not any(await asyncio.gather(*takes)):
                return  # else what was taken is taken up at once

    def _lose(self, command: Lose) -> None:
        self._log.warning("shards lost", home=self._home, shards=list(command.shards))
        self._shell.lose(set(command.shards))

    async def _take(self, take: Take) -> bool:
        rows = list(take.rows)
        answer = await self._membership.submit(SwapShards(self._home, rows, self._owner.owner))
        shown = answer.shards if isinstance(answer, Swapped) else []
        self._see(shown)
        self.shards.take_answered(take, shown)
        return isinstance(answer, Swapped) and answer.applied

    async def _take_up(self, command: TakeUp) -> None:
        """Read what the former owners left, write the first floor, and only then begin."""
        loaded = False
        try:
            loaded = await self._load(list(command.shards))
        except StoreError as error:
            self._log.error("shards cannot be taken up", home=self._home, error=str(error))
        finally:
            self.shards.taken_up(command, loaded)

    def _ours(self, taken: list[tuple[int, int]]) -> set[int]:
        """Those that were not lost since, and perhaps taken again under a later epoch."""
        return {shard for shard, epoch in taken if self.shards.held.get(shard) == epoch}

    async def _load(self, taken: list[tuple[int, int]]) -> bool:
        bucket = self._clock.wall_ms() // self._owner.limits.bucket_ms
        force = self._membership.force
        loaded: list[Loaded] = await self._shell.reading.run_load(
            load(self._home, taken, bucket, force.anybody, force.apart), self._home
        )
        for each in loaded:
            await self._shell.learn(each)
        if len(self._ours(taken)) < len(taken):
            return False  # some were lost again while it was read: what is left is taken up anew
        for each in loaded:
            self._owner.begin(each, self._clock.wall_ms())
        self._inherit([shard for shard, _ in taken])
        self.follow_logs()
        while self._ours(taken) and await self._write_floor() != "ok":
            await asyncio.sleep(FLOOR_AGAIN_S)
        self._owner.go(self._ours(taken))
        self._owner.ask(self._clock.wall_ms())
        self._shell.drain()
        self._shell.read_wanted({})
        self._log.info(
            "shards taken",
            home=self._home,
            shards=len(taken),
            epoch=max(epoch for _, epoch in taken),
            effects=sum(len(each.effects) for each in loaded),
        )
        return True

    def _inherit(self, shards: list[int]) -> None:
        """Shards of one who may live: its calls end within their time-out from now."""
        dead = self._membership.members.dead
        given = {shard for shard in shards if not dead(self._before.get(shard, NOBODY_KNOWN))}
        until_ms = self._clock.wall_ms() + int(1000 * self._pace.calls_end_s)
        self._owner.inherit(given, until_ms)

    # Giving shards to others

    async def _give(self, give: Give) -> None:
        """One hand-over, to its end: the shard is another's, or ours under a new epoch."""
        shard = give.row.shard
        self._given_up.discard(shard)  # of an earlier hand-over that ended by itself
        giving = Giving(give.row, give.to, self._pace.giving_calls_s)
        steps = deque(giving.start(self._clock.boot()))
        while giving.stage is not Stage.ENDED or steps:
            while steps:
                steps.extend(await self._carry_out(giving, steps.popleft()))
            if giving.stage is Stage.ENDED:
                return
            await asyncio.sleep(self._pace.tick_s)
            if giving.stage is Stage.CALLS and not self._owner.under_way(shard):
                steps.extend(giving.calls_ended())
            if shard in self._given_up:
                self._given_up.discard(shard)
                steps.extend(giving.give_up())
            steps.extend(giving.step(self._clock.boot()))

    async def _carry_out(self, giving: Giving, step: Step) -> list[Step]:
        shard = giving.row.shard
        if type(step) is StopSending:
            self._owner.stop_sending(shard)
        elif type(step) is WriteFloor:
            return giving.floor_written() if await self._floor_stands() else []
        elif type(step) is Swap:
            write = SwapShards(self._home, [step.row], step.owner)
            answer = await self._membership.submit(write)
            shown = answer.shards if isinstance(answer, Swapped) else []
            self._see(shown)
            return giving.told(next((row for row in shown if row.shard == shard), None))
        elif type(step) is ReadRow:
            return await self._read_row(giving)
        elif type(step) is Forget or type(step) is Resume:
            await self._given(shard, step.row)
        return []

    async def _read_row(self, giving: Giving) -> list[Step]:
        try:
            rows = await self._store.shards_of_home(self._home)
        except StoreError:
            return giving.told(None)
        self._see(rows)
        return giving.told(next(row for row in rows if row.shard == giving.row.shard))

    async def _floor_stands(self) -> bool:
        return await self._write_floor() == "ok"

    async def _given(self, shard: int, row: ShardRow) -> None:
        """The hand-over ended with this row."""
        if not self.shards.given(shard, row):
            self._log.info("shard given", home=self._home, shard=shard, to=row.owner)
            if self.shards.held.pop(shard, None) is not None:
                self._shell.lose({shard})
            return
        self._owner.rename(shard, row.epoch)
        while await self._write_floor() != "ok" and self.shards.held.get(shard) == row.epoch:
            await asyncio.sleep(FLOOR_AGAIN_S)
        if self.shards.held.get(shard) == row.epoch:
            self._owner.resume(shard, self._clock.wall_ms())
            self._shell.drain()

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
