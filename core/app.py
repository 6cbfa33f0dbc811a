"""The composition root of a core process.

Everything that a core consists of is made here, once, from the settings, and wired together;
`Core.run` starts it, keeps its clocked work going, and ends it: gracefully on SIGTERM (nothing
new, the old finished, the lease left), at once when the lease is lost.
"""

import asyncio
import os
import secrets
import signal
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from aiohttp import web

from core.accept.acceptor import sweep_forever
from core.accept.keys import Keys
from core.accept.made import acceptor_of
from core.accounts.service import Accounts
from core.api import keys as keys_api
from core.api import messages as messages_api
from core.api import operations
from core.api import policies as policies_api
from core.api import providers as providers_api
from core.api import receipts as receipts_api
from core.api import region_changes as region_changes_api
from core.api import regions as regions_api
from core.api import route as route_api
from core.api import templates as templates_api
from core.api.internal_auth import guard
from core.api.link import LinkServer
from core.api.messages import MessageDeps
from core.api.peers import Peers
from core.api.wire import ConfigDeps
from core.arguments import Arguments
from core.asking import Asking
from core.bounces.service import Bounces
from core.clock import SystemClock
from core.condition import Condition
from core.contract.frames import HelloOk
from core.contract.log import Log
from core.contract.settings import Settings
from core.engine.account_facts import AccountFacts
from core.engine.adapters import Workforce
from core.engine.bounds import protection_of
from core.engine.engine import Engine
from core.engine.signals import Signals
from core.engine.told import Told
from core.messages.reader import Accepted, Reader
from core.messages.view import Windows
from core.obs.metrics import CoreMetrics
from core.policies.active import ActivePolicies
from core.policies.store import PolicyStore
from core.process import Process
from core.providers.port import Outcome
from core.status import status_of
from core.stores import Stores
from core.telling import Telling
from core.templates.render import Renderer
from core.templates.store import TemplateStore
from core.tenants.keys import KeyService
from core.tenants.vault import load_vault
from sync.placement import PlacementMap
from sync.store.feed import EntityFeed

STOP_ADAPTERS_MS = 1000
GIVE_AWAY_S = 5.0
MAP_S = 2.0


