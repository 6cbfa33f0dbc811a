"""Ownership that an operator forced when no majority was left (PROTOCOL.md 7).

An epoch is (force number, n), ordered by the force number first; a plain epoch is (0, n). It is
kept as one whole number, so every row and comparison stays as it is, and any forced epoch is above
all plain ones: what the lost regions still did counts as done by former owners.

Rows of `Forced` are only added; `ruling` says what they mean together, the highest number counts:

- `alone`: one region owns by itself, at the levels that it can reach: what is written at quorum
  else is written there at LOCAL_QUORUM, and its leases and shard rows are under compare-and-set at
  LOCAL_SERIAL, in tables of the number, which begin with nobody. It takes in no `global` message.
  One region, for no level of the store is a majority of a few regions.
- not alone: the usual levels hold again, in shard rows of the number, which begin with nobody too.
  The regions that are named may own; further ones are added by further rows. With no region it is
  a pause: nobody owns.

From one to the other it goes over a pause (`pause`, then `joined`): the pause stands in the region
that was alone and at quorum; then no right of before lasts when a lease's length and epsilon are
over; then what that region wrote is repaired into the others; and only then does anybody own at
quorum. Else an owner would not read what was written by one region for itself.

Two regions that were forced under the same number, or a pause and a region, are two operators who
did not see each other: *nobody* owns by that number until a higher one is given.

A process is under one ruling for its whole life (`Force.still` in the engine): it reads the rows
before each renewal, at quorum if it needs one, and its right runs from before that reading. So
whoever was not reached by a force, or by a pause, has no right left once it can hear of it.

What a region that was alone passed over (its floors) it passed over for itself: what it knew may
stand in its datacentre alone, and what others knew it may have missed. So the floors of its number
count for nothing under another one, and whoever owns next reads on from the last floor before: each
message that the region touched is looked up again, and what owners of both sides wrote of it is
joined.

What the operator accepts: regions that were given up and yet live, and are a majority, go on until
they hear of it. So a message may be sent once under each force number, within the bound each time.
It is marked where both intents are read.
"""

from collections.abc import Iterable

from msgspec import Struct

from sync.agreed import Refusal

N_BITS = 40


def epoch_of(force: int, n: int) -> int:
    """One number for (force number, n)."""
    assert force >= 0 and 0 <= n < 1 << N_BITS
    return force << N_BITS | n


def force_of(epoch: int) -> int:
    """The force number of an epoch, 0 for a plain one. It says in which table the row stands."""
    return epoch >> N_BITS


class Forced(Struct, frozen=True):
    """That `regions` own under force `number`; see the module's docstring."""

    number: int
    regions: tuple[str, ...]
    alone: bool = False


class Ruling(Struct, frozen=True):
    """What all rows say together. `regions` is None where every region may own. `apart` are the
    lower numbers by which a region owned alone."""

    number: int = 0
    regions: frozenset[str] | None = None
    alone: bool = False
    apart: frozenset[int] = frozenset()

    def may_own(self, region: str) -> bool:
        """Whether cores of this region may own anything."""
        return self.regions is None or region in self.regions

    def alone_in(self, region: str) -> bool:
        """Whether this region owns by itself, at its own levels."""
        return self.alone and self.may_own(region)


PLAIN = Ruling()


def ruling(rows: Iterable[Forced]) -> Ruling:
    """The highest force number, and who may own by it at which levels."""
    found = list(rows)
    number = max((row.number for row in found), default=0)
    if number == 0:
        return PLAIN
    top = [row for row in found if row.number == number]
    apart = frozenset(row.number for row in found if row.alone and row.number < number)
    if any(row.alone for row in top):
        agree = all(row == top[0] for row in top)
        return Ruling(number, frozenset(top[0].regions if agree else ()), agree, apart)
    return Ruling(number, frozenset(region for row in top for region in row.regions), False, apart)


def forced(rows: Iterable[Forced], region: str) -> Forced:
    """The row by which a region owns alone; where it does already, the one that stands."""
    now = ruling(rows)
    return Forced(now.number + (not now.alone_in(region)), (region,), alone=True)


def pause(rows: Iterable[Forced]) -> Forced | Refusal:
    """The row by which nobody owns, before regions join."""
    now = ruling(rows)
    if now.number == 0:
        what = "no region owns by force"
        return Refusal("nothing_forced", "regions", what, "There is nothing to join.")
    return Forced(now.number + 1, ())


def paused(rows: Iterable[Forced], number: int) -> bool:
    """Whether a pause stands under this number, and nobody gave it to a region as well."""
    same = [row for row in rows if row.number == number]
    return Forced(number, ()) in same and not any(row.alone for row in same)


def joined(now: Ruling, regions: Iterable[str]) -> Forced | Refusal:
    """The row by which these regions own, too, after they were repaired."""
    if now.number == 0 or now.alone:
        what = f"under force {now.number} one region owns alone"
        return Refusal("pause_first", "regions", what, "Pause, wait, repair; then let them join.")
    return Forced(now.number, tuple(sorted(regions)))
