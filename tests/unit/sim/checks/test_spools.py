"""The order in which edges hand over what they spooled: what a run is checked for."""

import pytest

from core.sim.checks.journal import Journal
from core.sim.checks.spools import Spools
from core.sim.history import History, ViolationError
from core.sim.trace import Trace
from sync.spool import Answer, Bounds, Entry, HandOver, Spool, Spooled, Write

BOUNDS = Bounds(
    entries_max=8, bytes_max=1000, batch_entries_max=4, batch_bytes_max=300, retry_s=1.0
)


class Edge:
    """A process of an edge, that tells the checker what it does as the simulated edge does."""

    def __init__(self, checker: Spools, *on_disk: Entry) -> None:
        self.spool = Spool(BOUNDS)
        self._checker = checker
        self.spool.recover(on_disk)
        checker.began("eu", on_disk)

    def asked(self, entry: Entry) -> None:
        """A client hands this in; the disk does not fail."""
        commands = self.spool.offer(entry)
        if commands == [Write(entry)]:
            commands = self.spool.written(entry.id)
        assert commands == [Spooled(entry.id)]
        self._checker.spooled("eu", entry)

    def gives(self, now_s: float) -> HandOver:
        """The next batch."""
        (batch,) = self.spool.take(now_s)
        assert isinstance(batch, HandOver)
        self._checker.handed("eu", batch.entries, 0)
        return batch


def entry(name: str, at_ms: int) -> Entry:
    return Entry(name, "normal", 10, "local", 99, at_ms)


@pytest.fixture
def checker() -> Spools:
    return Spools(Journal(), History(Trace()))


def test_what_was_put_off_before_anybody_heard_of_it_may_come_later(checker: Spools) -> None:
    """The process that wrote `old` died before it answered; its client asks the next one again."""
    old, new = entry("old", 1), entry("new", 2)
    edge = Edge(checker, old)
    edge.spool.lost(edge.gives(0.0).batch, 0.0)
    edge.asked(old)
    edge.asked(new)
    first = edge.gives(1.0)
    edge.spool.answered(first.batch, [Answer("new", "acknowledged")], 1.0)
    assert (first.entries, edge.gives(2.0).entries) == ((new,), (old,))
    checker.look()
    assert checker.counts["spooled"] == 2


@pytest.mark.parametrize("heard", [False, True])
def test_what_was_found_and_not_yet_tried_comes_first(checker: Spools, heard: bool) -> None:
    old, new = entry("old", 1), entry("new", 2)
    edge = Edge(checker, old)
    if heard:
        edge.asked(old)
    edge.asked(new)
    checker.handed("eu", [new], 0)
    with pytest.raises(ViolationError, match="spool_order"):
        checker.look()


def test_what_was_just_written_comes_in_its_turn(checker: Spools) -> None:
    old, new = entry("old", 1), entry("new", 2)
    edge = Edge(checker)
    edge.asked(old)
    edge.asked(new)
    checker.handed("eu", [new], 0)
    with pytest.raises(ViolationError, match="spool_order"):
        checker.look()
