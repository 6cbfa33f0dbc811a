"""Ownership that an operator forced when no majority was left (PROTOCOL.md 7).

An epoch is (force number, n), ordered by the force number first; a plain epoch is (0, n). It is
kept as one whole number, so every row and comparison stays as it is, and any forced epoch is above
all plain ones: what the lost regions still did counts as done by former owners.

A `Forced` row says which regions own since; its shards have rows of their own, at a level that
those regions can reach, and start with nobody. The others own nothing until they have joined:
`may_own` is False for them, whatever their plain shard rows say. Joining adds a region only after
it was repaired. The highest number counts; two rows of the same number that name different regions
are two operators who did not see each other, and then *nobody* owns until a higher number is given.

A core whose right had lapsed reads these rows, asking each region, before it acts again: its
renewal may be applied by the majority that came back before it has heard that it was forced out.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from sync.store.port import ShardRow

N_BITS = 40


def epoch_of(force: int, n: int) -> int:
    """One number for (force number, n)."""
    assert force >= 0 and 0 <= n < 1 << N_BITS
    return force << N_BITS | n


def force_of(epoch: int) -> int:
    """The force number of an epoch, 0 for a plain one. It says in which table the row stands."""
    return epoch >> N_BITS


class Forced(Struct, frozen=True):
    """That `regions` own since force `number`; `joined` came back to them later."""

    number: int
    regions: tuple[str, ...]
    joined: tuple[str, ...] = ()


class Ruling(Struct, frozen=True):
    """What all forced rows say together. `regions` is None where every region may own."""

    number: int
    regions: frozenset[str] | None


def ruling(rows: Iterable[Forced]) -> Ruling:
    """The highest force number and who may own by it."""
    found = list(rows)
    number = max((row.number for row in found), default=0)
    if number == 0:
        return Ruling(0, None)
    top = [row for row in found if row.number == number]
    if len({frozenset(row.regions) for row in top}) > 1:
        return Ruling(number, frozenset())
    return Ruling(number, frozenset(r for row in top for r in (*row.regions, *row.joined)))


def may_own(rows: Iterable[Forced], region: str) -> bool:
    """Whether cores of this region may own anything."""
    allowed = ruling(rows).regions
    return allowed is None or region in allowed


def may_act(lapsed_at: float | None, rows_read_at: float | None) -> bool:
    """Whether the forced rows were read (asked for) since the own right last lapsed, if ever."""
    return lapsed_at is None or (rows_read_at is not None and rows_read_at >= lapsed_at)


def next_number(rows: Sequence[Forced]) -> int:
    """The number for the next force: above all that were seen."""
    return ruling(rows).number + 1


def first_rows(shards: int, number: int) -> list[ShardRow]:
    """The forced table's shard rows to begin with: nobody's, so that they are taken as always."""
    return [ShardRow(shard, "", epoch_of(number, 0)) for shard in range(shards)]
