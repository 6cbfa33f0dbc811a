"""Rules of PROTOCOL.md 9 taken away one at a time: an edge's spool without one of them.

A mutation patches `sync.spool` so that the spool of simulated edges lacks one rule; when its
context is left everything is as it was.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from sync import spool
from sync.agreed import Refusal
from sync.spool import Answer, Command, Entry, HandOver, KeepRefusal, Spool, Spooled, Write
from tests.support.mutations import Mutation, patched

Context = AbstractContextManager[None]


def _erase_before_ack() -> Context:
    take = Spool.take

    def taken(self: Spool, now_s: float) -> list[Command]:
        commands = take(self, now_s)
        for command in list(commands):
            if isinstance(command, HandOver):
                gone = [Answer(e.id, "acknowledged", e.durability) for e in command.entries]
                commands += self.answered(command.batch, gone, now_s)
        return commands

    return patched((Spool, "take", taken))


def _any_durability() -> Context:
    return patched((spool, "_enough", lambda _answer, _entry: True))


def _recover_urgent_only() -> Context:
    recover = Spool.recover

    def recovered(self: Spool, entries: Iterable[Entry]) -> None:
        recover(self, [entry for entry in entries if entry.urgency == "urgent"])

    return patched((Spool, "recover", recovered))


def _answered_before_written() -> Context:
    offer = Spool.offer

    def offered(self: Spool, entry: Entry, tried: bool = False) -> list[Command] | Refusal:
        commands = offer(self, entry, tried)
        if isinstance(commands, list) and any(isinstance(c, Write) for c in commands):
            return [*commands, Spooled(entry.id)]
        return commands

    return patched((Spool, "offer", offered))


def _no_urgency() -> Context:
    return patched((spool, "_URGENCY", {"urgent": 0, "normal": 0}))


def _refusal_surely_not_taken() -> Context:
    answered = Spool.answered

    def sure(self: Spool, batch: int, answers: Iterable[Answer], now_s: float) -> list[Command]:
        commands = answered(self, batch, answers, now_s)
        return [
            KeepRefusal(c.id, c.reason, False) if isinstance(c, KeepRefusal) else c
            for c in commands
        ]

    return patched((Spool, "answered", sure))


def _mutation(name: str, change: Callable[[], Context]) -> Mutation:
    return Mutation(name, "9", "spools", change)


SPOOL: tuple[Mutation, ...] = (
    _mutation("spool_erased_before_ack", _erase_before_ack),
    _mutation("spool_any_durability_is_enough", _any_durability),
    _mutation("spool_recovers_urgent_only", _recover_urgent_only),
    _mutation("spool_answered_before_written", _answered_before_written),
    _mutation("spool_without_urgency", _no_urgency),
    _mutation("spool_refusal_called_sure", _refusal_surely_not_taken),
)
