"""Figures, bounds, the report, and what they are measured with."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import phonenumbers
import pytest

from core.bench.cli import main, parser, plan_of
from core.bench.cycle import bounds, sms_body
from core.bench.kannel import sendsms_request
from core.bench.lean.goal import Goal
from core.bench.lean.wire import RunResult, RunSpec
from core.bench.machine import Machine, file_system, fsync_ms
from core.bench.measure import Sample, Side, check, sample
from core.bench.ours import http_request
from core.bench.plan import PHONE_HEAD, BenchError
from core.bench.proc import Process, ProcessGoneError, cpu_s, memory
from core.bench.report import Report, as_json, as_table, lean_note, plan_fields, side_figures
from core.bench.stats import at_least, at_most, figure, median

SEEN = RunResult(
    accepted=100,
    refused={},
    first_refusal="",
    submits=100,
    distinct=100,
    receipts=100,
    receipts_refused=0,
    callbacks=0,
    mails=0,
    first_at=5.0,
    reached_at=5.5,
    accept_s=0.25,
    reached_s=0.5,
    accept_p50_ms=3.0,
    accept_p99_ms=9.0,
    cpu_s=0.004,
)


def test_median_and_figure() -> None:
    assert median([3, 1, 2]) == 2
    assert median([4, 1, 2, 3]) == 2.5
    one = figure("x", "ms", [5.0, 1.0, 3.0])
    assert (one.n, one.median, one.min, one.max) == (3, 3.0, 1.0, 5.0)
    with pytest.raises(ValueError, match="nothing"):
        median([])


def test_bounds_from_below_and_above() -> None:
    assert at_least("a", 1.0, 1.0).met
    assert not at_least("a", 0.99, 1.0).met
    assert at_most("a", 600, 600).met
    assert not at_most("a", 601, 600).met


def test_a_goal_takes_the_time_of_the_hit_that_reaches_it() -> None:
    times = iter([7.0, 8.0])
    goal = Goal(lambda: next(times))
    goal.aim(3)
    goal.hit(2)
    assert not goal.reached.is_set()
    goal.hit(2)
    goal.hit(1)
    assert (goal.count, goal.reached_at) == (5, 7.0)
    goal.aim(0)
    goal.hit(10)
    assert not goal.reached.is_set()


def test_a_sample_is_per_message() -> None:
    one = sample(100, SEEN, {"edge": 1.0, "core": 2.0}, {"edge": 1.01, "core": 2.03})
    assert one.rate == 200
    assert one.accept_rate == 400
    assert one.cpu_us == pytest.approx({"edge": 100.0, "core": 300.0})
    assert one.cpu_total_us == pytest.approx(400.0)
    assert one.lean_us == pytest.approx(40.0)


def test_a_run_that_was_refused_or_not_reached_is_no_measurement() -> None:
    spec = RunSpec("receipts", 100)
    check("x", spec, SEEN)
    with pytest.raises(BenchError, match="503"):
        check("x", spec, msgspec.structs.replace(SEEN, refused={"503": 2}))
    with pytest.raises(BenchError, match="receipts 99"):
        check("x", spec, msgspec.structs.replace(SEEN, receipts=99, error="not reached"))


def side(name: str, rate: float, cpu_us: float) -> Side:
    one = Sample(rate, rate, 1.0, 2.0, {"core": cpu_us}, 40.0, SEEN)
    return Side(name, list, lambda first: RunSpec("receipts", 1, first=first), [one, one], 2)


def test_cycle_bounds_compare_with_the_first_peer_and_wish_for_the_rest() -> None:
    found = bounds(side("ours", 3_000, 400), [side("disk", 1_000, 1), side("memory", 4_000, 1)])
    missed = [(b.name, b.limit) for b in found if not b.met]
    assert missed == [
        ("own CPU, us a message", 350.0),
        ("rate over memory", 1.0),
        ("rate over memory", 2.0),
    ]
    assert [b for b in found if not b.met and not b.wanted] == []
    slow = bounds(side("ours", 900, 601), [side("disk", 1_000, 1)])
    assert [b.name for b in slow if not b.met and not b.wanted] == [
        "own CPU, us a message",
        "rate over disk",
    ]


def test_the_report_says_everything_twice_as_table_and_as_json(tmp_path: Path) -> None:
    ours = side("ours", 900, 601)
    plan = plan_of(parser().parse_args(["cycle"]), tmp_path)
    report = Report(
        "cycle",
        Machine(2, "3.11.7", "6.1", "ext4", 0.2, 0.5),
        plan_fields(plan),
        side_figures(ours),
        bounds(ours, []),
        [lean_note([ours])],
        [memory(Process("core", os.getpid()))],
    )
    table = as_table(report)
    assert "ours: whole cycle" in table
    assert "MISSED" in table
    assert "connections 64" in table
    assert str(tmp_path) not in table
    fields = msgspec.json.decode(as_json(report))
    assert fields["missed"] == ["own CPU, us a message"]
    assert fields["figures"][0]["median"] == 900
    assert fields["plan"]["messages"] == 10_000


def test_cpu_and_memory_of_a_process() -> None:
    before = cpu_s(os.getpid())
    while cpu_s(os.getpid()) == before:
        sum(range(10_000))
    one = memory(Process("me", os.getpid()))
    assert 5 < one.resident_mib <= one.peak_mib


def test_a_process_that_ended_is_not_measured() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with pytest.raises(ProcessGoneError):
        cpu_s(child.pid)
    with pytest.raises(ProcessGoneError):
        memory(Process("x", child.pid))


def test_the_machine_is_looked_at(tmp_path: Path) -> None:
    assert fsync_ms(tmp_path, samples=3) > 0
    assert file_system(Path("/proc")) == "proc"


@pytest.mark.parametrize("number", [0, 1, 9_999_999, 10_000_000, 54_321_098, 99_999_999])
def test_every_number_of_the_range_is_a_valid_phone(number: int) -> None:
    parsed = phonenumbers.parse(f"{PHONE_HEAD}{number:08d}")
    assert phonenumbers.is_valid_number(parsed)


def test_our_request_has_the_length_that_it_says() -> None:
    head, tail = http_request(("127.0.0.1", 80), "key", *sms_body())
    request = f"{head}{7:08d}{tail}"
    headers, _, body = request.partition("\r\n\r\n")
    assert f"Content-Length: {len(body)}" in headers
    assert msgspec.json.decode(body)["to"] == {"phone": f"{PHONE_HEAD}00000007"}


def test_kannels_request_asks_for_one_callback() -> None:
    head, tail = sendsms_request(1, 2)
    line = f"{head}{7:08d}{tail}".split("\r\n")[0]
    assert line.startswith("GET /cgi-bin/sendsms?")
    assert "&to=%2B447300000007&" in line
    assert "dlr-mask=19" in line
    assert " " not in line.removeprefix("GET ").removesuffix(" HTTP/1.1")


def test_wrong_arguments_end_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cycle", "--messages", "0"]) == 2
    assert main(["frobnicate"]) == 2
    assert "must be 1 or more" in capsys.readouterr().err
