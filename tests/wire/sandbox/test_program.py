"""The sandbox as a program of its own: started, killed, started again, ended."""

import asyncio
import json
import os
import signal
import smtplib
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from core.providers.smpp import codec
from tests.support.sandbox_clients import Http, SmppClient

Start = Callable[..., Any]


class Program:
    """A running `python -m core.sandbox`."""

    def __init__(self, process: asyncio.subprocess.Process, ready: dict[str, Any]) -> None:
        self.process = process
        self.ready = ready

    async def end(self, number: int = signal.SIGKILL) -> int:
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 10)


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts the program on the test's folder, on the ports of an earlier run if one is given."""
    running: list[Program] = []

    async def run(*more: str, like: Program | None = None) -> Program:
        ports = like.ready if like else {}
        wires = ("http", "smpp", "smtp", "sms-http", "gateway", "webhook")
        arguments = [f"--{wire}={ports.get(wire, 0)}" for wire in wires]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "core.sandbox",
            *arguments,
            f"--data={tmp_path / 'data'}",
            "--json",
            *more,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "GOUTONG_LOG_FILE": str(tmp_path / "sandbox.log")},
        )
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        program = Program(process, json.loads(line))
        running.append(program)
        return program

    yield run
    for program in running:
        if program.process.returncode is None:
            await program.end()


def doors(web: aiohttp.ClientSession, program: Program) -> Http:
    return Http(web, program.ready["url"])


async def test_what_was_answered_is_in_the_history_after_a_kill(
    start: Start, web: aiohttp.ClientSession
) -> None:
    """The kill falls into the middle of a load."""
    program = await start()
    client = await SmppClient.connect(program.ready["smpp"])
    refs = [f"m{number}.1.1" for number in range(20_000)]
    client.send(*(client.message(ref=ref, registered_delivery=0)[1] for ref in refs))
    first_sequence = client.sequence - len(refs) + 1
    await client.answer(first_sequence + 2000)
    await program.end()
    await client.is_gone()
    answered = [
        refs[pdu.sequence - first_sequence]
        for pdu in client.pdus
        if pdu.command == codec.SUBMIT_SM_RESP
    ]
    assert 2000 < len(answered) < len(refs)

    again = await start(like=program)
    assert again.ready == program.ready
    http = doors(web, again)
    kept = [entry["ref"] for entry in await http.history()]
    kept += [entry["ref"] for entry in await http.history(after=10_000)]
    assert set(answered) <= set(kept)
    assert kept == refs[: len(kept)]
    client = await SmppClient.connect(again.ready["smpp"])
    await client.submit("after")
    [entry] = await http.history(after=len(kept))
    assert (entry["seq"], entry["text"]) == (len(kept) + 1, "after")


async def test_receipts_and_parts_survive_a_kill(start: Start, web: aiohttp.ClientSession) -> None:
    program = await start()
    http = doors(web, program)
    sender = await SmppClient.connect(program.ready["smpp"], bind=codec.BIND_TRANSMITTER)
    acknowledged = await SmppClient.connect(program.ready["smpp"], bind=codec.BIND_RECEIVER)
    done = codec.read_message_id((await sender.submit("has its receipt")).body)
    await acknowledged.receipts_are(1)
    assert await acknowledged.alive()
    acknowledged.close()
    await acknowledged.is_gone()
    owed = codec.read_message_id((await sender.submit("owed")).body)
    (sequence, part), *others = sender.parts("0123456789" * 40, 5, "long.1.1")
    part_id = codec.read_message_id((await sender.ask(part, sequence)).body)
    await http.behave("sandbox-smsc", hang=1)
    await program.end()

    again = await start(like=program)
    http = doors(web, again)
    assert (await http.ask("GET", "/sandbox/behaviour/sandbox-smsc"))[1]["hang"] == 0
    client = await SmppClient.connect(again.ready["smpp"])
    receipts = await client.receipts_are(2)
    assert {receipt.message_id for receipt in receipts} == {owed, part_id}
    assert done not in {owed, part_id}
    client.sequence = 1000
    for sequence, part in others:
        await client.ask(part, sequence)
    entries = await http.history()
    assert [entry["text"] for entry in entries] == [
        "has its receipt",
        "owed",
        "0123456789" * 40,
    ]


async def test_mail_history_survives_a_kill(start: Start, web: aiohttp.ClientSession) -> None:
    program = await start()

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", program.ready["smtp"], timeout=10) as client:
            client.sendmail("a@x.org", "b@x.org", "Subject: kept\r\n\r\ntext\r\n")

    await asyncio.to_thread(send)
    await program.end()
    again = await start(like=program)
    assert [entry["text"] for entry in await doors(web, again).history()] == ["kept\n\ntext"]


async def test_a_full_disk_is_no_lie(
    start: Start, web: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """With a limit on the size of files: what cannot be noted is not answered as taken."""
    resource = pytest.importorskip("resource")
    program = await start()
    resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (5000, -1))
    client = await SmppClient.connect(program.ready["smpp"])
    statuses = []
    for number in range(100):
        sequence, pdu = client.message("x" * 100, ref=f"m{number}.1.1", registered_delivery=0)
        client.send(pdu)
        try:
            statuses.append((await client.answer(sequence, timeout_s=0.5)).status)
        except AssertionError:
            break
    await client.is_gone()
    assert 10 < len(statuses) < 100
    resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (-1, -1))
    entries = await doors(web, program).history()
    assert [entry["ref"] for entry in entries] == [f"m{n}.1.1" for n in range(len(statuses))]
    again = await SmppClient.connect(program.ready["smpp"])
    assert (await again.submit("room again")).status == 0
    assert len(await doors(web, program).history()) == len(entries) + 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_when_told_even_with_clients(start: Start, number: int) -> None:
    program = await start()
    client = await SmppClient.connect(program.ready["smpp"])
    assert await program.end(number) == 0
    await client.is_gone()


async def test_a_folder_belongs_to_one_sandbox(start: Start, tmp_path: Path) -> None:
    await start()
    second = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "core.sandbox",
        f"--data={tmp_path / 'data'}",
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    _, said = await asyncio.wait_for(second.communicate(), 20)
    assert second.returncode == 1
    assert b"in use by another sandbox" in said


async def test_a_seed_makes_it_behave_the_same_again(
    start: Start, web: aiohttp.ClientSession
) -> None:
    outcomes = []
    for _ in range(2):
        program = await start("--seed=42")
        http = doors(web, program)
        before = len(await http.history())
        await http.behave("sandbox-smsc", refuse={"ratio": 0.5})
        client = await SmppClient.connect(program.ready["smpp"])
        statuses = [(await client.submit(registered_delivery=0)).status for _ in range(40)]
        outcomes.append(statuses)
        assert len(await http.history(after=before)) == 40
        await program.end(signal.SIGTERM)
    assert outcomes[0] == outcomes[1]
    assert set(outcomes[0]) == {0, 0x64}
