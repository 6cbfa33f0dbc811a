"""A run drawn as a space-time diagram: one HTML file that needs nothing else.

A lane for each process, grouped by region, time downwards. Time is stretched where much happens
and pressed together where nothing does; the seconds stand at the left. Every text is escaped, and
the page's policy lets it load nothing.
"""

import re
from html import escape

from core.sim.chosen import Chosen, accused, named
from core.sim.html_lanes import LEFT, Lanes, Ruler
from core.sim.html_page import PAGE
from core.sim.result import Result
from core.sim.trace import Note

_TICK_APART = 14.0
_LABEL_MAX = 14
# A kind of note → the class that colours it; others are grey.
_COLOURS = {
    "accept": "accept",
    "intent": "intent",
    "call": "call",
    "told": "told",
    "receipt": "told",
    "end": "end",
    "start": "start",
    "takeover": "shard",
    "handover": "shard",
    "shards": "shard",
    "lease": "shard",
    "revoked": "end",
}


def page(result: Result) -> str:
    """The whole file."""
    notes, ids = result.trace.notes, accused(result)
    told = Chosen(notes, named(notes, ids))
    ruler, lanes = Ruler(_times(result)), Lanes(notes)
    drawing = "\n".join(
        [
            *_regions(lanes, ruler),
            *_ticks(ruler, lanes),
            *_bands(notes, ruler, lanes),
            *_processes(lanes, ruler),
            *(_mark(note, told, ruler, lanes) for note in notes if note.kind != "fault"),
            *_violations(result, told, ruler, lanes),
        ]
    )
    options = "".join(
        f'<option value="{name}">{name} {escape(message)}{" (named)" * (message in ids)}</option>'
        for message, name in told.names.items()
    )
    state = "ok" if result.ok else "a rule was broken"
    title = escape(f"seed {result.seed} ({result.profile}): {state}")
    found = "".join(
        f"<li><b>{escape(each.checker)}</b> at {each.at:.3f} s: {escape(each.what)}</li>"
        for each in result.violations
    )
    parts = {
        "title": title,
        "width": f"{lanes.width:.0f}",
        "height": f"{ruler.height:.0f}",
        "options": options,
        "violations": f"<ul>{found}</ul>" if found else "",
        "drawing": drawing,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda word: parts[word[1]], PAGE)


def _times(result: Result) -> list[float]:
    times = [note.at_s for note in result.trace.notes]
    times += [note.arrives_s for note in result.trace.notes if note.arrives_s > note.at_s]
    return times + [violation.at for violation in result.violations]


def _regions(lanes: Lanes, ruler: Ruler) -> list[str]:
    return [
        f'<rect class="region" x="{left:.0f}" y="0" width="{right - left:.0f}" '
        f'height="{ruler.height:.0f}" rx="6"/>'
        f'<text class="name" x="{(left + right) / 2:.0f}" y="18">'
        f"{escape(region or 'outside')}</text>"
        for region, (left, right) in lanes.regions.items()
    ]


def _ticks(ruler: Ruler, lanes: Lanes) -> list[str]:
    found, last = [], -_TICK_APART
    for at_s, y in ruler.points:
        if y - last >= _TICK_APART:
            last = y
            found.append(
                f'<text class="tick" x="{LEFT - 10:.0f}" y="{y + 4:.1f}">{at_s:.2f}</text>'
                f'<line class="grid" x1="{LEFT:.0f}" x2="{lanes.width:.0f}" '
                f'y1="{y:.1f}" y2="{y:.1f}"/>'
            )
    return found


def _bands(notes: list[Note], ruler: Ruler, lanes: Lanes) -> list[str]:
    found = []
    for note in notes:
        if note.kind != "fault":
            continue
        top = ruler.y(note.at_s)
        height = max(3.0, ruler.y(note.arrives_s) - top) if note.arrives_s > note.at_s else 3.0
        left, right = lanes.regions[note.region]
        if not note.region:
            left, right = LEFT, lanes.width
        found.append(
            f'<g class="fault"><title>{escape(_tip(note))}</title>'
            f'<rect x="{left:.0f}" y="{top:.1f}" width="{right - left:.0f}" '
            f'height="{height:.1f}"/>'
            f'<text x="{left + 4:.0f}" y="{top - 2:.1f}">{escape(note.text)}</text></g>'
        )
    return found


def _processes(lanes: Lanes, ruler: Ruler) -> list[str]:
    found = []
    for process in lanes.processes:
        top, bottom = ruler.y(process.from_s), ruler.y(process.to_s)
        found.append(
            f'<line class="life" x1="{process.x:.0f}" x2="{process.x:.0f}" '
            f'y1="{top:.1f}" y2="{bottom:.1f}"/>'
            f'<text class="process" x="{process.x + 6:.0f}" y="{top - 5:.1f}">'
            f"{escape(process.name)}</text>"
        )
    return found


def _mark(note: Note, told: Chosen, ruler: Ruler, lanes: Lanes) -> str:
    x, y = lanes.x(note), ruler.y(note.at_s)
    name = told.names.get(note.message, "")
    label = f"{note.kind} {name}".strip()
    arrow = ""
    if note.to_region and note.to_region != note.region:
        left, right = lanes.regions[note.to_region]
        to_x = left if left > x else right
        to_y = ruler.y(max(note.arrives_s, note.at_s))
        arrow = (
            f'<line class="travels" x1="{x:.0f}" y1="{y:.1f}" x2="{to_x:.0f}" y2="{to_y:.1f}" '
            'marker-end="url(#tip)"/>'
        )
    return (
        f'<g class="note {_COLOURS.get(note.kind, "other")}" data-m="{name}">'
        f"<title>{escape(_tip(note))}</title>{arrow}"
        f'<circle cx="{x:.0f}" cy="{y:.1f}" r="4"/>'
        f'<text x="{x + 7:.0f}" y="{y + 4:.1f}">{escape(label[:_LABEL_MAX])}</text></g>'
    )


def _violations(result: Result, told: Chosen, ruler: Ruler, lanes: Lanes) -> list[str]:
    return [
        f'<g class="violation"><title>{escape(each.what)}</title>'
        f'<line x1="{LEFT:.0f}" x2="{lanes.width:.0f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{LEFT + 4:.0f}" y="{y - 4:.1f}">'
        f"{escape(f'{each.checker}: {told.text(each.what)}'[:140])}</text></g>"
        for each in result.violations
        for y in [ruler.y(each.at)]
    ]


def _tip(note: Note) -> str:
    head = " ".join(filter(None, [f"{note.at_s:.3f} s", note.region, note.process, note.kind]))
    travels = f"\nto {note.to_region} at {note.arrives_s:.3f} s" if note.to_region else ""
    return f"{head}\n{note.text}{travels}" + (f"\n{note.message}" if note.message else "")
