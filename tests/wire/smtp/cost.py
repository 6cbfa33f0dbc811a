"""CPU for each mail: this adapter beside plain aiosmtplib, to the same sink, in turns.

    python -m tests.wire.smtp.cost [mails] [connections] [rounds]

The sink is a process of its own that offers PIPELINING and answers as fast as it can. Counted is
the CPU time of the sending process; each side runs in a fresh process, on uvloop, with the same
message; aiosmtplib gets it composed beforehand with the standard library (a line says what that
costs), the adapter composes it itself.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from email.policy import SMTP
from multiprocessing import get_context
from multiprocessing.connection import Connection
from random import Random
from typing import Any

import aiosmtplib
import uvloop

from core.providers.port import Call, Outcome, OutMessage
from core.providers.smtp import make
from tests.support.wait import until
from tests.wire.smtp.harness import Engine, settings

TEXT = "Your code is 123456. It is good for five minutes.\n"
SUBJECT = "Your code"
TO = "ann@example.net"


class Sink(asyncio.Protocol):
    """Takes every mail."""

    def connection_made(self, transport: Any) -> None:
        self.transport, self.rest, self.in_data = transport, b"", False
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self.rest += data
        answers = b""
        while self.rest:
            end = b"\r\n.\r\n" if self.in_data else b"\r\n"
            piece, found, rest = self.rest.partition(end)
            if not found:
                break
            self.rest = rest
            answers += self.answer(piece)
        if answers:
            self.transport.write(answers)

    def answer(self, line: bytes) -> bytes:
        if self.in_data:
            self.in_data = False
            return b"250 2.0.0 Ok: queued as 4F1C2A3B7D\r\n"
        if line == b"DATA":
            self.in_data = True
            return b"354 End data with <CR><LF>.<CR><LF>\r\n"
        if line.startswith(b"EHLO"):
            return b"250-sink\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250 8BITMIME\r\n"
        return b"221 2.0.0 Bye\r\n" if line == b"QUIT" else b"250 2.0.0 Ok\r\n"


def run_sink(pipe: Connection) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    uvloop.run(serve())


async def ours(port: int, mails: int, connections: int) -> None:
    engine = Engine()
    more = {"connections": connections, "mails_per_connection": 1_000_000}
    adapter = make("cost", settings(port, **more), {}, engine, Random(1))
    await adapter.start()
    await until(lambda: adapter.capacity() > 0)
    done, begun, over = 0, 0, asyncio.Event()

    def end(outcome: Outcome) -> None:
        nonlocal done
        assert outcome.kind == "accepted", outcome
        done += 1
        if done == mails:
            over.set()
        elif begun < mails:
            submit()

    def submit() -> None:
        nonlocal begun
        begun += 1
        ref = f"eu-u0010000000{begun:016d}.a-1-{begun}.1"
        message = OutMessage(ref=ref, to=TO, subject=SUBJECT, text=TEXT)
        adapter.submit(Call(message, lambda: True, end))

    for _ in range(connections):
        submit()
    await over.wait()
    await adapter.stop(100)


def composed(number: int) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "news@example.com", TO, SUBJECT
    mail["Message-ID"] = f"<eu-u0010000000{number:016d}@example.com>"
    mail.set_content(TEXT)
    return mail.as_bytes(policy=SMTP)


async def theirs(port: int, mails: int, connections: int) -> None:
    mail = composed(0)

    async def send(count: int) -> None:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
        async with client:
            for _ in range(count):
                await client.sendmail("news@example.com", [TO], mail)

    await asyncio.gather(*[send(mails // connections) for _ in range(connections)])


def measure(
    side: Callable[[int, int, int], Awaitable[None]],
    port: int,
    mails: int,
    connections: int,
    pipe: Connection,
) -> None:
    async def run() -> None:
        await side(port, max(connections, mails // 10), connections)  # warm up
        wall, cpu = time.perf_counter(), time.process_time()
        await side(port, mails, connections)
        pipe.send((time.process_time() - cpu, time.perf_counter() - wall))

    uvloop.run(run())


def main() -> None:
    mails, connections, rounds = (int(a) for a in (*sys.argv[1:], 5000, 4, 5)[:3])
    processes = get_context("spawn")
    here, there = processes.Pipe()
    sink = processes.Process(target=run_sink, args=(there,), daemon=True)
    sink.start()
    port = here.recv()
    sides = {"adapter": ours, "aiosmtplib": theirs}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            child = processes.Process(target=measure, args=(side, port, mails, connections, there))
            child.start()
            child.join()
            assert child.exitcode == 0
            found[name].append(here.recv())
    sink.kill()
    for name, runs in found.items():
        cpu_us = statistics.median(cpu for cpu, _ in runs) / mails * 1e6
        rate = mails / statistics.median(wall for _, wall in runs)
        print(f"{name:12} {cpu_us:7.1f} us CPU a mail   {rate:8.0f} mails/s")
    begin = time.process_time()
    for number in range(300):
        composed(number)
    print(
        f"{'':12} {(time.process_time() - begin) / 300 * 1e6:7.1f} us to compose with email.message"
    )


if __name__ == "__main__":
    main()
