"""Lists and dead letters on a real store, with messages that have ended, but no engine.

What an owner would write is written as it would: the message in an accept log, its end in an effect
log, then the segments and the by-id row.
"""

import asyncio
import io
import secrets
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from aiohttp import web

from core.accept.keys import Keys
from core.api import deadletters, deliveries, lists, resend
from core.api.deadletters import DeadDeps
from core.api.deliveries import DeliveryDeps
from core.api.lists import ListDeps
from core.api.peers import Peers
from core.api.resend import ResendDeps
from core.contract.ids import mint_derived
from core.contract.log import Log
from core.contract.problems import ProblemError
from core.contract.sections.core import LimitsSettings
from core.engine.logs import Logs, Ticket
from core.engine.payload import Payload, decode_payload, encode_payload
from core.engine.reading import Reading
from core.messages.reader import Accepted, Reader
from core.messages.view import Windows
from core.replay.again import Again
from core.replay.jobs import Jobs
from core.replay.replays import Replays
from core.tenants.vault import Vault
from core.views.reader import ViewReader
from core.views.scan import ReadBounds
from core.views.truth import Truth
from core.views.writer import Views
from core.webhooks.store import EndpointStore
from sync.hlc import Hlc
from sync.naming import by_id_partition
from sync.owner.owner import Owner
from sync.owner.state import Limits, Msg, Phase
from sync.records import ById, End, Message, Place, State, decode_row, encode
from sync.store.entities_sqlite import SQLiteEntities
from sync.store.port import Answer, ByIdRow, PutById, PutViews, Write
from sync.store.sqlite_journal import SQLiteJournal
from tests.support.where import Where

DAY_MS = 86_400_000
START_MS = 1_800_000_000_000


