"""The shell of one home's owner: carries out what the owner says, and brings the answers back.

Everything runs on the event loop; the owner's commands are drained after each event. Writes that
fail are repeated until they stand. What is told outside (`on_changed`) is told only after it
stands, and only while the own lease is valid.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from core.clock import Clock
from core.contract.log import Log
from core.decide.retry import Rules
from core.engine.answers import Answers
from core.engine.behind import Behind
from core.engine.dispatch import Dispatcher
from core.engine.logs import Logs
from core.engine.reading import ROWS_AT_ONCE, Reading
from core.engine.receipts import Receipts
from sync.owner.owner import LAST_ID, DueWant, Owner
from sync.owner.state import (
    Changed,
    Follow,
    LookElsewhere,
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
from sync.owner.takeover import Loaded, sent_of
from sync.records import EffectRecord, Intent, Outcome, Place, Record, decode_open, decode_row
from sync.store.port import JournalStore, PutOpen, StoreError

OPEN_ENTRIES_AT_ONCE = 500
LOGS_AT_ONCE = 32


class Shell:
    """See the module's docstring."""

    def __init__(
        self,
        store: JournalStore,
        owner: Owner,
        logs: Logs,
        dispatcher: Dispatcher,
        receipts: Receipts,
        behind: Behind,
        rules: Rules,
        clock: Clock,
        random: Random,
        log: Log,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._store = store
        self.reading = Reading(store, log)
        self._owner = owner
        self._logs = logs
        self._dispatcher = dispatcher
        self._receipts = receipts
        self._clock = clock
        self._log = log
        self.answers = Answers(owner, logs, dispatcher, receipts, rules, clock, random, self.drain)
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked_again: list[str] = []
        self._reading_events = False
        self._reading: set[str] = set()
        self._sealing = False
        self._right: bool | None = None  # whether what stands may be told, once it was asked
        self.learn_logs: Callable[[], Awaitable[None]] = _nothing
        self.on_missed: Callable[[str, int, bool], None] = lambda *_: None
        self.on_known: Callable[[Msg], None] = lambda _: None
        self.on_changed: Callable[[Msg], None] = lambda _: None
        self._carry: dict[type, Callable[[Any], None]] = {
            Offer: lambda c: dispatcher.offer(c.msg),
            WriteEffect: lambda c: logs.effect(c.record, owner.home, c.urgent),
            MakeCall: lambda c: dispatcher.call(c.msg, c.attempt, c.intent),
            Changed: self._changed,
            Refused: self.answers.refused,
            Follow: lambda c: behind.follow(c.msg, lambda: self._followed(c.msg)),
            Lookup: lambda c: self.spawn(self._look_up(c.ids)),
            LookElsewhere: lambda c: self.spawn(self._look_elsewhere(c)),
            Revive: lambda c: self.spawn(self._revive(c)),
            WriteByIds: lambda c: behind.by_ids(c, lambda: self._by_ids_durable(c)),
            WriteOpen: lambda c: behind.put(PutOpen(c.rows), lambda: self._open_durable(c)),
            ReadEventsAgain: self._read_events_again,
        }

    @property
    def busy(self) -> bool:
        """Whether something runs beside the loop's turns."""
        return bool(self._tasks)

    def spawn(self, work: Awaitable[None]) -> None:
        """Run something beside the loop's turns; its failure is logged, never lost."""

        async def guarded() -> None:
            try:
                await work
            except StoreError as error:
                self._log.error("the store cannot be read", error=str(error))

        task = self._loop.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """What fails unforeseen left the owner half informed: the process must not go on."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            what = "a part of the engine failed"
            self._loop.call_exception_handler({"message": what, "exception": error})

    def drain(self) -> None:
        """Carry out the owner's commands until there are none.

        The lease is asked once for the words of a group: all of its ends stood before.
        """
        owner, carry = self._owner, self._carry
        while owner.out:
            commands, owner.out = owner.out, []
            self._right = None
            for command in commands:
                carry[type(command)](command)

    def lose(self, shards: set[int]) -> None:
        """Shards are no longer ours."""
        self._owner.lose(shards)
        self._dispatcher.lost(self._owner.home, shards)

    # Reading

    def row(self, log: str, row: int, records: list[Record]) -> None:
        """A row of an accept log of this home stands."""
        self._owner.row_available(log, row, records)
        self._owner.ask(self._clock.wall_ms())
        self.drain()

    def read_wanted(self, known_rows: dict[str, int]) -> None:
        """Read what the owner is behind with; one read of a log at a time."""
        for want in self._owner.wants(known_rows):
            if want.log not in self._reading:
                self._reading.add(want.log)
                self.spawn(self._read_log(want.log, want.first))

    async def _read_log(self, log: str, first: int) -> None:
        try:
            rows = await self._store.rows(log, first, ROWS_AT_ONCE)
            for row, body in rows:
                if self._owner.awaits(log, row):
                    self._owner.row_available(log, row, decode_row(body))
            if not rows and self._owner.awaits(log, first):
                self.on_missed(log, first, False)
            self._owner.ask(self._clock.wall_ms())
            self.drain()
        finally:
            self._reading.discard(log)
        if len(rows) == ROWS_AT_ONCE:
            self.read_wanted({log: first + ROWS_AT_ONCE})

    def read_former(self) -> None:
        """Read on in the effect logs of former owners."""
        for want in self._owner.former_wants():
            if want.log not in self._reading:
                self._reading.add(want.log)
                self.spawn(self._read_former(want.log, want.first))

    async def _read_former(self, log: str, first: int) -> None:
        try:
            found = await self._store.rows(log, first, ROWS_AT_ONCE)
            rows = [(row, decode_row(body)) for row, body in found]
            await self._learn_late(log, rows)
            for row, records in rows:
                self._owner.former_row(log, row, records)
            self._owner.ask(self._clock.wall_ms())
            self.drain()
        finally:
            self._reading.discard(log)

    async def _learn_late(self, log: str, rows: list[tuple[int, list[Record]]]) -> None:
        """Provider ids of outcomes that came to stand after the takeover, as at a takeover."""
        effects: dict[str, tuple[int, list[tuple[Place, EffectRecord]]]] = {}
        for row, records in rows:
            for index, record in enumerate(records):
                if type(record) is Outcome and record.shard in self._owner.shards:
                    found = effects.setdefault(record.id, (record.shard, []))[1]
                    found.append((Place(log, row, index), record))
        if effects:
            await self.learn(Loaded([], {}, {}, (), 0, effects))

    async def _look_up(self, ids: list[str]) -> None:
        losses = self._owner.losses
        found = await self.reading.forever(lambda: self._store.by_ids(ids))
        kept = self._owner.kept_since(ids, losses)
        self._owner.looked_up(kept, found, self._clock.wall_ms())
        self._owner.ask(self._clock.wall_ms())
        self.drain()

    async def _look_elsewhere(self, command: LookElsewhere) -> None:
        found = await self.reading.forever(lambda: self._store.by_ids(command.ids))
        self._owner.found_elsewhere(command.msg, found, self._clock.wall_ms())
        self._owner.ask(self._clock.wall_ms())
        self.drain()

    async def _revive(self, command: Revive) -> None:
        records = await self.reading.forever(lambda: self.reading.records_at(command.places))
        there = {place for place, _ in records}
        for place in command.places:
            if place not in there:
                self.on_missed(place.log, place.row, True)
        self._owner.revived(command.id, command.row, records, self._clock.wall_ms())
        self._owner.ask(self._clock.wall_ms())
        self.drain()

    def _read_events_again(self, command: ReadEventsAgain) -> None:
        self._asked_again += command.ids
        if not self._reading_events:
            self._reading_events = True
            self.spawn(self._read_events())

    async def _read_events(self) -> None:
        """Receipts and cancels that stand but were not read yet; one pass for all in doubt.

        One pass at a time: what falls into doubt meanwhile shares the next one.
        """
        try:
            while self._asked_again:
                ids, self._asked_again = self._asked_again, []
                await self._read_events_of(ids)
        finally:
            self._reading_events = False

    async def _read_events_of(self, ids: list[str]) -> None:
        wanted, losses = set(ids), self._owner.losses
        await self._receipts.write_down()
        await self.reading.forever(self.learn_logs)
        cursors: dict[str, int] = {}
        for group in self._owner.groups:
            for log, at in group.cursors.items():
                cursors[log] = min(cursors.get(log, at), at)
        logs = list(cursors.items())
        for first in range(0, len(logs), LOGS_AT_ONCE):
            scans = [
                self.reading.scan(log, at + 1, wanted, self._owner.event_seen)
                for log, at in logs[first : first + LOGS_AT_ONCE]
            ]
            await asyncio.gather(*scans)  # one after the other takes long in a store far away
        self._owner.events_read(self._owner.kept_since(ids, losses), self._clock.wall_ms())
        self._owner.ask(self._clock.wall_ms())
        self.drain()

    # Loading shards and the open set

    async def learn(self, loaded: Loaded) -> None:
        """Provider ids of outcomes that a former owner may not have written down in time."""
        sent = sent_of(self._owner.home, loaded)
        places = list(dict.fromkeys(each.intent for each in sent))
        intents = dict(await self.reading.forever(lambda: self.reading.records_at(places)))
        for each in sent:
            intent = intents.get(each.intent)
            if type(intent) is Intent:
                self._receipts.sent(
                    intent.account, each.provider_ids, each.attempt, each.id, each.shard
                )

    def take_up_due(self, lead_ms: int) -> None:
        """Take up what the open set holds for now and soon, as far as there is room."""
        for want in self._owner.due_wants(self._clock.wall_ms(), lead_ms):
            self.spawn(self._take_up(want))

    async def _take_up(self, want: DueWant) -> None:
        upto, length_ms = want.after, self._owner.limits.bucket_ms
        try:
            for bucket in range((upto[0] + 1) // length_ms, want.until_ms // length_ms + 1):
                while self._owner.due_room > 0:
                    rows = await self._store.open_due(
                        self._owner.home,
                        want.shards,
                        bucket,
                        upto,
                        want.until_ms,
                        OPEN_ENTRIES_AT_ONCE,
                    )
                    self._owner.due_rows([(r.bucket, decode_open(r.body)) for r in rows])
                    self._owner.ask(self._clock.wall_ms())
                    self.drain()
                    if len(rows) < OPEN_ENTRIES_AT_ONCE:
                        # Said for each bucket: who has no room for the next one must not begin
                        # with this one again, whose entries would fill the memory for ever.
                        upto = (min(want.until_ms, (bucket + 1) * length_ms - 1), LAST_ID)
                        break
                    upto = (rows[-1].due_ms, rows[-1].id)
                else:
                    return
        finally:
            self._owner.due_done(want, upto)

    # What stands

    def effects_durable(self, places: list[Place], records: list[Record]) -> None:
        """A row of an own effect log of this home stands."""
        now_ms = self._clock.wall_ms()
        for place, record in zip(places, records, strict=True):
            self._owner.effect_durable(place, record, now_ms)  # type: ignore[arg-type]
        self._owner.ask(now_ms)
        self.drain()

    def _by_ids_durable(self, command: WriteByIds) -> None:
        token, now_ms = command.token, self._clock.wall_ms()
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

    def _followed(self, msg: Msg) -> None:
        self._owner.followed(msg, self._clock.wall_ms())
        self.drain()

    # Time

    def seal(self) -> None:
        """Write provider ids, then the by-id rows of what had ended by then."""
        if not self._sealing:
            self._sealing = True
            self.spawn(self._seal())

    async def _seal(self) -> None:
        try:
            self._owner.seal()
            await self._receipts.write_down()
            self._owner.flush()
            self.drain()
        finally:
            self._sealing = False

    def _changed(self, command: Changed) -> None:
        self._dispatcher.forget(command.msg)
        self.on_known(command.msg)
        if command.held:
            return
        if self._right is None:
            self._right = self._dispatcher.has_right()
        if self._right:
            self.on_changed(command.msg)


async def _nothing() -> None:
    """Every log is known."""
