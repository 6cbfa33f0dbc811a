"""Finding a message by id: the owner's memory first, then its by-id row and what it points to.

What this core accepted lately is found even before its owner has read it. A message that another
core accepted a moment ago may be known to nobody yet: the answer is None then, and the API says
`not_yet_visible` for an id that is young.
"""

from collections import OrderedDict
from collections.abc import Callable

from core.engine.reading import Reading
from core.messages.view import Facts
from sync.lattice import join
from sync.owner.state import Msg, Phase
from sync.records import ById, Message, Place, Record, decode_by_id
from sync.store.port import JournalStore


class Accepted:
    """Where this core wrote what it accepted lately, for those who ask before the owner read it."""

    def __init__(self, places_max: int) -> None:
        self._places_max = places_max
        self._places: OrderedDict[str, tuple[str, int, int]] = OrderedDict()

    def row(self, log: str, row: int, records: list[Record]) -> None:
        """A row of an own accept log stands."""
        places = self._places
        for index, record in enumerate(records):
            if type(record) is Message:
                places[record.id] = (log, row, index)
        while len(places) > self._places_max:
            places.popitem(last=False)

    def place(self, message_id: str) -> Place | None:
        """The place of the message, if it is remembered."""
        found = self._places.get(message_id)
        return None if found is None else Place(*found)


class Reader:
    """Reads what this core knows and what the store has. `find` answers from the owners' memory."""

    def __init__(
        self,
        find: Callable[[str], Msg | None],
        reading: Reading,
        store: JournalStore,
        accepted: Accepted,
        lease_left_s: Callable[[], float],
    ) -> None:
        self._lease_left_s = lease_left_s
        self._find = find
        self._reading = reading
        self._store = store
        self._accepted = accepted

    async def find(self, message_id: str) -> Facts | None:
        """What is known of the message; raises StoreError."""
        msg = self._find(message_id)
        # An end is told only by an owner whose lease is still valid; without it the store speaks.
        if msg is None or msg.message is None or self._lease_left_s() <= 0:
            return await self._stored(message_id)
        memory = from_memory(msg, msg.message)
        if msg.phase is not Phase.LOOKUP:
            return memory
        stored = await self._stored(message_id)  # its owner does not know its history yet
        return memory if stored is None else _joined(memory, stored)

    async def _stored(self, message_id: str) -> Facts | None:
        row = (await self._store.by_ids([message_id])).get(message_id)
        known = ById(b"", "accepted", False) if row is None else decode_by_id(row.body)
        accept = known.accept or self._accepted.place(message_id)
        if accept is None:
            return None
        places = [accept, *known.effects, *known.receipts]
        records = await self._reading.records_at(places)
        messages = [r for _, r in records if isinstance(r, Message)]
        if not messages:
            return None
        rest: list[tuple[Place, Record]] = [
            (p, r) for p, r in records if not isinstance(r, Message) and r.id == message_id
        ]
        return Facts(
            messages[0],
            rest,
            known.state,
            "",
            known.noted,
            conflicts=len(known.conflicts),
            accept=accept,
        )


def _joined(memory: Facts, stored: Facts) -> Facts:
    """What both say; the body is the one that the by-id row names."""
    return Facts(
        stored.message,
        list(dict((*memory.records, *stored.records)).items()),
        join(memory.state, stored.state),
        memory.reason,
        memory.canceling or stored.canceling,
        memory.why,
        max(memory.conflicts, stored.conflicts),
        stored.accept,
    )


def from_memory(msg: Msg, message: Message) -> Facts:
    """What the owner knows of it."""
    return Facts(
        message,
        msg.records,
        msg.state,
        msg.reason,
        msg.cancel,
        str(msg.why),
        len(msg.conflicts),
        msg.accept,
    )
