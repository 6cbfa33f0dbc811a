"""How far logs may be forgotten (PROTOCOL.md 3, "Floor").

Whatever still needs a row of a log holds it, by shard; the mark of (log, shard) is the row before
the lowest one held, or as far as the log was read. Effect rows are let go in two steps: first when
nothing needs their records any more, and then only once the accept row that they name lies under
the accept mark of the same floor.
"""

from sync.records import FloorPart, Place

Key = tuple[str, int]


class Holds:
    """Counts of who needs a row, by (log, shard)."""

    def __init__(self) -> None:
        self._rows: dict[Key, dict[int, int]] = {}

    def hold(self, log: str, shard: int, row: int) -> None:
        """One more needs the row."""
        rows = self._rows.get((log, shard))
        if rows is None:
            rows = self._rows[(log, shard)] = {}
        rows[row] = rows.get(row, 0) + 1

    def release(self, log: str, shard: int, row: int) -> None:
        """One less needs the row."""
        rows = self._rows[(log, shard)]
        left = rows[row] - 1
        if left:
            rows[row] = left
        else:
            del rows[row]

    def lowest(self, log: str, shard: int) -> int | None:
        """The lowest row held, None if none is."""
        rows = self._rows.get((log, shard))
        return min(rows) if rows else None

    def forget(self, shard: int) -> None:
        """The shard is no longer ours."""
        for key in [k for k in self._rows if k[1] == shard]:
            del self._rows[key]


class Marks:
    """Accept, effect and due marks of one owner."""

    def __init__(self) -> None:
        self.accept = Holds()
        self.effect = Holds()
        self.due = Holds()
        self._after: dict[int, list[tuple[Place | None, Place]]] = {}

    def effect_done(self, shard: int, accept: Place | None, effect: Place) -> None:
        """Nothing needs the effect record; it waits for the accept mark to pass `accept`."""
        self._after.setdefault(shard, []).append((accept, effect))

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
    ) -> FloorPart:
        """The marks of one shard now; lets effect rows go that may be forgotten by it."""
        accept = {log: self._mark(self.accept, log, shard, to) for log, to in accept_read.items()}
        self._pass_effects(shard, accept, closed)
        effect = {log: self._mark(self.effect, log, shard, to) for log, to in effect_read.items()}
        lowest = self.due.lowest("due", shard)
        due = bucket_read if lowest is None else min(lowest, bucket_read)
        return FloorPart(((shard, epoch),), accept, effect, closed, due)

    def _pass_effects(self, shard: int, accept: dict[str, int], closed: tuple[str, ...]) -> None:
        waiting = self._after.get(shard)
        if not waiting:
            return
        still: list[tuple[Place | None, Place]] = []
        for place, effect in waiting:
            if place is None or place.log in closed or place.row <= accept.get(place.log, -1):
                self.effect.release(effect.log, shard, effect.row)
            else:
                still.append((place, effect))
        self._after[shard] = still

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
