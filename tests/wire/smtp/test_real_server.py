"""Mails to a real server (aiosmtpd), in clear, by STARTTLS and by implicit TLS."""

import email
import email.policy
import ssl
from pathlib import Path

import pytest

from core.providers.port import Call
from tests.support.wait import until
from tests.wire.smtp.harness import account
from tests.wire.smtp.real_server import (
    PASSWORD,
    USER,
    authenticate,
    make_certificate,
    real_server,
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


async def test_a_mail_arrives_as_it_was_meant() -> None:
    with real_server() as (port, box):
        async with account(port, from_name="Das Büro", message_id_domain="id.example.com") as (
            adapter,
            engine,
        ):
            text = "Grüße,\n.\n..\nund ein Punkt am Anfang:\n.hier\n"
            html = "<p>Grüße</p>\n" + "<b>lang</b>" * 200
            adapter.submit(
                engine.call("eu-u001abc.a7.3", subject="Überraschung №1", text=text, html=html)
            )
            outcome = await engine.outcome("eu-u001abc.a7.3")
    assert (outcome.kind, outcome.provider_id) == ("accepted", "BOX1")
    (envelope,) = box.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("news@example.com", ["ann@example.net"])
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert mail["Subject"] == "Überraschung №1"
    assert mail["From"] == "Das Büro <news@example.com>"
    assert mail["To"] == "ann@example.net"
    assert mail["X-GouTong-Ref"] == "eu-u001abc.a7.3"
    assert mail["Message-ID"] == "<eu-u001abc@id.example.com>"
    plain = mail.get_body(("plain",)).get_content()
    assert plain.replace("\r\n", "\n") == text
    assert mail.get_body(("html",)).get_content().replace("\r\n", "\n") == html + "\n"


async def test_a_hundred_mails_over_four_connections() -> None:
    with real_server() as (port, box):
        async with account(port, connections=4) as (adapter, engine):

            def go_on(_: object = None) -> None:
                """As the engine does: each end makes room for the next."""
                while waiting and len(begun) - len(engine.outcomes) < adapter.capacity():
                    begun.append(waiting.pop())
                    adapter.submit(begun[-1])

            begun: list[Call] = []
            waiting = [engine.call(f"m{i}.a.1", then=go_on) for i in range(100)]
            go_on()
            await until(lambda: len(engine.outcomes) == 100)
    assert {outcome.kind for outcome in engine.outcomes.values()} == {"accepted"}
    assert len({outcome.provider_id for outcome in engine.outcomes.values()}) == 100
    assert len(box.envelopes) == 100


@pytest.mark.parametrize("tls", ["starttls", "starttls_required"])
async def test_starttls_and_auth(tls: str, certificate: tuple[Path, ssl.SSLContext]) -> None:
    trusted, context = certificate
    options = {"tls_context": context, "authenticator": authenticate}
    with real_server(**options) as (port, box):
        async with account(
            port, tls=tls, ca_file=str(trusted), username=USER, password=PASSWORD
        ) as (adapter, engine):
            for i in range(3):
                adapter.submit(engine.call(f"m{i}.a.1"))
                assert (await engine.outcome(f"m{i}.a.1")).kind == "accepted"
    assert box.over_tls == box.authenticated == [True] * 3


async def test_implicit_tls(certificate: tuple[Path, ssl.SSLContext]) -> None:
    trusted, context = certificate
    with real_server(implicit=context) as (port, box):
        async with account(port, tls="implicit", ca_file=str(trusted)) as (adapter, engine):
            large = "A longer letter over TLS.\n" * 40_000
            for i in range(3):
                adapter.submit(engine.call(f"m{i}.a.1", text=large))
                assert (await engine.outcome(f"m{i}.a.1")).kind == "accepted"
    assert len(box.envelopes) == 3
    assert all(mail.content.endswith(b"A longer letter over TLS.\r\n") for mail in box.envelopes)


@pytest.mark.parametrize("tls", ["starttls", "starttls_required", "implicit"])
async def test_a_certificate_that_proves_nothing_ends_it(
    tls: str, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    _, context = certificate
    options = {"implicit": context} if tls == "implicit" else {"tls_context": context}
    with real_server(**options) as (port, _):
        async with account(port, up=False, tls=tls) as (adapter, _):
            await until(lambda: "certificate" in adapter.state())
            assert adapter.capacity() == 0
        async with account(port, tls=tls, tls_verify=False) as (adapter, engine):
            adapter.submit(engine.call("m1.a.1"))
            assert (await engine.outcome("m1.a.1")).kind == "accepted"


async def test_a_wrong_password_takes_the_account_out() -> None:
    options = {"authenticator": authenticate, "auth_require_tls": False}
    with real_server(**options) as (port, _):
        async with account(port, up=False, username=USER, password="wrong words") as (
            adapter,
            engine,
        ):
            await until(lambda: engine.faults)
            assert adapter.capacity() == 0
            assert adapter.state().startswith("fault: AUTH: 535")
            adapter.submit(engine.call("m1.a.1"))
            assert (await engine.outcome("m1.a.1")).kind == "not_sent"
            told = adapter.state() + str(engine.faults)
            assert USER not in told
            assert "wrong words" not in told
            assert len(engine.faults) == 1


async def test_the_right_password_in_clear_to_this_machine() -> None:
    options = {"authenticator": authenticate, "auth_require_tls": False}
    with real_server(**options) as (port, box):
        async with account(port, username=USER, password=PASSWORD) as (adapter, engine):
            adapter.submit(engine.call("m1.a.1"))
            assert (await engine.outcome("m1.a.1")).kind == "accepted"
    assert box.authenticated == [True]
