"""The engine's bounds, from the settings."""

from core.contract.settings import Settings
from core.decide.breaker import BreakerRules
from core.decide.budget import BudgetRules
from core.engine.protection import ProtectionRules
from sync.owner.state import Limits


def limits_of(settings: Settings) -> Limits:
    """The owner's bounds, from the settings."""
    core = settings.core
    return Limits(
        core.held_messages_max,
        core.recent_messages_max,
        core.remembered_ids_max,
        core.early_events_max,
        settings.protocol.clock_bound_ms,
        core.dedupe_margin_ms,
        core.park_after_ms,
        core.park_waiting_ms,
        core.set_aside_ms,
        core.await_in_memory_ms,
    )


def protection_of(settings: Settings) -> ProtectionRules:
    """What every account is spared, from the settings."""
    breaker, dispatch = settings.breaker, settings.dispatch
    return ProtectionRules(
        BreakerRules(
            breaker.share,
            breaker.calls_min,
            breaker.window_ms / 1000,
            breaker.in_a_row,
            breaker.first_ms / 1000,
            breaker.longest_ms / 1000,
            breaker.probes,
        ),
        BudgetRules(dispatch.retry_share, dispatch.retry_floor_per_s),
        dispatch.urgent_reserve,
        settings.supervisor.cores,
    )
