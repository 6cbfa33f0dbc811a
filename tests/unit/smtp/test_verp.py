"""Return paths: what is written in is read out, in 64 characters, and nobody else can write one."""

import secrets
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.contract.ids import mint_keyed, mint_unkeyed
from core.providers.smtp.verp import Verp
from sync.naming import attempt_name, effect_log

KEY = "0123456789abcdef" * 2
VERP = Verp("Bounces.example.com", KEY)
REGIONS = ("local", "eu", "useast1", "a234567890123456")

regions = st.sampled_from(REGIONS)


@st.composite
def refs(draw: Any) -> str:
    """References as the engine makes them."""
    home, region = draw(regions), draw(regions)
    shard = draw(st.integers(0, 4095))
    if draw(st.booleans()):
        message = mint_keyed(home, shard, "tenant", draw(st.text(max_size=9)), 0)
    else:
        minute = draw(st.integers(28_000_000, 60_000_000))
        message = mint_unkeyed(home, shard, minute, draw(st.binary(min_size=16, max_size=16)))
    incarnation = region + draw(st.binary(min_size=8, max_size=8)).hex()
    log = effect_log(home, draw(st.sampled_from(("urgent", "normal"))), incarnation, 0)
    row, index = draw(st.integers(0, 2**36)), draw(st.integers(0, 1023))
    return f"{message}.{attempt_name(log, row, index)}.{draw(st.integers(0, 10**6))}"


@given(refs(), st.booleans())
def test_every_reference_comes_back(ref: str, shouted: bool) -> None:
    address = VERP.address(ref)
    local, _, domain = address.partition("@")
    assert len(local) <= 64
    assert domain == "bounces.example.com"
    assert address == address.lower()
    read = VERP.ref_of(address.upper() if shouted else address, REGIONS)
    assert read.rpartition(".")[0] == ref.rpartition(".")[0]


@given(refs(), st.data())
def test_a_changed_address_names_nothing(ref: str, data: st.DataObject) -> None:
    address = VERP.address(ref)
    at = data.draw(st.integers(2, address.index("@") - 1))
    other = data.draw(st.sampled_from("0123456789abcdefghijklmnopqrstuvwxyz"))
    changed = address[:at] + other + address[at + 1 :]
    assert VERP.ref_of(changed, REGIONS) in ("", VERP.ref_of(address, REGIONS))
    assert changed == address or VERP.ref_of(changed, REGIONS) == ""
    assert VERP.ref_of("b+0" + address[2:], REGIONS) == ""


@given(st.text(max_size=80) | st.text("b+0123456789az@.", max_size=80))
@settings(max_examples=300)
def test_anything_else_names_nothing(text: str) -> None:
    assert VERP.ref_of(text, REGIONS) == ""
    assert VERP.ref_of(f"b+{text}@bounces.example.com", REGIONS) == ""


def test_another_key_domain_or_region_reads_nothing() -> None:
    ref = f"{mint_keyed('eu', 7, 't', 'k', 0)}.eu{secrets.token_hex(8)}-n0-12-3.4"
    address = VERP.address(ref)
    assert Verp("bounces.example.com", KEY[::-1]).ref_of(address, REGIONS) == ""
    assert Verp("bounces.example.org", KEY).ref_of(address, REGIONS) == ""
    assert VERP.ref_of(address, ("local",)) == ""
    assert VERP.ref_of(address, ()) == ""


def test_a_reference_of_another_form_has_no_address() -> None:
    for ref in ("", "m1.a.1", "local-u0010000000.a1-7.2", "x" * 200):
        assert VERP.address(ref) == ""
