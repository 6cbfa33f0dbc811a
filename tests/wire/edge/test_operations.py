"""Probes, status, metrics, the document; and how the process starts and stops."""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from prometheus_client.parser import text_string_to_metric_families

from tests.support.fake_core import SECRET, FakeCore, accepted
from tests.support.wait import until
from tests.wire.edge.support import SMS, edge, raw


@pytest.fixture
async def core() -> Any:
    async with FakeCore() as made:
        yield made


@pytest.fixture
async def http() -> Any:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_live_and_ready(core: FakeCore, http: Any) -> None:
    async with edge(core) as running:
        live = await http.get(f"{running.url}/livez")
        assert (live.status, (await live.json())["alive"]) == (200, True)
        assert (await http.get(f"{running.url}/readyz")).status == 200
        await core.stop_link()
        await until(lambda: running.app.connected_cores == 0)
        ready = await http.get(f"{running.url}/readyz")
        assert (ready.status, (await ready.json())["reason"]) == (503, "no core is connected")
        assert (await http.get(f"{running.url}/livez")).status == 200


async def test_head_has_no_body_and_others_are_refused(core: FakeCore) -> None:
    async with edge(core) as running:
        request = b"HEAD /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = await raw(running.app.port, request)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"\r\n\r\n")
        answer = await raw(running.app.port, request.replace(b"HEAD", b"DELETE"))
        assert answer.startswith(b"HTTP/1.1 405 ")


async def test_status_shows_the_processes_of_now(core: FakeCore, http: Any, tmp_path: Path) -> None:
    file = tmp_path / "processes.json"
    async with edge(core, processes=file) as running:
        status = await (await http.get(f"{running.url}/status")).json()
        assert (status["region"], status["processes"]) == ("local", [])
        assert status["cores"][0]["up"] is True
        for pid in (7, 8):
            file.write_text(json.dumps({"processes": [{"role": "core", "pid": pid}]}))
            status = await (await http.get(f"{running.url}/status")).json()
            assert status["processes"] == [{"role": "core", "pid": pid}]
        file.write_text("{")
        status = await (await http.get(f"{running.url}/status")).json()
        assert status["processes"] == []
        assert SECRET not in json.dumps(status)


