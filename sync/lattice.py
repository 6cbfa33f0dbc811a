"""A message's state is the join of its records (DESIGN.md 4 and 5).

Order, repetition and region do not matter: `join` is commutative, associative and idempotent, and
never goes back. Evidence wins: `delivered` beats `failed`, `sent` beats `canceled`, `expired` and
`unknown`.
"""

from collections.abc import Iterable

from msgspec import Struct

from sync.forced import force_of
from sync.naming import attempt_name
from sync.records import ById, End, Intent, Outcome, Place, Receipt, Record, State

RANK: dict[State, int] = {
    "accepted": 0,
    "scheduled": 1,
    "queued": 2,
    "sending": 3,
    "unknown": 4,
    "expired": 5,
    "canceled": 6,
    "skipped": 7,
    "suppressed": 8,
    "sent": 9,
    "failed": 10,
    "delivered": 11,
}
ENDED = frozenset(s for s, rank in RANK.items() if rank >= RANK["unknown"])
DEFINITE_NO = frozenset(
    {
        "retryable",
        "throttled",
        "permanent",
        "invalid_target",
        "account_fault",
        "not_sent",
        "withdrawn",
    }
)


def join(a: State, b: State) -> State:
    """The state that holds when both are true."""
    return a if RANK[a] >= RANK[b] else b


class AttemptFacts(Struct, gc=False):
    """What is known of one attempt. `outcome` is "" while the call is not answered.

    `receipts` holds for each part the receipt that says most; `failed` that one of them, perhaps
    overtaken since, said that its part failed.
    """

    name: str
    intent: Intent | None = None
    outcome: str = ""
    answer: Outcome | None = None
    receipts: dict[str, Receipt] = {}
    failed: bool = False


def receipts_say(parts: int, failed: bool, statuses: Iterable[str]) -> State | None:
    """What the receipts of one attempt prove: all parts delivered, one failed, or only `sent`.

    `parts` is how many ids the provider gave (a long text message has one for each part). A
    receipt of any kind proves that the provider had the message. More of them never prove less:
    a failure stands until all parts are delivered. Who reads a message, or complains of it, got it.
    """
    said = list(statuses)
    if sum(status in _ARRIVED for status in said) >= max(parts, 1):
        return "delivered"
    if failed:
        return "failed"
    return "sent" if said else None


def attempt_state(facts: AttemptFacts) -> State:
    """The state that one attempt alone gives its message."""
    state: State = "sending" if facts.intent is not None else "accepted"
    if facts.outcome == "accepted":
        state = join(state, "sent")
    statuses = (r.status for r in facts.receipts.values())
    proven = receipts_say(parts_of(facts), facts.failed, statuses)
    return join(state, proven) if proven else state


def parts_of(facts: AttemptFacts) -> int:
    """How many ids the provider gave; until it accepted nobody knows, so all are never there."""
    if facts.answer is None or facts.outcome != "accepted":
        return 1 << 30
    return facts.answer.provider_id.count(",") + 1


def settled(facts: AttemptFacts) -> bool:
    """Whether it is known what came of the attempt's call."""
    if facts.outcome in DEFINITE_NO or facts.outcome == "accepted":
        return True
    return bool(facts.receipts)


def possibly_twice(intents: list[Intent]) -> bool:
    """Whether a message was sent again although an earlier call may have had its effect: after a
    doubt, or by owners of two force numbers, of whom one may not have known of the other."""
    if len(intents) < 2:
        return bool(intents) and intents[0].resend > 0
    return len({force_of(each.epoch) for each in intents}) > 1 or any(
        each.resend > 0 for each in intents
    )


