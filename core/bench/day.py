"""`goutong bench day`: a day's worth of mixed traffic in minutes, with every bad habit on.

All kinds of requests go to a region of its own whose providers are the sandbox's, none of which has
a good day; at a third of it the SMSC goes away for a tenth of it. Afterwards callers' answers, the
API, the lists, the journal's audit and the sandbox's history are held against each other. Each
bound here is a promise: missing one is an exit code of 1, with or without `--check`.
"""

import asyncio
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

from msgspec import Struct

from core import audit
from core.bench import ours as our
from core.bench.machine import machine
from core.bench.mixed import tables
from core.bench.mixed.book import Book
from core.bench.mixed.curve import OUTAGE_BEGINS, OUTAGE_LASTS, Outage
from core.bench.mixed.habits import REFUSALS, SMS_HTTP, SMSC, Providers, lose_patience_sooner
from core.bench.mixed.load import Load
from core.bench.mixed.reading import Reading
from core.bench.mixed.reckon import OPEN, early, fault, sends, untruth
from core.bench.mixed.traffic import Traffic
from core.bench.plan import Plan
from core.bench.proc import cpu_by_role, memory
from core.bench.report import Report, plan_fields
from core.bench.stats import Bound, Figure, at_least, at_most, figure

SETTLE_S = 150.0
AGREE_S = 45.0
SEED = 20_260_131
MOVED = 0.9
CAME_BACK = 0.5
SHOWN_MAX = 5
# A retry that would wait for minutes has to come round within a day of minutes.
SHORT_RETRIES = {"GOUTONG_RETRY_LONGEST_MS": "5000"}


class Course:
    """What happens to the providers as the day goes on, each thing once."""

    def __init__(self, providers: Providers) -> None:
        self._providers = providers
        self._kind = 0
        self._down_ms = self._up_ms = 0

    def at(self, moment: float) -> None:
        """The day has come as far as this share of it."""
        kind = min(int(moment * len(REFUSALS)), len(REFUSALS) - 1)
        if kind != self._kind:
            self._kind = kind
            self._providers.refuse_as(REFUSALS[kind])
        if not self._down_ms and moment >= OUTAGE_BEGINS:
            self._down_ms = _now_ms()
            self._providers.behave(SMSC, {"down": True})
        if not self._up_ms and moment >= OUTAGE_BEGINS + OUTAGE_LASTS:
            self._providers.behave(SMSC, {"down": False})
            self._up_ms = _now_ms()

    @property
    def outage(self) -> Outage:
        """When the SMSC was away."""
        return Outage(self._down_ms, self._up_ms)


class Evening(Struct):
    """All that is known once the day is over."""

    book: Book
    outage: Outage
    messages: dict[str, dict[str, Any]]
    unread: dict[str, str]
    listed: dict[str, str]
    history: list[dict[str, Any]]
    audit: dict[str, Any]


def day(plan: Plan) -> Report:
    """Run the bench; every process that it started has ended when it returns."""
    with ExitStack() as stack:
        ours = stack.enter_context(our.Ours(plan.folder / "ours", plan.cores, SHORT_RETRIES))
        providers = Providers(ours.ready.sandbox)
        lose_patience_sooner(ours)
        before = cpu_by_role(ours.processes())
        course = Course(providers)
        providers.misbehave()
        length_s = plan.minutes * 60
        load = Load(
            ours.region.url,
            ours.ready.api_key,
            Traffic(Random(SEED), providers.hook_port()),
            length_s,
            plan.per_second * length_s,
        )
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        asyncio.run(load.run(course.at))
        reading = Reading(ours.region.url, ours.ready.api_key)
        settled_s = asyncio.run(reading.settle(SETTLE_S))
        providers.behave_well()
        after = cpu_by_role(ours.processes())
        evening = _agreed(load.book, course.outage, reading, providers, ours.folder / "data", since)
        count = len(evening.messages)
        figures = [figure("settled after the day", "s", [settled_s])]
        figures += [
            figure(f"CPU {role}", "us/msg", [1e6 * (after[role] - used) / max(count, 1)])
            for role, used in before.items()
        ]
        return Report(
            "day",
            machine(plan.folder),
            plan_fields(plan),
            [*_counts(evening), *figures],
            bounds(evening),
            _notes(evening),
            [memory(process) for process in ours.processes()],
            _tables(evening),
            strict=True,
        )


