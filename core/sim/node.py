"""A core process of the simulator: the production engine on a simulated loop, store and providers.

What is made here is what `core/app.py` makes, as far as it takes part in the protocol. Nothing of
the engine is replaced; what it says to the outside is listened to.
"""

import asyncio
from collections.abc import Callable, Iterable
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from core.contract.settings import Settings
from core.engine.engine import Engine
from core.engine.force import ruling_at_start
from core.engine.hooks import Endpoint as Door
from core.engine.pace import Pace
from core.engine.payload import Payload, content_of, decode_payload
from core.engine.signals import Beat
from core.sim.config import Config
from core.sim.lines import NodeLog
from core.sim.mapplan import first_map
from core.sim.plan import CALL_TIMEOUT_S, EPSILON_S, LEASE_S, WRITE_TIMEOUT_S, Plan
from core.sim.process import Process
from core.views.writer import Views, list_open_forever
from core.webhooks.events import events_of
from core.webhooks.store import Endpoint
from sync.keeper.shards import Pace as ShardsPace
from sync.owner.asking import AskingPace
from sync.owner.owner import Owner
from sync.owner.state import Msg
from sync.records import Message, State
from sync.store.port import StoreError

if TYPE_CHECKING:
    from core.sim.world import World

BEAT_S = 0.25
LEAVE_S = 2.0
VIEWS_OPEN_AFTER_MS = 1_000
ENDPOINT = Endpoint("t", "ep", "https://hook", (), True, "", 0, ())
PACE = Pace(
    tick_s=0.2,
    second_s=0.6,
    poll_silent_s=1.0,
    poll_former_s=1.5,
    open_lead_ms=500,
    look_s=0.4,
    renew_look_s=0.2,
    register_again_s=10.0,
    floor_again_s=10.0,
    unborn_leases=2,
    return_dwell_s=1.0,
    replication_every_s=0.4,
    shards=ShardsPace(
        batch_max=2, stay_s=2.0, settle_s=1.0, return_s=3.0, under_way_max=2, region_step_s=1.0
    ),
    giving_calls_s=2.0,
    calls_end_s=CALL_TIMEOUT_S + EPSILON_S,
    asking=AskingPace(told_s=0.4, untold_s=1.5, longest_s=6.0),
)


def settings_of(plan: Plan, region: str) -> Settings:
    """The settings of a simulated core: the same fields as in production, with shorter times."""
    settings, limits, replace = Settings(), plan.limits, msgspec.structs.replace
    core = replace(settings.core, provider_ids_max=6, receipt_buckets_back=12, seal_ms=300)
    protocol = replace(
        settings.protocol,
        lease_ms=int(LEASE_S * 1000),
        renew_ms=1_000,
        epsilon_ms=int(EPSILON_S * 1000),
        write_timeout_ms=int(WRITE_TIMEOUT_S * 1000),
        clock_bound_ms=limits.clock_bound_ms,
        floor_ms=500,
        shards_poll_ms=600,
    )
    return replace(
        settings,
        region=replace(settings.region, name=region, home_shards=plan.shards),
        core=core,
        store=replace(settings.store, **plan.log_limits),
        protocol=protocol,
        retry=replace(settings.retry, first_ms=300, longest_ms=3_000),
    )


