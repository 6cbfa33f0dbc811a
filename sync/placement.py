"""Where a message is at home: the versioned placement map (PROTOCOL.md 1, 5, 10).

A home is a name that stands in message ids. It has a region, whose cores look after it first, and
a placement group: the regions that may journal, own and take over its messages. Two homes may
share a region, so that one tenant stays inside a group while the others use a wider one. Which
home a message has follows from its tenant and its recipient's country alone, never from health,
drain or stage; its shard (`shard_of` of tenant and recipient) does not depend on the home, so the
ids of one keyed message under two maps differ in the home only.

How versions change without a message sent twice:

- A core names in its lease the newest version that it has loaded. A version serves once every
  active lease names it or a newer one. Until then each core accepts by the newest version that it
  knows to serve; cores may find that out at different times, which does no harm, because
- a keyed message is looked for under the homes of *every* version that a core has loaded, the ones
  that do not serve yet too: somebody may already accept by them. An owner writes its own by-id row
  before it looks, so of two owners at once one sees the other. Where it sees a row without an
  intent, the one whose home comes later in the alphabet gives way and writes that it did; the
  other waits until that, an intent or an end stands there. So only one of them ever waits, and
  the rule does not depend on which versions each has loaded.
- A core reads the newest version once more after its first lease was applied and before it owns.
  Whoever counted the leases before this one then published before it reads. It may accept earlier,
  so that a core can start where no lease can be had: an older version is looked under, too.
- A version is kept until the keys that were accepted by it are forgotten.

Nothing raises here: what is wrong with a map comes as a list of refusals, and an empty list means
that it is good.
"""

import re
from collections.abc import Collection, Iterable, Iterator

from msgspec import Struct

from sync.agreed import Refusal

