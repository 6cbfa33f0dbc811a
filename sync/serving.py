"""Which regions take traffic: one row under compare-and-set (PROTOCOL.md 7).

A transition takes the row as it was read at SERIAL and gives the row to write if its version still
stands; the same row again when there is nothing to do, so that a repeat does no harm; or a
`Refusal` that names its rule. Each keeps at least one region fully `serving`, and the condition on
the version makes of two changes at once one after the other: two drains cannot leave none. A
change whose answer was lost is judged by `sync.agreed.settled`, or just made again.

The same holds within each placement group: shards of its homes go to its regions only, so the drain
of the last one that serves would never end. It is refused. Where the map changes in the same moment
a group may be left with none all the same: then the region keeps its shards and stays `draining`.
A region that was lost is out whatever becomes of its groups.

A drained region takes nothing new; `draining` lasts until its shards have been handed over. A
region that returns gets its share of traffic in steps. How long a step lasts is measured by
whoever takes the next one, on CLOCK_BOOTTIME (`Dwell`): no wall clock stands in the row.
Placement does not look at this row: homes stay where they are.
"""

from collections.abc import Collection
from typing import Literal

from msgspec import Struct

from sync.agreed import Refusal
from sync.placement import Group

RegionState = Literal["serving", "draining", "drained", "returning"]
RETURN_SHARES_PCT = (5, 25, 50, 100)


class RegionRow(Struct, frozen=True):
    """One region. `since_version` is the row's version that brought it to this state and share.

    `share_pct` is the part of its usual traffic that it takes; `reason` says why it is out.
    """

    state: RegionState
    share_pct: int
    since_version: int
    reason: str = ""


class ServingSet(Struct, frozen=True):
    """The row: version, nonce of the last writer, regions."""

    version: int
    nonce: str
    regions: dict[str, RegionRow]


def first_set(regions: list[str], nonce: str) -> ServingSet:
    """The row to begin with, written only where there is none: all regions serve."""
    return ServingSet(1, nonce, {region: RegionRow("serving", 100, 1) for region in regions})


def drain(
    current: ServingSet, region: str, reason: str, nonce: str, groups: Collection[Group] = ()
) -> ServingSet | Refusal:
    """The region takes nothing new from now on, and hands its shards over.

    `groups` are the placement groups of the maps that are, or may come to be, in use.
    """
    row = current.regions.get(region)
    if row is None:
        return _unknown(current, region)
    if row.state in ("draining", "drained"):
        return current
    if not _others(current, region, "serving"):
        return _last(current, region)
    for name, regions in groups:
        if region in regions and not set(regions) & set(_others(current, region, "serving")):
            return _last_of_group(current, region, name, regions)
    return _with(current, {region: ("draining", 0, reason)}, nonce)


def drained(current: ServingSet, region: str, nonce: str) -> ServingSet | Refusal:
    """The region, one of the row's, owns nothing any more and its logs are closed."""
    row = current.regions[region]
    if row.state == "drained":
        return current
    if row.state != "draining":
        what = f"region {region} is {row.state}"
        return Refusal("drain_first", region, what, "Drain it first, and wait for its shards.")
    return _with(current, {region: ("drained", 0, row.reason)}, nonce)


def lost(
    current: ServingSet, region: str, reason: str, nonce: str, groups: Collection[Group] = ()
) -> ServingSet | Refusal:
    """The region is gone: out at once, whatever it still owns.

    Where only regions that return would be left, at all or of a placement group, they serve fully
    from now on: there is nobody else. Refused when none would be left at all, since nothing is won
    by it.
    """
    row = current.regions.get(region)
    if row is None:
        return _unknown(current, region)
    if row.state == "drained":
        return current
    serving, returning = _others(current, region, "serving"), _others(current, region, "returning")
    if not serving and not returning:
        return _last(current, region)
    changed: dict[str, tuple[RegionState, int, str]] = {region: ("drained", 0, reason)}
    for regions in (tuple(current.regions), *(regions for _, regions in groups)):
        if region in regions and not set(regions) & set(serving):
            back = [each for each in returning if each in regions]
            changed |= dict.fromkeys(back, ("serving", 100, ""))
    return _with(current, changed, nonce)


