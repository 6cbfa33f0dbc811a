"""At which level each operation is (PROTOCOL.md 2, 3, 5 and 11; `core.sim.store` has the same).

A majority of the own region's replicas is enough for log rows of local lanes, keys, views,
registrations and rows of forced ownership, unless they ask for more. All else needs a majority of
all. A process whose region is alone (`sync.forced`) writes and reads everything in its region.
"""

from cassandra import ConsistencyLevel

from sync.forced import Ruling
from sync.naming import log_name
from sync.store.port import PutForced, PutKey, PutRow, PutViews, Register, Write

QUORUM: int = ConsistencyLevel.QUORUM
LOCAL: int = ConsistencyLevel.LOCAL_QUORUM
EACH: int = ConsistencyLevel.EACH_QUORUM
SERIAL: int = ConsistencyLevel.SERIAL
LOCAL_SERIAL: int = ConsistencyLevel.LOCAL_SERIAL


class Levels:
    """The levels of a process of this region that lives under this ruling."""

    def __init__(self, ruling: Ruling, region: str) -> None:
        self.alone = ruling.alone_in(region)
        self.quorum = LOCAL if self.alone else QUORUM
        self.serial = LOCAL_SERIAL if self.alone else SERIAL
        self._local_logs: dict[str, bool] = {}

    def of(self, write: Write) -> int:
        """The level of a plain write."""
        return LOCAL if self.alone or self.is_local(write) else QUORUM

    def is_local(self, write: Write) -> bool:
        """Whether a majority of the own region's replicas is enough."""
        if type(write) is PutRow:
            return not write.at_quorum and self._is_local_log(write.log)
        if type(write) is Register or type(write) is PutForced:
            return not write.at_quorum
        return type(write) in (PutKey, PutViews)

    def _is_local_log(self, log: str) -> bool:
        local = self._local_logs.get(log)
        if local is None:
            local = self._local_logs[log] = log_name(log).lane.endswith("_local")
        return local
