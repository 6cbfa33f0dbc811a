"""One run: cores that start, crash, freeze and start again, clients, and the end of faults.

The run goes through three times: with faults; without, until everything ended; and once more with
a single new core that starts with empty hands and must find nothing left to do.
"""

import traceback
from collections.abc import Callable
from random import Random

from msgspec import Struct

from core.contract.ids import body_hash
from core.providers.port import ReceiptIn
from sync.lease import Holder, Watch
from sync.naming import id_facts
from sync.owner.owner import Owner
from sync.records import Cancel, Message, Place
from tests.support.world.behind import SimBehind, body_of, chain_of
from tests.support.world.checks import Checks
from tests.support.world.dispatch import SimDispatcher
from tests.support.world.history import History, Submitted, ViolationError
from tests.support.world.logs import SimLogs, Ticket
from tests.support.world.loop import Loop
from tests.support.world.ownership import SimOwnership
from tests.support.world.plan import (
    BUCKET_MS,
    HOME,
    LEASE_S,
    RENEW_S,
    SHARDS,
    Plan,
)
from tests.support.world.process import Core
from tests.support.world.provider import Provider
from tests.support.world.receipts import SimReceipts
from tests.support.world.shell import SimShell
from tests.support.world.store import SimStore

TICK_S = 0.2
OPEN_LEAD_MS = 500
RESTART_S = 0.5
QUIET_WITHIN_S = 60
LAST_LOOK_S = 9.0
CHAIN_STEPS = 2
DIGITS = "0123456789abcdefghijklmnopqrstuv"


class Wish(Struct, frozen=True):
    """What a client asks for beside the body; times in seconds, 0 for none."""

    careful: bool
    expires_s: float
    ahead_s: float
    until: str
    escalate_s: float


