"""Previews over HTTP: what each channel would get, parts and prices, and what is wrong."""

from typing import Any

import pytest

from tests.wire.api.conftest import Door

PRICES = {
    ("sms", "GB"): [("carrier", 0.04), ("backup", 0.05)],
    ("email", "GB"): [("relay", 0.001)],
}


@pytest.fixture(autouse=True)
def priced(door: Door) -> None:
    door.prices.update(PRICES)


WELCOME: dict[str, Any] = {
    "name": "welcome",
    "bodies": {
        "sms": {"en": {"text": "Hello {{ name }}"}, "pt-BR": {"text": "Olá {{ name }}"}},
        "email": {
            "en": {
                "subject": "For {{ name }}",
                "html": "<p>Hello <b>{{ name }}</b></p><a href='https://x.example'>Go</a>",
            }
        },
    },
    "schema": {"type": "object", "properties": {"name": {"type": "string"}}},
}


async def preview(door: Door, status: int = 200, name: str = "welcome", **asked: Any) -> Any:
    answer = await door.call("POST", f"/v1/templates/{name}/preview", asked)
    assert answer.status == status, answer.text
    return answer.body


async def test_each_channel_is_rendered(door: Door) -> None:
    assert (await door.call("POST", "/v1/templates", WELCOME)).status == 201
    told = await preview(door, data={"name": "<Zoë>"}, locale="pt-BR", to="GB")
    assert (told["version"], told["data_errors"]) == (1, [])
    sms, email = sorted(told["channels"], key=lambda one: one["channel"], reverse=True)
    assert (sms["locale"], sms["text"]) == ("pt-BR", "Olá <Zoë>")
    assert sms["sms"] == {
        "encoding": "ucs2",
        "parts": 1,
        "characters": 9,
        "left": 61,
        "forces_ucs2": ["á", "ë"],
    }
    assert sms["prices"] == [
        {"account": "carrier", "per_part": 0.04, "total": 0.04},
        {"account": "backup", "per_part": 0.05, "total": 0.05},
    ]
    assert (email["locale"], email["subject"]) == ("en", "For <Zoë>")
    assert email["html"].startswith("<p>Hello <b>&lt;Zoë&gt;</b></p>")
    assert (email["text"], email["text_from_html"]) == (
        "Hello <Zoë>\n\nGo (https://x.example)",
        True,
    )
    assert email["prices"] == [{"account": "relay", "per_part": 0.001, "total": 0.001}]


async def test_parts_are_multiplied_with_the_price(door: Door) -> None:
    await door.call("POST", "/v1/templates", WELCOME)
    told = await preview(door, data={"name": "x" * 300}, channel="sms", to="GB")
    (sms,) = told["channels"]
    assert (sms["sms"]["encoding"], sms["sms"]["parts"], sms["sms"]["left"]) == ("gsm7", 2, 0)
    assert sms["prices"][0] == {"account": "carrier", "per_part": 0.04, "total": 0.08}
    assert (await preview(door, data={"name": "x"}, channel="sms"))["channels"][0]["prices"] == []


async def test_drafts_versions_and_bodies_that_are_not_stored(door: Door) -> None:
    def sms(text: str) -> dict[str, Any]:
        return {"sms": {"en": {"text": text}}}

    await door.call("PUT", "/v1/templates/t", {"bodies": sms("one")})
    await door.call("PUT", "/v1/templates/t", {"bodies": sms("two")})
    await door.call("PUT", "/v1/templates/t", {"bodies": sms("three"), "publish": False})
    for asked, version, text in (
        ({}, 2, "two"),
        ({"version": 1}, 1, "one"),
        ({"draft": True}, 0, "three"),
        ({"bodies": sms("four {{ x }}"), "data": {"x": 4}}, 0, "four 4"),
    ):
        told = await preview(door, name="t", **asked)
        assert (told["version"], told["channels"][0]["text"]) == (version, text)
    assert (await preview(door, name="new", bodies=sms("five")))["channels"][0]["text"] == "five"
    assert (await preview(door, 404, name="new"))["code"] == "not_found"
    assert (await preview(door, 404, name="t", version=9))["code"] == "not_found"
    assert (await door.call("GET", "/v1/templates/new")).status == 404


async def test_partials_of_drafts_are_those_of_now(door: Door) -> None:
    foot = {"bodies": {"email": {"en": {"html": "<i>foot</i>"}}}, "kind": "partial"}
    await door.call("PUT", "/v1/templates/foot", foot)
    layout = {"bodies": {"email": {"en": {"html": "[{{ content }}]"}}}, "kind": "layout"}
    await door.call("PUT", "/v1/templates/base", layout)
    body = {"subject": "s", "html": "hi {% render 'foot' %}", "layout": "base"}
    told = await preview(door, name="x", bodies={"email": {"en": body}})
    assert told["channels"][0]["html"] == "[hi <i>foot</i>]"
    assert (await preview(door, name="foot"))["channels"][0]["html"] == "<i>foot</i>"
    assert (await preview(door, name="base"))["channels"][0]["html"] == "[(content)]"


async def test_what_is_wrong_stands_at_its_channel(door: Door) -> None:
    await door.call("POST", "/v1/templates", WELCOME)
    told = await preview(door, data={})
    assert {one["errors"][0]["pointer"] for one in told["channels"]} == {"/data/name"}
    told = await preview(door, data={"name": 5})
    assert [one["pointer"] for one in told["data_errors"]] == ["/data/name"]
    assert all(not one["errors"] for one in told["channels"])
    bodies = {
        "sms": {"en": {"text": "x" * 50_000}},
        "email": {"en": {"subject": "s", "html": "a\n{% render 'no' %}"}},
        "webhook": {"en": {"text": "fine"}},
    }
    told = await preview(door, name="n", bodies=bodies)
    errors = {one["channel"]: one["errors"] for one in told["channels"]}
    assert "parts" in errors["sms"][0]["detail"]
    assert errors["email"][0]["pointer"] == "/bodies/email/en/html"
    assert "line 2: there is no published partial `no`" in errors["email"][0]["detail"]
    assert errors["webhook"] == []
    told = await preview(door, data={"name": "a"}, channel="webhook")
    assert told["channels"][0]["errors"][0]["pointer"] == "/channel"


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"draft": True, "version": 1}, "/draft"),
        ({"bodies": {"sms": {"en": {"text": "a"}}}, "version": 1}, "/bodies"),
        ({"schema": {}}, "/schema"),
        ({"default_locale": "de"}, "/default_locale"),
        ({"to": "Britain"}, "/to"),
        ({"bodies": {"sms": {"en": {"text": "{{ x"}}}}, "/bodies/sms/en/text"),
        ({"bodies": {"sms": {"en": {"text": "x"}}}, "schema": {"type": 5}}, "/schema/type"),
        ({"chanel": "sms"}, "/chanel"),
    ],
)
async def test_wrong_requests_point_to_their_place(
    door: Door, asked: dict[str, Any], pointer: str
) -> None:
    await door.call("POST", "/v1/templates", WELCOME)
    refused = await preview(door, 400, **asked)
    assert refused["errors"][0]["pointer"] == pointer
    assert refused["errors"][0]["hint"]


async def test_a_template_that_loops_ends(door: Door) -> None:
    loops = "{% for a in (1..9000) %}{% for b in (1..9000) %}x{% endfor %}{% endfor %}"
    told = await preview(door, name="n", bodies={"sms": {"en": {"text": loops}}})
    assert "limit" in told["channels"][0]["errors"][0]["detail"]
