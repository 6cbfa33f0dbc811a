"""What an operator may say about an account, and how a mistake is told."""

from random import Random
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.providers import smtp
from core.providers.registry import Checks
from core.providers.smtp import Settings
from tests.support.dkim import pem
from tests.wire.smtp.harness import Engine

LEAST = {"host": "mail.example.com", "from_address": "news@example.com"}


def test_the_least_that_must_be_said_is_safe() -> None:
    settings = msgspec.convert(LEAST, Settings)
    assert (settings.port, settings.tls, settings.tls_verify) == (587, "starttls_required", True)
    assert not settings.allow_plain_auth


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"host": ""}, "host"),
    ({"host": "mail example"}, "host"),
    ({"host": "mail.example.com\n"}, "host"),
    ({"port": 0}, "port"),
    ({"port": "25"}, "port"),
    ({"tls": "maybe"}, "tls"),
    ({"from_address": "news"}, "from_address"),
    ({"from_address": "a@b\r\nX: y"}, "from_address"),
    ({"from_name": "News\nBcc: x"}, "from_name"),
    ({"from_name": "News\u2028"}, "from_name"),
    ({"message_id_domain": "x>y"}, "message_id_domain"),
    ({"ehlo_name": "a b"}, "ehlo_name"),
    ({"connections": 0}, "connections"),
    ({"queue_ahead": -1}, "queue_ahead"),
    ({"queue_ahead": 101}, "queue_ahead"),
    ({"reconnect_min_ms": 500, "reconnect_max_ms": 100}, "reconnect_min_ms"),
    ({"password": "secret"}, "password"),
    ({"dkim_domain": "example.com"}, "dkim_domain and dkim_selector"),
    ({"dkim_domain": "localhost", "dkim_selector": "s"}, "dkim_domain"),
    ({"dkim_domain": "example.com\n", "dkim_selector": "s"}, "dkim_domain"),
    ({"dkim_domain": "example.com", "dkim_selector": "s;x"}, "dkim_selector"),
    ({"bounce_domain": "b@example.com"}, "bounce_domain"),
    ({"unsubscribe_mailto": "leave"}, "unsubscribe_mailto"),
    ({"unsubscribe_mailto": "läve@example.com"}, "unsubscribe_mailto"),
]


@pytest.mark.parametrize(("change", "named"), WRONG)
def test_a_mistake_is_named(change: dict[str, Any], named: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=named):
        msgspec.convert({**LEAST, **change}, Settings)


def test_what_the_registry_reads() -> None:
    assert smtp.WIRE == smtp.CAPABILITIES.wire == "smtp"
    assert smtp.SECRETS == ("password", "dkim_key", "bounce_key")
    assert smtp.CAPABILITIES.channel == "email"
    assert set(smtp.CAPABILITIES.formats) == {"text", "html", "subject"}
    assert smtp.CAPABILITIES.reference
    assert not smtp.CAPABILITIES.receipts
    assert isinstance(smtp, Checks)


SIGNED = {**LEAST, "dkim_domain": "example.com", "dkim_selector": "s1"}
BOUNCING = {**LEAST, "bounce_domain": "bounces.example.com"}
PEM = pem(Ed25519PrivateKey.generate())


@pytest.mark.parametrize(
    ("settings", "secrets", "pointers"),
    [
        (LEAST, {}, []),
        (LEAST, {"bounce_key": "k" * 16}, []),
        (SIGNED, {"dkim_key": PEM}, []),
        (SIGNED, {"dkim_key": None}, []),
        (SIGNED, {}, ["/secrets/dkim_key"]),
        (SIGNED, {"dkim_key": "s3cret"}, ["/secrets/dkim_key"]),
        (LEAST, {"dkim_key": PEM}, ["/settings/dkim_domain"]),
        (LEAST, {"dkim_key": None}, []),
        (BOUNCING, {"bounce_key": "k" * 16}, []),
        (BOUNCING, {"bounce_key": None}, []),
        (BOUNCING, {}, ["/secrets/bounce_key"]),
        (BOUNCING, {"bounce_key": "s3cret"}, ["/secrets/bounce_key"]),
    ],
)
def test_secrets_are_checked_against_the_settings(
    settings: dict[str, Any], secrets: dict[str, str | None], pointers: list[str]
) -> None:
    found = smtp.problems(msgspec.convert(settings, Settings), secrets)
    assert [problem.pointer for problem in found] == pointers
    assert all(problem.hint for problem in found)
    assert "s3cret" not in repr(found)


async def test_an_account_whose_key_cannot_be_used_stands_there_with_the_reason() -> None:
    engine = Engine()
    settings = msgspec.convert(SIGNED, Settings)
    adapter = smtp.make("acc", settings, {"dkim_key": "s3cret"}, engine, Random(1))
    await adapter.start()
    assert adapter.state() == "fault: this is no private key in PEM"
    assert engine.faults == ["this is no private key in PEM"]
    assert adapter.capacity() == 0
    await adapter.stop(0)