class World:
    """See the module's docstring."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.chance = Random(f"walk {plan.seed}")
        self.loop = Loop()
        self.history = History()
        self.store = SimStore(self.loop, plan, self.chance)
        self.checks = Checks(self.store, self.history, plan)
        self.providers = {
            name: Provider(
                name, window, 2, self.loop, plan, self.chance, self.history, self.hand_receipt
            )
            for name, window in (("plain", 0), ("keyed", 4_000))
        }
        self.cores: list[Core] = []
        self.slots: list[Core | None] = [None] * plan.cores
        self._incarnations = 0
        self._over = False

    # Cores

    def start_core(self, slot: int) -> None:
        """A new incarnation, with empty hands."""
        self._incarnations += 1
        name = f"c{self._incarnations}"
        plan = self.plan
        machine = Owner(HOME, name, plan.limits)
        core = Core(
            name,
            self.loop,
            plan,
            self.chance,
            self.store,
            self.providers,
            self.history,
            machine,
            Holder(LEASE_S, RENEW_S),
        )
        core.others = lambda: [c for c in self.cores if c is not core and not c.dead]
        core.logs = SimLogs(core)
        core.behind = SimBehind(core)
        core.dispatcher = SimDispatcher(core)
        core.receipts = SimReceipts(core)
        core.shell = SimShell(core)
        core.ownership = SimOwnership(core, Watch(LEASE_S, plan.epsilon_s))
        self.cores.append(core)
        self.slots[slot] = core
        core.spawn(self._run(core))

    async def _run(self, core: Core) -> None:
        await core.ownership.register()
        core.ready = True
        core.spawn(core.ownership.renew_forever())
        core.spawn(core.ownership.watch_forever())
        heard: dict[str, int] = {}
        due = dict.fromkeys(("seal", "floor", "second", "poll"), 0.0)

        def passed(name: str, every_s: float) -> bool:
            if core.boot() < due[name]:
                return False
            due[name] = core.boot() + every_s
            return True

        while True:
            now_ms = core.wall_ms()
            core.owner.tick(now_ms)
            core.shell.drain()
            for other in core.others():
                if self.chance.random() < 0.5:
                    heard.update(other.logs.last_rows())
            rows = {log: at for group in core.owner.groups for log, at in group.cursors.items()}
            core.shell.read_wanted({**rows, **heard, **core.logs.last_rows()})
            if passed("seal", 0.3):
                core.shell.seal()
            if passed("floor", 0.5):
                core.spawn(core.ownership.write_floor())
            if passed("second", 0.6):
                core.owner.sweep(now_ms)
                core.shell.take_up_due(OPEN_LEAD_MS)
                core.shell.drain()
                core.dispatcher.arm()
            if passed("poll", 1.0):
                core.shell.read_wanted(core.logs.last_rows())
            await core.sleep(TICK_S)

    def keep_running(self, slot: int) -> None:
        """What a supervisor does: a core that ended is started again."""
        if self._over:
            return
        core = self.slots[slot]
        if core is not None and core.dead:
            self.slots[slot] = None
            self.loop.after(RESTART_S, lambda: self.start_core(slot))
        self.loop.after(0.2, lambda: self.keep_running(slot))

    def living(self) -> list[Core]:
        """Cores that are not dead; some may be frozen."""
        return [core for core in self.cores if not core.dead]

    def in_one_core(self, do: Callable[[Core], None]) -> None:
        """Have some core whose doors are open do something in its next turn."""
        cores = [core for core in self.living() if core.ready]
        if cores:
            core = self.chance.choice(cores)
            core.later(0.0, lambda: do(core))

    def hand_receipt(self, account: str, receipt: ReceiptIn) -> None:
        """A provider reports to whichever core its connection leads to."""
        self.in_one_core(lambda core: core.receipts.received(account, receipt))

    # Clients

    def client(self) -> None:
        """One message, perhaps with copies, another body under its key, and cancels."""
        chance, plan = self.chance, self.plan
        message_id = self._mint(chance.random() < plan.keyed)
        careful = chance.random() < plan.at_most_once
        expires_s = chance.choice((2.5, 6.0, 20.0, 20.0))
        ahead_s = chance.uniform(0.5, 8.0) if chance.random() < plan.scheduled else 0.0
        until, escalate_s = "", 0.0
        if chance.random() < plan.chains:
            until = chance.choice(("sent", "delivered", "delivered", "seen"))
            escalate_s = chance.choice((0.0, 1.5, 4.0)) if until == "sent" else chance.uniform(1, 6)
        wish = Wish(careful, expires_s, ahead_s, until, escalate_s)
        a, b = (body_of(text, CHAIN_STEPS if until else 0) for text in "AB")
        bodies = [a]
        while chance.random() < plan.copies and len(bodies) < 4:
            other = "-k" in message_id and chance.random() < plan.other_body
            bodies.append(b if other else a)
        chance.shuffle(bodies)
        for body in bodies:
            wait = chance.choice((0.0, chance.uniform(0, 0.3), chance.uniform(0, 8)))
            self.loop.after(wait, self._sender(message_id, body, wish))
        while chance.random() < plan.cancels:
            wait = chance.choice((0.0, chance.uniform(0, 0.5), chance.uniform(0, 8)))
            whole = bool(until) and chance.random() < 0.5
            self.loop.after(wait, lambda whole=whole: self._cancel(message_id, whole))
        if chance.random() < plan.suppressed:
            at = self.loop.now + chance.choice((0.0, chance.uniform(0, 6)))
            self.history.suppress(message_id, at)

    def _mint(self, keyed: bool) -> str:
        shard = self.chance.randrange(SHARDS)
        tail = "".join(self.chance.choice(DIGITS) for _ in range(26 if keyed else 16))
        if keyed:
            return f"{HOME}-k{shard:03x}{tail}"
        minute = (self.plan.start_ms + int(self.loop.now * 1000)) // 60_000
        text = ""
        for _ in range(7):
            text = DIGITS[minute % 32] + text
            minute //= 32
        return f"{HOME}-u{shard:03x}{text}{tail}"

    def _sender(self, message_id: str, body: bytes, wish: Wish) -> Callable[[], None]:
        facts = id_facts(message_id)
        assert facts is not None
        shard = facts.shard
        submitted = Submitted(message_id, body, wish.careful)
        self.history.submitted.append(submitted)
        urgent = self.chance.random() < 0.5

        def told(place: Place | None) -> None:
            submitted.accepted = place is not None or submitted.accepted

        def hand_in(core: Core) -> None:
            now_ms = core.wall_ms()
            start_ms = now_ms + int(wish.ahead_s * 1000)
            submitted.not_before_ms = start_ms if wish.ahead_s else 0
            record = Message(
                message_id,
                shard,
                body_hash(body),
                now_ms * 1000 + self.chance.randrange(1000),
                urgent,
                wish.careful,
                start_ms + int(wish.expires_s * 1000),
                now_ms,
                body,
                submitted.not_before_ms,
                wish.until,
                start_ms + int(wish.escalate_s * 1000) if wish.escalate_s else 0,
            )
            core.logs.accept(record, urgent, Ticket(told))

        return lambda: self.in_one_core(hand_in)

    def _cancel(self, message_id: str, whole: bool) -> None:
        """Of a whole chain what may follow is cancelled first, in the same log."""
        facts = id_facts(message_id)
        assert facts is not None
        shard, urgent = facts.shard, self.chance.random() < 0.5

        def hand_in(core: Core) -> None:
            for each in [*(chain_of(message_id) if whole else ()), message_id]:
                record = Cancel(each, shard, core.wall_ms())
                core.logs.accept(record, urgent, Ticket(lambda _: None))

        self.in_one_core(hand_in)

    # Faults

    def _crash(self) -> None:
        cores = self.living()
        if cores:
            self.chance.choice(cores).died()

    def _freeze(self) -> None:
        cores = self.living()
        if cores:
            core = self.chance.choice(cores)
            length = self.chance.choice((0.7, 2.0, 4.5, 6.0, 9.0))
            core.frozen_until = self.loop.now + length

    # The run

    def run(self) -> None:
        """Raises ViolationError when a checker finds something."""
        plan, chance = self.plan, self.chance
        for slot in range(plan.cores):
            self.loop.after(chance.uniform(0, 0.5), lambda slot=slot: self.start_core(slot))
            self.loop.after(1.0, lambda slot=slot: self.keep_running(slot))
        for _ in range(plan.messages):
            self.loop.after(chance.uniform(0.3, plan.faults_s * 0.8), self.client)
        for _ in range(plan.crashes):
            self.loop.after(chance.uniform(0.5, plan.faults_s), self._crash)
        for _ in range(plan.freezes):
            self.loop.after(chance.uniform(0.5, plan.faults_s), self._freeze)
        self._go_to(plan.faults_s)
        self._end_faults()
        self._until_quiet()
        self._last_look()
        self.checks.final()

    def _go_to(self, end: float) -> None:
        while self.loop.now < end:
            try:
                self.loop.run_until(min(end, self.loop.now + 1.0))
            except (KeyError, AssertionError, AttributeError, IndexError, ValueError) as error:
                if isinstance(error, ViolationError):
                    raise
                where = traceback.extract_tb(error.__traceback__)[-1]
                what = f"{error!r} in {where.name}, line {where.lineno} of {where.filename}"
                raise ViolationError("machine_failed", what) from error
            self.checks.first_bytes()

    def _end_faults(self) -> None:
        self.store.faulty = False
        for provider in self.providers.values():
            provider.faulty = False

    def _until_quiet(self) -> None:
        give_up_at = self.loop.now + QUIET_WITHIN_S
        self._go_to(self.loop.now + 14)
        while why := self._unquiet():
            if self.loop.now >= give_up_at:
                raise ViolationError("stuck", why)
            self._go_to(self.loop.now + 2)

    def _unquiet(self) -> str:
        for core in self.living():
            for msg in core.owner.msgs.values():
                return f"{core.incarnation} holds {msg.id} as {msg.phase.name} {msg.state}"
        owned = [shard for core in self.living() for shard in core.owner.shards]
        if sorted(owned) != list(range(SHARDS)):
            return f"owned shards: {sorted(owned)}"
        if message_id := self.checks.unended():
            return f"{message_id} has no end"
        if message_id := self.checks.parked():
            return f"{message_id} waits in the open set"
        return self._marks_behind()

    def _marks_behind(self) -> str:
        for core in self.living():
            ends = {log: max(rows) for log, rows in self.store.tables.logs.items()}
            for part in core.owner.floor_parts(core.logs.effect_rows()):
                for log, mark in (*part.accept.items(), *part.effect.items()):
                    if mark < ends.get(log, 0):
                        return f"{core.incarnation}: mark of {log} at {mark} of {ends[log]}"
                first = (core.wall_ms() - 2 * BUCKET_MS) // BUCKET_MS
                if part.due < first:
                    return f"{core.incarnation}: due mark at {part.due}, now is {first}"
        return ""

    def _last_look(self) -> None:
        """A new core alone, after all others are gone, must find nothing left to do.

        Only events of receipts that come in now are new.
        """
        calls, known = len(self.history.bytes), {s.id for s in self.history.submitted}
        for core in self.living():
            core.died()
        self._over = True
        self.start_core(0)
        self._go_to(self.loop.now + LAST_LOOK_S)
        if why := self._unquiet():
            self._go_to(self.loop.now + 6)
            if why := self._unquiet():
                raise ViolationError("stuck", f"after a restart: {why}")
        if again := [call for call in self.history.bytes[calls:] if call.id in known]:
            raise ViolationError("sent_after_end", f"{again}")