class Core:
    """One core process, on stores that were opened for it; it closes them when it ends."""

    def __init__(
        self,
        arguments: Arguments,
        settings: Settings,
        log: Log,
        clock: SystemClock,
        metrics: CoreMetrics,
        stores: Stores,
    ) -> None:
        self.arguments = arguments
        self.settings = settings
        self.clock = clock
        self.random = Random(secrets.randbits(64))
        self.incarnation = settings.region.name + secrets.token_hex(8)
        self.log = log.bind(incarnation=self.incarnation)
        self.metrics = metrics
        self.process = Process(self.log)
        self.stores = stores
        self.store, self.entities = stores.journal, stores.entities
        self._make_engine()
        self._make_config()
        self._make_doors()
        self._wire()

    # Making

    def _make_engine(self) -> None:
        settings = self.settings
        self.engine = Engine(
            self.store,
            settings,
            self.incarnation,
            f"http://{settings.core.host}:{self.arguments.http_port}",
            self.clock,
            self.random,
            self.process,
            self.log,
            homes=settings.homes,
            under=self.stores.under,
            shards=self.stores.shards,
        )
        self.condition = Condition(
            self.arguments.data,
            settings.store.reserve_bytes,
            settings.store.disk_check_ms / 1000,
            lambda: self.engine.logs.trouble,
        )
        self.facts = AccountFacts(self.engine.accounts, self.clock)
        self.accepted = Accepted(settings.core.accepted_places_max)

    def _make_config(self) -> None:
        vault = load_vault(self.arguments.vault_key or None, self.arguments.data / "vault.key")
        self.feed = EntityFeed(
            self.entities, lambda e: self.log.error("configuration cannot be read", error=str(e))
        )
        templates = TemplateStore(self.entities)
        self.renderer = Renderer(templates, self.settings.templates)
        service = Accounts(self.entities, vault)
        self.telling = Telling(
            self.engine,
            self.entities,
            self.feed,
            vault,
            self.settings,
            self.clock,
            self.process,
            self.log,
        )
        self.workforce = Workforce(
            service,
            self.engine.accounts,
            self.clock,
            self.random,
            self.log,
            self.settings.core.quality_half_life_s,
            self.process.spawn,
            self.settings.region,
            protection_of(self.settings),
            partial(self.engine.day_rights, self.entities),
        )
        service.watch(self.feed, self.workforce.changed, self.workforce.reload_all)
        self.bounces = Bounces(
            self.settings,
            service,
            self.engine.receipts.received,
            lambda account, kind: self.metrics.bounces.of(account, kind).add(),
            self.log,
            self.process.spawn,
        )
        self.bounces.watch(self.feed)
        self.policies = ActivePolicies(
            PolicyStore(self.entities, service), self.process.spawn, self.log
        )
        self.policies.watch(self.feed)
        self.feed.watch("template", self.renderer.changed, self.renderer.forget_all)
        self.config = ConfigDeps(
            self.entities,
            self.feed,
            KeyService(self.entities, self.clock, secrets.token_bytes),
            templates,
            self.renderer,
            service,
            self.facts.state,
            self.settings.limits,
        )

    def _make_doors(self) -> None:
        settings, core, limits = self.settings, self.settings.core, self.settings.limits
        keys = Keys(self.store, core.answered_keys_max)
        self.acceptor = acceptor_of(
            settings,
            self.engine,
            keys,
            self.renderer,
            self.clock,
            self.log,
            self.condition.refusal,
            self.process.spawn,
        )
        placement, shards = self.engine.placement, self.stores.shards
        region, version = settings.region.name, placement.version
        hello = HelloOk(region, shards, version, self.incarnation, placement)
        self.link = LinkServer(
            self.acceptor,
            self.arguments.secret,
            hello,
            core.frame_bytes_max,
            core.links_max,
            self.log,
        )
        protocol = settings.protocol
        windows = Windows(
            {"sms": protocol.receipt_window_sms_s, "email": protocol.receipt_window_email_s},
            self.facts.is_silent,
        )
        reader = Reader(
            self.engine.find,
            self.engine.shell.reading,
            self.store,
            self.accepted,
            self.engine.lease_left_s,
        )
        self.peers = Peers(self.engine.where, self.arguments.secret, self.log)
        messages = MessageDeps(
            reader,
            self.engine.logs,
            self.clock,
            settings.region.name,
            windows,
            self.peers,
            self.engine.where,
        )
        middleware = guard(self.arguments.secret, self.log, operations.OPEN_PATHS)
        self.web = web.Application(middlewares=[middleware], client_max_size=limits.batch_bytes_max)
        self.web.add_routes(operations.routes(self.condition.not_ready, self.status, self.metrics))
        self.web.add_routes(self._region_routes())
        self.web.add_routes(keys_api.routes(self.config))
        self.web.add_routes(templates_api.routes(self.config, self.facts.prices))
        self.web.add_routes(providers_api.routes(self.config))
        self.web.add_routes(policies_api.routes(self.config, self.policies.store))
        route = route_api.RouteDeps(self.facts.candidates, self.policies.serving, limits)
        self.web.add_routes(route_api.routes(route))
        self.web.add_routes([*messages_api.routes(messages), *self.telling.routes()])
        self._make_asking(reader, keys, windows)

    def _region_routes(self) -> list[web.RouteDef]:
        membership, settings = self.engine.membership, self.settings
        changes = region_changes_api.RegionDeps(
            membership.serving, membership.force, settings.region.name, settings.limits
        )
        return [
            *regions_api.routes(self.engine, self.clock),
            *region_changes_api.routes(changes),
        ]

    def _make_asking(self, reader: Reader, keys: Keys, windows: Windows) -> None:
        self.asking = Asking(
            self.engine,
            reader,
            keys,
            self.entities,
            self.feed,
            self.settings,
            windows,
            self.incarnation,
            self.clock,
            self.condition.refusal,
            self.process,
            self.peers,
            self.log,
        )
        self.web.add_routes(self.asking.routes(self.telling.endpoint_store))
        door = receipts_api.deps_of(self.engine, self.metrics, self.settings, self.clock, self.log)
        self.web.add_routes(receipts_api.routes(door))

    def _wire(self) -> None:
        told = Told(
            self.metrics, self.log, self.engine.owners, self.engine.dispatcher, self.engine.accounts
        )
        told.gauges(self.engine.lease_left_s, lambda: self.condition.free_bytes)
        for work in self.engine.homes.values():
            work.shell.on_known = self.telling.heard
            work.shell.on_changed = told.changed
            work.shell.answers.on_answer = told.answered
        self.engine.receipts.on_receipt = told.receipt
        self.engine.logs.on_durable = told.durable
        self.engine.on_map = self._map_serves
        self._map_serves(self.engine.placement)
        self.acceptor.on_accepted = self.asking.again.on_accepted = told.accepted
        self.acceptor.on_refused = told.refused
        self.workforce.on_loaded = told.accounts_changed
        self.engine.on_row = self.accepted.row
        self.workforce.on_receipt = self.engine.receipts.received
        self.engine.dispatcher.hooks.policies = lambda: self.policies.all
        self.policies.on_changed = self.engine.dispatcher.changed
        self.workforce.on_changed = self.engine.dispatcher.changed
        self.workforce.on_late = self._late
        self.signals = Signals(
            self.settings.nats,
            self.settings.region.name,
            self.incarnation,
            self.engine.beat,
            self.engine.heard,
            self.engine.answering.row_asked,
            self.log,
        )
        self.engine.asking.neighbours = self.signals

    # Running

    async def run(self) -> None:
        """Start, work until told to stop, then finish what is under way."""
        loop = asyncio.get_running_loop()
        end = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end.set)
        self.process.watch_loop(loop)
        runner = web.AppRunner(self.web, access_log=None, handle_signals=False)
        await runner.setup()
        await self.peers.start()
        await self.engine.membership.register()
        await self.feed.start()
        await self.engine.membership.maps.read_at_start(MAP_S)
        host = self.settings.core.host
        await self.link.start(host, self.arguments.link_port)
        await web.TCPSite(runner, host, self.arguments.http_port).start()
        await self.policies.load()
        await self.telling.load()
        await self.workforce.load()
        await self.bounces.start(self.arguments.bounce_port)
        spawn = self.process.spawn
        self.engine.start()
        spawn(sweep_forever(self.acceptor))
        spawn(self.condition.look_at_disk())
        self.asking.start()
        if self.settings.nats.url:
            spawn(self.signals.run())
        self.condition.listening = True
        self.log.info("core started", pid=os.getpid(), shards=self.stores.shards)
        await end.wait()
        await self._stop()
        await runner.cleanup()

    async def _stop(self) -> None:
        """Nothing new, the old finished, the lease left; at most the grace."""
        self.condition.stopping = self.engine.dispatcher.stopping = self.process.ending = True
        self.link.leaving()
        await self.bounces.stop()
        grace_s = self.settings.core.stop_grace_ms / 1000
        await self._give_away(min(GIVE_AWAY_S, grace_s))
        await self._until(
            lambda: not self.acceptor.waiting and not self.engine.dispatcher.calling, grace_s
        )
        await self.workforce.stop(STOP_ADAPTERS_MS)
        await self._until(lambda: self.engine.logs.idle, 2.0)
        for _ in range(2):
            self.engine.seal()
            await self._until(lambda: not self.engine.busy, 1.0)
        await self.engine.membership.leave()
        self.link.close()
        await self.process.cancel_all()
        await self.peers.stop()
        await self.feed.stop()
        await self.stores.close()
        self.log.info("core stopped")

    async def _give_away(self, seconds: float) -> None:
        """Shards go to the other cores, if there are any, without waiting for the lease's end."""
        membership = self.engine.membership
        membership.draining = True
        await self._until(
            lambda: membership.alone or not any(o.shards for o in self.engine.owners), seconds
        )

    async def _until(self, done: Callable[[], bool], seconds: float) -> None:
        until = self.clock.boot() + seconds
        while not done() and self.clock.boot() < until:
            await asyncio.sleep(0.01)

    # Events

    def _map_serves(self, placement: PlacementMap) -> None:
        """Edges hear of it before anything that they minted by an older version is refused."""
        self.link.map_serves(placement)
        self.acceptor.map_version = placement.version

    def _late(self, account_id: str, ref: str, outcome: Outcome) -> None:
        message_id, _, rest = ref.partition(".")
        self.engine.late(message_id, rest.partition(".")[0], account_id, outcome)

    # Answers

    def status(self) -> dict[str, Any]:
        """How this core is, for people."""
        return status_of(
            self.settings.region.name,
            self.arguments.index,
            self.incarnation,
            self.engine,
            self.condition,
            self.signals,
        )
