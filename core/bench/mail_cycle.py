"""`goutong bench email`: the cycle over SMTP, beside plain aiosmtplib to the same sink.

Both end when the sink has answered the last mail with 250; e-mail has no receipt here. Ours takes
the request over HTTP and makes it durable first; the library does neither.
"""

import importlib.util
import subprocess
import sys
import time
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Self

from msgspec.structs import replace

from core.bench import ours as our
from core.bench.cycle import REHEARSAL_NUMBERS, warm_up
from core.bench.lean.wire import RunResult, RunSpec
from core.bench.leanctl import Lean
from core.bench.machine import machine
from core.bench.measure import Side, check, idle_us_per_s, measure, sample
from core.bench.plan import MAIL_HEAD, MAIL_TAIL, SUBJECT, TEXT, BenchError, Plan
from core.bench.proc import Process, cpu_by_role, memory
from core.bench.processes import start, stop
from core.bench.report import Report, lean_note, plan_fields, side_figures
from core.bench.stats import at_least, median

RATE_RATIO = 0.5
MEND = "install the development extra (pip install goutong[dev]), or use --no-peer"


def mail_body() -> tuple[str, str]:
    """The JSON body, cut where the number goes."""
    content = f'{{"subject":"{SUBJECT}","text":"{TEXT}"}}'
    return f'{{"to":{{"email":"{MAIL_HEAD}', f'{MAIL_TAIL}"}},"content":{content}}}'


def mail_spec(system: our.Ours, plan: Plan, first: int) -> RunSpec:
    """A run of the cycle over e-mail through our edge."""
    host, port = system.address()
    head, tail = our.http_request((host, port), system.ready.api_key, *mail_body())
    return RunSpec(
        "mails",
        plan.messages,
        host,
        port,
        head,
        tail,
        first,
        plan.connections,
        timeout_s=plan.timeout_s,
    )


def use_mail_account(system: our.Ours, lean: Lean, plan: Plan) -> None:
    """One account at the lean sink and no other for e-mail."""
    system.put_account("bench-smtp", our.mail_account(lean.ports.smtp, plan.smtp_sessions))
    system.switch_off("sandbox-smtp")


class SmtpPeer:
    """The aiosmtplib process as a context."""

    def __init__(self, port: int, plan: Plan) -> None:
        self._port = port
        self._plan = plan
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if importlib.util.find_spec("aiosmtplib") is None:
            raise BenchError(f"aiosmtplib is not installed: {MEND}")
        argv = [sys.executable, "-m", "core.bench.peer_smtp", str(self._port)]
        self._process = start([*argv, str(self._plan.smtp_sessions)], pipes=True)
        if self._line() != b"ready":
            raise BenchError("the aiosmtplib process did not connect to the sink")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            stop(self._process, 1.0)

    def processes(self) -> list[Process]:
        """The one process."""
        assert self._process is not None
        return [Process("aiosmtplib", self._process.pid)]

    def run(self, lean: Lean, first: int, count: int) -> RunResult:
        """Send `count` mails and see them arrive; times count from the library's own start."""
        spec = RunSpec("mails", count, timeout_s=self._plan.timeout_s)
        seen = lean.run(spec, partial(self._say, f"{first} {count}\n".encode()))
        check("aiosmtplib", spec, seen)
        began = float(self._line())
        return replace(seen, first_at=began, reached_s=seen.reached_at - began)

    def _say(self, line: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def _line(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def email(plan: Plan) -> Report:
    """Run the bench; every process that it started has ended when it returns."""
    notes = ["aiosmtplib: no request taken in, nothing stored; its mails are made in advance"]
    with ExitStack() as stack:
        lean = stack.enter_context(Lean())
        system = stack.enter_context(our.Ours(plan.folder / "ours", plan.cores))
        use_mail_account(system, lean, plan)
        ready_s = time.time()
        side = Side("ours", system.processes, partial(mail_spec, system, plan), [], 2)
        peer = stack.enter_context(SmtpPeer(lean.ports.smtp, plan)) if plan.peer else None
        other = Side("aiosmtplib", peer.processes if peer else list, side.spec, [], 1)
        if peer:
            peer.run(lean, REHEARSAL_NUMBERS, plan.warmup_messages)
        notes.append(warm_up(side, lean, plan, ready_s))
        notes.append(f"CPU of ours while idle: {idle_us_per_s(side) / 1_000:.1f} ms/s")
        for run in range(plan.runs):
            first = run * plan.messages
            side.samples.append(measure(side, lean, first, plan.settle_s))
            if peer:
                before = cpu_by_role(peer.processes())
                seen = peer.run(lean, first, plan.messages)
                after = cpu_by_role(peer.processes())
                other.samples.append(sample(plan.messages, seen, before, after))
        sides = [side, other] if peer else [side]
        notes.append(lean_note(sides))
        rate, peer_rate = (median([s.rate for s in x.samples] or [1.0]) for x in (side, other))
        return Report(
            "email",
            machine(plan.folder),
            plan_fields(plan),
            [figure for one in sides for figure in side_figures(one)],
            [at_least("rate over aiosmtplib", rate / peer_rate, RATE_RATIO)] if peer else [],
            notes,
            [memory(process) for process in system.processes()],
        )
