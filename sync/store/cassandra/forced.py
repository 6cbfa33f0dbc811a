"""Rows of forced ownership on Cassandra (`sync.forced`)."""

from contextlib import suppress

from sync.forced import Forced
from sync.store.cassandra.levels import EACH, LOCAL, QUORUM
from sync.store.cassandra.reads import Reads
from sync.store.port import StoreError


async def read_forced(reads: Reads, here: bool) -> list[Forced]:
    """See `sync.store.port.Forces.forced`.

    A row may stand in one region alone. So each region's majority is asked, and where one of them
    does not answer, as many as make a majority of all: with three regions of equal size that is
    each of the other two. It raises where there is no majority, whatever was found.
    """
    rows = None
    if not here:
        with suppress(StoreError):
            rows = await reads.ask("forced", (), EACH, ahead=True)
    if rows is None:
        rows = await reads.ask("forced", (), LOCAL if here else QUORUM, ahead=True)
    return [
        Forced(number, tuple(filter(None, names.split(","))), alone)
        for number, alone, names in rows
    ]
