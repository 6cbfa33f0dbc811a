"""The placement map without one of its rules (PROTOCOL.md 1, 5)."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager

from core.engine.logs import Logs
from sync import placement
from sync.naming import home_of as home_of_id
from sync.owner import elsewhere
from sync.owner.elsewhere import Verdict
from sync.owner.intake import Intake
from sync.owner.state import LookElsewhere, Msg, Phase
from sync.placement import MapBook, home_of
from sync.records import ById
from tests.support.mutations import Mutation, patched

Context = AbstractContextManager[None]


def newest_map_only() -> Context:
    """A keyed message is looked for under the home alone that the newest version gives it."""

    def homes(self: MapBook, tenant: str, country: str) -> tuple[str, ...]:
        return (home_of(self.kept[-1].placement, tenant, country),)

    return patched((MapBook, "homes_of_key", homes))


def served_before_all_name_it() -> Context:
    """A version serves as soon as it is known here."""

    def newest(versions: Collection[int], named: Iterable[int]) -> int:
        return max(versions)

    return patched((placement, "serving", newest))


def both_give_way() -> Context:
    """Whoever sees another message of its key gives way, whichever home comes first."""

    def verdict(_home: str, rows: Mapping[str, ById]) -> Verdict:
        for other, row in sorted(rows.items()):
            if not row.gave_way and (row.ended or row.accept or row.effects):
                return Verdict("give_way", other)
        return Verdict("free")

    return patched((elsewhere, "verdict", verdict))


def nobody_waits() -> Context:
    """The message whose home comes first goes on at once: the other will give way."""

    def verdict(home: str, rows: Mapping[str, ById]) -> Verdict:
        for other, row in sorted(rows.items()):
            stands = row.ended or (home_of_id(other) < home and (row.accept or row.effects))
            if stands and not row.gave_way:
                return Verdict("give_way", other)
        return Verdict("free")

    return patched((elsewhere, "verdict", verdict))


def looked_for_before_its_own_row() -> Context:
    """A keyed message is looked for elsewhere before its own by-id row stands."""
    not_known = Intake._not_known

    def look_first(self: Intake, msg: Msg, noting: list[Msg], now_ms: int) -> None:
        not_known(self, msg, noting, now_ms)
        others = self._others(msg) if msg.phase is Phase.NOTING else []
        if others:
            noting.remove(msg)
            msg.phase = Phase.SEEKING
            self.out.append(LookElsewhere(msg, others))

    return patched((Intake, "_not_known", look_first))


def groups_not_heeded() -> Context:
    """Whatever the placement group of a home, every region journals for it."""
    return patched((Logs, "open_to", lambda _self, _homes, globally: None))


MAPS: tuple[Mutation, ...] = (
    Mutation("newest_map_only", "5", "maps", newest_map_only),
    Mutation("map_served_before_all_name_it", "1", "unaware", served_before_all_name_it),
    Mutation("both_give_way", "5", "maps", both_give_way),
    Mutation("nobody_waits_elsewhere", "5", "maps", nobody_waits),
    Mutation("groups_not_heeded", "10", "maps", groups_not_heeded),
    Mutation("looked_for_before_its_own_row", "5", "maps", looked_for_before_its_own_row),
)
