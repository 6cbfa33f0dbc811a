"""Drafts, versions, differences and roll-back over HTTP."""

from typing import Any

import pytest

from tests.wire.api.conftest import Door


def otp(text: str = "Code {{ code }}", **more: Any) -> dict[str, Any]:
    return {"name": "otp", "bodies": {"sms": {"en": {"text": text}}}} | more


def mail(name: str, html: str, kind: str = "message", **more: Any) -> dict[str, Any]:
    body = {"html": html} | ({"subject": "s"} if kind == "message" else {}) | more
    return {"name": name, "kind": kind, "bodies": {"email": {"en": body}}}


async def text_sent(door: Door) -> str:
    done = await door.deps.renderer.render_soon("acme", "otp", "en", "sms", {"code": 1})
    return f"{done.version}: {done.text}"


async def test_a_draft_s_life(door: Door) -> None:
    await door.call("POST", "/v1/templates", otp())
    saved = await door.call("PUT", "/v1/templates/otp", otp("New {{ code }}", publish=False))
    assert (saved.status, saved.body["base"], saved.body["saved_by"]) == (200, 1, "key000000001")
    assert saved.headers["ETag"] == f'"{saved.body["version"]}"'
    assert await text_sent(door) == "1: Code 1"
    read = await door.call("GET", "/v1/templates/otp")
    assert (read.body["version"], read.body["draft"]["base"]) == (1, 1)
    assert read.body["bodies"]["sms"]["en"]["text"] == "Code {{ code }}"
    draft = await door.call("GET", "/v1/templates/otp/draft")
    assert (draft.body, draft.headers["ETag"]) == (saved.body, saved.headers["ETag"])
    published = await door.call("POST", "/v1/templates/otp/publish", {})
    assert (published.status, published.body["version"], published.body["draft"]) == (200, 2, None)
    assert published.body["published_by"] == "key000000001"
    assert await text_sent(door) == "2: New 1"
    assert (await door.call("GET", "/v1/templates/otp/draft")).status == 404
    again = await door.call("POST", "/v1/templates/otp/publish", {})
    assert (again.status, again.body["code"]) == (404, "not_found")


async def test_a_template_may_begin_as_a_draft(door: Door) -> None:
    made = await door.call("POST", "/v1/templates", otp(publish=False))
    assert made.status == 201
    assert (await door.call("POST", "/v1/templates", otp(publish=False))).status == 409
    read = await door.call("GET", "/v1/templates/otp")
    assert (read.status, read.body["version"], read.body["bodies"]) == (200, 0, {})
    await door.call("POST", "/v1/templates", otp(name="a"))
    listed = await door.call("GET", "/v1/templates?limit=1")
    assert [one["name"] for one in listed.body["data"]] == ["a"]
    rest = await door.call("GET", f"/v1/templates?cursor={listed.body['next_cursor']}")
    assert [(one["name"], one["version"]) for one in rest.body["data"]] == [("otp", 0)]
    assert (await door.call("POST", "/v1/templates/otp/publish")).body["version"] == 1
    await door.call("PUT", "/v1/templates/otp", otp("x", publish=False))
    assert (await door.call("POST", "/v1/templates", otp(publish=False))).status == 409
    assert (await door.call("DELETE", "/v1/templates/otp/draft")).status == 204
    assert (await door.call("DELETE", "/v1/templates/otp/draft")).status == 404


async def test_conditions_on_the_draft(door: Door) -> None:
    path = "/v1/templates/otp"
    first = await door.call("PUT", path, otp("a", publish=False), If_None_Match="*")
    assert first.status == 200
    refused = await door.call("PUT", path, otp("b", publish=False), If_None_Match="*")
    assert (refused.status, refused.body["code"]) == (412, "stale_version")
    second = await door.call("PUT", path, otp("b", publish=False), If_Match=first.headers["ETag"])
    assert second.status == 200
    for method, rest in (("POST", "/publish"), ("DELETE", "/draft")):
        body = {} if method == "POST" else None
        stale = await door.call(method, path + rest, body, If_Match=first.headers["ETag"])
        assert stale.status == 412
    good = await door.call("POST", f"{path}/publish", {}, If_Match=second.headers["ETag"])
    assert (good.status, good.body["bodies"]["sms"]["en"]["text"]) == (200, "b")


