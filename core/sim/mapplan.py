"""The changes of the placement map in a run, and what clients ask around them.

Each message gets a country; each change moves one country to another home. Copies of keyed
messages come in around the changes, so that their ids are minted by several versions; and new ones
come in at several regions at once, some of which have heard of the change. Of three regions one
home has a placement group of its own, which others join and leave. Where a profile says so, the
tenant gets rules of its own. Drawn from streams of their own: plans without maps are what they
would be without this.
"""

from random import Random

from msgspec.structs import replace

from core.sim.steps import Step
from core.sim.workload import DIGITS
from sync.placement import Home, PlacementMap, TenantRule, world_map

COUNTRIES = ("DE", "US", "JP")
NARROW = "narrow"
TENANT = "t"
TENANTS_RULE = "tenant "  # before the country that it is about
CHANGES_MAX = 4
RULES_MAX = 3
COPIES_MAX = 3
TWINS_MAX = 5
TWINS_WITHIN_S = 0.15
AROUND_S = (-1.0, 3.0)


def first_map(regions: tuple[str, ...], shards: int) -> PlacementMap:
    """The map before the first change: each country has a home, as long as there are regions.

    The last one of three is looked after by its own region and one more.
    """
    world = world_map(regions, shards)
    countries = {country: regions[at % len(regions)] for at, country in enumerate(COUNTRIES)}
    if len(regions) < 3:
        return replace(world, countries=countries)
    return replace(
        world,
        countries=countries,
        groups=world.groups | {NARROW: (regions[-1], regions[0])},
        homes=world.homes | {regions[-1]: Home(regions[-1], NARROW)},
    )


def changed(newest: PlacementMap, what: str, region: str) -> PlacementMap:
    """The next version: a country is at home there, for all or for the tenant; or the region joins
    the narrow group, or leaves it; the region of the group's home stays."""
    version, groups = newest.version + 1, newest.groups
    if what.startswith(TENANTS_RULE):
        rule = newest.tenants.get(TENANT, TenantRule())
        countries = rule.countries | {what.removeprefix(TENANTS_RULE): region}
        return replace(
            newest, version=version, tenants={TENANT: replace(rule, countries=countries)}
        )
    if what != NARROW:
        return replace(newest, version=version, countries=newest.countries | {what: region})
    first, *others = groups[NARROW]
    if region in others:
        others.remove(region)
    elif region != first:
        others.append(region)
    return replace(newest, version=version, groups=groups | {NARROW: (first, *others)})


def with_maps(
    seed: int,
    steps: list[Step],
    regions: tuple[str, ...],
    cores: int,
    faults_s: float,
    tenants: bool = False,
) -> list[Step]:
    """The steps with countries, with changes of the map, and with copies around these."""
    chance = Random(f"{seed}:maps")
    country_of: dict[str, str] = {}
    found: list[Step] = []
    for step in steps:
        if step.wish is not None:
            country = country_of.setdefault(step.id, chance.choice(COUNTRIES))
            step = replace(step, wish=replace(step.wish, country=country))
        found.append(step)
    changes = [
        _change(chance, regions, cores, chance.uniform(1.0, faults_s * 0.9))
        for _ in range(chance.randint(1, CHANGES_MAX))
    ]
    if tenants:
        changes += _rules(Random(f"{seed}:tenants"), regions, cores, faults_s)
    copies = _copies(chance, found, changes, regions, faults_s)
    return [*found, *changes, *copies, *_twins(chance, found, changes, regions, faults_s)]


def _change(chance: Random, regions: tuple[str, ...], cores: int, at_s: float) -> Step:
    """Some core is asked to let a country (`id`) be at home elsewhere (`other`), or to change the
    regions of the narrow group."""
    what = chance.choice((*COUNTRIES, NARROW) if len(regions) > 2 else COUNTRIES)
    asked, region = chance.choice(regions), chance.choice(regions)
    return Step(at_s, "map_change", asked, region, chance.randrange(cores), id=what)


def _rules(chance: Random, regions: tuple[str, ...], cores: int, faults_s: float) -> list[Step]:
    """Some core is asked to let the tenant's messages to a country be at home elsewhere."""
    return [
        Step(
            chance.uniform(1.0, faults_s * 0.9),
            "map_change",
            chance.choice(regions),
            chance.choice(regions),
            chance.randrange(cores),
            id=f"{TENANTS_RULE}{chance.choice(COUNTRIES)}",
        )
        for _ in range(chance.randint(1, RULES_MAX))
    ]


def _copies(
    chance: Random,
    steps: list[Step],
    changes: list[Step],
    regions: tuple[str, ...],
    faults_s: float,
) -> list[Step]:
    """Further copies of keyed messages, shortly before and after a change."""
    keyed = {s.id: s for s in steps if s.wish is not None and is_keyed(s.id)}
    found = []
    for step in keyed.values():
        for _ in range(chance.randint(0, COPIES_MAX)):
            at_s = _around(chance, changes, faults_s)
            found.append(replace(step, at_s=at_s, region=chance.choice(regions)))
    return found


def _twins(
    chance: Random,
    steps: list[Step],
    changes: list[Step],
    regions: tuple[str, ...],
    faults_s: float,
) -> list[Step]:
    """New keys, of which each comes in at two regions at nearly the same moment."""
    keyed = [s for s in steps if s.wish is not None and is_keyed(s.id)]
    found = []
    for _ in range(chance.randint(0, TWINS_MAX) * len(changes) if keyed else 0):
        like, change = chance.choice(keyed), chance.choice(changes)
        assert like.wish is not None
        tail = "".join(chance.choice(DIGITS) for _ in range(26))
        new = f"{like.id[: like.id.index('-') + 5]}{tail}"
        country = change.id if change.id in COUNTRIES else chance.choice(COUNTRIES)
        wish = replace(like.wish, id=new, country=country)
        at_s = _around(chance, [change], faults_s)
        for region in chance.sample(regions, 2):
            when_s = at_s + chance.uniform(0.0, TWINS_WITHIN_S)
            found.append(Step(when_s, "submit", region, id=new, wish=wish))
    return found


def _around(chance: Random, changes: list[Step], faults_s: float) -> float:
    at_s = chance.choice(changes).at_s + chance.uniform(*AROUND_S)
    return min(max(at_s, 0.3), faults_s * 0.95)


def is_keyed(message_id: str) -> bool:
    """Whether the id was made from an idempotency key."""
    return message_id.partition("-")[2].startswith("k")
