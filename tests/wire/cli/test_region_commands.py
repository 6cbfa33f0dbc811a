"""`goutong regions` and `goutong audit`, against what they ask and read."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.cli.main import main
from tests.wire.cli.test_client_commands import Region, region

__all__ = ["region"]  # a fixture
Captured = pytest.CaptureFixture[str]
SERVING = {
    "version": 2,
    "data": [
        {"name": "eu", "state": "serving", "share_pct": 100, "reason": ""},
        {"name": "us", "state": "draining", "share_pct": 0, "reason": "disks"},
    ],
}

INSTALLED = {"names": ["eu", "us"], "cores": {}, "gateways": {}, "addresses": {}}


def shown(name: str, state: str, **fields: Any) -> dict[str, Any]:
    usual = {"share_pct": 100, "shards": 64, "cores": [{}], "lag_rows": 0, "heard_s": 0.2}
    return {"region": name, "state": state, "reason": "", **usual, **fields}


def test_the_list_tells_each_region_and_who_says_so(region: Region, capsys: Captured) -> None:
    data = [shown("eu", "serving"), shown("us", "silent", cores=[], lag_rows=None, heard_s=None)]
    answer = {"region": "eu", "map_version": 1, "isolated": True, "data": data}
    region.answers["GET", "/v1/regions"] = (200, answer)
    assert main(["regions"]) == 0
    told = capsys.readouterr()
    lines = [line.split() for line in told.out.splitlines()]
    assert lines[1] == ["eu", "serving", "100", "64", "1", "0", "0.2"]
    assert lines[2] == ["us", "silent", "100", "64", "0", "-", "-"]
    assert "As region eu knows them" in told.err and "cut off" in told.err


def test_a_region_is_drained_with_a_reason(region: Region, capsys: Captured) -> None:
    region.answers["POST", "/v1/regions/us/drain"] = (200, SERVING)
    assert main(["regions", "drain", "us", "--reason", "disks"]) == 0
    assert region.asked[-1][3] == {"reason": "disks"}
    assert "draining" in capsys.readouterr().out


def test_a_rule_that_says_no_is_told_with_its_words(region: Region, capsys: Captured) -> None:
    refusal = {
        "title": "A rule does not allow it now",
        "code": "rule_says_no",
        "detail": "us: no other region than us serves fully. Let another region return first.",
        "trace_id": "t",
    }
    region.answers["POST", "/v1/regions/us/drain"] = (409, refusal)
    assert main(["regions", "drain", "us", "--reason", "x"]) == 1
    assert "Let another region return first" in capsys.readouterr().err


def test_ownership_is_forced_by_who_says_that_he_knows_the_price(
    region: Region, capsys: Captured
) -> None:
    assert main(["regions", "force-own", "local"]) == 1
    assert "--i-accept-duplicates" in capsys.readouterr().err and not region.asked
    answer = {"number": 1, "alone": True, "regions": ["local"]}
    region.answers["POST", "/v1/regions/local/force-own"] = (200, answer)
    assert main(["regions", "force-own", "local", "--i-accept-duplicates"]) == 0
    assert region.asked[-1][3] == {"accept_duplicates": True}
    assert "owns alone" in capsys.readouterr().err


def test_a_named_region_is_asked_itself(region: Region, tmp_path: Path) -> None:
    up = tmp_path / "goutong-data" / "up.json"
    running = json.loads(up.read_text())
    running["regions"] = {"eu": {"url": "http://127.0.0.1:9"}, "us": {"url": region.url}}
    up.write_text(json.dumps(running))
    region.answers["POST", "/v1/regions/us/join"] = (
        200,
        {"number": 2, "alone": False, "regions": []},
    )
    assert main(["regions", "join", "us", "--repaired", "eu,us"]) == 0
    assert region.asked[-1][3] == {"repaired": ["eu", "us"]}


def test_an_audit_whose_settings_are_wrong_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    (tmp_path / "regions.json").write_text(json.dumps(INSTALLED))
    monkeypatch.setenv("GOUTONG_STORE_KINDD", "x")
    assert main(["audit", "--data", str(tmp_path)]) == 1
    assert "is not a known key" in capsys.readouterr().err


def test_an_audit_of_a_folder_that_says_nothing_sensible_says_so(
    tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "regions.json").write_text('{"names": 7}')
    assert main(["audit", "--data", str(tmp_path)]) == 1
    assert "put it back" in capsys.readouterr().err


def test_an_audit_without_a_node_to_ask_says_so(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "regions.json").write_text(json.dumps(INSTALLED))
    assert main(["audit", "--data", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "by region eu" in said and "by region us" in said and "Traceback" not in said
