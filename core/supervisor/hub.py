"""The configuration of a region's NATS server, as a pure function of its place.

A region by itself has a server with a token. One of several has a hub, joined to the other regions'
hubs by gateways: its one user may publish under the region's own name only, and only this hub knows
that user, so what arrives from another region was said by that region. Hubs know each other by a
secret of their own.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from msgspec import Struct

GATEWAY_USER = "hub"
_HEAD = "# Written by `goutong up` at each start; changes are lost."


class NatsPlace(Struct, frozen=True):
    """Where the server of a region listens, and where it logs."""

    region: str
    port: int
    http_port: int
    log: str
    log_bytes: int


class Gateways(Struct, frozen=True):
    """What joins a hub to the others: every region's gateway port, its own among them."""

    ports: Mapping[str, int]
    user_secret: str
    gateway_secret: str


def alone(place: NatsPlace, token: str) -> str:
    """The server of a region that has no neighbours."""
    return _text([*_common(place), f"authorization {{ token: {token} }}"])


def joined(place: NatsPlace, gateways: Gateways) -> str:
    """The hub of one region of several."""
    own = place.region
    user = {
        "user": own,
        "password": gateways.user_secret,
        "permissions": {"publish": {"allow": [f"goutong.{own}.>"]}, "subscribe": {"allow": [">"]}},
    }
    others = [
        {"name": name, "url": f"nats://{GATEWAY_USER}:{gateways.gateway_secret}@127.0.0.1:{port}"}
        for name, port in gateways.ports.items()
    ]
    return _text(
        [
            *_common(place),
            # A silent cut is seen within seconds; with the default of two minutes what comes
            # through after it was healed is half a minute old.
            'ping_interval: "1s"',
            "ping_max: 2",
            'write_deadline: "2s"',
            f"authorization {{ users: [ {_value(user)} ] }}",
            "gateway {",
            f"  name: {_value(own)}",
            f'  listen: "127.0.0.1:{gateways.ports[own]}"',
            "  reject_unknown_cluster: true",
            f"  authorization {{ user: {GATEWAY_USER}, password: {gateways.gateway_secret} }}",
            f"  gateways: {_value(others)}",
            "}",
        ]
    )


def _common(place: NatsPlace) -> list[str]:
    return [
        f"server_name: {place.region}",
        f'listen: "127.0.0.1:{place.port}"',
        f'http: "127.0.0.1:{place.http_port}"',
        f"log_file: {_value(place.log)}",
        f"logfile_size_limit: {place.log_bytes}",
        "logfile_max_num: 2",
    ]


def _value(value: Any) -> str:
    """A value in NATS's configuration, which takes JSON."""
    return orjson.dumps(value).decode()


def _text(lines: list[str]) -> str:
    return "\n".join([_HEAD, *lines]) + "\n"
