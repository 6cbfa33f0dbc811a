"""How the regions are, as one core knows it: the answer of GET /v1/regions."""

from typing import Literal

from msgspec import Struct

from core.contract.resources import Timestamp

RegionState = Literal["serving", "returning", "draining", "drained", "silent"]
CoreState = Literal["active", "draining", "silent"]


class CoreOut(Struct, frozen=True):
    """A core with an active lease. `heard_s` is how long ago it was last seen alive, by a beat or
    by its lease; null where it was not seen to move since the core that answers started."""

    incarnation: str
    state: CoreState
    heard_s: float | None
    lease_counter: int
    map_version: int
    shards: int


class RegionOut(Struct, frozen=True):
    """A region. `state` is what is seen, `intended` what is agreed upon; they differ where nothing
    is heard of its cores (`silent`).

    `share_pct` is the part of its usual traffic that it takes. `shards` of all homes are owned by
    its cores, which is `shards_share` of all that there are. `lag_rows` counts the rows of its logs
    that its beats tell of and the core that answers has yet to read, null where no beat told of any
    log that it reads. `heard_s` is the smallest of its cores'.
    """

    region: str
    state: RegionState
    intended: RegionState
    reason: str
    share_pct: int
    shards: int
    shards_share: float
    lag_rows: int | None
    heard_s: float | None
    cores: list[CoreOut]


class HomeOut(Struct, frozen=True):
    """A home: its region, those that may take and own its messages, and who owns how many of its
    shards; "" stands for those of nobody that is alive."""

    home: str
    region: str
    regions: list[str]
    shards: dict[str, int]


class RegionsOut(Struct, frozen=True):
    """All regions, as the core `answered_by` of region `region` knows them at `at`.

    `serving_age_s` is how long ago it read what is agreed upon, null before it could; `isolated`
    says that it cannot renew its lease, so that what it knows of others may be old.
    """

    region: str
    answered_by: str
    at: Timestamp
    isolated: bool
    map_version: int
    serving_age_s: float | None
    data: list[RegionOut]
    homes: list[HomeOut]
