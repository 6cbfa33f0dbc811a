"""Each bench from its command line to its report, with a stand-in for our own system."""

import os
import sys
from pathlib import Path

import msgspec
import pytest

from core.bench import ours
from core.bench.cli import main
from core.contract.keys import format_key, mint_key

FAKE = Path(__file__).parent / "fake_up.py"
SMALL = [
    "--messages=200",
    "--runs=2",
    "--warmup-messages=20",
    "--settle-s=0.05",
    "--no-wait",
    "--timeout-s=20",
    "--connections=8",
    "--json",
]


@pytest.fixture(autouse=True)
def fake_up(monkeypatch: pytest.MonkeyPatch) -> None:
    key = format_key(mint_key(bytes(40)))
    monkeypatch.setattr(ours, "LAUNCH", (sys.executable, str(FAKE), key))


def bench(capsys: pytest.CaptureFixture[str], tmp_path: Path, *words: str) -> tuple[int, dict]:
    code = main([*words, *SMALL, f"--folder={tmp_path}"])
    out, err = capsys.readouterr()
    assert out, err
    assert list(tmp_path.iterdir()) == []
    return code, msgspec.json.decode(out)


def medians(report: dict) -> dict[str, float]:
    return {figure["name"]: figure["median"] for figure in report["figures"]}


def test_cycle_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, report = bench(capsys, tmp_path, "cycle", "--no-peer")
    assert code == 0
    found = medians(report)
    assert found["ours: whole cycle"] > 0
    assert found["ours: CPU, all processes"] == found["ours: CPU edge"]
    assert report["figures"][0]["n"] == 2
    assert report["machine"]["cores"] == len(os.sched_getaffinity(0))
    assert [m["role"] for m in report["memory"]] == ["edge"]


@pytest.mark.needs("bearerbox")
def test_cycle_beside_kannel(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, report = bench(capsys, tmp_path, "cycle", "--peer-spool=both")
    found = medians(report)
    assert found["kannel, spool on disk: whole cycle"] > 0
    assert found["kannel, spool in memory: CPU bearerbox"] > 0
    ratio = found["ours: whole cycle"] / found["kannel, spool on disk: whole cycle"]
    on_disk = [b for b in report["bounds"] if b["name"] == "rate over kannel, spool on disk"]
    assert [b["value"] for b in on_disk] == pytest.approx([ratio, ratio])


def test_email_beside_aiosmtplib(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("aiosmtplib")
    code, report = bench(capsys, tmp_path, "email", "--check")
    found = medians(report)
    assert found["aiosmtplib: whole cycle"] > 0
    assert found["ours: whole cycle"] > 0
    # The stand-in sends over one session, polled: whether it meets the bound is not the point,
    # but the exit code has to say the same as the report.
    assert code == (1 if report["missed"] else 0)


def test_webhook_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, report = bench(capsys, tmp_path, "webhook", "--no-peer")
    assert code == 0
    assert medians(report)["ours: whole cycle"] > 0
    assert report["bounds"] == []


@pytest.mark.needs("prometheus-alertmanager")
def test_webhook_beside_alertmanager(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, report = bench(capsys, tmp_path, "webhook")
    found = medians(report)
    ratio = found["ours: whole cycle"] / found["alertmanager: whole cycle"]
    assert [b["value"] for b in report["bounds"]] == pytest.approx([ratio, ratio])
    assert "alertmanager: webhooks called more than once: 0" in report["notes"]


def test_accept_edge_link_and_log_port(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, report = bench(capsys, tmp_path, "accept")
    found = medians(report)
    assert found["edge: accepts"] > 0
    assert found["core's link: accepts"] > 0
    assert found["log port: grouped appends"] > 0
    assert [b["name"] for b in report["bounds"]] == ["log port: grouped over one by one"]


def test_backlog_waits_and_drains(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, report = bench(capsys, tmp_path, "backlog", "--backlog=700")
    assert "text, 700 waited: CPU, all processes" in medians(report)
    assert [m["role"] for m in report["memory"]] == [
        "edge, nothing waiting",
        "edge, 700 waiting",
        "edge, drained",
    ]
    assert any("700 accepted at" in note and "700 receipts" in note for note in report["notes"])


def test_a_system_that_does_not_start_is_an_error_with_its_words(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ours, "LAUNCH", (sys.executable, "-c", "raise SystemExit('no disk')"))
    assert main(["cycle", "--no-peer", f"--folder={tmp_path}"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "no disk" in err


def test_route(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, report = bench(capsys, tmp_path, "route")
    found = medians(report)
    assert found["decision with explanation: p99"] >= found["decision with explanation: p50"] > 0
    assert [bound["limit"] for bound in report["bounds"]] == [50.0]
