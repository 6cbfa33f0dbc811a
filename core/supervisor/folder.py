"""The data folder of `goutong up`: its locks, its secrets, and the small files beside the store.

Secrets are made once and readable by their owner only. JSON files appear whole or not at all. A
lock lasts as long as the process that holds it, however that ends, so no stale lock is ever left.
"""

import fcntl
import os
import secrets
import time
from pathlib import Path
from typing import Any

import msgspec


class FolderError(Exception):
    """The folder cannot be used; the text says why and what to do."""


class Held:
    """A lock that this process holds."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        os.close(self._descriptor)


class DataFolder:
    """One data folder, made if it is missing.

    Several regions on one machine have a folder each, inside of the one that they share.
    """

    def __init__(self, path: Path, inside: "DataFolder | None" = None) -> None:
        self.path = path.absolute()
        self._inside = inside
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            for inner in (self.logs, self.locks):
                inner.mkdir(exist_ok=True)
        except OSError as error:
            raise FolderError(
                f"{self.path}: cannot be used as data folder: {error.strerror}. "
                "Name another with --data, or mend its owner and mode."
            ) from None

    @property
    def shared(self) -> "DataFolder":
        """The folder of what all regions on this machine share; of a region alone its own."""
        return self._inside or self

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def locks(self) -> Path:
        return self.path / "locks"

    def lock_of(self, name: str) -> Path:
        """The file that a process of this name holds locked while it lives."""
        return self.locks / f"{name}.lock"

    def lock(self, name: str, wait_ms: int) -> Held | None:
        """Hold the lock of this name, or None if another process held it all the time."""
        descriptor = os.open(self.lock_of(name), os.O_RDWR | os.O_CREAT, 0o600)
        until = time.monotonic() + wait_ms / 1000
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return Held(descriptor)
            except BlockingIOError:
                if time.monotonic() >= until:
                    os.close(descriptor)
                    return None
                time.sleep(0.02)

    def held(self) -> list[str]:
        """Names whose locks some process holds now."""
        names = []
        for path in sorted(self.locks.glob("*.lock")):
            free = self.lock(path.stem, 0)
            if free is None:
                names.append(path.stem)
            else:
                free.release()
        return names

    def secret(self, name: str) -> str:
        """The secret kept in this file, 32 random bytes in hex; made when it is not there yet."""
        path = self.path / name
        try:
            return path.read_text().strip()
        except FileNotFoundError:
            made = secrets.token_hex(32)
            self.write(name, made.encode() + b"\n", 0o600)
            return made

    def write_json(self, name: str, value: Any, mode: int = 0o644) -> None:
        """Replace this file by the value, whole."""
        self.write(name, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n", mode)

    def write(self, name: str, data: bytes, mode: int) -> None:
        """Replace this file, whole and durably; it never exists with a wider mode than asked."""
        beside = self.path / f".{name}.{os.getpid()}"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        beside.replace(self.path / name)

    def read_json(self, name: str) -> Any:
        """What this file says, or None if it is not there."""
        path = self.path / name
        try:
            return msgspec.json.decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except msgspec.DecodeError:
            raise FolderError(
                f"{path}: is not JSON. Delete it if it was edited; it is written again."
            ) from None
