"""What is told of messages: numbers and log lines, once something stands."""

from collections.abc import Callable

from core.contract.log import Log
from core.engine.accounts import Account
from core.engine.dispatch import Dispatcher
from core.engine.payload import decode_payload
from core.obs.metrics import CoreMetrics, Count
from sync.owner.owner import Owner
from sync.owner.state import Msg


class Told:
    """Counts and logs. Recipients stand in lines as hashes only."""

    def __init__(
        self,
        metrics: CoreMetrics,
        log: Log,
        owner: Owner,
        dispatcher: Dispatcher,
        accounts: dict[str, Account],
    ) -> None:
        self._metrics = metrics
        self._log = log
        self._owner = owner
        self._dispatcher = dispatcher
        self._accounts = accounts
        self._accepted: dict[tuple[str, str], Count] = {}

    def gauges(self, lease_left_s: Callable[[], float], free_bytes: Callable[[], int]) -> None:
        """Numbers that are read when they are asked for."""
        metrics, owner, dispatcher = self._metrics, self._owner, self._dispatcher
        metrics.open_messages.read(lambda: owner.open_count)
        metrics.waiting_messages.read(lambda: dispatcher.waiting)
        metrics.in_doubt.read(lambda: sum(1 for m in owner.msgs.values() if m.doubtful))
        metrics.shards_owned.read(lambda: len(owner.shards))
        metrics.lease_left_ms.read(lambda: max(0.0, lease_left_s()) * 1000)
        metrics.disk_free_bytes.read(free_bytes)

    def accepted(self, channel: str, message_class: str) -> None:
        """A message stands in a log."""
        key = (channel, message_class)
        count = self._accepted.get(key)
        if count is None:
            count = self._accepted[key] = self._metrics.accepted.of(*key)
        count.add()

    def changed(self, msg: Msg) -> None:
        """A message reached a state that may be told."""
        if msg.message is None:
            return
        payload = decode_payload(msg.message.payload)
        self._metrics.ended.of(payload.channel, msg.state, msg.reason).add()
        self._log.info(
            msg.state,
            message=msg.id,
            trace=payload.trace,
            tenant=payload.tenant,
            recipient=self._log.hashed(payload.to),
            reason=msg.reason,
        )
