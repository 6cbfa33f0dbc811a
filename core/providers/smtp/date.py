"""The text of a mail's Date header."""

from datetime import UTC, datetime
from email.utils import format_datetime

from core.clock import Clock


class DateHeader:
    """The text of the Date header, made once a second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = -1
        self._text = ""

    def now(self) -> str:
        """The current time as RFC 5322 writes it."""
        second = self._clock.wall_ms() // 1_000
        if second != self._second:
            self._second = second
            self._text = format_datetime(datetime.fromtimestamp(second, UTC))
        return self._text
