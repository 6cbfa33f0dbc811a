"""The request in Twilio's form, and what is wrong with an account's settings."""

from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.accounts.check import check_account
from core.contract.providers import ProviderIn
from core.providers.port import OutMessage
from core.providers.sms_http.request import authorization, callback_address, form, messages_url
from core.providers.sms_http.settings import SmsHttpSettings
from core.providers.sms_http.talk import TwilioTalk

GIVEN: dict[str, Any] = {"account_sid": "AC1", "from": "+15550001"}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)


def settings(**changes: Any) -> SmsHttpSettings:
    return msgspec.convert({**GIVEN, **changes}, SmsHttpSettings)


def fields(message: OutMessage, **changes: Any) -> dict[str, str]:
    pairs = parse_qsl(form(message, settings(**changes)).decode("ascii"), strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@given(TEXTS, TEXTS, TEXTS)
def test_every_text_survives_the_form(to: str, text: str, sender: str) -> None:
    found = fields(OutMessage("m.1.2", to, sender=sender, text=text))
    assert (found["To"], found["Body"], found["From"]) == (to, text, sender)


@given(st.text("abcdef0123456789-.u", min_size=1, max_size=60), st.booleans())
def test_the_attempts_name_survives_the_callbacks_address(ref: str, query: bool) -> None:
    public = "https://in.example/v1/receipts/a" + ("?x=1" if query else "")
    found = fields(OutMessage(ref, "+1", text="hi"), callback_url=public)["StatusCallback"]
    assert found == callback_address(public, ref)
    assert parse_qs(urlsplit(found).query)["ref"] == [ref]
    assert found.startswith(public)


def test_a_messaging_service_stands_in_for_the_sender() -> None:
    given_ = {"from": "", "messaging_service_sid": "MG1"}
    found = fields(OutMessage("m.1.2", "+1", text="hi"), **given_)
    assert found == {"To": "+1", "Body": "hi", "MessagingServiceSid": "MG1"}


@pytest.mark.parametrize(
    ("valid_for_ms", "validity"),
    [(0, None), (-1, None), (1, "1"), (999, "1"), (90_500, "90"), (10**9, "36000")],
)
def test_validity_is_within_what_the_api_takes(valid_for_ms: int, validity: str | None) -> None:
    found = fields(OutMessage("m.1.2", "+1", text="hi", valid_for_ms=valid_for_ms))
    assert found.get("ValidityPeriod") == validity


def test_where_and_as_whom() -> None:
    made = settings(base_url="https://api.example/")
    assert messages_url(made) == "https://api.example/2010-04-01/Accounts/AC1/Messages.json"
    assert authorization("AC1", "päss") == "Basic QUMxOnDDpHNz"


def test_texts_that_the_api_refuses_are_not_offered() -> None:
    talk = TwilioTalk(settings(), {"auth_token": "t"})
    for text in ("x" * 1_601, ""):
        refused = talk.request(OutMessage("m.1.2", "+1", text=text))
        assert getattr(refused, "kind", "") == "permanent"


@pytest.mark.parametrize(
    ("changes", "secrets", "pointers"),
    [
        ({}, {"auth_token": "t"}, []),
        ({}, {}, ["/secrets/auth_token"]),
        ({"from": ""}, {"auth_token": "t"}, ["/settings/from"]),
        ({"messaging_service_sid": "MG1"}, {"auth_token": "t"}, ["/settings/from"]),
        ({"base_url": "ftp://x"}, {"auth_token": "t"}, ["/settings/base_url"]),
        ({"base_url": "http://sms.example"}, {"auth_token": "t"}, ["/settings/base_url"]),
        ({"base_url": "http://sms.example", "allow_http": True}, {"auth_token": "t"}, []),
        ({"base_url": "http://127.0.0.1:8"}, {"auth_token": "t"}, []),
        ({"base_url": "https://u:p@sms.example"}, {"auth_token": "t"}, ["/settings/base_url"]),
        ({"base_url": "https://sms.example?x"}, {"auth_token": "t"}, ["/settings/base_url"]),
        ({"base_url": "https://sms.example:x"}, {"auth_token": "t"}, ["/settings/base_url"]),
        ({"callback_url": "here"}, {"auth_token": "t"}, ["/settings/callback_url"]),
        ({"callback_url": "https://h/x#y"}, {"auth_token": "t"}, ["/settings/callback_url"]),
        ({"callback_url": "http://h/v1/receipts/a"}, {"auth_token": "t"}, []),
        ({"api_key_sid": "SK1"}, {"api_key_secret": "s"}, []),
        ({"api_key_sid": "SK1"}, {"auth_token": "t"}, ["/secrets/api_key_secret"]),
        ({"api_key_sid": "SK1", "callback_url": "https://h/x"}, {"api_key_secret": "s"},
         ["/secrets/auth_token"]),
        ({"validity_max_s": 0}, {"auth_token": "t"}, ["/settings/validity_max_s"]),
        ({"auth_token": "t"}, {"auth_token": "t"}, ["/settings/auth_token"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_pointed_to(
    changes: dict[str, Any], secrets: dict[str, str], pointers: list[str]
) -> None:
    given_ = ProviderIn(
        id="a", wire="sms_http", channel="sms", settings={**GIVEN, **changes}, secrets=secrets
    )
    found = check_account(given_, None)
    assert [each.pointer for each in found] == pointers
    assert all(each.hint for each in found)
