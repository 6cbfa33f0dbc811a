"""One run: regions with cores that crash, freeze and start again, clients, and the end of faults.

The run goes through three times: with faults; without, until everything ended; and once more with
one new core in each region that starts with empty hands and must find nothing left to do.
"""

from random import Random

import msgspec

from core.accounts.service import KIND as ACCOUNT
from core.providers.port import ReceiptIn
from core.sim.checks.all import Checks
from core.sim.clients import Clients
from core.sim.config import ACCOUNTS, first_accounts
from core.sim.edges import Edges
from core.sim.editors import Editors
from core.sim.faults import Faults
from core.sim.history import History, ViolationError
from core.sim.network import Network
from core.sim.node import Node
from core.sim.operators import Operators
from core.sim.plan import WRITE_TIMEOUT_S, Plan
from core.sim.process import Process
from core.sim.provider import PROVIDERS, Provider
from core.sim.replicating import ReplicationOperators
from core.sim.scheduler import Scheduler
from core.sim.steps import Step
from core.sim.store.store import SimStore
from core.sim.trace import Trace

BY_CHANCE = frozenset({"lost", "duplicated", "reordered", "stopped by a cut"})
RESTART_S = 0.5
SUPERVISE_S = 0.2
QUIET_WITHIN_S = 60.0
JOINED_WITHIN_S = 60.0  # where regions have to join first
SETTLE_S = 14.0
DRAINED_WITHIN_S = 25.0
LOOK_EVERY_S = 2.0
READ_WITHIN_S = 25.0
LAST_LOOK_S = 9.0
LAST_LOOK_WITHIN_S = 20.0  # providers may still repeat a receipt


