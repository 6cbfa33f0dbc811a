"""What the callers of a day were told: what was accepted, and whether the answers keep their word.

One place for what comes back, so that the load only sends. Pure.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field

from core.bench.mixed.traffic import Ask

TOO_MANY = "429"


class Accepted(Struct, frozen=True):
    """A message answered 202: by which kind of request, and when it may go at the earliest."""

    kind: str
    not_before_ms: int


class Book(Struct):
    """`answers` counts by kind of request and answer; `broken` has what should never happen."""

    accepted: dict[str, Accepted] = field(default_factory=dict)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    canceled: dict[str, str] = field(default_factory=dict)
    rejected: int = 0
    behind: int = 0

    def told(self, ask: Ask, answer: str, body: dict[str, Any]) -> list[str]:
        """Take down one answer; the ids that it accepts."""
        self.answers[ask.kind, answer] += 1
        if answer != "202":
            if answer.startswith("4") and answer != TOO_MANY:
                self.broken.append(f"{ask.kind}: {answer} {body.get('detail', '')}")
            return []
        good = [one["id"] for one in body["messages"] if "id" in one]
        for message_id in good:
            self.accepted[message_id] = Accepted(ask.kind, ask.not_before_ms)
        wrong = len(body["messages"]) - len(good)
        self.rejected += wrong
        if wrong != ask.wrong:
            self.broken.append(f"{ask.kind}: {wrong} recipients rejected, not {ask.wrong}")
        return good

    def repeated(self, ask: Ask, first: Iterable[str], again: Iterable[str]) -> None:
        """The same request with the same key has to be the same messages."""
        if list(first) != list(again):
            self.broken.append(f"{ask.kind}: other messages for the same key")

    def cancel_told(self, message_id: str, status: str) -> None:
        """What the answer to a cancel said."""
        self.canceled[message_id] = status
