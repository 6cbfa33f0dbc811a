"""What no fault may break: what was acknowledged, or once read, is read ever after."""

from random import Random

import pytest

from core.sim.network import NetworkRates
from core.sim.store.faults import StoreFaults
from sync.store.port import ByIdRow, PutById, PutRow, StoreError
from tests.unit.sim.store.stage import Stage

FAULTS = StoreFaults(
    write_lost=0.05,
    write_unheard=0.05,
    write_late=0.05,
    write_torn=0.1,
    write_slow=0.05,
    read_fails=0.02,
    read_slow=0.05,
    replica_down=0.02,
    replica_lost=0.01,
    down_max_s=4.0,
)
RATES = NetworkRates(loss=0.02, reorder=0.05)


def cut_or_heal(stage: Stage, chance: Random) -> None:
    """Mostly all links work, so that something can be acknowledged."""
    stage.network.heal()
    drawn = chance.random()
    if drawn < 0.3:
        stage.network.isolate(chance.choice("abc"))
    elif drawn < 0.4:
        stage.network.cut(*chance.sample("abc", 2))
    elif drawn < 0.5:
        stage.network.cut_one_way(*chance.sample("abc", 2))
    elif drawn < 0.55:
        stage.network.majorities_ring()


@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize("seed", range(6))
def test_what_stands_is_read(seed: int, replicas: int) -> None:
    stage, chance = Stage(FAULTS, RATES, replicas, seed, hint_window_s=5.0), Random(seed)
    seen: set[str] = set()
    newest = acknowledged = reads = 0
    for n in range(120):
        if n % 8 == 0:
            cut_or_heal(stage, chance)
        write = PutRow(f"effect.a.urgent.c{n}.0", 1, b"x")
        if stage.write(chance.choice("abc"), write) == "ok":
            seen.add(write.log)
            acknowledged += 1
        by_id = PutById([ByIdRow("p", "i", 1, b"%d" % n, n + 1)])
        if stage.write(chance.choice("abc"), by_id) == "ok":
            newest = max(newest, n + 1)
        view = stage.views[chance.choice("abc")]
        log = f"effect.a.urgent.c{chance.randrange(n + 1)}.0"
        try:
            found = stage.read(view._process.region, view.rows(log, 1, 1))
            row = stage.read(view._process.region, view.by_ids(["i"])).get("i")
        except StoreError:
            continue
        reads += 1
        assert found or log not in seen
        assert (row.stamp if row else 0) >= newest
        newest = row.stamp if row else 0
        if found:
            seen.add(log)
    assert acknowledged > 30
    assert reads > 30
