"""What is told of messages: numbers and log lines, once something stands."""

from collections.abc import Callable, Sequence

from core.contract.log import Log
from core.decide.fair import LANES
from core.engine.accounts import Account
from core.engine.dispatch import Dispatcher
from core.engine.payload import content_of
from core.obs.metrics import CoreMetrics
from core.providers.port import Outcome
from sync.owner.owner import Owner
from sync.owner.state import Msg

CIRCUIT = {"closed": 0, "half_open": 1, "open": 2}


class Told:
    """Counts and logs. Recipients stand in lines as hashes only."""

    def __init__(
        self,
        metrics: CoreMetrics,
        log: Log,
        owners: Sequence[Owner],
        dispatcher: Dispatcher,
        accounts: dict[str, Account],
    ) -> None:
        self._metrics = metrics
        self._log = log
        self._owners = owners
        self._dispatcher = dispatcher
        self._accounts = accounts

    def gauges(self, lease_left_s: Callable[[], float], free_bytes: Callable[[], int]) -> None:
        """Numbers that are read when they are asked for."""
        metrics, owners, dispatcher = self._metrics, self._owners, self._dispatcher
        metrics.open_messages.read(lambda: sum(owner.open_count for owner in owners))
        for lane, name in enumerate(LANES):
            metrics.waiting_messages.read(lambda at=lane: dispatcher.waiting_in(at), name)  # type: ignore[misc]
        metrics.in_doubt.read(lambda: sum(1 for o in owners for m in o.msgs.values() if m.doubtful))
        metrics.shards_owned.read(lambda: sum(len(owner.shards) for owner in owners))
        metrics.lease_left_ms.read(lambda: max(0.0, lease_left_s()) * 1000)
        metrics.disk_free_bytes.read(free_bytes)

    def accepted(self, channel: str, message_class: str) -> None:
        """A message stands in a log."""
        self._metrics.accepted.of(channel, message_class).add()

    def refused(self, code: str) -> None:
        """A request was refused."""
        self._metrics.refused.of(code).add()

    def answered(self, account: Account, outcome: Outcome, again: bool) -> None:
        """A provider answered, or is known not to have been asked."""
        self._metrics.attempts.of(account.id, outcome.kind).add()
        if again:
            self._metrics.possible_duplicates.of(account.id).add()

    def receipt(self, account: str, status: str) -> None:
        """A receipt came in."""
        self._metrics.receipts.of(account, status).add()

    def durable(self, log: str, records: int) -> None:
        """A row stands."""
        kind, _, lane, _, _ = log.split(".")
        self._metrics.log_rows.of(f"{kind}.{lane}").add()
        self._metrics.log_records.of(f"{kind}.{lane}").add(records)

    def accounts_changed(self) -> None:
        """Accounts came or went: show each one's state."""
        for account_id, account in self._accounts.items():
            self._metrics.calls_running.read(lambda a=account: a.in_flight, account_id)  # type: ignore[misc]
            self._metrics.account_up.read(lambda a=account: a.state == "up", account_id)  # type: ignore[misc]
            self._metrics.circuit.read(lambda a=account: CIRCUIT[a.circuit], account_id)  # type: ignore[misc]

    def changed(self, msg: Msg) -> None:
        """A message reached a state that may be told."""
        if msg.message is None:
            return
        payload = content_of(msg)
        self._metrics.ended.of(payload.channel, msg.state, msg.reason).add()
        self._log.info(
            msg.state,
            message=msg.id,
            trace=payload.trace,
            tenant=payload.tenant,
            recipient=self._log.hashed(payload.to),
            reason=msg.reason,
        )
