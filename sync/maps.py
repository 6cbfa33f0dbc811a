"""The row of the placement map: one register, changed by compare-and-set (PROTOCOL.md 1, 5).

It holds every version that is kept, oldest first. `published` is what people do: a next version
after the newest. What a core makes of the row is `sync.placement.MapBook`'s part. Where there is
no row yet, the first map of the settings stands for it.
"""

from collections.abc import Collection

from msgspec import Struct

from sync.agreed import Refusal
from sync.placement import Kept, PlacementMap, change_problems, groups_with_homes

VERSIONS_MAX = 16


class MapRow(Struct, frozen=True):
    """See the module's docstring. `nonce` tells one writer's change from another's."""

    nonce: str
    kept: tuple[Kept, ...]

    @property
    def version(self) -> int:
        """The newest version, whether it serves yet or not."""
        return self.kept[-1].placement.version


def published(
    kept: Collection[Kept], placement: PlacementMap, nonce: str, out: Collection[str] = ()
) -> MapRow | list[Refusal]:
    """The row with one more version after those `kept`, or everything that speaks against it.

    `out` are the regions that drain or are drained (`sync.serving`).
    """
    newest = list(kept)[-1].placement
    found = change_problems(newest, placement) or _left_by_all(newest, placement, out)
    if len(kept) >= VERSIONS_MAX:
        what = f"{len(kept)} versions are kept, for keys that were accepted by them"
        hint = "Wait until the keys of the oldest one are forgotten."
        found.append(Refusal("versions_max", "/version", what, hint))
    return found or MapRow(nonce, (*kept, Kept(placement)))


def _left_by_all(old: PlacementMap, new: PlacementMap, out: Collection[str]) -> list[Refusal]:
    """A placement group whose regions are all out, and which this change brings to that."""
    left = {name for name, regions in groups_with_homes(old) if set(regions) <= set(out)}
    hint = "Let one of them return first, or give the group another region."
    return [
        Refusal("group_serves", f"/groups/{name}", f"all of {', '.join(regions)} are out", hint)
        for name, regions in groups_with_homes(new)
        if set(regions) <= set(out) and name not in left
    ]
