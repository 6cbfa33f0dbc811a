"""What the SMSC must not forget over a restart: receipts that are owed, and parts of long messages.

One file of small JSON arrays, appended to before the SMSC answers. At the start it is read, and
written anew with what is still alive; that is repeated whenever it has grown by
`journal_bytes_max`. `append` raises OSError when the disk takes no more.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from core.sandbox.appendfile import AppendFile


class Receipt(Struct, frozen=True, array_like=True, tag="r", gc=False):
    """A receipt that is owed. `sender` and `recipient` are those of the message it is about."""

    token: int
    due_ms: int
    submitted_ms: int
    shown_id: str
    failed: bool
    sender: tuple[int, int, str]
    recipient: tuple[int, int, str]
    head: str


class Settled(Struct, frozen=True, array_like=True, tag="s", gc=False):
    """A receipt was acknowledged or given up."""

    token: int


class PartTaken(Struct, frozen=True, array_like=True, tag="p", gc=False):
    """A part of a long message was accepted. `key` tells the long message."""

    key: str
    total: int
    part: int
    data_coding: int
    octets: bytes
    to: str
    ref: str | None
    at_ms: int


class MessageClosed(Struct, frozen=True, array_like=True, tag="c", gc=False):
    """A long message is complete or given up; its parts are of no further use."""

    key: str


Record = Receipt | Settled | PartTaken | MessageClosed
_decoder = msgspec.json.Decoder(Record)


class Journal:
    """The file. `alive` is what has to be kept when it is written anew."""

    def __init__(self, path: Path, grown_bytes_max: int) -> None:
        self._path = path
        self._grown_bytes_max = grown_bytes_max
        self._file = AppendFile(path)
        self._size_when_new = 0
        self.alive: Callable[[], Iterable[Record]] = tuple

    def load(self) -> tuple[list[Receipt], list[PartTaken]]:
        """The receipts owed, and the parts of messages not closed, in the order they came."""
        receipts: dict[int, Receipt] = {}
        parts: dict[str, dict[int, PartTaken]] = {}
        with self._path.open("rb") as lines:
            for line in lines:
                record = _decoder.decode(line)
                if isinstance(record, Receipt):
                    receipts[record.token] = record
                elif isinstance(record, Settled):
                    receipts.pop(record.token, None)
                elif isinstance(record, PartTaken):
                    parts.setdefault(record.key, {})[record.part] = record
                else:
                    parts.pop(record.key, None)
        return list(receipts.values()), [
            part for group in parts.values() for part in group.values()
        ]

    def append(self, records: list[Record]) -> None:
        """Hand the records to the operating system, all or none of them."""
        # Before, not after: what these records make alive may not be alive for their owner yet.
        if self._file.size > self._size_when_new + self._grown_bytes_max:
            self.renew()
        encode = msgspec.json.encode
        self._file.append(b"".join([encode(record) + b"\n" for record in records]))

    def renew(self) -> None:
        """Write the file anew with what is alive. If that fails, the old file stays in use."""
        fresh_path = self._path.with_name(self._path.name + ".new")
        fresh_path.unlink(missing_ok=True)
        fresh = AppendFile(fresh_path)
        try:
            encode = msgspec.json.encode
            fresh.append(b"".join([encode(record) + b"\n" for record in self.alive()]))
            fresh_path.replace(self._path)
        except OSError:
            fresh.close()
            # Tried again only after as much growth again, not at each append.
            self._size_when_new = self._file.size
            return
        self._file.close()
        self._file = fresh
        self._size_when_new = fresh.size

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
