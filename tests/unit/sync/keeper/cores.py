"""Cores on registers under compare-and-set, whose answers may be lost and whose swaps come late."""

from collections.abc import Callable
from random import Random

from sync.keeper.balance import Place
from sync.keeper.handover import Command as GivingCommand
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
from sync.keeper.members import Beat, Members, ReadLease, Revoke, Timing, renewal
from sync.keeper.shards import Around, Give, GiveUp, Lose, Pace, Shards, Take, TakeUp
from sync.lease import Holder, Lease
from sync.store.port import Registered, ShardRow

WRITE_TIMEOUT_S = 1.0
PACE = Pace(stay_s=1.0, settle_s=0.5, return_s=1.0, under_way_max=2, batch_max=2)
PLACE = Place("eu", "eu", ("eu", "us"), {"us": 90.0})


class Store:
    """Leases and shard rows. `late` are swaps that may still be carried out."""

    def __init__(self, shards: int) -> None:
        self.leases: dict[str, Lease] = {}
        self.rows = {shard: ShardRow(shard, "", 0) for shard in range(shards)}
        self.old_rows: list[list[ShardRow]] = []
        self.late: list[Callable[[], object]] = []
        self.registry: dict[str, Registered] = {}

    def swap_lease(self, expect: Lease | None, lease: Lease) -> tuple[bool, Lease | None]:
        applied = self.leases.get(lease.incarnation) == expect
        if applied:
            self.leases[lease.incarnation] = lease
        return applied, self.leases.get(lease.incarnation)

    def swap_rows(self, expect: tuple[ShardRow, ...], owner: str) -> list[ShardRow]:
        self.old_rows.append(list(self.rows.values()))
        if all(self.rows[row.shard] == row for row in expect):
            for row in expect:
                self.rows[row.shard] = ShardRow(row.shard, owner, row.epoch + 1)
        return [self.rows[row.shard] for row in expect]


class Core:
    """One process: the machines, and a shell that carries each command out at once."""

    def __init__(self, name: str, region: str, store: Store, random: Random) -> None:
        self.name = name
        self.store = store
        self.random = random
        self.unsure = 0.0  # how often an answer is lost, or a floor is not written
        self.holder = Holder(4.0, 1.0)
        self.members = Members(name, region, Timing(unborn_s=20.0), closes_revoked=True)
        self.shards = Shards(PLACE, name, region, PACE)
        self.givings: dict[int, Giving] = {}
        self.stopped: set[int] = set()
        self.draining = False
        self.lease: Lease | None = None
        self.seq = 0
        store.registry[name] = Registered(name, region, "", [])

    def lucky(self) -> bool:
        return self.random.random() >= self.unsure

    def sends(self, now: float) -> dict[int, int]:
        """The shards that it may send for now, and under which epoch."""
        if self.holder.left_s(now) < WRITE_TIMEOUT_S:
            return {}
        return {s: e for s, e in self.shards.held.items() if s not in self.stopped}

    def renew(self, now: float) -> None:
        if not self.holder.due(now):
            return
        renew = self.holder.ask(now, f"{self.random.getrandbits(64):x}")
        own = self.lease or Lease(self.name, 0, "", "active")
        expect, lease = self.lease, renewal(own, renew, 1)
        if not self.lucky():
            self.holder.failed()
            self.store.late.append(lambda: self.store.swap_lease(expect, lease))
            return
        applied, shown = self.store.swap_lease(expect, lease)
        self.holder.answered(applied, shown)
        self.lease = shown

    def beat(self) -> Beat:
        self.seq += 1
        region = self.members.region
        return Beat(self.name, self.seq, self.holder.counter, region, self.draining)

    def watch(self, now: float) -> None:
        self.members.registry_read(self.store.registry.values())
        active = [one for one in self.store.leases.values() if one.state == "active"]
        self.members.leases_read(active, now)
        for command in self.members.step(now):
            if type(command) is Revoke:
                self._revoke(command, now)
            elif type(command) is ReadLease:
                found = self.store.leases.get(command.incarnation)
                self.members.lease_read(command.incarnation, found, now)

    def _revoke(self, command: Revoke, now: float) -> None:
        if self.lucky():
            _, shown = self.store.swap_lease(command.expect, command.lease)
            self.members.revoke_answered(command, shown, now)
        else:
            self.store.late.append(lambda: self.store.swap_lease(command.expect, command.lease))
            self.members.revoke_answered(command, None, now)

    def look(self, now: float, rows: list[ShardRow]) -> None:
        self.shards.rows_seen(rows)
        around = Around(
            now,
            self.holder.left_s(now),
            self.members.cores(now),
            self.members.gone,
            self.random.random(),
            draining=self.draining,
        )
        for command in self.shards.look(around):
            if type(command) is Take:
                self.shards.take_answered(command, self._swap(command.rows, self.name) or [])
            elif type(command) is TakeUp:
                self.stopped -= {shard for shard, _ in command.shards}
                self.shards.taken_up(command, self.lucky())
            elif type(command) is Give:
                giving = Giving(command.row, command.to)
                self.givings[command.row.shard] = giving
                self._carry_out(giving, giving.start(now))
            elif type(command) is GiveUp:
                giving = self.givings[command.shard]
                self._carry_out(giving, giving.give_up())
            else:
                assert type(command) is Lose
                self.stopped -= set(command.shards)

    def give(self, now: float) -> None:
        """Let running hand-overs go on; one in a while is given up."""
        for giving in list(self.givings.values()):
            if self.random.random() < self.unsure / (1 if giving.stage is Stage.SWAP else 4):
                self._carry_out(giving, giving.give_up())
            self._carry_out(giving, giving.calls_ended() if self.lucky() else [])
            self._carry_out(giving, giving.step(now))

    def _carry_out(self, giving: Giving, commands: list[GivingCommand]) -> None:
        shard = giving.row.shard
        for command in commands:
            if type(command) is StopSending:
                self.stopped.add(shard)
            elif type(command) is WriteFloor:
                self._carry_out(giving, giving.floor_written() if self.lucky() else [])
            elif type(command) is Swap:
                shown = self._swap((command.row,), command.owner)
                self._carry_out(giving, giving.told(shown[0] if shown else None))
            elif type(command) is ReadRow:
                self._carry_out(giving, giving.told(self.store.rows[shard]))
            else:
                assert type(command) is Forget or type(command) is Resume
                del self.givings[shard]
                if self.shards.given(shard, command.row):
                    self.stopped.discard(shard)

    def _swap(self, rows: tuple[ShardRow, ...], owner: str) -> list[ShardRow] | None:
        if self.lucky():
            return self.store.swap_rows(rows, owner)
        self.store.late.append(lambda: self.store.swap_rows(rows, owner))
        return None


