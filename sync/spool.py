"""What an edge's spool does with its entries while no core answers, and after (PROTOCOL.md 9).

The brain of it: bodies stay on the disk, and whoever runs this carries the commands out and brings
what happened back. Answers to callers that said `"spool": true` only.

- An entry is answered for only after the disk has it. Bounds refuse new entries and never drop old
  ones; what was found on the disk at a start counts, whatever the bounds say.
- When a core is back, entries are handed over in batches, urgent ones first, then the oldest. One
  batch is under way at a time.
- An entry leaves only after a core acknowledged it at the durability that was asked, or refused it
  for good (key revoked, residency, limits); the reason is then kept before the entry is erased.
  Everything else repeats it, with the same id: an answer that was lost, a weaker durability, a core
  that has no room. So does a crash between two commands: the id makes that harmless.
- Expired entries are handed over like all others, and end as expired at their home.
- A refusal after an earlier try without a known answer says `maybe_accepted`: the message may have
  been taken by that try, and its status is to be asked for.
- Batches that get lost are made smaller, down to one entry; one that was lost alone is put off, so
  that it does not keep the others back.
"""

import heapq
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from sync.agreed import Refusal

Urgency = Literal["urgent", "normal"]
Durability = Literal["local", "global"]
_URGENCY: dict[Urgency, int] = {"urgent": 0, "normal": 1}
_DURABILITY: dict[Durability, int] = {"local": 0, "global": 1}
# An entry lost alone waits longer than the pause after it, so that the next batch is another's.
_PUT_OFF = 2.0


class Entry(Struct, frozen=True):
    """What is known of a spooled message. Times are wall-clock; `expires_ms` is only handed on."""

    id: str
    urgency: Urgency
    size_bytes: int
    durability: Durability
    expires_ms: int
    spooled_at_ms: int
    body_hash: bytes = b""


class Bounds(Struct, frozen=True):
    """Bounds of the spool and of a batch, and the pause after a try that did not succeed."""

    entries_max: int
    bytes_max: int
    batch_entries_max: int
    batch_bytes_max: int
    retry_s: float


class Write(Struct, frozen=True):
    """Command: put the entry on the disk, down to the platter; then `written`/`write_failed`."""

    entry: Entry


class Spooled(Struct, frozen=True):
    """Command: tell who waits for this id that it was spooled."""

    id: str


class Unsure(Struct, frozen=True):
    """Command: tell who waits for this id that it is not known whether it was taken."""

    id: str


class HandOver(Struct, frozen=True):
    """Command: give these to a core; then `answered` or `lost` with this number."""

    batch: int
    entries: tuple[Entry, ...]


class Erase(Struct, frozen=True):
    """Command: take the entry off the disk."""

    id: str


class KeepRefusal(Struct, frozen=True):
    """Command: keep the reason on the disk, then erase the entry."""

    id: str
    reason: str
    maybe_accepted: bool


Command = Write | Spooled | Unsure | HandOver | Erase | KeepRefusal


class Answer(Struct, frozen=True):
    """A core's word on one entry. `acknowledged` says at which durability the message stands."""

    id: str
    kind: Literal["acknowledged", "refused", "later"]
    durability: Durability = "local"
    reason: str = ""


_Place = tuple[int, int, str]


