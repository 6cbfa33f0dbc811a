"""Names that the protocol gives to things, and what can be read from them (PROTOCOL.md 1, 2, 5).

A message id is `<home>-u<shard><minute><random>` or `<home>-k<shard><hash>`: three hexadecimal
digits of shard, then seven base-32 digits of the minute since 1970 for an id without an
idempotency key, or a hash of (tenant, key, item). A log is `<kind>.<home>.<lane>.<incarnation>.
<generation>`; an attempt is named by the place of its intent in an effect log, without dots.
"""

from collections.abc import Iterable
from typing import NamedTuple

BY_ID_MINUTES = 10
KEYED_PARTITIONS = 64
ROWS_PER_PARTITION = 1024


class IdFacts(NamedTuple):
    """What a message id says. `minute` is None for an id made from an idempotency key."""

    home: str
    shard: int
    minute: int | None


def id_facts(message_id: str) -> IdFacts | None:
    """Read a message id; None if it is not one."""
    home, dash, rest = message_id.partition("-")
    if not dash or not home or len(rest) < 11:
        return None
    try:
        shard = int(rest[1:4], 16)
        if rest[0] == "u":
            return IdFacts(home, shard, int(rest[4:11], 32))
        if rest[0] == "k":
            return IdFacts(home, shard, None)
    except ValueError:
        return None
    return None


def ids_elsewhere(message_id: str, homes: Iterable[str]) -> list[str]:
    """The ids that the same key has under these homes, but for its own; none without a key."""
    facts = id_facts(message_id)
    if facts is None or facts.minute is not None:
        return []
    rest = message_id.partition("-")[2]
    return [f"{home}-{rest}" for home in homes if home != facts.home]


def home_of(record_id: str) -> str:
    """The home that a record's id names, whatever else stands in it."""
    return record_id.partition("-")[0]


def by_id_partition(message_id: str) -> str:
    """The partition of a message's by-id row: home, shard, and ten minutes or one of 64."""
    home, _, rest = message_id.partition("-")
    if rest[0] == "u":
        return f"{home}.{rest[1:4]}.u{int(rest[4:11], 32) // BY_ID_MINUTES}"
    return f"{home}.{rest[1:4]}.k{int(rest[4:6], 32) % KEYED_PARTITIONS}"


def accept_log(home: str, lane: str, incarnation: str, generation: int) -> str:
    """Name an accept log."""
    return f"accept.{home}.{lane}.{incarnation}.{generation}"


def effect_log(home: str, urgency: str, incarnation: str, generation: int) -> str:
    """Name an effect log."""
    return f"effect.{home}.{urgency}.{incarnation}.{generation}"


def lane(urgent: bool, globally: bool) -> str:
    """A lane is urgency times durability."""
    return ("urgent" if urgent else "normal") + ("_global" if globally else "_local")


class LogName(NamedTuple):
    """The parts of a log's name."""

    kind: str
    home: str
    lane: str
    incarnation: str
    generation: int


def log_name(log: str) -> LogName:
    """Take a log's name apart."""
    kind, home, lane_, incarnation, generation = log.split(".")
    return LogName(kind, home, lane_, incarnation, int(generation))


def attempt_name(log: str, row: int, index: int) -> str:
    """Name an attempt by the place of its intent: (incarnation, log, row, index)."""
    _, _, urgency, incarnation, generation = log.split(".")
    return f"{incarnation}-{urgency[0]}{generation}-{row}-{index}"


def attempt_place(home: str, attempt: str) -> tuple[str, int, int] | None:
    """Where the intent of an attempt stands: log, row, index; None if it is no attempt's name."""
    parts = attempt.rsplit("-", 3)
    if len(parts) != 4 or parts[1][:1] not in ("u", "n"):
        return None
    incarnation, lane_, row, index = parts
    urgency = "urgent" if lane_[0] == "u" else "normal"
    try:
        return effect_log(home, urgency, incarnation, int(lane_[1:])), int(row), int(index)
    except ValueError:
        return None
