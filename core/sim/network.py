"""The network between regions: delays, losses, repeats, and cuts, by direction.

What is sent arrives as an event of the process that it is for. It may be lost, come twice or come
late, and nothing keeps the order of two messages. What is already under way when a cut begins
still arrives. Inside a region nothing is cut and nothing is lost. `faulty = False` stops losses,
repeats and late arrivals, not cuts: `heal` ends those. `permit` is asked of each of these that was
drawn, by its number, and may forbid it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

from msgspec import Struct

from core.sim.process import Process
from core.sim.scheduler import Scheduler


class NetworkRates(Struct, frozen=True):
    """How often what goes wrong, for a message between two regions, and how long it takes."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    late_max_s: float = 0.5
    near_s: float = 0.0003
    far_min_s: float = 0.020
    far_max_s: float = 0.100
    jitter: float = 0.2


class Network:
    """See the module's docstring. `counts` says what occurred."""

    def __init__(
        self, scheduler: Scheduler, random: Random, regions: Sequence[str], rates: NetworkRates
    ) -> None:
        self.regions = list(regions)
        self.rates = rates
        self.faulty = True
        self.counts: Counter[str] = Counter()
        self.permit: Callable[[int, str, str], bool] = lambda _number, _what, _link: True
        self._drawn = 0
        self._scheduler = scheduler
        self._random = random
        self._troubled = rates.loss + rates.reorder
        self._cut: set[tuple[str, str]] = set()
        self._base_s: dict[tuple[str, str], float] = {}
        for index, a in enumerate(self.regions):
            self._base_s[(a, a)] = rates.near_s
            for b in self.regions[index + 1 :]:
                far_s = random.uniform(rates.far_min_s, rates.far_max_s)
                self._base_s[(a, b)] = self._base_s[(b, a)] = far_s

    # Messages

    def reachable(self, a: str, b: str) -> bool:
        """Whether what `a` sends can arrive at `b`. Nothing is said of the way back."""
        return (a, b) not in self._cut

    def connected(self, a: str, b: str) -> bool:
        """Whether both directions work."""
        return (a, b) not in self._cut and (b, a) not in self._cut

    def distance_s(self, a: str, b: str) -> float:
        """How long a message takes at least."""
        return self._base_s[(a, b)]

    def travel_s(self, src: str, dst: str) -> float | None:
        """How long this message takes; None if it does not arrive."""
        drawn = self._random.random()
        if src == dst:
            return self.rates.near_s * (1.0 + self.rates.jitter * drawn)
        if (src, dst) in self._cut:
            self.counts["stopped by a cut"] += 1
            return None
        took_s = self._base_s[(src, dst)]
        if self.faulty and drawn < self._troubled:
            return self._trouble(drawn, src, dst)
        return took_s * (1.0 + self.rates.jitter * drawn)

    def _trouble(self, drawn: float, src: str, dst: str) -> float | None:
        took_s = self._base_s[(src, dst)]
        what = "lost" if drawn < self.rates.loss else "reordered"
        late_s = self._random.random() * self.rates.late_max_s
        if not self._occurs(what, src, dst):
            return took_s
        return None if what == "lost" else took_s + late_s

    def _occurs(self, what: str, src: str, dst: str) -> bool:
        self._drawn += 1
        if not self.permit(self._drawn, what, f"{src} to {dst}"):
            return False
        self.counts[what] += 1
        return True

    def send(
        self, src: str, dst: str, do: Callable[[], object], process: Process | None = None
    ) -> None:
        """Have `do` happen at the other side, as an event of `process` if one is named."""
        took_s = self.travel_s(src, dst)
        if took_s is None:
            return
        self._scheduler.after(took_s, do, process)
        repeats = self.rates.duplicate if self.faulty and src != dst else 0.0
        if repeats and self._random.random() < repeats and self._occurs("duplicated", src, dst):
            late_s = took_s + self._random.random() * self.rates.late_max_s
            self._scheduler.after(late_s, do, process)

    # Cuts. They add up until `heal`.

    def cut(self, a: str, b: str) -> None:
        """Nothing passes between the two."""
        self.counts["cut"] += 1
        self._cut |= {(a, b), (b, a)}

    def cut_one_way(self, a: str, b: str) -> None:
        """What `a` sends to `b` is lost; the way back works."""
        self.counts["cut one way"] += 1
        self._cut.add((a, b))

    def isolate(self, region: str) -> None:
        """One region alone."""
        self.counts["isolated"] += 1
        self._split([region], [other for other in self.regions if other != region])

    def halves(self, left: Sequence[str]) -> None:
        """These on one side, the others on the other."""
        self.counts["halves"] += 1
        self._split(left, [region for region in self.regions if region not in left])

    def bridge(self, joint: str, left: Sequence[str]) -> None:
        """Two halves that only `joint` joins."""
        self.counts["bridge"] += 1
        others = [region for region in self.regions if region not in left and region != joint]
        self._split([region for region in left if region != joint], others)

    def majorities_ring(self) -> None:
        """Each region sees a majority, no two the same one.

        Of three regions, where that cannot be in both directions, each reaches the next one only.
        """
        self.counts["majorities ring"] += 1
        count = len(self.regions)
        if count == 3:
            for index, region in enumerate(self.regions):
                self._cut.add((region, self.regions[index - 1]))
            return
        sees = (count // 2 + 1) // 2
        for i, a in enumerate(self.regions):
            for j, b in enumerate(self.regions):
                if min((i - j) % count, (j - i) % count) > sees:
                    self._cut.add((a, b))

    def heal(self) -> None:
        """All links work again."""
        self._cut.clear()

    def _split(self, left: Sequence[str], right: Sequence[str]) -> None:
        for a in left:
            for b in right:
                self._cut |= {(a, b), (b, a)}
