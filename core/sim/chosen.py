"""Which notes of a run tell what went wrong, and short names for the messages in them.

Told are the notes of the messages that the violations name, all faults, and what happened around
them to processes and shards. Where a violation names no message, the last seconds before it.
"""

import re

from msgspec import Struct

from core.sim.result import Result
from core.sim.trace import Note

FAULTS = frozenset({"fault", "heal"})
# Of a process or a shard, not of a message; told when near to what is told of the messages.
AROUND = frozenset({"start", "end", "lost", "lease", "revoked", "takeover", "handover", "shards"})
VIOLATION = "violation"
AROUND_S = 3.0
UNNAMED_S = 5.0


class Chosen(Struct, frozen=True):
    """Notes in the order of time; `names` is message id → short name, the accused ones first."""

    notes: list[Note]
    names: dict[str, str]

    def text(self, text: str) -> str:
        """A text with short names in place of ids."""
        if not self.names:
            return text
        ids = sorted(self.names, key=len, reverse=True)
        pattern = "|".join(map(re.escape, ids))
        return re.sub(pattern, lambda found: self.names[found[0]], text)


def accused(result: Result) -> set[str]:
    """The messages that the violations name."""
    told = "\n".join(violation.what for violation in result.violations)
    words = set(re.split(r"[^A-Za-z0-9_.-]+", told))
    words |= {word.rstrip(".") for word in words}
    return {note.message for note in result.trace.notes if note.message in words} - {""}


def chosen(result: Result) -> Chosen:
    """See the module's docstring."""
    notes, ids = result.trace.notes, accused(result)
    if ids:
        core = [note.at_s for note in notes if note.message in ids]
        since_s, until_s = core[0] - AROUND_S, core[-1] + AROUND_S
    else:
        until_s = max((violation.at for violation in result.violations), default=0.0)
        since_s = until_s - UNNAMED_S
    kept = [
        note
        for note in notes
        if note.kind in FAULTS
        or note.message in ids
        or (since_s <= note.at_s <= until_s and (note.kind in AROUND or not ids))
    ]
    return Chosen([note for note in kept if note.kind != VIOLATION], named(kept, ids))


def named(notes: list[Note], first: set[str]) -> dict[str, str]:
    """m1, m2, ... for the messages, in the order in which they appear, `first` before others."""
    seen = list(dict.fromkeys(note.message for note in notes if note.message))
    ordered = sorted(seen, key=lambda message: message not in first)
    return {message: f"m{number}" for number, message in enumerate(ordered, 1)}
