"""By-id rows of several force numbers, as one (PROTOCOL.md 3 and 7).

Under one force number the row of the highest epoch counts, for its owner had read what the earlier
ones wrote. Owners of different numbers may not have read each other's rows: a later one that hid an
earlier one would hide an end, or where its records stand. So their rows are joined: what ended
under one number has ended, all pointers are kept, and the highest number says which body counts:
another that was fixed under a lower one is a conflict.
"""

from collections.abc import Iterable, Iterator
from functools import reduce

from sync.forced import force_of
from sync.lattice import join
from sync.records import ById, Place, State, decode_by_id, encode
from sync.store.port import ByIdRow


def latest(rows: Iterable[ByIdRow]) -> ByIdRow | None:
    """What counts of a message's rows, in any order; None where there is none."""
    highest: dict[int, ByIdRow] = {}
    for row in rows:
        force = force_of(row.epoch)
        there = highest.get(force)
        if there is None or (there.epoch, there.stamp) < (row.epoch, row.stamp):
            highest[force] = row
    ordered = [highest[force] for force in sorted(highest, reverse=True)]
    return _joined(ordered) if len(ordered) > 1 else (ordered[0] if ordered else None)


def _joined(rows: list[ByIdRow]) -> ByIdRow:
    """`rows`: one for each force number, the highest first."""
    top, known = rows[0], [decode_by_id(row.body) for row in rows]
    fixing = next((each for each in known if each.accept is not None), known[0])
    others = tuple(
        each.accept
        for each in known
        if each.accept is not None and each.body_hash not in (b"", fixing.body_hash)
    )
    shown = _all((*(each.conflicts for each in known), others))
    whole = ById(
        fixing.body_hash,
        reduce(join, _states(known)),
        any(each.ended for each in known),
        fixing.accept,
        _all(each.effects for each in known),
        _all(each.receipts for each in known),
        any(each.noted for each in known),
        tuple(place for place in shown if place != fixing.accept),
        known[0].gave_way,
    )
    return ByIdRow(top.part, top.id, top.epoch, encode(whole), top.stamp)


def _states(known: list[ById]) -> Iterator[State]:
    """Those of rows that no higher one has read: whose places it does not name."""
    named: set[Place] = set()
    for each in known:
        its = {*each.effects, *each.receipts}
        if not its <= named or each is known[0]:
            yield each.state
        named |= its


def _all(places: Iterable[tuple[Place, ...]]) -> tuple[Place, ...]:
    return tuple(dict.fromkeys(place for some in places for place in some))
