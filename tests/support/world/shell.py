"""core/engine/shell.py in virtual time: each command handled in the same way and order.

A difference to the engine's shell is a defect of this file: the walk says nothing about code that
it does not mirror.
"""

from collections.abc import Callable, Generator
from typing import Any

from core.decide.retry import Rules, after_refusal
from core.providers.port import Outcome as WireOutcome
from sync.owner.owner import LAST_ID, DueWant
from sync.owner.state import (
    Changed,
    Follow,
    Lookup,
    MakeCall,
    Msg,
    Offer,
    ReadEventsAgain,
    Refused,
    Revive,
    WriteByIds,
    WriteEffect,
    WriteOpen,
)
from sync.owner.takeover import Ask, Loaded, ReadFloors, ReadRegistry, ReadRows, sent_of
from sync.records import Intent, Outcome, Place, Record, decode_open, decode_row
from sync.store.port import PutOpen, StoreError
from tests.support.world.loop import drive
from tests.support.world.plan import BUCKET_MS, HOME
from tests.support.world.process import Core

AGAIN_S = 0.05
ROWS_AT_ONCE = 3
OPEN_ENTRIES_AT_ONCE = 2
RULES = Rules(first_ms=300, longest_ms=3_000, jitter=0.2)


class SimShell:
    """Carries out what the owner says, and brings the answers back."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._owner = core.owner
        self._asked_again: list[str] = []
        self._reading_events = False
        self._reading: set[str] = set()
        self._sealing = False
        self._read_from: dict[str, float] = {}
        core.logs.on_effect = self._effects_durable
        core.logs.on_row = self.row
        core.dispatcher.on_outcome = self._outcome
        core.dispatcher.on_late = self._late
        core.dispatcher.after = self.drain
        self._carry: dict[type, Callable[[Any], None]] = {
            Offer: lambda c: core.dispatcher.offer(c.msg),
            WriteEffect: lambda c: core.logs.effect(c.record, c.urgent),
            MakeCall: lambda c: core.dispatcher.call(c.msg, c.attempt, c.intent),
            Changed: self._changed,
            Refused: self._refused,
            Follow: lambda c: core.behind.follow(
                c.msg, self._read_from.get(c.msg.id, 0.0), lambda: self._followed(c.msg)
            ),
            Lookup: lambda c: core.spawn(self._look_up(c.ids)),
            Revive: lambda c: core.spawn(self._revive(c)),
            WriteByIds: lambda c: core.behind.by_ids(c, lambda: self._by_ids_durable(c)),
            WriteOpen: lambda c: core.behind.put(PutOpen(c.rows), lambda: self._open_durable(c)),
            ReadEventsAgain: self._read_events_again,
        }

    def drain(self) -> None:
        """Carry out the owner's commands until there are none."""
        owner, carry = self._owner, self._carry
        while owner.out:
            commands, owner.out = owner.out, []
            for command in commands:
                self._core.command()
                carry[type(command)](command)

    # Reading

    def row(self, log: str, row: int, records: list[Record]) -> None:
        """A row of an accept log of this home stands."""
        self._owner.row_available(log, row, records)
        self._owner.ask(self._core.wall_ms())
        self.drain()

    def read_wanted(self, known_rows: dict[str, int]) -> None:
        """Read what the owner is behind with; one read of a log at a time."""
        for want in self._owner.wants(known_rows):
            if want.log not in self._reading:
                self._reading.add(want.log)
                self._core.spawn(self._read_log(want.log, want.first))

    async def _read_log(self, log: str, first: int) -> None:
        try:
            rows = await self._core.read(lambda t: t.rows(log, first, ROWS_AT_ONCE))
            for row, body in rows:
                if self._owner.awaits(log, row):
                    self._owner.row_available(log, row, decode_row(body))
            self._owner.ask(self._core.wall_ms())
            self.drain()
        finally:
            self._reading.discard(log)
        if len(rows) == ROWS_AT_ONCE:
            self.read_wanted({log: first + ROWS_AT_ONCE})

    async def _look_up(self, ids: list[str]) -> None:
        found = await self._core.read_forever(lambda t: t.by_ids(ids))
        self._owner.looked_up(ids, found, self._core.wall_ms())
        self._owner.ask(self._core.wall_ms())
        self.drain()

    async def _revive(self, command: Revive) -> None:
        records = await self._core.read_forever(lambda t: _records_at(t, command.places))
        self._owner.revived(command.id, command.row, records, self._core.wall_ms())
        self._owner.ask(self._core.wall_ms())
        self.drain()

    def _read_events_again(self, command: ReadEventsAgain) -> None:
        self._asked_again += command.ids
        if not self._reading_events:
            self._reading_events = True
            self._core.spawn(self._read_events())

    async def _read_events(self) -> None:
        try:
            while self._asked_again:
                ids, self._asked_again = self._asked_again, []
                await self._read_events_of(ids)
        finally:
            self._reading_events = False

    async def _read_events_of(self, ids: list[str]) -> None:
        wanted = set(ids)
        self._read_from.update(dict.fromkeys(ids, self._core.loop.now))
        await self._core.receipts.write_down()
        await self._learn_logs()
        cursors: dict[str, int] = {}
        for group in self._owner.groups:
            for log, at in group.cursors.items():
                cursors[log] = min(cursors.get(log, at), at)
        for log, at in cursors.items():
            await self._scan(log, at + 1, wanted)
        self._owner.events_read(ids, self._core.wall_ms())
        self._owner.ask(self._core.wall_ms())
        self.drain()

    async def _learn_logs(self) -> None:
        while True:
            try:
                await self._core.ownership.learn_logs()
            except StoreError:
                await self._core.sleep(AGAIN_S)
            else:
                return

    async def _scan(self, log: str, first: int, wanted: set[str]) -> None:
        while True:
            at = first
            rows = await self._core.read_forever(lambda t, at=at: t.rows(log, at, ROWS_AT_ONCE))
            if not rows:
                return
            for row, body in rows:
                for index, record in enumerate(decode_row(body)):
                    if record.id in wanted:
                        self._owner.event_seen(record, Place(log, row, index))
            first = rows[-1][0] + 1

    # Loading shards and buckets

    async def run_load(self, machine: Generator[Ask, Any, Any]) -> Any:
        """Drive a reading machine with the store's answers."""
        answer: Any = None
        while True:
            try:
                ask = machine.send(answer)
            except StopIteration as done:
                return done.value
            if isinstance(ask, ReadFloors):
                answer = await self._core.read_forever(lambda t: t.floors(HOME))
            elif isinstance(ask, ReadRegistry):
                answer = await self._core.read_forever(lambda t: list(t.registered.values()))
            elif isinstance(ask, ReadRows):
                answer = await self._core.read(
                    lambda t, ask=ask: t.rows(ask.log, ask.first, ask.limit)
                )

    async def learn(self, loaded: Loaded) -> None:
        """Provider ids of outcomes that a former owner may not have written down in time."""
        sent = sent_of(HOME, loaded)
        places = list(dict.fromkeys(each.intent for each in sent))
        intents = dict(await self._core.read_forever(lambda t: _records_at(t, places)))
        for each in sent:
            intent = intents.get(each.intent)
            if type(intent) is Intent:
                self._core.receipts.sent(
                    intent.account, each.provider_ids, each.attempt, each.id, each.shard
                )

    def take_up_due(self, lead_ms: int) -> None:
        """Take up what the open set holds for now and soon, as far as there is room."""
        for want in self._owner.due_wants(self._core.wall_ms(), lead_ms):
            self._core.spawn(self._take_up(want))

    async def _take_up(self, want: DueWant) -> None:
        upto = want.after
        try:
            for bucket in range((upto[0] + 1) // BUCKET_MS, want.until_ms // BUCKET_MS + 1):
                while self._owner.due_room > 0:
                    rows = await self._core.read(
                        lambda t, upto=upto, bucket=bucket: t.open_due(
                            HOME, want.shards, bucket, upto, want.until_ms, OPEN_ENTRIES_AT_ONCE
                        )
                    )
                    self._owner.due_rows([(r.bucket, decode_open(r.body)) for r in rows])
                    self._owner.ask(self._core.wall_ms())
                    self.drain()
                    if len(rows) < OPEN_ENTRIES_AT_ONCE:
                        break
                    upto = (rows[-1].due_ms, rows[-1].id)
                else:
                    return
            upto = (want.until_ms, LAST_ID)
        finally:
            self._owner.due_done(want, upto)

    # What stands

    def _effects_durable(self, places: list[Place], records: list[Record]) -> None:
        now_ms = self._core.wall_ms()
        for place, record in zip(places, records, strict=True):
            self._owner.effect_durable(place, record, now_ms)  # type: ignore[arg-type]
        self._owner.ask(now_ms)
        self.drain()

    def _by_ids_durable(self, command: WriteByIds) -> None:
        token, now_ms = command.token, self._core.wall_ms()
        if isinstance(token, list):
            self._owner.by_ids_durable(token)
        elif token[0] == "parked":
            for msg in token[1]:
                self._owner.parked(msg)
        elif token[0] == "noted":
            self._owner.noted(token[1], now_ms)
        else:
            self._owner.early_durable(token[1], token[2])
        self._owner.ask(now_ms)
        self.drain()

    def _open_durable(self, command: WriteOpen) -> None:
        self._owner.open_durable(command.token)
        self.drain()

    # Time

    def seal(self) -> None:
        """Write provider ids, then the by-id rows of what had ended by then."""
        if not self._sealing:
            self._sealing = True
            drive(self._seal())

    async def _seal(self) -> None:
        try:
            self._owner.seal()
            await self._core.receipts.write_down()
            self._owner.flush()
            self.drain()
        finally:
            self._sealing = False

    # Outcomes

    def _outcome(self, msg: Msg, attempt: str, account: str, outcome: WireOutcome) -> None:
        record = Outcome(
            msg.id,
            msg.shard,
            attempt,
            outcome.kind,
            outcome.provider_id,
            outcome.code,
            outcome.detail,
            self._core.wall_ms(),
        )
        if outcome.kind == "accepted" and outcome.provider_id:
            self._core.receipts.sent(account, outcome.provider_id, attempt, msg.id, msg.shard)
        if outcome.kind == "throttled":
            msg.due_ms = self._core.wall_ms() + outcome.wait_ms
        self._owner.settled(msg, record)
        self.drain()

    def _late(self, msg: Msg, attempt: str, account: str, outcome: WireOutcome) -> None:
        """An answer that came after its time-out was told, whether or not it is in memory."""
        now = self._owner.find(msg.id)
        if now is not None:
            self._outcome(now, attempt, account, outcome)
            return
        if outcome.kind == "accepted" and outcome.provider_id:
            self._core.receipts.sent(account, outcome.provider_id, attempt, msg.id, msg.shard)
        record = Outcome(
            msg.id,
            msg.shard,
            attempt,
            outcome.kind,
            outcome.provider_id,
            "",
            "",
            self._core.wall_ms(),
        )
        self._core.logs.effect(record, False)

    def _refused(self, command: Refused) -> None:
        msg, outcome = command.msg, command.outcome
        if msg.message is None:
            return
        now_ms = self._core.wall_ms()
        account = msg.account_of(outcome.attempt)
        others = outcome.kind not in ("withdrawn", "not_sent") and self._core.dispatcher.others(
            msg, account
        )
        wait_ms = max(0, msg.due_ms - now_ms)
        chance = self._core.chance.random()
        what = after_refusal(outcome.kind, msg.tries, wait_ms, others, RULES, chance)
        if what.what == "end":
            self._owner.give_up(msg, what.state, what.reason, outcome.detail, now_ms)
        else:
            if what.wait_ms >= self._owner.limits.park_after_ms:
                self._core.dispatcher.forget(msg)
            self._owner.later(msg, now_ms + what.wait_ms, now_ms)

    def _followed(self, msg: Msg) -> None:
        self._owner.followed(msg, self._core.wall_ms())
        self.drain()

    def _changed(self, command: Changed) -> None:
        core, msg = self._core, command.msg
        core.dispatcher.forget(msg)
        if core.lease_left_s() > 0:
            core.history.tell(core.loop.now, msg.id, msg.state, core.incarnation)


def _records_at(tables: Any, places: list[Place]) -> list[tuple[Place, Record]]:
    """The records at these places; places whose rows are gone are left out."""
    found: list[tuple[Place, Record]] = []
    for place in places:
        rows = tables.rows(place.log, place.row, 1)
        records = decode_row(rows[0][1]) if rows else []
        if place.index < len(records):
            found.append((place, records[place.index]))
    return found
