"""`goutong send --batch` against a real edge: outcomes as they come, and an exit code."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest

from core.cli.main import main
from tests.support.fake_core import FakeCore
from tests.wire.edge.support import edge

GOOD = {"to": {"phone": "+447700900123"}, "content": {"text": "x"}}
BAD = {"to": {"phone": "1"}, "content": {"text": "x"}}
Captured = pytest.CaptureFixture[str]


def lines(*items: Any) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


async def sent(core: FakeCore, *words: str, **settings: Any) -> int:
    async with edge(core, **settings) as running:
        where = ["--url", running.url, "--key", core.add_key()]
        return await asyncio.to_thread(main, ["send", *words, *where])


async def test_a_file_of_lines(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "all.ndjson"
    path.write_bytes(lines(GOOD, BAD, GOOD))
    async with FakeCore() as core:
        assert await sent(core, "--batch", str(path), "--idempotency-key", "night") == 1
        ids = [call.ids[0] for call in core.calls]
        keys = [call.key for call in core.calls]
    captured = capsys.readouterr()
    first, refused, third = captured.out.splitlines()
    assert [first, third] == [f"0  {ids[0]}  sms  accepted", f"2  {ids[1]}  sms  accepted"]
    assert refused.startswith("1  400 invalid_request: /to/phone")
    assert "3 items, 1 of them refused" in captured.err
    assert len(set(keys)) == 2
    assert all(key is not None and key.startswith("night") for key in keys)


async def test_standard_input_and_json(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    class Input:
        buffer = io.BytesIO(lines(GOOD, GOOD))

    monkeypatch.setattr("sys.stdin", Input)
    async with FakeCore() as core:
        assert await sent(core, "--batch", "-", "--json") == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["index"], one["status"]) for one in shown] == [(0, 202), (1, 202)]


async def test_more_than_fits_into_any_buffer(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "many.ndjson"
    path.write_bytes(lines(*[{**GOOD, "data": {"x": "y" * 500}}] * 8000))
    async with FakeCore() as core:
        settings = {"batch_answer_bytes_held_max": 65_536}
        assert await sent(core, "--batch", str(path), **settings) == 0
        assert len(core.calls) == 8000
    assert len(capsys.readouterr().out.splitlines()) == 8000


async def test_what_refuses_the_whole_is_told_in_its_words(
    tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "all.ndjson"
    path.write_bytes(lines(GOOD))
    async with FakeCore() as core, edge(core) as running:
        words = ["--url", running.url, "--key", core.add_key(scopes=("read",))]
        assert await asyncio.to_thread(main, ["send", "--batch", str(path), *words]) == 1
        assert not core.calls
    assert "forbidden_scope" in capsys.readouterr().err


async def test_a_lost_connection_says_how_to_go_on(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "all.ndjson"
    path.write_bytes(lines(GOOD, GOOD))
    outcome = json.dumps({"index": 0, "status": 202, "body": {"messages": []}}).encode() + b"\n"

    async def lose(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"0\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head + b"%x\r\n%b\r\n" % (len(outcome), outcome))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(lose, "127.0.0.1", 0)
    async with server:
        where = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        words = ["--url", where, "--key", "k", "--idempotency-key", "k7"]
        assert await asyncio.to_thread(main, ["send", "--batch", str(path), *words]) == 3
    told = capsys.readouterr().err
    assert "lost after 1 outcomes" in told
    assert "--idempotency-key k7" in told
