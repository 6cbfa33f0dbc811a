"""Scheduled faults: each begins at its time and is over after its length; all are over at the end.

Beside them there are rates: writes and reads that fail, answers that are lost, calls that are slow.
"""

from collections import Counter
from typing import TYPE_CHECKING

from core.sim.steps import Step

if TYPE_CHECKING:
    from core.sim.world import World

REPAIR_AFTER_S = 1.0
LANDED_AFTER_S = 4.0
REPAIR_AGAIN_S = 6.0  # what was late when faults ended has landed by then
WALL_AHEAD_MAX_MS = 450  # the clock bound, less what a test may add


class Faults:
    """See the module's docstring. `counts` says how often each kind occurred."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._lost: set[str] = set()
        self._ended: set[str] | None = None
        self._cores_away_until_s = 0.0
        self.counts: Counter[str] = Counter()

    def lost(self, region: str) -> bool:
        """Whether the whole region is away: nothing is started there."""
        return region in self._lost

    def keeps_cores_away(self, region: str) -> bool:
        """Whether no core is started in the region now."""
        away = self.lost(region) or self._world.replication.keeps_away(region)
        return away or self._world.scheduler.now < self._cores_away_until_s

    def begin(self, step: Step) -> None:
        """A fault begins."""
        world = self._world
        self.counts[step.kind] += 1
        text = f"{step.kind} {step.other if step.kind.startswith('cut') else ''}".strip()
        if step.length_s:
            text += f" for {step.length_s:g} s"
        now = world.scheduler.now
        world.trace.add(now, step.region, "", "fault", text, "", "", now + step.length_s)
        getattr(self, f"_{step.kind}")(step)

    def end(self) -> None:
        """All of them are over, and what they left is mended, unless that comes late."""
        world = self._world
        world.trace.add(world.scheduler.now, "", "", "heal", "faults are over")
        self._lost.clear()
        self._cores_away_until_s = 0.0
        world.network.faulty = False
        world.network.heal()
        world.store.faulty = False
        if not world.plan.repair_late:
            self.repair_soon()
        for provider in world.providers.values():
            provider.faulty = False

    def repair_soon(self) -> None:
        """Bring to all replicas what hints did not bring."""
        self._world.scheduler.after(REPAIR_AFTER_S, self._repair)

    def _repair(self) -> None:
        """Again while replicas are away, and once more for what was on its way.

        Then nothing of the cores that had ended by the first time can turn up any more.
        """
        store, regions = self._world.store, self._world.plan.regions
        somewhere = next(region for region in regions if store.replicas.newest.bits[region])
        if not store.repair(somewhere) or store.replicas.down:
            self._world.scheduler.after(1.0, self._repair)
        elif self._ended is None:
            self._ended = {node.process.name for node in self._world.nodes if node.process.dead}
            self._world.scheduler.after(REPAIR_AGAIN_S, self._repair)
        else:
            self._world.operators.close_regions(self._ended)

    # One process

    def _crash(self, step: Step) -> None:
        node = self._world.slots[(step.region, step.number)]
        if node is not None:
            node.process.die("killed")

    def _freeze(self, step: Step) -> None:
        node = self._world.slots[(step.region, step.number)]
        if node is not None:
            node.process.frozen_until = self._world.scheduler.now + step.length_s

    def _drain(self, step: Step) -> None:
        """A core gives its shards away, and leaves properly some time later."""
        node = self._world.slots[(step.region, step.number)]
        if node is not None and node.ready:
            node.process.later(0.0, node.drain)
            node.process.later(step.length_s, node.leave)

    def _clock_jump(self, step: Step) -> None:
        node = self._world.slots[(step.region, step.number)]
        if node is not None:
            process = node.process
            ahead_ms = process.wall_ahead_ms + int(step.amount * 1000)
            process.wall_ahead_ms = max(-WALL_AHEAD_MAX_MS, min(WALL_AHEAD_MAX_MS, ahead_ms))

    def _edge_crash(self, step: Step) -> None:
        edge = self._world.edges.of(step.region)
        if edge is not None:
            edge.process.die("killed")

    def _edge_freeze(self, step: Step) -> None:
        edge = self._world.edges.of(step.region)
        if edge is not None:
            edge.process.frozen_until = self._world.scheduler.now + step.length_s

    def _shards_held(self, step: Step) -> None:
        """What a core asks of shard rows is done late, and it is told nothing of it."""
        node = self._world.slots[(step.region, step.number)]
        if node is not None:
            self._world.store.swaps.hold_shards(node.process, step.length_s, step.amount)

    def _writes_held(self, step: Step) -> None:
        """What a core writes lands late, and it is told nothing of it.

        No later after the end of faults than other late writes do: all has landed by the last
        repair.
        """
        world = self._world
        node = world.slots[(step.region, step.number)]
        if node is not None:
            left_s = world.plan.faults_s - world.scheduler.now - step.length_s
            late_s = min(step.amount, LANDED_AFTER_S + max(0.0, left_s))
            world.store.writes.hold(node.process, step.length_s, late_s)

    def _hushed(self, step: Step) -> None:
        """A core hears nothing of what is under compare-and-set; plain reads and writes work.

        With an amount nothing that it asks there is done, either.
        """
        node = self._world.slots[(step.region, step.number)]
        if node is not None:
            self._world.store.swaps.hush(node.process, step.length_s, step.amount > 0)

    # Several regions

    def _region_drain(self, step: Step) -> None:
        self._world.operators.drain(step)

    def _region_return(self, step: Step) -> None:
        self._world.operators.begin_return(step)

    def _declare_lost(self, step: Step) -> None:
        self._world.operators.declare_lost(step)

    def _map_change(self, step: Step) -> None:
        self._world.operators.change_map(step)

    def _force_own(self, step: Step) -> None:
        self._world.operators.force_own(step)

    def _force_join(self, step: Step) -> None:
        self._world.operators.force_join(step.region, step.number)

    def _replication_change(self, step: Step) -> None:
        self._world.replication.change(step)

    def _replication_mistake(self, step: Step) -> None:
        self._world.replication.ask_for_a_wrong_change(step)

    def _replication_misreport(self, step: Step) -> None:
        self._world.replication.report_wrongly(step)

    def _replication_go_on(self, step: Step) -> None:
        self._world.replication.go_on(step)

    def _account_edit(self, step: Step) -> None:
        self._world.editors.edit_account(step)

    def _policy_edit(self, step: Step) -> None:
        self._world.editors.edit_policy(step)

    def _suppression(self, step: Step) -> None:
        self._world.editors.edit_suppression(step)

    def _map_mistake(self, step: Step) -> None:
        self._world.operators.ask_for_a_wrong_map(step)

    def _map_flood(self, step: Step) -> None:
        self._world.operators.flood_with_maps(step)

    def _region_mistake(self, step: Step) -> None:
        self._world.operators.name_no_region(step)

    def _cores_away(self, step: Step) -> None:
        """Every core of every region ends; none is started for a while."""
        until_s = self._world.scheduler.now + step.length_s
        self._cores_away_until_s = max(self._cores_away_until_s, until_s)
        for node in self._world.living():
            node.process.die("all cores are away")

    def _heal_later(self, step: Step) -> None:
        self._world.scheduler.after(step.length_s, self._world.network.heal)

    def _cut(self, step: Step) -> None:
        self._world.network.cut(step.region, step.other)
        self._heal_later(step)

    def _cut_one_way(self, step: Step) -> None:
        self._world.network.cut_one_way(step.region, step.other)
        self._heal_later(step)

    def _isolate(self, step: Step) -> None:
        self._world.network.isolate(step.region)
        self._heal_later(step)

    def _halves(self, step: Step) -> None:
        self._world.network.halves([step.region])
        self._heal_later(step)

    def _ring(self, step: Step) -> None:
        self._world.network.majorities_ring()
        self._heal_later(step)

    def _region_lost(self, step: Step) -> None:
        """Every process of the region ends, and its part of the store is out of reach."""
        self._take_away(step.region)
        self._world.scheduler.after(step.length_s, lambda: self._bring_back(step.region))

    def _region_gone(self, step: Step) -> None:
        """As `_region_lost`, for good: what comes back has to be rebuilt from the others.

        Nothing else may be lost meanwhile.
        """
        outages, replicas = self._world.store.outages, self._replicas(step.region)
        if outages.any_lost or self._lost:
            return
        self._take_away(step.region)
        for replica in replicas:
            outages.lose_data(replica)

        def back() -> None:
            self._bring_back(step.region)
            if not all(outages.rebuild(replica) for replica in replicas):
                self._world.scheduler.after(1.0, back)

        self._world.scheduler.after(step.length_s, back)

    def _take_away(self, region: str) -> None:
        self._lost.add(region)
        for node in self._world.living():
            if node.region == region:
                node.process.die("its region is lost")
        edge = self._world.edges.of(region)
        if edge is not None:
            edge.process.die("its region is lost")
        self._world.network.isolate(region)

    def _bring_back(self, region: str) -> None:
        self._lost.discard(region)
        self._world.network.heal()

    def _store_away(self, step: Step) -> None:
        """The region's datacentre answers nobody."""
        for replica in self._replicas(step.region):
            self._world.store.outages.take_down(replica, step.length_s)

    def _replica_lost(self, step: Step) -> None:
        """A replica loses its data; it is replaced and rebuilt from the others.

        One at a time: two lost at once are outside of what is promised.
        """
        if self._world.store.outages.any_lost:
            return
        outages, replicas = self._world.store.outages, self._replicas(step.region)
        replica = replicas[step.number % len(replicas)]
        outages.lose_data(replica)

        def back() -> None:
            if not outages.rebuild(replica):
                self._world.scheduler.after(1.0, back)

        self._world.scheduler.after(step.length_s, back)

    def _replicas(self, region: str) -> list[int]:
        """Those of the region that hold the keyspace."""
        replicas = self._world.store.replicas
        bits = replicas.newest.bits[region]
        return [number for number in range(replicas.places) if bits >> number & 1]
