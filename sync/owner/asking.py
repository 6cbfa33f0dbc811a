"""When a row that is not found is asked of its writer's region (PROTOCOL.md 2, "Reading").

A row of a local lane stands where its writer is, and comes to the other regions by itself. When
that went wrong nobody finds it at quorum, and the log is read no further. Then it is asked for:
while reads of it find nothing, and first after it had its time to come by itself. That is short
where somebody said that the row stands, and longer where the log may as well end before it. After
each question the pause grows, up to a bound. Once the row came nothing is asked for it any more,
for it is not read again; the next one that is missing has its own time.

Never asked for: rows of global lanes and effects, which stand at quorum or were never answered for;
rows of the own region, whose replicas each read asks first; rows behind the end of a log.
"""

from msgspec import Struct

from sync.naming import log_name

GROWTH = 2.0
ROWS_MAX = 10_000


class AskingPace(Struct, frozen=True):
    """`told_s`: after that a row is asked for that somebody said stands; `untold_s`: any other.

    Pauses grow from there up to `longest_s`.
    """

    told_s: float = 1.0
    untold_s: float = 10.0
    longest_s: float = 60.0


class _Missing:
    """A missing row; `since_s` is when it was first missed, or last asked for."""

    __slots__ = ("pause_s", "since_s", "told")

    def __init__(self, since_s: float, pause_s: float) -> None:
        self.told = False
        self.since_s = since_s
        self.pause_s = pause_s


class Asking:
    """Remembers at most `rows_max` rows that were missed; of more, the oldest begins anew."""

    def __init__(self, region: str, pace: AskingPace, rows_max: int = ROWS_MAX) -> None:
        self._region = region
        self._pace = pace
        self._rows_max = rows_max
        self._missing: dict[tuple[str, int], _Missing] = {}

    def missed(
        self, log: str, row: int, writer_region: str, told_row: int, end: int | None, now_s: float
    ) -> bool:
        """A read at quorum did not find the row: is it asked for now?

        `writer_region` is "" where it is not known, `told_row` how far somebody said that the log
        goes, `end` its last row once it can never grow.
        """
        if writer_region in ("", self._region) or not log_name(log).lane.endswith("_local"):
            return False
        if end is not None and row > end:
            return False
        missing = self._missing.get((log, row)) or self._begin((log, row), now_s)
        if not missing.told and row <= max(told_row, end or 0):
            missing.told, missing.pause_s = True, self._pace.told_s
        if now_s - missing.since_s < missing.pause_s:
            return False
        missing.since_s = now_s
        missing.pause_s = min(missing.pause_s * GROWTH, self._pace.longest_s)
        return True

    def _begin(self, key: tuple[str, int], now_s: float) -> _Missing:
        if len(self._missing) >= self._rows_max:
            self._missing.pop(next(iter(self._missing)))
        missing = self._missing[key] = _Missing(now_s, self._pace.untold_s)
        return missing
