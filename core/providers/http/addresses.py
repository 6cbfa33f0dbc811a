"""Which addresses may be called: the guard against being sent into private networks. Pure.

Every address is looked at in the form in which it reaches a machine: an IPv4 address inside an
IPv6 one (mapped, 6to4, NAT64) is judged as what it is. What is not known to be public is refused,
so a form that is missing here is refused, too.
"""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from msgspec import Struct

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_PRIVATE = tuple(
    ip_network(each)
    for each in (
        *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        *("::1/128", "fc00::/7"),
    )
)
"""What `allow_private` opens."""

_CLOSED_4 = tuple(
    IPv4Network(each)
    for each in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
)
_PUBLIC_6 = IPv6Network("2000::/3")
_CLOSED_6 = tuple(
    IPv6Network(each)
    for each in ("2001::/23", "2001:db8::/32", "3fff::/20")  # protocols, Teredo; documentation
)
# Where clouds tell a machine its credentials: never opened by `allow_private`.
_METADATA = frozenset(
    ip_address(each)
    for each in ("169.254.169.254", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")
)
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_6TO4 = IPv6Network("2002::/16")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")
_PARTS_MAX = 4


class BadHostError(ValueError):
    """A host that looks like an address and is none."""


class AddressRules(Struct, frozen=True):
    """What may be called. The default is public addresses only."""

    everything: bool = False
    allow_private: bool = False
    """Loopback, private and shared networks too; link-local and metadata addresses stay closed."""
    allow_networks: tuple[Network, ...] = ()

    def allows(self, address: Address) -> bool:
        """Whether this address may be called."""
        if self.everything:
            return True
        inner = reached(address)
        if any(_in(inner, each) or _in(address, each) for each in self.allow_networks):
            return True
        if inner in _METADATA:
            return False
        if is_public(inner):
            return True
        return self.allow_private and any(_in(inner, each) for each in _PRIVATE)


def reached(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _MAPPED or address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address in _6TO4:
        return IPv4Address(int(address) >> 80 & 0xFFFF_FFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether the address is a unicast one of the public internet."""
    if isinstance(address, IPv4Address):
        return not any(address in each for each in _CLOSED_4)
    return (
        address.scope_id is None
        and address in _PUBLIC_6
        and not any(address in each for each in _CLOSED_6)
    )


def literal(host: str) -> Address | None:
    """The address that the host is, in any way of writing it; None if it is a name.

    Raises BadHostError for what some resolvers take for an address and others do not: whatever
    ends in a number is an address or nothing.
    """
    if ":" in host:
        try:
            found = IPv6Address(host)
        except ValueError:
            raise BadHostError("the host is no IPv6 address") from None
        if found.scope_id is not None:
            raise BadHostError("an address with a zone cannot be called")
        return found
    parts = host.split(".")
    if _NUMBER.fullmatch(parts[-1]) is None:
        return None
    numbers = [_number(part) for part in parts]
    *front, last = numbers
    if len(parts) > _PARTS_MAX or any(n > 255 for n in front) or last >= 256 ** (5 - len(parts)):
        raise BadHostError("the host is no IPv4 address")
    value = last
    for place, number in enumerate(front):
        value += number << 8 * (3 - place)
    return IPv4Address(value)


def _number(text: str) -> int:
    if _NUMBER.fullmatch(text) is None or len(text) > 16:
        raise BadHostError("the host is no IPv4 address")
    if text[:2] in ("0x", "0X"):
        return int(text[2:] or "0", 16)
    try:
        return int(text, 8) if len(text) > 1 and text[0] == "0" else int(text)
    except ValueError:
        raise BadHostError("the host is no IPv4 address") from None


def _in(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network
