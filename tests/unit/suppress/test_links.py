"""Unsubscribe links: nothing personal in them, and nothing that was not made here opens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.suppress.links import PATH, Leaving, Links

KEY = bytes(range(32))
LINKS = Links("https://notify.example.com/", KEY)
ADA = Leaving("acme", "email", "ada@example.com", "bulk", "local-u00")


def token_of(url: str) -> str:
    head, _, token = url.rpartition(PATH)
    assert head == "https://notify.example.com"
    return token


def test_a_link_says_what_it_stops_to_its_maker_alone() -> None:
    token = token_of(LINKS.url(ADA))
    assert LINKS.read(token) == ADA
    assert "ada" not in token
    assert Links("https://notify.example.com", bytes(32)).read(token) is None


@given(st.text(max_size=200) | st.binary(max_size=90).map(bytes.hex))
def test_strangers_tokens_open_nothing(token: str) -> None:
    assert LINKS.read(token) is None


@pytest.mark.parametrize("place", range(0, 60, 7))
def test_a_changed_token_opens_nothing(place: int) -> None:
    token = token_of(LINKS.url(ADA))
    other = "A" if token[place] != "A" else "B"
    assert LINKS.read(token[:place] + other + token[place + 1 :]) is None


def test_without_a_key_or_an_address_there_are_no_links() -> None:
    assert Links("", KEY).url(ADA) == ""
    assert Links("https://notify.example.com", None).url(ADA) == ""
