"""What an owner adds to the views: a row for each message whose status changed since its last.

`gather` is asked in each flush, before the by-id rows of the same messages are written; `opened`
now and then, for messages that stay open longer than a moment. The rows of one flush are one
segment for each partition and kind. A segment once gathered must be written until it stands: its
messages are not told again. What a new owner writes again is left out by readers.
"""

import asyncio
from collections.abc import Callable, Iterable

from core.engine.payload import content_of, mark_viewed, viewed_as
from core.views.segments import (
    DAY_MS,
    EVENT,
    HOUR_MS,
    OPEN,
    Row,
    bucket_of,
    encode_rows,
    kind_of,
    list_part,
    recipient_hash,
    recipient_part,
    settled_as,
)
from sync.owner.state import Msg
from sync.store.port import PutViews, ViewRow, Write

OPENED_AT_ONCE_MAX = 1_000
LOOKED_AT_ONCE = 500
PAUSE_S = 0.02


class Views:
    """See the module's docstring. `writer` is this incarnation: nobody else writes as it."""

    def __init__(self, writer: str, wall_ms: Callable[[], int], open_after_ms: int) -> None:
        self._writer = writer
        self._wall_ms = wall_ms
        self._open_after_ms = open_after_ms
        self._seq = 0

    def gather(self, msgs: Iterable[Msg]) -> list[ViewRow]:
        """Segments for those of these messages that stand otherwise, or not yet, in the views."""
        lists: dict[tuple[str, str, str], list[Row]] = {}
        recipients: dict[tuple[str, int], list[Row]] = {}
        for msg in msgs:
            status = settled_as(msg.state)
            message = msg.message
            if message is None or viewed_as(msg) == status:
                continue
            if status == OPEN and msg.bucket >= 0:
                continue  # it came from the open set, and was told when it was put there
            payload = content_of(msg)
            mark_viewed(msg, payload, status)
            channel = payload.channel if payload.kind != EVENT else EVENT
            hashed = recipient_hash(payload.tenant, payload.to)
            row = Row(
                msg.id,
                channel,
                status_of(msg),
                msg.reason,
                payload.message_class,
                message.accepted_ms,
                hashed,
                msg.possible_duplicate,
            )
            lists.setdefault((payload.tenant, channel, status), []).append(row)
            recipients.setdefault((payload.tenant, bucket_of(hashed)), []).append(row)
        return self._segments(lists, recipients) if lists else []

    def writes_of(self, msgs: Iterable[Msg]) -> list[PutViews]:
        """The same as writes to the store, none where nothing changed."""
        rows = self.gather(msgs)
        return [PutViews(rows)] if rows else []

    def opened(self, msgs: Iterable[Msg]) -> list[ViewRow]:
        """Segments for messages that are open for a while and not in the views; a slice of them.

        `msgs` are all in memory, oldest first: what does not fit comes with the next call. One that
        has its end, and waits for what follows, is viewed with its by-id row, which comes behind.
        """
        before_ms = self._wall_ms() - self._open_after_ms
        found: list[Msg] = []
        for msg in msgs:
            known = msg.content
            if known is not None and len(known) > 2:
                continue
            message = msg.message
            if message is None or msg.bucket >= 0 or message.accepted_ms > before_ms:
                continue
            if settled_as(msg.state) != OPEN:
                continue
            found.append(msg)
            if len(found) == OPENED_AT_ONCE_MAX:
                break
        return self.gather(found)

    def _segments(
        self,
        lists: dict[tuple[str, str, str], list[Row]],
        recipients: dict[tuple[str, int], list[Row]],
    ) -> list[ViewRow]:
        at_ms = self._wall_ms()
        hour, day, seq = at_ms // HOUR_MS, at_ms // DAY_MS, self._seq
        rows: list[ViewRow] = []
        for (tenant, channel, status), found in lists.items():
            seq += 1
            part, kind = list_part(tenant, hour), kind_of(channel, status)
            rows.append(ViewRow(part, kind, at_ms, self._writer, seq, encode_rows(found)))
        for (tenant, bucket), found in recipients.items():
            seq += 1
            part = recipient_part(tenant, bucket, day)
            rows.append(ViewRow(part, "", at_ms, self._writer, seq, encode_rows(found)))
        self._seq = seq
        return rows


async def list_open_forever(
    views: Views,
    open_msgs: Callable[[], Iterable[Msg]],
    put: Callable[[Write, Callable[[], None]], None],
    every_s: float,
) -> None:
    """Write views of what stays open, a slice each time, until cancelled."""
    while True:
        await asyncio.sleep(every_s)
        msgs = list(open_msgs())
        for at in range(0, len(msgs), LOOKED_AT_ONCE):
            rows = views.opened(msgs[at : at + LOOKED_AT_ONCE])
            if rows:
                put(PutViews(rows), lambda: None)
            await asyncio.sleep(PAUSE_S)  # a great many must not hold up what comes meanwhile


def status_of(msg: Msg) -> str:
    """The status of a message in memory as the API shows it."""
    if msg.state in ("accepted", "scheduled") and (msg.why or msg.effects or msg.receipts):
        return "queued"
    return msg.state