class Region:
    """Several cores, one true time, and whoever sent under which epoch."""

    def __init__(self, seed: int, regions: list[str], shards: int) -> None:
        self.random = Random(seed)
        self.store = Store(shards)
        self.now = 100.0
        self.sent: dict[tuple[int, int], str] = {}
        self.last_epoch: dict[int, int] = {}
        self.old_beats: list[Beat] = []
        self.moves = 0
        self.cores: list[Core] = []
        self.started = 0
        for region in regions:
            self.add(region)

    def add(self, region: str) -> Core:
        core = Core(f"{region}{self.started}", region, self.store, self.random)
        self.started += 1
        self.cores.append(core)
        return core

    def check(self) -> None:
        """No two send for a shard at a time, none under another's epoch, epochs never go back."""
        at_once: dict[int, str] = {}
        for core in self.cores:
            for shard, epoch in core.sends(self.now).items():
                assert at_once.setdefault(shard, core.name) == core.name
                assert self.sent.setdefault((shard, epoch), core.name) == core.name
                assert epoch >= self.last_epoch.get(shard, 0)
                self.last_epoch[shard] = epoch

    def turn(self, core: Core) -> None:
        """One turn of a core, with all that it does in order."""
        core.renew(self.now)
        beat = core.beat()
        self.old_beats.append(beat)
        for other in self.cores:
            other.members.heard(beat, self.now)
        core.watch(self.now)
        core.look(self.now, list(self.store.rows.values()))
        core.give(self.now)
        self.check()

    def calm(self, seconds: float, cores: list[Core] | None = None) -> None:
        """Nothing goes wrong for so long; only these cores run."""
        for core in self.cores:
            core.unsure = 0.0
        end = self.now + seconds
        while self.now < end:
            before = dict(self.store.rows)
            for core in self.cores if cores is None else cores:
                self.turn(core)
            self.moves += sum(before[s] != row for s, row in self.store.rows.items())
            self.now += 0.25

    def owners(self) -> dict[int, str]:
        return {shard: row.owner for shard, row in self.store.rows.items()}
