"""What an operator may say about one webhook account. The secret is no setting; it comes sealed."""

from ipaddress import ip_network
from typing import Annotated

from msgspec import Meta, Struct

from core.providers.http import AddressRules, HttpLimits
from core.providers.http.addresses import Network

_Count = Annotated[int, Meta(ge=1, le=10_000)]
_Millis = Annotated[int, Meta(ge=10, le=3_600_000)]
_Port = Annotated[int, Meta(ge=1, le=65_535)]


class WebhookSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One account through which webhooks are called. Every setting has a default that works."""

    # Bounds: calls under way, those that wait for a connection to their host included; connections
    # in all and to one host; calls that may wait for one host. More calls to a host end as
    # `not_sent` at once.
    calls_max: _Count = 512
    connections_max: _Count = 256
    per_host_connections_max: _Count = 32
    per_host_waiting_max: _Count = 64

    # Time-outs. `timeout_ms` is for the whole call; a call that was written and not answered within
    # it is in doubt, and its connection listens `late_ms` longer for the answer. A connection that
    # takes no bytes for `write_timeout_ms` is given up.
    timeout_ms: _Millis = 15_000
    connect_timeout_ms: _Millis = 5_000
    write_timeout_ms: _Millis = 1_000
    late_ms: _Millis = 15_000

    # How long a connection is kept unused, and used at all.
    idle_ms: _Millis = 4_000
    age_max_ms: _Millis = 60_000

    # Where calls may go. Private, loopback and shared addresses need `allow_private`; any network
    # can be opened by name. `ports` empty: any port.
    allow_private: bool = False
    allow_networks: Annotated[tuple[str, ...], Meta(max_length=100)] = ()
    ports: Annotated[tuple[_Port, ...], Meta(max_length=100)] = (80, 443, 8080, 8443)
    names_ttl_ms: _Millis = 30_000

    # PEM file of the authorities to trust; empty: those of the system.
    ca_file: Annotated[str, Meta(max_length=4_096)] = ""

    # The largest body that is sent; Standard Webhooks recommend 20 KiB at most.
    body_bytes_max: Annotated[int, Meta(ge=1_024, le=16_777_216)] = 262_144

    # What an endpoint may ask us to wait by Retry-After, and what is waited where it names nothing.
    throttle_wait_ms: _Millis = 5_000
    throttle_wait_max_ms: _Millis = 3_600_000

    def __post_init__(self) -> None:
        self.rules()

    def rules(self) -> AddressRules:
        """Which addresses may be called. Raises ValueError for a network that is none."""
        networks: list[Network] = []
        for text in self.allow_networks:
            try:
                networks.append(ip_network(text))
            except ValueError:
                raise ValueError("allow_networks: write networks such as 10.20.0.0/16") from None
        return AddressRules(allow_private=self.allow_private, allow_networks=tuple(networks))

    def limits(self) -> HttpLimits:
        """The bounds of the client."""
        return HttpLimits(
            calls_max=self.calls_max,
            connections_max=self.connections_max,
            host_connections_max=self.per_host_connections_max,
            host_waiting_max=self.per_host_waiting_max,
            timeout_ms=self.timeout_ms,
            connect_timeout_ms=self.connect_timeout_ms,
            write_timeout_ms=self.write_timeout_ms,
            late_ms=self.late_ms,
            idle_ms=self.idle_ms,
            age_max_ms=self.age_max_ms,
            names_ttl_ms=self.names_ttl_ms,
        )
