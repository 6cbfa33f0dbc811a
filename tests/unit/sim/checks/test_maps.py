"""Keys that have ids under several homes."""

import pytest

from core.sim.checks.journal import Journal
from core.sim.checks.maps import Maps
from core.sim.history import FirstByte, History, ViolationError
from core.sim.mapplan import NARROW, changed, first_map
from core.sim.plan import plan_of
from core.sim.trace import Trace
from sync.maps import MapRow
from sync.placement import Kept
from sync.records import ById, Place, encode
from sync.store.port import ByIdRow, PutById

PLAN = next(p for p in (plan_of(seed, "maps") for seed in range(20)) if len(p.regions) == 3)
PLANNED = "eu-k000" + "a" * 26
ONE, OTHER = PLANNED, "us" + PLANNED[2:]


@pytest.fixture
def history() -> History:
    made = History(Trace())
    made.minted = {PLANNED: [ONE, OTHER, ONE]}
    return made


def call(message_id: str) -> FirstByte:
    return FirstByte(1.0, message_id, 1, "plain", "", "A", "a", "c1", "eu", True)


def ended(journal: Journal, message_id: str, gave_way: bool) -> None:
    known = ById(b"A", "canceled", True, Place("accept.h.l.c.0", 1, 0), gave_way=gave_way)
    journal.add(PutById([ByIdRow("p", message_id, 1, encode(known))]), 1, 0.0, 0)


def test_sends_under_one_id_are_not_its_business(history: History) -> None:
    history.bytes += [call(ONE), call(ONE)]
    Maps(Journal(), history, PLAN).final()


def test_sends_under_two_homes_are_found(history: History) -> None:
    history.bytes += [call(ONE), call(OTHER)]
    with pytest.raises(ViolationError, match="sent_under_two_homes"):
        Maps(Journal(), history, PLAN).look()


def test_that_all_gave_way_is_found(history: History) -> None:
    journal = Journal()
    ended(journal, ONE, gave_way=True)
    ended(journal, OTHER, gave_way=False)
    Maps(journal, history, PLAN).final()
    ended(journal, OTHER, gave_way=True)
    with pytest.raises(ViolationError, match="all_gave_way"):
        Maps(journal, history, PLAN).final()


def test_a_region_outside_of_every_version_of_the_group_is_found(history: History) -> None:
    maps = Maps(Journal(), history, PLAN)
    maps.acts("us", "apc1", "a row")
    maps.acts("ap", "euc1", "a row")
    with pytest.raises(ViolationError, match="outside_of_group"):
        maps.acts("ap", "usc1", "a row")
    second = changed(first_map(PLAN.regions, PLAN.shards), NARROW, "us")
    maps.published(MapRow("n", (Kept(second),)))
    maps.acts("ap", "usc1", "a row")
