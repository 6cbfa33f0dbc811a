"""The real store asks for the same levels as the simulated one, in which the protocol was tried."""

from random import Random
from typing import Any

import pytest

from core.sim.network import Network, NetworkRates
from core.sim.scheduler import Scheduler
from core.sim.store.faults import StoreFaults
from core.sim.store.store import SimStore
from sync.forced import PLAIN, Forced, Ruling
from sync.store.cassandra.levels import LOCAL, LOCAL_SERIAL, QUORUM, SERIAL, Levels
from sync.store.port import (
    PutById,
    PutFloor,
    PutForced,
    PutKey,
    PutOpen,
    PutPending,
    PutProviderIds,
    PutRow,
    PutViews,
    Register,
    Write,
)

FORCED = Forced(1, ("eu",), alone=True)
WRITES: list[Write] = [
    *(
        PutRow(f"accept.h.{lane}.c1.0", 1, b"", at_quorum)
        for lane in ("urgent_local", "normal_local", "urgent_global", "normal_global")
        for at_quorum in (False, True)
    ),
    PutRow("effect.h.urgent.c1.0", 1, b""),
    PutRow("effect.h.normal.c1.0", 1, b""),
    PutById([]),
    PutOpen([]),
    PutFloor("h", "c1", b""),
    PutKey("t", "k", b""),
    PutProviderIds("a", 1, "c1", 1, b""),
    PutPending("a", "p", b""),
    PutViews([]),
    *(Register("c1", "eu", "", [], at_quorum) for at_quorum in (False, True)),
    *(PutForced(FORCED, at_quorum) for at_quorum in (False, True)),
]


def simulated() -> Any:
    scheduler, random = Scheduler(), Random(1)
    network = Network(scheduler, random, ["eu", "us", "ap"], NetworkRates())
    store = SimStore(scheduler, network, random, ["eu", "us", "ap"], ["h"], 4, StoreFaults())
    return store.writes


@pytest.mark.parametrize("write", WRITES, ids=lambda write: type(write).__name__)
def test_the_level_of_a_write_is_that_of_the_simulator(write: Write) -> None:
    local = simulated().is_local(write)
    assert Levels(PLAIN, "eu").of(write) == (LOCAL if local else QUORUM)


@pytest.mark.parametrize("write", WRITES, ids=lambda write: type(write).__name__)
def test_a_region_that_is_alone_asks_for_its_own_majority(write: Write) -> None:
    alone = Ruling(1, frozenset({"eu"}), alone=True)
    assert Levels(alone, "eu").of(write) == LOCAL
    assert Levels(alone, "eu").serial == LOCAL_SERIAL
    assert Levels(alone, "us").serial == SERIAL
    assert Levels(alone, "us").quorum == QUORUM
