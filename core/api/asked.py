"""What lists of messages take in their query: statuses, channels, times, a cursor, a limit.

Everything that is wrong is told together, as ProblemError (400) with a hint for each.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from aiohttp import web

from core.api.internal_auth import Caller
from core.contract.pointers import FieldProblem
from core.contract.problems import invalid, problem
from core.views.reader import Asked
from core.views.segments import DAY_MS, OPEN, OPEN_STATUSES, Position, read_cursor

LIMIT_DEFAULT = 50
_SPREAD = {OPEN: OPEN_STATUSES}


class Query:
    """The query of one request. Ask for what is taken, then `check` raises what was wrong."""

    def __init__(self, request: web.Request, known: Collection[str]) -> None:
        self._query = request.query
        self.errors: list[FieldProblem] = []
        for name in dict.fromkeys(name for name in self._query if name not in known):
            hint = f"Known here: {', '.join(known)}."
            self._wrong(f"unknown parameter `{name[:80]}` in the query", hint)

    def words(
        self, name: str, allowed: Collection[str], default: Collection[str]
    ) -> frozenset[str]:
        """A set of words: the parameter may be repeated, or hold several with commas."""
        given = [word.strip() for text in self._query.getall(name, []) for word in text.split(",")]
        words = [word for word in given if word]
        if any(word not in allowed and word not in _SPREAD for word in words) or (
            OPEN in words and not set(OPEN_STATUSES) <= set(allowed)
        ):
            self._wrong(f"`{name}` in the query is not known", f"Use: {', '.join(allowed)}.")
        chosen = words or default
        return frozenset(each for word in chosen for each in _SPREAD.get(word, (word,)))

    def time_ms(self, name: str) -> int | None:
        """An RFC 3339 time, in milliseconds since 1970; None where it is not given."""
        text = self._query.get(name)
        if text is None:
            return None
        found = read_time_ms(text)
        if found is None:
            self.errors.append(bad_time("", f"`{name}` in the query"))
        return found

    def cursor(self) -> Position | None:
        """The place to go on from."""
        text = self._query.get("cursor")
        place = read_cursor(text) if text else None
        if text and place is None:
            self.errors.append(bad_cursor(""))
        return place

    def limit(self, rows_max: int) -> int:
        """How many rows the page may have."""
        text = self._query.get("limit", str(min(LIMIT_DEFAULT, rows_max)))
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        if not 1 <= number <= rows_max:
            hint = f"Use a number from 1 to {rows_max}."
            self._wrong("`limit` in the query is not valid", hint)
        return number

    def tenant(self, caller: Caller) -> str:
        """Whose messages: the caller's own, or for an admin another's."""
        return tenant_of(caller, self._query.get("tenant"))

    def check(self) -> None:
        """Raise what was wrong."""
        if self.errors:
            raise invalid(self.errors)

    def _wrong(self, detail: str, hint: str) -> None:
        self.errors.append(FieldProblem("", detail, hint))


def asked_of(
    tenant: str,
    channels: Iterable[str],
    statuses: Iterable[str],
    since_ms: int | None,
    until_ms: int | None,
    *,
    now_ms: int,
    days: int,
    kept_ms: int,
) -> Asked:
    """What is read: `days` back where nothing is said, and never further than rows are kept."""
    since = now_ms - days * DAY_MS if since_ms is None else since_ms
    since = max(since, now_ms - kept_ms)
    until = max(0, until_ms) if until_ms is not None else 0
    if until_ms is not None and until <= since:
        until = 1  # nothing is older than that and younger than `since`
    return Asked(tenant, frozenset(channels), frozenset(statuses), since, until)


def tenant_of(caller: Caller, named: str | None) -> str:
    """The tenant whose messages are asked for; ProblemError (403) unless the caller may."""
    if named is None or named == caller.tenant:
        return caller.tenant
    if not caller.is_admin:
        raise problem("forbidden_scope", "Messages of another tenant need the scope `admin`.")
    return named


def read_time_ms(text: str) -> int | None:
    """Milliseconds since 1970 of an RFC 3339 time, None if it is none."""
    # A plus sign that was not percent-encoded in a query arrives as a space.
    head, space, zone = text.rpartition(" ")
    text = f"{head}+{zone}" if space and "T" in head else text
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            return None
        return int(found.astimezone(UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def bad_time(pointer: str, what: str) -> FieldProblem:
    """What is said of a time that is none."""
    hint = "Write it as RFC 3339, with a time zone: 2026-01-31T12:00:00Z."
    return FieldProblem(pointer, f"{what} is no time", hint)


def bad_cursor(pointer: str) -> FieldProblem:
    """What is said of a cursor that no answer held."""
    hint = "Use `next_cursor` of an answer as it is, or leave it out to start again."
    return FieldProblem(pointer, "the cursor is not valid", hint)
