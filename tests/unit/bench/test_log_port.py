"""The log port's two ways write what they say, and the accept and backlog bounds are as asked."""

import sqlite3
from pathlib import Path

import pytest
import uvloop

from core.bench.backlog import both
from core.bench.backlog import bounds as backlog_bounds
from core.bench.log_port import grouped_rate, measure_log_port, record, single_rate
from core.bench.measure import Side
from sync.records import decode_row
from tests.unit.bench.test_figures import side


def rows(path: Path) -> list[bytes]:
    with sqlite3.connect(path) as db:
        found = [body for (body,) in db.execute("SELECT body FROM log_rows ORDER BY row")]
    db.close()
    return found


def test_grouped_appends_store_every_record_in_few_rows(tmp_path: Path) -> None:
    rate = uvloop.run(grouped_rate(tmp_path / "g.db", 2_000, 256))
    assert rate > 0
    bodies = rows(tmp_path / "g.db")
    assert [r.id for b in bodies for r in decode_row(b)] == [record(n).id for n in range(2_000)]
    assert len(bodies) < 200


def test_single_appends_store_one_record_a_row(tmp_path: Path) -> None:
    assert single_rate(tmp_path / "s.db", 50) > 0
    assert [[r.id for r in decode_row(b)] for b in rows(tmp_path / "s.db")] == [
        [record(n).id] for n in range(50)
    ]


def test_both_are_measured_in_one_folder(tmp_path: Path) -> None:
    grouped, single = measure_log_port(tmp_path, 1_000, 50, 256)
    assert grouped > single > 0


def test_backlog_bounds_are_ratios_of_cost() -> None:
    sides: list[Side] = [side("a", 1, cpu) for cpu in (400.0, 500.0, 300.0, 330.0)]
    flows, mail, text = backlog_bounds(*sides)
    assert flows.met
    assert mail.value == pytest.approx(1.1)
    assert mail.met
    assert text.value == pytest.approx(1.25)
    assert not text.met


def test_a_channel_that_stands_still_behind_the_backlog_is_missed() -> None:
    sides: list[Side] = [side("a", 1, 400.0) for _ in range(4)]
    sides[3].samples.clear()
    assert [(b.name, b.met) for b in backlog_bounds(*sides)] == [
        ("e-mail: flows beside the backlog", False),
        ("text: CPU of the backlog over straight", True),
    ]


def test_accepting_and_sending_add_up() -> None:
    one = side("a", 10, 100.0).samples[0]
    assert both(one, one).cpu_total_us == 200
    assert both(one, one).lean_us == 80
