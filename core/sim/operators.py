"""Operators: they ask some core to drain a region, to let it return, to change the map, or to let a
region own alone and the others join it; and after a repair they tell all that it was made.

An operator whose core dies, or whose question could not be answered, knows nothing; who was
answered is remembered in `answers`, for `core.sim.checks.serving`. Each change carries a reason of
its own, so that it can be recognised in the row.
"""

from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from core.engine.serving import Serving
from core.sim.history import ViolationError
from core.sim.mapplan import changed
from core.sim.mistakes import NOWHERE, mistaken
from core.sim.node import Node
from core.sim.steps import Step
from sync.agreed import Refusal
from sync.forced import Forced
from sync.maps import VERSIONS_MAX
from sync.serving import ServingSet
from sync.store.port import StoreError

if TYPE_CHECKING:
    from core.sim.world import World

AGAIN_S = 1.0


class Answered(Struct, frozen=True):
    """What an operator was told, and when. `stood` is the row as it was then."""

    region: str
    reason: str
    answer: ServingSet | Refusal
    stood: ServingSet | None
    at_s: float


class Operators:
    """See the module's docstring."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._asked = 0
        self.answers: list[Answered] = []

    def drain(self, step: Step) -> None:
        """A core of another region is asked; with an amount, for its own region at once too."""
        self._drain(step.region, step.other, step.number)
        if step.amount:
            self._drain(step.other, step.region, step.number)

    def begin_return(self, step: Step) -> None:
        """A core of the region itself is asked."""
        node = self._world.slots[(step.region, step.number)]
        if node is not None:
            self._return(node, step.region)

    def declare_lost(self, step: Step) -> None:
        """A core of another region is told that this one is gone, whether it is or not."""
        node = self._world.slots[(step.other, step.number)]
        if node is not None:
            self._asked += 1
            reason = f"lost {self._asked}"
            ask = partial(_serving(node).lost, step.region, reason)
            self._ask(node, step.region, reason, ask)

    def change_map(self, step: Step) -> None:
        """A core is asked to publish the next version after the newest that it knows."""
        node = self._world.slots[(step.region, step.number)]
        if node is None or not node.ready:
            return
        maps = node.engine.membership.maps
        wanted = changed(maps.book.kept[-1].placement, step.id, step.other)

        async def asked() -> None:
            try:
                answer = await maps.publish(wanted)
            except StoreError:
                return
            said = answer[0].rule if isinstance(answer, list) else "published"
            node.note("operator", f"map {wanted.version}, {step.id} {step.other}: {said}")

        node.process.start(asked)

    def force_own(self, step: Step) -> None:
        """A core is asked to let its region own alone."""
        node = self._world.slots[(step.region, step.number)]
        if node is not None and node.ready:
            self._answer(node, "force", node.engine.membership.force.force)

    def force_join(self, region: str, number: int) -> None:
        """A core of a region that is alone is asked to let all that can be reached join."""
        node = self._world.slots[(region, number)]
        if node is not None and node.ready:
            force = node.engine.membership.force
            self._answer(node, "join", lambda: force.join(lambda: self._repaired(region)))

    async def _repaired(self, region: str) -> list[str]:
        """The regions that have all that the others have, after a repair."""
        store = self._world.store
        if not store.repair(region):
            raise StoreError("too few replicas for a repair")
        bits = store.replicas.bits
        return [
            each
            for each in bits
            if store.replicas.up(each) == bits[each] and store.network.connected(region, each)
        ]

    def _answer(
        self, node: Node, what: str, ask: Callable[[], Awaitable[Forced | Refusal]]
    ) -> None:
        async def asked() -> None:
            try:
                answer = await ask()
            except StoreError as error:
                node.note("operator", f"{what}: {error}")
                return
            node.note("operator", f"{what}: {answer}")

        node.process.start(asked)

    def join_all(self) -> None:
        """Ask where no region may own alone any more, and not all have joined."""
        world, now = self._world, self._world.store.ruling()
        if now.number == 0 or now.regions == frozenset(world.plan.regions):
            return
        for region in world.plan.regions:
            self.force_join(region, 0)

    def close_regions(self, ended: Collection[str]) -> None:
        """Every core is told of each region that all was repaired since its lost cores ended.

        `ended` are those that nothing can turn up of. Where one that a core takes for gone is not
        among them, the word would not be true; nor is it while a region owns alone, since cores
        that it left behind may go on.
        """
        if self._world.store.ruling().number:
            return
        for node in self._world.living():
            if node.ready:
                node.process.later(0.0, partial(self._close_regions, node, ended))

    def _close_regions(self, node: Node, ended: Collection[str]) -> None:
        membership = node.engine.membership
        members = membership.members
        for region in self._world.plan.regions:
            gone = [one for one in members.gone if members.region_of(one) == region]
            if gone and all(one in ended for one in gone):
                node.note("operator", f"all was repaired since cores of {region} ended: {gone}")
                membership.region_closed(region)

    def ask_for_a_wrong_map(self, step: Step) -> None:
        """A core is asked to publish what cannot be: it must say so."""
        node = self._world.slots[(step.region, step.number)]
        if node is None or not node.ready:
            return
        maps = node.engine.membership.maps
        wrong = mistaken(maps.book.kept[-1].placement, step.id)

        async def asked() -> None:
            try:
                answer = await maps.publish(wrong)
            except StoreError:
                return
            self._must_refuse(answer, step.id)

        node.process.start(asked)

    def flood_with_maps(self, step: Step) -> None:
        """A core is asked for one version after the other, more than may be kept."""
        node = self._world.slots[(step.region, step.number)]
        if node is None or not node.ready:
            return
        maps = node.engine.membership.maps

        async def asked() -> None:
            for _ in range(VERSIONS_MAX):
                newest = maps.book.kept[-1].placement
                try:
                    await maps.publish(replace(newest, version=newest.version + 1))
                except StoreError:
                    return

        node.process.start(asked)

    def name_no_region(self, step: Step) -> None:
        """A core is asked to drain a region that there is not, to let it return, and to take it
        for lost."""
        node = self._world.slots[(step.region, step.number)]
        if node is None or not node.ready:
            return

        async def asked() -> None:
            try:
                drained = await _serving(node).drain(NOWHERE, "by mistake")
                returned = await _serving(node).begin_return(NOWHERE)
                lost = await _serving(node).lost(NOWHERE, "by mistake")
            except StoreError:
                return
            self._must_refuse(drained, "drain")
            self._must_refuse(returned, "return")
            self._must_refuse(lost, "lost")

        node.process.start(asked)

    def _must_refuse(self, answer: object, what: str) -> None:
        if not isinstance(answer, Refusal | list):
            raise ViolationError("mistake_accepted", f"{what}: {answer}")

    def return_all(self) -> None:
        """Ask until no region is out any more."""
        row = self._world.store.truth.serving_row
        regions = {} if row is None else row.regions
        leaves = self._world.replication.leaves
        out = [r for r, one in regions.items() if not one.share_pct and not leaves(r)]
        nodes = [node for node in self._world.living() if node.ready]
        for region in sorted(out):
            for node in nodes[:1]:
                self._return(node, region)
        if out:
            self._world.scheduler.after(AGAIN_S, self.return_all)

    def _drain(self, region: str, asked: str, number: int) -> None:
        node = self._world.slots[(asked, number)]
        if node is not None:
            self._asked += 1
            reason = f"drain {self._asked}"
            self._ask(node, region, reason, lambda: _serving(node).drain(region, reason))

    def _return(self, node: Node, region: str) -> None:
        self._ask(node, region, "", lambda: _serving(node).begin_return(region))

    def _ask(
        self,
        node: Node,
        region: str,
        reason: str,
        ask: Callable[[], Awaitable[ServingSet | Refusal]],
    ) -> None:
        if not node.ready:
            return

        async def asked() -> None:
            try:
                answer = await ask()
            except StoreError:
                return
            stood, now = self._world.store.truth.serving_row, self._world.scheduler.now
            self.answers.append(Answered(region, reason, answer, stood, now))
            said = answer.rule if isinstance(answer, Refusal) else answer.regions[region].state
            node.note("operator", f"{reason or 'return'} of {region}: {said}")

        node.process.start(asked)


def _serving(node: Node) -> Serving:
    return node.engine.membership.serving
