"""What is asked of messages in groups, put together: views, lists, sending again, replays.

Made once from the settings by the composition root; nothing here decides anything.
"""

import secrets
from collections.abc import Callable

from aiohttp import web

from core.accept.keys import Keys
from core.api import deadletters, deliveries, lists, resend
from core.api.deadletters import DeadDeps
from core.api.deliveries import DeliveryDeps
from core.api.lists import ListDeps
from core.api.peers import Peers
from core.api.resend import ResendDeps, Resender
from core.clock import Clock
from core.contract.log import Log
from core.contract.problems import ProblemError
from core.contract.settings import Settings
from core.engine.engine import Engine
from core.messages.reader import Reader
from core.messages.view import Windows
from core.process import Process
from core.replay.again import Again
from core.replay.jobs import KIND as REPLAY
from core.replay.jobs import Jobs
from core.replay.replays import Replays
from core.views.reader import ViewReader
from core.views.scan import ReadBounds
from core.views.truth import Truth
from core.views.writer import Views, list_open_forever
from core.webhooks.store import EndpointStore
from sync.store.entities import EntityStore
from sync.store.feed import EntityFeed

DAY_MS = 86_400_000


class Asking:
    """Its parts are public: the composition root wires `again` to the numbers."""

    def __init__(
        self,
        engine: Engine,
        reader: Reader,
        keys: Keys,
        entities: EntityStore,
        feed: EntityFeed,
        settings: Settings,
        windows: Windows,
        incarnation: str,
        clock: Clock,
        refusal: Callable[[], ProblemError | None],
        process: Process,
        peers: Peers,
        log: Log,
    ) -> None:
        self._engine = engine
        self._message_reader = reader
        self._keys = keys
        self._settings = settings
        self._windows = windows
        self._clock = clock
        self._process = process
        self._peers = peers
        views, protocol = settings.views, settings.protocol
        self.views = Views(incarnation, clock.wall_ms, views.open_after_ms)
        for work in engine.homes.values():
            work.behind.views_of = self.views.writes_of
        bounds = ReadBounds(views.parts_read_max, views.segments_read_max, views.rows_read_max)
        truth = Truth(engine.find, engine.store, engine.lease_left_s)
        self.reader = ViewReader(engine.store, truth, bounds, clock.wall_ms)
        timeout_s = protocol.accept_timeout_ms / 1000
        expires_in_s = protocol.expires_in_s()
        self.again = Again(engine.logs, clock, engine.hlc, expires_in_s, timeout_s, refusal)
        self.replays = Replays(
            Jobs(entities),
            self.reader,
            reader.find,
            self.again,
            clock,
            log,
            process.spawn,
            me=incarnation,
            save_s=views.replay_save_ms / 1000,
            claim_s=views.replay_claim_ms / 1000,
            keep_ms=protocol.ttl_days * DAY_MS,
        )
        feed.watch(REPLAY, self.replays.changed, self.replays.forget_all)

    def routes(self, endpoints: EndpointStore) -> list[web.RouteDef]:
        """The handlers of lists, dead letters and sending again."""
        settings, protocol = self._settings, self._settings.protocol
        kept_ms = protocol.ttl_days * DAY_MS
        listed = ListDeps(self.reader, self._clock, self._windows, settings.limits, kept_ms)
        again = ResendDeps(
            self._message_reader,
            self.again,
            self._keys,
            self._clock,
            secrets.token_bytes,
            settings.region.name,
            settings.limits,
            protocol.horizon_days * 86_400,
            self._engine.where,
            self._peers,
        )
        dead = DeadDeps(listed, self.replays, secrets.token_bytes)
        told = DeliveryDeps(endpoints, Resender(again), dead)
        return [
            *lists.routes(listed),
            *deadletters.routes(dead),
            *resend.routes(again),
            *deliveries.routes(told),
        ]

    def start(self) -> None:
        """List what stays open, and look after replays, until the process ends."""
        engine = self._engine
        every_s = self._settings.core.seal_ms / 1000
        spawn = self._process.spawn
        spawn(list_open_forever(self.views, engine.open_messages, engine.behind.put, every_s))
        spawn(self.replays.watch_forever())
