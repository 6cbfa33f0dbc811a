"""The set of serving regions: what becomes of it, and whether cores and operators are told truly.

- There is always a region that serves fully; no drain takes the last one from a placement group.
- An operator is told of a row that was written; one who was refused has changed nothing, neither
  before it was told nor later.
- A core that has read that its region is out takes no shard of another owner or of nobody.
- Once faults are over, regions that were drained own nothing, and say so. Shards of a home for
  which no region serves stay with whoever has them: a region that was taken for lost, or the last
  one of a group that the map changed in the moment of its drain.
"""

from collections.abc import Iterable, Mapping, Sequence

from core.sim.history import ViolationError
from core.sim.operators import Answered
from core.sim.store.swaps import SERVING, Operation
from sync.placement import PlacementMap, groups_with_homes, regions_of
from sync.serving import ServingSet, out
from sync.store.port import ShardRow, Swapped, SwapServing, SwapShards

OUT = ("draining", "drained")
# Who drains may have read the map so long ago, and a map may have been published since.
MAP_READ_S = 10.0


class ServingRegions:
    """See the module's docstring."""

    def __init__(self, first: PlacementMap | None) -> None:
        self._rows: list[tuple[float, ServingSet]] = []
        self._maps = [(0.0, first)] if first is not None else []

    def published(self, placement: PlacementMap, now_s: float) -> None:
        """A version of the map was published."""
        self._maps.append((now_s, placement))

    def applied(self, write: SwapServing, now_s: float) -> None:
        """The row was set."""
        self._rows.append((now_s, write.row))
        serving = {name for name, one in write.row.regions.items() if one.state == "serving"}
        if not serving:
            raise ViolationError("no_region_serves", f"{write.row}")
        before = {} if write.expect is None else write.expect.regions
        for region, one in write.row.regions.items():
            begins = one.state == "draining" and before[region].state not in OUT
            if begins and self._group_is_left(region, serving, now_s):
                raise ViolationError("group_left", f"{region} drains: {write.row}")

    def _group_is_left(self, region: str, serving: set[str], now_s: float) -> bool:
        """Whether, by each map that may have been the newest, a group of the region has none."""
        first = next((at for at, (s, _) in enumerate(self._maps) if s > now_s - MAP_READ_S), None)
        newest = self._maps[-1:] if first is None else self._maps[max(0, first - 1) :]
        return bool(newest) and all(
            any(region in regions and not serving & set(regions) for _, regions in groups)
            for groups in (groups_with_homes(placement) for _, placement in newest)
        )

    def after_drains(
        self, row: ServingSet | None, shards: Mapping[str, Sequence[ShardRow]]
    ) -> None:
        """Faults are over, and drains had their time."""
        for region in out(row):
            assert row is not None
            kept = [
                (home, one)
                for home, rows in shards.items()
                for one in rows
                if one.owner.startswith(region)
            ]
            if served := [each for each in kept if self._is_served(each[0], row)]:
                raise ViolationError("drained_keeps", f"{region} is out: {served}")
            if not kept and row.regions[region].state != "drained":
                what = f"{region} owns nothing: {row.regions[region]}"
                raise ViolationError("never_drained", what)

    def _is_served(self, home: str, row: ServingSet) -> bool:
        if not self._maps:
            return True
        regions = regions_of(self._maps[-1][1], home)
        return any(row.regions[region].share_pct for region in regions)

    def final(
        self, operations: Iterable[Operation], answers: Iterable[Answered], where: Mapping[str, str]
    ) -> None:
        """`where` says in which region each process runs."""
        for answered in answers:
            self._told(answered)
        for process, used in _by_process(operations).items():
            _takes(where[process], used)

    def _told(self, told: Answered) -> None:
        answer = told.answer
        if isinstance(answer, ServingSet):
            if answer not in [row for _, row in self._rows]:
                raise ViolationError("told_unwritten", f"{told.reason} of {told.region}: {answer}")
            return
        later = [row for at_s, row in self._rows if at_s > told.at_s]
        for row in [*later, *([told.stood] if told.stood else [])]:
            if told.reason and row.regions[told.region].reason == told.reason:
                what = f"{told.reason} of {told.region} was refused: {answer.rule}; then {row}"
                raise ViolationError("refused_applied", what)


def _by_process(operations: Iterable[Operation]) -> dict[str, list[Operation]]:
    found: dict[str, list[Operation]] = {}
    for operation in operations:
        found.setdefault(operation.process, []).append(operation)
    return found


def _shown(operation: Operation) -> ServingSet | None:
    """The row that a reading, or the answer to a change of one's own, showed."""
    answer = operation.answer
    row: ServingSet | None = answer.serving if isinstance(answer, Swapped) else answer[0]
    return row


def _takes(region: str, used: list[Operation]) -> None:
    """Of one process. What it gave, and takes back when that is given up, stays its own."""
    told = [one for one in used if one.register == SERVING and one.answer]
    told.sort(key=lambda one: one.answered_s)
    for one in used:
        swap = one.argument
        if not isinstance(swap, SwapShards) or swap.owner != one.process:
            continue
        if all(row.owner == one.process for row in swap.expect):
            continue
        seen = [_shown(each) for each in told if each.answered_s < one.invoked_s]
        row = next((row for row in reversed(seen) if row is not None), None)
        if row is not None and row.regions[region].state in OUT:
            what = f"{one.process} takes {swap.expect} of {one.register}; it has read {row}"
            raise ViolationError("drained_takes", what)
