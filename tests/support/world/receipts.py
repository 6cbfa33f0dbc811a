"""core/engine/receipts.py in virtual time: the same steps in the same order."""

import msgspec

from core.engine.receipts import (
    AHEAD_MS,
    SEGMENT_MS,
    Known,
    Pending,
    _named,
    _pending,
    _record,
    _segment,
)
from core.providers.port import ReceiptIn
from sync.records import Place
from sync.store.port import Answer, PutPending, PutProviderIds, StoreError
from tests.support.world.logs import Ticket
from tests.support.world.loop import Lock, Resume, Wait
from tests.support.world.process import Core

AGAIN_S = 0.05
LOOK_AGAIN_S = 1.0
KNOWN_MAX = 6


class SimReceipts:
    """Found by the provider's id, journaled, and only then acknowledged."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._known: dict[tuple[str, str], Known] = {}
        self._writing = Lock()
        self._waiting: dict[str, dict[str, list[tuple[Pending, ReceiptIn]]]] = {}
        self._unwritten: dict[str, list[Known]] = {}
        self._seq = 0

    def received(self, account: str, receipt: ReceiptIn) -> None:
        """A receipt came in from a provider."""
        known = self._known.get((account, receipt.provider_id)) or _named(receipt)
        if known is None:
            self._pend(account, receipt)
            return
        record = _record(known, account, receipt.status, "", "", receipt.at_ms)

        def told(place: Place | None) -> None:
            if place is None:
                receipt.nack()
            else:
                receipt.ack()

        if not self._core.logs.accept(record, False, Ticket(told)):
            receipt.nack()

    def sent(self, account: str, provider_ids: str, attempt: str, mid: str, shard: int) -> None:
        """A provider took a message under these ids."""
        for provider_id in provider_ids.split(","):
            known = Known(provider_id, attempt, mid, shard)
            self._learn(account, known)
            self._unwritten.setdefault(account, []).append(known)

    async def write_down(self) -> None:
        """Write the provider ids gathered so far, then journal what was pending for them."""
        async with self._writing:
            gathered, self._unwritten = self._unwritten, {}
            for account, ids in gathered.items():
                await self._write_group(account, ids)

    async def _write_group(self, account: str, ids: list[Known]) -> None:
        self._seq += 1
        bucket = self._core.wall_ms() // SEGMENT_MS
        body = msgspec.msgpack.encode(ids)
        write = PutProviderIds(account, bucket, self._core.incarnation, self._seq, body)
        while await self._written(write) != "ok":
            await self._core.sleep(AGAIN_S)
        by_id = {known.provider_id: known for known in ids}
        for found in await self._core.read_forever(lambda t: t.pending(account, list(by_id))):
            pending = _pending.decode(found)
            if not await self._journal(account, by_id[pending.provider_id], pending):
                raise StoreError("the logs were closed")

    def _pend(self, account: str, receipt: ReceiptIn) -> None:
        pending = Pending(receipt.provider_id, receipt.status, "", "", receipt.at_ms)

        def answered(answer: Answer) -> None:
            if answer != "ok":
                receipt.nack()
                return
            if account not in self._waiting:
                self._waiting[account] = {}
                self._core.spawn(self._look_back(account))
            waiting = self._waiting[account].setdefault(receipt.provider_id, [])
            waiting.append((pending, receipt))

        body = msgspec.msgpack.encode(pending)
        self._core.submit(PutPending(account, receipt.provider_id, body), answered)

    async def _look_back(self, account: str) -> None:
        while waiting := self._waiting.get(account):
            self._waiting[account] = {}
            try:
                found = await self._search(account, set(waiting))
            except StoreError:
                found = None
            for provider_id, receipts in waiting.items():
                known = found.get(provider_id) if found is not None else None
                for pending, receipt in receipts:
                    stands = found is not None
                    if known is not None:
                        stands = await self._journal(account, known, pending)
                    if stands:
                        receipt.ack()
                    else:
                        receipt.nack()
            if found is None or len(found) < len(waiting):
                await self._core.sleep(LOOK_AGAIN_S)
        del self._waiting[account]

    async def _search(self, account: str, wanted: set[str]) -> dict[str, Known]:
        found = {
            pid: self._known[(account, pid)]
            for pid in sorted(wanted)
            if (account, pid) in self._known
        }
        bucket = (self._core.wall_ms() + AHEAD_MS) // SEGMENT_MS
        for back in range(3):
            if len(found) == len(wanted):
                break
            at = bucket - back
            for body in await self._core.read(lambda t, at=at: t.provider_ids(account, at)):
                found |= {
                    k.provider_id: k for k in _segment.decode(body) if k.provider_id in wanted
                }
        return found

    def _learn(self, account: str, known: Known) -> None:
        self._known[(account, known.provider_id)] = known
        while len(self._known) > KNOWN_MAX:
            self._known.pop(next(iter(self._known)))

    async def _journal(self, account: str, known: Known, pending: Pending) -> bool:
        record = _record(known, account, pending.status, "", "", pending.at_ms)
        while not self._core.logs.revoked:

            def start(resume: Resume) -> None:
                if not self._core.logs.accept(record, False, Ticket(resume)):
                    self._core.later(AGAIN_S, lambda: resume(False))

            place = await Wait(start)
            if place is not False:
                return place is not None
        return False

    def _written(self, write: PutProviderIds) -> Wait:
        def start(resume: Resume) -> None:
            self._core.submit(write, resume)

        return Wait(start)
