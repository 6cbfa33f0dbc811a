"""`goutong bench webhook`: HTTP accept, durable, signed webhook; beside Prometheus Alertmanager.

Both are given one HTTP request a message and call the same lean sink, which answers 200; a run
ends when the sink has seen every message. Ours has made the message durable before it answers and
before it calls; Alertmanager keeps alerts in memory.
"""

import time
from contextlib import ExitStack
from functools import partial

from core.bench import ours as our
from core.bench.alertmanager import Alertmanager, alert_request
from core.bench.cycle import rehearse, warm_up
from core.bench.lean.wire import RunSpec
from core.bench.leanctl import Lean
from core.bench.machine import machine
from core.bench.measure import Side, idle_us_per_s, take_turns
from core.bench.plan import HOST, TEXT, Plan
from core.bench.proc import memory
from core.bench.report import Report, lean_note, plan_fields, side_figures
from core.bench.stats import Bound, at_least, median

RATE_RATIO = 1.5
RATE_RATIO_WANTED = 2.0
SECRET = "whsec_" + "QkVO" * 8


def hook_account() -> dict[str, object]:
    """A webhook account that signs, and may call this machine."""
    return {
        "wire": "webhook",
        "channel": "webhook",
        "enabled": True,
        "priority": 1_000,
        "settings": {"allow_networks": [f"{HOST}/32"], "ports": []},
        "secrets": {"secret": SECRET},
    }


def hook_spec(system: our.Ours, lean: Lean, plan: Plan, first: int) -> RunSpec:
    """A run through our edge."""
    head = f'{{"to":{{"url":"http://{HOST}:{lean.ports.hooks}/hook"}},"content":{{"text":"bench-'
    tail = f' {TEXT}"}}}}'
    host, port = system.address()
    lines, tail = our.http_request((host, port), system.ready.api_key, head, tail)
    return _spec(plan, host, port, (lines, tail), first, "202")


def alert_spec(peer: Alertmanager, plan: Plan, first: int) -> RunSpec:
    """The same run through Alertmanager."""
    return _spec(plan, HOST, peer.port, alert_request(peer.port), first, "200")


def _spec(
    plan: Plan, host: str, port: int, request: tuple[str, str], first: int, good: str
) -> RunSpec:
    return RunSpec(
        "hooks",
        plan.messages,
        host,
        port,
        *request,
        first,
        plan.connections,
        timeout_s=plan.timeout_s,
        good=good,
    )


def webhook(plan: Plan) -> Report:
    """Run the bench; every process that it started has ended when it returns."""
    notes = ["ours: durable (fsync before the 202) and signed; alertmanager: in memory, unsigned"]
    with ExitStack() as stack:
        lean = stack.enter_context(Lean())
        system = stack.enter_context(our.Ours(plan.folder / "ours", plan.cores))
        system.put_account("bench-webhook", hook_account())
        system.switch_off("sandbox-webhook")
        ready_s = time.time()
        side = Side("ours", system.processes, partial(hook_spec, system, lean, plan), [], 2)
        sides = [side]
        if plan.peer:
            folder = plan.folder / "alertmanager"
            peer = stack.enter_context(Alertmanager(folder, lean.ports.hooks))
            other = Side("alertmanager", peer.processes, partial(alert_spec, peer, plan), [], 2)
            sides.append(other)
            rehearse(other, lean, plan.warmup_messages)
        notes.append(warm_up(side, lean, plan, ready_s))
        idle = [f"{one.name} {idle_us_per_s(one) / 1_000:.1f} ms/s" for one in sides]
        notes.append(f"CPU while idle: {', '.join(idle)}")
        numbers = range(0, plan.runs * plan.messages, plan.messages)
        take_turns(sides, lean, plan.runs, numbers, plan.settle_s)
        for one in sides:
            again = sum(s.seen.hook_calls - s.seen.hooks for s in one.samples)
            notes.append(f"{one.name}: webhooks called more than once: {again}")
        notes.append(lean_note(sides))
        return Report(
            "webhook",
            machine(plan.folder),
            plan_fields(plan),
            [figure for one in sides for figure in side_figures(one)],
            bounds(*sides) if plan.peer else [],
            notes,
            [memory(process) for process in system.processes()],
        )


def bounds(side: Side, peer: Side) -> list[Bound]:
    """What is asked of this bench."""
    rate, peer_rate = (median([s.rate for s in one.samples]) for one in (side, peer))
    name, ratio = "rate over alertmanager", rate / peer_rate
    return [
        at_least(name, ratio, RATE_RATIO),
        at_least(name, ratio, RATE_RATIO_WANTED, wanted=True),
    ]
