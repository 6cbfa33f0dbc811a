"""How a core is, for people and for the launcher: the answer of its /status."""

import os
from typing import Any

from core.condition import Condition
from core.decide.fair import LANES
from core.engine.engine import Engine
from core.engine.signals import Signals


def status_of(
    region: str,
    index: int,
    incarnation: str,
    engine: Engine,
    condition: Condition,
    signals: Signals,
) -> dict[str, Any]:
    """All that is worth a look, as it is now."""
    dispatcher = engine.dispatcher
    return {
        "role": "core",
        "region": region,
        "index": index,
        "pid": os.getpid(),
        "incarnation": incarnation,
        "ready": not condition.not_ready(),
        "reason": condition.not_ready(),
        "isolated": engine.membership.isolated,
        "lease_left_ms": int(max(0.0, engine.lease_left_s()) * 1000),
        "shards": sum(len(owner.shards) for owner in engine.owners),
        "open": sum(owner.open_count for owner in engine.owners),
        "waiting": dispatcher.waiting,
        "calling": dispatcher.calling,
        "signals": signals.connected,
        "disk_free_bytes": condition.free_bytes,
        "waiting_by_class": {name: dispatcher.waiting_in(lane) for lane, name in enumerate(LANES)},
        "pressure": round(engine.pressure(), 3),
        "accounts": {account.id: account.shown for account in engine.accounts.values()},
        "log_rows": engine.logs.last_rows(),
    }
