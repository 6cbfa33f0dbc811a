"""A stand-in for `goutong up --json`: the doors that the bench uses, with nothing behind them.

One process that takes notifications over HTTP and over the framed link, holds them in memory while
their account's port is closed, and sends them over SMPP, SMTP or HTTP in the plainest way.
"""

import asyncio
import json
import os
import re
import struct
import sys
from collections import deque
from pathlib import Path
from typing import Any

from core.contract.frames import (
    AcceptBatch,
    AcceptReplies,
    AcceptReply,
    FrameReader,
    Hello,
    HelloOk,
    encode_frame,
)

API_KEY = "gt_live_000000000000_" + "0" * 38


class Wire:
    """One account: a queue, and a task that empties it while the port answers."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.port = 0
        self.queue: deque[str] = deque()
        self.writer: asyncio.StreamWriter | None = None
        self.task: asyncio.Task[None] | None = None

    async def use(self, port: int) -> None:
        self.port = port
        if self.writer is not None:
            self.writer.close()
            self.writer = None
        if self.task is not None:
            self.task.cancel()
        self.task = asyncio.create_task(self.smpp() if self.kind == "smpp" else self.smtp())

    async def connect(self) -> asyncio.StreamReader:
        while True:
            try:
                reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                return reader

    async def smpp(self) -> None:
        reader = await self.connect()
        assert self.writer is not None
        self.writer.write(struct.pack(">IIII", 23, 9, 0, 1) + b"x\0y\0\0\x34\0")
        self.pump()
        while True:
            length, command, _, sequence = struct.unpack(">IIII", await reader.readexactly(16))
            await reader.readexactly(length - 16)
            if command == 5:
                self.writer.write(struct.pack(">IIII", 17, 0x80000005, 0, sequence) + b"\0")

    def pump(self) -> None:
        while self.kind == "smpp" and self.writer is not None and self.queue:
            to = self.queue.popleft().encode()
            body = b"\0\5\0x\0\1\1" + to + b"\0\0\0\0\0\0" + bytes([1, 0, 0, 0, 1]) + b"t"
            self.writer.write(struct.pack(">IIII", 16 + len(body), 4, 0, 7) + body)

    async def smtp(self) -> None:
        reader = await self.connect()
        assert self.writer is not None
        await reader.readline()
        while True:
            while not self.queue:
                await asyncio.sleep(0.005)
            to = self.queue.popleft()
            for line in (
                "MAIL FROM:<a@b.c>",
                f"RCPT TO:<{to}>",
                "DATA",
                "Subject: x\r\n\r\nx\r\n.",
            ):
                self.writer.write(line.encode() + b"\r\n")
                await reader.readline()


class Hooks:
    """Webhooks, one after another on one connection to the first one's host."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.task = asyncio.create_task(self.call())

    async def call(self) -> None:
        url, text = await self.queue.get()
        host, _, port = url.split("/")[2].partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        while True:
            body = json.dumps({"text": text}).encode()
            writer.write(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            await reader.readuntil(b"\r\n\r\n")
            _, text = await self.queue.get()


class FakeUp:
    """The API, the internal HTTP and the link, all on the same few handlers."""

    def __init__(self) -> None:
        self.wires = {"smpp": Wire("smpp"), "smtp": Wire("smtp")}
        self.hooks = Hooks()

    def take(self, body: bytes) -> None:
        request = json.loads(body)
        to = request["to"]
        if "url" in to:
            self.hooks.queue.put_nowait((to["url"], request["content"]["text"]))
            return
        wire = self.wires["smpp" if "phone" in to else "smtp"]
        wire.queue.append(to.get("phone", "").lstrip("+") or to["email"])
        wire.pump()

    async def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        if path.startswith("/internal/keys/"):
            return 200, {"id": "0", "tenant": "t", "hash": "", "scopes": []}
        if path == "/v1/notifications":
            self.take(body)
            return 202, {}
        name = path.rpartition("/")[2]
        if method == "GET" and name.startswith("sandbox-"):
            wire = "smpp" if name == "sandbox-smsc" else "smtp"
            return 200, {"id": name, "wire": wire, "channel": "sms", "settings": {}, "version": 1}
        account = json.loads(body)
        if account["enabled"] and account["wire"] != "webhook":
            await self.wires[account["wire"]].use(account["settings"]["port"])
        return 200, {}

    async def http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                method, path, _ = head.decode().split(" ", 2)
                found = re.search(rb"Content-Length: (\d+)", head)
                body = await reader.readexactly(int(found[1])) if found else b""
                status, answer = await self.answer(method, path, body)
                data = json.dumps(answer).encode()
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(data)))
                writer.write(data)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = FrameReader()
        while data := await reader.read(65_536):
            for frame in frames.feed(data):
                if isinstance(frame, Hello):
                    writer.write(encode_frame(HelloOk("local", 64, 1, "i")))
                elif isinstance(frame, AcceptBatch):
                    for call in frame.calls:
                        self.take(call.body)
                    replies = [AcceptReply(call.seq, 202, b"{}") for call in frame.calls]
                    writer.write(encode_frame(AcceptReplies(replies)))
        writer.close()


def furnish(data: Path, ports: dict[str, int]) -> None:
    """What the bench looks for in the data folder."""
    data.mkdir(parents=True)
    (data / "ports.json").write_text(json.dumps(ports))
    (data / "internal.key").write_text("secret\n")


async def main(data: Path) -> None:
    fake = FakeUp()
    http = await asyncio.start_server(fake.http, "127.0.0.1", 0)
    link = await asyncio.start_server(fake.link, "127.0.0.1", 0)
    port = http.sockets[0].getsockname()[1]
    ports = {"core-0-http": port, "core-0-link": link.sockets[0].getsockname()[1]}
    furnish(data, ports)
    region = {
        "url": f"http://127.0.0.1:{port}",
        "processes": [{"role": "edge", "pid": os.getpid(), "url": "x", "restarts": 0}],
    }
    ready = {
        "ready": True,
        "api_key": sys.argv[1] if sys.argv[1].startswith("gt_") else API_KEY,
        "admin_key": API_KEY,
        "sandbox": "http://127.0.0.1:1",
        "regions": {"local": region},
    }
    print(json.dumps(ready, separators=(",", ":")), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[sys.argv.index("--data") + 1])))
