"""A day of mixed traffic in seconds: `goutong bench day` finds nothing that breaks its word."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def test_a_short_day_keeps_every_promise() -> None:
    words = [sys.executable, "-m", "core.cli", "bench", "day", "--json"]
    words += ["--minutes", "0.35", "--per-second", "40"]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=115, check=False)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    found = json.loads(ended.stdout)
    assert found["missed"] == []
    tables = {table["title"]: table for table in found["tables"]}
    assert {row[0] for row in tables["ends"]["rows"]} == {"sms", "email", "webhook"}
    phases = [row[0] for row in tables["accounts for text messages"]["rows"]]
    assert phases == ["before", "during", "after"]
