"""How often the clocked work of a core comes, and how much of it at once.

The defaults are what an installation runs with; none is a setting. A simulator shortens them.
"""

from msgspec import Struct

from sync.keeper.shards import Pace as ShardsPace
from sync.owner.asking import AskingPace


class Pace(Struct, frozen=True):
    """Times in seconds unless their names say otherwise.

    `tick_s`: due messages and places; `second_s`: expiry and the open set, up to `open_lead_ms`
    ahead; `poll_silent_s`, `poll_former_s`: logs of which nobody says how far they are, and effect
    logs of former owners, are read on; `swept_at_once` messages are looked at in one tick.
    `look_s`: leases and shard rows; `renew_look_s`: whether to renew the own lease.
    `registry_every_s`: the registry is read; `register_again_s`: the own entry is written again,
    `floor_again_s` a floor that did not change, both so that they outlive their TTL.
    `force_every_s`: all regions are asked whether ownership was forced.
    `serving_every_s`: the set of serving regions is read; a region that returns keeps each share
    of its traffic for `return_dwell_s`. `replication_every_s`: the row of a change of replication.
    A core that registered has `unborn_leases` leases' lengths to take its first one. How fast
    shards move is said by `shards`; one that is given away waits `giving_calls_s` for its calls,
    and whoever got it counts on their end after `calls_end_s`. `asking` says when a row that is not
    found is asked of its writer's region.
    """

    tick_s: float = 0.025
    second_s: float = 1.0
    poll_silent_s: float = 2.0
    poll_former_s: float = 5.0
    open_lead_ms: int = 5_000
    swept_at_once: int = 500
    look_s: float = 0.25
    renew_look_s: float = 0.05
    force_every_s: float = 2.0
    serving_every_s: float = 1.0
    return_dwell_s: float = 60.0
    replication_every_s: float = 1.0
    registry_every_s: float = 1.0
    register_again_s: float = 3600.0
    floor_again_s: float = 3600.0
    shards: ShardsPace = ShardsPace(batch_max=32)
    giving_calls_s: float = 2.0
    calls_end_s: float = 60.0
    unborn_leases: int = 5
    asking: AskingPace = AskingPace()
