"""`goutong sim`: what it prints, its exit codes, and wrong arguments."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from core.cli.main import main
from core.sim import run as running
from core.sim import sweep as sweeping
from core.sim.plan import Plan, plan_of
from core.sim.result import Result, Violation
from core.sim.run import simulate

FIELDS = [
    *("seed", "ok", "violations", "messages", "sent", "in_doubt", "possible_duplicates"),
    *("lost_local", "faults", "digest", "profile"),
]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checker finds something whenever a request is in the plan."""

    whole = simulate(plan_of(3))
    lost = [Violation("lost", "a message is gone", 5.0)]

    def failing(plan: Plan) -> Result:
        asked = any(step.kind == "submit" for step in plan.steps)
        return replace(whole, seed=plan.seed, ok=not asked, violations=lost if asked else [])

    monkeypatch.setattr(running, "simulate", failing)
    monkeypatch.setattr(sweeping, "simulate", failing)


def test_json_of_one_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "--seed", "3", "--json"]) == 0
    first = capsys.readouterr().out
    told = json.loads(first)
    assert list(told) == FIELDS
    assert (told["seed"], told["ok"], told["violations"]) == (3, True, [])
    assert main(["sim", "--seed", "3", "--json"]) == 0
    assert capsys.readouterr().out == first


def test_steps_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "--seed", "3", "--steps"]) == 0
    out = capsys.readouterr().out
    assert "  submit " in out
    assert main(["sim", "--seed", "3", "--steps", "--json"]) == 0
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert out.startswith(f"steps: {len(steps)}\n")


def test_violation_is_shortened_told_and_drawn(
    broken: None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "run.html"
    assert main(["sim", "--seed", "3", "--steps", "--html", str(file)]) == 1
    told = capsys.readouterr()
    assert told.out.startswith("steps: 1\n")
    assert "!! 5.000 s  lost: a message is gone" in told.out
    assert "a rule was broken" in told.out
    assert "steps became 1 in " in told.err
    assert "lost" in file.read_text()


def test_no_shrink(broken: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "--seed", "3", "--no-shrink"]) == 1
    told = capsys.readouterr()
    assert "lost: a message is gone" in told.out
    assert told.err == ""


def test_json_of_a_violation_is_of_the_whole_run(
    broken: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sim", "--seed", "3", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["violations"] == [{"checker": "lost", "what": "a message is gone", "at": 5.0}]
    assert told["messages"] > 1


def test_seeds_in_several_processes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "--seeds", "1-4", "--jobs", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["seeds"], told["ok"], told["violations"]) == (4, True, {})
    assert 0 < told["cpu_s"]["median"] <= told["cpu_s"]["p95"]
    assert all(0 < share <= 1 for share in told["faults"].values())


def test_failing_seeds_are_told_as_they_are_found(
    broken: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sim", "--seeds", "1-2", "--jobs", "1"]) == 1
    told = capsys.readouterr()
    assert "seed 1: lost: a message is gone\n" in told.err
    assert "seed 2: lost: a message is gone\n" in told.err
    assert "2 seeds (swarm), 2 with a violation" in told.out
    assert "first failing: 1, 2" in told.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--seed", "x"], "--seed x: is not a number"),
        (["--seed", "1", "--profile", "none"], "There are: swarm"),
        (["--seed", "1", "--jobs", "2"], "--jobs goes with --seeds"),
        (["--seed", "1", "--html", "no/such/folder/x"], "cannot be written"),
        (["--seeds", "7"], "is not A-B"),
        (["--seeds", "9-7"], "ends before it begins"),
        (["--seeds", "1-2", "--jobs", "0"], "at least one"),
        (["--seeds", "1-2", "--html", "x"], "go with --seed"),
    ],
)
def test_wrong_arguments(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", *words]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["--seed", "1", "--seeds", "1-2"]])
def test_one_of_seed_and_seeds(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["sim", *words])
    assert caught.value.code == 2


def test_ctrl_c_ends_it_and_sums_up_what_was_run() -> None:
    words = [sys.executable, "-m", "core.cli", "sim", "--seeds", "0-100000", "--jobs", "2"]
    program = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert program.stderr is not None
    try:
        assert " of 100001 seeds, " in program.stderr.readline()
        os.killpg(program.pid, signal.SIGINT)
        out, err = program.communicate(timeout=60)
    finally:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGKILL)
    assert program.returncode == 130
    assert "Stopped after " in err
    assert "Traceback" not in err
    assert " seeds (swarm), 0 with a violation" in out
