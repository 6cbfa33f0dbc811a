"""What a simulated core does with a batch out of an edge's spool."""

from collections.abc import Callable
from random import Random

from core.sim.door import take_in
from core.sim.edgedisk import Stored
from core.sim.node import Node
from core.sim.plan import EdgeRates
from sync.naming import log_name
from sync.records import Place
from sync.spool import Answer

ANSWERS_WITHIN_S = 1.0


class Batch:
    """A core answers a batch when it can say something of each, or after a while what it can.

    `region` is the edge's.
    """

    def __init__(
        self,
        node: Node,
        region: str,
        entries: list[Stored],
        rates: EdgeRates,
        chance: Random,
        answer: Callable[[list[Answer]], None],
    ) -> None:
        self._node = node
        self._region = region
        self._entries = entries
        self._rates = rates
        self._chance = chance
        self._answer = answer
        self._answers: list[Answer] = []
        self._answered = False

    def begin(self) -> None:
        """The batch arrives, in the core's process."""
        if not self._node.ready:
            return
        for stored in self._entries:
            self._one(stored)
        self._node.process.later(ANSWERS_WITHIN_S, self._say)

    def _one(self, stored: Stored) -> None:
        entry, asked, rates, drawn = stored.entry, stored.asked, self._rates, self._chance.random()
        if drawn < rates.refuses:
            self._add(Answer(entry.id, "refused", reason="limits"))
            return
        if drawn < rates.refuses + rates.later:
            self._add(Answer(entry.id, "later"))
            return
        globally = entry.durability == "global" and self._chance.random() >= rates.weaker

        def stands(place: Place) -> None:
            if asked.submitted is not None:
                asked.submitted.taken_from.add(self._region)
            wide = log_name(place.log).lane.endswith("_global")
            self._add(Answer(entry.id, "acknowledged", "global" if wide else "local"))

        take_in(self._node, asked, globally, entry.spooled_at_ms, self._chance, stands)

    def _add(self, answer: Answer) -> None:
        self._answers.append(answer)
        if len(self._answers) == len(self._entries):
            self._say()

    def _say(self) -> None:
        if not self._answered:
            self._answered = True
            self._answer(list(self._answers))
