"""What is due is taken up from the open set, however little room there is in memory."""

import msgspec

from sync.naming import by_id_partition
from sync.records import ById, FloorPart, Message, OpenEntry, Place, encode
from sync.store.memory_journal import MemoryJournal
from sync.store.port import ByIdRow, OpenRow, PutById, PutFloor, PutOpen
from tests.support.wait import until
from tests.unit.engine.rig import HOME, OTHER, SHARDS, Rig

BUCKET_MS = 400
NOWHERE = Place("accept.local.urgent_local.c0.0", 1, 0)


def entry(message: Message, due_ms: int) -> OpenRow:
    body = encode(OpenEntry(message, NOWHERE, due_ms, 0, 1))
    return OpenRow(HOME, message.shard, due_ms // BUCKET_MS, message.id, 1, due_ms, body)


def ended(message: Message) -> ByIdRow:
    body = encode(ById(message.body_hash, "sent", True, NOWHERE))
    return ByIdRow(by_id_partition(message.id), message.id, 1, body)


async def test_entries_of_what_ended_do_not_keep_those_behind_them_from_being_taken_up() -> None:
    store = MemoryJournal([HOME, OTHER], SHARDS)
    rig = Rig(store, bucket_ms=BUCKET_MS)
    owner = rig.engine.homes[HOME].owner
    owner.limits = msgspec.structs.replace(owner.limits, open_messages_max=2)
    first = rig.clock.wall_ms() // BUCKET_MS - 5
    shards = tuple((shard, 1) for shard in range(SHARDS))
    left = FloorPart(shards, {}, {}, (), first)
    store.submit(PutFloor(HOME, "c0", encode([left])), lambda _: None)
    over = [rig.message(HOME) for _ in range(3)]
    behind = rig.message(HOME)
    store.submit(PutById([ended(message) for message in over]), lambda _: None)
    entries = [entry(message, first * BUCKET_MS) for message in over]
    entries.append(entry(behind, (first + 1) * BUCKET_MS))
    store.submit(PutOpen(entries), lambda _: None)
    rig.open_account()
    await rig.start()
    await until(lambda: behind.id in rig.adapter.sent.values())
    await rig.end()
