"""What an operator may say about an account, and how a mistake is told."""

from typing import Any

import msgspec
import pytest

from core.providers import smtp
from core.providers.smtp import Settings

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
