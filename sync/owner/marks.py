"""How far logs may be forgotten (PROTOCOL.md 3, "Floor").

Whatever still needs a row of a log holds it, by shard; the mark of (log, shard) is the row before
the lowest one held, or as far as the log was read. Effect rows are let go in two steps: first when
nothing needs their records any more, and then only once the accept row that they name lies under
the accept mark of the same floor. What a floor costs does not grow with how much waits for one row.
"""

from heapq import heapify, heappop, heappush
from math import inf

from sync.records import FloorPart, Place

Key = tuple[str, int]
_HEAP_AT_LEAST = 64
_NONE: tuple[dict[int, int], list[int]] = ({}, [])  # never written to


class Holds:
    """Counts of who needs a row, by (log, shard); beside them a heap whose top is the lowest."""

    def __init__(self) -> None:
        self._held: dict[Key, tuple[dict[int, int], list[int]]] = {}

    def hold(self, log: str, shard: int, row: int) -> None:
        """One more needs the row."""
        key = (log, shard)
        found = self._held.get(key)
        if found is None:
            found = self._held[key] = ({}, [])
        rows, heap = found
        held = rows.get(row, 0)
        rows[row] = held + 1
        if not held:
            heappush(heap, row)
            if len(heap) > 2 * len(rows) + _HEAP_AT_LEAST:
                heap[:] = rows  # rows that nobody holds any more must not pile up
                heapify(heap)

    def release(self, log: str, shard: int, row: int) -> None:
        """One less needs the row."""
        rows, _ = self._held[(log, shard)]
        left = rows[row] - 1
        if left:
            rows[row] = left
        else:
            del rows[row]

    def lowest(self, log: str, shard: int) -> int | None:
        """The lowest row held, None if none is."""
        rows, heap = self._held.get((log, shard), _NONE)
        if not rows:
            return None
        while heap[0] not in rows:
            heappop(heap)
        return heap[0]

    def forget(self, shard: int) -> None:
        """The shard is no longer ours."""
        for key in [k for k in self._held if k[1] == shard]:
            del self._held[key]


class _Waiting:
    """Effects that wait until an accept row of one log is passed."""

    __slots__ = ("_effects", "heap")

    def __init__(self) -> None:
        self.heap: list[int] = []
        self._effects: dict[int, list[Place]] = {}

    def add(self, row: int, effect: Place) -> None:
        """The effect waits for this row."""
        effects = self._effects.get(row)
        if effects is None:
            effects = self._effects[row] = []
            heappush(self.heap, row)
        effects.append(effect)

    def passed(self, mark: float, most: int) -> list[Place]:
        """Up to `most` of what waited for rows up to the mark; it waits no more."""
        found: list[Place] = []
        while self.heap and self.heap[0] <= mark and len(found) < most:
            effects, left = self._effects[self.heap[0]], most - len(found)
            found += effects[:left]
            del effects[:left]
            if not effects:
                del self._effects[heappop(self.heap)]
        return found


class Marks:
    """Accept, effect and due marks of one owner."""

    def __init__(self) -> None:
        self.accept = Holds()
        self.effect = Holds()
        self.due = Holds()
        # By shard and accept log: what waits for each of its rows, and a heap of these rows.
        self._after: dict[int, dict[str, _Waiting]] = {}

    def effect_done(self, shard: int, accept: Place | None, effect: Place) -> None:
        """Nothing needs the effect record; it waits for the accept mark to pass `accept`."""
        if accept is None:
            self.effect.release(effect.log, shard, effect.row)
            return
        logs = self._after.get(shard)
        if logs is None:
            logs = self._after[shard] = {}
        waiting = logs.get(accept.log)
        if waiting is None:
            waiting = logs[accept.log] = _Waiting()
        waiting.add(accept.row, effect)

    def forget(self, shard: int) -> None:
        """The shard is no longer ours."""
        for holds in (self.accept, self.effect, self.due):
            holds.forget(shard)
        self._after.pop(shard, None)

    def part(
        self,
        shard: int,
        epoch: int,
        accept_read: dict[str, int],
        effect_read: dict[str, int],
        closed: tuple[str, ...],
        bucket_read: int,
        most: int,
    ) -> FloorPart:
        """The marks of one shard now; lets up to `most` effects go that may be forgotten by it;
        the rest follows with the next one."""
        accept = {log: self._mark(self.accept, log, shard, to) for log, to in accept_read.items()}
        self._pass_effects(shard, accept, closed, most)
        effect = {log: self._mark(self.effect, log, shard, to) for log, to in effect_read.items()}
        lowest = self.due.lowest("due", shard)
        due = bucket_read if lowest is None else min(lowest, bucket_read)
        return FloorPart(((shard, epoch),), accept, effect, closed, due)

    def _pass_effects(
        self, shard: int, accept: dict[str, int], closed: tuple[str, ...], most: int
    ) -> None:
        after = self._after.get(shard, {})
        for log, waiting in list(after.items()):
            mark = inf if log in closed else accept.get(log, -1)
            for effect in waiting.passed(mark, most):
                self.effect.release(effect.log, shard, effect.row)
                most -= 1
            if not waiting.heap:
                del after[log]

    @staticmethod
    def _mark(holds: Holds, log: str, shard: int, read_to: int) -> int:
        lowest = holds.lowest(log, shard)
        return read_to if lowest is None else min(lowest - 1, read_to)


def merge_parts(parts: list[FloorPart]) -> list[FloorPart]:
    """Put shards that stand alike into one part."""
    alike: dict[object, tuple[list[tuple[int, int]], FloorPart]] = {}
    for part in parts:
        key = (
            tuple(sorted(part.accept.items())),
            tuple(sorted(part.effect.items())),
            part.closed,
            part.due,
        )
        alike.setdefault(key, ([], part))[0].extend(part.shards)
    return [
        FloorPart(tuple(shards), part.accept, part.effect, part.closed, part.due)
        for shards, part in alike.values()
    ]
