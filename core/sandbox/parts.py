"""Joining the parts of long messages into one entry of the history. Pure.

A long message is known by its addresses, its reference and the attempt it names. Each part is
accepted or refused by itself, as an SMSC does it. When the last part of a round was answered,
`add` gives the whole text: as accepted if every part is, else as refused; after that only the
refused parts have to come again. What never becomes whole is given up (`Parts.expired`, or when
there is too much of it).
"""

from collections.abc import Iterator

from msgspec import Struct

from core.providers.smpp.udh import decode_text
from core.sandbox.journal import PartTaken


class Joined(Struct, frozen=True, gc=False):
    """A long message of which every part has been answered, or that is given up."""

    key: str
    to: str
    text: str
    ref: str | None
    accepted: bool


class _Group:
    """The parts of one long message that have come so far; `told` once it has had an entry."""

    __slots__ = ("bytes_held", "parts", "refused", "started_ms", "told")

    def __init__(self, started_ms: int) -> None:
        self.started_ms = started_ms
        self.parts: dict[int, PartTaken] = {}
        self.refused: set[int] = set()
        self.told = False
        self.bytes_held = 0


class Parts:
    """All unfinished long messages, at most `messages_max` of them with `bytes_max` octets."""

    def __init__(self, messages_max: int, bytes_max: int, wait_ms: int) -> None:
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._wait_ms = wait_ms
        self._groups: dict[str, _Group] = {}
        self._bytes_held = 0

    def restore(self, parts: list[PartTaken]) -> None:
        """Take up what an earlier run had accepted."""
        for part in parts:
            self._put(self._group(part), part)

    def alive(self) -> Iterator[PartTaken]:
        """The accepted parts of unfinished messages."""
        for group in self._groups.values():
            for number, part in group.parts.items():
                if number not in group.refused:
                    yield part

    def add(self, part: PartTaken, accepted: bool) -> Joined | None:
        """Note the answer to one part; the whole message if it was the round's last."""
        group = self._group(part)
        self._put(group, part)
        if accepted:
            group.refused.discard(part.part)
        else:
            group.refused.add(part.part)
        if len(group.parts) < part.total:
            return None
        if not group.refused:
            self._forget(part.key)
            return _join(part.key, group, True)
        joined = _join(part.key, group, False)
        group.told = True
        for number in group.refused:
            self._drop(group, number)
        group.refused.clear()
        return joined

    @property
    def crowded(self) -> bool:
        """More is held than allowed; `expired` gives the oldest up."""
        return len(self._groups) > self._messages_max or self._bytes_held > self._bytes_max

    def expired(self, now_ms: int) -> tuple[list[str], list[Joined]]:
        """Messages given up: too old, or the oldest of too many. The keys of all of them, and the
        messages that have had no entry yet."""
        keys, untold = [], []
        while self._groups:
            key, group = next(iter(self._groups.items()))
            if not self.crowded and now_ms - group.started_ms < self._wait_ms:
                break
            self._forget(key)
            keys.append(key)
            if not group.told and group.parts:
                untold.append(_join(key, group, False))
        return keys, untold

    def _group(self, part: PartTaken) -> _Group:
        group = self._groups.get(part.key)
        if group is None:
            group = self._groups[part.key] = _Group(part.at_ms)
        return group

    def _put(self, group: _Group, part: PartTaken) -> None:
        self._drop(group, part.part)
        group.parts[part.part] = part
        group.bytes_held += len(part.octets)
        self._bytes_held += len(part.octets)

    def _drop(self, group: _Group, number: int) -> None:
        old = group.parts.pop(number, None)
        if old is not None:
            group.bytes_held -= len(old.octets)
            self._bytes_held -= len(old.octets)

    def _forget(self, key: str) -> None:
        self._bytes_held -= self._groups.pop(key).bytes_held


def _join(key: str, group: _Group, accepted: bool) -> Joined:
    parts = [part for _, part in sorted(group.parts.items())]
    first = parts[0]
    # Octets are joined before they are decoded: a character may lie across two parts.
    text = decode_text(first.data_coding, b"".join([part.octets for part in parts]))
    return Joined(key, first.to, text, first.ref, accepted)
