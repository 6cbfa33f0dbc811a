"""The journal's store, as the protocol needs it (PROTOCOL.md 2, 3, 4, 8, 11).

Writes are plain operations handed to `submit`; the answer comes back on the event loop's thread:

* `ok`: it stands at the level that the operation asks for;
* `revoked`: a log row of an incarnation that was revoked; it was not and will never be written;
* `full`: the store has no space; it was not written;
* `unknown`: it may have been written; repeat the same operation to find out.

Compare-and-set operations answer `Swapped`; anything but `applied` shows what is there instead.
Reads are awaited and raise `StoreError` when the store cannot be read. Every row has one writer,
so writing the same operation twice is harmless.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from msgspec import Struct

from sync.forced import Forced, Ruling
from sync.lease import Lease
from sync.maps import MapRow
from sync.replication import ReplicationChange
from sync.serving import ServingSet


class StoreError(Exception):
    """The store could not be read or opened; the text says what and why."""


class PutRow(Struct, frozen=True, gc=False):
    """A log row. The log's name says whose; quorum for effects, by lane for accepts.

    `at_quorum` asks for a majority of all replicas in any lane. `at_us` is the timestamp of a row
    that stands already, as its store names it: with it the row comes over nothing, and lives no
    longer than it would have. Without one the store takes its own.
    """

    log: str
    row: int
    body: bytes
    at_quorum: bool = False
    at_us: int = 0


class ByIdRow(Struct, frozen=True, gc=False):
    """One by-id row; of several epochs the highest counts.

    Within an epoch the highest `stamp` stays: its owner may write the row again while an earlier
    write of it is still being repeated, and that one must not come back over it.
    """

    part: str
    id: str
    epoch: int
    body: bytes
    stamp: int = 0


class PutById(Struct, frozen=True, gc=False):
    """By-id rows, grouped by partition by whoever writes them."""

    rows: list[ByIdRow]


class OpenRow(Struct, frozen=True, gc=False):
    """One entry of the open set; of several epochs the highest counts."""

    home: str
    shard: int
    bucket: int
    id: str
    epoch: int
    due_ms: int
    body: bytes


class PutOpen(Struct, frozen=True, gc=False):
    """Entries of the open set."""

    rows: list[OpenRow]


class PutFloor(Struct, frozen=True, gc=False):
    """An owner's floor of one home; only this owner overwrites it."""

    home: str
    owner: str
    body: bytes


class PutKey(Struct, frozen=True, gc=False):
    """An idempotency key's row, written in the accept's own transaction where it can be.

    `log` is the accept log of its message: like its rows, it is refused once that is closed.
    """

    tenant: str
    key: str
    body: bytes
    log: str = ""


class PutProviderIds(Struct, frozen=True, gc=False):
    """A segment of (provider id, attempt, message id) of one account and ten minutes."""

    account: str
    bucket: int
    writer: str
    seq: int
    body: bytes


class PutPending(Struct, frozen=True, gc=False):
    """A receipt that matches no known attempt yet."""

    account: str
    provider_id: str
    body: bytes


class ViewRow(Struct, frozen=True, gc=False):
    """A segment of a view: written once, never changed, gone with its TTL.

    Within `part` segments are told apart by (at_ms, writer, seq); a writer never gives the same
    `seq` twice.
    """

    part: str
    kind: str
    at_ms: int
    writer: str
    seq: int
    body: bytes


class PutViews(Struct, frozen=True, gc=False):
    """Segments of views, of one flush."""

    rows: list[ViewRow]


class Register(Struct, frozen=True, gc=False):
    """An incarnation and the logs that it opens, known before their first row.

    `at_quorum` asks for a majority of all replicas, as the first lease and the first row of a log
    of a global lane need it; else one in the own region is enough.
    """

    incarnation: str
    region: str
    url: str
    logs: list[str]
    at_quorum: bool = False


class SwapLease(Struct, frozen=True, gc=False):
    """Set the lease if the row is as expected: `expect` None means that there is none."""

    expect: Lease | None
    lease: Lease


class ShardRow(Struct, frozen=True, array_like=True, gc=False):
    """Who owns a shard, since which epoch. `owner` is "" before the first owner."""

    shard: int
    owner: str
    epoch: int


class SwapShards(Struct, frozen=True, gc=False):
    """Give shards of one home to `owner` with epoch + 1, all or none, if they are as read."""

    home: str
    expect: list[ShardRow]
    owner: str


class SwapServing(Struct, frozen=True, gc=False):
    """Set the row of the serving regions if it is as expected: None means that there is none."""

    expect: ServingSet | None
    row: ServingSet


class SwapMaps(Struct, frozen=True, gc=False):
    """Set the row of the placement map if it is as expected: None means that there is none."""

    expect: MapRow | None
    row: MapRow


class PutForced(Struct, frozen=True, gc=False):
    """A row of forced ownership; such rows are only added.

    It stands in the own region's majority, or at quorum; see `sync.forced` which of them when.
    """

    row: Forced
    at_quorum: bool


