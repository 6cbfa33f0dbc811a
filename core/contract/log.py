"""One JSON object a line, written so cheaply that each message may have its own lines.

`Log(target, level, **static)` writes to a file or a stream; `bind` gives a log with more fixed
fields on the same sink. Lines are gathered and written at the latest after `flush_ms`, and at once
from level "warning" on; `close` writes what is left. Any thread may log.

Logging never fails its caller: when the target cannot be written (a full disk, a closed pipe) or
lines come faster than they leave, lines are dropped, and the next line that gets through is
preceded by one that says how many. A file is rotated at `rotate_bytes`, with one backup `.1`.

Recipients never stand in a log: write `log.hashed(recipient)`. The hash is keyed with a secret of
the data folder, so lines about one recipient can be found together, and a list of all phone numbers
does not turn the hash back.
"""

import io
import sys
import threading
import time
from collections import deque
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

import orjson

from core.contract.sections.common import LogSettings

Level = Literal["debug", "info", "warning", "error"]
LEVELS: dict[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}

_HELD_LINES_MAX = 100_000


def hashed(recipient: str, key: bytes) -> str:
    """A short name for a recipient that only holders of the key can compute."""
    return blake2b(recipient.encode(), digest_size=9, key=key[:64]).hexdigest()


class _Sink(Protocol):
    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class _StreamSink:
    """An open binary stream that somebody else owns; closing leaves it open."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, data: bytes) -> None:
        self._stream.write(data)
        self._stream.flush()

    def close(self) -> None:
        pass


class _FileSink:
    """A file that is renamed to `.1` when it would grow over its limit."""

    def __init__(self, path: Path, rotate_bytes: int) -> None:
        self._path = path
        self._limit = rotate_bytes
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        if self._limit and self._file.tell() + len(data) > self._limit and self._file.tell():
            self._file.close()
            self._path.replace(self._path.with_name(self._path.name + ".1"))
            self._file = self._path.open("ab", buffering=0)
        self._file.write(data)

    def close(self) -> None:
        self._file.close()


class _Writer:
    """Gathers lines and writes them from a thread of its own, which ends with the process."""

    def __init__(self, sink: _Sink, flush_ms: int) -> None:
        self._sink = sink
        self._flush_s = flush_ms / 1000
        self._lines: deque[bytes] = deque()
        self._dropped = 0
        self._closed = False
        self._woken = False
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, line: bytes, at_once: bool) -> None:
        if len(self._lines) >= _HELD_LINES_MAX:
            self._dropped += 1
            return
        self._lines.append(line)
        # A caller never waits for a writer that is stuck: the thread takes the line then.
        if at_once and self._lock.acquire(blocking=False):
            try:
                self._write_out()
            finally:
                self._lock.release()
        if not self._woken:
            self._woken = True
            self._wake()

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log", daemon=True)
            self._thread.start()
        self._some.set()

    def flush(self) -> None:
        with self._lock:
            self._write_out()

    def _write_out(self) -> None:
        lines, taken = self._lines, []
        while lines:
            taken.append(lines.popleft())
        if not taken or self._closed:
            return
        lost = self._dropped
        if lost:
            taken.insert(0, orjson.dumps({"level": "error", "event": "lines lost", "count": lost}))
        try:
            self._sink.write(b"\n".join(taken) + b"\n")
            self._dropped -= lost
        except (OSError, ValueError):
            self._dropped += len(taken) - bool(lost)

    def _run(self) -> None:
        while not self._closed:
            self._some.wait()
            self._some.clear()
            time.sleep(self._flush_s)
            # Cleared before the lines are taken: a line that comes later wakes the thread again.
            self._woken = False
            self.flush()

    def close(self) -> None:
        with self._lock:
            self._write_out()
            self._closed = True
            self._sink.close()
        self._some.set()


class Log:
    """The log of one process, or a part of it with more fixed fields (`bind`)."""

    __slots__ = ("_clock", "_fixed", "_hash_key", "_level", "_static", "_writer")

    def __init__(
        self,
        target: BinaryIO | Path | str,
        level: Level = "info",
        *,
        hash_key: bytes = b"",
        rotate_bytes: int = 64 << 20,
        flush_ms: int = 100,
        **static: Any,
    ) -> None:
        sink: _Sink
        if isinstance(target, (str, Path)):
            sink = _FileSink(Path(target), rotate_bytes)
        else:
            sink = _StreamSink(target)
        self._writer = _Writer(sink, flush_ms)
        self._level = LEVELS[level]
        self._hash_key = hash_key
        self._clock = _Stamp()
        self._static = static
        self._fixed = _encode(static)[1:-1]

    def bind(self, **fields: Any) -> "Log":
        """A log on the same target whose lines carry these fields too."""
        child = object.__new__(Log)
        child._writer = self._writer
        child._level = self._level
        child._hash_key = self._hash_key
        child._clock = self._clock
        child._static = {**self._static, **fields}
        child._fixed = _encode(child._static)[1:-1]
        return child

    def hashed(self, recipient: str) -> str:
        """The recipient as it may stand in a line."""
        return hashed(recipient, self._hash_key)

    @property
    def debugs(self) -> bool:
        """Whether debug lines are written; spares making fields that nobody reads."""
        return self._level <= LEVELS["debug"]

    def debug(self, event: str, **fields: Any) -> None:
        if self._level <= 10:
            self._write(b'"debug","event":', event, fields, False)

    def info(self, event: str, **fields: Any) -> None:
        if self._level <= 20:
            self._write(b'"info","event":', event, fields, False)

    def warning(self, event: str, **fields: Any) -> None:
        if self._level <= 30:
            self._write(b'"warning","event":', event, fields, True)

    def error(self, event: str, **fields: Any) -> None:
        self._write(b'"error","event":', event, fields, True)

    def _write(self, level: bytes, event: str, fields: dict[str, Any], at_once: bool) -> None:
        parts = [self._clock.now(), level, _encode_event(event)]
        if self._fixed:
            parts += (b",", self._fixed)
        if fields:
            parts += (b",", _encode(fields)[1:])
        else:
            parts.append(b"}")
        self._writer.put(b"".join(parts), at_once)

    def flush(self) -> None:
        """Write what is gathered, now."""
        self._writer.flush()

    def close(self) -> None:
        """Write what is left and let go of the file. Lines after this are dropped."""
        self._writer.close()


def _encode(value: Any) -> bytes:
    """JSON of whatever it is; what has no JSON form is shown as text rather than refused."""
    try:
        return orjson.dumps(value, default=str)
    except TypeError:
        return orjson.dumps({str(name): repr(field) for name, field in dict(value).items()})


_encode_event = lru_cache(maxsize=256)(_encode)  # events are few


class _Stamp:
    """The head of a line with the time as RFC 3339; down to the second it is made once a second."""

    __slots__ = ("_head",)

    def __init__(self) -> None:
        self._head = (-1, b"")

    def now(self) -> bytes:
        millis = time.time_ns() // 1_000_000
        second = millis // 1000
        known, head = self._head
        if second != known:
            text = time.strftime('{"at":"%Y-%m-%dT%H:%M:%S.', time.gmtime(second))
            head = text.encode()
            self._head = (second, head)
        return b'%b%03dZ","level":' % (head, millis - second * 1000)


def open_log(settings: LogSettings, **static: Any) -> Log:
    """The log of a process as its settings say."""
    return Log(
        settings.file or sys.stderr.buffer,
        settings.level,
        hash_key=bytes.fromhex(settings.hash_key),
        rotate_bytes=settings.rotate_bytes,
        flush_ms=settings.flush_ms,
        **static,
    )


def silent() -> Log:
    """A log for tests and tools; its few errors stay in memory."""
    return Log(io.BytesIO(), "error")
