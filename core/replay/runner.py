"""Carries replay jobs out: paced, written down as it goes, taken up again after a crash.

A job's new messages have ids that follow from the old id and the job's, so what is sent again
after a crash, because it was not written down yet, is a copy of the same message and not another.
What a store or a log cannot take now is tried again until it can; the job says so meanwhile. A job
that somebody else wrote down is left at once: it was cancelled, or taken.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from core.clock import Clock
from core.contract.ids import mint_derived
from core.contract.log import Log
from core.contract.problems import ProblemError
from core.engine.payload import decode_payload
from core.messages.view import Facts
from core.replay.again import Again, has_ended, state_now
from core.replay.jobs import Job, Jobs, Stored, name_of
from core.replay.pace import Pace
from core.replay.source import Item, Source
from core.views.reader import ViewReader
from sync.naming import id_facts
from sync.store.entities import StaleVersion
from sync.store.port import StoreError

T = TypeVar("T")
AGAIN_S = 1.0
AT_ONCE_MAX = 32
Find = Callable[[str], Awaitable[Facts | None]]
Sleep = Callable[[float], Awaitable[Any]]


class Run:
    """One job in one process's hands. `changed` is set when its entity may have changed."""

    def __init__(
        self,
        stored: Stored,
        jobs: Jobs,
        reader: ViewReader,
        find: Find,
        again: Again,
        clock: Clock,
        sleep: Sleep,
        save_s: float,
        log: Log,
    ) -> None:
        self._stored = stored
        self._jobs = jobs
        self._reader = reader
        self._find = find
        self._again = again
        self._clock = clock
        self._sleep = sleep
        self._save_s = save_s
        self._log = log.bind(replay=stored.job.id, tenant=stored.job.tenant)
        self._saved_at = clock.boot()
        self._left = False
        self._looking = asyncio.Lock()
        self.changed = False

    @property
    def job(self) -> Job:
        """As it is known here."""
        return self._stored.job

    async def carry_out(self) -> None:
        """Until it is done, cancelled, or another's."""
        ids = await self._forever(lambda: self._jobs.ids(self.job)) if self.job.by_ids else None
        source = Source(self.job, ids, self._reader)
        pace = Pace(self.job.per_second, self._clock.boot())
        while not self._left:
            items = await self._forever(lambda: source.next(self.job.place, AT_ONCE_MAX))
            if items is None:
                self._set(state="done")
                await self._save()
                self._log.info("replay done", sent=self.job.sent)
                return
            await self._send(items, pace)

    async def _send(self, items: list[Item], pace: Pace) -> None:
        at = 0
        while at < len(items):
            await self._look()
            if self._left:
                return
            group: list[Item] = []
            while at < len(items) and (not items[at].id or pace.wait_s(self._clock.boot()) == 0.0):
                if items[at].id:
                    pace.took(self._clock.boot())
                group.append(items[at])
                at += 1
            if not group:
                wait_s = min(pace.wait_s(self._clock.boot()), self._save_s)
                await self._sleep(wait_s)
                continue
            names = [item.id for item in group if item.id]
            found = await asyncio.gather(*(self._one(each) for each in names))
            passed_over = dict(self.job.passed_over)
            for why in filter(None, found):
                passed_over[why] = passed_over.get(why, 0) + 1
            sent = self.job.sent + found.count("")
            self._set(place=group[-1].after, sent=sent, passed_over=passed_over)

    async def _one(self, message_id: str) -> str:
        """Send one again: "" when the new message stands, else why it was passed over."""
        named = id_facts(message_id)
        facts = await self._forever(lambda: self._find(message_id)) if named else None
        if named is None or facts is None:
            return "not_found"
        try:
            payload = decode_payload(facts.message.payload)
        except msgspec.DecodeError:
            return "unreadable"
        job = self.job
        if payload.tenant != job.tenant and not job.any_tenant:
            return "not_found"
        if job.endpoint and payload.resend_of:
            return "replay"  # the event itself stands in the list too
        if not has_ended(facts):
            return "not_ended"
        if not job.by_ids and state_now(facts) not in job.statuses:
            return "moved_on"
        new_id = mint_derived(named.home, named.shard, b"replay", message_id, job.id)
        while not self._left:
            try:
                await self._again.send(facts.message, payload, new_id, trace=job.trace)
            except ProblemError as error:
                await self._trouble(error.detail)
            else:
                self._log.info("replayed", message=new_id, resend_of=message_id)
                return ""
        return "left"

    # Writing down

    def _set(self, **changes: Any) -> None:
        now_ms = self._clock.wall_ms()
        changes = {"trouble": "", "updated_ms": now_ms, **changes}
        job = msgspec.structs.replace(self.job, **changes)
        self._stored = Stored(self._stored.version, job)

    async def _look(self) -> None:
        """Now and then write down how far it is; find out when somebody else wrote.

        One at a time: a write of its own whose answer is on the way is nobody else's.
        """
        async with self._looking:
            if self._left:
                return
            if self.changed:
                self.changed = False
                there = await self._forever(lambda: self._jobs.get(name_of(self.job)))
                if there is None or there.version != self._stored.version:
                    await self._others_word(there)
            elif self._clock.boot() - self._saved_at >= self._save_s:
                await self._save()

    async def _save(self) -> None:
        self._saved_at = self._clock.boot()
        self._set(trouble=self.job.trouble)
        try:
            self._stored = await self._forever(
                lambda: self._jobs.put(self.job, self._stored.version)
            )
        except StaleVersion:
            await self._others_word(await self._forever(lambda: self._jobs.get(name_of(self.job))))

    async def _others_word(self, there: Stored | None) -> None:
        """Somebody else wrote the job. If it was cancelled, what was done until now is added."""
        self._left = True
        if there is not None and there.job.state == "canceled":
            now = msgspec.structs.replace(
                self.job, state="canceled", trouble="", updated_ms=there.job.updated_ms
            )
            try:
                await self._forever(lambda: self._jobs.put(now, there.version))
            except StaleVersion:
                self._log.warning("a cancelled replay was changed by somebody else")

    async def _forever(self, work: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await work()
            except StoreError as error:
                self._log.error("the store failed", error=str(error))
                await self._sleep(AGAIN_S)

    async def _trouble(self, why: str) -> None:
        self._set(trouble=why)
        await self._sleep(AGAIN_S)
        await self._look()