class Clock:
    """Goes on when it is told to, or when somebody sleeps by it."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept = 0

    def boot(self) -> float:
        return self.now_s

    def wall_ms(self) -> int:
        return START_MS + int((self.now_s - 1000.0) * 1000)

    def wall_us(self) -> int:
        return self.wall_ms() * 1000

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.slept += 1
        await asyncio.sleep(0)


class Asking:
    """One core's part, on the files of `folder`; several may share them."""

    def __init__(self, folder: Path, name: str = "c1", clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.store = SQLiteJournal(folder / "journal.db", "local", 64, self.clock.wall_ms, 0.0)
        self.entities = SQLiteEntities(folder / "config.db")
        self.stream = io.BytesIO()
        self.log = Log(self.stream, "debug")
        self.logs = Logs(self.store, ["local"], name, self.log, 100, 100_000, 10_000)
        self.owner = Owner("local", name, Limits())
        self.views = Views(name, self.clock.wall_ms, 1000)
        self.refuses: ProblemError | None = None
        self.endpoints = EndpointStore(
            self.entities, Vault(bytes(32)), self.clock, secrets.token_bytes, 10
        )
        self.spawned: set[asyncio.Task[Any]] = set()
        self._number = 0
        self._make(name)

    def _make(self, name: str) -> None:
        truth = Truth(self.owner.find, self.store, lambda: 1.0)
        bounds = ReadBounds(200, 1000, 1000)
        self.reader = ViewReader(self.store, truth, bounds, self.clock.wall_ms)
        reading = Reading(self.store, self.log)
        accepted = Accepted(100)
        self.logs.on_row = accepted.row
        self.messages = Reader(self.owner.find, reading, self.store, accepted, lambda: 1.0)
        by_class = {"otp": 300, "alert": 3600, "transactional": 86_400, "bulk": 259_200}
        hlc = Hlc()
        self.again = Again(self.logs, self.clock, hlc, by_class, 5.0, lambda: self.refuses)
        self.replays = Replays(
            Jobs(self.entities),
            self.reader,
            self.messages.find,
            self.again,
            self.clock,
            self.log,
            self.spawn,
            me=name,
            save_s=1.0,
            claim_s=5.0,
            keep_ms=45 * DAY_MS,
            sleep=self.clock.sleep,
        )

    def spawn(self, work: Awaitable[None]) -> None:
        """Run beside, until `crash`."""
        task = asyncio.ensure_future(work)
        self.spawned.add(task)
        task.add_done_callback(self.spawned.discard)

    def routes(self, where: Where | None = None, peers: Peers | None = None) -> list[web.RouteDef]:
        """The doors; everything is looked after here unless `where` says otherwise."""
        limits, where = LimitsSettings(list_rows_max=100), where or Where("local")
        listed = ListDeps(self.reader, self.clock, Windows({"sms": 3600}), limits, 45 * DAY_MS)
        again = ResendDeps(
            self.messages,
            self.again,
            Keys(self.store, 100),
            self.clock,
            secrets.token_bytes,
            "local",
            limits,
            30 * DAY_MS // 1000,
            where,
            peers or Peers(where, "secret", self.log),
        )
        dead = DeadDeps(listed, self.replays, secrets.token_bytes)
        told = DeliveryDeps(self.endpoints, resend.Resender(again), dead)
        return [
            *lists.routes(listed),
            *deadletters.routes(dead),
            *resend.routes(again),
            *deliveries.routes(told),
        ]

    async def crash(self) -> None:
        """Everything under way stops where it stands."""
        tasks = list(self.spawned)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """End, and close the files."""
        await self.crash()
        await self.store.close()
        await self.entities.close()
        self.log.close()

    # Messages

    async def put(self, write: Write) -> Answer:
        """Write to the store."""
        told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.store.submit(write, told.set_result)
        return await told

    async def message(
        self,
        state: State,
        *,
        to: str = "+447700900123",
        channel: str = "sms",
        tenant: str = "acme",
        kind: str = "",
        text: str = "Hi",
    ) -> str:
        """A message in this state, with all that an owner writes of it; its id."""
        self._number += 1
        message_id = mint_derived("local", 1, b"test", self.views._writer, str(self._number))
        payload = Payload(tenant, "ntf_1", channel, to, "GB", "otp", "local", "t", text, kind=kind)
        now_ms = self.clock.wall_ms()
        body = encode_payload(payload)
        message = Message(
            message_id, 1, b"h%d" % self._number, 1, True, False, now_ms + 300_000, now_ms, body
        )
        stands: asyncio.Future[Place | None] = asyncio.get_running_loop().create_future()
        assert self.logs.accept(message, True, False, Ticket(stands.set_result))
        place = await stands
        assert place is not None
        msg = Msg(message_id, 1)
        msg.message, msg.accept = message, place
        if state != "accepted":
            await self._end(msg, state)
        await self.put(PutViews(self.views.gather([msg])))
        return message_id

    async def _end(self, msg: Msg, state: State) -> None:
        assert msg.message is not None
        end = End(
            msg.id, 1, 1, msg.accept, b"h", state, "permanent", "said no", self.clock.wall_ms()
        )
        told: asyncio.Future[list[Place]] = asyncio.get_running_loop().create_future()
        self.logs.on_effect = lambda _, places, __: told.set_result(places)
        self.logs.effect(end, "local", True)
        places = await told
        msg.phase, msg.state, msg.reason = Phase.ENDED, state, "permanent"
        row = ById(msg.message.body_hash, state, True, msg.accept, tuple(places))
        part = by_id_partition(msg.id)
        await self.put(PutById([ByIdRow(part, msg.id, 1, encode(row), self._number)]))

    async def accepted(self, resend_of: str = "") -> list[tuple[Message, Payload]]:
        """What stands in all accept logs; with `resend_of` only new sendings of that message."""
        found: list[tuple[Message, Payload]] = []
        for log in sorted(await self.store.logs()):
            if log.startswith("accept"):
                for _, body in await self.store.rows(log, 1, 100_000):
                    records = [r for r in decode_row(body) if isinstance(r, Message)]
                    found += [(record, decode_payload(record.payload)) for record in records]
        if resend_of:
            return [(m, p) for m, p in found if p.resend_of == resend_of]
        return found
