"""The history: everything that reached a provider, in the order in which it came.

An entry is in the operating system's hands before the provider answers, so it survives a kill -9 of
the sandbox. Entries lie as JSON lines in files of limited length (`history/<first seq>.jsonl`); in
memory is only where every 64th line begins. When the history has more entries or bytes than
allowed, its oldest file is deleted. `append` raises OSError when the disk takes no more; then the
call did not happen.
"""

from array import array
from bisect import bisect_right
from pathlib import Path

import msgspec
from msgspec import Struct

from core.sandbox.appendfile import AppendFile
from core.sandbox.limits import SandboxLimits

_STRIDE = 64
_CHUNK = 256 << 10


class Entry(Struct, frozen=True, gc=False, omit_defaults=True):
    """One call that reached a provider. `effective`: it had its effect, the recipient gets it.

    Of a call that is answered with an error the effect is missing; of one after which the
    connection was reset or fell silent it is there. What a receipt says later is not told here.
    `signature` is what a webhook's is worth, left out where nobody asked for that; `unsubscribe`
    is the one-click link of an e-mail that has one.
    """

    at: str
    provider: str
    wire: str
    to: str
    text: str
    outcome: str
    effective: bool
    ref: str | None
    signature: str = ""
    unsubscribe: str = ""


class _Segment:
    """One file of the history. `marks` holds the offset of every 64th line."""

    def __init__(self, path: Path) -> None:
        self.first_seq = int(path.stem)
        self.file = AppendFile(path)
        self.count = 0
        self.marks = array("Q")
        offset = 0
        while chunk := self.file.read(offset, _CHUNK):
            start = 0
            while (newline := chunk.find(b"\n", start)) >= 0:
                self._mark(offset + start)
                start = newline + 1
            if not start:  # one line longer than a chunk: go on until its end
                start = self._rest_of_line(offset, len(chunk))
                self._mark(offset)
            offset += start

    def _mark(self, offset: int) -> None:
        if self.count % _STRIDE == 0:
            self.marks.append(offset)
        self.count += 1

    def _rest_of_line(self, offset: int, length: int) -> int:
        while chunk := self.file.read(offset + length, _CHUNK):
            newline = chunk.find(b"\n")
            if newline >= 0:
                return length + newline + 1
            length += len(chunk)
        return length

    def append(self, lines: list[bytes]) -> None:
        offset = self.file.size
        self.file.append(b"".join(lines))
        for line in lines:
            self._mark(offset)
            offset += len(line)

    def read(self, skip: int, entries_max: int, bytes_max: int) -> list[bytes]:
        """Lines from the one after `skip` lines; one at least if there is one."""
        entries_max = min(entries_max, self.count - skip)
        mark = skip // _STRIDE
        offset, size = self.marks[mark], self.file.size
        skip -= mark * _STRIDE
        lines: list[bytes] = []
        taken, rest, chunk_bytes = 0, b"", _CHUNK
        while len(lines) < entries_max and offset < size:
            chunk = self.file.read(offset, min(chunk_bytes, size - offset))
            offset += len(chunk)
            *whole, rest = (rest + chunk).split(b"\n")
            if not whole:  # a line longer than the chunk: fewer, larger pieces
                chunk_bytes *= 2
            for line in whole:
                if skip:
                    skip -= 1
                    continue
                taken += len(line)
                if len(lines) == entries_max or (lines and taken > bytes_max):
                    return lines
                lines.append(line)
        return lines


class History:
    """All entries that are kept, for one writer and any number of readers in this process."""

    def __init__(self, folder: Path, limits: SandboxLimits) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._limits = limits
        self._segments = [_Segment(path) for path in sorted(folder.glob("*.jsonl"))]
        if not self._segments:
            self._begin_segment(1)
        last = self._segments[-1]
        self.last_seq = last.first_seq + last.count - 1

    def append(self, entries: list[Entry]) -> None:
        """Give the entries their numbers and hand them to the operating system."""
        segment = self._segments[-1]
        limits = self._limits
        if (
            segment.count >= limits.segment_entries_max
            or segment.file.size >= limits.segment_bytes_max
        ):
            segment = self._begin_segment(self.last_seq + 1)
            self._drop_old()
        seq = self.last_seq
        encode = msgspec.json.encode
        lines = [
            b'{"seq":%d,%b\n' % (number, encode(entry)[1:])
            for number, entry in enumerate(entries, start=seq + 1)
        ]
        segment.append(lines)
        self.last_seq = seq + len(lines)

    def read(self, after: int, limit: int) -> list[bytes]:
        """The entries (JSON) after a number, as many as a page holds. Older ones may be gone."""
        segments = self._segments
        after = max(after, segments[0].first_seq - 1)
        if after >= self.last_seq:
            return []
        index = bisect_right(segments, after + 1, key=lambda segment: segment.first_seq) - 1
        entries_left = min(limit, self._limits.page_entries_max)
        bytes_left = self._limits.page_bytes_max
        lines: list[bytes] = []
        while index < len(segments) and entries_left > 0 and bytes_left > 0:
            segment = segments[index]
            skip = max(0, after + 1 - segment.first_seq)
            if skip >= segment.count:
                break
            page = segment.read(skip, entries_left, bytes_left)
            lines += page
            entries_left -= len(page)
            bytes_left -= sum(map(len, page))
            if skip + len(page) < segment.count:
                break
            index += 1
        return lines

    def close(self) -> None:
        """Let go of the files."""
        for segment in self._segments:
            segment.file.close()

    def _begin_segment(self, first_seq: int) -> _Segment:
        segment = _Segment(self._folder / f"{first_seq:012d}.jsonl")
        self._segments.append(segment)
        return segment

    def _drop_old(self) -> None:
        entries = sum(segment.count for segment in self._segments)
        size = sum(segment.file.size for segment in self._segments)
        limits = self._limits
        while len(self._segments) > 1:
            oldest = self._segments[0]
            if entries - oldest.count < limits.history_max and size <= limits.history_bytes_max:
                return
            del self._segments[0]
            oldest.file.close()
            oldest.file.path.unlink(missing_ok=True)
            entries -= oldest.count
            size -= oldest.file.size
