"""Receipts: found by the provider's id, journaled, and only then acknowledged (PROTOCOL.md 8).

A receipt whose attempt is known goes into the accept log of its message's home. One that matches
nothing yet is written among the account's pending ones, then the outcomes are looked at again, and
only then it is acknowledged; the owner writes the provider ids of a group of outcomes, then reads
the pending ones once for the group and journals what it finds before anything of the group may be
forgotten. One of the two sees both, and if it dies before its journal row stands, the provider
repeats the receipt or the next owner reads the same outcomes again. A receipt that cannot be
journaled is refused for now, so that the provider repeats it.

Receipts stand at quorum, also those of local messages: what an owner tells of one, the next owner
must be able to read, or it would tell less. In a region that is cut off they wait, and providers
repeat them.

A receipt may name its attempt. That is the word of whoever sent it, so it is believed only where
the attempt's intent, in memory or in the journal, went to the very account that reports: no
account's provider can say anything about another account's messages.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable

import msgspec
from msgspec import Struct

from core.clock import Clock
from core.contract.ids import parse_id
from core.contract.log import Log
from core.engine.logs import Logs, Ticket
from core.providers.port import ReceiptIn
from sync.naming import attempt_place
from sync.records import Intent, Place, Receipt, decode_row
from sync.store.port import Answer, JournalStore, PutPending, PutProviderIds, StoreError

SEGMENT_MS = 600_000
LOOK_AGAIN_S = 1.0
NEEDLES_MAX = 8
AGAIN_S = 0.05
ROWS_END = 1 << 62  # no store numbers rows further
AHEAD_MS = 1_000  # twice the clock bound: the writer's clock may be in the next bucket already


class Known(Struct, frozen=True, array_like=True, gc=False):
    """One provider id of an attempt."""

    provider_id: str
    attempt: str
    message_id: str
    shard: int


class Pending(Struct, frozen=True, array_like=True, gc=False):
    """A receipt that waits for its attempt."""

    provider_id: str
    status: str
    code: str
    detail: str
    at_ms: int


_segment = msgspec.msgpack.Decoder(list[Known])
segment_of = _segment.decode
_pending = msgspec.msgpack.Decoder(Pending)


class Receipts:
    """See the module's docstring. Bounds: `known_max` ids, `buckets_back` segments' times.

    `bucket_ms` is how long one segment's time is: the same for all cores of a store.
    """

    def __init__(
        self,
        store: JournalStore,
        logs: Logs,
        clock: Clock,
        log: Log,
        incarnation: str,
        known_max: int,
        buckets_back: int,
        spawn: Callable[[Awaitable[None]], None],
        bucket_ms: int = SEGMENT_MS,
    ) -> None:
        self._bucket_ms = bucket_ms
        self._store = store
        self._logs = logs
        self._clock = clock
        self._log = log
        self._incarnation = incarnation
        self._known_max = known_max
        self._buckets_back = buckets_back
        self._spawn = spawn
        self._known: OrderedDict[tuple[str, str], Known] = OrderedDict()
        self._writing = asyncio.Lock()
        self._waiting: dict[str, dict[str, list[tuple[Pending, ReceiptIn]]]] = {}
        self._unwritten: dict[str, list[Known]] = {}
        self._seq = 0
        self.on_receipt: Callable[[str, str], None] = lambda *_: None
        self.account_of: Callable[[str, str], str] = lambda *_: ""

    def received(self, account: str, receipt: ReceiptIn) -> None:
        """A receipt came in from a provider."""
        self.on_receipt(account, receipt.status)
        known = self._known.get((account, receipt.provider_id))
        if known is not None:
            self._accept(account, receipt, known)
            return
        named = _named(receipt)
        if named is None:
            self._pend(account, receipt)
            return
        its = self.account_of(named.message_id, named.attempt)
        if its == account:
            self._accept(account, receipt, named)
        elif its:
            self._pend(account, receipt)
        else:
            self._spawn(self._prove(account, receipt, named))

    def _accept(self, account: str, receipt: ReceiptIn, known: Known) -> None:
        at_ms = receipt.at_ms or self._clock.wall_ms()
        record = _record(known, account, receipt.status, receipt.code, receipt.detail, at_ms)

        def told(place: Place | None) -> None:
            if place is None:
                receipt.nack()
            else:
                receipt.ack()

        if not self._logs.accept(record, False, True, Ticket(told)):
            receipt.nack()

    def sent(self, account: str, provider_ids: str, attempt: str, mid: str, shard: int) -> None:
        """A provider took a message under these ids (a long text message has several)."""
        for provider_id in filter(None, provider_ids.split(",")):
            known = Known(provider_id, attempt, mid, shard)
            self._learn(account, known)
            self._unwritten.setdefault(account, []).append(known)

    async def write_down(self) -> None:
        """Write the provider ids gathered so far, then journal what was pending for them.

        One at a time: what is being written for somebody else stands too when this returns.
        """
        async with self._writing:
            gathered, self._unwritten = self._unwritten, {}
            for account, ids in gathered.items():
                await self._write_group(account, ids)

    async def _write_group(self, account: str, ids: list[Known]) -> None:
        self._seq += 1
        bucket = self._clock.wall_ms() // self._bucket_ms
        body = msgspec.msgpack.encode(ids)
        await self._until_written(
            PutProviderIds(account, bucket, self._incarnation, self._seq, body)
        )
        await self._journal_pending(account, ids)

    async def look_again(self, accounts: Iterable[str]) -> None:
        """Regions that were apart are about to join: who wrote a receipt down may not have read the
        provider id that another wrote, nor the other way round. Journal what fits. StoreError.

        Nobody owns meanwhile, so accounts are looked at side by side.
        """
        await asyncio.gather(*map(self._look_again, accounts))

    async def _look_again(self, account: str) -> None:
        bucket = (self._clock.wall_ms() + AHEAD_MS) // self._bucket_ms
        for back in range(self._buckets_back + 1):
            for body in await self._store.provider_ids(account, bucket - back):
                await self._journal_pending(account, _segment.decode(body))

    async def _journal_pending(self, account: str, ids: list[Known]) -> None:
        by_id = {known.provider_id: known for known in ids}
        for found in await self._pending_of(account, list(by_id)):
            pending = _pending.decode(found)
            if not await self._journal(account, by_id[pending.provider_id], pending):
                raise StoreError("the logs were closed before a receipt that waited was journaled")

    async def _pending_of(self, account: str, ids: list[str]) -> list[bytes]:
        while True:
            try:
                return await self._store.pending(account, ids)
            except StoreError as error:
                self._log.error("pending receipts cannot be read", error=str(error))
                await asyncio.sleep(AGAIN_S)

    async def _prove(self, account: str, receipt: ReceiptIn, named: Known) -> None:
        """Believe the attempt's name if its intent in the journal went to this account."""
        try:
            intent = await self._intent(named)
        except StoreError as error:
            self._log.error("an intent cannot be read", account=account, error=str(error))
            receipt.nack()
            return
        if intent is not None and intent.id == named.message_id and intent.account == account:
            self._accept(account, receipt, named)
        else:
            self._pend(account, receipt)

    async def _intent(self, named: Known) -> Intent | None:
        place = attempt_place(named.message_id.partition("-")[0], named.attempt)
        if place is None:
            return None
        log, row, index = place
        if not 0 < row < ROWS_END:
            return None
        found = await self._store.rows(log, row, 1)
        records = decode_row(found[0][1]) if found and found[0][0] == row else []
        if not 0 <= index < len(records):
            return None
        record = records[index]
        return record if isinstance(record, Intent) else None

    # What is not known yet

    def _pend(self, account: str, receipt: ReceiptIn) -> None:
        if not receipt.provider_id:
            receipt.ack()  # it names nothing that could ever be found
            return
        at_ms = receipt.at_ms or self._clock.wall_ms()
        pending = Pending(receipt.provider_id, receipt.status, receipt.code, receipt.detail, at_ms)

        def answered(answer: Answer) -> None:
            if answer != "ok":
                receipt.nack()
                return
            if account not in self._waiting:
                self._waiting[account] = {}
                self._spawn(self._look_back(account))
            waiting = self._waiting[account].setdefault(receipt.provider_id, [])
            waiting.append((pending, receipt))

        body = msgspec.msgpack.encode(pending)
        self._store.submit(PutPending(account, receipt.provider_id, body), answered)

    async def _look_back(self, account: str) -> None:
        """Find what waits by reading provider-id segments, newest first; one pass for all of it."""
        while waiting := self._waiting.get(account):
            self._waiting[account] = {}
            try:
                found = await self._search(account, set(waiting))
            except StoreError as error:
                why = str(error)
                self._log.error("provider ids cannot be read", account=account, error=why)
                found = None
            for provider_id, receipts in waiting.items():
                known = found.get(provider_id) if found is not None else None
                for pending, receipt in receipts:
                    stands = found is not None
                    if known is not None:
                        stands = await self._journal(account, known, pending)
                    receipt.ack() if stands else receipt.nack()
            if found is None or len(found) < len(waiting):
                await asyncio.sleep(LOOK_AGAIN_S)  # strangers' receipts must not keep us reading
        del self._waiting[account]

    async def _search(self, account: str, wanted: set[str]) -> dict[str, Known]:
        """The attempts of these provider ids, as far as they are known to memory or store."""
        found = {
            pid: self._known[(account, pid)] for pid in wanted if (account, pid) in self._known
        }
        bucket = (self._clock.wall_ms() + AHEAD_MS) // self._bucket_ms
        for back in range(self._buckets_back + 1):
            missing = {pid.encode(): pid for pid in wanted - found.keys()}
            if not missing:
                break
            for body in await self._store.provider_ids(account, bucket - back):
                if len(missing) > NEEDLES_MAX or any(needle in body for needle in missing):
                    found |= {
                        k.provider_id: k for k in _segment.decode(body) if k.provider_id in wanted
                    }
                await asyncio.sleep(0)
        return found

    # Writing

    def _learn(self, account: str, known: Known) -> None:
        self._known[(account, known.provider_id)] = known
        while len(self._known) > self._known_max:
            self._known.popitem(last=False)

    async def _journal(self, account: str, known: Known, pending: Pending) -> bool:
        """Journal a receipt that waited: True when its row stands, False if the logs closed or are
        none of its message's home."""
        record = _record(
            known, account, pending.status, pending.code, pending.detail, pending.at_ms
        )
        loop = asyncio.get_running_loop()
        while not self._logs.revoked and self._logs.has_home(record.id):
            told: asyncio.Future[Place | None] = loop.create_future()
            if self._logs.accept(record, False, True, Ticket(told.set_result)):
                return await told is not None
            await asyncio.sleep(AGAIN_S)
        return False

    async def _until_written(self, write: PutProviderIds) -> None:
        loop = asyncio.get_running_loop()
        while True:
            told: asyncio.Future[Answer] = loop.create_future()
            self._store.submit(write, told.set_result)
            if await told == "ok":
                return
            await asyncio.sleep(AGAIN_S)


def _named(receipt: ReceiptIn) -> Known | None:
    """The attempt that the wire names, "message.attempt.epoch"; a stranger's word is none."""
    parts = receipt.ref.split(".")
    named = parse_id(parts[0]) if len(parts) == 3 else None
    return None if named is None else Known(receipt.provider_id, parts[1], parts[0], named.shard)


def _record(known: Known, account: str, status: str, code: str, detail: str, at_ms: int) -> Receipt:
    return Receipt(
        known.message_id,
        known.shard,
        known.attempt,
        account,
        known.provider_id,
        status,
        code,
        detail,
        at_ms,
    )
