"""What a region's NATS server is told: who may say what, and where the others are."""

import json
import re

from core.supervisor.hub import Gateways, NatsPlace, alone, joined

PLACE = NatsPlace("eu", 4120, 8120, "/data with space/nats.log", 1000)
PORTS = {"eu": 7120, "us": 7220, "ap": 7320}


def block(text: str, name: str) -> str:
    """The rest of the line that sets this."""
    found = re.search(rf"^\s*{name}:? (.*)$", text, re.MULTILINE)
    assert found is not None, text
    return found[1]


def test_a_region_alone_has_a_token_and_no_gateway() -> None:
    text = alone(PLACE, "abc")
    assert block(text, "authorization") == "{ token: abc }"
    assert "gateway" not in text
    assert block(text, "listen") == '"127.0.0.1:4120"'
    assert json.loads(block(text, "log_file")) == "/data with space/nats.log"


def test_a_hub_lets_its_region_speak_under_its_own_name_only() -> None:
    text = joined(PLACE, Gateways(PORTS, "own", "between"))
    found = re.search(r"users: \[ (.*) \]", block(text, "authorization"))
    assert found is not None
    user = json.loads(found[1])
    assert (user["user"], user["password"]) == ("eu", "own")
    assert user["permissions"]["publish"] == {"allow": ["goutong.eu.>"]}


def test_a_hub_knows_every_gateway_and_how_to_enter() -> None:
    text = joined(PLACE, Gateways(PORTS, "own", "between"))
    gateway = text[text.index("gateway {") :]
    assert block(gateway, "name") == '"eu"'
    assert block(gateway, "listen") == '"127.0.0.1:7120"'
    assert block(gateway, "reject_unknown_cluster") == "true"
    assert block(gateway, "authorization") == "{ user: hub, password: between }"
    assert json.loads(block(gateway, "gateways")) == [
        {"name": name, "url": f"nats://hub:between@127.0.0.1:{port}"}
        for name, port in PORTS.items()
    ]
    assert block(text, "ping_interval") == '"1s"'
