"""After faults, before any repair: what was accepted is read, though it stands in one region alone.

PROTOCOL.md 2: who finds no row at quorum asks the writer's region, so no repair is waited for. A
message counts as read once its owner has it in memory or wrote anything of it down. Not looked for
is what stands in a log that its writer never registered at quorum: no reader of another region
knows of such a log before a repair.
"""

from typing import TYPE_CHECKING

from core.sim.store.rows import REGISTRY, Version
from sync.naming import log_name
from sync.records import Message

if TYPE_CHECKING:
    from core.sim.world import World


class Unread:
    """See the module's docstring."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def first(self) -> str:
        """An accepted message that nobody has read, "" if there is none."""
        journal = self._world.checks.journal
        known = self._registered()
        for submitted in self._world.history.submitted:
            logs = {
                place.log
                for place, record in journal.of("accept", submitted.id)
                if type(record) is Message
            }
            found = sorted(log for log in logs if log_name(log).incarnation in known)
            if found and not self._read(submitted.id):
                return f"{submitted.id} stands in {found[0]}"
        return ""

    def _read(self, message_id: str) -> bool:
        journal = self._world.checks.journal
        if journal.by_id(message_id) or journal.of("effect", message_id):
            return True
        nodes = self._world.living()
        return bool(journal.entry(message_id, 0)) or any(n.engine.find(message_id) for n in nodes)

    def _registered(self) -> set[str]:
        """The incarnations whose registration stands with a majority of all replicas."""
        store = self._world.store
        entries = store.rows.partitions.get(REGISTRY, {})
        quorum = store.replicas.newest.quorum
        return {who for who, at in entries.items() if _widest(at) >= quorum}


def _widest(version: Version | None) -> int:
    found = 0
    while version is not None:
        found = max(found, version.mask.bit_count())
        version = version.older
    return found
