"""`goutong audit`: what the store alone proves about every accepted message (PROTOCOL.md 13).

Reads the journal of a data folder without its processes, or beside them, and joins all records
again. It trusts nothing that a process remembers, so that an outside checker can hold it against
what the providers received. Messages are read whole into memory: a few hundred bytes each.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from sync.doubt import relevant
from sync.lattice import DEFINITE_NO, RANK, AttemptFacts, gather, join, possibly_twice
from sync.records import (
    ById,
    FloorPart,
    Intent,
    Message,
    Place,
    Record,
    State,
    decode_by_id,
    decode_floor,
    decode_row,
)
from sync.store.port import StoreError

JOURNAL = "journal.db"
LISTED_MAX = 1000


class Story(Struct):
    """Everything that the store has of one message id."""

    copies: list[tuple[Place, Message]]
    records: list[tuple[Place, Record]]
    by_id: ById | None = None
    bucket: int = -1  # the latest bucket of the open set that has it


def run(data: Path) -> dict[str, Any]:
    """The audit of a data folder; raises StoreError if there is no readable journal."""
    path = data / JOURNAL
    if not path.exists():
        raise StoreError(f"there is no journal in {data}; is this a data folder of `goutong up`?")
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        db.execute("BEGIN")
        stories = _stories(db)
        marks = _marks(db)
    except sqlite3.Error as error:
        raise StoreError(f"the journal in {data} cannot be read: {error}") from error
    return _judge(stories, marks)


def _stories(db: sqlite3.Connection) -> dict[str, Story]:
    stories: dict[str, Story] = {}
    for place, record in _records(db):
        story = stories.get(record.id)
        if story is None:
            story = stories[record.id] = Story([], [])
        if isinstance(record, Message):
            story.copies.append((place, record))
        else:
            story.records.append((place, record))
    for message_id, body in db.execute("SELECT id, body FROM by_id ORDER BY id, epoch"):
        if message_id in stories:
            stories[message_id].by_id = decode_by_id(body)
    for message_id, bucket in db.execute("SELECT id, MAX(bucket) FROM open_set GROUP BY id"):
        if message_id in stories:
            stories[message_id].bucket = bucket
    return stories


def _records(db: sqlite3.Connection) -> Iterator[tuple[Place, Record]]:
    for log, row, body in db.execute("SELECT log, row, body FROM log_rows ORDER BY log, row"):
        for index, record in enumerate(decode_row(body)):
            yield Place(log, row, index), record


def _marks(db: sqlite3.Connection) -> dict[int, FloorPart]:
    """The floor of the highest epoch of each shard."""
    best: dict[int, tuple[int, FloorPart]] = {}
    for (body,) in db.execute("SELECT body FROM floors"):
        for part in decode_floor(body):
            for shard, epoch in part.shards:
                if shard not in best or best[shard][0] < epoch:
                    best[shard] = (epoch, part)
    return {shard: part for shard, (_, part) in best.items()}


def _judge(stories: dict[str, Story], marks: dict[int, FloorPart]) -> dict[str, Any]:
    states: Counter[str] = Counter()
    lost: list[str] = []
    violations: list[dict[str, str]] = []
    accepted = ended = in_doubt = duplicates = conflicts = 0
    for message_id, story in stories.items():
        if not story.copies:
            continue
        accepted += 1
        attempts, state, _ = gather(story.records)
        if story.by_id is not None:
            state = join(state, story.by_id.state)
            conflicts += len(story.by_id.conflicts)
        states[state] += 1
        is_end = RANK[state] >= RANK["unknown"]
        ended += is_end
        in_doubt += not is_end and any(_open_call(a) for a in attempts.values())
        duplicates += possibly_twice([a.intent for a in attempts.values() if a.intent])
        if not is_end and _passed(story, marks):
            lost.append(message_id)
        violations += [{"message": message_id, "rule": rule} for rule in _broken(attempts, state)]
    return {
        "accepted": accepted,
        "final": ended,
        "open": accepted - ended,
        "in_doubt": in_doubt,
        "possible_duplicates": duplicates,
        "lost": sorted(lost)[:LISTED_MAX],
        "violations": violations[:LISTED_MAX],
        "states": dict(sorted(states.items())),
        "conflicts": conflicts,
    }


def _open_call(facts: AttemptFacts) -> bool:
    """Whether the attempt's call may have had its effect and nobody knows."""
    return facts.intent is not None and facts.outcome in ("", "unknown") and not facts.receipts


def _passed(story: Story, marks: dict[int, FloorPart]) -> bool:
    """Whether every copy lies under a mark although neither an end nor an open entry is there."""
    for place, message in story.copies:
        part = marks.get(message.shard)
        if part is None or story.bucket >= part.due:
            return False
        if place.log not in part.closed and place.row > part.accept.get(place.log, 0):
            return False
    return True


def _broken(attempts: dict[str, AttemptFacts], state: State) -> list[str]:
    """The rules that this message's records break."""
    broken = []
    called = [a for a in attempts.values() if a.intent is not None and _may_have_called(a)]
    intents = [(a.name, a.intent) for a in attempts.values() if a.intent is not None]
    if len({intent.body_hash for _, intent in intents}) > 1:
        broken.append("intents with different bodies")
    counted = {name for name, _ in relevant(tuple(intents))} if intents else set()
    first: Intent | None = None
    extra = 0
    for facts in sorted(called, key=_order):
        intent = facts.intent
        assert intent is not None
        if facts.name not in counted and facts.outcome == "" and not facts.receipts:
            continue  # an intent that its own writer never knew to stand: never called
        if first is None:
            first = intent
            continue
        same_key = intent.dedupe_ms > 0 and intent.provider_key == first.provider_key
        if same_key:
            continue
        extra += 1
        if intent.at_most_once:
            broken.append("at_most_once, and called again after a doubt")
        elif intent.resend == 0:
            broken.append("called again after a doubt without being marked")
    if extra > 1:
        broken.append("called more often than once and once more")
    if state == "canceled" and any(a.outcome == "accepted" for a in attempts.values()):
        broken.append("canceled although it was sent")
    return broken


def _may_have_called(facts: AttemptFacts) -> bool:
    return facts.outcome not in DEFINITE_NO or bool(facts.receipts)


def _order(facts: AttemptFacts) -> tuple[int, int, int]:
    intent = facts.intent
    assert intent is not None
    return intent.epoch, intent.resend, intent.at_ms