async def test_versions_and_rollback(door: Door) -> None:
    for text in ("one", "two", "three"):
        await door.call("PUT", "/v1/templates/otp", otp(text))
    first = await door.call("GET", "/v1/templates/otp/versions?limit=2")
    assert [one["version"] for one in first.body["data"]] == [1, 2]
    cursor = first.body["next_cursor"]
    rest = await door.call("GET", f"/v1/templates/otp/versions?limit=2&cursor={cursor}")
    assert [(one["version"], one["in_force"]) for one in rest.body["data"]] == [(3, True)]
    assert rest.body["next_cursor"] is None
    one = await door.call("GET", "/v1/templates/otp/versions/1")
    assert (one.body["bodies"]["sms"]["en"]["text"], one.body["in_force"]) == ("one", False)
    stale = await door.call("POST", "/v1/templates/otp/rollback", {"version": 1}, If_Match='"1"')
    assert stale.status == 412
    back = await door.call("POST", "/v1/templates/otp/rollback", {"version": 1}, If_Match='"3"')
    assert (back.status, back.body["version"], back.body["latest"]) == (200, 1, 3)
    assert back.headers["ETag"] == '"4"'
    assert await text_sent(door) == "1: one"
    listed = await door.call("GET", "/v1/templates/otp/versions")
    assert [one["version"] for one in listed.body["data"]] == [1, 2, 3]
    told = [(move["action"], move["version"], move["by"]) for move in listed.body["history"]]
    assert told[-1] == ("rollback", 1, "key000000001")
    assert [action for action, *_ in told] == ["publish", "publish", "publish", "rollback"]
    assert (await door.call("PUT", "/v1/templates/otp", otp("four"))).body["version"] == 4


@pytest.mark.parametrize(
    ("method", "rest", "body", "status", "says"),
    [
        ("POST", "rollback", {"version": 9}, 400, "no version 9"),
        ("POST", "rollback", {"version": 0}, 400, "/version"),
        ("POST", "rollback", {}, 400, "version"),
        ("GET", "versions/9", None, 404, "version 9"),
        ("GET", "versions/x", None, 404, "version x"),
        ("GET", "versions/99999999999", None, 404, "version"),
        ("GET", "diff", None, 404, "draft"),
        ("GET", "diff?to=x", None, 400, "`to`"),
        ("GET", "diff?to=7", None, 404, "version 7"),
        ("GET", "diff?between=1", None, 400, "between"),
        ("POST", "publish", {"from": "thin air"}, 400, "/from"),
    ],
)
async def test_wrong_requests_say_what_is_wrong(
    door: Door, method: str, rest: str, body: Any, status: int, says: str
) -> None:
    await door.call("PUT", "/v1/templates/otp", otp())
    refused = await door.call(method, f"/v1/templates/otp/{rest}", body)
    assert refused.status == status
    assert says in refused.text


@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("GET", "draft", None),
        ("GET", "versions", None),
        ("GET", "versions/1", None),
        ("GET", "diff?from=1&to=1", None),
        ("POST", "rollback", {"version": 1}),
        ("POST", "publish", {}),
        ("POST", "publish", {"from": "in_force"}),
        ("POST", "preview", {}),
    ],
)
async def test_tenants_reach_nothing_of_each_other(
    door: Door, method: str, rest: str, body: Any
) -> None:
    await door.call("PUT", "/v1/templates/otp", otp())
    await door.call("PUT", "/v1/templates/otp", otp("draft", publish=False))
    path = f"/v1/templates/otp/{rest}"
    assert (await door.call(method, path, body, tenant="other")).status == 404
    assert (await door.call(method, path, body, scopes="send,read")).status == 403


