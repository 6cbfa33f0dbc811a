"""How commands speak: results on standard output, everything else on standard error."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

OK = 0
FAILED = 1
USAGE = 2
UNREACHABLE = 3


class CommandError(Exception):
    """A command that failed: what went wrong, how to mend it, and the exit code."""

    def __init__(self, what: str, mend: str = "", code: int = FAILED) -> None:
        super().__init__(what)
        self.what = what
        self.mend = mend
        self.code = code


def line(text: str = "") -> None:
    """One line of the result."""
    print(text, flush=True)


def json_line(value: Any) -> None:
    """The result as one line of JSON."""
    line(msgspec.json.encode(value).decode())


def note(text: str) -> None:
    """Something for the person, not part of the result."""
    print(text, file=sys.stderr, flush=True)


def fail(error: CommandError, as_json: bool) -> int:
    """Tell a failure and answer its exit code."""
    if as_json:
        body = {"error": error.what, "mend": error.mend}
        print(msgspec.json.encode(body).decode(), file=sys.stderr, flush=True)
    else:
        note(f"goutong: {error.what}")
        if error.mend:
            note(f"  {error.mend}")
    return error.code


def table(rows: Iterable[Sequence[Any]], head: Sequence[str]) -> None:
    """Columns as wide as they need to be."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *texts, strict=True)]
    for row in [list(head), *texts]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        line("  ".join(cells).rstrip())
