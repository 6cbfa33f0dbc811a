"""Reading without asking for what stands in its writer's region alone.

All sections are of PROTOCOL.md.
"""

from contextlib import AbstractContextManager
from math import inf
from typing import Any

from core.engine.answering_rows import AnsweringRows
from core.engine.asking_rows import AskingRows
from sync.owner.asking import Asking
from sync.owner.book import Book
from tests.support.mutations import Mutation, patched

Context = AbstractContextManager[None]


def nobody_is_asked() -> Context:
    """A row that is not found at quorum is waited for: it comes by hints and repair, or never."""
    return patched((AskingRows, "missed", lambda *_: None))


def asked_once() -> Context:
    """A question that gets lost is not asked again."""
    missed = Asking.missed

    def once(self: Asking, log: str, row: int, *more: Any) -> bool:
        asks = missed(self, log, row, *more)
        if asks:
            self._missing[(log, row)].pause_s = inf
        return asks

    return patched((Asking, "missed", once))


def nobody_answers() -> Context:
    """Questions are taken, and nothing is written."""
    return patched((AnsweringRows, "row_asked", lambda *_: None))


def content_not_waited_for() -> Context:
    """What was sent ends at once where its content is out of reach."""
    return patched((Book, "_awaits_content", lambda *_: False))


ASKING: tuple[Mutation, ...] = (
    Mutation("nobody_is_asked", "2", "alone", nobody_is_asked),
    Mutation("asked_once", "2", "alone", asked_once),
    Mutation("nobody_answers", "2", "alone", nobody_answers),
    Mutation("content_not_waited_for", "6", "bereft", content_not_waited_for),
)
