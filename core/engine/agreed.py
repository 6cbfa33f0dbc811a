"""What all regions agree upon, as this process has it: the serving set, the placement map, changes
of replication, and forced ownership. Each is one row, or a few, in the store."""

from collections.abc import Sequence
from functools import partial
from random import Random

from core.clock import Clock
from core.contract.log import Log
from core.engine.force import Force
from core.engine.maps import Maps
from core.engine.pace import Pace
from core.engine.replication import Replication
from core.engine.serving import Serving
from core.engine.submitting import submitted
from sync.forced import Ruling
from sync.placement import PlacementMap
from sync.store.port import JournalStore


class Agreed:
    """See the module's docstring. `right_s` is how long a right to act lasts at most."""

    def __init__(
        self,
        store: JournalStore,
        clock: Clock,
        random: Random,
        log: Log,
        region: str,
        homes: Sequence[str],
        pace: Pace,
        first_map: PlacementMap,
        keys_kept_ms: int,
        under: Ruling,
        right_s: float,
    ) -> None:
        submit = partial(submitted, store)
        self.force = Force(
            store.forces, submit, clock, log, region, under, right_s, pace.force_every_s
        )
        self.maps = Maps(
            store, submit, clock, random, log, first_map, homes, keys_kept_ms, self.force.alone
        )
        self.serving = Serving(
            store,
            submit,
            clock,
            random,
            log,
            region,
            homes,
            pace.serving_every_s,
            pace.return_dwell_s,
            self.maps,
        )
        self.maps.read_out = self.serving.read_out
        self.replication = Replication(store, submit, clock, random, log, pace.replication_every_s)
