"""The receipts that the SMSC owes, until they are acknowledged.

A receipt goes to the session that submitted its message or, where that is gone, to any other one
that takes receipts; while there is none it waits. One that is refused, or not answered within
`receipt_repeat_ms`, is sent again, at most `receipt_tries_max` times and not when it is older than
`receipt_age_max_ms`. What is owed lies in the journal, so a restart does not forget it.
"""

import asyncio
from collections import deque
from heapq import heappop, heappush
from typing import Protocol

from core.clock import Clock
from core.contract.log import Log
from core.sandbox.journal import Journal, Receipt, Record, Settled
from core.sandbox.limits import SandboxLimits
from core.sandbox.receipt_pdu import receipt_pdu

_TOGETHER_MS = 2


class Taker(Protocol):
    """A session as the desk needs it."""

    outbox: "Outbox"

    def send(self, data: bytes) -> None: ...


class Outbox:
    """The receipts of one session: those to send, and those sent and not answered."""

    __slots__ = ("open", "ready", "sequence", "unanswered")

    def __init__(self) -> None:
        self.open = False
        self.sequence = 0
        self.ready: deque[int] = deque()
        # sequence -> token and the time it was sent; in the order of sending.
        self.unanswered: dict[int, tuple[int, int]] = {}

    def next_sequence(self) -> int:
        self.sequence = self.sequence % 0x7FFFFFFF + 1
        return self.sequence