async def test_differences(door: Door) -> None:
    await door.call("PUT", "/v1/templates/otp", otp("one\ntwo"))
    await door.call("PUT", "/v1/templates/otp", otp("one\n2"))
    await door.call("PUT", "/v1/templates/otp", otp("one\n2\n3", publish=False))
    told = (await door.call("GET", "/v1/templates/otp/diff?from=1&to=2")).body
    assert (told["from"], told["to"]) == ("1", "2")
    assert told["changes"] == [
        {
            "pointer": "/bodies/sms/en/text",
            "change": "changed",
            "diff": ["@@ -1,2 +1,2 @@", " one", "-two", "+2"],
        }
    ]
    drafted = (await door.call("GET", "/v1/templates/otp/diff")).body
    assert (drafted["from"], drafted["to"]) == ("2", "draft")
    assert drafted["changes"][0]["diff"][-1] == "+3"
    assert (await door.call("GET", "/v1/templates/otp/diff?from=2&to=2")).body["changes"] == []


async def test_users_of_a_layout_are_published_again(door: Door) -> None:
    for body in (
        mail("foot", "<i>1</i>", "partial"),
        mail("base", "<html>{{ content }}{% render 'foot' %}</html>", "layout"),
        mail("mail", "<p>{{ x }}</p>", layout="base"),
    ):
        assert (await door.call("POST", "/v1/templates", body)).status == 201
    await door.call("PUT", "/v1/templates/foot", mail("foot", "<i>2</i>", "partial"))
    read = await door.call("GET", "/v1/templates/mail")
    uses = [{"name": "base", "version": 1}, {"name": "foot", "version": 1}]
    assert (read.body["version"], read.body["uses"]) == (1, uses)
    stale = await door.call(
        "POST", "/v1/templates/mail/publish", {"from": "in_force"}, If_Match='"7"'
    )
    assert stale.status == 412
    again = await door.call(
        "POST", "/v1/templates/mail/publish", {"from": "in_force"}, If_Match='"1"'
    )
    assert (again.body["version"], again.body["uses"][1]["version"]) == (2, 2)
    done = await door.deps.renderer.render_soon("acme", "mail", None, "email", {"x": "<"})
    assert done.html == "<html><p>&lt;</p><i>2</i></html>"
    assert done.text == "<\n\n2"
    diff = (await door.call("GET", "/v1/templates/mail/diff?from=1&to=2")).body["changes"]
    assert diff == [{"pointer": "/uses/foot", "change": "changed", "before": 1, "after": 2}]


@pytest.mark.parametrize(
    ("body", "pointer", "says"),
    [
        (mail("m", "{% render 'no' %}"), "/bodies/email/en/html", "no published partial `no`"),
        (mail("m", "x", layout="no"), "/bodies/email/en/layout", "no published layout `no`"),
        (mail("m", "x", "layout"), "/bodies/email/en/html", "no place"),
        (mail("m", "x", "partial", subject="s"), "/bodies/email/en/subject", "partial has no"),
        (mail("m", "{% render 'm' %}", "partial"), "/bodies/email/en/html", "circle: m → m"),
        (otp(schema={"type": "nope"}), "/schema/type", ""),
        (otp(schema={"$ref": "https://x.example"}), "/schema/$ref", "outside"),
        (otp(bodies={"sms": {"en": {"text": "a", "layout": "b"}}}), "/bodies/sms/en/layout", "no"),
        (
            {"name": "w", "bodies": {"webhook": {"en": {"text": "a", "subject": "b"}}}},
            "/bodies/webhook/en/subject",
            "a webhook has no subject",
        ),
        (otp(kind="page"), "/kind", ""),
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


async def test_webhooks_have_a_text(door: Door) -> None:
    body = {"name": "w", "bodies": {"webhook": {"en": {"text": "Order {{ id }}"}}}}
    assert (await door.call("POST", "/v1/templates", body)).status == 201
    done = await door.deps.renderer.render_soon("acme", "w", None, "webhook", {"id": 5})
    assert done.text == "Order 5"
