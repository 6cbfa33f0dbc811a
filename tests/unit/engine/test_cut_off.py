"""A core that cannot renew says that it is cut off; logs of the lost end by an operator's word."""

from sync.lease import Lease
from sync.records import encode
from sync.store.memory_journal import MemoryJournal
from sync.store.port import PutRow, Register, SwapLease
from tests.support.wait import until
from tests.unit.engine.rig import HOME, OTHER, SHARDS, Rig

LOST = "b"
LOG = f"accept.{HOME}.normal_local.{LOST}.1"
LEASE_S, RENEW_S = 0.4, 0.05


async def test_a_core_that_cannot_renew_is_isolated_when_its_right_is_over() -> None:
    store = MemoryJournal([HOME, OTHER], SHARDS)
    rig = Rig(store)
    membership = rig.engine.membership
    membership.holder.length_s, membership.holder.renew_s = LEASE_S, RENEW_S
    await rig.start()
    await until(lambda: rig.engine.lease_left_s() > 0)
    assert not membership.isolated
    store.refuse = lambda write: "unknown" if isinstance(write, SwapLease) else ""
    await until(lambda: membership.isolated)
    assert rig.engine.lease_left_s() <= 0
    assert rig.lost_why == ""
    store.refuse = lambda _: ""
    await until(lambda: not membership.isolated)
    await rig.end()


async def test_the_log_of_a_lost_core_ends_when_its_region_is_told_to_be_closed() -> None:
    store = MemoryJournal([HOME, OTHER], SHARDS)
    store.closes_revoked = False  # as in Cassandra, where a row of it may land late
    for write in (
        Register(LOST, "us", "", [LOG], True),
        PutRow(LOG, 1, encode([])),
        SwapLease(None, Lease(LOST, 0, "", "revoked")),
    ):
        store.tables.apply(write)
    rig = Rig(store)
    membership = rig.engine.membership
    membership.region_closed("us")  # before anybody of it is known to be gone: no word on them
    await rig.start()
    await until(lambda: membership.members.dead(LOST) and LOG in membership.accept_logs(HOME)[0])
    await until(lambda: all(count == SHARDS for count in rig.owned().values()))
    assert membership.accept_logs(HOME)[1] == {}
    membership.region_closed("eu")
    assert membership.accept_logs(HOME)[1] == {}
    membership.region_closed("us")
    await until(lambda: membership.accept_logs(HOME)[1] == {LOG: 1})
    await rig.end()
