"""Reading segments of views from SQLite, newest first, without looking at any other.

The index has the kind before the time, so each kind is a seek of its own: what is rare is found at
once among much else. The kinds are merged by key, and only the segments of the answer are read.
"""

import sqlite3
from typing import Any

from sync.store.port import ViewRow

_NEWEST = "ORDER BY at_ms DESC, writer DESC, seq DESC LIMIT ?"
_AFTER_ALL = (1 << 62, "", 0)
_KINDS_AT_ONCE = 100


def read_views(
    db: sqlite3.Connection,
    part: str,
    kinds: list[str] | None,
    before: tuple[int, str, int] | None,
    limit: int,
) -> list[ViewRow]:
    """See `sync.store.port.JournalStore.views`."""
    wanted = _kinds_of(db, part) if kinds is None else kinds
    keys: list[Any] = []
    for at in range(0, len(wanted), _KINDS_AT_ONCE):
        keys += _keys(db, part, wanted[at : at + _KINDS_AT_ONCE], before or _AFTER_ALL, limit)
    newest = sorted(keys, reverse=True)[:limit]
    marks = ",".join("?" * len(newest))
    sql = f"SELECT rowid, kind, body FROM views WHERE rowid IN ({marks})"  # noqa: S608
    found = {r[0]: r[1:] for r in db.execute(sql, [key[3] for key in newest]).fetchall()}
    # One that expired between the two statements is left out.
    return [
        ViewRow(part, found[rowid][0], at_ms, writer, seq, found[rowid][1])
        for at_ms, writer, seq, rowid in newest
        if rowid in found
    ]


def _keys(
    db: sqlite3.Connection, part: str, kinds: list[str], before: tuple[int, str, int], limit: int
) -> list[Any]:
    one = (
        "SELECT * FROM (SELECT at_ms, writer, seq, rowid FROM views WHERE part=? AND kind=? "  # noqa: S608
        f"AND (at_ms, writer, seq) < (?,?,?) {_NEWEST})"
    )
    values = [value for kind in kinds for value in (part, kind, *before, limit)]
    return db.execute(" UNION ALL ".join([one] * len(kinds)), values).fetchall()


def _kinds_of(db: sqlite3.Connection, part: str) -> list[str]:
    """The kinds that the part has, from one to the next."""
    found: list[str] = []
    sql = "SELECT MIN(kind) FROM views WHERE part=?"
    kind = db.execute(sql, (part,)).fetchone()[0]
    while kind is not None:
        found.append(kind)
        kind = db.execute(f"{sql} AND kind>?", (part, kind)).fetchone()[0]
    return found
