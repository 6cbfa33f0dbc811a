"""Two cores on one journal: one that drains gives its shards away, and nothing is sent twice."""

import asyncio

from core.engine.signals import Beat
from sync.store.memory_journal import MemoryJournal
from tests.support.wait import until
from tests.unit.engine.rig import HOME, OTHER, SHARDS, Rig

ALL = {HOME: SHARDS, OTHER: SHARDS}
NONE = {HOME: 0, OTHER: 0}


def tell(one: Rig, other: Rig, seq: int) -> None:
    """A beat of one core reaches the other."""
    counter, rows, draining = one.engine.beat()
    name, region = one.engine.membership.incarnation, one.engine.membership.region
    other.engine.heard(Beat(name, seq, counter, rows, region, draining))


async def test_a_core_that_drains_gives_its_shards_to_the_other_without_waiting_for_a_lease() -> (
    None
):
    store = MemoryJournal([HOME, OTHER], SHARDS)
    giver, other = Rig(store, "c1"), Rig(store, "c2")
    await giver.start()
    await until(lambda: giver.owned() == ALL)
    message = giver.message(HOME)
    await giver.accept(message)
    await other.start()
    await until(lambda: not giver.engine.membership.alone)
    giver.engine.membership.draining = True
    tell(giver, other, 1)
    await until(lambda: giver.owned() == NONE and other.owned() == ALL)
    assert giver.engine.lease_left_s() > 0
    other.open_account()
    giver.open_account()
    await until(lambda: list(other.adapter.sent.values()) == [message.id])
    assert giver.adapter.sent == {}
    await asyncio.gather(giver.end(), other.end())


async def test_a_core_alone_keeps_its_shards_though_it_drains() -> None:
    rig = Rig(MemoryJournal([HOME, OTHER], SHARDS))
    await rig.start()
    await until(lambda: rig.owned() == ALL)
    rig.engine.membership.draining = True
    assert rig.engine.membership.alone
    rig.open_account()
    message = rig.message(HOME)
    await rig.accept(message)
    await until(lambda: list(rig.adapter.sent.values()) == [message.id])
    assert rig.owned() == ALL
    await rig.end()
