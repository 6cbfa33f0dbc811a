"""What happened in a run, in the order of virtual time: for stories, for people, for the digest."""

from hashlib import sha256

import msgspec
from msgspec import Struct


class Note(Struct, frozen=True, array_like=True, gc=False):
    """One thing that happened. `process` is "" for the world outside; `message` an id or "".

    Where something travels, `to_region` and `arrives_s` say where to and when it is there.
    """

    at_s: float
    region: str
    process: str
    kind: str
    text: str
    message: str = ""
    to_region: str = ""
    arrives_s: float = 0.0


class Trace:
    """Notes of a run."""

    def __init__(self) -> None:
        self.notes: list[Note] = []

    def add(
        self,
        at_s: float,
        region: str,
        process: str,
        kind: str,
        text: str,
        message: str = "",
        to_region: str = "",
        arrives_s: float = 0.0,
    ) -> None:
        """One more."""
        self.notes.append(Note(at_s, region, process, kind, text, message, to_region, arrives_s))

    def digest(self) -> str:
        """The same for the same run, on every machine."""
        summed = sha256()
        for note in self.notes:
            summed.update(
                msgspec.json.encode(msgspec.structs.replace(note, at_s=round(note.at_s, 6)))
            )
        return summed.hexdigest()
