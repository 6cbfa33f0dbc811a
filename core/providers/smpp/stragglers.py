"""Long messages of which some parts were taken, waiting for a link for the refused others.

Such a message is no doubt (every part that was written has been answered), but its recipient
holds a piece of it. So when its link goes, it is kept here until another link of the account
takes it over, or until its time for repeating is up; then it ends with what was taken.
"""

import asyncio

from core.providers.smpp.classify import StatusTable
from core.providers.smpp.flight import Flight, outcome_of, settle
from core.providers.smpp.window import Window


class Stragglers:
    """The waiting messages of one account: at most one for each place in its windows."""

    def __init__(self, statuses: StatusTable, loop: asyncio.AbstractEventLoop) -> None:
        self._statuses = statuses
        self._loop = loop
        self._waiting: dict[int, tuple[Flight, asyncio.TimerHandle]] = {}
        self._closed = False

    def take(self, flight: Flight) -> None:
        """Keep a message whose session writes no more; after `close` it ends at once."""
        if self._closed:
            settle(flight, outcome_of(flight, self._statuses))
            return
        timer = self._loop.call_at(flight.repeat_until, self._give_up, id(flight))
        self._waiting[id(flight)] = (flight, timer)

    def hand_to(self, window: Window) -> None:
        """A bound session's window takes over all that wait."""
        while self._waiting:
            _, (flight, timer) = self._waiting.popitem()
            timer.cancel()
            window.adopt(flight)

    def close(self) -> None:
        """No link will come any more."""
        self._closed = True
        for key in list(self._waiting):
            self._waiting[key][1].cancel()
            self._give_up(key)

    def _give_up(self, key: int) -> None:
        flight, _ = self._waiting.pop(key)
        settle(flight, outcome_of(flight, self._statuses))
