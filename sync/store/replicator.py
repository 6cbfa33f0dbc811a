"""What the steps of a change of replication do to the store (PROTOCOL.md 11).

Each may be asked for again, also by another process after the first one died in the middle, and
then does what is left to do. `StoreError` is raised when it was not done, or is not known to be;
part of it may have happened. On SQLite there is nothing to replicate, and nobody implements this.
"""

from typing import Protocol

from sync.replication import Replicas


class Replicator(Protocol):
    """See the module's docstring."""

    async def replicas(self, keyspace: str) -> Replicas:
        """The counts by datacentre as they are; all coordinators agree on them."""

    async def alter(self, keyspace: str, replicas: Replicas, within_s: float) -> None:
        """Let these counts hold, and wait until every coordinator uses them.

        The store is asked at once, before the first wait, and begins within `within_s` or never:
        the caller's right to ask lasts no longer. Coordinators may follow later than that.
        """

    async def rebuild(self, keyspace: str, datacentre: str) -> None:
        """Fill replicas of the datacentre that were added from others."""

    async def repair(self, keyspace: str) -> None:
        """Let all replicas have all that any of them had; all of them must be there."""

    async def paxos_repair(self, keyspace: str) -> None:
        """Finish what compare-and-set has under way, with all replicas there."""

    async def verify(self, keyspace: str) -> bool:
        """Compare all replicas in what the last repair was about; whether they have the same."""
