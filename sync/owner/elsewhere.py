"""The same key under other homes, where several versions of the placement map are kept.

Before its first intent a keyed message is looked for under the homes that the other versions give
it; its own by-id row stands by then. So of two owners at once one sees the other. Whoever sees one
that has an end gives way to it. Of two without an end the one whose home comes later in the
alphabet gives way, ends, and its by-id row says so; the other waits until it does, or has another
end. So only the earlier one ever waits, and nobody for somebody who waits for them.

An intent that stands says that its message was looked for already. Whoever looks later sees it.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from sync.lattice import RANK
from sync.naming import home_of
from sync.owner.inherited import Inherited
from sync.owner.state import GAVE_WAY, OTHER_BODY, Msg, Phase
from sync.records import ById, decode_by_id
from sync.store.port import ByIdRow

LOOK_AGAIN_MS = 500


class Verdict(NamedTuple):
    """What to do, and because of which other id."""

    then: Literal["free", "wait", "give_way"]
    other: str = ""


def verdict(home: str, rows: Mapping[str, ById]) -> Verdict:
    """What follows for a message of this home from the by-id rows of its key elsewhere.

    A row that only keeps what came early is of no message, and one that gave way goes nowhere.
    """
    found = Verdict("free")
    for other, row in sorted(rows.items()):
        if row.gave_way or not (row.ended or row.accept or row.effects):
            continue
        if row.ended or home_of(other) < home:
            return Verdict("give_way", other)
        found = Verdict("wait", other)
    return found


class Elsewhere(Inherited):
    """The answers to `LookElsewhere`."""

    def found_elsewhere(self, msg: Msg, found: Mapping[str, ByIdRow], now_ms: int) -> None:
        """The by-id rows of its key under other homes, as far as there are any."""
        if msg.phase is not Phase.SEEKING or self.msgs.get(msg.id) is not msg:
            return
        rows = {other: decode_by_id(row.body) for other, row in found.items()}
        said = verdict(self.home, rows)
        if msg.unsettled or RANK[msg.state] >= RANK["sent"]:
            self.doubt(msg)  # late answers to a former owner's calls came in meanwhile
        elif said.then == "wait":
            self.wait_until(msg, now_ms + LOOK_AGAIN_MS)
        elif said.then == "give_way":
            self._give_way(msg, said.other, rows[said.other], now_ms)
        else:
            msg.alone = True
            self.offer(msg, now_ms)

    def _give_way(self, msg: Msg, other: str, row: ById, now_ms: int) -> None:
        assert msg.message is not None
        same = not row.body_hash or row.body_hash == msg.message.body_hash
        if same:
            why = f"{other} was accepted with the same idempotency key, and goes on"
        else:
            why = f"{other} was accepted with the same idempotency key for another request"
        self.end(msg, "canceled", GAVE_WAY if same else OTHER_BODY, why, now_ms)
