"""Keyed messages over versions of the placement map, and its placement groups.

A key has one id for each home that it was accepted under. Whatever the bodies, at most one of these
ids is ever sent; those that gave way did so to one that did not. A region outside of a home's group
journals and takes nothing of it; one that some version had in it may be late to hear that it left.
"""

from core.sim.checks.journal import Journal
from core.sim.history import History, ViolationError
from core.sim.mapplan import first_map, is_keyed
from core.sim.plan import Plan
from sync.maps import MapRow
from sync.placement import PlacementMap, regions_of


class Maps:
    """See the module's docstring."""

    def __init__(self, journal: Journal, history: History, plan: Plan) -> None:
        self._journal = journal
        self._history = history
        self._regions: dict[str, set[str]] = {}
        if plan.maps:
            self._note(first_map(plan.regions, plan.shards))

    def published(self, row: MapRow) -> None:
        """The row was set."""
        self._note(row.kept[-1].placement)

    def _note(self, placement: PlacementMap) -> None:
        for home in placement.homes:
            self._regions.setdefault(home, set()).update(regions_of(placement, home))

    def acts(self, home: str, core: str, what: str) -> None:
        """A core, whose name begins with its region, journals or takes something of the home."""
        if self._regions and not core.startswith(tuple(self._regions[home])):
            raise ViolationError("outside_of_group", f"{core} for {home}: {what}")

    def look(self) -> None:
        """At what reached providers so far."""
        for ids in self._keys():
            sent = [message_id for message_id in ids if self._history.sends(message_id)]
            if len(sent) > 1:
                raise ViolationError("sent_under_two_homes", f"one key: {sent}")

    def final(self) -> None:
        """Faults are over and everything had its time."""
        self.look()
        for ids in self._keys():
            known = [self._journal.by_id(message_id) for message_id in ids]
            stand = [row for row in known if row is not None and row.accept is not None]
            if stand and all(row.gave_way for row in stand):
                raise ViolationError("all_gave_way", f"one key: {ids}")

    def _keys(self) -> list[list[str]]:
        """The ids of each key that has several."""
        minted = self._history.minted
        found = [sorted(set(ids)) for planned, ids in minted.items() if is_keyed(planned)]
        return [ids for ids in found if len(ids) > 1]
