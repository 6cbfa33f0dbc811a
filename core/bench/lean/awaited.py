"""How long each number of a run takes from its request to its arrival at the SMSC."""

from array import array

from core.bench.lean.goal import Goal


class Awaited:
    """Requests under way by the recipient that the SMSC will see; `goal` counts arrivals."""

    __slots__ = ("_goal", "_recipient", "_sent", "took_s")

    def __init__(self, recipient: str, goal: Goal) -> None:
        self._recipient = recipient.encode()
        self._goal = goal
        self._sent: dict[bytes, float] = {}
        self.took_s = array("d")

    def sent(self, number: int, at: float) -> None:
        """The number's request leaves."""
        self._sent[b"%b%08d" % (self._recipient, number)] = at

    def arrived(self, recipient: bytes, at: float) -> None:
        """The SMSC took a message; the first one of each number counts."""
        sent_at = self._sent.pop(recipient, None)
        if sent_at is not None:
            self.took_s.append(at - sent_at)
            self._goal.hit()
