"""Which shards of one home this process takes, takes up, drops and gives away (PROTOCOL.md 4, 7).

One machine for each home that this region may act for. It promises:

- It believes in a shard (`held`) only under an epoch that a row named it for, and never again under
  one that it gave away. Rows may be read at any level: of each shard the highest epoch seen counts,
  so that a row read late neither brings a shard back nor takes one away.
- What a row gives to it is taken up, also by a compare-and-set of its own that was believed lost.
  Else the shard would stay with a living owner that does not know of it, and nobody would send.
- Only shards of the revoked, the left and of nobody are taken: the first of the shard's order at
  once, the others of its region a little later, farther regions later still. Those who wait do it
  so that a home is not torn between regions; it is no rule of safety.
- Outside of the home's placement group nothing is taken. A region that the map took out of it takes
  up what a row still gives to it, and gives it to those inside.
- Nothing is taken or taken up while takeovers are frozen (a read at quorum might miss what was
  written before), while the own right is shorter than the write time-out (the first floor would
  come too late), or where another region may own only (`may_own`). One that drains takes nothing;
  what was given to it all the same it takes up and gives on.
- Shards move back gradually: a few at once, each after a stay, and only to cores that were seen for
  a while. A region that comes and goes would else drag its shards along each time.
"""

from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct

from sync.keeper.balance import Core, Place, candidates, order, wanted
from sync.store.port import ShardRow


class Pace(Struct, frozen=True):
    """How fast shards move. `settle_s` is how long a core must have been seen, `return_s` how long
    another region, before shards are given to it; `under_way_max` counts hand-overs of this home.
    """

    write_timeout_s: float = 1.0
    core_step_s: float = 0.5
    region_step_s: float = 2.0
    batch_max: int = 16
    under_way_max: int = 4
    stay_s: float = 30.0
    settle_s: float = 10.0
    return_s: float = 60.0


class Around(Struct, frozen=True):
    """What is so now. `gone` are the revoked and left, `drained` regions that drain or are out.

    `chance` is a number drawn from [0, 1) for this look.
    """

    now: float
    right_left_s: float
    cores: Sequence[Core]
    gone: Collection[str]
    chance: float
    drained: Collection[str] = ()
    draining: bool = False
    frozen: bool = False
    may_own: bool = True


class Lose(Struct, frozen=True):
    """Command: forget these shards now. Outcomes of calls that still run are written all the same:
    whoever has the shard next reads them in this owner's effect log."""

    shards: tuple[int, ...]


class TakeUp(Struct, frozen=True):
    """Command: load these (shard, epoch), write the first floor, then begin; tell if it failed."""

    shards: tuple[tuple[int, int], ...]


class Take(Struct, frozen=True):
    """Command: swap these rows for (this process, epoch + 1), all or none; tell the answer."""

    rows: tuple[ShardRow, ...]


class Give(Struct, frozen=True):
    """Command: start a hand-over (`handover.Giving`) of this row to another; tell its end."""

    row: ShardRow
    to: str


class GiveUp(Struct, frozen=True):
    """Command: give this hand-over up, for the other went away or goes away too; harmless twice."""

    shard: int


Command = Lose | TakeUp | Take | Give | GiveUp


