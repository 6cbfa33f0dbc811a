"""The guard against private networks: no way of writing an address slips through."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.providers.http.addresses import AddressRules, BadHostError, literal, reached

PUBLIC = AddressRules()
PRIVATE = AddressRules(allow_private=True)

CLOSED = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254"),
    *("169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1"),
    *("192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255"),
    *("198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "fc00::1"),
    *("fd00:ec2::254", "fec0::1", "ff02::1", "2001::1", "2001:2::1", "2001:db8::1"),
    *("100::1", "64:ff9b:1::1", "3fff::1", "5f00::1", "4000::1"),
]
OPEN = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"]


@pytest.mark.parametrize("text", CLOSED)
def test_what_is_not_public_is_refused(text: str) -> None:
    assert not PUBLIC.allows(ip_address(text))


@pytest.mark.parametrize("text", OPEN)
def test_public_addresses_are_allowed(text: str) -> None:
    assert PUBLIC.allows(ip_address(text))


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "10.1.2.3", "172.20.0.1", "192.168.0.1", "100.64.0.9", "::1", "fd12::1"]
)
def test_private_addresses_are_allowed_where_the_account_says_so(text: str) -> None:
    assert PRIVATE.allows(ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        *("169.254.169.254", "100.100.100.200", "fd00:ec2::254", "192.0.0.192", "fe80::1"),
        *("169.254.1.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::"),
        *("::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::"),
    ],
)
def test_metadata_and_what_is_no_host_stay_closed_even_then(text: str) -> None:
    assert not PRIVATE.allows(ip_address(text))


def test_a_network_can_be_opened_by_name() -> None:
    rules = AddressRules(
        allow_networks=(ip_network("169.254.169.254/32"), ip_network("10.9.0.0/16"))
    )
    assert rules.allows(ip_address("169.254.169.254"))
    assert rules.allows(ip_address("10.9.1.1"))
    assert rules.allows(ip_address("::ffff:10.9.1.1"))
    assert rules.allows(ip_address("8.8.8.8"))
    assert not rules.allows(ip_address("10.8.1.1"))
    assert not rules.allows(ip_address("127.0.0.1"))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_is_judged_as_itself(inner: IPv4Address) -> None:
    number = int(inner)
    forms = [
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address((0x64 << 112) | (0xFF9B << 96) | number),
        IPv6Address((0x2002 << 112) | (number << 80) | 0x1),
    ]
    for form in forms:
        assert reached(form) == inner
        for rules in (PUBLIC, PRIVATE):
            assert rules.allows(form) == rules.allows(inner)


@given(st.ip_addresses(v=4))
def test_only_global_addresses_pass(address: IPv4Address) -> None:
    """Python's own list may be older than ours, so it is asked in one direction only."""
    if PUBLIC.allows(address):
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=6))
def test_only_global_addresses_pass_in_version_6(address: IPv6Address) -> None:
    if PUBLIC.allows(address) and reached(address) == address:
        assert address.is_global
        assert not address.is_multicast


def written(part: int, base: int) -> str:
    return {8: f"0{part:o}", 10: str(part), 16: f"0x{part:X}"}[base]


@given(
    st.ip_addresses(v=4),
    st.integers(1, 4),
    st.lists(st.sampled_from([8, 10, 16]), min_size=4, max_size=4),
)
def test_every_way_of_writing_an_ipv4_address_is_understood(
    address: IPv4Address, parts: int, bases: list[int]
) -> None:
    number = int(address)
    front = [number >> 8 * (3 - place) & 0xFF for place in range(parts - 1)]
    numbers = [*front, number & 256 ** (5 - parts) - 1]
    host = ".".join(written(n, base) for n, base in zip(numbers, bases, strict=False))
    assert literal(host) == address


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("0xA9FEA9FE", "169.254.169.254"),
        ("::ffff:127.0.0.1", "::ffff:7f00:1"),
    ],
)
def test_well_known_disguises(host: str, address: str) -> None:
    found = literal(host)
    assert found == ip_address(address)
    assert not PUBLIC.allows(found)


@pytest.mark.parametrize(
    "host",
    [
        *("1.2.3.4.5", "256.1.1.1", "1.2.3.256", "1.2.65536", "4294967296", "0x100000000"),
        *("08", "1.09", "a.1", "example.0x7f", "fe80::1%eth0", "::1::", "1..2", ".1"),
    ],
)
def test_what_only_looks_like_an_address_is_refused(host: str) -> None:
    with pytest.raises(BadHostError):
        literal(host)


@pytest.mark.parametrize("host", ["example.com", "1.example", "localhost", "x1", "0x7f.example"])
def test_names_are_no_addresses(host: str) -> None:
    assert literal(host) is None
