"""What operators ask for by mistake: maps that cannot be, and regions that there are not; and
clients: to cancel what nobody minted.

Each must be refused. Drawn from streams of their own.
"""

from collections.abc import Callable
from random import Random

from msgspec.structs import replace

from core.sim.steps import Step
from sync.placement import Home, PlacementMap, TenantRule

NOWHERE = "nowhere"  # no region
REGIONS_MAX = 3
FLOODS = 0.2  # in so many of the runs more versions are published than are kept
MADE_UP = ("", "k000", "x0000000000000000", "uxyz0000000000000")
MADE_UP_MAX = 5
TOO_NEW = 100  # so many versions at once no run publishes


def _without(old: PlacementMap, new: PlacementMap) -> PlacementMap:
    gone = next(reversed(old.homes))
    return replace(new, homes={name: one for name, one in old.homes.items() if name != gone})


def _moved(old: PlacementMap, new: PlacementMap) -> PlacementMap:
    name, home = next(iter(old.homes.items()))
    groups = old.groups | {"other": (home.region,)}
    return replace(new, groups=groups, homes=old.homes | {name: Home(home.region, "other")})


def _group(*regions: str) -> Callable[[PlacementMap, PlacementMap], PlacementMap]:
    return lambda old, new: replace(new, groups=old.groups | {"more": regions})


def _home(name: str, home: Home) -> Callable[[PlacementMap, PlacementMap], PlacementMap]:
    return lambda old, new: replace(new, homes=old.homes | {name: home})


def _country(country: str, home: str) -> Callable[[PlacementMap, PlacementMap], PlacementMap]:
    return lambda old, new: replace(new, countries=old.countries | {country: home or old.default})


def _tenant(name: str, rule: TenantRule) -> Callable[[PlacementMap, PlacementMap], PlacementMap]:
    return lambda old, new: replace(new, tenants=old.tenants | {name: rule})


def _elsewhere(old: PlacementMap, new: PlacementMap) -> PlacementMap:
    """A tenant stays in a group of which its default home is not; with a fitting one, or none."""
    groups = old.groups | {"more": (old.homes[old.default].region,)}
    rule = TenantRule(default=old.default, group="more")
    return replace(new, groups=groups, tenants={"t": rule})


def _elsewhere_beside(old: PlacementMap, new: PlacementMap) -> PlacementMap:
    wrong = _elsewhere(old, new)
    return replace(wrong, homes=old.homes | {"more": Home(old.homes[old.default].region, "more")})


# The newest map and the next version of it -> what is asked for.
MAPS: dict[str, Callable[[PlacementMap, PlacementMap], PlacementMap]] = {
    "version ahead": lambda old, new: replace(new, version=old.version + TOO_NEW),
    "version zero": lambda _, new: replace(new, version=0),
    "more shards": lambda old, new: replace(new, shards=old.shards + 1),
    "no shards": lambda _, new: replace(new, shards=0),
    "home gone": _without,
    "home in another group": _moved,
    "default unknown": lambda _, new: replace(new, default=NOWHERE),
    "group's name": lambda old, new: replace(new, groups=old.groups | {"a/b": ("eu",)}),
    "group without regions": _group(),
    "group with a region twice": _group("eu", "eu"),
    "region's name": _group("E U"),
    "home's name": _home("Not~a home", Home("eu", "world")),
    "home without a group": _home("new", Home("eu", NOWHERE)),
    "home outside of its group": _home("new", Home(NOWHERE, "world")),
    "country": _country("de", ""),
    "country without a home": _country("DE", NOWHERE),
    "tenant without a name": _tenant("", TenantRule()),
    "tenant in no group": _tenant("t", TenantRule(group=NOWHERE)),
    "tenant without a default": _tenant("t", TenantRule({"DE": NOWHERE}, group="world")),
    "tenant elsewhere": _elsewhere,
    "tenant beside its group": _elsewhere_beside,
}


def mistaken(newest: PlacementMap, what: str) -> PlacementMap:
    """The map that is asked for, after the newest one that is known."""
    return MAPS[what](newest, replace(newest, version=newest.version + 1))


def mistakes(seed: int, regions: tuple[str, ...], cores: int, faults_s: float) -> list[Step]:
    """Cores are asked for each wrong map (`id`), for a region that there is not, and sometimes for
    one version after the other."""
    chance = Random(f"{seed}:mistakes")
    kinds = [("map_mistake", what) for what in MAPS]
    kinds += [("region_mistake", "")] * chance.randint(0, REGIONS_MAX)
    kinds += [("map_flood", "")] * (chance.random() < FLOODS)
    return [
        Step(
            chance.uniform(0.5, faults_s),
            kind,
            chance.choice(regions),
            number=chance.randrange(cores),
            id=what,
        )
        for kind, what in kinds
    ]


def made_up(seed: int, regions: tuple[str, ...], faults_s: float) -> list[Step]:
    """Clients ask to cancel messages by ids that are none."""
    chance = Random(f"{seed}:made up")
    return [
        Step(
            chance.uniform(0.5, faults_s),
            "cancel",
            chance.choice(regions),
            id=f"{chance.choice(regions)}-{chance.choice(MADE_UP)}",
        )
        for _ in range(chance.randint(1, MADE_UP_MAX))
    ]
