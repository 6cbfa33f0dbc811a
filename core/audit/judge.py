"""What the records of an audit prove about every accepted message (PROTOCOL.md 13).

Pure: whoever reads the store tells what it found, in any order, and `judged` joins it. It trusts
nothing that a process remembers.

Beside running processes the floors have to be read first, and log rows before by-id rows and the
open set: what a floor passed by then had all of these before, so nothing looks lost that is not.
"""

from collections import Counter
from typing import Any

from msgspec import Struct, field

from sync.doubt import relevant
from sync.lattice import DEFINITE_NO, RANK, AttemptFacts, gather, join, possibly_twice
from sync.naming import home_of
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

LISTED_MAX = 1000


class Story(Struct):
    """Everything that the store has of one message id."""

    copies: list[tuple[Place, Message]] = []
    records: list[tuple[Place, Record]] = []
    by_id: tuple[int, ById] | None = None  # with its epoch
    bucket: int = -1  # the latest bucket of the open set that has it


class Found(Struct):
    """What was read so far. Messages are held whole: a few hundred bytes each."""

    stories: dict[str, Story] = {}
    marks: dict[tuple[str, int], tuple[int, FloorPart]] = field(default_factory=dict)

    def floor(self, home: str, body: bytes) -> None:
        """A floor of one owner; of each shard the one of the highest epoch counts."""
        for part in decode_floor(body):
            for shard, epoch in part.shards:
                known = self.marks.get((home, shard))
                if known is None or known[0] < epoch:
                    self.marks[home, shard] = (epoch, part)

    def log_row(self, log: str, row: int, body: bytes) -> None:
        """A row of a log."""
        for index, record in enumerate(decode_row(body)):
            story = self.stories.get(record.id)
            if story is None:
                story = self.stories[record.id] = Story()
            place = Place(log, row, index)
            if isinstance(record, Message):
                story.copies.append((place, record))
            else:
                story.records.append((place, record))

    def by_id(self, message_id: str, epoch: int, body: bytes) -> None:
        """A by-id row; the last one of the highest epoch counts."""
        story = self.stories.get(message_id)
        if story is not None and (story.by_id is None or story.by_id[0] <= epoch):
            story.by_id = (epoch, decode_by_id(body))

    def open_entry(self, message_id: str, bucket: int) -> None:
        """An entry of the open set."""
        story = self.stories.get(message_id)
        if story is not None:
            story.bucket = max(story.bucket, bucket)


def judged(found: Found) -> dict[str, Any]:
    """The audit's answer."""
    states: Counter[str] = Counter()
    lost: list[str] = []
    violations: list[dict[str, str]] = []
    accepted = ended = in_doubt = duplicates = conflicts = 0
    for message_id, story in found.stories.items():
        if not story.copies:
            continue
        accepted += 1
        attempts, state, _ = gather(story.records)
        if story.by_id is not None:
            by_id = story.by_id[1]
            state = join(state, by_id.state)
            conflicts += len(by_id.conflicts)
        states[state] += 1
        is_end = RANK[state] >= RANK["unknown"]
        ended += is_end
        in_doubt += not is_end and any(_open_call(a) for a in attempts.values())
        duplicates += possibly_twice([a.intent for a in attempts.values() if a.intent])
        if not is_end and _passed(story, found):
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


def _passed(story: Story, found: Found) -> bool:
    """Whether every copy lies under a mark although neither an end nor an open entry is there."""
    for place, message in story.copies:
        mark = found.marks.get((home_of(message.id), message.shard))
        if mark is None or story.bucket >= mark[1].due:
            return False
        part = mark[1]
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
