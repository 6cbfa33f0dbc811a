"""The rows of all replicas at once: each version of a row knows which replicas have it.

A replica is a bit. So a write that arrives sets bits instead of copying rows, and a read looks,
in the replicas that it asked, for the version of the highest rank. What ranks: a later stamp (last
writer wins); of by-id rows and open entries first the epoch; of what is written once (log rows,
keys, segments) the earliest.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from core.sim.store.replicas import Configuration
from sync.forced import force_of
from sync.store.port import (
    OpenRow,
    PutById,
    PutFloor,
    PutForced,
    PutKey,
    PutOpen,
    PutPending,
    PutProviderIds,
    PutRow,
    PutViews,
    Register,
    Registered,
    Write,
)

Partition = tuple[Any, ...]
Rank = int | tuple[int, int]
Row = tuple[Partition, Any, Rank, Any]
REGISTRY: Partition = ("registry",)
FORCED: Partition = ("forced",)


class Mutation:
    """A write on its way to the replicas: `needs` of the replicas `of` make its level.

    What it needs follows from the configuration that its coordinator follows when it begins.
    It is `whole` unless some of its partitions are left out.
    """

    __slots__ = (
        "answer",
        "begun_s",
        "follows",
        "needs",
        "of",
        "stamp",
        "stands",
        "versions",
        "whole",
        "write",
    )

    def __init__(
        self,
        write: Write,
        stamp: int,
        begun_s: float,
        follows: Configuration,
        region: str,
        local: bool,
    ) -> None:
        self.write = write
        self.stamp = stamp
        self.begun_s = begun_s
        self.follows = follows
        self.needs = follows.needs(region, local)
        self.of = follows.of(region, local)
        self.stands = False
        self.whole = True
        self.answer = "ok"
        self.versions: list[Version] = []

    def reached(self, others: list[tuple[int, int]]) -> bool:
        """Whether each of its rows stands at its level, at a quorum, or at another of these levels
        (needs, of).

        Read repair may bring a row of one region to a quorum of all before its own region has it.
        One that is hidden everywhere by a later one cannot stand any more: the others still can.
        """
        follows = self.follows
        levels = [(self.needs, self.of), (follows.quorum, follows.all), *others]
        seen = [version for version in self.versions if not version.hidden]
        return bool(seen) and all(
            any((version.mask & of).bit_count() >= needs for needs, of in levels)
            for version in seen
        )


class Version:
    """One value of a row. `mask` says where it stands, `older` what it hides there.

    `mutation` is the write that brought it, `stood` whether some write of it stood at its level. It
    is `hidden` once a later one stands everywhere.
    """

    __slots__ = ("born_s", "hidden", "mask", "mutation", "older", "rank", "stood", "value")

    def __init__(self, rank: Any, value: Any, born_s: float) -> None:
        self.rank = rank
        self.value = value
        self.born_s = born_s
        self.mask = 0
        self.hidden = False
        self.mutation: Mutation | None = None
        self.stood = False
        self.older: Version | None = None


class Rows:
    """Partition to key to the version of the highest rank."""

    def __init__(self) -> None:
        self.partitions: dict[Partition, dict[Any, Version]] = {}

    def put(self, row: Row, now_s: float) -> Version:
        """Make room for a version; the same one if it was there."""
        partition, key, rank, value = row
        rows = self.partitions.get(partition)
        if rows is None:
            rows = self.partitions[partition] = {}
        there = rows.get(key)
        if there is None:
            made = rows[key] = Version(rank, value, now_s)
            return made
        return self._chain(rows, key, rank, value, now_s)

    def _chain(
        self, rows: dict[Any, Version], key: Any, rank: Any, value: Any, now_s: float
    ) -> Version:
        newer: Version | None = None
        there: Version | None = rows[key]
        if type(rank) is int and rank < 0:  # written once: the same bytes are the same version
            while there is not None and there.value != value:
                there = there.older
            if there is not None:
                return there
            there = rows[key]
        while there is not None and there.rank > rank:
            newer, there = there, there.older
        if there is not None and there.rank == rank:
            return there
        made = Version(rank, value, now_s)
        made.older = there
        if newer is None:
            rows[key] = made
        else:
            newer.older = made
        return made

    def versions(self) -> Iterator[Version]:
        """Every version there is."""
        for rows in self.partitions.values():
            for version in rows.values():
                walked: Version | None = version
                while walked is not None:
                    yield walked
                    walked = walked.older

    def drop(self, replica: int) -> None:
        """A replica (its bit) lost all that it had."""
        for version in self.versions():
            version.mask &= ~replica

    def expire(self, born_before_s: float) -> int:
        """Whole tables go by their age; how many rows that were."""
        gone = 0
        for partition, rows in list(self.partitions.items()):
            old = [key for key, version in rows.items() if version.born_s < born_before_s]
            gone += len(old)
            for key in old:
                del rows[key]
            if not rows:
                del self.partitions[partition]
        return gone


def pick(version: Version | None, asked: int, stale: list[Version]) -> Any:
    """The value that the replicas `asked` have, or None; put on `stale` if one of them lacks it."""
    found = picked(version, asked, stale)
    return None if found is None else found.value


def picked(version: Version | None, asked: int, stale: list[Version]) -> Version | None:
    """As `pick`, with all that is known of the value."""
    while version is not None:
        has = version.mask & asked
        if has:
            if has != asked:
                stale.append(version)
            return version
        version = version.older
    return None


def some_partitions(write: Write, chance: Callable[[], float]) -> Write:
    """What is left of a write of several partitions when only some of them are written.

    The rows of one partition stay together; a write of one partition stays whole.
    """
    if not isinstance(write, PutById | PutOpen | PutViews):
        return write
    kept: dict[Partition, bool] = {}
    rows = []
    for row in write.rows:
        place = (row.home, row.shard, row.bucket) if isinstance(row, OpenRow) else (row.part,)
        if place not in kept:
            kept[place] = chance() < 0.5
        if kept[place]:
            rows.append(row)
    return msgspec.structs.replace(write, rows=rows) if rows else write


def rows_of(write: Write, stamp: int) -> list[Row]:
    """What a write puts where."""
    if isinstance(write, PutRow):
        return [(("log", write.log), write.row, -stamp, write.body)]
    if isinstance(write, PutById):
        return [(("id", r.id), force_of(r.epoch), (r.epoch, r.stamp), r) for r in write.rows]
    if isinstance(write, PutOpen):
        return [
            (("open", r.home, r.shard, r.bucket), r.id, (r.epoch, stamp), r) for r in write.rows
        ]
    if isinstance(write, PutFloor):
        return [(("floor", write.home), write.owner, stamp, write.body)]
    if isinstance(write, PutKey):
        return [(("key", write.tenant, write.key), "", -stamp, write.body)]
    if isinstance(write, PutProviderIds):
        value = (stamp, write.body)
        return [(("sent", write.account, write.bucket), (write.writer, write.seq), -stamp, value)]
    if isinstance(write, PutPending):
        place = ("pending", write.account, write.provider_id)
        return [(place, write.body, -stamp, write.body)]
    if isinstance(write, PutViews):
        return [
            (("view", r.part), (r.at_ms, r.writer, r.seq, r.kind), -stamp, r) for r in write.rows
        ]
    if isinstance(write, Register):
        who = Registered(write.incarnation, write.region, write.url, list(write.logs))
        return [(REGISTRY, write.incarnation, stamp, who)]
    if isinstance(write, PutForced):
        key = (write.row.number, write.row.alone, *write.row.regions)
        return [(FORCED, key, -1, write.row)]
    raise TypeError(f"not a plain write: {type(write).__name__}")
