"""A receipt's word for its attempt is believed only of the account that the attempt went to."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from core.clock import SystemClock
from core.contract.ids import mint_unkeyed
from core.contract.log import silent
from core.engine.logs import Ticket
from core.engine.receipts import Receipts
from core.providers.port import ReceiptIn
from sync.naming import attempt_name, effect_log
from sync.records import Intent, Place, Receipt, encode
from sync.store.memory_journal import MemoryJournal
from sync.store.port import PutRow
from tests.support.wait import until

ID = mint_unkeyed("local", 7, 29_000_000, bytes(16))
LOG = effect_log("local", "normal", "localinc", 0)
ATTEMPT = attempt_name(LOG, 1, 0)
REF = f"{ID}.{ATTEMPT}.1"


class Logs:
    """Takes receipts in, and says at once that they stand."""

    revoked = False

    def __init__(self) -> None:
        self.taken: list[Receipt] = []
        self.globally: list[bool] = []

    def has_home(self, record_id: str) -> bool:
        return True

    def accept(self, record: Receipt, urgent: bool, globally: bool, ticket: Ticket) -> bool:
        self.taken.append(record)
        self.globally.append(globally)
        ticket.told(Place("accept.local.normal_local.localinc.0", 1, 0))
        return True


class Desk:
    """Receipts with the store of one intent, which went to the account `mine`."""

    def __init__(self) -> None:
        self.logs = Logs()
        self.told: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        store = MemoryJournal("local", 64)
        intent = Intent(ID, 7, 1, Place("a", 1, 0), b"", "mine", "", 0, 0, False, 0, 0, 0)
        store.submit(PutRow(LOG, 1, encode([intent])), lambda _: None)
        logs: Any = self.logs
        clock = SystemClock()
        self.receipts = Receipts(store, logs, clock, silent(), "localinc", 10, 1, self._spawn)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def reported(self, account: str, ref: str, provider_id: str = "SM1") -> str:
        """What became of a receipt: `ack` or `nack`."""
        self.receipts.received(
            account,
            ReceiptIn(
                provider_id,
                "delivered",
                lambda: self.told.append("ack"),
                lambda: self.told.append("nack"),
                ref=ref,
            ),
        )
        await until(lambda: self.told)
        return self.told.pop()

    async def end(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def desk() -> Any:
    made = Desk()
    yield made
    await made.end()


async def test_the_accounts_own_attempt_is_found_by_its_name(desk: Desk) -> None:
    assert await desk.reported("mine", REF) == "ack"
    [taken] = desk.logs.taken
    assert (taken.id, taken.attempt, taken.account) == (ID, ATTEMPT, "mine")


async def test_receipts_stand_at_quorum_so_that_the_next_owner_reads_what_was_told(
    desk: Desk,
) -> None:
    assert await desk.reported("mine", REF) == "ack"
    desk.receipts.sent("mine", "SM1", ATTEMPT, ID, 7)
    assert await desk.reported("mine", "") == "ack"
    assert desk.logs.globally == [True, True]


async def test_memory_answers_before_the_journal(desk: Desk) -> None:
    desk.receipts.account_of = lambda message_id, attempt: "other" if message_id == ID else ""
    assert await desk.reported("mine", REF) == "ack"
    assert desk.logs.taken == []
    assert await desk.reported("other", REF) == "ack"
    assert len(desk.logs.taken) == 1


@pytest.mark.parametrize(
    ("account", "ref"),
    [
        ("another", REF),
        ("mine", f"{mint_unkeyed('local', 7, 29_000_000, bytes(range(16)))}.{ATTEMPT}.1"),
        ("mine", f"{ID}.{attempt_name(LOG, 2, 0)}.1"),
        ("mine", f"{ID}.{attempt_name(LOG, 1, 1)}.1"),
        ("mine", f"{ID}.localinc-n0--1--1.1"),
        ("mine", f"{ID}.localinc-n0-{10**30}-0.1"),
        ("mine", f"{ID}.no attempt.1"),
        ("mine", f"{ID}.{ATTEMPT}"),
        ("mine", "x.y.z"),
    ],
)
async def test_what_is_forged_joins_to_nothing_and_is_kept_by_its_id(
    desk: Desk, account: str, ref: str
) -> None:
    assert await desk.reported(account, ref) == "ack"
    assert desk.logs.taken == []
    # It waits for the id that it names, among its own account's.
    desk.receipts.sent(account, "SM1", ATTEMPT, ID, 7)
    await desk.receipts.write_down()
    assert [taken.account for taken in desk.logs.taken] == [account]


async def test_what_names_nothing_is_let_go(desk: Desk) -> None:
    assert await desk.reported("another", REF, provider_id="") == "ack"
    assert desk.logs.taken == []
