"""A core's log lines, as notes of the run's trace: those about shards and leases, no others."""

from collections.abc import Callable
from typing import Any

KINDS = {
    "shards taken": "takeover",
    "shards lost": "lost",
    "shard given": "handover",
    "lease revoked": "revoked",
}


class NodeLog:
    """Takes what `core.contract.log.Log` takes."""

    def __init__(self, note: Callable[[str, str], None]) -> None:
        self._note = note

    def info(self, event: str, **fields: Any) -> None:
        """A line; the fields go into the note's text."""
        kind = KINDS.get(event)
        if kind is not None:
            self._note(kind, ", ".join(f"{name} {value}" for name, value in fields.items()))

    debug = warning = error = info

    def hashed(self, text: str) -> str:
        """Nothing to hide."""
        return text
