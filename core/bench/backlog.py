"""`goutong bench backlog`: what a message costs while many others wait.

Two comparisons, both of our own CPU per message. Beside: e-mail flows while text messages wait for
an account where nobody listens, against the same e-mail with an empty queue. Through: text
messages that were accepted, waited and were sent when the account came back, against text messages
that went straight through. The memory of every process is stated before, with and after.
"""

import time
from contextlib import ExitStack
from functools import partial

from msgspec.structs import replace

from core.bench import ours as our
from core.bench.cycle import rehearse, sms_spec, warm_up
from core.bench.kannel import free_ports
from core.bench.lean.wire import RunSpec
from core.bench.leanctl import Lean
from core.bench.machine import machine
from core.bench.mail_cycle import mail_spec, use_mail_account
from core.bench.measure import Sample, Side, check, measure, sample, take_turns
from core.bench.plan import BenchError, Plan
from core.bench.proc import Memory, cpu_by_role, memory
from core.bench.report import Report, cpu_figures, lean_note, plan_fields
from core.bench.stats import Bound, at_least, at_most, median

RATIO = 1.2
MANY_TIMEOUT_S = 900.0
ACCOUNT = "bench-smsc"


class Stage:
    """Our system with an e-mail account that works and one for texts that comes and goes."""

    def __init__(self, stack: ExitStack, plan: Plan) -> None:
        self.plan = plan
        self.lean = stack.enter_context(Lean())
        self.system = stack.enter_context(our.Ours(plan.folder / "ours", plan.cores))
        self.memory: list[Memory] = []
        use_mail_account(self.system, self.lean, plan)
        self.system.switch_off_sandbox_sms()
        self.listening(True)

    def listening(self, there: bool) -> None:
        """Point the account for text messages at the lean SMSC, or at nobody."""
        port = self.lean.ports.smsc if there else free_ports(1)[0]
        self.system.put_account(ACCOUNT, our.sms_account(port, self.plan.window))

    def side(self, name: str, mails: bool) -> Side:
        """A side of one channel."""
        make = mail_spec if mails else sms_spec
        return Side(name, self.system.processes, partial(make, self.system, self.plan), [], 2)

    def remember_memory(self, when: str) -> None:
        """Read the memory of each process now."""
        for process in self.system.processes():
            now = memory(process)
            self.memory.append(replace(now, role=f"{now.role}, {when}"))

    def fill(self, side: Side, first: int) -> Sample:
        """Accept the backlog; the sample's CPU is that of accepting."""
        usual = side.spec
        side.spec = lambda number: replace(
            usual(number),
            target="accepted",
            count=self.plan.backlog,
            timeout_s=MANY_TIMEOUT_S,
        )
        filled = measure(side, self.lean, first, self.plan.settle_s)
        side.spec = usual
        return filled

    def flow(self, side: Side, numbers: range) -> str:
        """Let another channel flow beside the backlog; the text says why it did not."""
        try:
            take_turns([side], self.lean, self.plan.runs, numbers, self.plan.settle_s)
        except BenchError as error:
            side.samples.clear()
            return str(error)
        return ""

    def drain(self) -> Sample:
        """Bring the account back and wait for the backlog's last receipt; CPU of sending it."""
        spec = RunSpec(
            "receipts",
            self.plan.backlog,
            receipt_delay_ms=self.plan.receipt_delay_ms,
            timeout_s=MANY_TIMEOUT_S,
        )
        before = cpu_by_role(self.system.processes())
        began = time.perf_counter()
        seen = self.lean.run(spec, partial(self.listening, True))
        check("the backlog", spec, seen)
        time.sleep(self.plan.settle_s)
        after = cpu_by_role(self.system.processes())
        seen = replace(seen, reached_s=seen.reached_at - began)
        return sample(self.plan.backlog, seen, before, after)


def backlog(plan: Plan) -> Report:
    """Run the bench; every process that it started has ended when it returns."""
    with ExitStack() as stack:
        stage = Stage(stack, plan)
        ready_s = time.time()
        straight = stage.side("text, straight through", mails=False)
        empty = stage.side("e-mail, nothing waiting", mails=True)
        beside = stage.side(f"e-mail, {plan.backlog:,} waiting", mails=True)
        through = stage.side(f"text, {plan.backlog:,} waited", mails=False)
        rehearse(straight, stage.lean, plan.warmup_messages)
        notes = [warm_up(empty, stage.lean, plan, ready_s)]
        numbers = range(0, plan.runs * plan.messages, plan.messages)
        take_turns([straight, empty], stage.lean, plan.runs, numbers, plan.settle_s)
        stage.remember_memory("nothing waiting")
        stage.listening(False)
        filled = stage.fill(through, numbers.stop)
        stage.remember_memory(f"{plan.backlog:,} waiting")
        numbers = range(numbers.stop, 2 * numbers.stop, plan.messages)
        blocked = stage.flow(beside, numbers)
        if blocked:
            notes.append(f"other channels stood still behind the backlog: {blocked}")
        drained = stage.drain()
        stage.remember_memory("drained")
        notes.append(
            f"{plan.backlog:,} accepted at {filled.accept_rate:,.0f}/s, sent at"
            f" {drained.rate:,.0f}/s once the account was back; {drained.seen.receipts:,} receipts,"
            f" {drained.seen.submits - drained.seen.distinct:,} submitted more than once"
        )
    through.samples.append(both(filled, drained))
    sides = [side for side in (straight, through, empty, beside) if side.samples]
    notes.append(lean_note(sides))
    return Report(
        "backlog",
        machine(plan.folder),
        plan_fields(plan),
        [figure for side in sides for figure in cpu_figures(side.name, side.samples)],
        bounds(straight, through, empty, beside),
        notes,
        stage.memory,
    )


def both(filled: Sample, drained: Sample) -> Sample:
    """Accepting and sending of the same messages, added up."""
    cpu_us = {role: filled.cpu_us[role] + drained.cpu_us[role] for role in filled.cpu_us}
    return Sample(
        rate=drained.rate,
        accept_rate=filled.accept_rate,
        accept_p50_ms=filled.accept_p50_ms,
        accept_p99_ms=filled.accept_p99_ms,
        cpu_us=cpu_us,
        lean_us=filled.lean_us + drained.lean_us,
        seen=drained.seen,
    )


def bounds(straight: Side, through: Side, empty: Side, beside: Side) -> list[Bound]:
    """At most 1.2 times the cost with an empty queue, and no channel stands still for another."""

    def cost(side: Side) -> float:
        return median([s.cpu_total_us for s in side.samples])

    found = [at_least("e-mail: flows beside the backlog", float(bool(beside.samples)), 1.0)]
    if beside.samples:
        ratio = cost(beside) / cost(empty)
        found.append(at_most("e-mail: CPU with a backlog over without", ratio, RATIO))
    ratio = cost(through) / cost(straight)
    return [*found, at_most("text: CPU of the backlog over straight", ratio, RATIO)]
