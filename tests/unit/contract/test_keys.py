"""API keys: what is mistyped is refused without asking; secrets do not show."""

import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contract.keys import (
    KEY_CHARS,
    MINT_RANDOM_BYTES,
    SCOPES,
    format_key,
    grants,
    mint_key,
    parse_key,
    secret_hash,
)

randoms = st.binary(min_size=MINT_RANDOM_BYTES, max_size=MINT_RANDOM_BYTES)


@given(randoms)
def test_a_key_survives_being_written_and_read(rnd: bytes) -> None:
    key = mint_key(rnd)
    text = format_key(key)
    assert parse_key(text) == key
    assert len(text) == KEY_CHARS
    assert len(key.id) == 12
    assert len(key.secret) == 32


@given(randoms, st.integers(0, KEY_CHARS - 1), st.sampled_from("0Zz_ é"))
def test_one_wrong_character_is_noticed(rnd: bytes, at: int, wrong: str) -> None:
    text = format_key(mint_key(rnd))
    changed = text[:at] + wrong + text[at + 1 :]
    assert changed == text or parse_key(changed) is None


@given(st.text(max_size=80))
def test_whatever_is_no_key_is_none(text: str) -> None:
    assert parse_key(text) is None


def test_a_trailing_line_break_is_no_key() -> None:
    assert parse_key(format_key(mint_key(os.urandom(40))) + "\n") is None


def test_too_little_randomness_makes_no_key() -> None:
    with pytest.raises(ValueError, match="40 random bytes"):
        mint_key(b"short")


def test_the_hash_is_sha256_of_the_secret_alone() -> None:
    key = mint_key(os.urandom(40))
    assert secret_hash(key.secret) == hashlib.sha256(key.secret.encode()).digest()


def test_a_key_shown_by_accident_does_not_show_its_secret() -> None:
    key = mint_key(os.urandom(40))
    assert key.secret not in repr(key)
    assert key.secret not in f"{key}"


def test_admin_may_everything_and_others_only_what_they_have() -> None:
    for scope in SCOPES:
        assert grants(frozenset({"admin"}), scope)
        assert grants(frozenset({scope}), scope)
    assert not grants(frozenset({"send", "read"}), "keys")
    assert not grants(frozenset(), "read")
    assert not grants(frozenset({"keys"}), "admin")
