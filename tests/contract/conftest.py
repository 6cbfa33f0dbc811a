"""Every implementation of the journal's store, for the tests of what all of them promise."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from sync.store.memory_journal import MemoryJournal
from sync.store.port import Answer, JournalStore, Write
from sync.store.sqlite_journal import SQLiteJournal
from tests.support.cassandra_stores import Stores, cassandra_stores
from tests.support.driven import DrivenStore

__all__ = ["cassandra_stores"]  # a fixture for every test here

SIMULATED = {
    "sim-one": lambda: DrivenStore(["h"], 1, refuses_revoked=True),
    "sim-three": lambda: DrivenStore(["h", "i", "j"], 1, refuses_revoked=False),
    "sim-nine": lambda: DrivenStore(["h", "i", "j"], 3, refuses_revoked=False),
}
Do = Callable[[Write], Awaitable[Answer]]


ALL = [
    *("memory", "sqlite", "sim-one", "sim-three", "sim-nine"),
    pytest.param("cassandra", marks=pytest.mark.cassandra),
]


@pytest.fixture(params=ALL)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[JournalStore]:
    made: JournalStore
    if request.param == "cassandra":
        stores: Stores = request.getfixturevalue("cassandra_stores")
        made = await stores.open()
        yield made
        await made.close()
        await stores.empty()
        return
    if request.param == "memory":
        made = MemoryJournal(["h", "i"], 4)
    elif request.param.startswith("sim"):
        made = cast(JournalStore, SIMULATED[request.param]())
    else:
        path = tmp_path / "journal.db"
        made = SQLiteJournal(path, ["h", "i"], 4, lambda: 1_700_000_000_000)
    yield made
    await made.close()


@pytest.fixture
def do(store: JournalStore) -> Do:
    async def submit(write: Write) -> Answer:
        told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        store.submit(write, told.set_result)
        return await told

    return submit
