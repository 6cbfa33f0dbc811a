"""The composition root of a core process.

Everything that a core consists of is made here, once, from the settings, and wired together;
`Core.run` starts it, keeps its clocked work going, and ends it: gracefully on SIGTERM (nothing
new, the old finished, the lease left), at once when the lease is lost.
"""

import asyncio
import os
import secrets
import signal
import traceback
from collections.abc import Awaitable
from pathlib import Path
from random import Random
from typing import Any

from aiohttp import web
from msgspec import Struct

from core.accept.acceptor import Acceptor, Bounds, sweep_forever
from core.accept.keys import Keys
from core.accounts.service import Accounts
from core.api import keys as keys_api
from core.api import messages as messages_api
from core.api import operations
from core.api import providers as providers_api
from core.api import templates as templates_api
from core.api.internal_auth import guard
from core.api.link import LinkServer
from core.api.messages import MessageDeps
from core.api.peers import Peers
from core.api.wire import ConfigDeps
from core.clock import SystemClock
from core.contract.frames import HelloOk
from core.contract.log import Log
from core.contract.problems import ProblemError, problem
from core.contract.settings import Settings
from core.decide.retry import Rules
from core.engine.accounts import Account
from core.engine.adapters import Workforce
from core.engine.dispatch import Dispatcher
from core.engine.logs import Logs
from core.engine.ownership import Ownership
from core.engine.receipts import Receipts
from core.engine.shell import Shell
from core.engine.signals import Beat, Signals
from core.engine.told import Told
from core.messages.reader import Accepted, Reader
from core.messages.view import Windows
from core.obs.metrics import CoreMetrics
from core.templates.render import Renderer
from core.templates.store import TemplateStore
from core.tenants.keys import KeyService
from core.tenants.vault import load_vault
from sync.hlc import Hlc
from sync.lease import Holder, Watch
from sync.owner.owner import Owner
from sync.owner.state import Limits
from sync.records import Record
from sync.store.entities_sqlite import SQLiteEntities
from sync.store.feed import EntityFeed
from sync.store.port import StoreError
from sync.store.sqlite_journal import SQLiteJournal

EXIT_LEASE_LOST = 75
TICK_S = 0.025
POLL_SILENT_S = 2.0
REGISTER_AGAIN_S = 3600.0
OPEN_LEAD_MS = 60_000


class Arguments(Struct, frozen=True):
    """Where this process lives."""

    data: Path
    index: int
    http_port: int
    link_port: int
    secret: str
    vault_key: str


