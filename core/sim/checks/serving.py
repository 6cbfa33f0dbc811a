"""The set of serving regions: what becomes of it, and whether cores and operators are told truly.

- There is always a region that serves fully.
- An operator is told of a row that was written; one who was refused has changed nothing, neither
  before it was told nor later.
- A core that has read that its region is out takes no shard of another owner or of nobody.
- Once faults are over, regions that were drained own nothing, and say so.
"""

from collections.abc import Iterable, Mapping, Sequence

from core.sim.history import ViolationError
from core.sim.operators import Answered
from core.sim.store.swaps import SERVING, Operation
from sync.serving import ServingSet
from sync.store.port import ShardRow, Swapped, SwapServing, SwapShards

OUT = ("draining", "drained")


class ServingRegions:
    """See the module's docstring."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, ServingSet]] = []

    def applied(self, write: SwapServing, now_s: float) -> None:
        """The row was set."""
        self._rows.append((now_s, write.row))
        if not any(one.state == "serving" for one in write.row.regions.values()):
            raise ViolationError("no_region_serves", f"{write.row}")

    def after_drains(
        self, row: ServingSet | None, shards: Mapping[str, Sequence[ShardRow]]
    ) -> None:
        """Faults are over, and drains had their time."""
        regions = {} if row is None else row.regions
        out = [name for name, one in sorted(regions.items()) if one.state in OUT]
        for region in out:
            for home, rows in shards.items():
                if kept := [one for one in rows if one.owner.startswith(region)]:
                    raise ViolationError("drained_keeps", f"{region} is out: {home} {kept}")
            if regions[region].state != "drained":
                raise ViolationError("never_drained", f"{region} owns nothing: {regions[region]}")

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
