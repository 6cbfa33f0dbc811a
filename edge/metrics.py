"""What the edge counts. Plain numbers on the way of a request; Prometheus reads them when asked."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

# Seconds; the first ones stand close, since an accept takes a few milliseconds.
_BOUNDS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
Gauges = Callable[[], dict[str, tuple[str, float]]]
Counters = Callable[[], dict[str, tuple[str, float]]]


class Counts:
    """Answers by route and status, and how long accepts took."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, int], int] = defaultdict(int)
        self.accept_seconds = [0] * (len(_BOUNDS) + 1)
        self.accept_seconds_sum = 0.0

    def answered(self, route: str, status: int) -> None:
        self.answers[route, status] += 1

    def accepted(self, seconds: float) -> None:
        self.accept_seconds[bisect_left(_BOUNDS, seconds)] += 1
        self.accept_seconds_sum += seconds


class EdgeCollector(Collector):
    """Puts the counts into Prometheus' form. Names begin with goutong_edge_."""

    def __init__(
        self,
        counts: Counts,
        gauges: Gauges,
        counters: Counters,
        links: Callable[[], Iterable[tuple[str, bool]]],
    ) -> None:
        self._counts = counts
        self._gauges = gauges
        self._counters = counters
        self._links = links

    def collect(self) -> Iterator[Metric]:
        answers = CounterMetricFamily(
            "goutong_edge_answers", "Answers to callers", labels=("route", "status")
        )
        for (route, status), count in sorted(self._counts.answers.items()):
            answers.add_metric((route, str(status)), count)
        yield answers
        yield self._accept_seconds()
        links = GaugeMetricFamily("goutong_edge_link_up", "Link to a core", labels=("core",))
        for core, usable in self._links():
            links.add_metric((core,), float(usable))
        yield links
        for name, (what, value) in self._gauges().items():
            yield GaugeMetricFamily(f"goutong_edge_{name}", what, value=value)
        for name, (what, value) in self._counters().items():
            yield CounterMetricFamily(f"goutong_edge_{name}", what, value=value)

    def _accept_seconds(self) -> Metric:
        total = 0
        buckets = []
        for bound, count in zip((*_BOUNDS, "+Inf"), self._counts.accept_seconds, strict=True):
            total += count
            buckets.append((str(bound), float(total)))
        return HistogramMetricFamily(
            "goutong_edge_accept_seconds",
            "From the head of a notification to its answer",
            buckets=buckets,
            sum_value=self._counts.accept_seconds_sum,
        )