def gather(
    records: Iterable[tuple[Place, Record]],
) -> tuple[dict[str, AttemptFacts], State, str]:
    """Join a message's records: its attempts by name, its state, and the reason of its end.

    An end of a lower epoch than some intent or other end of its force number counts for nothing:
    who wrote that one had read all that stood of former owners, so the end came to stand later, and
    nobody was told of it.
    """
    attempts: dict[str, AttemptFacts] = {}
    ends: list[End] = []
    epochs: dict[int, int] = {}  # the highest of each force number
    for place, record in records:
        if isinstance(record, Intent):
            name = attempt_name(place.log, place.row, place.index)
            _facts(attempts, name).intent = record
            _raise(epochs, record.epoch)
        elif isinstance(record, Outcome):
            facts = _facts(attempts, record.attempt)
            if facts.answer is None or _says_more(record, facts.answer):
                facts.outcome, facts.answer = record.kind, record
        elif isinstance(record, Receipt):
            facts = _facts(attempts, record.attempt)
            key = record.provider_id
            had = facts.receipts.get(key)
            facts.failed = facts.failed or record.status in ("failed", "expired")
            if had is None or receipt_rank(record.status) > receipt_rank(had.status):
                facts.receipts = {**facts.receipts, key: record}
        elif isinstance(record, End):
            ends.append(record)
            _raise(epochs, record.epoch)
    state: State = "accepted"
    reason = ""
    if ends:
        state, reason = _ended(end for end in ends if end.epoch >= epochs[force_of(end.epoch)])
    for facts in attempts.values():
        its = attempt_state(facts)
        if its == "sending" and settled(facts):
            its = "queued"
        if RANK[its] > RANK[state]:
            state, reason = its, _why_undelivered(facts) if its == "failed" else ""
    return attempts, state, reason


def _raise(epochs: dict[int, int], epoch: int) -> None:
    force = force_of(epoch)
    epochs[force] = max(epochs.get(force, 0), epoch)


def overruled(known: ById, epoch: int, records: Iterable[tuple[Place, Record]]) -> bool:
    """Whether a by-id row of this epoch tells an end that a later owner, who had not read it, did
    not heed: one who did not hear that it was owner no more wrote it beside that one's calls."""
    if not known.ended or RANK[known.state] >= RANK["sent"]:
        return False
    return any(
        isinstance(r, Intent | End) and r.epoch > epoch and force_of(r.epoch) == force_of(epoch)
        for _, r in records
    )


def _ended(ends: Iterable[End]) -> tuple[State, str]:
    """The state that ends give, and its reason."""
    state: State = "accepted"
    reason = ""
    for end in ends:
        if RANK[end.state] > RANK[state]:
            reason = end.reason
        elif end.state == state:
            reason = min(reason, end.reason)
        state = join(state, end.state)
    return state, reason


def _why_undelivered(facts: AttemptFacts) -> str:
    """The reason where receipts say that it failed: it cannot be, or it took too long."""
    undeliverable = any(r.status == "failed" for r in facts.receipts.values())
    return "permanent" if undeliverable else "temporary"


_ARRIVED = frozenset({"delivered", "seen", "complained"})
_RECEIPT_RANK = {
    "complained": 6,
    "seen": 5,
    "delivered": 4,
    "failed": 3,
    "expired": 2,
    "accepted": 1,
}


def receipt_rank(status: str) -> int:
    """Among receipts of the same part, the one that says more stands."""
    return _RECEIPT_RANK.get(status, 0)


def _says_more(new: Outcome, had: Outcome) -> bool:
    """Which of two answers to one call stands, whatever their order: the one with evidence."""
    return _answer_rank(new) > _answer_rank(had)


def _answer_rank(outcome: Outcome) -> tuple[int, int, str, str, str]:
    rank = 2 if outcome.kind == "accepted" else outcome.kind in DEFINITE_NO
    ids = outcome.provider_id
    return rank, -ids.count(","), ids, outcome.kind, outcome.code


def _facts(attempts: dict[str, AttemptFacts], name: str) -> AttemptFacts:
    found = attempts.get(name)
    if found is None:
        found = attempts[name] = AttemptFacts(name)
    return found
