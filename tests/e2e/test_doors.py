"""The doors that scripts rely on: commands, their JSON, their exit codes, starting and stopping."""

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from core import audit
from tests.support.load import Client, history, sends
from tests.support.region import Region, running
from tests.support.up import Up, all_gone
from tests.support.wait import until

KEY = re.compile(r"gt_live_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}")
URL = re.compile(r"http://127\.0\.0\.1:\d+")


def goutong(*words: str, given: str = "", code: int = 0) -> str:
    """Run a command to its end; its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "core.cli", *words],
        input=given,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout


def told(region: Region, *words: str, given: str = "", code: int = 0) -> Any:
    """What a command says with --json."""
    return json.loads(goutong(*words, "--data", str(region.data), "--json", given=given, code=code))


def test_the_first_line_is_as_promised(region: Region) -> None:
    line = region.line
    assert set(line) == {"ready", "api_key", "admin_key", "sandbox", "regions"}
    assert line["ready"] is True
    assert KEY.fullmatch(line["api_key"])
    assert KEY.fullmatch(line["admin_key"])
    assert URL.fullmatch(line["sandbox"])
    assert set(line["regions"]) == {"local"}
    local = line["regions"]["local"]
    assert URL.fullmatch(local["url"])
    roles = [process["role"] for process in local["processes"]]
    assert sorted(roles) == ["core", "edge", "nats", "supervisor"]
    assert all(isinstance(process["pid"], int) for process in local["processes"])
    (edge,) = [process for process in local["processes"] if process["role"] == "edge"]
    assert edge["url"] == local["url"]
    now = region.call("GET", "/status", key=None).json()
    assert {p["pid"] for p in now["processes"]} == {p["pid"] for p in local["processes"]}


def test_sending_and_tracing(region: Region) -> None:
    words = ["--to", "+447700900900", "--to", "ada@example.com", "--subject", "S", "--text", "T"]
    sent = told(region, "send", *words, "--wait")
    assert [m["channel"] for m in sent["messages"]] == ["sms", "email"]
    message = sent["messages"][0]["id"]
    region.ended(message, "delivered")
    traced = told(region, "trace", message)
    assert (traced["id"], traced["status"], traced["final"]) == (message, "delivered", True)
    shown = goutong("trace", message, "--data", str(region.data))
    for words_ in (message, "delivered", "sandbox-smsc", "attempt 1"):
        assert words_ in shown
    rendered = told(
        region, "send", "--to", "+447700900901", "--template", "otp", "--set", "code=123456"
    )
    region.ended(rendered["messages"][0]["id"], "delivered")
    (entry,) = region.sent(rendered["messages"][0]["id"])
    assert entry["text"] == "123456 is your code. Tell it to nobody."
    assert goutong("trace", "nonsense", "--data", str(region.data), code=1) == ""
    goutong("send", "--to", "+44", "--text", "x", "--data", str(region.data), code=1)
    goutong("send", "--to", "+447700900900", "--data", str(region.data), code=2)
    goutong("send", "--to", "+447700900900", "--text", "x", "--data", "nowhere", code=3)


def test_keys_providers_and_templates(region: Region) -> None:
    made = told(region, "keys", "create", "--scope", "send")
    assert KEY.fullmatch(made["key"])
    assert region.notify({}, key=made["key"]).status == 400
    told(region, "keys", "revoke", made["id"])
    listed = {key["id"]: key for key in told(region, "keys")["data"]}
    assert listed[made["id"]]["revoked"]
    assert "key" not in listed[made["id"]]
    accounts = {each["id"]: each["state"] for each in told(region, "providers")["data"]}
    assert accounts.items() >= {"sandbox-smsc": "up", "sandbox-smtp": "up"}.items()
    assert told(region, "providers", "disable", "sandbox-smtp")["enabled"] is False
    assert told(region, "providers", "enable", "sandbox-smtp")["enabled"] is True
    template = {"name": "door", "bodies": {"sms": {"en": {"text": "Hello {{ name }}"}}}}
    put = told(region, "templates", "put", "-", given=json.dumps(template))
    assert (put["name"], put["version"]) == ("door", 1)
    assert "door" in goutong("templates", "--data", str(region.data))


def test_the_audit_says_what_is_promised(region: Region) -> None:
    region.ended(region.sms("+447700900902", "audited"), "delivered")
    found = told(region, "audit")
    wanted = {"accepted", "final", "open", "in_doubt", "possible_duplicates", "lost", "violations"}
    assert wanted <= set(found)
    assert found["accepted"] == found["final"] + found["open"] > 0
    assert (found["lost"], found["violations"]) == ([], [])
    assert "accepted" in goutong("audit", "--data", str(region.data))
    goutong("audit", "--data", "nowhere", code=1)


def test_settings_are_checked_before_anything_starts(tmp_path: Path) -> None:
    file = tmp_path / "goutong.toml"
    file.write_text(goutong("config", "example"))
    assert "right" in goutong("config", "check", str(file))
    file.write_text("[protocol]\nlease_msec = 4000\n[edge]\nport = 'x'\n")
    wrong = json.loads(goutong("config", "check", str(file), "--json", code=1))
    said = json.dumps(wrong)
    assert wrong["ok"] is False
    assert "lease_ms" in said
    assert "port" in said
    goutong("up", "--config", str(file), "--data", str(tmp_path / "data"), code=1)
    assert not (tmp_path / "data" / "journal.db").exists()
    shown = json.loads(goutong("config", "show", "--json"))
    assert shown["protocol"]["lease_ms"] == 4000


@pytest.fixture
async def data(tmp_path: Path) -> AsyncIterator[Path]:
    yield tmp_path / "data"


@pytest.mark.slow
async def test_stopping_under_load_finishes_or_leaves_it_to_the_next_start(data: Path) -> None:
    up = await Up.start(data)
    client = Client(up)
    try:
        pids = [process["pid"] for process in up.processes()]
        load = asyncio.create_task(client.post(1500, 0))
        await until(lambda: len(client.accepted) > 500, 60)
        up.send(signal.SIGTERM)
        code, said = await up.ended()
        assert (code, said) == (0, "")
        await all_gone(pids, 0)
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)
        assert not client.unknown, "a graceful stop leaves nobody in the dark"
        left = audit.run(data)
        assert (left["in_doubt"], left["lost"]) == (0, [])
        again = await Up.start(data)
    finally:
        await up.end()
    try:
        assert again.line["api_key"] == up.line["api_key"]
        assert again.line["admin_key"] == up.line["admin_key"]
        assert again.line["sandbox"] == up.line["sandbox"]
        assert again.region["url"] == up.region["url"]
        await until(lambda: audit.run(data)["open"] == 0, 30, every_s=0.1)
        found = audit.run(data)
        assert (found["lost"], found["violations"]) == ([], [])
        assert found["states"].keys() <= {"sent", "delivered"}
        sent = sends(await history(again.line["sandbox"]))
        assert {message: sent[message] for message in client.accepted} == dict.fromkeys(
            client.accepted, 1
        )
    finally:
        await again.end()


@pytest.mark.slow
def test_without_its_sealing_key_everything_starts_but_the_accounts(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as region:
        region.ended(region.sms("+447700900903", "with"), "delivered")
    (data / "vault.key").unlink()
    with running(data) as region:
        admin = region.admin_key
        listed = region.call("GET", "/v1/providers", key=admin).json()["data"]
        states = {each["id"]: each["state"] for each in listed}
        for account in ("sandbox-smsc", "sandbox-smtp"):
            assert states[account].startswith("fault: ")
            assert "key" in states[account]
        waits = region.sms("+447700900904", "without")
        account = region.call("GET", "/v1/providers/sandbox-smsc", key=admin).json()
        kept = {n: account[n] for n in ("id", "wire", "channel", "enabled", "settings", "priority")}
        mended = {**kept, "secrets": {"password": "sandbox"}}
        told = region.call("PUT", "/v1/providers/sandbox-smsc", mended, key=admin)
        assert told.status == 200, told.body
        region.ended(waits, "delivered")
