"""Who comes next: between classes of messages, and between tenants within one class.

Classes have lanes: otp goes first, then alert, then transactional and bulk, of which bulk has one
turn for each `ratio` of the other while both wait, so that it is slow but never stands still.

Within a lane each tenant has the share of its weight, whatever the others bring. Turns are given
by start tags: each send moves its tenant on by 1/weight, and the tenant that is least far on is
next. A tenant that was away begins where the others are, so it neither catches up nor pays for
what it did alone. Messages of one lane may stand in several queues (those for which one decision
holds); tags are of the lane, so a tenant gains nothing by being in many. Pure, and no step looks
at more than the tenants of one queue.
"""

from collections import deque
from collections.abc import Callable, Sequence
from heapq import heappush, heapreplace
from typing import Generic, TypeVar

T = TypeVar("T")

LANES = ("otp", "alert", "transactional", "bulk")
OTP, ALERT, TRANSACTIONAL, BULK = range(4)
_TAGS_AT_LEAST = 256


_LANE_OF = {name: lane for lane, name in enumerate(LANES)}


def lane_of(message_class: str) -> int:
    """The lane of a class; one that is not known is transactional."""
    return _LANE_OF.get(message_class, TRANSACTIONAL)


class Order:
    """The order of the lanes. `ratio` turns of transactional for one of bulk."""

    __slots__ = ("_owed", "_ratio")

    def __init__(self, ratio: int) -> None:
        self._ratio = ratio
        self._owed = 0.0

    def next(self, can_go: Sequence[bool]) -> int:
        """The lane whose turn it is among those that can go; -1 where none can."""
        for lane in (OTP, ALERT):
            if can_go[lane]:
                return lane
        if can_go[BULK] and (self._owed >= 1.0 or not can_go[TRANSACTIONAL]):
            return BULK
        return TRANSACTIONAL if can_go[TRANSACTIONAL] else -1

    def at_most(self, lane: int, can_go: Sequence[bool]) -> int:
        """How many of the lane may go before the order has to be asked again; 0: any number."""
        if not (can_go[TRANSACTIONAL] and can_go[BULK]) or lane < TRANSACTIONAL:
            return 0
        return max(1, int(self._owed)) if lane == BULK else self._ratio

    def went(self, lane: int, count: int, can_go: Sequence[bool]) -> None:
        """So many of the lane went; only what another waited for is counted."""
        if lane == TRANSACTIONAL and can_go[BULK]:
            self._owed = min(self._owed + count / self._ratio, 1.0 + count / self._ratio)
        elif lane == BULK:
            self._owed = max(0.0, self._owed - count) if can_go[TRANSACTIONAL] else 0.0


class Tags:
    """How far on each tenant of one lane is. Forgotten when nothing waits in the lane."""

    __slots__ = ("_tags", "_tidy_at", "_waiting", "_weight", "now")

    def __init__(self, weight: Callable[[str], float]) -> None:
        self._weight = weight
        self._tags: dict[str, float] = {}
        self._tidy_at = _TAGS_AT_LEAST
        self._waiting = 0
        self.now = 0.0

    def came(self) -> None:
        """One more waits in the lane."""
        self._waiting += 1

    def left(self) -> None:
        """One less waits in the lane."""
        self._waiting -= 1
        if not self._waiting:
            self._tags.clear()
            self.now = 0.0

    def of(self, tenant: str) -> float:
        """Where the tenant would begin."""
        own = self._tags.get(tenant, 0.0)
        return own if own > self.now else self.now

    def own(self, tenant: str) -> float:
        """How far on its own turns have brought it."""
        return self._tags.get(tenant, 0.0)

    def go(self, tenant: str) -> None:
        """The tenant has a turn."""
        start = self.now = self.of(tenant)
        self._tags[tenant] = start + 1.0 / self._weight(tenant)
        if len(self._tags) > self._tidy_at:
            self._tags = {t: tag for t, tag in self._tags.items() if tag > start}
            self._tidy_at = max(_TAGS_AT_LEAST, 2 * len(self._tags))


class Turns(Generic[T]):
    """Items of one queue, taken by turns of their tenants. `stale` items are passed over."""

    __slots__ = ("_heap", "_stale", "_tags", "_tenants", "count")

    def __init__(self, tags: Tags, stale: Callable[[T], bool]) -> None:
        self._tags = tags
        self._stale = stale
        self._tenants: dict[str, deque[T]] = {}
        self._heap: list[tuple[float, str]] = []
        self.count = 0

    def add(self, tenant: str, item: T) -> None:
        """One more at the end of the tenant's."""
        waiting = self._tenants.get(tenant)
        if waiting is None:
            waiting = self._tenants[tenant] = deque()
            heappush(self._heap, (self._tags.of(tenant), tenant))
        waiting.append(item)
        self.count += 1
        self._tags.came()
        while len(waiting) > 1 and self._stale(waiting[-2]):
            del waiting[-2]  # what left from the end must not pile up while nothing is taken
            self._less()

    def head_tag(self) -> float | None:
        """How far on the next tenant is, None where nothing waits. What is stale is dropped."""
        tenant = self._head()
        return None if tenant is None else self._tags.of(tenant)

    def take(self) -> T | None:
        """The next item, None where nothing waits. Its tenant has had its turn."""
        tenant = self._head()
        if tenant is None:
            return None
        self._tags.go(tenant)
        return self._first(tenant)

    def pull(self) -> T | None:
        """The next item, without a turn of its tenant: it goes elsewhere."""
        tenant = self._head()
        return None if tenant is None else self._first(tenant)

    def _first(self, tenant: str) -> T:
        waiting = self._tenants[tenant]
        item = waiting.popleft()
        if not waiting:
            _drop(self._heap)
            del self._tenants[tenant]
        self._less()
        return item

    def _head(self) -> str | None:
        """The tenant whose turn it is, at the top of the heap with its true tag."""
        heap, stale = self._heap, self._stale
        while heap:
            tag, tenant = heap[0]
            waiting = self._tenants[tenant]
            while waiting and stale(waiting[0]):
                waiting.popleft()
                self._less()
            if not waiting:
                _drop(heap)
                del self._tenants[tenant]
                continue
            own = self._tags.own(tenant)
            if own <= tag:
                return tenant
            heapreplace(heap, (own, tenant))
        return None

    def _less(self) -> None:
        self.count -= 1
        self._tags.left()


def _drop(heap: list[tuple[float, str]]) -> None:
    last = heap.pop()
    if heap:
        heapreplace(heap, last)


def weights_of(text: str) -> dict[str, float]:
    """Weights of tenants, written as "acme=4,other=1"."""
    pairs = (each.rpartition("=") for each in text.split(",") if each)
    return {tenant: float(weight) for tenant, _, weight in pairs}