class SwapReplication(Struct, frozen=True, gc=False):
    """Set the row of a change of replication if it is as expected: None means there is none."""

    expect: ReplicationChange | None
    row: ReplicationChange


Write = (
    PutRow
    | PutById
    | PutOpen
    | PutFloor
    | PutKey
    | PutProviderIds
    | PutPending
    | PutViews
    | Register
    | SwapLease
    | SwapShards
    | SwapServing
    | SwapMaps
    | PutForced
    | SwapReplication
)


class Swapped(Struct, frozen=True, gc=False):
    """The answer to a compare-and-set."""

    applied: bool
    lease: Lease | None = None
    shards: list[ShardRow] = []
    serving: ServingSet | None = None
    maps: MapRow | None = None
    replication: ReplicationChange | None = None


class Registered(Struct, frozen=True, gc=False):
    """A registered incarnation."""

    incarnation: str
    region: str
    url: str
    logs: list[str]


Answer = str | Swapped
Done = Callable[[Answer], None]


class Forces(Protocol):
    """Forced ownership (see `sync.forced`), where a store has several regions."""

    async def forced(self, here: bool) -> list[Forced]:
        """All rows that are found: `here` in the own region alone, else in every region that can
        be asked; `StoreError` where that is no majority."""

    def under(self, ruling: Ruling) -> "JournalStore":
        """The store as a process has it whose whole life is under this ruling.

        Where its region is alone everything is written and read at the own region's levels, and
        leases and shard rows are those of the force number. Nobody drains there, no map is
        published and no replication changes: the serving set is the own region, the map is as the
        region has it, and swaps of these are not applied. Elsewhere shard rows are those of the
        number, the rest as always.
        """


class JournalStore(Protocol):
    """See the module's docstring.

    `closes_revoked` says whether a log row of a revoked incarnation can never come to stand: then
    its logs are closed at once. Else they stay open, for a row may land however late. `forces` is
    None where there is one region: it is a majority by itself.
    """

    closes_revoked: bool

    @property
    def forces(self) -> Forces | None: ...

    def submit(self, write: Write, done: Done) -> None: ...

    async def shards_of_home(self, home: str) -> list[ShardRow]:
        """All shards of the home, in order; the list's length is fixed when the store is made."""

    async def lease(self, incarnation: str) -> Lease | None: ...

    async def leases(self) -> list[Lease]:
        """The leases that are active."""

    async def serving(self) -> ServingSet | None:
        """The row of the serving regions, read at SERIAL; None before there is one."""

    async def maps(self) -> MapRow | None:
        """The row of the placement map, read at SERIAL; None before its first change."""

    async def replication(self) -> ReplicationChange | None:
        """The row of the change of replication, read at SERIAL; None before the first one."""

    async def registry(self) -> list[Registered]: ...

    async def rows(self, log: str, first: int, limit: int) -> list[tuple[int, bytes]]:
        """Up to `limit` rows from number `first` on, in order, without looking past a gap."""

    async def rows_here(self, log: str, first: int, limit: int) -> list[PutRow]:
        """As `rows`, of what stands in the own region whatever others have (LOCAL_QUORUM).

        Each row comes as the write that brings it to a quorum: the same key, bytes and timestamp.
        """

    async def by_ids(self, ids: list[str]) -> dict[str, ByIdRow]:
        """What counts of the rows of each id that has any: `sync.by_id.latest`."""

    async def open_due(
        self,
        home: str,
        shards: list[int],
        bucket: int,
        after: tuple[int, str],
        until_ms: int,
        limit: int,
    ) -> list[OpenRow]:
        """Entries of one bucket in the order of (due_ms, id): after `after`, due by `until_ms`."""

    async def floors(self, home: str) -> dict[str, bytes]:
        """Owner to its floor."""

    async def key(self, tenant: str, key: str) -> bytes | None: ...

    async def provider_ids(self, account: str, bucket: int) -> list[bytes]:
        """The account's segments of one bucket of ten minutes, newest first."""

    async def pending(self, account: str, ids: list[str]) -> list[bytes]: ...

    async def views(
        self, part: str, kinds: list[str] | None, before: tuple[int, str, int] | None, limit: int
    ) -> list[ViewRow]:
        """Segments of these kinds (None: of all), newest first by (at_ms, writer, seq).

        Only those below `before`; at most `limit`. What it costs depends on `limit` and on the
        number of kinds, not on how much the part holds.
        """

    async def last_row(self, log: str) -> int:
        """The number of the log's last row, 0 if it has none."""

    async def logs(self) -> dict[str, int]:
        """Every log and its last row, for an audit."""

    async def close(self) -> None:
        """Finish what was submitted, then close."""


def homes_named(home: str | Sequence[str]) -> tuple[str, ...]:
    """One home by its name, or several."""
    return (home,) if isinstance(home, str) else tuple(home)


def ignore(_: Any) -> None:
    """A `Done` for writes whose answer nobody needs."""