class Node:
    """See the module's docstring. `ready` once its doors are open."""

    def __init__(self, process: Process, world: "World") -> None:
        self.process = process
        self.region = process.region
        self.ready = False
        self.ready_s = 0.0
        self.engine: Engine
        self.config: Config
        self._world = world
        self._plan = world.plan
        self._chance = Random(world.chance.getrandbits(64))
        self._chance_of_asking = Random(f"{self._plan.seed}:{process.name} asks")
        self._read_from: dict[str, float] = {}
        process.on_died = lambda why: self.note("end", why)

    def note(self, kind: str, text: str, message: str = "") -> None:
        """Into the run's trace."""
        process = self.process
        now = process.scheduler.now
        self._world.trace.add(now, process.region, process.name, kind, text, message)

    def begin(self) -> None:
        """Start, as a process does."""
        self.note("start", "a new incarnation with empty hands")
        self.process.start(self._run)

    async def _run(self) -> None:
        world, process, plan = self._world, self.process, self._plan
        settings, log = settings_of(plan, self.region), NodeLog(self.note)
        view = world.store.view(process)
        under = await ruling_at_start(view, log)  # type: ignore[arg-type]
        if under.number:
            view.under(under)
            self.note("start", f"under force {under.number}")
        self.engine = Engine(
            view,
            settings,
            process.name,
            "",
            process,
            self._chance,
            process,  # type: ignore[arg-type]
            log,  # type: ignore[arg-type]
            homes=self._plan.regions,
            limits=self._plan.limits,
            pace=msgspec.structs.replace(PACE, swept_at_once=plan.swept_at_once),
            first_map=first_map(plan.regions, plan.shards) if plan.maps else None,
            under=under,
        )
        self.engine.asking.neighbours = self
        self.config = Config(world, process, self.engine, settings, self._chance, log)
        for work in self.engine.homes.values():
            self._listen(work)
        await self.engine.membership.register()
        try:
            await self.config.start()
        except StoreError:
            process.die("its configuration cannot be read")
            return
        self.ready, self.ready_s = True, process.scheduler.now
        self.engine.start()
        self._beat()

    def drain(self) -> None:
        """Give the shards to others; nothing new is accepted here."""
        self.note("drain", "gives its shards away")
        self.ready = False
        self.engine.membership.draining = True

    def leave(self) -> None:
        """End properly: the old finished, the lease left with the last rows of the logs."""
        self.process.spawn(self._leave())

    async def _leave(self) -> None:
        engine = self.engine
        engine.dispatcher.stopping = True
        await self._until(lambda: not engine.dispatcher.calling and engine.logs.idle, LEAVE_S)
        engine.seal()
        await self._until(lambda: not engine.busy, LEAVE_S)
        await engine.membership.leave()
        self.process.die("left")

    async def _until(self, done: Callable[[], bool], seconds: float) -> None:
        until = self.process.boot() + seconds
        while not done() and self.process.boot() < until:
            await asyncio.sleep(0.1)

    # Listening

    def _listen(self, work: Any) -> None:
        hooks = self.engine.dispatcher.hooks
        views = Views(f"{self.process.name}{work.home}", self.process.wall_ms, VIEWS_OPEN_AFTER_MS)
        work.behind.views_of = views.writes_of
        work.behind.events_of = lambda msg: self._events_of(work.home, msg)
        hooks.suppressed = self._suppressed
        if self._plan.edits:
            self._listen_to_intents(work.owner)
        hooks.endpoint = lambda *_: Door("https://hook", ())
        work.shell.on_changed = self._told
        accept, read, go = work.behind.accept, work.shell._read_events_of, work.owner.go
        end = work.owner.end

        def accepted(message: Message, globally: bool, then: Callable[[], None]) -> None:
            self._made(message)
            accept(message, globally, then)

        async def read_events_of(ids: list[str]) -> None:
            self._read_from.update(dict.fromkeys(ids, self.process.scheduler.now))
            await read(ids)

        def begins(shards: set[int]) -> None:
            self._world.checks.began(self.process.name, shards)
            go(shards)

        def ends(msg: Msg, state: State, *why: Any) -> None:
            shard = work.owner.shards.get(msg.shard)
            if state == "unknown" and shard is not None:
                doubts = (self.process.name, msg.id, msg.shard, shard.epoch, list(msg.unsettled))
                self._world.checks.in_doubt(*doubts)
            end(msg, state, *why)

        work.owner.end = ends
        work.owner.go = begins
        work.behind.accept = accepted
        work.shell._read_events_of = read_events_of
        self.process.spawn(list_open_forever(views, work.owner.msgs.values, work.behind.put, 1.0))

    def _listen_to_intents(self, owner: Owner) -> None:
        intend, looks = owner.intend, self._world.checks

        def intends(msg: Msg, account: str, *rest: Any) -> bool:
            content, made = content_of(msg), intend(msg, account, *rest)
            if made:
                looks.intends(self, content, account)
            return made

        owner.intend = intends  # type: ignore[method-assign, assignment]
        self.config.call_begins = lambda account, what: looks.call_begins(self, account, what)

    def _suppressed(self, payload: Payload) -> str:
        """Where nobody edits anything, suppressions are facts that every core knows at once."""
        if self._plan.edits:
            return self.config.suppressions.why(payload)
        now = self.process.scheduler.now
        return "bounce" if self._world.history.is_suppressed(payload.notification, now) else ""

    def _events_of(self, home: str, msg: Msg) -> Iterable[Message]:
        if not self._plan.events:
            return ()
        return events_of(msg, content_of(msg), [ENDPOINT], home, self.process.wall_ms())

    def _made(self, message: Message) -> None:
        """The owner writes a message of its own: an event, or the next of a chain."""
        history, payload = self._world.history, decode_payload(message.payload)
        if payload.kind:
            history.event(message, payload.text, self.region)
        else:
            read_from = self._read_from.get(payload.parent)
            history.follows(message, payload, read_from, self.region)

    def _told(self, msg: Msg) -> None:
        now = self.process.scheduler.now
        self._world.history.tell(now, msg.id, msg.state, self.process.name)
        self.note("told", f"{msg.state} {msg.reason}".strip(), msg.id)

    # Signals

    def ask_row(self, region: str, log: str, first: int) -> None:
        """Of whichever core of that region gets the question, if one does."""
        world = self._world
        world.store.counts["rows asked"] += 1
        nodes = world.open_nodes(region)
        if nodes:
            node = self._chance_of_asking.choice(nodes)
            world.network.send(
                self.region,
                region,
                lambda: node.engine.answering.row_asked(log, first),
                node.process,
            )

    def _beat(self) -> None:
        """What the others are told every now and then; some of it gets lost."""
        world, engine = self._world, self.engine
        self._seq = getattr(self, "_seq", 0) + 1
        counter, rows, draining = engine.beat()
        beat = Beat(self.process.name, self._seq, counter, rows, self.region, draining)
        for other in world.living():
            if other is not self and other.ready and self._chance.random() < self._plan.signals:
                world.network.send(
                    self.region,
                    other.region,
                    lambda other=other: other.engine.heard(beat),  # type: ignore[misc]
                    other.process,
                )
        self.process.later(BEAT_S, self._beat)