class World:
    """See the module's docstring."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.chance = Random(f"run {plan.seed}")
        self.scheduler = Scheduler()
        self.trace = Trace()
        self.history = History(self.trace)
        self.network = Network(self.scheduler, self.chance, plan.regions, plan.network)
        self.store = self._make_store()
        self.providers = {
            name: Provider(
                name,
                channel,
                window_ms,
                self.scheduler,
                plan,
                self.chance,
                self.history,
                self._hand_receipt,
            )
            for name, channel, _, window_ms in ACCOUNTS
        }
        self.nodes: list[Node] = []
        self.slots: dict[tuple[str, int], Node | None] = {
            (region, number): None for region in plan.regions for number in range(plan.cores)
        }
        self.checks = Checks(self)
        self.edges = Edges(self)
        self.clients = Clients(
            self.scheduler,
            plan,
            self.chance,
            self.history,
            self.edges.of,
            self.edges.map_of,
        )
        self.operators = Operators(self)
        self.replication = ReplicationOperators(self)
        self.editors = Editors(self)
        self.faults = Faults(self)
        self._started = 0
        self._over = False

    def _make_store(self) -> SimStore:
        plan = self.plan
        store = SimStore(
            self.scheduler,
            self.network,
            self.chance,
            plan.regions,
            plan.regions,
            plan.shards,
            plan.store,
            replicas=plan.replicas,
            counts=plan.counts or None,
            seed=plan.seed,
            timeout_s=WRITE_TIMEOUT_S,
            hint_window_s=plan.hint_window_s,
            refuses_revoked=len(plan.regions) == 1,
            maps_change=plan.maps,
            forces_change=plan.forces,
            alone=Random(f"{plan.seed}:alone"),
            far_reads=plan.far_reads,
            replication_changes=plan.replication,
            edits=Random(f"{plan.seed}:entities") if plan.edits else None,
        )
        for account in first_accounts():
            store.entities.seed(ACCOUNT, account.id, msgspec.json.encode(account))
        return store

    # Cores

    def start_node(self, region: str, number: int) -> None:
        """A new incarnation, with empty hands."""
        self._started += 1
        plan, chance = self.plan, self.chance
        process = Process(
            f"{region}c{self._started}",
            region,
            self.scheduler,
            1.0 + self._drift(),
            chance.randint(-plan.skew_ms, plan.skew_ms),
            plan.start_ms,
        )
        node = Node(process, self)
        self.nodes.append(node)
        self.slots[(region, number)] = node
        node.begin()

    def _drift(self) -> float:
        drift = self.plan.drift
        if self.plan.clocks_apart:
            return self.chance.choice((-drift, drift))
        return self.chance.uniform(-drift, drift)

    def keep_running(self, region: str, number: int) -> None:
        """What a supervisor does: a core that ended is started again."""
        if self._over:
            return
        node = self.slots[(region, number)]
        if node is not None and node.process.dead and not self.faults.keeps_cores_away(region):
            self.slots[(region, number)] = None
            self.scheduler.after(RESTART_S, lambda: self._start_again(region, number, node))
        self.scheduler.after(SUPERVISE_S, lambda: self.keep_running(region, number))

    def _start_again(self, region: str, number: int, former: Node) -> None:
        """Unless its region goes away meanwhile: then it waits for the region to come back."""
        if self.replication.keeps_away(region):
            self.slots[(region, number)] = former
        else:
            self.start_node(region, number)

    def living(self) -> list[Node]:
        """Cores that are not dead; some may be frozen."""
        return [node for node in self.nodes if not node.process.dead]

    def open_nodes(self, region: str) -> list[Node]:
        """The cores of a region whose doors are open."""
        return [node for node in self.living() if node.ready and node.region == region]

    def _hand_receipt(self, account: str, receipt: ReceiptIn, message_id: str) -> None:
        """A provider reports to whichever core its connection leads to, in any region."""
        nodes = [node for node in self.living() if node.ready]
        if nodes:
            node, now = self.chance.choice(nodes), self.scheduler.now
            told = (account, "receipt", receipt.status, message_id, node.region, now)
            self.trace.add(now, PROVIDERS, *told)
            node.process.later(0.0, lambda: node.engine.receipts.received(account, receipt))

    # The run

    def run(self) -> None:
        """Raises ViolationError when a checker finds something."""
        plan, chance = self.plan, self.chance
        self.edges.begin()
        if plan.readers:
            self.checks.readers.start()
        if plan.replication:
            self.replication.look_after()
        for region, number in self.slots:
            start_s = chance.uniform(0, 0.5)
            self.scheduler.after(start_s, lambda r=region, n=number: self.start_node(r, n))
            self.scheduler.after(1.0, lambda r=region, n=number: self.keep_running(r, n))
        for step in plan.steps:
            self.scheduler.after(step.at_s, lambda s=step: self._carry_out(s))
        self._go_to(plan.faults_s)
        self.faults.end()
        self.replication.finish()
        self._end_drains()
        if plan.repair_late:
            self._until_read()
            self.faults.repair_soon()
        self._until_quiet()
        self._last_look()
        self.checks.final()

    def over(self) -> None:
        """Nothing happens any more."""
        for node in self.nodes:
            node.process.on_died = lambda _: None
            node.process.die("the run is over")
        self.edges.over()

    def counts(self) -> dict[str, int]:
        """How often each kind of fault occurred."""
        network = {name: count for name, count in self.network.counts.items() if name in BY_CHANCE}
        edges = +self.checks.spools.counts  # without those that are 0
        return {**self.faults.counts, **network, **self.store.counts, **edges}

    def _carry_out(self, step: Step) -> None:
        if step.kind == "submit":
            self.clients.submit(step)
        elif step.kind == "cancel":
            self.clients.cancel(step)
        elif step.kind == "suppress":
            self.history.suppress(step.id, self.scheduler.now)
        else:
            self.faults.begin(step)

    def _go_to(self, end: float) -> None:
        while self.scheduler.now < end:
            self.scheduler.run_until(min(end, self.scheduler.now + 1.0))
            if self.checks.found is not None:
                raise self.checks.found
            for process in [*(node.process for node in self.nodes), *self.edges.processes]:
                if process.failures:
                    raise ViolationError("machine_failed", process.failures[0])
            self.checks.first_bytes()

    def _end_drains(self) -> None:
        """Regions that are out give their shards away first, then all return."""
        row = self.store.truth.serving_row
        drained = row is not None and any(not one.share_pct for one in row.regions.values())
        if drained and not self.plan.replication:  # there the change of replication drains
            self._go_to(self.scheduler.now + DRAINED_WITHIN_S)
            self.checks.after_drains()
            self.operators.return_all()

    def _until_read(self) -> None:
        """Nothing was repaired yet: what stands in one region alone is asked for."""
        give_up_at = self.scheduler.now + READ_WITHIN_S
        while why := self.checks.unread.first():
            if self.scheduler.now >= give_up_at:
                raise ViolationError("accepted_unread", why)
            self._go_to(self.scheduler.now + LOOK_EVERY_S)

    def _until_quiet(self) -> None:
        begun = self.scheduler.now
        self.editors.enable_all()
        self._go_to(begun + SETTLE_S)
        give_up_at = max(begun, self.checks.last_due_s()) + QUIET_WITHIN_S
        if self.store.ruling().number:
            give_up_at += JOINED_WITHIN_S
        while why := self.checks.unquiet():
            if self.scheduler.now >= give_up_at:
                raise ViolationError("stuck", why)
            self.operators.join_all()
            self.operators.return_all()  # a drain that was asked for earlier may have come late
            self.editors.enable_all()
            self._go_to(self.scheduler.now + LOOK_EVERY_S)
        self.checks.edits.settled()

    def _last_look(self) -> None:
        """New cores alone, after all others are gone, must find nothing left to do.

        Only events of receipts that come in now are new.
        """
        calls, known = len(self.history.bytes), {s.id for s in self.history.submitted}
        for node in self.living():
            node.process.die("the last look begins")
        self._over = True
        for region in self.plan.regions:
            if not self.replication.keeps_away(region):
                self.start_node(region, 0)
        self._go_to(self.scheduler.now + LAST_LOOK_S)
        give_up_at = self.scheduler.now + LAST_LOOK_WITHIN_S
        while why := self.checks.unquiet():
            if self.scheduler.now >= give_up_at:
                raise ViolationError("stuck", f"after a restart: {why}")
            self._go_to(self.scheduler.now + LOOK_EVERY_S)
        if again := [call for call in self.history.bytes[calls:] if call.id in known]:
            raise ViolationError("sent_after_end", f"{again}")
