"""When a message may be sent: `send_at` as an instant.

A time with an offset is that instant. A local time is read in `time_zone`: one that occurs twice
(clocks are put back) is the earlier of the two; one that does not occur (clocks are put forward)
is moved forward by as much as the clocks are: 02:30 becomes 03:30 where the clock jumps from 2 to
3. `send_at_ms` raises `TimeFault`, which says what is wrong with which field and how to mend it.

The zones are those that the package tzdata names, so that every process takes the same names; the
system's own rules for a zone go first, since those are what an operator keeps up to date.
"""

import re
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from core.contract.pointers import FieldProblem

_FORM = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_HINT = "Write it as 2026-01-31T09:00:00+01:00, or without the offset beside `time_zone`."


class TimeFault(ValueError):  # noqa: N818 - it is told to a caller, with its place
    """A time that is none; `problem` has the field, the reason and the hint."""

    def __init__(self, pointer: str, detail: str, hint: str) -> None:
        super().__init__(f"{pointer}: {detail}")
        self.problem = FieldProblem(pointer, detail, hint)


def send_at_ms(send_at: str | None, time_zone: str | None) -> int:
    """Milliseconds since 1970; negative before. TimeFault where the two say no instant."""
    if send_at is None:
        raise TimeFault("/time_zone", "a time zone without `send_at`", "Leave it out.")
    found = _FORM.fullmatch(send_at)
    if found is None:
        raise TimeFault("/send_at", "this is no time of RFC 3339", _HINT)
    date, clock, fraction, offset = found.groups()
    if offset is None and time_zone is None:
        hint = "Add the offset (Z for UTC), or name `time_zone`."
        raise TimeFault("/send_at", "a local time without time zone", hint)
    if offset is not None and time_zone is not None:
        hint = "Leave out `time_zone`, or the offset in `send_at`."
        raise TimeFault("/time_zone", "a time zone beside a time with an offset", hint)
    zone = None if time_zone is None else _zone(time_zone)
    try:
        instant = datetime.fromisoformat(f"{date}T{clock}{_offset(offset)}")
    except ValueError as error:
        raise TimeFault("/send_at", f"there is no such time: {error}", _HINT) from None
    if zone is not None:
        # Of a time that occurs twice, `fold` 0 is the first; one that does not occur is reckoned
        # with the offset of before the jump, which moves it forward by the jump.
        instant = instant.replace(tzinfo=zone, fold=0)
    return (instant - _EPOCH) // _MILLISECOND + int((fraction or "0").ljust(3, "0")[:3])


def _offset(given: str | None) -> str:
    if given is None:
        return ""
    return "+00:00" if given in "Zz" else given


def _zone(name: str) -> ZoneInfo:
    known = _zones()
    if name not in known:
        lowered = {each.lower(): each for each in known}
        close = [lowered[each] for each in get_close_matches(name.lower(), lowered, n=1)]
        hint = f"Did you mean {close[0]}?" if close else "Use a name such as Europe/Berlin."
        raise TimeFault("/time_zone", "there is no such time zone", hint)
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text().split())
