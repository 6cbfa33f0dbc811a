"""A change of replication as a core drives it: in order, frozen first, by one process at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from random import Random

import pytest

from core.contract.log import silent
from core.engine.replicating import Replicating
from core.engine.replication import Replication
from sync.agreed import Refusal
from sync.lease import Lease
from sync.replication import (
    Replicas,
    ReplicationChange,
    begun,
    done,
    finished,
    next_step,
    takeovers_frozen,
)
from sync.store.memory_journal import MemoryJournal
from sync.store.port import Answer, Register, StoreError, SwapLease, SwapReplication, Write
from tests.support.wait import until
from tests.unit.engine.rig import HOME, OTHER, SHARDS, Rig

OLD, NEW = {"eu": 1, "us": 1}, {"eu": 1, "us": 2}


class Store:
    """Remembers what was asked of it; `differs` verifications find a difference."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.counts: Replicas = OLD
        self.differs = 0
        self.fails = 0

    async def replicas(self, keyspace: str) -> Replicas:
        return self.counts

    async def alter(self, keyspace: str, replicas: Replicas, within_s: float) -> None:
        self.asked.append("alter")
        self.counts = replicas

    async def rebuild(self, keyspace: str, datacentre: str) -> None:
        self.asked.append(f"rebuild {datacentre}")

    async def repair(self, keyspace: str) -> None:
        if self.fails:
            self.fails -= 1
            raise StoreError("a replica is away")
        self.asked.append("repair")

    async def paxos_repair(self, keyspace: str) -> None:
        self.asked.append("paxos_repair")

    async def verify(self, keyspace: str) -> bool:
        self.asked.append("verify")
        self.differs -= 1
        return self.differs < 0


@pytest.fixture
async def journal() -> MemoryJournal:
    return MemoryJournal((HOME, OTHER), SHARDS)


@pytest.fixture
async def rig(journal: MemoryJournal) -> AsyncIterator[Rig]:
    rig = Rig(journal)
    await rig.start()
    await until(lambda: rig.owned() == {HOME: SHARDS, OTHER: SHARDS})
    yield rig
    await rig.end()


def driven(rig: Rig, store: Store) -> Replicating:
    return Replicating(rig.engine.membership, rig.store, store, silent(), 1.0)


async def put(journal: MemoryJournal, write: Write) -> None:
    told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    journal.submit(write, told.set_result)
    await told


async def to_the_end(at: Replicating) -> list[str]:
    """Ask until it is finished; what was refused meanwhile."""
    refused: list[str] = []

    async def ended() -> bool:
        try:
            answer = await at.go_on()
        except StoreError:
            return False
        if isinstance(answer, Refusal):
            refused.append(answer.rule)
        return isinstance(answer, ReplicationChange) and finished(answer)

    await until(ended)
    return refused


async def test_steps_are_done_in_their_order_once_all_leases_name_the_freeze(
    rig: Rig, journal: MemoryJournal
) -> None:
    store, frozen_at = Store(), []
    at = driven(rig, store)
    assert isinstance(await at.begin("k", NEW), ReplicationChange)
    work = asyncio.create_task(to_the_end(at))
    await until(lambda: "alter" in store.asked)
    frozen_at.append(rig.engine.membership.frozen)
    lease = await journal.lease("c1")
    assert lease is not None
    assert lease.replication_version >= 2
    assert set(await work) <= {"frozen_everywhere"}
    assert store.asked == ["alter", "rebuild us", "repair", "paxos_repair", "verify"]
    assert store.counts == NEW
    assert frozen_at == [True]
    assert not rig.engine.membership.frozen
    assert rig.owned() == {HOME: SHARDS, OTHER: SHARDS}


async def test_a_core_that_has_not_seen_the_freeze_is_waited_for(
    rig: Rig, journal: MemoryJournal
) -> None:
    await put(journal, Register("c9", OTHER, "", [], True))
    await put(journal, SwapLease(None, Lease("c9", 1, "n", "active")))
    at = driven(rig, Store())
    await at.begin("k", NEW)
    row = await at.go_on()
    assert isinstance(row, ReplicationChange)
    assert takeovers_frozen(row)
    heeds = rig.engine.membership.replication
    await until(lambda: heeds.frozen)
    refused = await at.go_on()
    assert isinstance(refused, Refusal)
    assert refused.rule == "frozen_everywhere"
    assert "c9" in refused.what


async def test_a_difference_leads_to_another_repair_and_a_failure_to_the_same_step(
    rig: Rig,
) -> None:
    store = Store()
    store.differs, store.fails = 1, 1
    at = driven(rig, store)
    await at.begin("k", NEW)
    await to_the_end(at)
    again = ["repair", "paxos_repair", "verify"]
    assert store.asked == ["alter", "rebuild us", *again, *again]


