"""`goutong bench urgent`: how long an otp takes while bulk messages wait.

From the request for an otp to its submit_sm at the SMSC, whose account takes a fixed number of
messages a second: first with nothing waiting, then behind a backlog of bulk that is sent through
the same account all the while. Both are one run of the same system, otps at the same pace, at most
1,000 a run.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from msgspec.structs import replace

from core.bench import ours as our
from core.bench.backlog import MANY_TIMEOUT_S
from core.bench.cycle import rehearse, sms_spec, warm_up
from core.bench.kannel import free_ports
from core.bench.lean.wire import RunSpec
from core.bench.leanctl import Lean
from core.bench.machine import machine
from core.bench.measure import Side, measure
from core.bench.plan import PHONE_HEAD, TEXT, Plan
from core.bench.proc import memory
from core.bench.report import Report, lean_note, plan_fields
from core.bench.stats import Bound, Figure, at_least, at_most, figure, median

RATIO = 1.5
PER_SECOND = 200
CONNECTIONS = 4
PAUSE_MS = 100
OTPS_MAX = 1_000
WARMUP = 200
ACCOUNT = "bench-smsc"


def otp_spec(system: our.Ours, plan: Plan, first: int) -> RunSpec:
    """Otps one after another on a few connections, timed until the SMSC has them."""
    head, tail = body("otp")
    head, tail = our.http_request(system.address(), system.ready.api_key, head, tail)
    return replace(
        sms_spec(system, plan, first),
        target="awaited",
        head=head,
        tail=tail,
        recipient=PHONE_HEAD.removeprefix("+"),
        connections=CONNECTIONS,
        pause_ms=PAUSE_MS,
    )


def bulk_spec(system: our.Ours, plan: Plan, first: int) -> RunSpec:
    """The backlog: accepted as fast as it goes."""
    head, tail = body("bulk")
    head, tail = our.http_request(system.address(), system.ready.api_key, head, tail)
    return replace(
        sms_spec(system, plan, first),
        target="accepted",
        count=plan.backlog,
        head=head,
        tail=tail,
        timeout_s=MANY_TIMEOUT_S,
    )


def body(message_class: str) -> tuple[str, str]:
    """The JSON body of a class, cut where the number goes."""
    rest = f'"}},"class":"{message_class}","content":{{"text":"{TEXT}"}}}}'
    return f'{{"to":{{"phone":"{PHONE_HEAD}', rest


class Stage:
    """Our system with one account for text messages, which takes PER_SECOND."""

    def __init__(self, stack: ExitStack, plan: Plan) -> None:
        self.plan = plan
        self.lean = stack.enter_context(Lean())
        self.system = stack.enter_context(our.Ours(plan.folder / "ours", plan.cores))
        self.system.switch_off_sandbox_sms()
        self.listening(True)
        self._next = 0

    def listening(self, there: bool) -> None:
        """Point the account at the lean SMSC, or at nobody."""
        port = self.lean.ports.smsc if there else free_ports(1)[0]
        self.system.put_account(ACCOUNT, our.sms_account(port, self.plan.window, PER_SECOND))

    def side(self, name: str, spec: Callable[[our.Ours, Plan, int], RunSpec]) -> Side:
        """A side of the comparison."""
        return Side(name, self.system.processes, partial(spec, self.system, self.plan), [], 2)

    def run(self, side: Side, settle_s: float = 0.0) -> None:
        """One run of a side, with numbers that no other run uses."""
        first, self._next = self._next, self._next + side.spec(0).count
        side.samples.append(measure(side, self.lean, first, settle_s))


def urgent(plan: Plan) -> Report:
    """Run the bench; every process that it started has ended when it returns."""
    plan = replace(plan, messages=min(plan.messages, OTPS_MAX), warmup_messages=WARMUP)
    with ExitStack() as stack:
        stage = Stage(stack, plan)
        began_s = time.time()
        alone = stage.side("otp, nothing waiting", otp_spec)
        beside = stage.side(f"otp, {plan.backlog:,} bulk waiting", otp_spec)
        fill = stage.side("bulk", bulk_spec)
        notes = [warm_up(alone, stage.lean, plan, began_s)]
        for _ in range(plan.runs):
            stage.run(alone)
        stage.listening(False)
        stage.run(fill, plan.settle_s)
        stage.listening(True)
        began_s = time.time()
        rehearse(beside, stage.lean, plan.warmup_messages)  # as many as without anything waiting
        for _ in range(plan.runs):
            stage.run(beside)
        left = plan.backlog - int(PER_SECOND * (time.time() - began_s))
        sent = sum(s.seen.submits for s in beside.samples) - plan.runs * plan.messages
        held = [memory(process) for process in stage.system.processes()]
    notes += [
        f"{plan.backlog:,} bulk accepted while nobody listened; {sent:,} sent during the runs",
        lean_note([alone, beside]),
    ]
    figures = [*arrivals(alone), *arrivals(beside)]
    return Report(
        "urgent",
        machine(plan.folder),
        plan_fields(plan),
        figures,
        bounds(alone, beside, left, sent),
        notes,
        held,
    )


def arrivals(side: Side) -> list[Figure]:
    """What an otp took from its request to its 202, and to the SMSC."""
    seen = [sample.seen for sample in side.samples]
    return [
        figure(f"{side.name}: accept p50", "ms", [s.accept_p50_ms for s in seen]),
        figure(f"{side.name}: accept p99", "ms", [s.accept_p99_ms for s in seen]),
        figure(f"{side.name}: p50", "ms", [s.arrived_p50_ms for s in seen]),
        figure(f"{side.name}: p99", "ms", [s.arrived_p99_ms for s in seen]),
    ]


def bounds(alone: Side, beside: Side, left: int, sent: int) -> list[Bound]:
    """At most 1.5 times what it takes with nothing waiting, at p99; bulk waits and moves on."""

    def p99_ms(side: Side) -> float:
        return median([sample.seen.arrived_p99_ms for sample in side.samples])

    def p50_ms(side: Side) -> float:
        return median([sample.seen.arrived_p50_ms for sample in side.samples])

    return [
        at_most("otp: p99 with bulk waiting over without", p99_ms(beside) / p99_ms(alone), RATIO),
        at_most("otp: p50 in the same way", p50_ms(beside) / p50_ms(alone), RATIO, wanted=True),
        at_least("bulk still waiting at the end", float(left), 1.0),
        at_least("bulk sent meanwhile", float(sent), 1.0),
    ]
