"""Leases: the right of an incarnation to act, and its end (PROTOCOL.md 4).

`Holder` renews the own lease by compare-and-set; its right runs from *before* it sent the request
whose nonce is shown as applied. `Watch` looks at the others' counters and says which may be
revoked: those it has itself seen unchanged for the lease's length and epsilon. All times are
seconds on CLOCK_BOOTTIME of the machine that waits.
"""

from typing import Literal

from msgspec import Struct

LeaseState = Literal["active", "revoked", "left"]
UNSURE_MAX = 16


class Lease(Struct, frozen=True, array_like=True, gc=False):
    """A lease row. `last_rows` names the last row of each of the holder's logs once it left.

    `replication_version` is that of a row of `sync.replication` that the holder had seen while
    none of its homes had a takeover under way; 0 before it saw one.
    """

    incarnation: str
    counter: int
    nonce: str
    state: LeaseState
    map_version: int = 1
    last_rows: dict[str, int] = {}
    replication_version: int = 0


class Renew(Struct, frozen=True, gc=False):
    """Command: set (counter, nonce) if the row is still `active` with counter `expect`.

    `expect` is 0 for the first lease of an incarnation: the row must not be there.
    """

    expect: int
    counter: int
    nonce: str


class Holder:
    """The own lease."""

    def __init__(self, length_s: float, renew_s: float) -> None:
        self.length_s = length_s
        self.renew_s = renew_s
        self.counter = 0
        self.valid_until = 0.0
        self.lost = False
        self._asked: tuple[Renew, float] | None = None
        self._unsure: dict[str, tuple[Renew, float]] = {}
        self._asked_at = -1e18

    def due(self, now: float) -> bool:
        """Whether it is time to renew; never while a request is under way."""
        return not self.lost and self._asked is None and now >= self._asked_at + self.renew_s

    def ask(self, now: float, nonce: str) -> Renew:
        """Start a renewal; the right that it gives begins now, before the request leaves."""
        renew = Renew(self.counter, self.counter + 1, nonce)
        self._asked = (renew, now)
        self._asked_at = now
        return renew

    def answered(self, applied: bool, shown: Lease | None) -> None:
        """Take the answer, once; `shown` is the row as the store shows it when not `applied`.

        A refusal that shows the nonce of a request believed lost is that request's answer: the
        right runs from when it was asked. Anything else but the own active row ends the lease.
        """
        asked, self._asked = self._asked, None
        assert asked is not None  # one request at a time, and one answer to it
        if not applied:
            if shown is None or shown.state != "active":
                self.lost = True
                return
            if shown.nonce != asked[0].nonce:
                asked = self._unsure.get(shown.nonce)
            if asked is None:
                self.lost = shown.counter != self.counter
                return
        renew, asked_at = asked
        self._unsure.clear()
        self.counter = renew.counter
        self.valid_until = max(self.valid_until, asked_at + self.length_s)

    def failed(self) -> None:
        """The answer is unknown: nothing is gained; the next renewal finds out."""
        assert self._asked is not None  # one request at a time, and one answer to it
        if len(self._unsure) >= UNSURE_MAX:
            self._unsure.pop(next(iter(self._unsure)))
        self._unsure[self._asked[0].nonce] = self._asked
        self._asked = None

    def left_s(self, now: float) -> float:
        """How long the right still lasts, in seconds; negative when it is over."""
        return -1.0 if self.lost else self.valid_until - now


class Watch:
    """The others' leases, as seen by one core."""

    def __init__(self, length_s: float, epsilon_s: float) -> None:
        self._length_s = length_s
        self._epsilon_s = epsilon_s
        self._seen: dict[str, tuple[int, float]] = {}

    def saw(self, lease: Lease, now: float) -> None:
        """A lease was seen in the store or in a beat; a counter that moved starts the wait."""
        if lease.state != "active":
            self._seen.pop(lease.incarnation, None)
            return
        known = self._seen.get(lease.incarnation)
        if known is None or known[0] < lease.counter:
            self._seen[lease.incarnation] = (lease.counter, now)

    def expired(self, now: float) -> list[tuple[str, int]]:
        """(incarnation, counter) of those that may be revoked if the counter still stands."""
        wait = self._length_s + self._epsilon_s
        return [(inc, counter) for inc, (counter, at) in self._seen.items() if now - at >= wait]
