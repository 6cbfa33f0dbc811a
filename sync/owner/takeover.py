"""Taking shards over: what is read before the first intent (PROTOCOL.md 3 and 7).

`load` is a machine in the form of a generator: it yields what is to be read at quorum, is sent
the answer, and returns what it found. The floors are read after the compare-and-set applied; for
each shard the floor of the highest epoch alone counts. From it on, the effect logs of all owners
that the shard has had are read to their end; the accept logs are read later, from the cursors
that it returns, as far as there is room in memory.
"""

from collections.abc import Collection, Generator
from typing import Any

from msgspec import Struct

from sync.forced import force_of
from sync.naming import attempt_place, log_name
from sync.records import (
    EffectRecord,
    FloorPart,
    Outcome,
    Place,
    decode_floor,
    decode_row,
)
from sync.store.port import Registered

ROWS_AT_ONCE = 64


class ReadFloors(Struct, frozen=True):
    """Ask: owner to floor body, of the home."""


class ReadRegistry(Struct, frozen=True):
    """Ask: all registered incarnations."""


class ReadRows(Struct, frozen=True):
    """Ask: rows of a log from `first` on."""

    log: str
    first: int
    limit: int


Ask = ReadFloors | ReadRegistry | ReadRows


class Loaded(Struct):
    """What was found for shards that stood alike.

    `cursors`: accept log to the last row that need not be read. `effect_read`: former effect log
    to the last row that was read. `effects`: message id to (shard, its effect records).
    """

    shards: list[tuple[int, int]]
    cursors: dict[str, int]
    effect_read: dict[str, int]
    closed: tuple[str, ...]
    due: int
    effects: dict[str, tuple[int, list[tuple[Place, EffectRecord]]]]


class _Floor(Struct, frozen=True):
    owner: str
    epoch: int
    part: FloorPart


class Sent(Struct, frozen=True):
    """An accepted outcome that a former owner left: its provider ids may stand in no segment.

    `intent` is the place of its intent, which names the account.
    """

    intent: Place
    provider_ids: str
    attempt: str
    id: str
    shard: int


def sent_of(home: str, loaded: Loaded) -> list[Sent]:
    """The accepted outcomes among what was found."""
    found: list[Sent] = []
    for message_id, (shard, effects) in loaded.effects.items():
        for _, record in effects:
            if type(record) is Outcome and record.provider_id:
                place = attempt_place(home, record.attempt)
                assert place is not None  # owners name their attempts alike
                ids, attempt = record.provider_id, record.attempt
                found.append(Sent(Place(*place), ids, attempt, message_id, shard))
    return found


def highest_floors(
    floors: dict[str, bytes], shards: list[int], apart: Collection[int] = ()
) -> dict[int, _Floor]:
    """For each shard the floor of the highest epoch, if it ever had one; those of the force numbers
    `apart` are none."""
    wanted = set(shards)
    best: dict[int, _Floor] = {}
    for owner, body in floors.items():
        for part in decode_floor(body):
            for shard, epoch in part.shards:
                known = best.get(shard)
                if shard not in wanted or force_of(epoch) in apart:
                    continue
                if known is None or known.epoch < epoch:
                    best[shard] = _Floor(owner, epoch, part)
    return best


def effect_starts(
    home: str, floor: _Floor | None, registry: list[Registered], anybody: bool = False
) -> dict[str, int]:
    """Former effect logs of a shard, each with the last row that may be passed over."""
    starts = dict(floor.part.effect) if floor else {}
    closed = set(floor.part.closed) if floor else set()
    for entry in registry:
        if anybody or (floor is not None and entry.incarnation == floor.owner):
            for log in effect_logs(home, entry):
                if log not in closed:
                    starts.setdefault(log, 0)
    return starts


def effect_logs(home: str, entry: Registered) -> list[str]:
    """The effect logs of a home that an incarnation may write."""
    names = [(log, log_name(log)) for log in entry.logs]
    return [log for log, name in names if name.kind == "effect" and name.home == home]


def accept_starts(home: str, floor: _Floor | None, registry: list[Registered]) -> dict[str, int]:
    """The home's accept logs, each with the last row that may be passed over."""
    starts = dict(floor.part.accept) if floor else {}
    closed = set(floor.part.closed) if floor else set()
    for entry in registry:
        for log in entry.logs:
            name = log_name(log)
            if name.kind == "accept" and name.home == home and log not in closed:
                starts.setdefault(log, 0)
    return starts


def load(
    home: str,
    taken: list[tuple[int, int]],
    bucket_now: int,
    anybody: bool = False,
    apart: Collection[int] = (),
) -> Generator[Ask, Any, list[Loaded]]:
    """Read what is left of the shards in `taken` ((shard, own new epoch)).

    With `anybody` each registered incarnation may have been their owner: shard rows that begin
    with nobody under a force number do not name who was. `apart` are force numbers whose floors
    count for nothing: what one region passed over for itself is read once more.
    """
    floors: dict[str, bytes] = yield ReadFloors()
    registry: list[Registered] = yield ReadRegistry()
    best = highest_floors(floors, [shard for shard, _ in taken], apart)
    alike: dict[object, tuple[_Floor | None, list[tuple[int, int]]]] = {}
    for shard, epoch in taken:
        floor = best.get(shard)
        key = (floor.owner, floor.epoch, id(floor.part)) if floor else None
        alike.setdefault(key, (floor, []))[1].append((shard, epoch))
    loaded: list[Loaded] = []
    for floor, shards in alike.values():
        found = Loaded(
            shards,
            accept_starts(home, floor, registry),
            {},
            floor.part.closed if floor else (),
            floor.part.due if floor else bucket_now,
            {},
        )
        for log, last in sorted(effect_starts(home, floor, registry, anybody).items()):
            found.effect_read[log] = yield from _read_effects(log, last, found)
        loaded.append(found)
    return loaded


def _read_effects(log: str, last: int, found: Loaded) -> Generator[Ask, Any, int]:
    wanted = {shard for shard, _ in found.shards}
    while True:
        rows: list[tuple[int, bytes]] = yield ReadRows(log, last + 1, ROWS_AT_ONCE)
        for row, body in rows:
            for index, record in enumerate(decode_row(body)):
                if record.shard in wanted and isinstance(record, EffectRecord):
                    _, records = found.effects.setdefault(record.id, (record.shard, []))
                    records.append((Place(log, row, index), record))
            last = row
        if len(rows) < ROWS_AT_ONCE:
            return last
