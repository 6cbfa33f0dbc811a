"""The command line: usage, exit codes, and what it says when something is wrong."""

import json
import tomllib
from pathlib import Path

import pytest

from core.cli.main import main
from core.contract.settings import load


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("GOUTONG_URL", "GOUTONG_API_KEY", "GOUTONG_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main(["--help"]) == 0
    out = capsys.readouterr().out
    commands = "up demo send trace keys providers audit sim config bench"
    for name in commands.split():
        assert f"\n  {name} " in out


def test_unknown_command_is_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tarce"]) == 2
    assert "Did you mean 'trace'?" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["trace"], ["up", "--cores", "0"], ["keys", "create"]])
def test_wrong_arguments_are_usage(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2


def test_no_region_is_unreachable(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys"]) == 3
    err = capsys.readouterr().err
    assert "nothing runs on goutong-data" in err
    assert "goutong up" in err


def test_region_that_is_away_is_unreachable(capsys: pytest.CaptureFixture[str]) -> None:
    # Port 1 needs rights that no test has, so nobody listens there.
    words = ["trace", "m", "--url", "http://127.0.0.1:1", "--key", "k", "--json"]
    assert main(words) == 3
    told = json.loads(capsys.readouterr().err)
    assert "cannot be reached" in told["error"]
    assert told["mend"]


def test_send_needs_one_of_text_and_template(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["send", "--to", "+447700900123", "--url", "http://127.0.0.1:1", "--key", "k"]
    assert main(words) == 2
    assert main([*words, "--text", "a", "--template", "b"]) == 2
    assert main([*words, "--template", "otp", "--set", "code"]) == 2
    assert "--set code: is not NAME=VALUE" in capsys.readouterr().err


def test_file_that_is_no_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_text("[1")
    where = ["--url", "http://127.0.0.1:1", "--key", "k"]
    assert main(["templates", *where, "put", "x.json"]) == 2
    assert main(["providers", *where, "put", "none.json"]) == 2
    err = capsys.readouterr().err
    assert "x.json is not a JSON object" in err
    assert "none.json cannot be read" in err


def test_config_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.toml").write_text("[edge]\nprot = 1\n")
    assert main(["config", "check"]) == 0
    assert main(["config", "check", "x.toml"]) == 1
    assert "[edge] prot: is not a known key. Did you mean port?" in capsys.readouterr().err
    assert main(["config", "check", "x.toml", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert (told["problems"][0]["section"], told["problems"][0]["key"]) == ("edge", "prot")


def test_config_show_hides_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GOUTONG_LOG_HASH_KEY", "abcdef")
    monkeypatch.setenv("GOUTONG_EDGE_PORT", "9999")
    assert main(["config", "show"]) == 0
    out = capsys.readouterr().out
    assert "abcdef" not in out
    shown = tomllib.loads(out)
    assert shown["log"]["hash_key"] == "***"
    assert shown["edge"]["port"] == 9999


def test_config_example_is_the_defaults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "example"]) == 0
    path = tmp_path / "example.toml"
    path.write_text(capsys.readouterr().out)
    assert load(path, {}) == load(None, {})


def test_config_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0
    assert "ProtocolSettings" in json.loads(capsys.readouterr().out)["$defs"]


def test_audit_of_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--data", "none"]) == 1
    assert "there is no such folder" in capsys.readouterr().err
    assert main(["audit", "--data", "."]) == 1
    assert "there is no journal" in capsys.readouterr().err