def _agreed(
    book: Book, outage: Outage, reading: Reading, providers: Providers, data: Path, since: str
) -> Evening:
    """Everybody's word, once they agree: receipts of the last calls still come for a while."""
    until = time.monotonic() + AGREE_S
    asyncio.run(reading.read(list(book.accepted)))
    while True:
        audited = audit.run(data)
        listed = asyncio.run(reading.listed(since))
        evening = Evening(
            book, outage, reading.messages, reading.unread, listed, providers.history(), audited
        )
        if not _differing(evening) or time.monotonic() > until:
            return evening
        moving = [m["id"] for m in reading.messages.values() if _may_move(m, listed)]
        asyncio.run(reading.read([*moving, *reading.unread], children=True))


def _may_move(message: dict[str, Any], listed: dict[str, str]) -> bool:
    return message["status"] in (*OPEN, "sent") or listed.get(message["id"]) != message["status"]


def _differing(evening: Evening) -> list[str]:
    """Where the API, the lists and the journal's audit do not say the same."""
    found = []
    shown = {m["id"]: m["status"] for m in evening.messages.values()}
    ended = {status for status in shown.values() if status not in OPEN}
    for status in sorted(ended | set(evening.audit["states"]) - set(OPEN)):
        here = sum(1 for each in shown.values() if each == status)
        there = evening.audit["states"].get(status, 0)
        if here != there:
            found.append(f"{status}: {here} by the API, {there} by the audit")
    for message_id, status in shown.items():
        if evening.listed.get(message_id) != status:
            found.append(f"{message_id}: {status}, listed as {evening.listed.get(message_id)}")
    return found


def _faults(evening: Evening) -> list[str]:
    """What is wrong with single messages."""
    times = sends(evening.history)
    found = [f"{name}: {code}" for name, code in evening.unread.items()]
    for message_id, message in evening.messages.items():
        wrong = fault(message, times[message_id])
        accepted = evening.book.accepted.get(message_id)
        if not wrong and accepted is not None and early(message, accepted.not_before_ms):
            wrong = "tried before its time"
        if not wrong and message_id in evening.book.canceled:
            wrong = untruth(message, evening.book.canceled[message_id])
        if wrong:
            found.append(f"{message_id}: {wrong}")
    return found


def bounds(evening: Evening) -> list[Bound]:
    """What is promised of every day, however bad."""
    audited, book = evening.audit, evening.book
    shown_open = sum(1 for m in evening.messages.values() if m["status"] in OPEN)
    shares = tables.shares(evening.messages.values(), evening.outage)
    refused = sum(n for (_, told), n in book.answers.items() if told != "202")
    away = tables.share_of(shares, "during", SMS_HTTP)
    before, after = (tables.share_of(shares, phase, SMSC) for phase in ("before", "after"))
    return [
        at_least("messages accepted", len(book.accepted), 1),
        at_most("answers that broke their word", len(book.broken), 0),
        at_most("messages that are not as promised", len(_faults(evening)), 0),
        at_most("lost, by the audit", len(audited["lost"]), 0),
        at_most("rules broken, by the audit", len(audited["violations"]), 0),
        at_most("open in the evening", max(shown_open, audited["open"]), 0),
        at_most("API, lists and audit differ", len(_differing(evening)), 0),
        at_least("share that went over HTTP in the outage", away, MOVED),
        at_least(
            "share of the SMSC after the outage over before", after / (before or 1), CAME_BACK
        ),
        at_most("requests refused or unanswered", refused, 0, wanted=True),
    ]


def _counts(evening: Evening) -> list[Figure]:
    messages = evening.messages.values()
    times = sends(evening.history)
    marked = [m for m in messages if m["possible_duplicate"]]
    twice = [m for m in messages if times[m["id"]] > 1]
    unknown = [m for m in messages if m["status"] == "unknown"]
    told = {
        "messages, those of chains included": len(messages),
        "recipients rejected": evening.book.rejected,
        "late because too many requests were under way": evening.book.behind,
        "in doubt for good (unknown)": len(unknown),
        "marked as possible duplicates": len(marked),
        "that reached their recipient twice, all marked": len(twice),
        "calls that reached a provider": len(evening.history),
    }
    return [figure(name, "count", [float(count)]) for name, count in told.items()]


def _tables(evening: Evening) -> list[tables.Table]:
    messages = list(evening.messages.values())
    return [
        tables.ends(messages),
        tables.tries(messages),
        tables.shares(messages, evening.outage),
        tables.waits(messages, evening.outage),
        tables.answers(evening.book),
    ]


def _notes(evening: Evening) -> list[str]:
    """The first few of everything that is wrong."""
    return [
        *evening.book.broken[:SHOWN_MAX],
        *_faults(evening)[:SHOWN_MAX],
        *_differing(evening)[:SHOWN_MAX],
    ]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
