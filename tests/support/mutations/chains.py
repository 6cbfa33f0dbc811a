"""Receipts and what follows a message without one of their rules (PROTOCOL.md 6 and 8)."""

from contextlib import AbstractContextManager

from core.engine.receipts import Receipts
from core.providers.port import ReceiptIn
from sync.owner import book, follow
from sync.owner.follow import FollowUp, Reached
from sync.owner.follow import follow_up as judged
from sync.owner.owner import Owner
from sync.owner.state import Follow, Msg, Phase
from sync.records import Message
from tests.support.mutations import Mutation, patched

Context = AbstractContextManager[None]


def outcome_without_segment() -> Context:
    """By-id rows of what ended do not wait for the provider ids that are being written."""

    async def free(self: Receipts) -> None:
        gathered, self._unwritten = self._unwritten, {}
        for account, ids in gathered.items():
            self._spawn(self._write_group(account, ids))

    return patched((Receipts, "write_down", free))


def acknowledged_before_the_look() -> Context:
    """A receipt that matches nothing yet is acknowledged before the outcomes are looked at."""
    look_back = Receipts._look_back

    async def ack_first(self: Receipts, account: str) -> None:
        for receipts in self._waiting[account].values():
            for _, receipt in receipts:
                receipt.ack()
                receipt.ack = receipt.nack = lambda: None
        await look_back(self, account)

    return patched((Receipts, "_look_back", ack_first))


def receipt_acknowledged_before_it_stands() -> Context:
    """A receipt is acknowledged when it comes in, not when its row stands."""
    received = Receipts.received

    def ack_first(self: Receipts, account: str, receipt: ReceiptIn) -> None:
        receipt.ack()
        receipt.ack = receipt.nack = lambda: None
        received(self, account, receipt)

    return patched((Receipts, "received", ack_first))


def escalated_without_reading() -> Context:
    """The next channel's turn comes without a look at the evidence that stands."""

    def unread(self: book.Book, msg: Msg, _: bool) -> None:
        msg.phase = Phase.FOLLOWING
        self.out.append(Follow(msg))

    def again(self: Owner, msg: Msg, now_ms: int) -> None:
        if msg.unsettled:
            self.doubt(msg)
        elif msg.phase is Phase.AWAITING:
            self.finish(msg, now_ms)
        else:
            msg.repeat = None
            self.offer(msg, now_ms)

    return patched((book.Book, "_follow", unread), (Owner, "again", again))


def chain_forgotten() -> Context:
    """Nothing follows a message that ended without having been sent."""
    return patched((follow, "_NO_SEND", frozenset()))


def canceled_chain_goes_on() -> Context:
    """Another message follows one that was cancelled."""

    def blind(message: Message, facts: Reached, _: bool, now_ms: int) -> FollowUp:
        return judged(message, facts, False, now_ms)

    return patched((book, "follow_up", blind))


def chain_stops_at_silence() -> Context:
    """Nobody looks after a message for which evidence is waited."""

    def forget(self: book.Book, msg: Msg, now_ms: int) -> None:
        self._finish(msg, now_ms)

    return patched((book.Book, "_await_evidence", forget))


def awaiting_not_looked_after() -> Context:
    """A wait for evidence that is not over soon is left to the open set, wherever it is."""
    return patched((Owner, "_await_elsewhere", lambda *_: None))


CHAINS = (
    Mutation("outcome_without_segment", "8", "swarm", outcome_without_segment),
    Mutation(
        "receipt_acknowledged_before_it_stands",
        "8",
        "chains",
        receipt_acknowledged_before_it_stands,
    ),
    Mutation("acknowledged_before_the_look", "8", "swarm", acknowledged_before_the_look),
    Mutation("escalated_without_reading", "8", "chains", escalated_without_reading),
    Mutation("chain_forgotten", "6", "chains", chain_forgotten),
    Mutation("canceled_chain_goes_on", "8", "chains", canceled_chain_goes_on),
    Mutation("chain_stops_at_silence", "6", "swarm", chain_stops_at_silence),
    Mutation("awaiting_not_looked_after", "6", "swarm", awaiting_not_looked_after),
)
