"""What operators and probes ask: /livez, /readyz, /status, /metrics, /openapi.json.

No authentication, no secrets, nothing personal. `/livez` says only that the loop turns, and how
late; `/readyz` is 503 while the edge stops or no core is connected; `/status` repeats what the
supervisor wrote of the region's processes and adds the edge's own view.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from core.contract.problems import problem
from edge.answers import Answer
from edge.dispatch import Dispatcher

_LAG_EVERY_S = 0.5


class LoopLag:
    """How late the event loop turns, measured beside the work."""

    def __init__(self) -> None:
        self.seconds = 0.0

    async def watch(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LAG_EVERY_S
            await asyncio.sleep(_LAG_EVERY_S)
            self.seconds = max(0.0, loop.time() - due)


class Operations:
    """The answers; `draining` is set when the edge begins to stop."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        registry: CollectorRegistry,
        lag: LoopLag,
        *,
        document: bytes,
        processes_file: Path | None,
        facts: Callable[[], dict[str, Any]],
    ) -> None:
        self.draining = False
        self._dispatcher = dispatcher
        self._registry = registry
        self._lag = lag
        self._document = document
        self._processes_file = processes_file
        self._facts = facts
        self._answers: dict[str, Callable[[str], Answer]] = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/status": self._status,
            "/metrics": self._metrics,
            "/openapi.json": self._openapi,
        }

    def has(self, path: str) -> bool:
        return path in self._answers

    def answer(self, path: str, method: str, trace: str) -> Answer:
        """The answer to one of the paths; ProblemError for another method than GET and HEAD."""
        if method not in ("GET", "HEAD"):
            headers = {"Allow": "GET, HEAD"}
            raise problem("method_not_allowed", "This path can only be read.", headers=headers)
        return self._answers[path](trace)

    def _livez(self, trace: str) -> Answer:
        lag_ms = round(self._lag.seconds * 1000, 1)
        return Answer(200, orjson.dumps({"alive": True, "loop_lag_ms": lag_ms}), trace)

    def _readyz(self, trace: str) -> Answer:
        ready = self._dispatcher.connected and not self.draining
        reason = "" if ready else "draining" if self.draining else "no core is connected"
        body = orjson.dumps({"ready": ready, "reason": reason})
        return Answer(200 if ready else 503, body, trace)

    def _status(self, trace: str) -> Answer:
        placement = self._dispatcher.placement
        cores = [
            {
                "core": link.name,
                "up": link.up,
                "leaving": link.leaving,
                "calls": len(link.in_flight),
            }
            for link in self._dispatcher.links
        ]
        body: dict[str, Any] = {
            "region": placement.region if placement else None,
            "map_version": placement.version if placement else None,
            "draining": self.draining,
            "processes": self._processes(),
            "cores": cores,
            "counts": msgspec.to_builtins(self._dispatcher.counts),
            **self._facts(),
        }
        return Answer(200, orjson.dumps(body), trace, headers={"Cache-Control": "no-store"})

    def _processes(self) -> Any:
        """What the supervisor wrote last. The file is replaced whole, so it is read as it is."""
        if self._processes_file is None:
            return []
        try:
            written = orjson.loads(self._processes_file.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return []
        return written.get("processes", []) if isinstance(written, dict) else written

    def _metrics(self, trace: str) -> Answer:
        return Answer(200, generate_latest(self._registry), trace, content_type=CONTENT_TYPE_LATEST)

    def _openapi(self, trace: str) -> Answer:
        return Answer(200, self._document, trace)
