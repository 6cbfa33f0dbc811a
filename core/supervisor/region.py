"""The supervisor of one region: nats-server, cores and edge, kept running until it is told to end.

A region of several has a Cassandra node too, where that is ours to start, and a hub that is joined
to the others. Its cores wait until the launcher has made the store ready, which needs every node.

It writes `processes.json` whenever a process is another one, so that the edge can show the
processes of now. Told to end (SIGTERM, SIGINT), it stops the edge first, so that nothing new comes
in, then the cores, so that the old is finished, then NATS; what has not ended within the grace is
killed. If it dies instead, the kernel kills its parts. A node of several goes on until it is told
a second time, or the grace is over: other regions' cores may need it to finish what they began.

A part that dies again and again before the region was ever ready is a fault of the installation or
of the settings: then the supervisor gives up and says what the part said last. Once the region was
ready, it never gives up.
"""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from core.contract.log import Log
from core.contract.settings import Settings
from core.supervisor.folder import DataFolder
from core.supervisor.gateways import watch_forever
from core.supervisor.installation import STORE_OPENED, Installation
from core.supervisor.part import Pace, Part, PartSpec
from core.supervisor.parts import (
    PROCESSES,
    cassandra_part,
    core_parts,
    edge_part,
    nats_part,
    region_ports,
)
from core.supervisor.ports import keep_ports, kept_ports

_GIVE_UP_DEATHS = 8
_ORPHAN_GRACE_S = 1.5
_EDGE_SHARE = 0.4  # of the grace: the rest is for the cores, which have calls to finish
_LAST_S = 0.5  # of the grace: for nats-server and for writing down how it ended
_NODE_S = 5.0  # beyond the grace: for a node to write down what it has in memory
_LOOK_EVERY_S = 0.05


class UnreadyError(Exception):
    """The region cannot be brought up; the text says which part and what it said."""


class Region:
    """The parts of one region and their keeper."""

    def __init__(
        self,
        settings: Settings,
        folder: DataFolder,
        cores: int,
        log: Log,
        installation: Installation | None = None,
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._log = log
        self._installation = installation
        self._parent = os.getppid()
        self._started_at = _now()
        self._ready = False
        self._failed = ""
        self._stop = asyncio.Event()
        self._stop_node = asyncio.Event()
        self._notices: list[str] = []
        if installation is None:
            names = region_ports(settings, cores)
            ports, self._notices = keep_ports(folder, names, random.SystemRandom())
        else:
            ports = kept_ports(folder)
        for notice in self._notices:
            log.warning("port moved", detail=notice)
        kept = settings.supervisor
        self._pace = Pace(
            kept.restart_min_ms, kept.restart_max_ms, kept.steady_ms, kept.lock_wait_ms
        )
        self._nats: list[Part] = []
        if not settings.nats.url:
            self._nats = [self._part(nats_part(settings, folder, ports, installation))]
            self._monitor = f"http://127.0.0.1:{ports['nats-http']}"
        node = installation and cassandra_part(folder, settings.region.name, installation)
        self._nodes = [self._part(node)] if node else []
        specs = core_parts(settings, folder, ports, cores, installation)
        self._cores = [self._part(spec) for spec in specs]
        self._edge = self._part(edge_part(settings, folder, ports, cores, installation))

    async def run(self) -> int:
        """Bring the region up and keep it up; the exit code of the supervisor."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)
        stopped = asyncio.create_task(self._stop.wait())
        rising = asyncio.create_task(self._bring_up())
        watching = asyncio.create_task(self._watch_gateways())
        try:
            await asyncio.wait([stopped, rising], return_when=asyncio.FIRST_COMPLETED)
            if rising.done():
                rising.result()
                await stopped
            return 0
        except UnreadyError as error:
            self._log.error("region not ready", detail=str(error))
            self._failed = str(error)
            return 1
        finally:
            rising.cancel()
            watching.cancel()
            await self._stop_all()

    async def _bring_up(self) -> None:
        self._publish()
        # The others connect to them when they start; their absence would be their first log line.
        first = [*self._nats, *self._nodes]
        for part in first:
            part.start()
        await asyncio.gather(*(self._until_ready(part) for part in first))
        await self._until_store_opened()
        others = [*self._cores, self._edge]
        for part in others:
            part.start()
        await asyncio.gather(*(self._until_ready(part) for part in others))
        self._ready = True
        self._log.info("region ready", url=self._edge.spec.url)
        self._publish()

    async def _until_store_opened(self) -> None:
        while self._installation and self._folder.shared.read_json(STORE_OPENED) is None:
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _watch_gateways(self) -> None:
        if self._installation is None:
            return
        others = self._installation.others(self._settings.region.name)
        for hub in self._nats:
            await watch_forever(self._monitor, others, hub.ask_to_end, self._log)

    def _told_to_stop(self) -> None:
        if self._stop.is_set():
            self._stop_node.set()
        self._stop.set()

    async def _until_ready(self, part: Part) -> None:
        answering = asyncio.create_task(part.ready())
        try:
            while not answering.done():
                await asyncio.wait([answering], timeout=0.1)
                if part.deaths_in_a_row >= _GIVE_UP_DEATHS:
                    raise UnreadyError(
                        f"{part.spec.name} died {part.deaths_in_a_row} times before it was ready. "
                        f"It said last:\n{part.last_words()}"
                    )
        finally:
            answering.cancel()

    async def _stop_all(self) -> None:
        self._ready = False
        grace_s = self._settings.supervisor.stop_grace_ms / 1000
        if os.getppid() != self._parent:
            # Nobody waits for us; a new `goutong up` on this folder may wait for our end.
            grace_s = min(grace_s, _ORPHAN_GRACE_S)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self._log.info("region stops", grace_s=grace_s)
        await self._edge.stop(grace_s * _EDGE_SHARE)
        left_s = max(begun + grace_s - _LAST_S - loop.time(), 0.0)
        await asyncio.gather(*(part.stop(left_s) for part in self._cores))
        if self._nodes:
            self._publish()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    self._stop_node.wait(), max(begun + grace_s - loop.time(), 0)
                )
        for part in self._nats:
            await part.stop(_LAST_S)
        for part in self._nodes:
            await part.stop(min(_NODE_S, grace_s))
        self._publish()
        self._log.info("region stopped", took_s=round(loop.time() - begun, 3))

    def _part(self, spec: PartSpec) -> Part:
        return Part(spec, self._folder, self._pace, self._log, self._publish)

    def _publish(self) -> None:
        """Write down the processes of now. A full disk must not bring the region down."""
        try:
            self._folder.write_json(PROCESSES, self._state())
        except OSError as error:
            self._log.warning("processes.json not written", detail=str(error))

    def _state(self) -> dict[str, Any]:
        me = {"role": "supervisor", "pid": os.getpid(), "started_at": self._started_at}
        parts = [self._edge, *self._cores, *self._nats, *self._nodes]
        return {
            "region": self._settings.region.name,
            "url": self._edge.spec.url,
            "ready": self._ready,
            "failed": self._failed,
            "notices": self._notices,
            "processes": [me, *(_shown(part) for part in parts if part.pid is not None)],
        }


def _shown(part: Part) -> Mapping[str, Any]:
    index = {} if part.spec.index is None else {"index": part.spec.index}
    return {
        "role": part.spec.role,
        **index,
        "pid": part.pid,
        "url": part.spec.url,
        "started_at": part.started_at,
        "restarts": part.restarts,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
