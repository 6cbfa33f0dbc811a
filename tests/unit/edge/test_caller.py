"""Only trusted proxies are believed, and only valid trace ids."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.caller import caller_address, plain_address, trace_of

addresses = st.ip_addresses().map(str)
words = st.text(alphabet="0123456789abcdef.:[], xunk", max_size=30)


@given(addresses, st.lists(words, max_size=5))
def test_without_trusted_proxies_nothing_in_the_header_counts(peer: str, sent: list[str]) -> None:
    assert caller_address(peer, sent, 0) == peer


@given(addresses, st.lists(addresses, min_size=1, max_size=6), st.lists(words, max_size=4))
def test_what_the_caller_wrote_itself_never_counts(
    peer: str, hops: list[str], forged: list[str]
) -> None:
    """`hops` are what trusted proxies appended: the caller first, then each proxy but the last."""
    honest = caller_address(peer, [", ".join(hops)], len(hops))
    assert honest == plain_address(hops[0])
    assert caller_address(peer, [*forged, ", ".join(hops)], len(hops)) == honest
    assert caller_address(peer, [", ".join([*forged, *hops])], len(hops)) == honest


@given(addresses, st.lists(words, max_size=6), st.integers(0, 8))
def test_the_answer_is_an_address_that_somebody_trusted_gave(
    peer: str, sent: list[str], hops: int
) -> None:
    found = caller_address(peer, sent, hops)
    assert found == peer or str(ipaddress.ip_address(found)) == found
    trusted = ",".join(sent).split(",")[-hops:] if hops else []
    assert found == peer or found in [plain_address(word) for word in trusted]


def test_one_header_or_several_are_the_same() -> None:
    one = caller_address("10.0.0.1", ["1.1.1.1, 2.2.2.2, 3.3.3.3"], 2)
    assert one == caller_address("10.0.0.1", ["1.1.1.1", "2.2.2.2,3.3.3.3"], 2) == "2.2.2.2"


def test_fewer_entries_than_hops_gives_the_leftmost() -> None:
    assert caller_address("10.0.0.1", ["1.1.1.1"], 3) == "1.1.1.1"
    assert caller_address("10.0.0.1", [], 3) == "10.0.0.1"


def test_a_word_that_is_no_address_ends_the_search() -> None:
    assert caller_address("10.0.0.1", ["1.1.1.1, unknown, 3.3.3.3"], 3) == "3.3.3.3"
    assert caller_address("10.0.0.1", ["unknown"], 1) == "10.0.0.1"


@pytest.mark.parametrize(
    ("word", "address"),
    [
        (" 1.2.3.4 ", "1.2.3.4"),
        ("1.2.3.4:5678", "1.2.3.4"),
        ("[2001:DB8::1]:443", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("", None),
        ("unknown", None),
        ("_hidden", None),
        ("1.2.3", None),
        ("[", None),
    ],
)
def test_addresses_in_their_many_forms(word: str, address: str | None) -> None:
    assert plain_address(word) == address


TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_a_valid_traceparent_is_kept() -> None:
    assert trace_of(f"00-{TRACE}-b7ad6b7169203331-01", 1) == TRACE
    assert trace_of(f"01-{TRACE}-b7ad6b7169203331-01-more", 1) == TRACE


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        TRACE,
        f"00-{TRACE}-b7ad6b7169203331",
        f"00-{TRACE.upper()}-b7ad6b7169203331-01",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-b7ad6b7169203331-01",
        f"00-{TRACE}-b7ad6b7169203331-01-more",
        f"00-{TRACE}-b7ad6b7169203331-01\r\nX: y",
    ],
)
def test_any_other_gives_a_new_one(header: str | None) -> None:
    assert trace_of(header, 0xABC) == f"{0xABC:032x}"


@given(st.text(max_size=70), st.integers(0, 2**128 - 1))
def test_a_trace_is_always_32_hex_digits(header: str, bits: int) -> None:
    trace = trace_of(header, bits)
    assert len(trace) == 32
    assert set(trace) <= set("0123456789abcdef")
