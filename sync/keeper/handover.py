"""Giving one shard to another core (PROTOCOL.md 7).

No new sends; running calls end, for at most two seconds; outcomes and floor are written; the row is
swapped to the new owner with epoch + 1. The answer is judged by the row alone:

- a higher epoch of another owner: given, or lost otherwise; either way the shard is forgotten;
- the next epoch, of our own: kept, and sends go on under it;
- a later epoch of our own: it was another's in between, who may have sent. It is forgotten as well,
  and taken up like any shard that a row gives to us;
- still the old row: the swap may be applied later. It is repeated, never taken as failed;
- unknown: the row is read at SERIAL, again and again at the pace of `step`.

A hand-over that is given up ends in one of the first two as well: the shard is first swapped to
ourselves with epoch + 1, for the swap to the other may be on its way still. A giver that just went
on sent beside the new owner. This holds also where no swap was asked for yet: one rule is enough.
Nothing is sent between `start` and the end, so `StopSending` is the last word of the old epoch.
"""

from enum import IntEnum

from msgspec import Struct

from sync.store.port import ShardRow


class StopSending(Struct, frozen=True):
    """Command: no first byte of this shard any more; intents whose call has not left are withdrawn.
    Tell when no call runs."""

    shard: int


class WriteFloor(Struct, frozen=True):
    """Command: write the outcomes and withdrawals that are there, then the floor; tell when all
    stand. Calls that still run hold their marks, so the next owner reads their intents."""

    shard: int


class Swap(Struct, frozen=True):
    """Command: swap the row for (`owner`, epoch + 1); tell the row as it is then."""

    row: ShardRow
    owner: str


class ReadRow(Struct, frozen=True):
    """Command: read the shard's row at SERIAL, and tell it."""

    shard: int


class Forget(Struct, frozen=True):
    """Command, the end: `row` is another's, or was since we had it. Tell `Shards.given`; what is
    known of the shard counts no more."""

    row: ShardRow


class Resume(Struct, frozen=True):
    """Command, the end: `row` is ours again. If `Shards.given` says so, write a floor that names
    its epoch, then send under it. What is known stays true: nobody else owned it meanwhile."""

    row: ShardRow


Command = StopSending | WriteFloor | Swap | ReadRow | Forget | Resume


class Stage(IntEnum):
    """How far a hand-over is."""

    NEW = 0
    CALLS = 1  # waits for running calls
    FLOOR = 2  # outcomes and floor are being written
    SWAP = 3  # the row is being swapped to the other
    RETAKE = 4  # given up: the row is being swapped to ourselves
    ENDED = 5


class Giving:
    """See the module's docstring. After `start`, call `step` each fraction of a second."""

    def __init__(
        self, row: ShardRow, to: str, calls_s: float = 2.0, patience_s: float = 10.0
    ) -> None:
        self.row = row
        self.to = to
        self.stage = Stage.NEW
        self._calls_s = calls_s
        self._patience_s = patience_s
        self._started_at = 0.0
        self._unknown = False
        self._repeat = False

    def start(self, now: float) -> list[Command]:
        """Begin: from here on nothing is sent."""
        self.stage = Stage.CALLS
        self._started_at = now
        return [StopSending(self.row.shard)]

    def calls_ended(self) -> list[Command]:
        """No call of the shard runs any more."""
        if self.stage is not Stage.CALLS:
            return []
        self.stage = Stage.FLOOR
        return [WriteFloor(self.row.shard)]

    def floor_written(self) -> list[Command]:
        """Outcomes and floor stand at quorum."""
        if self.stage is not Stage.FLOOR:
            return []
        self.stage = Stage.SWAP
        return self._swap()

    def give_up(self) -> list[Command]:
        """The other is gone or drains, or it lasts too long: take the shard ourselves, anew.

        A swap to the other that is not answered yet may still win; its row then ends this.
        """
        if self.stage in (Stage.RETAKE, Stage.ENDED):
            return []
        self.stage = Stage.RETAKE
        return self._swap()

    def told(self, row: ShardRow | None) -> list[Command]:
        """The row after a swap, applied or not, or as it was read; None where nobody knows.

        The answer to a swap from before a give-up comes in here as well: what it shows is true.
        """
        if self.stage not in (Stage.SWAP, Stage.RETAKE):
            return []
        self._unknown = row is None
        if row is None:
            return []
        if row.epoch <= self.row.epoch:
            self._repeat = True
            return []
        self.stage = Stage.ENDED
        kept = row.owner == self.row.owner and row.epoch == self.row.epoch + 1
        return [Resume(row) if kept else Forget(row)]

    def step(self, now: float) -> list[Command]:
        """Time passes."""
        waited_s = now - self._started_at
        if self.stage is Stage.CALLS and waited_s >= self._calls_s:
            return self.calls_ended()
        if self.stage in (Stage.FLOOR, Stage.SWAP) and waited_s >= self._patience_s:
            return self.give_up()
        if self.stage is Stage.ENDED:
            return []
        if self._unknown:
            self._unknown = False
            return [ReadRow(self.row.shard)]
        return self._swap() if self._repeat else []

    def _swap(self) -> list[Command]:
        self._repeat = False
        owner = self.to if self.stage is Stage.SWAP else self.row.owner
        return [Swap(self.row, owner)]
