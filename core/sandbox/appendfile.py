"""A file that only grows, written straight to the operating system.

`append` is all or nothing: what it returned from survives a kill -9 of this process (not a power
loss: nothing is synced), and if it raises OSError the file is as long as before. Opening cuts off a
last line that was not finished.
"""

import os
from pathlib import Path

_CHUNK = 1 << 20


class AppendFile:
    """One file of lines, each ended by a newline."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.size = os.fstat(self._fd).st_size
        self._cut_torn_line()

    def append(self, data: bytes) -> None:
        """Write whole lines."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError:
            os.ftruncate(self._fd, self.size)
            raise
        self.size += len(data)

    def read(self, offset: int, count: int) -> bytes:
        """At most so many bytes from the offset; less only where the file ends."""
        pieces = []
        while count > 0 and (piece := os.pread(self._fd, count, offset)):
            pieces.append(piece)
            offset += len(piece)
            count -= len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Let go of the file. Closing twice is allowed."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _cut_torn_line(self) -> None:
        end = self.size
        while end > 0:
            start = max(0, end - _CHUNK)
            newline = self.read(start, end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end != self.size:
            os.ftruncate(self._fd, end)
            self.size = end
