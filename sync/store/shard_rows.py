"""Shard rows to begin with: those of a plain home, and those of a force number."""

from sync.forced import epoch_of
from sync.store.port import ShardRow


def first_rows(shards: int, number: int = 0) -> list[ShardRow]:
    """Nobody's, so that they are taken as always; above every epoch of a lower number."""
    return [ShardRow(shard, "", epoch_of(number, 0)) for shard in range(shards)]