def begin_return(current: ServingSet, region: str, nonce: str) -> ServingSet | Refusal:
    """The region comes back, or its drain is given up: it takes the first small share."""
    row = current.regions.get(region)
    if row is None:
        return _unknown(current, region)
    if row.state in ("serving", "returning"):
        return current
    return _with(current, {region: ("returning", RETURN_SHARES_PCT[0], "")}, nonce)


def next_share(
    current: ServingSet, region: str, dwelt_s: float, dwell_min_s: float, nonce: str
) -> ServingSet | Refusal:
    """The next larger share of a region of the row that returns; with the last one it serves.

    `dwelt_s` is how long the caller has itself seen the share that the region has (`Dwell`).
    """
    row = current.regions[region]
    if row.state == "serving":
        return current
    if row.state != "returning":
        what = f"region {region} is {row.state}"
        return Refusal("return_first", region, what, "Let it return first.")
    if dwelt_s < dwell_min_s:
        what = f"region {region} has had {row.share_pct} % for {dwelt_s:.0f} s"
        hint = f"Wait until it has had it for {dwell_min_s:.0f} s."
        return Refusal("return_dwell", region, what, hint)
    share = next(one for one in RETURN_SHARES_PCT if one > row.share_pct)
    state: RegionState = "serving" if share == 100 else "returning"
    return _with(current, {region: (state, share, "")}, nonce)


def shares(current: ServingSet) -> dict[str, int]:
    """The regions that take traffic and how much of their usual part, in percent."""
    return {name: row.share_pct for name, row in sorted(current.regions.items()) if row.share_pct}


def out(current: ServingSet | None) -> list[str]:
    """The regions that drain or are drained; none of them before there is a row."""
    regions = {} if current is None else current.regions
    return [name for name, row in sorted(regions.items()) if row.state in ("draining", "drained")]


class Dwell:
    """How long one process has seen each region in the state and share that it has."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float]] = {}

    def saw(self, current: ServingSet, now_s: float) -> None:
        """The row was read, at this time on CLOCK_BOOTTIME; a region that changed starts anew."""
        self._seen = {
            region: self._first_seen(region, row.since_version, now_s)
            for region, row in current.regions.items()
        }

    def dwelt_s(self, region: str, now_s: float) -> float:
        """For how long; 0 for a region that was never seen."""
        seen = self._seen.get(region)
        return 0.0 if seen is None else now_s - seen[1]

    def _first_seen(self, region: str, since_version: int, now_s: float) -> tuple[int, float]:
        seen = self._seen.get(region)
        return (since_version, now_s) if seen is None or seen[0] < since_version else seen


def _others(current: ServingSet, region: str, state: RegionState) -> list[str]:
    """The other regions of this state."""
    found = (name for name, row in current.regions.items() if row.state == state)
    return sorted(name for name in found if name != region)


def _with(
    current: ServingSet, changed: dict[str, tuple[RegionState, int, str]], nonce: str
) -> ServingSet:
    version = current.version + 1
    rows = {
        region: RegionRow(state, share_pct, version, reason)
        for region, (state, share_pct, reason) in changed.items()
    }
    return ServingSet(version, nonce, current.regions | rows)


def _unknown(current: ServingSet, region: str) -> Refusal:
    hint = f"Name one of: {', '.join(sorted(current.regions))}."
    return Refusal("region_known", region, f"no region {region!r}", hint)


def _last(current: ServingSet, region: str) -> Refusal:
    back = _others(current, region, "returning")
    what = f"no other region than {region} serves fully"
    if back:
        hint = f"Wait until {', '.join(back)} has all of its share again."
    else:
        hint = "Let another region return first."
    return Refusal("last_serving_region", region, what, hint)


def _last_of_group(
    current: ServingSet, region: str, name: str, regions: Collection[str]
) -> Refusal:
    others = sorted(set(regions) & current.regions.keys() - {region})
    if others:
        states = ", ".join(f"{one} is {current.regions[one].state}" for one in others)
        what = f"no other region of placement group {name} serves fully: {states}"
        hint = f"Let {' or '.join(others)} return first, and wait for all of its share."
    else:
        what = f"placement group {name} has no other region"
        hint = "Publish a map in which it has one first."
    return Refusal("last_serving_of_group", region, what, hint)
