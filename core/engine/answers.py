"""What providers answered: taken to the owner, and what follows a definite no.

An answer is told (`on_answer`) when it comes; the owner goes on from it only once it stands.
"""

from collections.abc import Callable
from random import Random

from core.clock import Clock
from core.decide.retry import Rules, after_refusal, rules_of
from core.engine.accounts import Account
from core.engine.dispatch import Dispatcher
from core.engine.logs import Logs
from core.engine.payload import content_of
from core.engine.receipts import Receipts
from core.providers.port import Outcome as WireOutcome
from sync.owner.owner import Owner
from sync.owner.state import Msg, Refused
from sync.records import Outcome


class Answers:
    """See the module's docstring. `drain` carries out what the owner then says."""

    def __init__(
        self,
        owner: Owner,
        logs: Logs,
        dispatcher: Dispatcher,
        receipts: Receipts,
        rules: Rules,
        clock: Clock,
        random: Random,
        drain: Callable[[], None],
    ) -> None:
        self._owner = owner
        self._logs = logs
        self._dispatcher = dispatcher
        self._receipts = receipts
        self._rules = rules
        self._clock = clock
        self._random = random
        self._drain = drain
        self.retries = 0
        self.on_answer: Callable[[Account, WireOutcome, bool], None] = lambda *_: None

    def outcome(self, msg: Msg, attempt: str, account: Account, outcome: WireOutcome) -> None:
        """The call of a message in memory was answered, or was never made."""
        record = self._record(msg.id, msg.shard, attempt, outcome)
        self.on_answer(account, outcome, msg.possible_duplicate)
        if outcome.kind == "accepted" and outcome.provider_id and account.has_receipts:
            self._receipts.sent(account.id, outcome.provider_id, attempt, msg.id, msg.shard)
        if outcome.kind == "throttled":
            msg.due_ms = self._clock.wall_ms() + outcome.wait_ms
        self._owner.settled(msg, record)
        self._drain()

    def late(
        self, message_id: str, shard: int, attempt: str, account: str, outcome: WireOutcome
    ) -> None:
        """An answer that came after its time-out was told, whether or not it is in memory."""
        if outcome.kind == "unknown":
            return
        if outcome.kind == "accepted" and outcome.provider_id:
            self._receipts.sent(account, outcome.provider_id, attempt, message_id, shard)
        record = self._record(message_id, shard, attempt, outcome)
        msg = self._owner.find(message_id)
        if msg is not None:
            self._owner.settled(msg, record)
            self._drain()
        else:
            self._logs.effect(record, self._owner.home, False)

    def refused(self, command: Refused) -> None:
        """A definite no stands: try again, elsewhere, later, or give up."""
        msg, outcome = command.msg, command.outcome
        if msg.message is None:
            return
        now_ms = self._clock.wall_ms()
        account = msg.account_of(outcome.attempt)
        payload = content_of(msg)
        others = outcome.kind not in ("withdrawn", "not_sent") and self._dispatcher.others(
            msg, payload, account
        )
        wait_ms = max(0, msg.due_ms - now_ms)
        chance = self._random.random()
        rules = rules_of(payload.channel, payload.kind, self._rules)
        what = after_refusal(outcome.kind, msg.tries, wait_ms, others, rules, chance)
        if what.what == "end":
            detail = outcome.detail or outcome.code
            self._owner.give_up(msg, what.state, what.reason, detail, now_ms)
        else:
            self.retries += 1
            if what.wait_ms >= self._owner.limits.park_after_ms:
                self._dispatcher.forget(msg)
            self._owner.later(msg, now_ms + what.wait_ms, now_ms)

    def _record(self, message_id: str, shard: int, attempt: str, outcome: WireOutcome) -> Outcome:
        return Outcome(
            message_id,
            shard,
            attempt,
            outcome.kind,
            outcome.provider_id,
            outcome.code,
            outcome.detail,
            self._clock.wall_ms(),
        )