async def test_another_process_goes_on_only_when_the_driver_is_gone(
    rig: Rig, journal: MemoryJournal
) -> None:
    driver = Lease("c9", 1, "n", "active", replication_version=99)
    await put(journal, SwapLease(None, driver))
    row = begun(None, "k", OLD, NEW, "c9", "n1")
    assert isinstance(row, ReplicationChange)
    await put(journal, SwapReplication(None, row))
    at = driven(rig, Store())
    refused = await at.go_on()
    assert isinstance(refused, Refusal)
    assert refused.rule == "driver_gone"
    await put(journal, SwapLease(driver, Lease("c9", 1, "n", "left")))
    row = await at.go_on()
    assert isinstance(row, ReplicationChange)
    assert row.driver == "c1"
    step = next_step(row)
    assert step is not None
    assert step.name == "await_frozen"


async def test_without_a_lease_nothing_is_altered(journal: MemoryJournal) -> None:
    rig, store = Rig(journal), Store()
    row = begun(None, "k", OLD, NEW, "c1", "n1")
    while isinstance(row, ReplicationChange):
        step = next_step(row)
        if step is None or step.name == "alter":
            break
        row = done(row, step, "n")
    assert isinstance(row, ReplicationChange)
    await put(journal, SwapReplication(None, row))
    refused = await driven(rig, store).go_on()
    assert isinstance(refused, Refusal)
    assert refused.rule == "driver_leased"
    assert store.asked == []


async def test_writers_are_stopped_before_a_datacentre_goes_away(
    rig: Rig, journal: MemoryJournal
) -> None:
    store = Store()
    await put(journal, Register("c9", OTHER, "", [], True))
    writer = Lease("c9", 1, "n", "active", replication_version=99)
    await put(journal, SwapLease(None, writer))
    store.counts = {HOME: 1, OTHER: 1}
    at = driven(rig, store)
    await at.begin("k", {HOME: 1, OTHER: 0})
    rules = []
    for _ in range(2):
        refused = await at.go_on()
        assert isinstance(refused, Refusal)
        rules.append(refused.rule)
        # A core of the region itself, which this test does not run, says that it owns nothing.
        serving = Rig(journal, "c9").engine.membership.serving
        serving._region = OTHER
        await serving.look()
        await serving.go_on(set())
    assert rules == ["region_drained", "cores_ended"]
    await put(journal, SwapLease(writer, Lease("c9", 1, "n", "left")))
    assert isinstance(await at.go_on(), ReplicationChange)


# The row alone


class Clock:
    """Stands still."""

    def boot(self) -> float:
        return 1.0

    def wall_ms(self) -> int:
        return 1_000

    def wall_us(self) -> int:
        return 1_000_000


def reader(journal: MemoryJournal, lose: Callable[[Write], bool]) -> Replication:
    """Answers of writes that `lose` names are not heard, though the write is made."""

    async def submit(write: Write) -> Answer:
        told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        journal.submit(write, told.set_result)
        answer = await told
        return "unknown" if lose(write) else answer

    return Replication(journal, submit, Clock(), Random(1), silent(), 1.0)


async def test_a_lost_answer_is_found_to_have_been_applied(journal: MemoryJournal) -> None:
    rows = reader(journal, lambda _: True)
    made = await rows.change(lambda row, nonce: begun(row, "k", OLD, NEW, "c1", nonce))
    assert made == await journal.replication() == rows.row


async def test_a_lease_names_no_row_that_came_during_a_takeover(journal: MemoryJournal) -> None:
    rows = reader(journal, lambda _: False)
    assert rows.heeded(moving=False) == 0
    await rows.change(lambda row, nonce: begun(row, "k", OLD, NEW, "c1", nonce))
    assert rows.heeded(moving=True) == 0
    assert rows.heeded(moving=False) == 1
    assert rows.heeded(moving=True) == 1


async def test_what_was_read_last_holds_while_it_cannot_be_read(journal: MemoryJournal) -> None:
    rows = reader(journal, lambda _: False)
    row = begun(None, "k", OLD, NEW, "c1", "n1")
    assert isinstance(row, ReplicationChange)
    step = next_step(row)
    assert step is not None
    frozen = done(row, step, "n2")
    assert isinstance(frozen, ReplicationChange)
    await put(journal, SwapReplication(None, frozen))
    await rows.read()
    await journal.close()
    rows._read_at = float("-inf")
    await rows.look()
    assert rows.frozen
    with pytest.raises(StoreError):
        await rows.read()
