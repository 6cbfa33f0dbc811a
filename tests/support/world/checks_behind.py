"""What is written behind the logs: an event of each state, a row of the views, and nothing sent to
whom is suppressed. Each raises `ViolationError` with its own name."""

from core.contract.ids import mint_derived
from core.views.segments import decode_rows
from sync.naming import attempt_name
from sync.records import Intent, Message, Outcome, Place, Receipt, Record, State
from tests.support.world.behind import ENDPOINT
from tests.support.world.history import FirstByte, History, ViolationError
from tests.support.world.plan import HOME
from tests.support.world.store import SimStore

Records = list[tuple[Place, Record]]


def not_suppressed(
    call: FirstByte, effects: Records, history: History, start_ms: int, skew_ms: int
) -> None:
    """The intent of a call came before its recipient was suppressed."""
    since = history.suppressed.get(call.id)
    if since is None:
        return
    for place, record in effects:
        name = attempt_name(place.log, place.row, place.index)
        if type(record) is Intent and name == call.attempt:
            if record.at_ms > start_ms + int(since * 1000) + skew_ms:
                raise ViolationError("sent_suppressed", f"{call.id}: {record}, suppressed {since}")
            return


def events_told(message_id: str, state: State, records: Records, accepts: Records) -> None:
    """An event of each thing that its records say, as far as they were written down."""
    shard = int(message_id.partition("-")[2][1:4], 16)
    wanted = {f"message.{state}"}
    for _, record in records:
        if type(record) is Receipt or (type(record) is Outcome and record.kind == "accepted"):
            wanted.add("message.sent")
        if type(record) is Receipt and record.status == "seen":
            wanted.add("message.seen")
    stand = {record.id for _, record in accepts if type(record) is Message}
    for kind in sorted(wanted):
        event = mint_derived(HOME, shard, b"event", message_id, ENDPOINT.id, kind)
        if event not in stand:
            raise ViolationError("event_lost", f"{message_id} is {state}, nobody was told {kind}")


def viewed(store: SimStore) -> dict[str, set[str]]:
    """The statuses with which each message stands in its tenant's lists."""
    found: dict[str, set[str]] = {}
    for part, rows in store.tables.view_rows.items():
        for segment in rows.values() if part.startswith("t/") else ():
            for row in decode_rows(segment.body):
                found.setdefault(row.id, set()).add(row.status)
    return found
