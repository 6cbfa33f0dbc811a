"""Asks a log's region for the rows that nobody finds at quorum (PROTOCOL.md 2, "Reading").

Carries out what `sync.owner.asking` decides, for all homes of the process. A question is sent and
forgotten: what comes of it is found by the next read of the log. One that is lost is asked again.
"""

from typing import Protocol

from core.clock import Clock
from sync.keeper.members import Members
from sync.naming import log_name
from sync.owner.asking import Asking


class Neighbours(Protocol):
    """The way to the cores of other regions."""

    def ask_row(self, region: str, log: str, first: int) -> None:
        """Have some core of that region write the log's rows from `first` on again at quorum.

        Returns at once; the question may get lost.
        """


class AskingRows:
    """See the module's docstring. Without `neighbours` nobody is asked."""

    def __init__(self, asking: Asking, members: Members, clock: Clock) -> None:
        self._asking = asking
        self._members = members
        self._clock = clock
        self.neighbours: Neighbours | None = None

    def missed(self, log: str, row: int, told_row: int) -> None:
        """A read at quorum did not find this row; `told_row` is how far the log goes for sure."""
        region = self._members.region_of(log_name(log).incarnation)
        end = self._members.ends.get(log)
        asks = self._asking.missed(log, row, region, told_row, end, self._clock.boot())
        if asks and self.neighbours is not None:
            self.neighbours.ask_row(region, log, row)