class Shards:
    """See the module's docstring. `held` is what this process believes to own: shard → epoch.
    `place` follows the placement map."""

    def __init__(self, place: Place, incarnation: str, region: str, pace: Pace) -> None:
        self.place = place
        self._me = incarnation
        self._region = region
        self._pace = pace
        self._free_since: dict[ShardRow, tuple[float, float]] = {}
        self._asked: set[int] = set()
        self._core_since: dict[str, float] = {}
        self._region_since: dict[str, float] = {}
        self._held_since: dict[int, float] = {}
        self._loading: dict[int, int] = {}
        self.rows: dict[int, ShardRow] = {}
        self.held: dict[int, int] = {}
        self.giving: dict[int, str] = {}

    # What was seen

    def rows_seen(self, rows: Iterable[ShardRow]) -> None:
        """Rows of the home were read, or shown by an answer."""
        for row in rows:
            known = self.rows.get(row.shard)
            if known is None or known.epoch < row.epoch:
                self.rows[row.shard] = row

    def take_answered(self, take: Take, shown: Iterable[ShardRow]) -> None:
        """The rows as they are now, applied or not; none where the answer is unknown.

        An unknown one is tried again with the same rows, if the next reading still shows them.
        """
        self._asked -= {row.shard for row in take.rows}
        self.rows_seen(shown)

    def taken_up(self, take_up: TakeUp, loaded: bool) -> None:
        """The first floor stands, or they could not be loaded: then a look gives them again."""
        for shard, epoch in take_up.shards:
            if self._loading.get(shard) == epoch:
                del self._loading[shard]
                if not loaded:
                    self.held.pop(shard, None)

    def given(self, shard: int, row: ShardRow) -> bool:
        """A hand-over ended with this row. Whether to resume under its epoch.

        Not where it is another's, or was between our epoch and this one; nor where the shard had to
        be dropped meanwhile.
        """
        self.giving.pop(shard, None)
        self.rows_seen([row])
        ours = row.owner == self._me and row.epoch == self.held.get(shard, row.epoch) + 1
        kept = ours and self.rows[shard] == row
        if kept:
            self.held[shard] = row.epoch
            self._held_since.pop(shard, None)
        return kept

    @property
    def moving(self) -> bool:
        """Whether a take, a take-up or a hand-over is under way: `await_frozen` waits for it."""
        return bool(self._asked or self._loading or self.giving)

    # What is to be done

    def look(self, around: Around) -> list[Command]:
        """After each reading of the rows: what to drop, take up, take and give, in that order."""
        self._remember(around)
        commands: list[Command] = [*self._drop(around), *self._give_up(around)]
        able = around.may_own and not around.frozen
        if not able or around.right_left_s < self._pace.write_timeout_s:
            return commands
        commands += self._take_up(around)
        outside = self._region not in self.place.group
        away = outside or around.draining or self._region in around.drained
        if not away:
            commands += self._take(around)
        commands += self._give(around, away)
        return commands

    def _remember(self, around: Around) -> None:
        """Since when each core, and a core of each region, has been there to be given shards."""
        there = candidates(self.place, around.cores, around.drained)
        for since, names in (
            (self._core_since, {core.incarnation for core in there}),
            (self._region_since, {core.region for core in there}),
        ):
            for name in since.keys() - names:
                del since[name]
            for name in names - since.keys():
                since[name] = around.now

    def _drop(self, around: Around) -> list[Lose]:
        lost = [
            shard
            for shard, epoch in sorted(self.held.items())
            if not around.may_own or self._not_mine(shard, epoch)
        ]
        for shard in lost:
            self.held.pop(shard)
            self._loading.pop(shard, None)
            self._held_since.pop(shard, None)
        return [Lose(tuple(lost))] if lost else []

    def _not_mine(self, shard: int, epoch: int) -> bool:
        """While it is being given nothing is sent, and only the end of that says whose it is."""
        return shard not in self.giving and self.rows[shard] != ShardRow(shard, self._me, epoch)

    def _give_up(self, around: Around) -> list[GiveUp]:
        there = candidates(self.place, around.cores, around.drained)
        names = {core.incarnation for core in there}
        return [GiveUp(shard) for shard, to in sorted(self.giving.items()) if to not in names]

    def _take_up(self, around: Around) -> list[TakeUp]:
        given = [
            (shard, row.epoch)
            for shard, row in sorted(self.rows.items())
            if row.owner == self._me and shard not in self.held and shard not in self.giving
        ]
        for shard, epoch in given:
            self.held[shard] = self._loading[shard] = epoch
            self._held_since[shard] = around.now
        return [TakeUp(tuple(given))] if given else []

    def _take(self, around: Around) -> list[Take]:
        free = {
            row
            for row in self.rows.values()
            if row.owner == "" or (row.owner in around.gone and row.owner != self._me)
        }
        for row in self._free_since.keys() - free:
            del self._free_since[row]
        there = candidates(self.place, around.cores, around.drained)
        wanted_rows = []
        for row in sorted(free, key=lambda one: one.shard):
            since, chance = self._free_since.setdefault(row, (around.now, around.chance))
            wait_s = self._wait_s(row.shard, there, chance)
            if row.shard not in self._asked and around.now - since >= wait_s:
                wanted_rows.append(row)
        self._asked |= {row.shard for row in wanted_rows}
        size = self._pace.batch_max
        batches = range(0, len(wanted_rows), size)
        return [Take(tuple(wanted_rows[at : at + size])) for at in batches]

    def _wait_s(self, shard: int, there: list[Core], chance: float) -> float:
        """How long to leave a free shard to those before us in its order. Regions where nobody is
        there cost no wait."""
        cores = order(self.place, there, shard)
        regions = list(dict.fromkeys(core.region for core in cores))
        rank = regions.index(self._region) if self._region in regions else len(regions)
        inside = [core.incarnation for core in cores if core.region == self._region]
        first = bool(inside) and inside[0] == self._me
        wait_s = rank * self._pace.region_step_s
        if not first:
            wait_s += self._pace.core_step_s
        return wait_s if rank == 0 and first else wait_s + chance * self._pace.core_step_s

    def _give(self, around: Around, away: bool) -> list[Give]:
        """To whom the order says; when we go away, to the best of those who are there."""
        everybody = candidates(self.place, around.cores, around.drained)
        there = [core for core in everybody if core.incarnation != self._me]
        settled = [core for core in there if self._settled(core, around.now, away)]
        fit = (settled or there) if away else [*settled, Core(self._me, self._region)]
        gives: list[Give] = []
        for shard in sorted(self.held.keys() - self.giving.keys() - self._loading.keys()):
            if len(self.giving) >= self._pace.under_way_max:
                break
            stayed_s = around.now - self._held_since.setdefault(shard, around.now)
            if not away and stayed_s < self._pace.stay_s:
                continue
            to = wanted(self.place, fit, shard)
            if to is not None and to.incarnation != self._me:
                self.giving[shard] = to.incarnation
                gives.append(Give(self.rows[shard], to.incarnation))
        return gives

    def _settled(self, core: Core, now: float, away: bool) -> bool:
        """Another region must have been there for longer: one that returns may go again.

        When we go away any core of our region will do, for it may be the one that replaces us.
        """
        if core.region == self._region and away:
            return True
        if now - self._core_since[core.incarnation] < self._pace.settle_s:
            return False
        if core.region == self._region:
            return True
        return now - self._region_since[core.region] >= self._pace.return_s


def inherited_in_doubt(
    now: float, taken_at: float, giver_gone: bool, call_timeout_s: float, epsilon_s: float
) -> bool:
    """Whether an unsettled intent of the one who gave the shard is in doubt now (PROTOCOL.md 7).

    Its call may still run, and its outcome come. It was under way before this process got the
    shard at `taken_at`, so it ends within the call's time-out from there; a giver that is revoked
    tells no outcome any more.
    """
    return giver_gone or now - taken_at >= call_timeout_s + epsilon_s