class Spool:
    """The entries of one edge's spool."""

    def __init__(self, bounds: Bounds) -> None:
        self.bytes_held = 0
        self._bounds = bounds
        self._entries: dict[str, Entry] = {}
        self._being_written: set[str] = set()
        self._tried: set[str] = set()
        self._ready: list[_Place] = []
        self._put_off: list[tuple[float, _Place]] = []
        self._under_way: HandOver | None = None
        self._batches = 0
        self._batch_entries = bounds.batch_entries_max
        self._pause_until_s = float("-inf")

    def __len__(self) -> int:
        return len(self._entries)

    def recover(self, entries: Iterable[Entry]) -> None:
        """What a start found on the disk. Each may have been tried before."""
        for entry in entries:
            if entry.id not in self._entries:
                self._hold(entry)
                self._tried.add(entry.id)
                heapq.heappush(self._ready, _place(entry))

    def offer(self, entry: Entry, tried: bool = False) -> list[Command] | Refusal:
        """Take an entry in, or say why not. The same one again is answered like the first.

        `tried`: it was given to a core before, which did not answer and may have taken it.
        """
        known = self._entries.get(entry.id)
        if known is not None:
            if known.body_hash != entry.body_hash:
                what = "another request is spooled under this idempotency key"
                hint = "Use a new key for a new request."
                return Refusal("idempotency_conflict", entry.id, what, hint)
            if tried:
                self._tried.add(entry.id)
            return [] if entry.id in self._being_written else [Spooled(entry.id)]
        bounds = self._bounds
        if len(self._entries) >= bounds.entries_max:
            what = f"the spool holds {len(self._entries)} entries"
            return Refusal("spool_full", entry.id, what, "Try again when a core is back.")
        if self.bytes_held + entry.size_bytes > bounds.bytes_max:
            what = f"the spool holds {self.bytes_held} of {bounds.bytes_max} bytes"
            return Refusal("spool_full", entry.id, what, "Try again when a core is back.")
        self._hold(entry)
        self._being_written.add(entry.id)
        if tried:
            self._tried.add(entry.id)
        return [Write(entry)]

    def written(self, entry_id: str) -> list[Command]:
        """The disk has the entry."""
        if entry_id not in self._being_written:
            return []
        self._being_written.discard(entry_id)
        heapq.heappush(self._ready, _place(self._entries[entry_id]))
        return [Spooled(entry_id)]

    def write_failed(self, entry_id: str) -> list[Command]:
        """The disk may have the entry or not: it is given up, and the caller cannot rely on it."""
        if entry_id not in self._being_written:
            return []
        self._being_written.discard(entry_id)
        self._let_go(entry_id)
        return [Erase(entry_id), Unsure(entry_id)]

    def take(self, now_s: float) -> list[Command]:
        """A core answers: the next batch, if none is under way and it is time."""
        if self._under_way is not None or now_s < self._pause_until_s:
            return []
        while self._put_off and self._put_off[0][0] <= now_s:
            heapq.heappush(self._ready, heapq.heappop(self._put_off)[1])
        batch: list[Entry] = []
        size_bytes = 0
        while self._ready and len(batch) < self._batch_entries:
            entry = self._entries[self._ready[0][2]]
            size_bytes += entry.size_bytes
            if batch and size_bytes > self._bounds.batch_bytes_max:
                break
            heapq.heappop(self._ready)
            batch.append(entry)
        if not batch:
            return []
        self._batches += 1
        self._under_way = HandOver(self._batches, tuple(batch))
        return [self._under_way]

    def answered(self, batch: int, answers: Iterable[Answer], now_s: float) -> list[Command]:
        """A core answered a batch. What it does not mention is unknown and comes again.

        An answer to a batch that was given up for lost is not looked at: its entries come again.
        """
        under_way = self._ended(batch)
        if under_way is None:
            return []
        by_id = {answer.id: answer for answer in answers}
        commands: list[Command] = []
        for entry in under_way.entries:
            answer = by_id.get(entry.id)
            if answer is not None and answer.kind == "refused":
                maybe = entry.id in self._tried
                self._let_go(entry.id)
                commands.append(KeepRefusal(entry.id, answer.reason, maybe))
            elif answer is not None and answer.kind == "acknowledged" and _enough(answer, entry):
                self._let_go(entry.id)
                commands.append(Erase(entry.id))
            else:
                if answer is None or answer.kind != "later":
                    self._tried.add(entry.id)
                self._put_back_later(entry, now_s + self._bounds.retry_s)
        self._batch_entries = self._bounds.batch_entries_max
        if not commands:
            self._pause_until_s = now_s + self._bounds.retry_s
        return commands

    def lost(self, batch: int, now_s: float) -> None:
        """No answer to a batch: each of it may have been taken or not, and comes again."""
        under_way = self._ended(batch)
        if under_way is None:
            return
        self._pause_until_s = now_s + self._bounds.retry_s
        entries = under_way.entries
        self._batch_entries = max(1, len(entries) // 2)
        self._tried.update(entry.id for entry in entries)
        if len(entries) == 1:
            self._put_back_later(entries[0], now_s + _PUT_OFF * self._bounds.retry_s)
            return
        for entry in entries:
            heapq.heappush(self._ready, _place(entry))

    def _put_back_later(self, entry: Entry, due_s: float) -> None:
        heapq.heappush(self._put_off, (due_s, _place(entry)))

    def _ended(self, batch: int) -> HandOver | None:
        """The batch under way, if it is this one; it is no longer."""
        under_way = self._under_way
        if under_way is None or under_way.batch != batch:
            return None
        self._under_way = None
        return under_way

    def _hold(self, entry: Entry) -> None:
        self._entries[entry.id] = entry
        self.bytes_held += entry.size_bytes

    def _let_go(self, entry_id: str) -> None:
        self.bytes_held -= self._entries.pop(entry_id).size_bytes
        self._tried.discard(entry_id)


def _place(entry: Entry) -> _Place:
    return _URGENCY[entry.urgency], entry.spooled_at_ms, entry.id


def _enough(answer: Answer, entry: Entry) -> bool:
    return _DURABILITY[answer.durability] >= _DURABILITY[entry.durability]
