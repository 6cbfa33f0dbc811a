"""What was read of a cluster, what is wanted of it, and what there is to say about it."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

from msgspec import Struct

Level = Literal["refuse", "warn"]
Purpose = Literal["use", "init", "upgrade"]
_UNIT_MS = {
    "ns": 1e-6,
    "us": 1e-3,
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
}


class Node(Struct, frozen=True):
    """One node: where it is, and what it says; `silent` says why it says nothing."""

    datacenter: str
    address: str
    silent: str = ""
    release: str = ""
    settings: Mapping[str, str | None] = {}
    clock_ms: tuple[float, float] | None = None  # its clock less ours lies between these

    def setting(self, *names: str) -> str | None:
        """The first of these settings that the node knows; releases name some differently."""
        return next((found for each in names if (found := self.settings.get(each))), None)


class Keyspace(Struct, frozen=True):
    """One of our keyspaces, as it is."""

    replication: Mapping[str, int]
    durable_writes: bool = True
    read_repair: Mapping[str, str] = {}  # by table


class Seen(Struct, frozen=True):
    """All that was read of a cluster. `version` is its schema's, None where there is none."""

    nodes: tuple[Node, ...]
    keyspaces: Mapping[str, Keyspace] = {}
    version: int | None = None


class Wanted(Struct, frozen=True):
    """What the settings ask for, and for which purpose the cluster is looked at."""

    region: str
    keyspaces: Mapping[str, Mapping[str, int]]
    production: bool
    clock_bound_ms: int
    version: int
    purpose: Purpose = "use"
    tolerated: frozenset[str] = frozenset()


class Finding(Struct, frozen=True):
    """One thing that is not as it should be."""

    level: Level
    rule: str
    where: str
    what: str
    mend: str


Rule = Callable[[Seen, Wanted], Iterable[Finding]]


def speaking(seen: Seen) -> list[Node]:
    """The nodes that say something."""
    return [node for node in seen.nodes if not node.silent]


def places(nodes: Iterable[Node]) -> str:
    """Datacentres and addresses of these nodes, for people."""
    by_datacenter: dict[str, list[str]] = {}
    for node in nodes:
        by_datacenter.setdefault(node.datacenter, []).append(node.address)
    return "; ".join(f"{name}: {', '.join(all_)}" for name, all_ in by_datacenter.items())


def by_value(seen: Seen, *names: str) -> Iterator[tuple[str | None, str]]:
    """Each value of a setting, and which nodes have it."""
    nodes: dict[str | None, list[Node]] = {}
    for node in speaking(seen):
        nodes.setdefault(node.setting(*names), []).append(node)
    for value, having in nodes.items():
        yield value, places(having)


def hint_window_of(node: Node) -> int | None:
    """How long this node keeps hints, in milliseconds; None: it does not say."""
    return milliseconds(node.setting("max_hint_window", "max_hint_window_in_ms"))


def hint_window_ms(seen: Seen) -> int | None:
    """How long the cluster keeps hints for a node that is away, by its least; None: not known.

    A region that was away longer has to be repaired before it may own anything.
    """
    windows = [hint_window_of(node) for node in speaking(seen)]
    known = [each for each in windows if each is not None]
    return min(known) if known and len(known) == len(windows) else None


def milliseconds(text: str | None) -> int | None:
    """A duration as Cassandra writes it (`3h`, `2ms`), or a plain number of milliseconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h|d)?", text or "")
    return None if match is None else int(float(match[1]) * _UNIT_MS[match[2] or "ms"])
