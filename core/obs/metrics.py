"""The numbers of a core, for Prometheus.

Counting is a plain addition on an object whose labels were resolved once (`counts.of("sms", "otp")`
is kept by the caller), because the client library's own counters take a lock for each message. The
numbers are put into Prometheus' form only when they are asked for. Each number is changed from one
thread only; which one is its owner's affair. No label ever holds a tenant or a recipient, and a
family takes at most `_CHILDREN_MAX` sets of labels: what comes after is counted as "other".
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

_CHILDREN_MAX = 1000
_OTHER = "other"
_COMMIT_BOUNDS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Count:
    """A number that only grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def add(self, number: int = 1) -> None:
        self.value += number


class Counts:
    """A family of counters, one for each set of labels."""

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        self.name = name
        self._text = text
        self._labels = tuple(labels)
        self._children: dict[tuple[str, ...], Count] = {}

    def of(self, *values: str) -> Count:
        """The counter with these labels; keep it where it is used often."""
        found = self._children.get(values)
        if found is None:
            assert len(values) == len(self._labels), f"{self.name} has labels {self._labels}"
            if len(self._children) >= _CHILDREN_MAX:
                values = (_OTHER,) * len(self._labels)
            found = self._children.setdefault(values, Count())
        return found

    def family(self) -> Metric:
        family = CounterMetricFamily(self.name, self._text, labels=self._labels)
        for values, count in list(self._children.items()):
            family.add_metric(values, count.value)
        return family


class Gauges:
    """A family of values that are read when they are asked for."""

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        self._name = name
        self._text = text
        self._labels = tuple(labels)
        self._children: dict[tuple[str, ...], Callable[[], float]] = {}

    def read(self, value: Callable[[], float], *labels: str) -> None:
        """Show what `value` answers, under these labels."""
        self._children[labels] = value

    def forget(self, *labels: str) -> None:
        """Show these labels no more."""
        self._children.pop(labels, None)

    def family(self) -> Metric:
        family = GaugeMetricFamily(self._name, self._text, labels=self._labels)
        for values, value in list(self._children.items()):
            family.add_metric(values, value())
        return family


class Histogram:
    """How a duration is spread, in seconds."""

    def __init__(self, name: str, text: str, bounds_s: Sequence[float]) -> None:
        self._name = name
        self._text = text
        self._bounds = tuple(bounds_s)
        self._buckets = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Take one duration in."""
        self._buckets[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def family(self) -> Metric:
        family = HistogramMetricFamily(self._name, self._text)
        family.add_metric([], buckets=list(self._cumulated()), sum_value=self._sum)
        return family

    def _cumulated(self) -> Iterator[tuple[str, float]]:
        total = 0
        bounds = [*(str(bound) for bound in self._bounds), "+Inf"]
        for bound, inside in zip(bounds, self._buckets, strict=True):
            total += inside
            yield bound, total


class CoreMetrics(Collector):
    """Every number of a core process. `text()` is the body of GET /metrics."""

    def __init__(self) -> None:
        def counts(name: str, text: str, *labels: str) -> Counts:
            return Counts(f"goutong_core_{name}", text, labels)

        def gauges(name: str, text: str, *labels: str) -> Gauges:
            return Gauges(f"goutong_core_{name}", text, labels)

        self.accepted = counts("accepted", "Messages made durable", "channel", "class")
        self.refused = counts("refused", "Requests refused, by problem code", "code")
        self.ended = counts("ended", "Messages that reached an end", "channel", "state", "reason")
        self.attempts = counts(
            "attempts", "Calls to providers, by what came of them", "account", "outcome"
        )
        self.possible_duplicates = counts(
            "possible_duplicates", "Messages sent again after a doubt", "account"
        )
        self.receipts = counts("receipts", "Receipts taken in", "account", "status")
        self.bounces = counts(
            "bounces", "Mails to return paths, by what they say", "account", "kind"
        )
        self.callbacks = counts(
            "callbacks", "Callbacks of providers, by the answer's status", "account", "status"
        )
        self.log_rows = counts("log_rows", "Rows written to the logs", "log")
        self.log_records = counts("log_records", "Records in those rows", "log")
        self.commit_seconds = Histogram(
            "goutong_core_commit_seconds", "One transaction of the store", _COMMIT_BOUNDS_S
        )
        self.open_messages = gauges("open_messages", "Messages without an end, held in memory")
        self.waiting_messages = gauges(
            "waiting_messages", "Messages that wait for a provider", "class"
        )
        self.in_doubt = gauges("in_doubt", "Messages with an intent whose outcome is not known")
        self.shards_owned = gauges("shards_owned", "Shards whose lease is held here")
        self.lease_left_ms = gauges("lease_left_ms", "How long the lease still gives the right")
        self.calls_running = gauges("calls_running", "Calls under way", "account")
        self.account_up = gauges("account_up", "1 where calls can be made", "account")
        self.circuit = gauges(
            "account_circuit", "The circuit: 0 closed, 1 half open, 2 open", "account"
        )
        self.disk_free_bytes = gauges("disk_free_bytes", "Free disk under the store")
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def collect(self) -> Iterable[Metric]:
        """Every family, for Prometheus."""
        for family in vars(self).values():
            if isinstance(family, (Counts, Gauges, Histogram)):
                yield family.family()

    def text(self) -> bytes:
        """All numbers in Prometheus' text form."""
        return generate_latest(self._registry)