SHARDS_MAX = 4096
Group = tuple[str, tuple[str, ...]]  # a placement group's name, and its regions
_NAME = re.compile(r"[a-z][a-z0-9]{0,15}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_NAME_HINT = "Use a small letter, then up to 15 small letters or digits."


class Home(Struct, frozen=True, forbid_unknown_fields=True):
    """A home: the region whose cores look after it first, and its placement group."""

    region: str
    group: str


class TenantRule(Struct, frozen=True, forbid_unknown_fields=True):
    """A tenant's own rule. Its countries come first, then its default if it has one.

    Without a default the rules for everybody follow. `group` is the tenant's residency: the rule
    then needs a default, and each of its homes has to be of that group.
    """

    countries: dict[str, str] = {}
    default: str = ""
    group: str = ""


class PlacementMap(Struct, frozen=True, forbid_unknown_fields=True):
    """One version of the map. `shards` is the number of shards of each home and never changes."""

    version: int
    shards: int
    groups: dict[str, tuple[str, ...]]
    homes: dict[str, Home]
    default: str
    countries: dict[str, str] = {}
    tenants: dict[str, TenantRule] = {}


def world_map(regions: Collection[str], shards: int) -> PlacementMap:
    """The first map: each region is a home, all are one group; the first one is the default."""
    homes = {region: Home(region, "world") for region in regions}
    return PlacementMap(1, shards, {"world": tuple(regions)}, homes, next(iter(regions)))


def home_of(placement: PlacementMap, tenant: str, country: str) -> str:
    """The home of a message; `country` is the recipient's, "" where none is known."""
    rule = placement.tenants.get(tenant)
    if rule is not None:
        home = rule.countries.get(country) or rule.default
        if home:
            return home
    return placement.countries.get(country) or placement.default


def regions_of(placement: PlacementMap, home: str) -> tuple[str, ...]:
    """The regions that may journal, own and take over what is at this home; () for no home."""
    found = placement.homes.get(home)
    return () if found is None else placement.groups[found.group]


def may_act(placement: PlacementMap, home: str, region: str) -> bool:
    """Whether a region's cores may journal, own and take over this home's messages."""
    return region in regions_of(placement, home)


def groups_with_homes(placement: PlacementMap) -> list[Group]:
    """The placement groups of which there is a home."""
    names = {home.group for home in placement.homes.values()}
    return [(name, placement.groups[name]) for name in sorted(names)]


def problems(placement: PlacementMap) -> list[Refusal]:
    """Everything that is wrong with a map by itself."""
    return [
        *_numbers(placement),
        *_groups(placement),
        *_homes(placement),
        *_rules(placement),
    ]


def change_problems(old: PlacementMap, new: PlacementMap) -> list[Refusal]:
    """Everything that is wrong with `new` as the version after `old`, and with `new` by itself.

    Ids, logs and leases name homes, so a home stays, and stays in its group, whose keyspace holds
    its rows. The group's regions may change, after its replication was.
    """
    found = problems(new)
    if new.version != old.version + 1:
        what = f"the version is {new.version}, after version {old.version}"
        found.append(Refusal("next_version", "/version", what, f"Use {old.version + 1}."))
    if new.shards != old.shards:
        what = f"the number of shards is {new.shards}, and was {old.shards}"
        found.append(Refusal("shards_fixed", "/shards", what, f"Keep {old.shards}."))
    for name, home in old.homes.items():
        now = new.homes.get(name)
        if now is None:
            hint = "Keep the home, and let no rule name it any more."
            found.append(Refusal("home_stays", f"/homes/{name}", "the home is gone", hint))
        elif now.group != home.group:
            what = f"the home's group is {now.group}, and was {home.group}"
            hint = "Give the new group a home with a name of its own, and let the rules name that."
            found.append(Refusal("home_stays", f"/homes/{name}/group", what, hint))
    return found


def serving(versions: Collection[int], active_leases_map_versions: Iterable[int]) -> int:
    """The newest of the versions that every active lease names, or a newer one.

    Never older than the oldest version kept: what came before has served already. Where no lease
    is active nobody owns, and the newest serves; who could not read the leases must not ask.
    """
    named = min(active_leases_map_versions, default=max(versions))
    return max((one for one in versions if one <= named), default=min(versions))


class Kept(Struct, frozen=True):
    """A version that is kept. `replaced_at_ms` is None as long as it is used for accepting."""

    placement: PlacementMap
    replaced_at_ms: int | None = None


class MapBook:
    """The versions that a core has loaded, oldest first, and which of them it accepts by.

    `saved` is what `kept` said before, for the row that remembers it; what serves never goes back.
    `keys_kept_ms` is how long keys are remembered, with the clock bound in it.
    """

    def __init__(self, saved: Collection[Kept], keys_kept_ms: int) -> None:
        self.kept = sorted(saved, key=lambda one: one.placement.version)
        self._keys_kept_ms = keys_kept_ms
        # The versions before the one in use are those that have been replaced.
        self._serving = min(one.placement.version for one in saved if one.replaced_at_ms is None)

    @property
    def lease_version(self) -> int:
        """What the own lease names: the newest version loaded."""
        return self.kept[-1].placement.version

    @property
    def accepting(self) -> PlacementMap:
        """The map to accept by, and to judge by who may own and take over."""
        return next(one.placement for one in self.kept if one.placement.version == self._serving)

    @property
    def groups(self) -> list[Group]:
        """The placement groups with a home, of the version in use and of those that come after."""
        used = [one.placement for one in self.kept if one.replaced_at_ms is None]
        return list(dict.fromkeys(group for each in used for group in groups_with_homes(each)))

    def learn(self, placement: PlacementMap) -> list[Refusal]:
        """Load the next version; one that is known already, or is wrong, changes nothing."""
        if placement.version <= self.lease_version:
            return []
        found = change_problems(self.kept[-1].placement, placement)
        if not found:
            self.kept.append(Kept(placement))
        return found

    def saw_leases(self, active_leases_map_versions: Iterable[int], now_ms: int) -> bool:
        """All active leases were read, the own among them; whether a newer version now serves."""
        versions = [one.placement.version for one in self.kept]
        newest = serving(versions, active_leases_map_versions)
        if newest <= self._serving:
            return False
        self._serving = newest
        self.kept = [
            Kept(one.placement, now_ms)
            if one.replaced_at_ms is None and one.placement.version < newest
            else one
            for one in self.kept
        ]
        return True

    def forget(self, now_ms: int) -> list[int]:
        """Drop the versions by which no remembered key can have been accepted; which they were."""
        gone = [
            one.placement.version
            for one in self.kept
            if one.replaced_at_ms is not None and now_ms - one.replaced_at_ms > self._keys_kept_ms
        ]
        self.kept = [one for one in self.kept if one.placement.version not in gone]
        return gone

    def homes_of_key(self, tenant: str, country: str) -> tuple[str, ...]:
        """The homes under which a keyed message is looked for, each once, newest version first."""
        homes = (home_of(one.placement, tenant, country) for one in reversed(self.kept))
        return tuple(dict.fromkeys(homes))


def _numbers(placement: PlacementMap) -> Iterator[Refusal]:
    if placement.version < 1:
        what = f"the version is {placement.version}"
        yield Refusal("version", "/version", what, "Versions count from 1.")
    if not 1 <= placement.shards <= SHARDS_MAX:
        what = f"the number of shards is {placement.shards}"
        yield Refusal("shards", "/shards", what, f"Use 1 to {SHARDS_MAX}.")


def _groups(placement: PlacementMap) -> Iterator[Refusal]:
    for name, regions in placement.groups.items():
        where = f"/groups/{_step(name)}"
        if _NAME.fullmatch(name) is None:
            yield Refusal("name", where, f"{name!r} cannot name a group", _NAME_HINT)
        if not regions:
            yield Refusal("group_regions", where, "the group has no region", "Name at least one.")
        for index, region in enumerate(regions):
            if _NAME.fullmatch(region) is None:
                what = f"{region!r} cannot name a region"
                yield Refusal("name", f"{where}/{index}", what, _NAME_HINT)
            elif region in regions[:index]:
                what = f"the group names region {region} twice"
                yield Refusal("group_regions", f"{where}/{index}", what, "Name it once.")


def _homes(placement: PlacementMap) -> Iterator[Refusal]:
    for name, home in placement.homes.items():
        where = f"/homes/{_step(name)}"
        if _NAME.fullmatch(name) is None:
            yield Refusal("name", where, f"{name!r} cannot name a home", _NAME_HINT)
        if home.group not in placement.groups:
            hint = f"Name one of: {', '.join(placement.groups)}."
            yield Refusal("group_known", f"{where}/group", f"no group {home.group!r}", hint)
        elif home.region not in placement.groups[home.group]:
            what = f"region {home.region!r} is not of the home's group {home.group}"
            hint = f"Name one of: {', '.join(placement.groups[home.group])}."
            yield Refusal("home_in_group", f"{where}/region", what, hint)


def _rules(placement: PlacementMap) -> Iterator[Refusal]:
    yield from _named(placement, "/default", placement.default, "")
    yield from _countries(placement, "/countries", placement.countries, "")
    for tenant, rule in placement.tenants.items():
        where = f"/tenants/{_step(tenant)}"
        if not tenant or "\0" in tenant:
            yield Refusal("name", where, f"{tenant!r} cannot be a tenant", "Use the tenant's name.")
        if rule.group and rule.group not in placement.groups:
            hint = f"Name one of: {', '.join(placement.groups)}."
            yield Refusal("group_known", f"{where}/group", f"no group {rule.group!r}", hint)
            continue
        if rule.default:
            yield from _named(placement, f"{where}/default", rule.default, rule.group)
        elif rule.group:
            what = f"the tenant stays in group {rule.group} but has no default home there"
            hint = "Name a home of that group as its default."
            yield Refusal("residency", f"{where}/default", what, hint)
        yield from _countries(placement, f"{where}/countries", rule.countries, rule.group)


def _countries(
    placement: PlacementMap, where: str, countries: dict[str, str], group: str
) -> Iterator[Refusal]:
    for country, home in countries.items():
        if _COUNTRY.fullmatch(country) is None:
            what = f"{country!r} is no country"
            hint = "Use the two capital letters of ISO 3166."
            yield Refusal("country", f"{where}/{_step(country)}", what, hint)
        yield from _named(placement, f"{where}/{_step(country)}", home, group)


def _named(placement: PlacementMap, where: str, home: str, group: str) -> Iterator[Refusal]:
    """A rule names a home: it has to be there, and to be of the group where one is asked for."""
    found = placement.homes.get(home)
    if found is None:
        hint = f"Name one of: {', '.join(placement.homes)}."
        yield Refusal("home_known", where, f"no home {home!r}", hint)
    elif group and found.group != group:
        fit = [name for name, one in placement.homes.items() if one.group == group]
        hint = f"Name one of: {', '.join(fit)}." if fit else f"Give group {group} a home first."
        what = f"home {home} is of group {found.group}, the tenant stays in {group}"
        yield Refusal("residency", where, what, hint)


def _step(name: str) -> str:
    """A name as it stands in a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")
