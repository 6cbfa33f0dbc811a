"""The peer of `goutong bench email`: plain aiosmtplib with kept connections, as a process.

`python -m core.bench.peer_smtp PORT SESSIONS` connects, prints `ready`, then for each line
`FIRST COUNT` on standard input sends that many mails and prints when it began (CLOCK_MONOTONIC).
Nothing is stored, no request is taken in: this is what the bare library does with a loop.
"""

import asyncio
import sys
import time
from collections.abc import Iterator

import aiosmtplib
import uvloop

from core.bench.plan import HOST, MAIL_HEAD, MAIL_TAIL, SENDER, SUBJECT, TEXT


def mail(to: str, number: int) -> bytes:
    """A mail with the headers that ours has, ready to be sent."""
    return (
        f"From: {SENDER}\r\nTo: {to}\r\nSubject: {SUBJECT}\r\n"
        f"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <{number:08d}@example.com>\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{TEXT}\r\n"
    ).encode()


async def send(client: aiosmtplib.SMTP, numbers: Iterator[int]) -> None:
    """Send mails over one connection until the shared numbers are used up."""
    for number in numbers:
        to = f"{MAIL_HEAD}{number:08d}{MAIL_TAIL}"
        await client.sendmail(SENDER, [to], mail(to, number))


async def main(port: int, sessions: int) -> None:
    """Connect once, send whenever a line asks for it, end with the input."""
    clients = [
        aiosmtplib.SMTP(hostname=HOST, port=port, start_tls=False, use_tls=False)
        for _ in range(sessions)
    ]
    for client in clients:
        await client.connect()
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        first, count = (int(word) for word in line.split())
        numbers = iter(range(first, first + count))
        began = time.perf_counter()
        await asyncio.gather(*(send(client, numbers) for client in clients))
        print(began, flush=True)
    for client in clients:
        await client.quit()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
