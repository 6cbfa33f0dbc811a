"""core/engine/receipts.py in virtual time: the same steps in the same order."""

import msgspec

from core.engine.receipts import BUCKET_MS as SEGMENT_MS
from core.engine.receipts import Known, Pending, _named, _pending, _record, _segment
from core.providers.port import ReceiptIn
from sync.records import Place
from sync.store.port import Answer, PutPending, PutProviderIds, StoreError
from tests.support.world.loop import Resume, Wait
from tests.support.world.logs import Ticket
from tests.support.world.process import Core

AGAIN_S = 0.05
KNOWN_MAX = 6


class SimReceipts:
    """Found by the provider's id, journaled, and only then acknowledged."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._known: dict[tuple[str, str], Known] = {}
        self._early: dict[tuple[str, str], list[Pending]] = {}
        self._unwritten: dict[str, list[Known]] = {}
        self._read_back: dict[tuple[str, int], float] = {}
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
            for pending in self._early.pop((account, provider_id), ()):
                self._journal(account, known, pending)

    async def write_down(self) -> None:
        """Write the provider ids gathered since the last time, then read what was pending."""
        gathered, self._unwritten = self._unwritten, {}
        for account, ids in gathered.items():
            self._seq += 1
            bucket = self._core.wall_ms() // SEGMENT_MS
            body = msgspec.msgpack.encode(ids)
            write = PutProviderIds(account, bucket, self._core.incarnation, self._seq, body)
            while await self._written(write) != "ok":
                await self._core.sleep(AGAIN_S)
            by_id = {known.provider_id: known for known in ids}
            for found in await self._pending_of(account, list(by_id)):
                pending = _pending.decode(found)
                self._journal(account, by_id[pending.provider_id], pending)

    async def _pending_of(self, account: str, ids: list[str]) -> list[bytes]:
        while True:
            try:
                found: list[bytes] = await self._core.read(lambda t: t.pending(account, ids))
                return found
            except StoreError:
                await self._core.sleep(AGAIN_S)

    def _pend(self, account: str, receipt: ReceiptIn) -> None:
        pending = Pending(receipt.provider_id, receipt.status, "", "", receipt.at_ms)
        self._early.setdefault((account, receipt.provider_id), []).append(pending)
        while len(self._early) > KNOWN_MAX:
            self._early.pop(next(iter(self._early)))

        def answered(answer: Answer) -> None:
            if answer != "ok":
                receipt.nack()
                return
            receipt.ack()
            self._core.spawn(self._look_back(account, pending.provider_id))

        body = msgspec.msgpack.encode(pending)
        self._core.submit(PutPending(account, receipt.provider_id, body), answered)

    async def _look_back(self, account: str, provider_id: str) -> None:
        bucket = self._core.wall_ms() // SEGMENT_MS
        for back in range(3):
            if (account, provider_id) not in self._early:
                return
            if (account, provider_id) not in self._known:
                await self._read_bucket(account, bucket - back)
            known = self._known.get((account, provider_id))
            if known is not None:
                for pending in self._early.pop((account, provider_id), ()):
                    self._journal(account, known, pending)
                return

    async def _read_bucket(self, account: str, bucket: int) -> None:
        now = self._core.boot()
        if now - self._read_back.get((account, bucket), -1e9) < 1.0:
            return
        self._read_back[(account, bucket)] = now
        try:
            for body in await self._core.read(lambda t: t.provider_ids(account, bucket)):
                for known in _segment.decode(body):
                    self._learn(account, known)
        except StoreError:
            return

    def _learn(self, account: str, known: Known) -> None:
        self._known[(account, known.provider_id)] = known
        while len(self._known) > KNOWN_MAX:
            self._known.pop(next(iter(self._known)))

    def _journal(self, account: str, known: Known, pending: Pending) -> None:
        record = _record(known, account, pending.status, "", "", pending.at_ms)
        self._core.logs.accept(record, False, Ticket(lambda _: None))

    def _written(self, write: PutProviderIds) -> Wait:
        def start(resume: Resume) -> None:
            self._core.submit(write, resume)

        return Wait(start)
