"""`goutong bench accept`: durable accepts, through the edge and without it, and the log port alone.

The only account for text messages points at a port where nobody listens: what is accepted waits,
and nothing but accepting is measured. Both ways have the same number of requests under way.
"""

import http.client
import time
from contextlib import ExitStack
from functools import partial

import msgspec

from core.bench import ours as our
from core.bench.cycle import sms_body, sms_spec, warm_up
from core.bench.kannel import free_ports
from core.bench.lean.wire import RunSpec
from core.bench.leanctl import Lean
from core.bench.log_port import measure_log_port
from core.bench.machine import machine
from core.bench.measure import Side, take_turns
from core.bench.plan import HOST, PHONE_HEAD, Plan
from core.bench.proc import memory
from core.bench.report import Report, lean_note, plan_fields, side_figures
from core.bench.stats import Bound, Figure, at_least, figure, median
from core.contract.internal import INTERNAL_SECRET_HEADER, KeyAnswer
from core.contract.keys import parse_key

LOG_RATIO = 10.0
LINKS = 2
SINGLE_SHARE = 20  # one record by itself costs that much more: fewer of them take as long


def tenant_of(system: our.Ours, link: our.LinkAddress) -> str:
    """The tenant of the bench's key, as the core's internal HTTP says it to an edge."""
    key = parse_key(system.ready.api_key)
    assert key is not None
    headers = {INTERNAL_SECRET_HEADER: link.secret}
    connection = http.client.HTTPConnection(HOST, link.http_port, timeout=our.CALL_TIMEOUT_S)
    try:
        connection.request("GET", f"/internal/keys/{key.id}", None, headers)
        answer = connection.getresponse().read()
    finally:
        connection.close()
    return msgspec.json.decode(answer, type=KeyAnswer).tenant


def link_spec(system: our.Ours, plan: Plan, first: int) -> RunSpec:
    """A run over the first core's framed link."""
    link = system.link()
    head, tail = sms_body()
    return RunSpec(
        "accepted",
        plan.messages,
        HOST,
        link.link_port,
        head,
        tail,
        first,
        LINKS,
        timeout_s=plan.timeout_s,
        link_secret=link.secret,
        tenant=tenant_of(system, link),
        recipient=PHONE_HEAD,
        depth=max(1, plan.connections // LINKS),
    )


def edge_spec(system: our.Ours, plan: Plan, first: int) -> RunSpec:
    """A run through the edge that ends with the last 202."""
    return msgspec.structs.replace(sms_spec(system, plan, first), target="accepted")


def accept(plan: Plan) -> Report:
    """Run the bench; every process that it started has ended when it returns."""
    with ExitStack() as stack:
        lean = stack.enter_context(Lean())
        system = stack.enter_context(our.Ours(plan.folder / "ours", plan.cores))
        system.put_account("bench-smsc", our.sms_account(free_ports(1)[0], plan.window))
        system.switch_off_sandbox_sms()
        ready_s = time.time()
        edge = Side("edge", system.processes, partial(edge_spec, system, plan), [], 1)
        link = Side("core's link", system.processes, partial(link_spec, system, plan), [], 1)
        notes = [warm_up(edge, lean, plan, ready_s)]
        # The two sides share the system, so they must not share numbers.
        for run in range(plan.runs):
            first = 2 * run * plan.messages
            take_turns([edge], lean, 1, range(first, first + 1), plan.settle_s)
            first += plan.messages
            take_turns([link], lean, 1, range(first, first + 1), plan.settle_s)
        notes.append("what was accepted waits: the only account has nobody listening")
        notes.append(lean_note([edge, link]))
        held = [memory(process) for process in system.processes()]
    figures, bounds = log_port(plan)
    return Report(
        "accept",
        machine(plan.folder),
        plan_fields(plan),
        [*side_figures(edge, cycle=False), *side_figures(link, cycle=False), *figures],
        bounds,
        notes,
        held,
    )


def log_port(plan: Plan) -> tuple[list[Figure], list[Bound]]:
    """Grouped appends against one transaction a record."""
    grouped, single = [], []
    for run in range(plan.runs):
        folder = plan.folder / f"log-port-{run}"
        folder.mkdir()
        many = max(1, plan.messages // SINGLE_SHARE)
        both = measure_log_port(folder, plan.messages, many, plan.log_depth)
        grouped.append(both[0])
        single.append(both[1])
    figures = [
        figure("log port: grouped appends", "rec/s", grouped),
        figure("log port: one transaction a record", "rec/s", single),
    ]
    ratio = median(grouped) / median(single)
    return figures, [at_least("log port: grouped over one by one", ratio, LOG_RATIO)]
