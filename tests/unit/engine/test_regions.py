"""How the regions are: judged from what one core knows, and gathered from whole engines."""

from typing import Any

import pytest
from msgspec.structs import replace

from core.contract.regions import RegionOut
from core.engine.regions import CoreSeen, Seen, regions_out, seen_by
from core.engine.sightings import Sightings
from core.engine.signals import Beat
from sync.placement import Home, world_map
from sync.serving import RegionRow, ServingSet
from sync.store.memory_journal import MemoryJournal
from tests.support.wait import until
from tests.unit.engine.rig import HOME, OTHER, SHARDS, Rig

WORLD = world_map(("eu", "us", "ap"), 2)


def core(name: str, region: str, **how: Any) -> CoreSeen:
    return CoreSeen(
        name,
        region,
        how.get("counter", 9),
        1,
        how.get("heard_s", 0.2),
        how.get("heard", True),
        how.get("draining", False),
    )


def serving(**states: tuple[str, int, str]) -> ServingSet:
    rows = {
        region: RegionRow(state, share, 1, reason)  # type: ignore[arg-type]
        for region, (state, share, reason) in states.items()
    }
    return ServingSet(4, "n", rows)


SEEN = Seen(
    "eu",
    "e1",
    1_800_000_000_000,
    False,
    WORLD,
    serving(eu=("serving", 100, ""), us=("draining", 0, "new disks"), ap=("serving", 100, "")),
    0.5,
    [core("e1", "eu", heard_s=0.0), core("e2", "eu"), core("u1", "us"), core("a1", "ap")],
    {"eu": ["e1", "e2"], "us": ["e1", "u1"], "ap": ["a1", ""]},
    {"us": 3, "ap": 0},
)


def region(seen: Seen, name: str) -> RegionOut:
    return next(one for one in regions_out(seen).data if one.region == name)


def test_states_shares_lags_and_ages() -> None:
    told = regions_out(SEEN)
    assert [one.region for one in told.data] == ["ap", "eu", "us"]
    assert (told.region, told.answered_by, told.map_version) == ("eu", "e1", 1)
    assert (told.serving_age_s, told.isolated) == (0.5, False)
    eu, us, ap = (region(SEEN, name) for name in ("eu", "us", "ap"))
    assert (eu.state, eu.shards, eu.shards_share, eu.lag_rows) == ("serving", 3, 0.5, None)
    assert (us.state, us.reason, us.share_pct, us.lag_rows) == ("draining", "new disks", 0, 3)
    assert (ap.state, ap.shards, ap.heard_s, ap.lag_rows) == ("serving", 1, 0.2, 0)
    assert [(one.incarnation, one.shards) for one in eu.cores] == [("e1", 2), ("e2", 1)]
    assert eu.heard_s == 0.0


@pytest.mark.parametrize("intended", ["serving", "returning", "draining"])
def test_a_region_of_which_nothing_is_heard_is_silent(intended: str) -> None:
    rows = serving(ap=(intended, 100, ""))
    silent = [
        core("a1", "ap", heard_s=3.0, heard=False),
        core("a2", "ap", heard_s=None, heard=False),
    ]
    for cores in ([], silent):
        told = region(replace(SEEN, serving=rows, cores=cores), "ap")
        assert (told.state, told.intended) == ("silent", intended)
    assert [one.state for one in told.cores] == ["silent", "silent"]
    assert told.heard_s == 3.0
    one_lives = [*silent, core("a3", "ap")]
    told = region(replace(SEEN, serving=rows, cores=one_lives), "ap")
    assert (told.state, told.heard_s) == (intended, 0.2)


def test_a_drained_region_may_be_silent() -> None:
    drained = replace(SEEN, serving=serving(ap=("drained", 0, "gone")), cores=[])
    assert region(drained, "ap").state == "drained"


def test_the_region_that_answers_is_not_silent_without_a_lease() -> None:
    told = region(replace(SEEN, cores=[], isolated=True, serving=None), "eu")
    assert (told.state, told.share_pct, told.cores) == ("serving", 100, [])


def test_homes_with_those_that_look_after_them() -> None:
    narrow = replace(
        WORLD,
        groups=WORLD.groups | {"far": ("ap", "us")},
        homes=WORLD.homes | {"ap": Home("ap", "far")},
    )
    ap, eu, us = regions_out(replace(SEEN, placement=narrow)).homes
    assert (ap.home, ap.regions, ap.shards) == ("ap", ["ap", "us"], {"ap": 1, "": 1})
    assert (us.region, us.shards) == ("us", {"eu": 1, "us": 1})
    assert eu.shards == {"eu": 2}


def test_a_core_is_seen_alive_by_beats_and_by_a_lease_that_moves() -> None:
    seen = Sightings(beat_s=2.0, lease_s=4.0)
    seen.lease("c1", 5, 10.0)
    assert seen.age_s("c1", 11.0) is None, "when it was renewed nobody saw"
    seen.lease("c1", 5, 12.0)
    assert seen.age_s("c1", 12.0) is None
    seen.lease("c1", 6, 13.0)
    assert seen.age_s("c1", 15.0) == 2.0
    assert (seen.heard("c1", 16.9), seen.heard("c1", 17.0)) == (True, False)
    seen.beat("c1", 18.0)
    assert seen.age_s("c1", 18.5) == 0.5
    assert (seen.heard("c1", 19.9), seen.heard("c1", 20.0)) == (True, False)
    seen.keep([])
    assert (seen.age_s("c1", 18.5), seen.heard("c1", 18.5)) == (None, False)


# In whole engines


async def test_two_regions_see_each_other_and_one_that_is_gone() -> None:
    store = MemoryJournal((HOME, OTHER), SHARDS)
    one, two = Rig(store, "c1"), Rig(store, "c2", region=OTHER)
    await one.start()
    await two.start()
    await until(lambda: two.owned()[OTHER] == SHARDS)

    def known() -> Seen:
        return seen_by(one.engine, one.clock.wall_ms(), one.clock.boot())

    await until(lambda: region(known(), OTHER).shards == SHARDS, timeout_s=20.0)
    await until(lambda: region(known(), OTHER).state == "serving")
    assert region(known(), OTHER).shards_share == 0.5
    assert region(known(), OTHER).lag_rows is None, "no beat was heard"
    log = next(log for log in two.engine.logs.names if log.startswith(f"accept.{HOME}"))
    await until(lambda: one.engine.homes[HOME].clockwork.behind() == {} and one.reads(log))
    one.engine.heard(Beat("c2", 1, 1, {log: 3}, OTHER))
    assert region(known(), OTHER).lag_rows == 3
    where = one.engine.where
    stranger = one.message(OTHER).id
    assert where.owner_of(stranger) == ("c2", 1)
    assert where.urls(stranger) == ["http://c2"]
    assert where.urls(one.message(HOME).id) == []
    assert where.silent_regions(stranger) == []
    await two.end()
    await until(lambda: region(known(), OTHER).state == "silent", timeout_s=20.0)
    assert where.silent_regions(stranger) == [OTHER]
    await one.end()