class ReceiptDesk:
    """All receipts owed by one SMSC. Not for several threads."""

    def __init__(self, journal: Journal, limits: SandboxLimits, clock: Clock, log: Log) -> None:
        self._journal = journal
        self._limits = limits
        self._clock = clock
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._owed: dict[int, Receipt] = {}
        self._tries: dict[int, int] = {}
        self._wanted: dict[int, Taker] = {}
        self._due: list[tuple[int, int]] = []
        self._homeless: deque[int] = deque()
        self._takers: list[Taker] = []
        self._turn = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms = 0
        self._last_token = 0

    @property
    def full(self) -> bool:
        """Nothing more can be owed."""
        return len(self._owed) >= self._limits.receipts_max

    def owed(self) -> list[Receipt]:
        """Everything not settled yet."""
        return list(self._owed.values())

    def new_token(self) -> int:
        """A name for a receipt, never used before."""
        self._last_token += 1
        return self._last_token

    def restore(self, receipts: list[Receipt]) -> None:
        """Take up what an earlier run owed."""
        for receipt in receipts:
            self._last_token = max(self._last_token, receipt.token)
            self.owe(receipt, None)

    def owe(self, receipt: Receipt, taker: Taker | None) -> None:
        """Send this journaled receipt when it is due, to that session if it is still there."""
        self._owed[receipt.token] = receipt
        if taker is not None:
            self._wanted[receipt.token] = taker
        wait_ms = receipt.due_ms - self._clock.wall_ms()
        heappush(self._due, (self._now_ms() + wait_ms, receipt.token))
        self._set_timer()

    def at_once(self, receipt: Receipt, taker: Taker) -> bytes:
        """The PDU of a journaled receipt that goes out before its message is answered."""
        self._owed[receipt.token] = receipt
        self._wanted[receipt.token] = taker
        return self._pdu(receipt, taker.outbox, self._now_ms())

    def joined(self, taker: Taker) -> None:
        """A session takes receipts from now on; those that waited for one go there."""
        taker.outbox.open = True
        self._takers.append(taker)
        taker.outbox.ready.extend(self._homeless)
        self._homeless.clear()
        self.pump(taker)

    def left(self, taker: Taker) -> None:
        """A session is gone or answers no more; what it had goes to others."""
        outbox = taker.outbox
        if not outbox.open:
            return
        outbox.open = False
        self._takers.remove(taker)
        tokens = [token for token, _ in outbox.unanswered.values()]
        tokens += outbox.ready
        outbox.unanswered.clear()
        outbox.ready.clear()
        self._hand_out(tokens)

    def answered(self, taker: Taker, sequence: int, good: bool) -> Record | None:
        """What the client said of a receipt; the record that settles it, to be journaled.

        After the answers that came together, `pump` sends what now has room.
        """
        token, _ = taker.outbox.unanswered.pop(sequence, (0, 0))
        return self._settle(token) if good else self._again(token)

    def sweep(self) -> list[Record]:
        """Called now and then: repeats what was not answered in time, gives up what is too old."""
        now_ms, wall_ms = self._now_ms(), self._clock.wall_ms()
        records: list[Record] = []
        for taker in self._takers:
            unanswered = taker.outbox.unanswered
            while unanswered:
                sequence, (token, sent_ms) = next(iter(unanswered.items()))
                if now_ms - sent_ms < self._limits.receipt_repeat_ms:
                    break
                del unanswered[sequence]
                # It has waited its time already, so it is due now.
                records += filter(None, [self._again(token, wait_ms=0)])
            self.pump(taker)
        while self._owed:
            oldest = next(iter(self._owed.values()))
            if wall_ms - oldest.submitted_ms < self._limits.receipt_age_max_ms:
                break
            records += filter(None, [self._settle(oldest.token)])
        if len(self._homeless) > len(self._owed):
            self._homeless = deque(token for token in self._homeless if token in self._owed)
        return records

    def close(self) -> None:
        """Stop sending."""
        if self._timer is not None:
            self._timer.cancel()

    def _now_ms(self) -> int:
        return int(self._clock.boot() * 1000)

    def _settle(self, token: int) -> Record | None:
        self._tries.pop(token, None)
        self._wanted.pop(token, None)
        return Settled(token) if self._owed.pop(token, None) is not None else None

    def _again(self, token: int, wait_ms: int | None = None) -> Record | None:
        if token not in self._owed:
            return None
        if self._tries.get(token, 0) >= self._limits.receipt_tries_max:
            self._log.warning("receipt given up", tries=self._tries[token])
            return self._settle(token)
        wait_ms = self._limits.receipt_repeat_ms if wait_ms is None else wait_ms
        heappush(self._due, (self._now_ms() + wait_ms, token))
        self._set_timer()
        return None

    def _set_timer(self) -> None:
        due_ms = self._due[0][0]
        if self._timer is not None:
            if self._timer_ms <= due_ms:
                return
            self._timer.cancel()
        self._timer_ms = due_ms
        wait_ms = max(0, due_ms - self._now_ms()) + _TOGETHER_MS
        self._timer = self._loop.call_later(wait_ms / 1000, self._ring)

    def _ring(self) -> None:
        """Hand out everything that is due."""
        self._timer = None
        now_ms = self._now_ms()
        tokens = []
        while self._due and self._due[0][0] <= now_ms:
            tokens.append(heappop(self._due)[1])
        self._hand_out(tokens)
        if self._due:
            self._set_timer()

    def _hand_out(self, tokens: list[int]) -> None:
        touched: set[Taker] = set()
        for token in tokens:
            if token not in self._owed:
                continue
            taker = self._wanted.get(token)
            if taker is None or not taker.outbox.open:
                self._wanted.pop(token, None)
                if not self._takers:
                    self._homeless.append(token)
                    continue
                self._turn += 1
                taker = self._takers[self._turn % len(self._takers)]
            taker.outbox.ready.append(token)
            touched.add(taker)
        for taker in touched:
            self.pump(taker)

    def pump(self, taker: Taker) -> None:
        """Send what is ready and has room in the session's window."""
        outbox = taker.outbox
        if not outbox.ready:
            return
        now_ms = self._now_ms()
        pdus = []
        while outbox.ready and len(outbox.unanswered) < self._limits.receipt_window:
            receipt = self._owed.get(outbox.ready.popleft())
            if receipt is not None:
                pdus.append(self._pdu(receipt, outbox, now_ms))
        if pdus:
            taker.send(b"".join(pdus))

    def _pdu(self, receipt: Receipt, outbox: Outbox, now_ms: int) -> bytes:
        sequence = outbox.next_sequence()
        outbox.unanswered[sequence] = (receipt.token, now_ms)
        token = receipt.token
        self._tries[token] = self._tries.get(token, 0) + 1
        return receipt_pdu(sequence, receipt)
