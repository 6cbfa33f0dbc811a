"""What `goutong up` promises about its processes; fakes stand in for core, edge and sandbox."""

import asyncio
import os
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from core.contract.keys import parse_key
from tests.support.up import all_gone
from tests.support.wait import until
from tests.wire.supervisor.conftest import Bench


async def answers(url: str) -> bool:
    def ask() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    return await asyncio.to_thread(ask)


def arguments_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


async def test_first_line_tells_everything_and_everything_answers(bench: Bench) -> None:
    up = await bench.up("--cores", "2")
    line = up.line
    assert list(line) == ["ready", "api_key", "admin_key", "sandbox", "regions"]
    assert line["ready"] is True
    assert list(line["regions"]) == ["local"]
    assert parse_key(line["api_key"]) and parse_key(line["admin_key"])
    assert line["api_key"] != line["admin_key"]
    roles = [(each["role"], each.get("index")) for each in up.region["processes"]]
    assert roles == [
        ("supervisor", None),
        ("edge", None),
        ("core", 0),
        ("core", 1),
        ("nats", None),
    ]
    assert up.region["url"] == up.process_of("edge")["url"]
    for url in (up.region["url"], line["sandbox"], up.process_of("core", 1)["url"]):
        assert await answers(url + "/readyz")


async def test_secrets_are_the_owners_alone(bench: Bench) -> None:
    await bench.up()
    for name in ("keys.json", "internal.key", "hash.key", "vault.key", "nats.conf", "up.json"):
        assert (bench.data / name).stat().st_mode & 0o077 == 0, name
    assert bench.data.stat().st_mode & 0o077 == 0


async def test_secrets_are_not_among_the_arguments_of_any_process(bench: Bench) -> None:
    up = await bench.up()
    secrets = [
        up.line["api_key"],
        up.line["admin_key"],
        *((bench.data / name).read_text().strip() for name in ("internal.key", "vault.key")),
    ]
    for pid in [up.pid, *bench.pids(up)]:
        arguments = arguments_of(pid)
        assert arguments
        assert not [secret for secret in secrets if secret in arguments]


@pytest.mark.parametrize("role", ["core", "edge", "nats"])
async def test_killed_part_comes_again_at_its_address(bench: Bench, role: str) -> None:
    up = await bench.up()
    before = up.process_of(role)
    os.kill(before["pid"], signal.SIGKILL)
    await bench.again(up, role, before["pid"])
    after = up.process_of(role)
    assert after["url"] == before["url"]
    assert after["restarts"] == 1
    if role != "nats":
        await until(lambda: answers(after["url"]))


async def test_killed_sandbox_comes_again_at_its_address(bench: Bench) -> None:
    up = await bench.up()
    ((_, pid, *arguments),) = [line for line in bench.told("start") if line[0] == "sandbox"]
    os.kill(int(pid), signal.SIGKILL)
    starts = await until(
        lambda: (
            len(found := [each for each in bench.told("start") if each[0] == "sandbox"]) > 1
            and found
        )
    )
    assert starts[1][2:] == arguments
    await until(lambda: answers(up.line["sandbox"]))


async def test_killed_supervisor_takes_everything_with_it(bench: Bench) -> None:
    up = await bench.up("--cores", "2")
    pids = bench.pids(up)
    assert len(pids) == 6
    os.kill(up.process_of("supervisor")["pid"], signal.SIGKILL)
    code, err = await up.ended(5)
    assert code == 1
    assert "supervisor of region local" in err
    await all_gone(pids, 1)


async def test_killed_launcher_takes_everything_with_it(bench: Bench) -> None:
    up = await bench.up("--cores", "2")
    pids = bench.pids(up)
    up.send(signal.SIGKILL)
    await all_gone(pids, 5)


