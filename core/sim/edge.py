"""A simulated edge: between the clients of a region and the cores of all regions.

A request goes to the cores of the own region one after the other, then to those of other regions,
always with the same id: where an answer is lost the next core gets a copy. When no core answers,
and the request allows it, the message is spooled (PROTOCOL.md 9). The brain of that is the
production's `sync.spool.Spool`; here is what carries its commands out. The process may crash and
freeze like a core; what is on its disk is found by the next one.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, Literal

from core.contract.ids import body_hash
from core.sim.checks.spools import Spools
from core.sim.door import Asked, take_in
from core.sim.edgedisk import Disk, DiskQueue, DiskWork, Stored
from core.sim.handed import Batch
from core.sim.network import Network
from core.sim.node import Node
from core.sim.plan import EdgeRates, Plan
from core.sim.process import Process
from core.sim.trace import Trace
from sync.agreed import Refusal
from sync.records import Place
from sync.spool import (
    Answer,
    Bounds,
    Command,
    Entry,
    HandOver,
    KeepRefusal,
    Spool,
    Spooled,
    Unsure,
    Write,
)

ANSWER_WITHIN_S = 1.2
BATCH_WITHIN_S = 2.0
LOOK_S = 0.2

Said = Literal["accepted", "spooled", "refused", "unknown"]
ToldClient = Callable[[Said, str], None]


class Edge:
    """See the module's docstring. `nodes_of` are the cores of a region whose doors are open;
    `rates` says what goes wrong now."""

    def __init__(
        self,
        process: Process,
        disk: Disk,
        plan: Plan,
        network: Network,
        chance: Random,
        trace: Trace,
        spools: Spools,
        rates: Callable[[], EdgeRates],
        nodes_of: Callable[[str], list[Node]],
    ) -> None:
        self.process = process
        self.region = process.region
        self.spool = Spool(_bounds(plan.edge))
        self._rates = rates
        self._regions = [self.region, *(r for r in plan.regions if r != self.region)]
        self._disk = disk
        self._queue = DiskQueue(disk, process, rates, chance)
        self._network = network
        self._chance = chance
        self._trace = trace
        self._spools = spools
        self._nodes_of = nodes_of
        self._held: dict[str, Stored] = {}
        self._waiting: dict[str, list[ToldClient]] = {}
        self._silences = 0
        process.on_died = self._died

    def begin(self) -> None:
        """Start, as a process does: with what is on the disk."""
        found = list(self._disk.whole())
        entries = [each.entry for each in found]
        self._held = {each.entry.id: each for each in found}
        self.spool.recover(entries)
        self._note("start", f"an edge with {len(found)} spooled")
        self._spools.began(self.region, entries)
        self.process.start(self._hand_over_forever)

    @property
    def quiet(self) -> bool:
        """Whether nothing is spooled and nothing is being written."""
        return not len(self.spool) and self._queue.idle

    def _died(self, why: str) -> None:
        self._queue.crashed()
        self._spools.counts["edge write torn"] += self._queue.torn
        self._note("end", why)

    def _note(self, kind: str, text: str, message: str = "") -> None:
        now = self.process.scheduler.now
        self._trace.add(now, self.region, self.process.name, kind, text, message)

    # A client's request

    def take(self, asked: Asked, told: ToldClient) -> None:
        """A client hands a request in. It hears nothing where nothing is known."""
        self.process.spawn(self._take(asked, told))

    async def _take(self, asked: Asked, told: ToldClient) -> None:
        wish = asked.wish
        globally = wish is not None and wish.globally
        tried = False
        for region in self._regions:
            # A core outside of the home's placement group says so at once: none is asked in vain.
            nodes = [n for n in self._nodes_of(region) if n.engine.logs.has_home(asked.id)]
            self._chance.shuffle(nodes)
            for node in nodes:
                tried = True
                if await self._ask(node, asked, globally):
                    self._tell(told, "accepted", node.region)
                    return
        if wish is not None and wish.spool:
            self._offer(asked, told, tried)

    async def _ask(self, node: Node, asked: Asked, globally: bool) -> bool:
        """Whether the core says in time that it stands."""
        heard: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        self._network.send(
            self.region,
            node.region,
            partial(
                take_in, node, asked, globally, 0, self._chance, self._back(node, asked, heard)
            ),
            node.process,
        )
        await asyncio.wait([heard], timeout=ANSWER_WITHIN_S)
        return heard.done()

    def _back(
        self, node: Node, asked: Asked, heard: "asyncio.Future[Place]"
    ) -> Callable[[Place], None]:
        """The way back of a core's answer."""

        def told(place: Place) -> None:
            if asked.submitted is not None:
                asked.submitted.taken_from.add(self.region)
            if not self._loses_answer():
                answer = partial(_set, heard, place)
                self._network.send(node.region, self.region, answer, self.process)

        return told

    def _loses_answer(self) -> bool:
        lost = self._chance.random() < self._rates().answer_lost
        if lost:
            self._spools.counts["edge answer lost"] += 1
        return lost

    def _tell(self, told: ToldClient, said: Said, region: str) -> None:
        self.process.scheduler.after(0.0, lambda: told(said, region))

    # The spool

    def _offer(self, asked: Asked, told: ToldClient, tried: bool) -> None:
        entry = self._entry(asked)
        commands = self.spool.offer(entry, tried)
        if isinstance(commands, Refusal):
            self._spools.counts[f"told {commands.rule}"] += 1
            self._note("refuse", commands.rule, asked.id)
            self._tell(told, "refused", self.region)
            return
        self._waiting.setdefault(entry.id, []).append(told)
        self._held.setdefault(entry.id, Stored(entry, asked))
        self._carry_out(commands)

    def _entry(self, asked: Asked) -> Entry:
        wish, now_ms = asked.wish, self.process.wall_ms()
        assert wish is not None
        return Entry(
            asked.id,
            "urgent" if asked.urgent else "normal",
            len(asked.body),
            "global" if wish.globally else "local",
            now_ms + int((wish.ahead_s + wish.expires_s) * 1000),
            now_ms,
            body_hash(asked.body),
        )

    def _carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, Write):
                self._write(command.entry.id)
            elif isinstance(command, Spooled):
                self._answer(command.id, "spooled")
            elif isinstance(command, Unsure):
                self._answer(command.id, "unknown")
            elif isinstance(command, HandOver):
                held = [self._held[entry.id] for entry in command.entries]
                self.process.spawn(self._hand_over(command, held))
            elif isinstance(command, KeepRefusal):
                self._note("refused", command.reason, command.id)
                self._spools.refused(self.region, self._held.pop(command.id), command)
                self._queue.add(DiskWork(command))
            else:
                self._held.pop(command.id, None)
                self._queue.add(DiskWork(command.id))

    def _write(self, entry_id: str) -> None:
        def then(done: bool) -> None:
            spool = self.spool
            self._carry_out(spool.written(entry_id) if done else spool.write_failed(entry_id))

        self._queue.add(DiskWork(self._held[entry_id], then))

    def _answer(self, entry_id: str, said: Said) -> None:
        if said == "spooled":
            self._note("spooled", "on the disk", entry_id)
            self._spools.spooled(self.region, self._held[entry_id].entry)
        for told in self._waiting.pop(entry_id, []):
            self._tell(told, said, self.region)

    # Handing over

    async def _hand_over_forever(self) -> None:
        while True:
            if any(self._nodes_of(region) for region in self._regions):
                self._carry_out(self.spool.take(self.process.boot()))
            await asyncio.sleep(LOOK_S)

    async def _hand_over(self, command: HandOver, held: list[Stored]) -> None:
        """One batch to one core; after a silence the next core gets it."""
        nodes = [node for region in self._regions for node in self._nodes_of(region)]
        answered = False
        if nodes:
            now_ms = self.process.wall_ms()
            self._spools.handed(self.region, command.entries, now_ms)
            node = nodes[self._silences % len(nodes)]
            answered = await self._give(node, command.batch, held)
        if not answered:
            self._silences += 1
        self.spool.lost(command.batch, self.process.boot())  # its time is up, answered or not

    async def _give(self, node: Node, number: int, entries: list[Stored]) -> bool:
        """Whether an answer came in time. The spool hears of every one, late or repeated."""
        heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def arrives(answers: list[Answer]) -> None:
            _set(heard, None)
            self._carry_out(self.spool.answered(number, answers, self.process.boot()))

        def back(answers: list[Answer]) -> None:
            if not self._loses_answer():
                answer = partial(arrives, answers)
                self._network.send(node.region, self.region, answer, self.process)

        batch = Batch(node, self.region, entries, self._rates(), self._chance, back)
        self._network.send(self.region, node.region, batch.begin, node.process)
        await asyncio.wait([heard], timeout=BATCH_WITHIN_S)
        return heard.done()


def _set(heard: "asyncio.Future[Any]", value: Any) -> None:
    """An answer arrives; the network may bring it twice."""
    if not heard.done():
        heard.set_result(value)


def _bounds(rates: EdgeRates) -> Bounds:
    return Bounds(
        rates.entries_max, rates.bytes_max, rates.batch_entries_max, rates.batch_bytes_max, 0.5
    )
