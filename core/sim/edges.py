"""The edges of a world, one a region: started, and started again when they died."""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from core.sim.edge import Edge
from core.sim.edgedisk import Disk
from core.sim.mapplan import first_map
from core.sim.plan import EdgeRates
from core.sim.process import Process
from sync.placement import PlacementMap

if TYPE_CHECKING:
    from core.sim.world import World

RESTART_S = 0.5
SUPERVISE_S = 0.2
HEARD = 0.5  # how often an edge has heard of the newest version that serves


class Edges:
    """See the module's docstring. A disk stays with its region, whichever process writes to it."""

    def __init__(self, world: "World") -> None:
        self.processes: list[Process] = []
        self._world = world
        self._disks = {region: Disk() for region in world.plan.regions}
        self._edges: dict[str, Edge] = {}
        self._maps: dict[str, PlacementMap] = {}
        self._over = False
        world.checks.spools.disks = self._disks

    def of(self, region: str) -> Edge | None:
        """The edge of a region, None while there is none; it may be frozen."""
        edge = self._edges.get(region)
        return None if edge is None or edge.process.dead else edge

    def map_of(self, region: str) -> PlacementMap:
        """The map by which the region's edge mints ids: what some core told it a while ago."""
        world = self._world
        known = self._maps.get(region)
        nodes = world.open_nodes(region)
        if nodes and (known is None or world.chance.random() < HEARD):
            node = world.chance.choice(nodes)
            known = self._maps[region] = node.engine.membership.maps.book.accepting
        return known or first_map(world.plan.regions, world.plan.shards)

    def begin(self) -> None:
        """Start all of them."""
        for region in self._world.plan.regions:
            self._start(region)
            self._keep_running(region)

    def unquiet(self) -> str:
        """What an edge still has to hand over, "" if nothing."""
        for region in self._world.plan.regions:
            edge = self.of(region)
            if edge is None:
                return f"the edge of {region} is away"
            if not edge.quiet:
                return f"the edge of {region} holds {len(edge.spool)}"
        return ""

    def over(self) -> None:
        """Nothing happens any more."""
        self._over = True
        for edge in self._edges.values():
            edge.process.on_died = lambda _: None
            edge.process.die("the run is over")

    def _start(self, region: str) -> None:
        world = self._world
        plan, chance = world.plan, world.chance
        process = Process(
            f"{region}e{len(self.processes) + 1}",
            region,
            world.scheduler,
            1.0 + chance.uniform(-plan.drift, plan.drift),
            chance.randint(-plan.skew_ms, plan.skew_ms),
            plan.start_ms,
        )
        self.processes.append(process)
        edge = self._edges[region] = Edge(
            process,
            self._disks[region],
            plan,
            world.network,
            chance,
            world.trace,
            world.checks.spools,
            self._rates,
            world.open_nodes,
        )
        edge.begin()

    def _rates(self) -> EdgeRates:
        """Once faults are over only refusals are left of them."""
        rates = self._world.plan.edge
        if self._world.network.faulty:
            return rates
        return replace(rates, disk_fails=0.0, crash=0.0, answer_lost=0.0, weaker=0.0, later=0.0)

    def _keep_running(self, region: str) -> None:
        """What a supervisor does: an edge that ended is started again."""
        if self._over:
            return
        wait_s = SUPERVISE_S
        if self.of(region) is None and not self._world.faults.lost(region):
            self._world.scheduler.after(RESTART_S, lambda: self._start(region))
            wait_s += RESTART_S
        self._world.scheduler.after(wait_s, lambda: self._keep_running(region))
