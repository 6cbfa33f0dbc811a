"""Policies over HTTP: kept with their versions, refused where they cannot be."""

from typing import Any

import pytest

from tests.wire.api.conftest import Door
from tests.wire.api.test_providers import SMSC

CHEAP: dict[str, Any] = {
    "name": "cheap-bulk",
    "match": {"classes": ["bulk"], "countries": ["GB"]},
    "order": ["smsc", "other"],
    "weights": {"cost": 2, "success": 1},
    "explore": 0.05,
    "forbid": ["third"],
    "when_none": "end",
    "price_max": 0.2,
}
SHOWN = {
    "name": "cheap-bulk",
    "match": {"tenants": [], "classes": ["bulk"], "channels": [], "countries": ["GB"]},
    "order": ["smsc", "other"],
    "weights": {"success": 1.0, "latency": 0.0, "cost": 2.0, "distance": 0.0, "order": 0.0},
    "explore": 0.05,
    "forbid": ["third"],
    "require": [],
    "when_none": "end",
    "price_max": 0.2,
    "missing": [],
    "version": 1,
}


@pytest.fixture
async def routed(door: Door) -> Door:
    for name in ("smsc", "other", "third"):
        await door.call("POST", "/v1/providers", SMSC | {"id": name})
    return door


async def test_a_policy_s_life(routed: Door) -> None:
    made = await routed.call("POST", "/v1/policies", CHEAP)
    assert (made.status, made.headers["ETag"], made.body) == (201, '"1"', SHOWN)
    assert (await routed.call("POST", "/v1/policies", CHEAP)).status == 409
    path = "/v1/policies/cheap-bulk"
    assert (await routed.call("GET", path)).body == SHOWN
    same = await routed.call("PUT", path, CHEAP)
    assert (same.status, same.body["version"]) == (200, 1)
    shorter = {"order": ["other"]}
    put = await routed.call("PUT", path, shorter, If_Match='"1"')
    assert (put.status, put.body["version"], put.body["explore"]) == (200, 2, 0.0)
    assert put.body["weights"]["order"] > put.body["weights"]["success"] > 0
    assert (await routed.call("PUT", path, shorter, If_Match='"1"')).status == 412
    other = await routed.call("PUT", "/v1/policies/other", CHEAP)
    assert (other.status, other.body["errors"][0]["pointer"]) == (400, "/name")
    assert (await routed.call("DELETE", path, If_Match='"1"')).status == 412
    assert (await routed.call("DELETE", path)).status == 204
    assert (await routed.call("DELETE", path)).status == 404
    assert (await routed.call("GET", path)).status == 404


async def test_lists_come_in_pages(routed: Door) -> None:
    for n in range(3):
        await routed.call("PUT", f"/v1/policies/p{n}", {})
    first = (await routed.call("GET", "/v1/policies?limit=2")).body
    assert [one["name"] for one in first["data"]] == ["p0", "p1"]
    rest = await routed.call("GET", f"/v1/policies?limit=2&cursor={first['next_cursor']}")
    assert [one["name"] for one in rest.body["data"]] == ["p2"]


@pytest.mark.parametrize(
    ("change", "pointer", "hint"),
    [
        ({"order": ["smsc", "smscc"]}, "/order/1", "Did you mean `smsc`?"),
        ({"require": ["unheard-of"]}, "/require/0", "Create the account first"),
        ({"order": ["smsc", "smsc"]}, "/order/1", "once"),
        ({"require": ["third"]}, "/forbid/0", "one of both"),
        ({"weights": {"success": 0}}, "/weights", "above 0"),
        ({"weights": {"cost": -1}}, "/weights/cost", "within the limits"),
        ({"explore": 0.6}, "/explore", "within the limits"),
        ({"price_max": -1}, "/price_max", "within the limits"),
        ({"match": {"classes": ["opt"]}}, "/match/classes/0", "otp"),
        ({"match": {"class": ["otp"]}}, "/match/class", "classes"),
        ({"when_none": "drop"}, "/when_none", "end, wait"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_place(
    routed: Door, change: dict[str, Any], pointer: str, hint: str
) -> None:
    for refused in (
        await routed.call("POST", "/v1/policies", CHEAP | change),
        await routed.call("PUT", "/v1/policies/cheap-bulk", CHEAP | change),
    ):
        assert refused.status == 400
        (error,) = refused.body["errors"]
        assert error["pointer"] == pointer
        assert hint in error["hint"]
    assert (await routed.call("GET", "/v1/policies/cheap-bulk")).status == 404


async def test_a_deleted_account_is_shown_to_be_missing(routed: Door) -> None:
    await routed.call("POST", "/v1/policies", CHEAP)
    await routed.call("DELETE", "/v1/providers/other")
    assert (await routed.call("GET", "/v1/policies/cheap-bulk")).body["missing"] == ["other"]


async def test_policies_need_the_scope_of_providers(routed: Door) -> None:
    for method, path in (("GET", "/v1/policies"), ("PUT", "/v1/policies/x")):
        refused = await routed.call(method, path, {}, scopes="send,read,templates,keys")
        assert (refused.status, refused.body["code"]) == (403, "forbidden_scope")
    assert (await routed.call("GET", "/v1/policies", scopes="providers")).status == 200
