"""A failed run as a transcript: time at the left, a column for each region, for people.

Who reads it knows PROTOCOL.md. `core.sim.chosen` says what is left out.
"""

from textwrap import wrap

from core.sim.chosen import Chosen, chosen
from core.sim.result import Result
from core.sim.trace import Note

WIDTH = 120
_TIME = 9
_GAP = " | "
OUTSIDE = "outside"


def story(result: Result, width: int = WIDTH) -> str:
    """The transcript. `width` is in characters."""
    told = chosen(result)
    regions = sorted({note.region for note in result.trace.notes if note.region})
    if any(not note.region for note in told.notes):
        regions.append("")
    column = max(16, (width - _TIME) // max(1, len(regions)) - len(_GAP))
    head = [_line("seconds", [region or OUTSIDE for region in regions], column)]
    ruler = "-" * min(width, _TIME + len(regions) * (column + len(_GAP)))
    rows = [line for note in told.notes for line in _rows(note, told, regions, column)]
    return "\n".join([*_title(result, told, width), "", *head, ruler, *rows, ruler])


def _title(result: Result, told: Chosen, width: int) -> list[str]:
    lines = [f"seed {result.seed}, profile {result.profile}"]
    for violation in result.violations:
        text = f"!! {violation.at:.3f} s  {violation.checker}: {told.text(violation.what)}"
        lines += wrap(text, width, subsequent_indent="   ")
    return lines + [f"{name} = {message}" for message, name in told.names.items()]


def _rows(note: Note, told: Chosen, regions: list[str], column: int) -> list[str]:
    place = regions.index(note.region)
    lines = []
    for number, text in enumerate(wrap(_said(note, told), column, subsequent_indent="  ")):
        cells = [text if index == place else "" for index in range(len(regions))]
        lines.append(_line(f"{note.at_s:.3f}" if number == 0 else "", cells, column))
    return lines


def _said(note: Note, told: Chosen) -> str:
    if note.kind in ("fault", "heal"):
        return f"** {note.kind}: {told.text(note.text)} **"
    words = [note.process, note.kind, told.names.get(note.message, "")]
    said = f"{' '.join(filter(None, words))}: {told.text(note.text)}"
    if note.to_region:
        said += f" -> {note.to_region}"
        if note.arrives_s > note.at_s:
            said += f", there at {note.arrives_s:.3f}"
    return said


def _line(at: str, cells: list[str], column: int) -> str:
    padded = "".join(_GAP + cell.ljust(column) for cell in cells)
    return f"{at:>{_TIME}}{padded}".rstrip()
