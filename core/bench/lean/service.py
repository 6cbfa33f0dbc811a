"""The lean process itself: listens, carries out runs one after another, reports each.

It says its ports in the first line of standard output, then reads one run a line from standard
input and answers with one result a line; at the end of the input it ends. A run that does not
reach its goal in its time-out is reported with what it saw and an `error`, never raised.
"""

import asyncio
import gc
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import get_args

import msgspec
from msgspec import Struct

from core.bench.lean.awaited import Awaited
from core.bench.lean.goal import Goal
from core.bench.lean.hooks import HookSink, HookTally
from core.bench.lean.http import CallbackSink, Caller, Load
from core.bench.lean.link import LinkCaller
from core.bench.lean.smpp import Smsc, SmscConnection
from core.bench.lean.smtp import SmtpSession, SmtpTally
from core.bench.lean.wire import Armed, Goals, Ports, RunResult, RunSpec

HOST = "127.0.0.1"


def cpu_s() -> float:
    """CPU seconds, user and system, that this process took so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def quantile_ms(sorted_s: list[float], share: float) -> float:
    """The value below which `share` of the sorted seconds lie, in milliseconds; 0 of nothing."""
    if not sorted_s:
        return 0.0
    return 1_000 * sorted_s[min(len(sorted_s) - 1, int(share * len(sorted_s)))]


class LeanService:
    """Listeners and counters that live as long as the process."""

    def __init__(self, loop: asyncio.AbstractEventLoop, first_id: int) -> None:
        self._loop = loop
        now = time.perf_counter
        self._goals = {name: Goal(now) for name in get_args(Goals)}
        self._smsc = Smsc(self._goals["receipts"], first_id, now, loop.call_later)
        self._smtp = SmtpTally(self._goals["mails"])
        self._hooks = HookTally(self._goals["hooks"])
        self._servers: list[asyncio.Server] = []

    async def listen(self, pid: int) -> Ports:
        """Open the listeners on free ports."""
        return Ports(
            pid,
            await self._serve(lambda: SmscConnection(self._smsc)),
            await self._serve(lambda: SmtpSession(self._smtp)),
            await self._serve(lambda: CallbackSink(self._goals["callbacks"])),
            await self._serve(lambda: HookSink(self._hooks)),
        )

    async def _serve(self, make: Callable[[], asyncio.Protocol]) -> int:
        server = await self._loop.create_server(make, HOST, 0, backlog=1_024)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Close the listeners."""
        for server in self._servers:
            server.close()

    async def run(self, spec: RunSpec, armed: Callable[[], None]) -> RunResult:
        """Carry out one run; `armed` is called when the counters are set."""
        for name, goal in self._goals.items():
            goal.aim(spec.count if name == spec.target else 0)
        awaited = None
        if spec.target == "awaited":
            awaited = Awaited(spec.recipient, self._goals["awaited"])
        self._smsc.begin(spec.receipt_delay_ms / 1_000, awaited)
        self._smtp.begin()
        self._hooks.begin()
        load = Load(
            spec.head.encode(),
            spec.tail.encode(),
            range(spec.first, spec.first + spec.count),
            accepted=self._goals["accepted"],
            now=time.perf_counter,
            good=spec.good.encode(),
            awaited=awaited,
            pause=partial(self._loop.call_later, spec.pause_ms / 1_000) if spec.pause_ms else None,
        )
        gc.collect()
        gc.disable()
        armed()
        cpu_before_s = cpu_s()
        error = await self._drive(spec, load)
        used_s = cpu_s() - cpu_before_s
        gc.enable()
        return self._result(spec, load, used_s, error)

    async def _drive(self, spec: RunSpec, load: Load) -> str:
        """Open the connections, send, and wait for the goal; the text says what went wrong."""
        reached = self._goals[spec.target].reached
        failure: asyncio.Future[Exception] = self._loop.create_future()

        def failed(error: Exception) -> None:
            if not failure.done():
                failure.set_result(error)

        callers: list[Caller | LinkCaller] = []
        try:
            if spec.host:
                callers = await self._connect(spec, load, failed)
                for caller in callers:
                    caller.go()
            waiting = asyncio.ensure_future(reached.wait())
            done, _ = await asyncio.wait(
                (waiting, failure), timeout=spec.timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            waiting.cancel()
        except OSError as error:
            return f"cannot connect to {spec.host}:{spec.port}: {error}"
        finally:
            for caller in callers:
                caller.close()
        if reached.is_set():
            return ""
        if not done:
            return f"not reached within {spec.timeout_s:g} s"
        return f"{type(failure.result()).__name__}: {failure.result()}"

    async def _connect(
        self, spec: RunSpec, load: Load, failed: Callable[[Exception], None]
    ) -> list[Caller | LinkCaller]:
        def make() -> Caller | LinkCaller:
            return LinkCaller(load, spec, failed) if spec.link_secret else Caller(load, failed)

        callers: list[Caller | LinkCaller] = []
        for _ in range(spec.connections):
            _, caller = await self._loop.create_connection(make, spec.host, spec.port)
            callers.append(caller)
        return callers

    def _result(self, spec: RunSpec, load: Load, used_s: float, error: str) -> RunResult:
        goals = self._goals
        begin = load.first_at
        latencies = sorted(load.latencies_s)
        took = sorted(load.awaited.took_s if load.awaited else ())
        reached_at = goals[spec.target].reached_at
        return RunResult(
            accepted=goals["accepted"].count,
            refused=load.refused,
            first_refusal=load.first_refusal,
            submits=self._smsc.submits,
            distinct=len(self._smsc.destinations) or len(self._smtp.recipients),
            receipts=goals["receipts"].count,
            receipts_refused=self._smsc.refused,
            callbacks=goals["callbacks"].count,
            mails=goals["mails"].count,
            first_at=begin,
            reached_at=reached_at,
            accept_s=load.last_at - begin if load.last_at else 0.0,
            reached_s=reached_at - begin if reached_at and begin else 0.0,
            accept_p50_ms=quantile_ms(latencies, 0.5),
            accept_p99_ms=quantile_ms(latencies, 0.99),
            cpu_s=used_s,
            error=error,
            hooks=goals["hooks"].count,
            hook_calls=self._hooks.calls,
            arrived_p50_ms=quantile_ms(took, 0.5),
            arrived_p99_ms=quantile_ms(took, 0.99),
        )


def say(line: Struct) -> None:
    """One line to the parent."""
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


async def serve(pid: int, first_id: int) -> None:
    """Run until standard input ends."""
    service = LeanService(asyncio.get_running_loop(), first_id)
    decoder = msgspec.json.Decoder(RunSpec)
    say(await service.listen(pid))
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        say(await service.run(decoder.decode(line), lambda: say(Armed())))
    service.close()
