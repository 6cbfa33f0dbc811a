"""What can be seen of an edge from outside: the numbers of /status and /metrics."""

from typing import Any

from prometheus_client import CollectorRegistry

from edge.batch import Batches
from edge.bodies import Bodies
from edge.dispatch import Dispatcher
from edge.keycache import KeyCache
from edge.metrics import Counts, EdgeCollector
from edge.operations import LoopLag
from edge.server import GuardedServer


class Sight:
    """Reads the parts when somebody asks."""

    def __init__(
        self,
        counts: Counts,
        dispatcher: Dispatcher,
        server: GuardedServer,
        bodies: Bodies,
        keys: KeyCache,
        lag: LoopLag,
        batches: Batches,
    ) -> None:
        self._counts = counts
        self._dispatcher = dispatcher
        self._server = server
        self._bodies = bodies
        self._keys = keys
        self._lag = lag
        self._batches = batches

    def facts(self) -> dict[str, Any]:
        """What is held right now; part of /status."""
        return {
            "connections": len(self._server.connections),
            "unsent_bytes": self._server.unsent_bytes,
            "outstanding": self._dispatcher.outstanding,
            "batches": self._batches.running,
            "held_bytes": self._bodies.held_bytes,
            "keys_known": len(self._keys),
            "loop_lag_ms": round(self._lag.seconds * 1000, 1),
        }

    def registry(self) -> CollectorRegistry:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(
            EdgeCollector(
                self._counts,
                self._gauges,
                self._counters,
                lambda: [(link.name, link.usable) for link in self._dispatcher.links],
            )
        )
        return registry

    def _gauges(self) -> dict[str, tuple[str, float]]:
        return {
            "outstanding": ("Calls waiting for a core", self._dispatcher.outstanding),
            "held_bytes": ("Bodies held", self._bodies.held_bytes),
            "connections": ("Open connections", len(self._server.connections)),
            "keys_known": ("API keys remembered", len(self._keys)),
            "loop_lag_seconds": ("How late the event loop turns", self._lag.seconds),
        }

    def _counters(self) -> dict[str, tuple[str, float]]:
        counts = self._dispatcher.counts
        batches = sum(link.batches_sent for link in self._dispatcher.links)
        return {
            "calls": ("Requests handed to the dispatcher", counts.calls),
            "batches": ("Batches sent to cores", batches),
            "repeats": ("Calls given to a core again", counts.repeats),
            "minted_again": ("Calls minted anew by a newer map", counts.minted_again),
            "late_replies": ("Replies nobody waited for", counts.late_replies),
            "accept_unknown": ("Calls that ended unknown", counts.unknown),
            "no_core": ("Calls that no core ever got", counts.no_core),
            "key_lookups": ("Keys asked of a core", self._keys.lookups),
            "refused_connections": ("Connections over the limit", self._server.refused_connections),
        }