class Core:
    """One core process."""

    def __init__(self, arguments: Arguments, settings: Settings, log: Log) -> None:
        self.arguments = arguments
        self.settings = settings
        self.clock = SystemClock()
        self.random = Random(secrets.randbits(64))
        self.incarnation = settings.region.name + secrets.token_hex(8)
        self.log = log.bind(incarnation=self.incarnation)
        self.metrics = CoreMetrics()
        self.stopping = False
        self.free_bytes = 1 << 62
        self.listening = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._end = asyncio.Event()
        self._heard: dict[str, int] = {}
        self._make_store()
        self._make_engine()
        self._make_config()
        self._make_doors()
        self._wire()

    # Making

    def _make_store(self) -> None:
        settings, data = self.settings, self.arguments.data
        protocol, store = settings.protocol, settings.store
        data.mkdir(parents=True, exist_ok=True)
        self.store = SQLiteJournal(
            data / "journal.db",
            settings.region.name,
            settings.region.home_shards,
            self.clock.wall_ms,
            store.commit_interval_ms,
            protocol.ttl_days * 86_400,
            store.busy_timeout_ms,
        )
        self.store.on_commit = lambda _, seconds: self.metrics.commit_seconds.observe(seconds)
        self.entities = SQLiteEntities(data / "config.db")

    def _make_engine(self) -> None:
        settings, core, protocol = self.settings, self.settings.core, self.settings.protocol
        home = settings.region.name
        limits = Limits(
            core.held_messages_max,
            core.recent_messages_max,
            core.remembered_ids_max,
            core.early_events_max,
            protocol.clock_bound_ms,
            core.dedupe_margin_ms,
            core.park_after_ms,
        )
        self.owner = Owner(home, self.incarnation, limits)
        store = settings.store
        self.logs = Logs(
            self.store,
            home,
            self.incarnation,
            self.log,
            store.row_records_max,
            store.row_bytes_max,
            store.records_waiting_max,
        )
        self.accepted = Accepted(core.accepted_places_max)
        self.accounts: dict[str, Account] = {}
        self.holder = Holder(protocol.lease_ms / 1000, protocol.renew_ms / 1000)
        write_timeout_s = protocol.write_timeout_ms / 1000
        self.dispatcher = Dispatcher(
            self.owner, self.accounts, self.clock, self._lease_left_s, write_timeout_s
        )
        self.receipts = Receipts(
            self.store,
            self.logs,
            self.clock,
            self.log,
            self.incarnation,
            core.provider_ids_max,
            core.receipt_buckets_back,
            self.spawn,
        )
        retry = settings.retry
        rules = Rules(retry.first_ms, retry.longest_ms, retry.jitter, retry.attempts_max)
        self.shell = Shell(
            self.store,
            self.owner,
            self.logs,
            self.dispatcher,
            self.receipts,
            rules,
            self.clock,
            self.random,
            self.log,
        )
        self.ownership = Ownership(
            self.store,
            self.owner,
            self.logs,
            self.shell,
            self.holder,
            Watch(protocol.lease_ms / 1000, protocol.epsilon_ms / 1000),
            self.clock,
            self.random,
            self.log,
            home,
            f"http://{core.host}:{self.arguments.http_port}",
            protocol.shards_poll_ms / 1000,
            write_timeout_s,
        )

    def _make_config(self) -> None:
        vault = load_vault(self.arguments.vault_key or None, self.arguments.data / "vault.key")
        self.feed = EntityFeed(
            self.entities, lambda e: self.log.error("configuration cannot be read", error=str(e))
        )
        templates = TemplateStore(self.entities)
        self.renderer = Renderer(templates, self.settings.templates)
        service = Accounts(self.entities, vault)
        self.workforce = Workforce(
            service,
            self.accounts,
            self.clock,
            self.random,
            self.log,
            self.settings.core.quality_half_life_s,
            self.spawn,
        )
        service.watch(self.feed, self.workforce.changed, self.workforce.reload_all)
        self.feed.watch("template", self.renderer.changed, self.renderer.forget_all)
        self.config = ConfigDeps(
            self.entities,
            self.feed,
            KeyService(self.entities, self.clock, secrets.token_bytes),
            templates,
            self.renderer,
            service,
            lambda account: self.accounts[account].state if account in self.accounts else "",
            self.settings.limits,
        )

    def _make_doors(self) -> None:
        settings, core, limits = self.settings, self.settings.core, self.settings.limits
        bounds = Bounds(
            limits.recipients_max,
            settings.protocol.horizon_days * 86_400,
            limits.json_depth_max,
            limits.accepts_waiting_max,
            settings.protocol.accept_timeout_ms / 1000,
        )
        self.acceptor = Acceptor(
            self.logs,
            Keys(self.store, core.answered_keys_max),
            self.renderer,
            settings.region.name,
            bounds,
            self.clock,
            Hlc(settings.protocol.clock_bound_ms * 1000),
            self.log,
            self._refusal,
            self.spawn,
        )
        hello = HelloOk(settings.region.name, self.store.shard_count, 1, self.incarnation)
        self.link = LinkServer(
            self.acceptor,
            self.arguments.secret,
            hello,
            core.frame_bytes_max,
            core.links_max,
            self.log,
        )
        protocol = settings.protocol
        windows = Windows({"sms": protocol.receipt_window_sms_s, "email": 0})
        reader = Reader(self.owner, self.shell, self.store, self.accepted, self._lease_left_s)
        self.peers = Peers(self.ownership, self.arguments.secret, self.log)
        messages = MessageDeps(
            reader, self.logs, self.clock, settings.region.name, windows, self.peers
        )
        middleware = guard(self.arguments.secret, self.log, operations.OPEN_PATHS)
        self.web = web.Application(middlewares=[middleware], client_max_size=limits.batch_bytes_max)
        self.web.add_routes(operations.routes(self.not_ready, self.status, self.metrics))
        self.web.add_routes(keys_api.routes(self.config))
        self.web.add_routes(templates_api.routes(self.config))
        self.web.add_routes(providers_api.routes(self.config))
        self.web.add_routes(messages_api.routes(messages))

    def _wire(self) -> None:
        told = Told(self.metrics, self.log, self.owner, self.dispatcher, self.accounts)
        told.gauges(self._lease_left_s, lambda: self.free_bytes)
        self.shell.on_changed = told.changed
        self.shell.on_answer = told.answered
        self.receipts.on_receipt = told.receipt
        self.logs.on_durable = told.durable
        self.acceptor.on_accepted = told.accepted
        self.acceptor.on_refused = told.refused
        self.workforce.on_loaded = told.accounts_changed
        self.logs.on_row = self._row
        self.workforce.on_receipt = self.receipts.received
        self.workforce.on_changed = self.dispatcher.arm
        self.workforce.on_late = self._late
        self.ownership.on_lost = self._lost
        self.logs.on_revoked = lambda: self._lost("the lease was revoked")
        self.signals = Signals(
            self.settings.nats,
            self.settings.region.name,
            self.incarnation,
            lambda: (self.holder.counter, self.logs.last_rows()),
            self._beat,
            self.log,
        )

    # Running

    def spawn(self, work: Awaitable[Any]) -> None:
        """Run something beside; a failure of the program ends the process loudly."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def run(self) -> None:
        """Start, work until told to stop, then finish what is under way."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end.set)
        runner = web.AppRunner(self.web, access_log=None, handle_signals=False)
        loop.set_exception_handler(self._failed)
        await runner.setup()
        await self.peers.start()
        await self.ownership.register()
        await self.feed.start()
        host = self.settings.core.host
        await self.link.start(host, self.arguments.link_port)
        await web.TCPSite(runner, host, self.arguments.http_port).start()
        await self.workforce.load()
        self.spawn(self.ownership.renew_forever())
        self.spawn(self.ownership.watch_forever())
        self.spawn(sweep_forever(self.acceptor))
        self.spawn(self._tick_forever())
        self.spawn(self._look_at_disk())
        if self.settings.nats.url:
            self.spawn(self.signals.run())
        self.listening = True
        self.log.info("core started", pid=os.getpid(), shards=self.store.shard_count)
        await self._end.wait()
        await self._stop()
        await runner.cleanup()

    async def _stop(self) -> None:
        """Nothing new, the old finished, the lease left; at most the grace."""
        self.stopping = self.dispatcher.stopping = True
        self.link.leaving()
        grace_s = self.settings.core.stop_grace_ms / 1000
        await self._until(
            lambda: not self.acceptor.waiting and not self.dispatcher.calling, grace_s
        )
        await self.workforce.stop(1000)
        await self._until(lambda: self.logs.idle, 2.0)
        for _ in range(2):
            self.shell.seal()
            await self._until(lambda: not self.shell.busy, 1.0)
        await self.ownership.leave()
        self.link.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.peers.stop()
        await self.feed.stop()
        await self.store.close()
        await self.entities.close()
        self.log.info("core stopped")

    async def _until(self, done: Any, seconds: float) -> None:
        until = self.clock.boot() + seconds
        while not done() and self.clock.boot() < until:
            await asyncio.sleep(0.01)

    async def _tick_forever(self) -> None:
        settings = self.settings
        due = dict.fromkeys(("seal", "floor", "second", "poll", "register"), 0.0)

        def passed(name: str, every_s: float) -> bool:
            now = self.clock.boot()
            if now < due[name]:
                return False
            due[name] = now + every_s
            return True

        passed("register", REGISTER_AGAIN_S)
        while True:
            now_ms = self.clock.wall_ms()
            self.owner.tick(now_ms)
            self.shell.drain()
            self.shell.read_wanted(self._known_rows())
            if self.dispatcher.waiting:
                self.dispatcher.arm()
            if passed("seal", settings.core.seal_ms / 1000):
                self.shell.seal()
            if passed("floor", settings.protocol.floor_ms / 1000):
                self.spawn(self.ownership.write_floor())
            if passed("second", 1.0):
                self.owner.sweep(now_ms)
                self.shell.open_buckets(OPEN_LEAD_MS)
                self.shell.drain()
            if passed("poll", POLL_SILENT_S):
                self.shell.read_wanted(self.logs.last_rows())
            if passed("register", REGISTER_AGAIN_S):
                self.spawn(self.ownership.register())
            await asyncio.sleep(TICK_S)

    def _known_rows(self) -> dict[str, int]:
        """How far each log is, as far as somebody told; no news counts as nothing new."""
        rows = {log: at for group in self.owner.groups for log, at in group.cursors.items()}
        rows.update(self._heard)
        rows.update(self.logs.last_rows())
        return rows

    async def _look_at_disk(self) -> None:
        while True:
            found = os.statvfs(self.arguments.data)
            self.free_bytes = found.f_bavail * found.f_frsize
            await asyncio.sleep(self.settings.store.disk_check_ms / 1000)

    # Events

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, StoreError):
            self.log.error("the store failed", error=str(error))
        elif error is not None:
            self._die("a part of the core failed", error)

    def _failed(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Something failed in a callback: what it left half done must not be worked on with."""
        error = context.get("exception")
        what = str(context.get("message", ""))
        if error is None or "never retrieved" in what:
            self.log.warning("asyncio", what=what, error=repr(error))
        else:
            self._die(what or "a callback failed", error)

    def _die(self, what: str, error: BaseException | None = None) -> None:
        """End now: a half-working core is worse than one that its supervisor starts again."""
        self.log.error(what, error=repr(error) if error else "")
        if error is not None and not isinstance(error, StoreError):
            self.log.error("stack", stack="".join(traceback.format_tb(error.__traceback__)))
        self.log.flush()
        os._exit(EXIT_LEASE_LOST)

    def _lost(self, why: str) -> None:
        if not self.stopping:
            self._die(why)

    def _row(self, log: str, row: int, records: list[Record]) -> None:
        self.accepted.row(log, row, records)
        self.shell.row(log, row, records)

    def _beat(self, beat: Beat) -> None:
        for log, row in beat.rows.items():
            if row > self._heard.get(log, 0):
                self._heard[log] = row
        self.shell.read_wanted(self._known_rows())

    def _late(self, account_id: str, ref: str, outcome: Any) -> None:
        parts = ref.split(".")
        msg = self.owner.find(parts[0])
        account = self.accounts.get(account_id)
        if msg is not None and account is not None and len(parts) == 3:
            self.shell.late(msg, parts[1], account, outcome)

    # Answers

    def _lease_left_s(self) -> float:
        return self.holder.left_s(self.clock.boot())

    def _refusal(self) -> ProblemError | None:
        """Why nothing may be taken in now."""
        if self.stopping:
            return problem("overloaded", "This core is stopping.", headers={"Retry-After": "1"})
        if self.logs.trouble == "full" or self.free_bytes < self.settings.store.reserve_bytes:
            detail = "Too little disk is left; what was accepted goes on."
            return problem("storage_full", detail, headers={"Retry-After": "5"})
        return None

    def not_ready(self) -> str:
        """Why this core is not ready, or ""."""
        if self.stopping:
            return "stopping"
        return "" if self.listening else "starting"

    def status(self) -> dict[str, Any]:
        """How this core is, for people."""
        return {
            "role": "core",
            "region": self.settings.region.name,
            "index": self.arguments.index,
            "pid": os.getpid(),
            "incarnation": self.incarnation,
            "ready": not self.not_ready(),
            "reason": self.not_ready(),
            "lease_left_ms": int(max(0.0, self._lease_left_s()) * 1000),
            "shards": len(self.owner.shards),
            "open": self.owner.open_count,
            "waiting": self.dispatcher.waiting,
            "calling": self.dispatcher.calling,
            "signals": self.signals.connected,
            "disk_free_bytes": self.free_bytes,
            "accounts": {a.id: a.state for a in self.accounts.values()},
            "log_rows": self.logs.last_rows(),
        }
