"""Where things stand in a drawn run: lanes for processes across, time downwards."""

from bisect import bisect_right

from msgspec import Struct

from core.sim.trace import Note

LEFT = 64.0
LANE = 120
_TOP = 56.0
_BOTTOM = 40.0
_REGION_GAP = 14.0
_PER_SECOND = 40.0
_STEP_MIN, _STEP_MAX = 14.0, 56.0


class Ruler:
    """Time to a place downwards. Between two things that happen lie between 14 and 56 points."""

    def __init__(self, times_s: list[float]) -> None:
        y, before_s = _TOP, None
        self.points: list[tuple[float, float]] = []
        for at_s in sorted(set(times_s)) or [0.0]:
            if before_s is not None:
                y += min(_STEP_MAX, max(_STEP_MIN, (at_s - before_s) * _PER_SECOND))
            self.points.append((at_s, y))
            before_s = at_s
        self.height = y + _BOTTOM

    def y(self, at_s: float) -> float:
        """Where a time is; the nearest place before it where nothing happened then."""
        found = bisect_right(self.points, (at_s, float("inf")))
        return self.points[max(0, found - 1)][1]


class Life(Struct):
    """A process in its lane, from its first note to its end, or to that of the run."""

    name: str
    region: str
    from_s: float
    to_s: float
    x: float = 0.0


class Lanes:
    """Regions side by side, what is outside of them last. A lane is used again after an end."""

    def __init__(self, notes: list[Note]) -> None:
        self.processes = _lives(notes)
        self.regions: dict[str, tuple[float, float]] = {}
        names = {note.region for note in notes} | {note.to_region for note in notes}
        right = LEFT
        for region in [*sorted(names - {""}), ""]:
            lanes = _share([each for each in self.processes if each.region == region], right)
            self.regions[region] = (right, right + max(1, lanes) * LANE)
            right = self.regions[region][1] + _REGION_GAP
        self.width = right
        self._x = {(each.region, each.name): each.x for each in self.processes}

    def x(self, note: Note) -> float:
        """Where a note stands; one of no process at the left of its region."""
        return self._x.get((note.region, note.process), self.regions[note.region][0] + 10)


def _lives(notes: list[Note]) -> list[Life]:
    lives: dict[tuple[str, str], Life] = {}
    for note in notes:
        if note.process:
            new = Life(note.process, note.region, note.at_s, notes[-1].at_s)
            life = lives.setdefault((note.region, note.process), new)
            if note.kind == "end":
                life.to_s = note.at_s
    return list(lives.values())


def _share(lives: list[Life], left: float) -> int:
    """Give each process of a region a lane that is free; how many lanes that took."""
    free_from_s: list[float] = []
    for life in sorted(lives, key=lambda each: (each.from_s, each.name)):
        lane = next((n for n, at_s in enumerate(free_from_s) if at_s < life.from_s), None)
        if lane is None:
            lane = len(free_from_s)
            free_from_s.append(0.0)
        free_from_s[lane] = life.to_s
        life.x = left + 14 + lane * LANE
    return len(free_from_s)
