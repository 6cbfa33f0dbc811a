"""The sandbox's SMSC: what becomes of each message, by the behaviour it was told.

Order of things for a message: decide, write its entry (and the receipts owed, and the part of a
long message) to the operating system, then answer. A refusal has no effect. A reset or a hang comes
after the effect and takes the connection with it. If the disk takes no more, the connection is
reset: who is not told has to be in doubt.
"""

import asyncio
from random import Random

from core.clock import Clock
from core.contract.log import Log
from core.contract.times import rfc3339
from core.providers.smpp.codec import Pdu, submit_sm_resp
from core.providers.smpp.fields import PduError
from core.sandbox.behaviour import (
    Behaviour,
    RefuseAs,
    draw_after,
    draw_latency_ms,
    draw_receipts,
    draw_refusal,
    write_id,
)
from core.sandbox.gate import Gate
from core.sandbox.history import Entry, History
from core.sandbox.journal import Journal, MessageClosed, PartTaken, Receipt, Record
from core.sandbox.limits import SandboxLimits
from core.sandbox.parts import Joined, Parts
from core.sandbox.receipt_pdu import head_of
from core.sandbox.receipts import ReceiptDesk
from core.sandbox.smsc_session import SmscSession, Turn
from core.sandbox.submission import Submission, read_submission

PROVIDER = "sandbox-smsc"
WIRE = "smpp"

OK = 0x00
INVALID_MESSAGE_LENGTH = 0x01
INVALID_DESTINATION = 0x0B
QUEUE_FULL = 0x14
REFUSALS: dict[RefuseAs, int] = {
    "throttled": 0x58,
    "temporary": 0x64,
    "permanent": 0x65,
    "invalid_target": INVALID_DESTINATION,
    "account": 0x0A,
}

_WANTS_FAILURES_ONLY = 2
_SWEEPS_IN_A_REPEAT = 4