async def test_metrics_count_what_happened(core: FakeCore, http: Any) -> None:
    key = core.add_key()
    headers = {"Authorization": f"Bearer {key}"}
    async with edge(core) as running:
        url = f"{running.url}/v1/notifications"
        for body in (SMS, SMS, {}):
            await (await http.post(url, json=body, headers=headers)).read()
        text = await (await http.get(f"{running.url}/metrics")).text()
    found = {
        (sample.name, sample.labels.get("status")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("route") in (None, "/v1/notifications") and "le" not in sample.labels
    }
    assert found["goutong_edge_answers_total", "202"] == 2
    assert found["goutong_edge_answers_total", "400"] == 1
    assert found["goutong_edge_accept_seconds_count", None] == 2
    assert found["goutong_edge_calls_total", None] == 2
    assert found["goutong_edge_link_up", None] == 1
    assert found["goutong_edge_key_lookups_total", None] == 1


async def test_the_document_is_valid(core: FakeCore, http: Any) -> None:
    async with edge(core) as running:
        answer = await http.get(f"{running.url}/openapi.json")
        OpenAPIV31SpecValidator(await answer.json()).validate()


async def test_stopping_finishes_what_runs_and_takes_nothing_new(core: FakeCore) -> None:
    key = core.add_key()
    core.reply = lambda _: None
    body = json.dumps(SMS).encode()
    head = (
        f"POST /v1/notifications HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    async with edge(core) as running:
        port = running.app.port
        idle, idle_writer = await asyncio.open_connection("127.0.0.1", port)
        half, half_writer = await asyncio.open_connection("127.0.0.1", port)
        half_writer.write(head + body[:10])
        asked = asyncio.create_task(raw(port, head + body))
        await until(lambda: core.calls)
        stopping = asyncio.create_task(running.app.stop())
        assert await asyncio.wait_for(idle.read(), 5) == b""
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)
        core.reply = accepted
        core.answer_now(core.calls[0], accepted(core.calls[0]))
        half_writer.write(body[10:])
        for answer in (await asked, await asyncio.wait_for(half.read(), 5)):
            assert answer.startswith(b"HTTP/1.1 202 ")
            assert b"Connection: close" in answer
        await asyncio.wait_for(stopping, 5)
        idle_writer.close()
        half_writer.close()


async def test_stopping_does_not_wait_for_ever(core: FakeCore) -> None:
    key = core.add_key()
    core.reply = lambda _: None
    async with edge(core, stop_grace_ms=400) as running, aiohttp.ClientSession() as http:
        url = f"{running.url}/v1/notifications"
        headers = {"Authorization": f"Bearer {key}"}
        asked = asyncio.create_task(http.post(url, json=SMS, headers=headers))
        await until(lambda: core.calls)
        began = time.monotonic()
        await running.app.stop()
        assert 0.3 < time.monotonic() - began < 3
        answer = await asked
        assert (answer.status, (await answer.json())["code"]) == (503, "accept_unknown")


async def start(*arguments: str, **environ: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "edge",
        *arguments,
        env={**os.environ, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_process_starts_serves_and_ends_with_zero(core: FakeCore, http: Any) -> None:
    key = core.add_key()
    variables = {"GOUTONG_INTERNAL_SECRET": SECRET}
    process = await start("--port", "0", "--cores", core.address, **variables)
    assert process.stderr is not None
    try:
        line = json.loads(await asyncio.wait_for(process.stderr.readline(), 20))
        assert line["event"] == "edge listens"
        url = f"http://127.0.0.1:{line['port']}"
        await until(lambda: core.connections)

        async def ready() -> bool:
            return (await http.get(f"{url}/readyz")).status == 200

        await until(ready)
        headers = {"Authorization": f"Bearer {key}"}
        answer = await http.post(f"{url}/v1/notifications", json=SMS, headers=headers)
        assert answer.status == 202
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
        out, err = await process.communicate()
        assert out == b""
        assert b"edge stopped" in err
        assert SECRET.encode() not in err
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize(
    ("arguments", "environ", "told"),
    [
        (("--cores", "here"), {"GOUTONG_INTERNAL_SECRET": "x"}, "host:LINKPORT/HTTPPORT"),
        ((), {"GOUTONG_INTERNAL_SECRET": "x"}, "--cores"),
        (("--cores", "h:1/2"), {"GOUTONG_INTERNAL_SECRET": ""}, "GOUTONG_INTERNAL_SECRET"),
        (("--cores", "h:1/2", "--config", "/no/such"), {}, "/no/such"),
    ],
)
async def test_what_it_cannot_start_with_is_told(
    arguments: tuple[str, ...], environ: dict[str, str], told: str
) -> None:
    process = await start(*arguments, **environ)
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    assert told in err.decode()
    assert "Traceback" not in err.decode()


async def test_a_port_that_is_taken_is_told(core: FakeCore) -> None:
    arguments = ("--port", str(core.http_port), "--cores", core.address)
    process = await start(*arguments, GOUTONG_INTERNAL_SECRET=SECRET)
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    assert b"cannot listen" in err


async def test_it_imports_the_contract_and_where_messages_are_at_home_and_nothing_else() -> None:
    code = (
        "import sys, edge.__main__;"
        "tops = ('core', 'ml', 'sync', 'sklearn', 'cassandra');"
        "print([m for m in sys.modules if m.split('.')[0] in tops])"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    loaded = out.decode()
    assert "core.contract.frames" in loaded
    others = [name for name in eval(loaded) if not name.startswith("core.contract")]
    assert sorted(others) == ["core", "sync", "sync.agreed", "sync.placement"]
