"""Points of time as people write them: RFC 3339, or how long ago (`90s`, `15m`, `2h`, `7d`)."""

import re
from datetime import UTC, datetime, timedelta

from core.cli.out import USAGE, CommandError

_AGO = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def point(option: str, text: str, now: datetime | None = None) -> str:
    """The time as the API takes it; CommandError (usage) if it is none."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        span = timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        found = (now or datetime.now(UTC)) - span
        return found.isoformat(timespec="seconds").replace("+00:00", "Z")
    try:
        if datetime.fromisoformat(text).tzinfo is not None:
            return text
    except ValueError:
        pass
    mend = "Write a time as 2026-01-31T12:00:00Z, or how long ago: 90s, 15m, 2h, 7d."
    raise CommandError(f"{option} {text}: is no time", mend, USAGE)
