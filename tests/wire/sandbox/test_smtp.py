"""The SMTP server on good and bad days, with smtplib, with aiosmtplib, and with raw bytes."""

import asyncio
import contextlib
import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from email.message import EmailMessage
from functools import partial
from typing import Any

import aiosmtplib
import pytest

from core.sandbox.app import Sandbox
from core.sandbox.limits import SandboxLimits
from tests.support.sandbox_clients import Http
from tests.support.wait import until

MAIL = "sandbox-smtp"


def mail(text: str = "Hello,\nthere.", subject: str = "Grüße 👋", **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "us@example.com"
    message["To"] = "you@example.org"
    message["Subject"] = subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message


async def with_smtplib(box: Sandbox, use: Callable[[smtplib.SMTP], Any]) -> Any:
    """Use a blocking client beside the loop."""

    def run() -> Any:
        with smtplib.SMTP("127.0.0.1", box.smtp_port, timeout=10) as client:
            return use(client)

    return await asyncio.to_thread(run)


class Raw:
    """Bytes in, lines out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, box: Sandbox) -> "Raw":
        raw = cls(*await asyncio.open_connection("127.0.0.1", box.smtp_port))
        assert (await raw.line()).startswith("220 ")
        return raw

    async def line(self) -> str:
        return (await asyncio.wait_for(self.reader.readline(), 10)).decode()

    async def lines(self, count: int) -> list[str]:
        return [await self.line() for _ in range(count)]

    async def say(self, text: str, answers: int = 1) -> list[str]:
        self.writer.write(text.encode())
        return await self.lines(answers)

    async def send(self, body: str = "Subject: s\r\n\r\ntext\r\n") -> list[str]:
        """One whole mail in one write; the replies to MAIL, RCPT, DATA and the dot."""
        envelope = "MAIL FROM:<a@x.org>\r\nRCPT TO:<b@x.org>\r\nDATA\r\n"
        return await self.say(f"{envelope}{body}.\r\n", 4)

    async def ended(self) -> None:
        assert await asyncio.wait_for(self.reader.read(), 10) == b""

    async def gone(self) -> None:
        """However it ended, and whatever was said last."""
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(self.reader.read(), 10)

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@pytest.fixture
async def raw(box: Sandbox) -> Any:
    raw = await Raw.connect(box)
    await raw.say("HELO me\r\n")
    yield raw
    await raw.close()


async def test_a_mail_is_in_the_history_as_its_recipient_reads_it(box: Sandbox, http: Http) -> None:
    message = mail(X_GouTong_Ref="m1.2.3")
    await with_smtplib(box, lambda client: client.send_message(message))
    [entry] = await http.history()
    assert entry.pop("at")
    assert entry == {
        "seq": 1,
        "provider": "sandbox-smtp",
        "wire": "smtp",
        "to": "you@example.org",
        "text": "Grüße 👋\n\nHello,\nthere.",
        "outcome": "accepted",
        "effective": True,
        "ref": "m1.2.3",
    }


async def test_of_text_and_html_the_text_is_shown_and_html_alone_without_tags(
    box: Sandbox, http: Http
) -> None:
    both = mail("plain", "s")
    both.add_alternative("<p>rich</p>", subtype="html")
    html = mail("", "s")
    html.set_content("<style>p{}</style><p>Hi&nbsp;&amp; <b>bye</b></p><p>Line<br>two</p>", "html")
    for message in (both, html):
        await with_smtplib(box, partial(smtplib.SMTP.send_message, msg=message))
    texts = [entry["text"] for entry in await http.history()]
    assert texts == ["s\n\nplain", "s\n\nHi\xa0& bye\n\nLine\ntwo"]


async def test_each_recipient_has_an_entry(box: Sandbox, http: Http) -> None:
    to = ["one@example.org", "two@example.org"]
    await with_smtplib(box, lambda client: client.send_message(mail(), to_addrs=to))
    assert [entry["to"] for entry in await http.history()] == to


@pytest.mark.parametrize("password", ["sandbox", "wrong"])
@pytest.mark.parametrize("method", ["auth_plain", "auth_login"])
async def test_only_the_right_password_is_taken(box: Sandbox, method: str, password: str) -> None:
    def log_in(client: smtplib.SMTP) -> tuple[int, bytes]:
        client.ehlo()
        client.user, client.password = "sandbox", password
        return client.auth(method[5:], getattr(client, method))

    if password == "wrong":
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            await with_smtplib(box, log_in)
        assert refused.value.smtp_code == 535
    else:
        assert (await with_smtplib(box, log_in))[0] == 235


async def test_starttls_with_the_kept_certificate(box: Sandbox, http: Http) -> None:
    trusted = ssl.create_default_context(cafile=str(box.folder / "tls.crt"))

    def use(client: smtplib.SMTP) -> None:
        client.starttls(context=trusted)
        client.login("sandbox", "sandbox")
        assert "starttls" not in client.esmtp_features
        client.send_message(mail("secret"))

    await with_smtplib(box, use)
    assert [entry["text"] for entry in await http.history()] == ["Grüße 👋\n\nsecret"]


async def test_starttls_forgets_what_was_said_before(box: Sandbox) -> None:
    context = ssl.create_default_context(cafile=str(box.folder / "tls.crt"))

    def inject() -> bytes:
        with socket.create_connection(("127.0.0.1", box.smtp_port), timeout=10) as plain:
            plain.recv(1000)
            plain.sendall(b"EHLO me\r\n")
            plain.recv(1000)
            # NOOP is injected behind STARTTLS: it must not be answered inside TLS.
            plain.sendall(b"STARTTLS\r\nNOOP\r\n")
            plain.recv(1000)
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                secure.sendall(b"MAIL FROM:<a@x.org>\r\n")
                return secure.recv(1000)

    assert (await asyncio.to_thread(inject)).startswith(b"503 ")


async def test_a_handshake_that_fails_ends_the_connection(box: Sandbox, raw: "Raw") -> None:
    await raw.say("EHLO me\r\n", 8)
    await raw.say("STARTTLS\r\n")
    raw.writer.write(b"this is no handshake, not at all\r\n")
    await raw.gone()
    await with_smtplib(box, lambda client: client.send_message(mail()))


async def test_mails_one_after_another_over_one_connection(box: Sandbox, http: Http) -> None:
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=box.smtp_port, start_tls=False)
    async with client:
        for number in range(20):
            await client.send_message(mail(f"number {number}"))
    texts = [entry["text"].split("\n")[-1] for entry in await http.history()]
    assert texts == [f"number {number}" for number in range(20)]


async def test_pipelined_mails_in_crumbs(http: Http, raw: Raw) -> None:
    one = "MAIL FROM:<a@x.org>\r\nRCPT TO:<b@x.org>\r\nDATA\r\nSubject: {}\r\n\r\n..dot\r\n.\r\n"
    stream = "".join(one.format(number) for number in range(3)).encode()
    for start in range(0, len(stream), 7):
        raw.writer.write(stream[start : start + 7])
        await raw.writer.drain()
        await asyncio.sleep(0)
    codes = [line[:3] for line in await raw.lines(12)]
    assert codes == ["250", "250", "354", "250"] * 3
    texts = [entry["text"] for entry in await http.history()]
    assert texts == [f"{number}\n\n.dot" for number in range(3)]


async def test_a_mail_without_a_line(http: Http, raw: Raw) -> None:
    assert (await raw.send(""))[-1].startswith("250 ")
    assert [entry["text"] for entry in await http.history()] == ["\n\n"]


async def test_commands_out_of_order_and_unknown_ones(raw: Raw) -> None:
    for command, code in (
        ("RCPT TO:<b@x.org>", "503"),
        ("DATA", "503"),
        ("WHAT", "500"),
        ("MAIL a@x.org", "501"),
        ("AUTH CRAM-MD5", "504"),
        ("AUTH PLAIN !!!", "501"),
        ("MAIL FROM:<a@x.org> SIZE=999999999", "552"),
        ("MAIL FROM:<>", "250"),
        ("MAIL FROM:<a@x.org>", "503"),
        ("RCPT TO:<nobody>", "501"),
        ("DATA", "554"),
        ("RSET", "250"),
        ("NOOP", "250"),
        ("VRFY you", "252"),
        ("QUIT", "221"),
    ):
        assert (await raw.say(f"{command}\r\n"))[0].startswith(code), command
    await raw.ended()


async def test_a_line_without_end_is_cut_off(raw: Raw) -> None:
    assert (await raw.say("X" * 5000))[0].startswith("500 ")


async def test_down_and_back(box: Sandbox, http: Http, raw: Raw) -> None:
    await http.behave(MAIL, down=True)
    with pytest.raises(ConnectionResetError):
        await raw.ended()
    with pytest.raises(ConnectionRefusedError):
        await Raw.connect(box)
    await http.ask("DELETE", f"/sandbox/behaviour/{MAIL}")
    again = await Raw.connect(box)
    await again.close()


@pytest.mark.parametrize(
    ("refuse_as", "code", "at_rcpt"),
    [
        ("throttled", "450 4.7.1 ", False),
        ("temporary", "451 4.3.0 ", False),
        ("permanent", "554 5.6.0 ", False),
        ("invalid_target", "550 5.1.1 ", True),
        ("account", "530 5.7.0 ", True),
    ],
)
async def test_refused_mails_have_no_effect_but_an_entry(
    http: Http, raw: Raw, refuse_as: str, code: str, at_rcpt: bool
) -> None:
    await http.behave(MAIL, refuse={"ratio": 1, "as": refuse_as})
    if at_rcpt:
        replies = await raw.say("MAIL FROM:<a@x.org>\r\nRCPT TO:<b@x.org>\r\nDATA\r\n", 3)
        assert replies[2].startswith("554 ")
        assert replies[1].startswith(code)
        await raw.say("RSET\r\n")
    else:
        replies = await raw.send()
        assert replies[3].startswith(code)
    await http.ask("DELETE", f"/sandbox/behaviour/{MAIL}")
    assert (await raw.send("Subject: later\r\n\r\ntext\r\n"))[-1].startswith("250 ")
    refused, accepted = await http.history()
    assert (refused["to"], refused["outcome"], refused["effective"]) == (
        "b@x.org",
        "refused",
        False,
    )
    assert refused["text"] == ("" if at_rcpt else "s\n\ntext")
    assert (accepted["text"], accepted["effective"]) == ("later\n\ntext", True)


async def test_a_reset_comes_after_the_effect(http: Http, raw: Raw) -> None:
    await http.behave(MAIL, reset_after_body=1)
    raw.writer.write(b"MAIL FROM:<a@x.org>\r\nRCPT TO:<b@x.org>\r\nDATA\r\n")
    await raw.lines(3)
    raw.writer.write(b"X-GouTong-Ref: m1.1.1\r\n\r\ntext\r\n.\r\n")
    with pytest.raises(ConnectionResetError):
        await raw.ended()
    [entry] = await http.history()
    assert (entry["outcome"], entry["effective"], entry["ref"]) == ("reset", True, "m1.1.1")


async def test_a_hang_comes_after_the_effect_and_lasts(http: Http, raw: Raw) -> None:
    await http.behave(MAIL, hang=1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(raw.send(), 0.3)
    await http.ask("DELETE", f"/sandbox/behaviour/{MAIL}")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(raw.say("NOOP\r\n"), 0.3)
    [entry] = await http.history()
    assert (entry["outcome"], entry["effective"]) == ("hang", True)


async def test_latency_holds_back_the_final_reply_and_what_follows(http: Http, raw: Raw) -> None:
    await http.behave(MAIL, latency_ms=[1000, 1000])
    started = time.monotonic()
    raw.writer.write(
        b"MAIL FROM:<a@x.org>\r\nRCPT TO:<b@x.org>\r\nDATA\r\n\r\ntext\r\n.\r\nNOOP\r\n"
    )
    await raw.lines(3)
    assert len(await until(http.history)) == 1
    assert time.monotonic() - started < 0.9
    assert (await raw.line()).startswith("250 2.0.0 Ok: queued as ")
    assert time.monotonic() - started > 0.99
    assert await raw.line() == "250 2.0.0 Ok\r\n"


async def test_the_receipt_section_does_nothing_here(http: Http, raw: Raw) -> None:
    await http.behave(MAIL, receipt={"none": 1, "early": 1, "twice": 1, "fail": 1})
    assert (await raw.send())[-1].startswith("250 ")
    [entry] = await http.history()
    assert (entry["outcome"], entry["effective"]) == ("accepted", True)


class TestLimits:
    """With small limits."""

    @pytest.fixture
    def limits(self) -> SandboxLimits:
        return SandboxLimits(mail_bytes_max=1000, mail_recipients_max=2, smtp_idle_ms=1000)

    async def test_a_mail_that_is_too_large(self, http: Http, raw: Raw) -> None:
        replies = await raw.send("x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 2000)
        assert replies[-1].startswith("552 5.3.4 ")
        assert (await raw.send("Subject: small\r\n\r\n"))[-1].startswith("250 ")
        entries = await http.history()
        assert [(entry["outcome"], entry["text"]) for entry in entries] == [
            ("refused", ""),
            ("accepted", "small\n\n"),
        ]

    async def test_too_many_recipients(self, raw: Raw) -> None:
        await raw.say("MAIL FROM:<a@x.org>\r\n")
        replies = await raw.say("RCPT TO:<b@x.org>\r\n" * 3, 3)
        assert [reply[:3] for reply in replies] == ["250", "250", "452"]

    async def test_who_says_nothing_is_shown_the_door(self, raw: Raw) -> None:
        assert (await raw.line()).startswith("421 ")
        await raw.ended()
