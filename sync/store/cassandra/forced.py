"""Rows of forced ownership on Cassandra (`sync.forced`)."""

import asyncio
from collections.abc import Iterable
from typing import Any

from sync.forced import Forced
from sync.store.cassandra.levels import EACH, LOCAL, QUORUM
from sync.store.cassandra.reads import Reads


async def read_forced(reads: Reads, here: bool) -> list[Forced]:
    """See `sync.store.port.Forces.forced`.

    A row may stand in one region alone. So each region's majority is asked, and where one of them
    does not answer in time, as many as make a majority of all: with three regions of equal size
    that is each of the other two. Both are asked at once, because a lease waits for the answer. It
    raises where there is no majority, whatever was found.
    """
    if here:
        return _forced(await reads.ask("forced", (), LOCAL, ahead=True))
    levels = (EACH, QUORUM)
    answers = await asyncio.gather(
        *(reads.ask("forced", (), level, ahead=True) for level in levels), return_exceptions=True
    )
    found = [rows for rows in answers if not isinstance(rows, BaseException)]
    if not found:
        raise answers[1]
    return _forced(found[0])


def _forced(rows: Iterable[Any]) -> list[Forced]:
    return [
        Forced(number, tuple(filter(None, names.split(","))), alone)
        for number, alone, names in rows
    ]