async def test_start_right_after_the_launcher_was_killed(bench: Bench) -> None:
    first = await bench.up()
    pids = bench.pids(first)
    first.send(signal.SIGKILL)
    await first.process.wait()
    second = await bench.up()
    await all_gone(pids, 0)
    assert second.region["url"] == first.region["url"]
    assert second.line["sandbox"] == first.line["sandbox"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signal_ends_everything_in_order(bench: Bench, number: int) -> None:
    up = await bench.up("--cores", "2")
    pids = bench.pids(up)
    up.send(number)
    code, err = await up.ended()
    assert (code, err) == (0, "")
    await all_gone(pids, 0)
    assert [role for (role,) in bench.told("end")] == ["edge", "core", "core", "sandbox"]


async def test_ctrl_c_in_a_terminal_reaches_the_launcher_only(bench: Bench) -> None:
    up = await bench.up()
    pids = bench.pids(up)
    os.killpg(up.pid, signal.SIGINT)
    assert (await up.ended())[0] == 0
    await all_gone(pids, 0)
    assert [role for (role,) in bench.told("end")] == ["edge", "core", "sandbox"]


async def test_part_that_will_not_end_is_killed_after_the_grace(bench: Bench) -> None:
    up = await bench.up(FAKE_STUBBORN="core", GOUTONG_SUPERVISOR_STOP_GRACE_MS="1500")
    pids = bench.pids(up)
    up.send(signal.SIGTERM)
    assert (await up.ended(5))[0] == 0
    await all_gone(pids, 0)
    assert [role for (role,) in bench.told("end")] == ["edge", "sandbox"]


async def test_second_signal_ends_at_once(bench: Bench) -> None:
    up = await bench.up(FAKE_STUBBORN="core")
    pids = bench.pids(up)
    up.send(signal.SIGINT)
    await until(lambda: ["edge"] in bench.told("end"))
    up.send(signal.SIGINT)
    await up.ended(5)
    await all_gone(pids, 1)


async def test_second_start_has_the_same_keys_and_addresses(bench: Bench) -> None:
    first = await bench.up()
    await first.end()
    second = await bench.up()
    for name in ("api_key", "admin_key", "sandbox"):
        assert second.line[name] == first.line[name]
    assert second.region["url"] == first.region["url"]
    assert [each["url"] for each in second.region["processes"] if "url" in each] == [
        each["url"] for each in first.region["processes"] if "url" in each
    ]


async def test_folder_in_use_is_refused(bench: Bench) -> None:
    first = await bench.up()
    second = await bench.begin(GOUTONG_SUPERVISOR_LOCK_WAIT_MS="300")
    code, err = await second.ended(5)
    assert code == 1
    assert "another `goutong up` runs on this folder" in err
    assert await answers(first.region["url"])


async def test_taken_port_is_replaced_and_told(bench: Bench) -> None:
    first = await bench.up()
    await first.end()
    port = int(first.region["url"].rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        second = await bench.up()
        assert second.region["url"] != first.region["url"]
        assert await answers(second.region["url"])
    second.send(signal.SIGINT)
    _, err = await second.ended()
    assert f"port {port} of edge is taken by another program" in err


async def test_part_that_never_starts_fails_with_its_own_words(bench: Bench) -> None:
    up = await bench.begin(FAKE_DIES="core", GOUTONG_SUPERVISOR_RESTART_MIN_MS="10")
    code, err = await up.ended()
    assert code == 1
    assert "core-0 died 8 times before it was ready" in err
    assert "the fake says why it died" in err
    await all_gone([int(pid) for _, pid, *_ in bench.told("start")], 0)


async def test_region_that_is_not_ready_in_time_fails(bench: Bench) -> None:
    up = await bench.begin(FAKE_DIES="sandbox", GOUTONG_SUPERVISOR_READY_TIMEOUT_MS="1500")
    code, err = await up.ended()
    assert code == 1
    assert "not ready within" in err


async def test_wrong_settings_fail_before_anything_starts(bench: Bench) -> None:
    up = await bench.begin(GOUTONG_PROTOCOL_LEASE_MS="soon")
    code, err = await up.ended()
    assert code == 1
    assert "environment GOUTONG_PROTOCOL_LEASE_MS: [protocol] lease_ms: 'soon'" in err
    assert bench.told("start") == []