class Smsc:
    """What all sessions of the SMSC share."""

    def __init__(
        self,
        history: History,
        journal: Journal,
        limits: SandboxLimits,
        clock: Clock,
        random: Random,
        log: Log,
    ) -> None:
        self.limits = limits
        self.behaviour = Behaviour()
        self.desk = ReceiptDesk(journal, limits, clock, log)
        self._history = history
        self._journal = journal
        self._clock = clock
        self._random = random
        self._log = log
        self._parts = Parts(limits.parts_messages_max, limits.parts_bytes_max, limits.parts_wait_ms)
        self._last_id = 0
        receipts, parts = journal.load()
        self._parts.restore(parts)
        self.desk.restore(receipts)
        journal.alive = lambda: [*self._parts.alive(), *self.desk.owed()]
        journal.renew()
        self._sweep_s = limits.receipt_repeat_ms / 1000 / _SWEEPS_IN_A_REPEAT
        self._timer = asyncio.get_running_loop().call_later(self._sweep_s, self._sweep)

    def session(self, gate: Gate) -> SmscSession:
        """A new connection."""
        return SmscSession(gate, self)

    def close(self) -> None:
        """Stop repeating receipts; what is owed stays in the journal."""
        self._timer.cancel()
        self.desk.close()

    def submitted(self, pdu: Pdu, turn: Turn) -> None:
        """Decide about one submit_sm."""
        now_ms = self._clock.wall_ms()
        try:
            message = read_submission(pdu.body)
        except PduError:
            turn.answers.append(submit_sm_resp(pdu.sequence, INVALID_MESSAGE_LENGTH))
            self._enter(now_ms, Joined("", "", "", None, False), turn)
            return
        status = self._status(message)
        self._note(message, now_ms, status == OK, turn)
        latency_ms = draw_latency_ms(self.behaviour, self._random)
        shown_id = ""
        if status == OK:
            shown_id, receipt_id = self._new_id()
            if message.wants:
                self._plan_receipts(message, receipt_id, now_ms, int(latency_ms), turn)
        answer = submit_sm_resp(pdu.sequence, status, shown_id)
        if latency_ms:
            turn.late.append((latency_ms, answer))
        else:
            turn.answers.append(answer)

    def write(self, turn: Turn) -> bool:
        """Hand entries and records to the operating system; False if it takes no more."""
        try:
            if turn.entries:
                self._history.append(turn.entries)
            if turn.records:
                self._journal.append(turn.records)
        except OSError as error:
            self._log.error("sandbox cannot write", error=error.strerror or str(error))
            return False
        return True

    def _status(self, message: Submission) -> int:
        if not message.valid:
            return INVALID_DESTINATION
        if message.wants and self.desk.full:
            return QUEUE_FULL
        refused = draw_refusal(self.behaviour, self._random)
        return REFUSALS[refused] if refused else OK

    def _note(self, message: Submission, now_ms: int, accepted: bool, turn: Turn) -> None:
        """The message's entry, or of a part what has to be kept until the message is whole."""
        concat = message.concat
        if concat is None:
            joined = Joined("", message.to, message.text, message.ref, accepted)
            self._enter(now_ms, joined, turn)
            return
        part = PartTaken(
            message.key(concat),
            concat.total,
            concat.part,
            message.data_coding,
            message.octets,
            message.to,
            message.ref,
            now_ms,
        )
        whole = self._parts.add(part, accepted)
        if whole is not None:
            self._enter(now_ms, whole, turn)
            if whole.accepted:
                turn.records.append(MessageClosed(part.key))
        elif accepted:
            turn.records.append(part)
        if self._parts.crowded:
            self._give_up_parts(now_ms, turn)

    def _enter(self, now_ms: int, message: Joined, turn: Turn) -> None:
        outcome = "refused"
        if message.accepted:
            outcome = turn.after = draw_after(self.behaviour, self._random)
        turn.entries.append(self._entry(now_ms, message, outcome, message.accepted))

    def _entry(self, now_ms: int, message: Joined, outcome: str, effective: bool) -> Entry:
        return Entry(
            rfc3339(now_ms),
            PROVIDER,
            WIRE,
            message.to,
            message.text,
            outcome,
            effective,
            message.ref,
        )

    def _new_id(self) -> tuple[str, str]:
        # Times as numbers: they never come again, not even after a restart.
        self._last_id = max(self._last_id + 1, self._clock.wall_us())
        return write_id(self._last_id, self.behaviour.id_notation)

    def _plan_receipts(
        self, message: Submission, receipt_id: str, now_ms: int, latency_ms: int, turn: Turn
    ) -> None:
        plan = draw_receipts(self.behaviour, self._random)
        if message.wants == _WANTS_FAILURES_ONLY and not plan.failed:
            return
        due_ms = now_ms + latency_ms + self.behaviour.receipt.delay_ms
        for number in range(plan.early + plan.later):
            early = number < plan.early
            receipt = Receipt(
                self.desk.new_token(),
                now_ms if early else due_ms,
                now_ms,
                receipt_id,
                plan.failed,
                message.sender,
                message.recipient,
                head_of(message.text),
            )
            turn.records.append(receipt)
            if early:
                turn.answers.append(receipt)
            else:
                turn.later.append(receipt)

    def _give_up_parts(self, now_ms: int, turn: Turn) -> None:
        keys, untold = self._parts.expired(now_ms)
        turn.records += map(MessageClosed, keys)
        turn.entries += [self._entry(now_ms, message, "incomplete", False) for message in untold]

    def _sweep(self) -> None:
        """Now and then: repeat receipts, give up what is too old."""
        turn = Turn()
        records: list[Record] = self.desk.sweep()
        turn.records += records
        self._give_up_parts(self._clock.wall_ms(), turn)
        self.write(turn)
        self._timer = asyncio.get_running_loop().call_later(self._sweep_s, self._sweep)
