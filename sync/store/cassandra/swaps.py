"""Compare-and-set: a lease, the shards of a home, and each row that cores agree on.

Such a row is one value, compared as a whole: its bytes are the same for equal rows (`encoded`). The
answer is `unknown` unless the store says whether the condition held: a swap whose answer was lost
may have been executed, or may still be. Nothing is read then: the engine asks again as soon as it
may, and what stands is shown by that (`sync.lease`, `sync.agreed`).

Each lease is a partition, so its name is put down in one that lists them before the lease itself:
nobody is a holder whom `leases` does not find.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from sync.forced import Ruling, epoch_of
from sync.store.cassandra.errors import HOPELESS
from sync.store.cassandra.levels import Levels
from sync.store.cassandra.session import Request, Session
from sync.store.cassandra.writes import Part, Statement
from sync.store.port import (
    Answer,
    Done,
    ShardRow,
    SwapLease,
    SwapMaps,
    Swapped,
    SwapReplication,
    SwapServing,
    SwapShards,
)

Row = TypeVar("Row")
Swap = SwapLease | SwapShards | SwapServing | SwapMaps | SwapReplication
Agreed = SwapServing | SwapMaps | SwapReplication
NAMES: dict[type, str] = {SwapServing: "serving", SwapMaps: "maps", SwapReplication: "replication"}
KINDS = frozenset((SwapLease, SwapShards, *NAMES))
NAME_AGAIN = 1024  # renewals between writings of a lease's name, which has to outlive its TTL
OF_HOMES = {
    "shard_first": "INSERT INTO {ks}.shards (home, force, shard, owner, epoch) "
    "VALUES (?, ?, ?, ?, ?) IF NOT EXISTS",
    "shard_next": "UPDATE {ks}.shards SET owner = ?, epoch = ? WHERE home = ? AND force = ? "
    "AND shard = ? IF owner = ? AND epoch = ?",
}
OF_ALL = {
    "lease_name": "INSERT INTO {ks}.lease_names (force, incarnation) VALUES (?, ?)",
    "lease_first": "INSERT INTO {ks}.leases (incarnation, force, body) VALUES (?, ?, ?) "
    "IF NOT EXISTS",
    "lease_next": "UPDATE {ks}.leases SET body = ? WHERE incarnation = ? AND force = ? IF body = ?",
    "agreed_first": "INSERT INTO {ks}.agreed (name, body) VALUES (?, ?) IF NOT EXISTS",
    "agreed_next": "UPDATE {ks}.agreed SET body = ? WHERE name = ? IF body = ?",
}
_encoder = msgspec.msgpack.Encoder(order="sorted")


def encoded(row: Any) -> bytes:
    """The same bytes for equal rows, whatever the order in which their maps were filled."""
    return _encoder.encode(row)


def decoded(body: bytes | None, kind: type[Row]) -> Row | None:
    """A row from its bytes, None where there is none."""
    return None if body is None else msgspec.msgpack.decode(body, type=kind)


class Swaps:
    """See the module's docstring. `force` and `shards` say which table of the number counts."""

    def __init__(
        self,
        session: Session,
        statement: Statement,
        levels: Levels,
        ruling: Ruling,
        shards_of: Callable[[str], int],
        read_shards: Callable[[str, Callable[[list[ShardRow] | None], None]], None],
    ) -> None:
        self._session = session
        self._statement = statement
        self._levels = levels
        self._number = ruling.number
        self._shards_of = shards_of
        self._read_shards = read_shards

    @property
    def lease_force(self) -> int:
        """Leases of a region that is alone are apart from all others."""
        return self._number if self._levels.alone else 0

    def submit(self, write: Swap, done: Done) -> None:
        """Swap, and answer."""
        if isinstance(write, SwapLease):
            self._lease(write, done)
        elif isinstance(write, SwapShards):
            self._shards(write, done)
        else:
            self._agreed(write, done)

    def _send(self, parts: list[Any], told: Callable[[Any], None], done: Done) -> None:
        """`told` is given the rows of an answer; `done` hears of all others."""

        def answered(rows: Any, error: BaseException | None) -> None:
            if error is None:
                told(rows)
            elif isinstance(error, HOPELESS):
                raise error
            else:
                done("unknown")

        level, serial = self._levels.quorum, self._levels.serial
        self._session.send(Request(parts, level, serial), answered, ahead=True)

    def _value(
        self,
        write: SwapLease | Agreed,
        row: Any,
        part: Callable[[bytes | None], Part],
        answer: Callable[[bool, Any], Answer],
        done: Done,
    ) -> None:
        """Swap a row that is one value; `part` is the statement that expects these bytes there.

        Another release may have written an equal row in other bytes: then those are expected.
        """
        expect = write.expect

        def swap(asked: bytes | None, again: bool) -> None:
            def told(rows: Any) -> None:
                if rows[0]["[applied]"]:
                    done(answer(True, row))
                    return
                there = rows[0].get("body")
                shown = decoded(there, type(row))
                if not again and shown is not None and shown == expect and there != asked:
                    swap(there, again=True)
                else:
                    done(answer(False, shown))

            self._send([part(asked)], told, done)

        swap(None if expect is None else encoded(expect), again=False)

    def _lease(self, write: SwapLease, done: Done) -> None:
        force, lease = self.lease_force, write.lease
        body = encoded(lease)

        def part(expected: bytes | None) -> Part:
            if expected is None:
                return self._statement("lease_first", ""), (lease.incarnation, force, body)
            values = (body, lease.incarnation, force, expected)
            return self._statement("lease_next", ""), values

        def swap() -> None:
            self._value(write, lease, part, lambda applied, row: Swapped(applied, lease=row), done)

        if write.expect is None or lease.counter % NAME_AGAIN == 0:
            self._name(force, lease.incarnation, swap, done)
        else:
            swap()

    def _name(self, force: int, incarnation: str, then: Callable[[], None], done: Done) -> None:
        def answered(_: Any, error: BaseException | None) -> None:
            if error is None:
                then()
            elif isinstance(error, HOPELESS):
                raise error
            else:
                done("unknown")

        part = (self._statement("lease_name", ""), (force, incarnation))
        self._session.send(Request([part], self._levels.quorum), answered, ahead=True)

    def _shards(self, write: SwapShards, done: Done) -> None:
        count, first = self._shards_of(write.home), epoch_of(self._number, 0)
        given = [ShardRow(row.shard, write.owner, row.epoch + 1) for row in write.expect]

        def refused() -> None:
            def read(rows: list[ShardRow] | None) -> None:
                done("unknown" if rows is None else Swapped(False, shards=rows))

            self._read_shards(write.home, read)

        def told(rows: Any) -> None:
            if rows[0]["[applied]"]:
                done(Swapped(True, shards=given))
            else:
                refused()

        if not write.expect or any(row.shard >= count for row in write.expect):
            refused()
            return
        parts: list[Part] = []
        for was, row in zip(write.expect, given, strict=True):
            place = (write.home, self._number, row.shard)
            if (was.owner, was.epoch) == ("", first):
                # A shard that nobody ever had has no row.
                values: tuple[Any, ...] = (*place, row.owner, row.epoch)
                parts.append((self._statement("shard_first", write.home), values))
            else:
                values = (row.owner, row.epoch, *place, was.owner, was.epoch)
                parts.append((self._statement("shard_next", write.home), values))
        self._send(parts, told, done)

    def _agreed(self, write: Agreed, done: Done) -> None:
        name, body = NAMES[type(write)], encoded(write.row)

        def part(expected: bytes | None) -> Part:
            if expected is None:
                return self._statement("agreed_first", ""), (name, body)
            return self._statement("agreed_next", ""), (body, name, expected)

        def answer(applied: bool, row: Any) -> Answer:
            return Swapped(applied, **{name: row})

        self._value(write, write.row, part, answer, done)
