"""A day's figures as tables: ends, attempts, shares of accounts, answers. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from core.bench.mixed.book import Book
from core.bench.mixed.curve import PHASES, Outage, Phase
from core.bench.mixed.reckon import Shown, instant_ms

TRIES_SHOWN = 4
OTP = "otp"


class Table(Struct, frozen=True):
    """A title, the names of the columns, and rows of as many values."""

    title: str
    columns: list[str]
    rows: list[list[Any]]


def ends(messages: Iterable[Shown]) -> Table:
    """How messages ended, and why, by channel."""
    counts = Counter((m["channel"], m["status"], m["reason"]) for m in messages)
    totals: Counter[str] = Counter()
    for (channel, _, _), count in counts.items():
        totals[channel] += count
    rows = [
        [channel, status, reason, count, percent(count, totals[channel])]
        for (channel, status, reason), count in sorted(counts.items())
    ]
    return Table("ends", ["channel", "status", "reason", "messages", "share"], rows)


def tries(messages: Iterable[Shown]) -> Table:
    """How many attempts messages took, by channel; those without any are not among them."""
    counts: dict[str, list[int]] = {}
    for message in messages:
        if message["attempts"]:
            counts.setdefault(message["channel"], []).append(len(message["attempts"]))
    rows = []
    for channel, taken in sorted(counts.items()):
        spread = [sum(1 for n in taken if n == tried) for tried in range(1, TRIES_SHOWN)]
        more = sum(1 for n in taken if n >= TRIES_SHOWN)
        retries = f"{sum(taken) / len(taken) - 1:.3f}"
        rows.append([channel, len(taken), retries, *spread, more, max(taken)])
    named = [str(tried) for tried in range(1, TRIES_SHOWN)]
    columns = ["channel", "messages", "retries each", *named, f"{TRIES_SHOWN}+", "most"]
    return Table("attempts", columns, rows)


def shares(messages: Iterable[Shown], outage: Outage) -> Table:
    """Which accounts took text messages before, during and after the outage."""
    taken: dict[Phase, Counter[str]] = {phase: Counter() for phase in PHASES}
    for message in messages:
        for attempt in message["attempts"] if message["channel"] == "sms" else ():
            if attempt["outcome"] == "accepted":
                taken[outage.phase(instant_ms(attempt["at"]))][attempt["account"]] += 1
    accounts = sorted(set().union(*taken.values()))
    rows: list[list[Any]] = [
        [phase, counts.total(), *(percent(counts[name], counts.total()) for name in accounts)]
        for phase, counts in taken.items()
    ]
    return Table("accounts for text messages", ["phase", "taken", *accounts], rows)


def share_of(table: Table, phase: Phase, account: str) -> float:
    """One value of `shares`, from 0 to 1."""
    if account not in table.columns:
        return 0.0
    [row] = [row for row in table.rows if row[0] == phase]
    return float(str(row[table.columns.index(account)]).rstrip("%")) / 100


def waits(messages: Iterable[Shown], outage: Outage) -> Table:
    """From the accept of an otp to the attempt that was taken, by phase, in milliseconds."""
    took: dict[Phase, list[int]] = {phase: [] for phase in PHASES}
    for message in messages:
        good = [a for a in message["attempts"] if a["outcome"] == "accepted"]
        if message["class"] == OTP and good:
            begun_ms = instant_ms(message["created_at"])
            took[outage.phase(begun_ms)].append(instant_ms(good[-1]["at"]) - begun_ms)
    rows = [
        [phase, len(all_ms), *(ranked(sorted(all_ms), part) for part in (0.5, 0.99, 1.0))]
        for phase, all_ms in took.items()
        if all_ms
    ]
    columns = ["phase", "messages", "p50 ms", "p99 ms", "most ms"]
    return Table("otp: accept to the attempt that was taken", columns, rows)


def answers(book: Book) -> Table:
    """What callers were told, by kind of request."""
    rows = [[kind, answer, count] for (kind, answer), count in sorted(book.answers.items())]
    return Table("answers", ["kind", "answer", "requests and items"], rows)


def percent(part: int, whole: int) -> str:
    """A share for people."""
    return f"{100 * part / whole:.1f}%" if whole else "0.0%"


def ranked(ordered: Sequence[int], part: float) -> int:
    """The value below which this part of all lies."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def as_lines(table: Table) -> list[str]:
    """The table for people: columns as wide as what stands in them, numbers to the right."""
    cells = [table.columns, *([str(value) for value in row] for row in table.rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(table.columns))]
    numbers = [
        all(str(row[place])[:1].isdigit() for row in table.rows)
        for place in range(len(table.columns))
    ]
    lines = [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numbers, strict=True)
        ).rstrip()
        for row in cells
    ]
    return [table.title, *(f"  {line}" for line in lines)]
