"""Templates over HTTP: versions, conditions, tenants, and findings that point to their place."""

from typing import Any

import pytest

from tests.wire.api.conftest import Door


def otp(text: str = "Code {{ code }}", **more: Any) -> dict[str, Any]:
    return {"name": "otp", "bodies": {"sms": {"en": {"text": text}}}} | more


async def test_a_template_s_life(door: Door) -> None:
    made = await door.call("POST", "/v1/templates", otp())
    assert (made.status, made.headers["ETag"]) == (201, '"1"')
    assert made.body["version"] == 1
    assert made.body["bodies"]["sms"]["en"] == {
        "text": "Code {{ code }}",
        "subject": None,
        "html": None,
        "layout": None,
    }
    again = await door.call("POST", "/v1/templates", otp())
    assert (again.status, again.body["code"]) == (409, "already_exists")
    read = await door.call("GET", "/v1/templates/otp")
    assert (read.status, read.headers["ETag"], read.body) == (200, '"1"', made.body)
    put = await door.call("PUT", "/v1/templates/otp", otp("New {{ code }}"))
    assert (put.status, put.headers["ETag"]) == (200, '"2"')
    same = await door.call("PUT", "/v1/templates/otp", otp("New {{ code }}"))
    assert same.headers["ETag"] == '"2"'
    assert (await door.call("DELETE", "/v1/templates/otp")).status == 204
    assert (await door.call("GET", "/v1/templates/otp")).status == 404
    assert (await door.call("DELETE", "/v1/templates/otp")).status == 404


async def test_what_was_answered_is_rendered_at_once(door: Door) -> None:
    renderer = door.deps.renderer
    await door.call("PUT", "/v1/templates/otp", otp())
    assert (await renderer.render_soon("acme", "otp", "en", "sms", {"code": 1})).text == "Code 1"
    await door.call("PUT", "/v1/templates/otp", otp("New {{ code }}"))
    assert (await renderer.render_soon("acme", "otp", "en", "sms", {"code": 1})).text == "New 1"


async def test_put_makes_what_is_not_there_and_takes_its_name_from_the_path(door: Door) -> None:
    body = otp()
    del body["name"]
    assert (await door.call("PUT", "/v1/templates/otp", body)).body["version"] == 1
    other = await door.call("PUT", "/v1/templates/other", otp())
    assert (other.status, other.body["errors"][0]["pointer"]) == (400, "/name")
    bad = await door.call("PUT", "/v1/templates/UPPER", body)
    assert (bad.status, bad.body["errors"][0]["pointer"]) == (400, "/name")
    slash = await door.call("PUT", "/v1/templates/a%2Fb", body)
    assert slash.status == 400


async def test_conditions_guard_against_lost_changes(door: Door) -> None:
    await door.call("POST", "/v1/templates", otp())
    for condition in ('"2"', "*nothing*", 'W/"x"', '"0"'):
        stale = await door.call("PUT", "/v1/templates/otp", otp("b"), If_Match=condition)
        assert (stale.status, stale.body["code"]) == (412, "stale_version")
        assert (await door.call("DELETE", "/v1/templates/otp", If_Match=condition)).status == 412
    assert (await door.call("PUT", "/v1/templates/otp", otp("b"), If_Match='"1"')).status == 200
    assert (
        await door.call("PUT", "/v1/templates/otp", otp("c"), If_Match='"7", "2"')
    ).status == 200
    assert (await door.call("PUT", "/v1/templates/otp", otp("d"), If_Match="*")).status == 200
    assert (await door.call("PUT", "/v1/templates/otp", otp("e"), If_None_Match="*")).status == 412
    assert (await door.call("PUT", "/v1/templates/no", otp("e"), If_Match="*")).status == 400
    missing = {**otp("e"), "name": "no"}
    assert (await door.call("PUT", "/v1/templates/no", missing, If_Match="*")).status == 412
    assert (await door.call("PUT", "/v1/templates/no", missing, If_None_Match="*")).status == 200
    assert (await door.call("DELETE", "/v1/templates/otp", If_Match='"4"')).status == 204


async def test_tenants_do_not_see_each_other(door: Door) -> None:
    await door.call("POST", "/v1/templates", otp(), tenant="acme")
    await door.call("POST", "/v1/templates", otp("theirs"), tenant="acme-2")
    assert (await door.call("GET", "/v1/templates/otp", tenant="other")).status == 404
    assert (await door.call("DELETE", "/v1/templates/otp", tenant="other")).status == 404
    theirs = await door.call("GET", "/v1/templates", tenant="acme-2")
    assert [one["bodies"]["sms"]["en"]["text"] for one in theirs.body["data"]] == ["theirs"]
    assert (await door.call("GET", "/v1/templates", tenant="other")).body == {
        "data": [],
        "next_cursor": None,
    }


async def test_lists_come_in_pages(door: Door) -> None:
    for n in range(5):
        await door.call("POST", "/v1/templates", otp(name=f"t{n}"))
    first = (await door.call("GET", "/v1/templates?limit=3")).body
    assert [one["name"] for one in first["data"]] == ["t0", "t1", "t2"]
    rest = (await door.call("GET", f"/v1/templates?limit=3&cursor={first['next_cursor']}")).body
    assert [one["name"] for one in rest["data"]] == ["t3", "t4"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("body", "pointer", "says"),
    [
        (otp("a\n{{ x"), "/bodies/sms/en/text", "line 2"),
        (otp("{% include 'x' %}"), "/bodies/sms/en/text", "no tag `include`"),
        (otp(default_locale="de"), "/bodies/sms", "default locale"),
        (otp(bodies={}), "/bodies", ""),
        (otp(bodies={"sms": {"english": {"text": "a"}}}), "/bodies/sms/english", ""),
        (otp(bodies={"fax": {"en": {"text": "a"}}}), "/bodies/fax", ""),
        (otp(bodies={"sms": {"en": {"text": 5}}}), "/bodies/sms/en/text", ""),
        (otp(bodies={"sms": {"en": {"txt": "a"}}}), "/bodies/sms/en/txt", "unknown field"),
        (otp(name="Bad Name"), "/name", ""),
        (otp(version=3), "/version", "unknown field"),
    ],
)
async def test_findings_point_to_their_place(
    door: Door, body: dict[str, Any], pointer: str, says: str
) -> None:
    refused = await door.call("POST", "/v1/templates", body)
    assert (refused.status, refused.body["code"]) == (400, "invalid_request")
    error = refused.body["errors"][0]
    assert error["pointer"] == pointer
    assert says in error["detail"]
    assert error["hint"]
    assert (await door.call("GET", "/v1/templates")).body["data"] == []
