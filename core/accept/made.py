"""The acceptor of a core, from its settings."""

from collections.abc import Awaitable, Callable

from core.accept.acceptor import Acceptor, Bounds
from core.accept.keys import Keys
from core.accept.limits import Limits, rate_limits
from core.accept.shedding import Shedding, refused_at
from core.clock import Clock
from core.contract.log import Log
from core.contract.problems import ProblemError
from core.contract.rules import Rules
from core.contract.settings import Settings
from core.engine.engine import Engine
from core.templates.render import Renderer

_DAY_S = 86_400


def acceptor_of(
    settings: Settings,
    engine: Engine,
    keys: Keys,
    renderer: Renderer,
    clock: Clock,
    log: Log,
    refusal: Callable[[], ProblemError | None],
    spawn: Callable[[Awaitable[None]], None],
) -> Acceptor:
    """The acceptor that writes to the engine's logs and heeds its pressure."""
    limits, protocol = settings.limits, settings.protocol
    horizon_s = protocol.horizon_days * _DAY_S
    bounds = Bounds(
        Rules(limits.recipients_max, horizon_s, protocol.expires_in_s()),
        limits.json_depth_max,
        limits.accepts_waiting_max,
        protocol.accept_timeout_ms / 1000,
        protocol.escalate_after_s,
    )
    return Acceptor(
        engine.logs,
        keys,
        renderer,
        settings.region.name,
        bounds,
        Limits(rate_limits(limits)),
        Shedding(refused_at(limits), limits.accepts_waiting_max, engine.pressure),
        clock,
        engine.hlc,
        log,
        refusal,
        spawn,
    )
