"""Provider accounts over HTTP: their secrets go in and never come out, anywhere."""

from pathlib import Path
from typing import Any

import pytest

from core.tenants.vault import Vault
from tests.wire.api.conftest import Door

CANARY = "c4nary-pw"
SMSC: dict[str, Any] = {
    "id": "smsc",
    "wire": "smpp",
    "channel": "sms",
    "settings": {"host": "127.0.0.1", "port": 2775, "system_id": "sandbox"},
    "secrets": {"password": CANARY},
}


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


def all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_an_account_s_life(door: Door) -> None:
    made = await door.call("POST", "/v1/providers", SMSC)
    assert (made.status, made.headers["ETag"]) == (201, '"1"')
    assert made.body == without(SMSC, "secrets") | {
        "enabled": True,
        "secrets": ["password"],
        "priority": 100,
        "price": {"amount": 0.0, "by_country": {}},
        "destinations": {"allow": [], "deny": []},
        "limits": {"per_second": None, "per_day": None, "concurrency": None},
        "location": None,
        "state": "connecting",
        "version": 1,
    }
    assert (await door.call("POST", "/v1/providers", SMSC)).status == 409
    door.states["smsc"] = "up"
    assert (await door.call("GET", "/v1/providers/smsc")).body["state"] == "up"
    off = without(SMSC, "secrets", "id") | {"enabled": False}
    put = await door.call("PUT", "/v1/providers/smsc", off, If_Match='"1"')
    assert (put.status, put.body["state"], put.body["secrets"]) == (200, "disabled", ["password"])
    assert (await door.call("PUT", "/v1/providers/smsc", off, If_Match='"1"')).status == 412
    other = await door.call("PUT", "/v1/providers/other", SMSC)
    assert (other.status, other.body["errors"][0]["pointer"]) == (400, "/id")
    assert (await door.call("DELETE", "/v1/providers/smsc", If_Match='"1"')).status == 412
    assert (await door.call("DELETE", "/v1/providers/smsc")).status == 204
    assert (await door.call("DELETE", "/v1/providers/smsc")).status == 404
    assert (await door.call("GET", "/v1/providers/smsc")).status == 404
    assert (await door.call("PUT", "/v1/providers/BAD", off)).status == 400


ROUTED: dict[str, Any] = {
    "price": {"amount": 0.03, "by_country": {"GB": 0.04}},
    "destinations": {"allow": ["GB", "IE"], "deny": []},
    "limits": {"per_second": 2.5, "per_day": 10_000, "concurrency": 8},
    "location": {"lat": 51.5, "lon": -0.1},
}


async def test_what_routes_ask_of_an_account_is_kept(door: Door) -> None:
    assert (await door.call("POST", "/v1/providers", SMSC | ROUTED)).status == 201
    found = (await door.call("GET", "/v1/providers/smsc")).body
    assert {name: found[name] for name in ROUTED} == ROUTED
    stored = await door.deps.accounts.get("smsc")
    assert stored is not None
    assert stored.account.price.by_country == {"GB": 0.04}
    assert stored.account.limits.per_day == 10_000


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"price": {"amount": -0.01}}, "/price/amount"),
        ({"price": {"by_country": {"GB": -1}}}, "/price/by_country/GB"),
        ({"price": {"by_country": {"gb": 1}}}, "/price/by_country/gb"),
        ({"price": {"currency": "EUR"}}, "/price/currency"),
        ({"destinations": {"deny": ["GB", "England"]}}, "/destinations/deny/1"),
        ({"limits": {"per_second": 0}}, "/limits/per_second"),
        ({"limits": {"per_hour": 1}}, "/limits/per_hour"),
        ({"location": {"lat": 91, "lon": 0}}, "/location/lat"),
    ],
)
async def test_impossible_prices_limits_and_places_are_refused(
    door: Door, change: dict[str, Any], pointer: str
) -> None:
    refused = await door.call("POST", "/v1/providers", SMSC | change)
    assert (refused.status, refused.body["errors"][0]["pointer"]) == (400, pointer)
    assert refused.body["errors"][0]["hint"]


async def test_lists_come_in_pages(door: Door) -> None:
    for n in range(3):
        await door.call("PUT", f"/v1/providers/a{n}", without(SMSC, "id"))
    first = (await door.call("GET", "/v1/providers?limit=2")).body
    assert [one["id"] for one in first["data"]] == ["a0", "a1"]
    rest = (await door.call("GET", f"/v1/providers?limit=2&cursor={first['next_cursor']}")).body
    assert [one["id"] for one in rest["data"]] == ["a2"]


async def test_without_the_vault_s_key_the_account_says_so(door: Door) -> None:
    await door.call("POST", "/v1/providers", SMSC)
    # As after a start without the key: the same store, and a vault that opens nothing.
    door.deps.accounts._vault = Vault(None, "vault key missing: set it")
    found = await door.call("GET", "/v1/providers/smsc")
    assert found.body["state"] == "fault: vault key missing: set it"
    refused = await door.call("PUT", "/v1/providers/smsc", SMSC)
    assert (refused.status, refused.body["code"]) == (503, "sealed")


async def test_a_secret_is_found_nowhere(door: Door, tmp_path: Path) -> None:
    bad_wire = SMSC | {"wire": "x"}
    bad_settings = SMSC | {"settings": {"password": CANARY, "host": 1}}
    misplaced = SMSC | {"password": CANARY}
    unknown = SMSC | {"secrets": {"password": CANARY, CANARY[:3]: CANARY}}
    wrong_type = SMSC | {"secrets": {"password": [CANARY]}}
    for body in (SMSC, SMSC, bad_wire, bad_settings, misplaced, unknown, wrong_type):
        await door.call("POST", "/v1/providers", body)
        await door.call("PUT", "/v1/providers/smsc", body)
    await door.call("POST", "/v1/providers", b'{"secrets": {"password": "' + CANARY.encode())
    await door.call("GET", "/v1/providers")
    await door.call("GET", "/v1/providers/smsc")
    stored = await door.deps.accounts.get("smsc")
    assert stored is not None
    opened = door.deps.accounts.open(stored.account)
    assert CANARY in str(opened.secrets)  # type: ignore[union-attr]
    said = "".join(door.seen) + door.log_text() + repr(stored) + repr(opened) + f"{opened}"
    assert CANARY not in said
    on_disk = all_bytes(tmp_path)
    assert b"smsc" in on_disk
    assert CANARY.encode() not in on_disk
