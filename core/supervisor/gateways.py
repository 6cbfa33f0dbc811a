"""A watch over the gateways of a region's hub, which mends one that is stuck.

A hub that lost packets while it connected to another can wait for that one's first word for good
(nats-server #5349, #7419): everything looks well, and no signal leaves for that region. The sign is
in the hub's own monitor: no outbound gateway to a region whose hub answers. That hub is started
again, with longer pauses each time that this has not helped. A region whose hub does not answer is
away, not stuck, and is never a reason.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping

import orjson

from core.contract.log import Log
from core.supervisor.probe import body_of, first_word

STUCK_S = 10.0
LOOK_EVERY_S = 2.0
_FIRST_PAUSE_S = 30.0
_LONGEST_PAUSE_S = 300.0


class Watch:
    """Decides whether the hub is to be started again; knows nothing of clocks and sockets."""

    def __init__(self) -> None:
        self._lacking: dict[str, float] = {}
        self._pause_s = _FIRST_PAUSE_S
        self._not_before = 0.0

    def looked(self, now_s: float, lacking: Collection[str]) -> list[str]:
        """`lacking` are the regions whose hubs answer now although there is no gateway to them.
        Those for whose sake the hub is to be started again; mostly none."""
        self._lacking = {name: self._lacking.get(name, now_s) for name in lacking}
        if not lacking:
            self._pause_s = _FIRST_PAUSE_S
        stuck = [name for name, since in self._lacking.items() if now_s - since >= STUCK_S]
        if not stuck or now_s < self._not_before:
            return []
        self._not_before = now_s + self._pause_s
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
        self._lacking = {}
        return stuck


def outbound_of(gatewayz: bytes) -> set[str] | None:
    """The regions that the hub has a gateway to, by its monitor's word; None for no such word."""
    try:
        told = orjson.loads(gatewayz)["outbound_gateways"]
        return {name for name, gateway in told.items() if gateway["connection"]["cid"]}
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None


async def watch_forever(
    monitor: str, others: Mapping[str, int], restart: Callable[[], None], log: Log
) -> None:
    """Look again and again; `others` are the other regions' gateway ports on this machine."""
    watch = Watch()
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        outbound = outbound_of(await body_of(f"{monitor}/gatewayz"))
        if outbound is None:
            continue  # The hub itself is away; whoever keeps it starts it again.
        without = [name for name in others if name not in outbound]
        words = await asyncio.gather(*(first_word(others[name]) for name in without))
        lacking = [name for name, word in zip(without, words, strict=True) if word == b"INFO"]
        stuck = watch.looked(loop.time(), lacking)
        if stuck:
            log.warning("gateways are stuck, starting the hub again", regions=stuck)
            restart()
