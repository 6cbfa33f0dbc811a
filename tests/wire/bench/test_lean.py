"""The lean process over real sockets: as a child, against a trivial relay, mail and Kannel."""

import asyncio
import contextlib
import smtplib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.bench.cli import parser, plan_of
from core.bench.cycle import kannel_spec, sms_body
from core.bench.kannel import Kannel
from core.bench.lean.wire import RunResult, RunSpec
from core.bench.leanctl import Lean
from core.bench.measure import Side, check, measure
from core.bench.ours import http_request
from core.bench.proc import cpu_s
from tests.wire.bench.relay import Relay


@pytest.fixture
def lean() -> Iterator[Lean]:
    with Lean() as one:
        yield one


def relay_spec(relay: Relay, count: int, timeout_s: float = 20.0) -> RunSpec:
    head, tail = http_request(("127.0.0.1", relay.port), "key", *sms_body())
    return RunSpec(
        "receipts",
        count,
        "127.0.0.1",
        relay.port,
        head,
        tail,
        connections=8,
        receipt_delay_ms=20,
        timeout_s=timeout_s,
    )


async def through_relay(lean: Lean, count: int, **faults: int) -> RunResult:
    timeout_s = 1.5 if "refuse_every" in faults else 20.0
    async with Relay(lean.ports.smsc, **faults) as relay:
        return await asyncio.to_thread(lean.run, relay_spec(relay, count, timeout_s))


async def test_every_message_goes_round_once(lean: Lean) -> None:
    for _ in range(2):  # the second run begins at nought again
        seen = await through_relay(lean, 500)
        assert seen.error == ""
        assert seen.accepted == seen.submits == seen.distinct == seen.receipts == 500
        assert 0 < seen.accept_s < seen.reached_s
        assert seen.reached_s > 0.02
        assert 0 < seen.accept_p50_ms <= seen.accept_p99_ms
        assert 0 < seen.cpu_s < seen.reached_s + 1


async def test_refused_receipts_come_again(lean: Lean) -> None:
    seen = await through_relay(lean, 100, nack_every=10)
    assert seen.error == ""
    assert seen.receipts == 100
    assert seen.receipts_refused >= 10


async def test_refused_requests_are_reported(lean: Lean) -> None:
    seen = await through_relay(lean, 100, refuse_every=10)
    assert seen.refused == {"503": 10}
    assert "Not now" in seen.first_refusal
    assert "not reached within" in seen.error


def test_nobody_listening_is_an_error_of_the_run_and_not_of_the_process(lean: Lean) -> None:
    closed = RunSpec("accepted", 1, "127.0.0.1", 1, "GET /", " HTTP/1.1\r\n\r\n", timeout_s=5)
    assert "cannot connect" in lean.run(closed).error
    assert "cannot connect" in lean.run(closed).error


def test_mails_of_somebody_else_are_counted_on_the_same_clock(lean: Lean) -> None:
    started: list[float] = []

    def send() -> None:
        started.append(time.perf_counter())
        with smtplib.SMTP("127.0.0.1", lean.ports.smtp, timeout=5) as client:
            for number in range(5):
                client.sendmail("a@b.c", [f"u{number}@e.f"], b"Subject: x\r\n\r\nhello\r\n.dot\r\n")

    seen = lean.run(RunSpec("mails", 5, timeout_s=10), send)
    assert (seen.error, seen.mails, seen.distinct) == ("", 5, 5)
    assert started[0] < seen.reached_at < time.perf_counter()


def test_the_process_ends_with_its_context() -> None:
    with Lean() as one:
        pid = one.ports.pid
        assert cpu_s(pid) >= 0
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.needs("bearerbox")
def test_kannel_goes_round_and_leaves_nothing_behind(lean: Lean, tmp_path: Path) -> None:
    plan = plan_of(
        parser().parse_args(["cycle", "--messages", "300", "--timeout-s", "30"]), tmp_path
    )
    with Kannel(tmp_path / "kannel", plan, lean.ports.smsc) as kannel:
        pids = [process.pid for process in kannel.processes()]
        assert len(pids) == 2
        side = Side(
            "kannel", kannel.processes, lambda first: kannel_spec(kannel, lean, plan, first), [], 3
        )
        sample = measure(side, lean, 0, 0.1)
        check("kannel", side.spec(0), sample.seen)
        assert sample.seen.callbacks == sample.seen.submits == sample.seen.distinct == 300
        assert set(sample.cpu_us) == {"bearerbox", "smsbox"}
        assert sample.cpu_total_us > 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError):
            assert "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
