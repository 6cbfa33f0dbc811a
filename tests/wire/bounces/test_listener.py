"""Bounces over real SMTP: whose they are, when they are acknowledged, and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from core.bounces.listener import BounceListener
from tests.support.wait import until
from tests.unit.bounces import samples
from tests.wire.bounces.conftest import DOMAIN, Client, Engine, House, path, ref


async def test_a_bounce_is_about_the_attempt_that_its_address_names(
    client: Client, engine: Engine
) -> None:
    assert (await client.bring(path(number=5), samples.POSTFIX)).startswith("250 ")
    assert engine.said == [("mail-a", ref(5), "failed", "5.1.1")]
    # An account that is switched off hears of what it sent before; case does not matter.
    assert (await client.bring(path("mail-b", 6).upper(), samples.GMAIL)).startswith("250 ")
    assert engine.said[1:] == [("mail-b", ref(6), "failed", "5.2.2")]
    assert (await client.ask("QUIT")).startswith("221 ")
    assert await client.reply() == ""


async def test_complaints_come_to_the_return_path_or_to_the_mailbox_for_feedback(
    client: Client, engine: Engine
) -> None:
    assert (await client.bring(path(number=7), samples.YAHOO_ARF)).startswith("250 ")
    claimed = samples.YAHOO_ARF.replace("b+token@bounces.example.com", path(number=8))
    assert (await client.bring(f"fbl@{DOMAIN}", claimed)).startswith("250 ")
    told = [("mail-a", ref(7), "complained", "abuse"), ("mail-a", ref(8), "complained", "abuse")]
    assert engine.said == told
    # There, only a report that names a return path of ours is about anything.
    assert (await client.bring(f"fbl@{DOMAIN}", samples.YAHOO_ARF)).startswith("250 ")
    assert (await client.bring(f"fbl@{DOMAIN}", samples.POSTFIX)).startswith("250 ")
    assert (await client.bring(f"fbl@{DOMAIN}", samples.PERSON)).startswith("250 ")
    assert engine.said == told
    assert engine.kinds[("", "unclaimed")] == 2


@pytest.mark.parametrize(
    "address",
    [
        f"postmaster@{DOMAIN}",
        f"b+@{DOMAIN}",
        f"b+0123456789abcdefghij@{DOMAIN}",
        path().replace(DOMAIN, "example.org"),
        path("mail-a").replace("b+", "b+0"),
        path()[:9] + ("x" if path()[9] != "x" else "y") + path()[10:],
    ],
)
async def test_an_address_that_was_not_made_here_is_refused(
    client: Client, engine: Engine, address: str
) -> None:
    assert (await client.bring(address, samples.POSTFIX)).startswith("550 5.1.1 ")
    assert engine.kinds == {("", "refused"): 1}
    assert not engine.receipts


async def test_who_tries_addresses_is_sent_away(client: Client) -> None:
    await client.ask("EHLO x")
    await client.ask("MAIL FROM:<>")
    replies = [await client.ask(f"RCPT TO:<b+{'a' * (20 + n)}@{DOMAIN}>") for n in range(6)]
    assert all(reply.startswith("550 ") for reply in replies)
    assert (await client.reply()).startswith("421 ")
    assert await client.reply() == ""


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (samples.OUT_OF_OFFICE, "auto_reply"),
        (samples.PERSON, "not_a_bounce"),
        (samples.arf("not-spam"), "other_feedback"),
        (samples.dsn(), "malformed"),
    ],
)
async def test_what_is_no_bounce_is_taken_and_counted(
    client: Client, engine: Engine, text: str, kind: str
) -> None:
    assert (await client.bring(path(), text)).startswith("250 ")
    assert engine.kinds == {("mail-a", kind): 1}
    assert not engine.receipts


async def test_it_is_acknowledged_once_it_is_journaled(client: Client, engine: Engine) -> None:
    engine.answer = lambda receipt: receipt.nack()
    assert (await client.bring(path(), samples.POSTFIX)).startswith("451 ")
    engine.answer = lambda receipt: None
    bringing = asyncio.create_task(client.bring(path(), samples.POSTFIX))
    await until(lambda: len(engine.receipts) == 2)
    assert not bringing.done()
    engine.receipts[1][1].ack()
    assert (await bringing).startswith("250 ")


async def test_what_is_not_journaled_in_time_has_to_come_again(
    house: House, engine: Engine
) -> None:
    engine.answer = lambda receipt: None
    async with talking(house, answer_ms=50) as (_, client):
        assert (await client.bring(path(), samples.POSTFIX)).startswith("451 ")
        engine.receipts[0][1].ack()  # too late, and no harm
    assert await client.reply() == ""


async def test_a_mail_is_about_one_message(client: Client, engine: Engine) -> None:
    await client.begin(path(number=1))
    assert (await client.ask(f"RCPT TO:<{path(number=2)}>")).startswith("452 ")
    assert (await client.ask("RSET")).startswith("250 ")
    assert (await client.ask("DATA")).startswith("503 ")


async def test_nothing_is_smuggled_in_behind_a_line_feed(client: Client, engine: Engine) -> None:
    for end in (b"\n.\n", b"\n.\r\n", b"\r\n.\n"):
        inside = end + b"MAIL FROM:<>\r\nRCPT TO:<x@y>\r\nDATA\r\n"
        data = samples.PERSON.replace("\n", "\r\n").encode() + inside
        await client.begin(path())
        assert (await client.ask("DATA")).startswith("354 ")
        assert (await client.ask(data + b"\r\n.")).startswith("250 ")
    assert engine.kinds == {("mail-a", "not_a_bounce"): 3}
    assert (await client.ask("NOOP")).startswith("250 ")


async def test_accounts_that_are_edited_are_followed(
    house: House, client: Client, engine: Engine
) -> None:
    await house.put("mail-a", domain="bounces.example.org")
    await house.accounts.delete("mail-b", None)
    await house.settle()
    assert (await client.begin(path("mail-a"))).startswith("550 ")
    assert (await client.ask(f"RCPT TO:<{path('mail-b')}>")).startswith("550 ")
    moved = path("mail-a").replace(DOMAIN, "bounces.example.org")
    assert (await client.ask(f"RCPT TO:<{moved}>")).startswith("250 ")


@asynccontextmanager
async def talking(house: House, **bounds: int) -> AsyncIterator[tuple[BounceListener, Client]]:
    """A listener with these bounds, and a connection to it."""
    listener: BounceListener = house.listener(**bounds)
    await listener.start("127.0.0.1", 0)
    client = await Client.connect(listener.port)
    try:
        yield listener, client
    finally:
        await listener.stop()
        client.close()


async def test_mails_that_are_too_large(house: House, engine: Engine) -> None:
    async with talking(house, mail_bytes_max=10_000) as (_, client):
        await client.ask("EHLO x")
        assert (await client.ask("MAIL FROM:<> SIZE=10001")).startswith("552 ")
        assert (await client.bring(path(), "x\n" * 4_000)).startswith("552 ")
        assert (await client.bring(path(), samples.POSTFIX)).startswith("250 ")
        # Far too large: it is not read to its end.
        await client.begin(path())
        await client.ask("DATA")
        client.writer.write(b"x\r\n" * 15_000)
        assert (await client.reply()).startswith("552 ")
    assert len(engine.receipts) == 1


@pytest.mark.parametrize("noise", [b"x" * 200_000, b"y" * 3_000 + b"\r\n"])
async def test_a_line_without_end_is_sent_away(house: House, noise: bytes) -> None:
    async with talking(house) as (_, client):
        client.writer.write(noise)
        assert (await client.reply()).startswith("500 ")


async def test_noise_is_sent_away(client: Client) -> None:
    replies = [await client.ask(b"\x00\xff GET / HTTP/1.1") for _ in range(11)]
    assert all(reply.startswith("500 ") for reply in replies)
    assert (await client.reply()).startswith("421 ")


async def test_silence_and_endless_talk_are_ended(house: House) -> None:
    async with talking(house, idle_ms=50) as (_, client):
        assert (await client.reply()).startswith("421 4.4.2 ")
    async with talking(house, session_ms=50) as (_, client):
        assert await client.reply() == ""


async def test_one_connection_too_many_is_told_so(house: House, engine: Engine) -> None:
    async with talking(house, connections_max=1) as (listener, client):
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        assert (await reader.readline()).startswith(b"421 ")
        assert await reader.read() == b""
        writer.close()
        assert (await client.bring(path(), samples.POSTFIX)).startswith("250 ")


async def test_connections_that_break_leave_nothing_behind(house: House, engine: Engine) -> None:
    stages = ["EHLO x", "MAIL FROM:<>", f"RCPT TO:<{path()}>", "DATA", "Subject: half"]
    async with talking(house, connections_max=2) as (listener, client):
        for end in range(len(stages) + 1):
            broken = await connected(listener.port)
            broken.writer.write("".join(f"{stage}\r\n" for stage in stages[:end]).encode())
            broken.writer.transport.abort()
        again = await connected(listener.port)
        again.close()
        assert (await client.bring(path(), samples.POSTFIX)).startswith("250 ")
    assert len(engine.receipts) == 1


async def connected(port: int) -> Client:
    """A connection, once there is room for it."""
    found: list[Client] = []

    async def tried() -> bool:
        client = Client(*await asyncio.open_connection("127.0.0.1", port))
        if (await client.reply()).startswith("220 "):
            found.append(client)
            return True
        client.close()
        return False

    await until(tried)
    return found[0]
