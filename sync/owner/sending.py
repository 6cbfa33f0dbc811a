"""One send, from the offer to the end (PROTOCOL.md 6).

Offer → (the shell routes and holds a place) `intend` → the intent stands → `MakeCall` →
`settled` → the outcome stands → end, retry, or doubt. Nothing is decided on an effect before it
stands at quorum; nothing is called before its intent stands; the guard `may_call` is asked in the
turn of the first byte.
"""

from sync.doubt import Doubt, judge
from sync.lattice import DEFINITE_NO, RANK, join
from sync.naming import attempt_name, ids_elsewhere
from sync.owner.follow import escalates
from sync.owner.parking import Parking
from sync.owner.state import (
    LookElsewhere,
    MakeCall,
    Msg,
    Offer,
    Phase,
    ReadEventsAgain,
    Refused,
    Revive,
    WriteEffect,
)
from sync.records import EffectRecord, End, Intent, Outcome, Place, State

GIVING_LOOK_MS = 100  # how soon an end is tried again while its shard is given away
SEEK_AGAIN_MS = 1_000
SEEK_LONGEST_MS = 60_000
IDLE = (Phase.OFFERED, Phase.WAITING, Phase.REFUSED, Phase.STUCK)


class Sending(Parking):
    """The events of a send."""

    def offer(self, msg: Msg, now_ms: int) -> None:
        """Free to send: to the dispatcher, unless it is cancelled, expired or waits for later."""
        message = msg.message
        if message is None:
            msg.phase = Phase.STUCK
        elif msg.cancel and not msg.unsettled:
            self.end(msg, "canceled", "canceled", "canceled before it was sent", now_ms)
        elif now_ms >= message.expires_ms:
            self._expire(msg, now_ms)
        elif escalates(message, now_ms):
            self._pass_over(msg, now_ms)
        elif message.not_before_ms > now_ms:
            self._schedule(msg, message.not_before_ms, now_ms)
        elif msg.due_ms > now_ms:
            self.wait_until(msg, msg.due_ms)
        else:
            if msg.state == "scheduled":
                msg.state = "queued"
            others = self._others(msg) if self.homes_of is not None else None
            if others:
                msg.phase = Phase.SEEKING
                self.out.append(LookElsewhere(msg, others))
                return
            msg.phase = Phase.OFFERED
            msg.offered_ms = now_ms
            self.out.append(Offer(msg))

    def _others(self, msg: Msg) -> list[str]:
        """The ids under which it is to be looked for before its first intent."""
        if msg.alone or msg.effects or self.homes_of is None:
            return []
        return ids_elsewhere(msg.id, self.homes_of(msg))

    def intend(
        self,
        msg: Msg,
        account: str,
        provider_key: str,
        dedupe_ms: int,
        now_ms: int,
        note: bytes = b"",
    ) -> bool:
        """A place is held at an account: write the intent. False when nothing may be sent now."""
        shard = self.shards.get(msg.shard)
        message = msg.message
        if shard is None or shard.giving or msg.phase is not Phase.OFFERED or message is None:
            return False
        if self.msgs.get(msg.id) is not msg:
            return False  # its shard was lost, and perhaps taken again, since it was offered
        assert msg.accept is not None
        repeat = msg.repeat
        if msg.unsettled and (msg.cancel or (repeat is not None and self._stale(repeat, now_ms))):
            self.doubt(msg)
            return False
        if msg.cancel or now_ms >= message.expires_ms:
            self.offer(msg, now_ms)
            return False
        first_ms, resend = now_ms, 1 if msg.unsettled else 0
        if repeat is not None:
            assert provider_key == repeat.provider_key
            first_ms, resend = repeat.first_ms, repeat.resend
        intent = Intent(
            msg.id,
            msg.shard,
            shard.epoch,
            msg.accept,
            message.body_hash,
            account,
            provider_key,
            dedupe_ms,
            first_ms,
            message.at_most_once,
            message.expires_ms,
            resend,
            now_ms,
            tuple(msg.unsettled),
            note,
        )
        msg.phase, msg.intending = Phase.INTENT, intent
        msg.fixed = True
        self.out.append(WriteEffect(intent, message.urgent))
        return True

    def effect_stands(self, msg: Msg, place: Place, record: EffectRecord, now_ms: int) -> None:
        """An effect of the message stands at quorum: go on from it."""
        msg.effects.append((place, record))
        self.hold_effect(msg, place)
        if type(record) is Intent:
            attempt = attempt_name(place.log, place.row, place.index)
            msg.unsettled[attempt] = record
            msg.phase, msg.calling = Phase.CALLING, attempt
            msg.state = join(msg.state, "sending")
            self.out.append(MakeCall(msg, attempt, record))
        elif type(record) is Outcome:
            self._outcome_durable(msg, record, now_ms)
        else:
            self._end_durable(msg, now_ms)

    def may_call(self, msg: Msg, attempt: str, now_ms: int) -> bool:
        """The guard, beside the lease: still ours, not expired, not cancelled, not proved sent."""
        message = msg.message
        shard = self.shards.get(msg.shard)
        return (
            shard is not None
            and not shard.giving
            and msg.phase is Phase.CALLING
            and attempt in msg.unsettled
            and msg.unsettled[attempt].epoch == shard.epoch
            and not (msg.repeat is not None and self._stale(msg.repeat, now_ms))
            and message is not None
            and now_ms < message.expires_ms
            and not msg.cancel
            and RANK[msg.state] < RANK["sent"]
        )

    def _stale(self, repeat: Intent, now_ms: int) -> bool:
        """Whether the provider may have forgotten the key that was to be repeated."""
        return now_ms - repeat.first_ms >= repeat.dedupe_ms - self.limits.dedupe_margin_ms

    def settled(self, msg: Msg, outcome: Outcome) -> None:
        """The call was answered, or is known not to have been made: write that down."""
        if msg.phase is Phase.CALLING and outcome.attempt == msg.calling:
            msg.phase = Phase.SETTLING
        urgent = msg.message.urgent if msg.message else False
        self.out.append(WriteEffect(outcome, urgent))

    def later(self, msg: Msg, due_ms: int, now_ms: int) -> None:
        """Offer it again at `due_ms`: from memory when that is soon, else from the open set."""
        if msg.phase is not Phase.REFUSED or msg.shard not in self.shards:
            return  # another answer, or its end, came first
        msg.tries += 1
        msg.due_ms = due_ms
        if due_ms - now_ms >= self.limits.park_after_ms and msg.message is not None:
            self._park(msg)
        elif due_ms > now_ms:
            self.wait_until(msg, due_ms)
        else:
            self.again(msg, now_ms)

    def again(self, msg: Msg, now_ms: int) -> None:
        """Its time has come: what is in doubt is judged anew, the rest is free to send."""
        if msg.unsettled or RANK[msg.state] >= RANK["sent"]:
            self.doubt(msg)
        else:
            msg.repeat = None
            self.offer(msg, now_ms)

    def give_up(self, msg: Msg, state: State, reason: str, detail: str, now_ms: int) -> None:
        """The shell's verdict: it cannot be sent."""
        if msg.phase is not Phase.REFUSED:
            return
        if msg.unsettled:
            state, reason = "unknown", "in_doubt"
        self.end(msg, state, reason, detail, now_ms)

    def turn_away(self, msg: Msg, state: State, reason: str, detail: str, now_ms: int) -> None:
        """The dispatcher's verdict on a message that it was offered: it may not be sent."""
        if msg.phase is Phase.OFFERED and self.msgs.get(msg.id) is msg:
            msg.phase = Phase.REFUSED
            self.give_up(msg, state, reason, detail, now_ms)

    def end(self, msg: Msg, state: State, reason: str, detail: str, now_ms: int) -> None:
        """Write the end; it is told only once it stands."""
        if msg.phase in (Phase.ENDING, Phase.ENDED) or msg.shard not in self.shards:
            return
        if self.shards[msg.shard].giving:
            # Who has the shard next may have read what stands: it is theirs to end, or ours later.
            self.wait_until(msg, now_ms + GIVING_LOOK_MS)
            return
        msg.phase = Phase.ENDING
        msg.fixed = True
        epoch = self.shards[msg.shard].epoch
        body_hash = msg.message.body_hash if msg.message else msg.body_hash
        record = End(msg.id, msg.shard, epoch, msg.accept, body_hash, state, reason, detail, now_ms)
        self.out.append(WriteEffect(record, msg.message.urgent if msg.message else False))

    def expire_idle(self, msg: Msg, now_ms: int) -> None:
        """A message that is not under way: its own time may be over, or that of its channel."""
        assert msg.phase in IDLE
        if msg.phase is Phase.STUCK and msg.message is None:
            self.seek(msg, now_ms)
        if msg.phase is Phase.STUCK and RANK[msg.state] >= RANK["unknown"]:
            self.finish(msg, now_ms)
        elif self._over(msg, now_ms):
            self._expire(msg, now_ms)
        elif msg.message is not None and escalates(msg.message, now_ms):
            self._pass_over(msg, now_ms)

    def seek(self, msg: Msg, now_ms: int) -> None:
        """Its content is not at hand: read the row that has it, now and then, ever more seldom."""
        if msg.accept is None or msg.seeking is not None or now_ms < msg.seek_ms:
            return
        msg.sought_ms = msg.sought_ms or now_ms
        pause_ms = min(max(SEEK_AGAIN_MS, now_ms - msg.sought_ms), SEEK_LONGEST_MS)
        msg.seek_ms = now_ms + pause_ms
        msg.seeking = self.by_id_row(msg)
        self.out.append(Revive(msg.id, msg.seeking, [msg.accept]))

    # In doubt

    def doubt(self, msg: Msg) -> None:
        """It is in doubt: read its events once more before the verdict."""
        msg.phase = Phase.DOUBT
        self.out.append(ReadEventsAgain([msg.id]))

    def events_read(self, ids: list[str], now_ms: int) -> None:
        """The receipts and cancels of these messages are known: judge those in doubt."""
        for message_id in ids:
            msg = self.msgs.get(message_id)
            if msg is not None and msg.phase is Phase.DOUBT:
                self._judge(msg, now_ms)

    def _judge(self, msg: Msg, now_ms: int) -> None:
        if RANK[msg.state] >= RANK["unknown"]:
            self.finish(msg, now_ms, judged=True)
            return
        if not msg.unsettled:
            msg.repeat = None
            self.offer(msg, now_ms)
            return
        any_intent = next(iter(msg.unsettled.values()))
        shard = self.shards[msg.shard]
        if now_ms < shard.inherited_until_ms and any_intent.epoch < shard.epoch:
            self.wait_until(msg, shard.inherited_until_ms)  # the giver's call may be answered yet
            return
        verdict, msg.repeat = judge(
            Doubt(
                tuple(msg.unsettled.items()),
                now_ms,
                self.limits.dedupe_margin_ms,
                any_intent.expires_ms,
                msg.cancel,
                msg.message is not None,
            )
        )
        if verdict == "unknown":
            why = "the provider did not say whether it took the message"
            self.end(msg, "unknown", "in_doubt", why, now_ms)
        elif verdict == "wait":
            msg.phase = Phase.STUCK
        else:
            self.offer(msg, now_ms)

    # What stands

    def _outcome_durable(self, msg: Msg, outcome: Outcome, now_ms: int) -> None:
        if outcome.kind in DEFINITE_NO or outcome.kind == "accepted":
            msg.unsettled.pop(outcome.attempt, None)
        if msg.receipts:
            self.rejoin(msg)
        elif outcome.kind == "accepted":
            msg.state, msg.reason = join(msg.state, "sent"), ""
        if msg.phase is Phase.ENDED:
            self.touch(msg)
            self.tell(msg)
            return
        if msg.phase is Phase.LOOKUP:
            return  # its other records are being read; it is judged with all of them
        if RANK[msg.state] >= RANK["sent"]:
            self.finish(msg, now_ms)
        elif msg.phase is not Phase.SETTLING or outcome.attempt != msg.calling:
            return  # a late answer to an earlier call; the call that counts is still to be settled
        elif outcome.kind == "unknown":
            self.doubt(msg)
        elif outcome.kind in ("withdrawn", "not_sent") and (msg.cancel or self._over(msg, now_ms)):
            self.again(msg, now_ms)
        else:
            msg.phase = Phase.REFUSED
            self.out.append(Refused(msg, outcome))

    def _end_durable(self, msg: Msg, now_ms: int) -> None:
        self.rejoin(msg)
        if msg.phase is Phase.ENDED:
            self.touch(msg)  # proved sent while its end was being written
        else:
            self.finish(msg, now_ms)

    @staticmethod
    def _over(msg: Msg, now_ms: int) -> bool:
        if msg.message is not None and now_ms >= msg.message.expires_ms:
            return True
        return any(type(r) is Intent and now_ms >= r.expires_ms for _, r in msg.effects)

    def _expire(self, msg: Msg, now_ms: int) -> None:
        if msg.unsettled:
            why = "it expired while it was not known whether the provider took it"
            self.end(msg, "unknown", "in_doubt", why, now_ms)
        else:
            why = "its time was over before a provider took it"
            why += f" ({msg.why})" if msg.why else ""
            self.end(msg, "expired", "expired", why, now_ms)

    # Later, and after it

    def _schedule(self, msg: Msg, not_before_ms: int, now_ms: int) -> None:
        """Its time is still to come."""
        msg.state = join(msg.state, "scheduled")
        msg.due_ms = max(msg.due_ms, not_before_ms)
        if msg.due_ms - now_ms >= self.limits.park_after_ms:
            self._park(msg)
        else:
            self.wait_until(msg, msg.due_ms)

    def _pass_over(self, msg: Msg, now_ms: int) -> None:
        """The next channel's turn has come, and this message was not sent."""
        if msg.unsettled:
            why = "it was not known whether the provider took it when the next channel's turn came"
            self.end(msg, "unknown", "in_doubt", why, now_ms)
        else:
            why = "it was not sent when the next channel's turn came"
            why += f" ({msg.why})" if msg.why else ""
            self.end(msg, "skipped", "escalated", why, now_ms)

    def followed(self, msg: Msg, now_ms: int) -> None:
        """The next message of its chain stands: this one may end."""
        if msg.phase is Phase.FOLLOWING and self.msgs.get(msg.id) is msg:
            msg.followed = True
            self.finish(msg, now_ms)
