"""Where messages are at home, which maps are good, and how a new version comes into force."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contract.ids import is_home, mint_keyed, parse_id, shard_of
from sync.naming import id_facts
from sync.placement import (
    Home,
    Kept,
    MapBook,
    PlacementMap,
    TenantRule,
    change_problems,
    home_of,
    may_act,
    problems,
    regions_of,
    serving,
    world_map,
)

WORLD = PlacementMap(
    version=1,
    shards=64,
    groups={"world": ("eu", "us", "ap"), "europe": ("eu", "eu2"), "alone": ("ap",)},
    homes={
        "eu": Home("eu", "world"),
        "us": Home("us", "world"),
        "ap": Home("ap", "world"),
        "eugroup": Home("eu", "europe"),
        "aponly": Home("ap", "alone"),
    },
    default="us",
    countries={"DE": "eu", "JP": "ap"},
    tenants={
        "bank": TenantRule(default="eugroup", group="europe"),
        "shop": TenantRule(countries={"JP": "aponly"}),
        "pinned": TenantRule(countries={"DE": "us"}, default="ap"),
    },
)
KEPT_MS = 1000


def changed(**fields: Any) -> PlacementMap:
    return msgspec.structs.replace(WORLD, **fields)


def following(version: int, **fields: Any) -> PlacementMap:
    return changed(version=version, **fields)


@pytest.mark.parametrize(
    ("tenant", "country", "home"),
    [
        ("anyone", "DE", "eu"),
        ("anyone", "FR", "us"),
        ("anyone", "", "us"),
        ("bank", "DE", "eugroup"),
        ("bank", "JP", "eugroup"),
        ("shop", "JP", "aponly"),
        ("shop", "DE", "eu"),
        ("shop", "FR", "us"),
        ("pinned", "DE", "us"),
        ("pinned", "JP", "ap"),
    ],
)
def test_the_tenants_rule_comes_before_the_country_and_that_before_the_default(
    tenant: str, country: str, home: str
) -> None:
    assert home_of(WORLD, tenant, country) == home


def test_a_group_says_who_may_journal_own_and_take_over() -> None:
    assert regions_of(WORLD, "eugroup") == ("eu", "eu2")
    assert may_act(WORLD, "eugroup", "eu2")
    assert not may_act(WORLD, "eugroup", "us")
    assert regions_of(WORLD, "nowhere") == ()
    assert not may_act(WORLD, "nowhere", "eu")


def test_the_first_map_makes_each_region_a_home() -> None:
    one = world_map(["local"], 64)
    assert problems(one) == []
    assert home_of(one, "anyone", "DE") == "local"
    three = world_map(["eu", "us", "ap"], 64)
    assert problems(three) == []
    assert regions_of(three, "us") == ("eu", "us", "ap")


def test_a_map_survives_being_written_down() -> None:
    assert msgspec.json.decode(msgspec.json.encode(WORLD), type=PlacementMap) == WORLD


def test_a_good_map_has_no_problems() -> None:
    assert problems(WORLD) == []


@pytest.mark.parametrize(
    ("fields", "rule", "where"),
    [
        ({"version": 0}, "version", "/version"),
        ({"shards": 0}, "shards", "/shards"),
        ({"shards": 4097}, "shards", "/shards"),
        ({"groups": WORLD.groups | {"Big": ("eu",)}}, "name", "/groups/Big"),
        ({"groups": WORLD.groups | {"more": ()}}, "group_regions", "/groups/more"),
        ({"groups": WORLD.groups | {"more": ("eu", "eu")}}, "group_regions", "/groups/more/1"),
        ({"groups": WORLD.groups | {"more": ("e-u",)}}, "name", "/groups/more/0"),
        ({"homes": WORLD.homes | {"e-u": Home("eu", "world")}}, "name", "/homes/e-u"),
        ({"homes": WORLD.homes | {"x": Home("eu", "no")}}, "group_known", "/homes/x/group"),
        ({"homes": WORLD.homes | {"x": Home("us", "europe")}}, "home_in_group", "/homes/x/region"),
        ({"default": "mars"}, "home_known", "/default"),
        ({"countries": {"DE": "mars"}}, "home_known", "/countries/DE"),
        ({"countries": {"de/at": "eu"}}, "country", "/countries/de~1at"),
        ({"tenants": {"": TenantRule()}}, "name", "/tenants/"),
        ({"tenants": {"t": TenantRule(group="no")}}, "group_known", "/tenants/t/group"),
        ({"tenants": {"t": TenantRule(group="europe")}}, "residency", "/tenants/t/default"),
        (
            {"tenants": {"t": TenantRule(default="us", group="europe")}},
            "residency",
            "/tenants/t/default",
        ),
        (
            {"tenants": {"t": TenantRule({"DE": "eu"}, "eugroup", "europe")}},
            "residency",
            "/tenants/t/countries/DE",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_a_way_to_mend_it(
    fields: dict[str, Any], rule: str, where: str
) -> None:
    (found,) = problems(changed(**fields))
    assert (found.rule, found.where) == (rule, where)
    assert found.what
    assert found.hint.endswith(".")


@pytest.mark.parametrize(
    ("fields", "rule", "where"),
    [
        ({"version": 3}, "next_version", "/version"),
        ({"version": 1}, "next_version", "/version"),
        ({"version": 2, "shards": 128}, "shards_fixed", "/shards"),
        (
            {"version": 2, "homes": {n: h for n, h in WORLD.homes.items() if n != "eu"}},
            "home_stays",
            "/homes/eu",
        ),
        (
            {"version": 2, "homes": WORLD.homes | {"eu": Home("eu", "europe")}},
            "home_stays",
            "/homes/eu/group",
        ),
    ],
)
def test_what_a_next_version_may_not_change(fields: dict[str, Any], rule: str, where: str) -> None:
    found = change_problems(WORLD, changed(**fields))
    assert (rule, where) in [(one.rule, one.where) for one in found]


def test_a_home_may_move_to_another_region_of_its_group() -> None:
    moved = following(2, homes=WORLD.homes | {"ap": Home("us", "world")})
    assert change_problems(WORLD, moved) == []


def test_a_version_serves_once_every_active_lease_names_it_or_a_newer_one() -> None:
    assert serving([1, 2, 3], [3, 2, 3]) == 2
    assert serving([1, 2, 3], [3, 1]) == 1
    assert serving([1, 2], [2, 2, 4]) == 2
    assert serving([2, 3], [1, 3]) == 2  # what came before version 2 has served already
    assert serving([1, 2], []) == 2


def test_a_core_accepts_by_the_old_version_until_the_new_one_serves() -> None:
    book = MapBook([Kept(WORLD)], KEPT_MS)
    newer = following(2, countries={"DE": "us", "JP": "ap"})
    assert book.learn(newer) == []
    assert book.lease_version == 2
    assert not book.saw_leases([2, 1], 0)
    assert home_of(book.accepting, "anyone", "DE") == "eu"
    assert book.saw_leases([2, 2], 0)
    assert home_of(book.accepting, "anyone", "DE") == "us"
    assert not book.saw_leases([2, 1], 0)  # a lease of a core that has not read the map yet
    assert book.accepting == newer


def test_a_wrong_or_known_version_changes_nothing() -> None:
    book = MapBook([Kept(WORLD)], KEPT_MS)
    assert [one.rule for one in book.learn(following(3))] == ["next_version"]
    assert book.learn(WORLD) == []
    assert book.kept == [Kept(WORLD)]


def test_a_keyed_message_is_looked_for_under_all_versions_also_one_that_does_not_serve() -> None:
    book = MapBook([Kept(WORLD)], KEPT_MS)
    book.learn(following(2, countries={"DE": "us"}))
    book.learn(following(3, countries={"DE": "us"}))
    assert book.homes_of_key("anyone", "DE") == ("us", "eu")
    assert book.homes_of_key("anyone", "FR") == ("us",)
    assert book.accepting.version == 1


def test_ids_of_one_keyed_message_differ_in_the_home_only() -> None:
    shard = shard_of("anyone", "+4930123", WORLD.shards)
    ids = [mint_keyed(home, shard, "anyone", "k", 0) for home in ("eu", "us")]
    assert ids[0].removeprefix("eu") == ids[1].removeprefix("us")
    for one, home in zip(ids, ("eu", "us"), strict=True):
        facts, parsed = id_facts(one), parse_id(one)
        assert facts is not None
        assert parsed is not None
        assert (facts.home, facts.shard) == (parsed.home, parsed.shard) == (home, shard)


def test_a_version_is_forgotten_when_the_keys_accepted_by_it_are() -> None:
    book = MapBook([Kept(WORLD)], KEPT_MS)
    book.learn(following(2, countries={"DE": "us"}))
    assert book.forget(10**9) == []
    book.saw_leases([2], 500)
    assert book.forget(500 + KEPT_MS) == []
    again = MapBook(book.kept, KEPT_MS)
    assert again.accepting.version == 2
    assert again.homes_of_key("anyone", "DE") == ("us", "eu")
    assert again.forget(501 + KEPT_MS) == [1]
    assert again.homes_of_key("anyone", "DE") == ("us",)


versions = st.lists(st.integers(1, 9), min_size=1, max_size=5, unique=True)


@given(versions, st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_no_version_serves_that_an_active_lease_does_not_know(
    kept: list[int], leases: list[int]
) -> None:
    served = serving(kept, leases)
    assert served in kept
    assert served == min(kept) or all(named >= served for named in leases)
    assert serving(kept, [*leases, max(kept)]) == served
    better = [named + 1 for named in leases]
    assert serving(kept, better) >= served


@given(st.lists(st.tuples(st.sampled_from(["publish", "load", "look"]), st.integers(0, 2))))
def test_a_key_is_found_wherever_another_core_may_have_accepted_it(
    events: list[tuple[str, int]],
) -> None:
    """Three cores load the map and look at the leases in any order; each may accept at any time.

    The owner that decides has loaded every version by which any of them accepts.
    """
    books = [MapBook([Kept(WORLD)], KEPT_MS) for _ in range(3)]
    published = [WORLD]
    targets = ("eu", "us", "ap")
    for what, core in events:
        if what == "publish":
            version = len(published) + 1
            published.append(following(version, countries={"DE": targets[version % 3]}))
        elif what == "load" and books[core].lease_version < len(published):
            assert books[core].learn(published[books[core].lease_version]) == []
        elif what == "look":
            before = books[core].accepting.version
            books[core].saw_leases([book.lease_version for book in books], 0)
            assert books[core].accepting.version >= before
        accepted = {home_of(book.accepting, "anyone", "DE") for book in books}
        for book in books:
            assert accepted <= set(book.homes_of_key("anyone", "DE"))


names = st.from_regex(r"[a-z][a-z0-9]{0,15}|[A-Za-z-]{0,3}", fullmatch=True)


@given(names)
def test_homes_are_named_as_ids_can_name_them(name: str) -> None:
    found = problems(changed(homes=WORLD.homes | {name: Home("eu", "world")}))
    assert (found == []) == is_home(name)
