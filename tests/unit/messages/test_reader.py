"""A message that its owner just read: what it does not know of it yet, the store says."""

import asyncio
from typing import Any, cast

import pytest

from core.engine.payload import Payload, encode_payload
from core.engine.reading import Reading
from core.messages.reader import Accepted, Reader
from sync.naming import attempt_name
from sync.owner.owner import Owner
from sync.owner.state import Limits, Phase
from sync.owner.takeover import Loaded
from sync.records import ById, Intent, Message, Outcome, Place, Record, encode
from sync.store.memory_journal import MemoryJournal
from sync.store.port import Answer, ByIdRow, PutById, PutRow, Write

LOG, OTHER, EFFECTS = (
    "accept.eu.normal_local.c1.0",
    "accept.eu.normal_local.c0.0",
    "effect.eu.normal.c0.0",
)
ID = "eu-k000aaaaaaaaaaaaaaaaaaaaaaaaaa"
NOW = 1_800_000_000_000
PAYLOAD = Payload("t", "ntf_1", "sms", "+447700900123", "GB", "otp", "local", "", "text")
MESSAGE = Message(ID, 0, b"h", 1, False, False, NOW + 900_000, NOW, encode_payload(PAYLOAD))
INTENT = Intent(ID, 0, 1, Place(OTHER, 1, 0), b"h", "a", "", 0, NOW, False, NOW + 9, 0, NOW)
ATTEMPT = attempt_name(EFFECTS, 1, 0)
ACCEPTED = Outcome(ID, 0, ATTEMPT, "accepted", "p1", "", "", NOW)


class Rig:
    """An owner that has just read a copy of the message."""

    def __init__(self, store: MemoryJournal) -> None:
        self.owner = Owner("eu", "c1", Limits())
        self.owner.begin(Loaded([(0, 2)], {LOG: 0}, {}, (), NOW // 600_000, {}), NOW)
        self.owner.go({0})
        self.owner.row_available(LOG, 1, [MESSAGE])
        reading = Reading(store, cast("Any", None))
        self.reader = Reader(self.owner.find, reading, store, Accepted(10), lambda: 1.0)


@pytest.fixture
async def store() -> MemoryJournal:
    return MemoryJournal("eu", 1)


async def write(store: MemoryJournal, write: Write) -> None:
    told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    store.submit(write, told.set_result)
    assert await told == "ok"


async def put(store: MemoryJournal, log: str, row: int, record: Record) -> None:
    await write(store, PutRow(log, row, encode([record])))


async def test_a_copy_does_not_take_back_what_its_message_is(store: MemoryJournal) -> None:
    rig = Rig(store)
    await put(store, OTHER, 1, MESSAGE)
    await put(store, EFFECTS, 1, INTENT)
    await put(store, EFFECTS, 2, ACCEPTED)
    effects = (Place(EFFECTS, 1, 0), Place(EFFECTS, 2, 0))
    known = ById(b"h", "sent", True, Place(OTHER, 1, 0), effects)
    await write(store, PutById([ByIdRow("p", ID, 1, encode(known), 1)]))
    msg = rig.owner.find(ID)
    assert msg is not None
    assert msg.phase is Phase.LOOKUP
    facts = await rig.reader.find(ID)
    assert facts is not None
    assert (facts.state, len(facts.records)) == ("sent", 2)


async def test_what_the_store_does_not_know_yet_its_owner_says(store: MemoryJournal) -> None:
    facts = await Rig(store).reader.find(ID)
    assert facts is not None
    assert (facts.state, facts.records) == ("accepted", [])
