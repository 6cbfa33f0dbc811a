"""Keys over HTTP: shown once, limited to what the caller may grant, and told to the edges."""

from core.contract.keys import parse_key, secret_hash
from tests.wire.api.conftest import Door


async def test_a_key_is_shown_once_and_found_by_the_edge(door: Door) -> None:
    made = await door.call("POST", "/v1/keys", {"scopes": ["send", "read"]})
    assert made.status == 201
    key = parse_key(made.body["key"])
    assert key is not None and key.id == made.body["id"]
    assert made.body["created_at"].endswith("Z")
    listed = await door.call("GET", "/v1/keys")
    assert [one["id"] for one in listed.body["data"]] == [key.id]
    assert "key" not in listed.body["data"][0]
    assert key.secret not in listed.text
    found = await door.call("GET", f"/internal/keys/{key.id}", tenant="", scopes="")
    assert found.body == {
        "id": key.id,
        "tenant": "acme",
        "hash": secret_hash(key.secret).hex(),
        "scopes": ["read", "send"],
        "revoked": False,
    }
    assert (await door.call("GET", "/internal/keys/nothing")).status == 404


async def test_a_revoked_key_is_told_to_the_edges(door: Door) -> None:
    made = await door.call("POST", "/v1/keys", {"scopes": ["send"]})
    before = (await door.call("GET", "/internal/changes")).body
    assert before == {"seq": 1, "keys": [made.body["id"]]}
    gone = await door.call("DELETE", f"/v1/keys/{made.body['id']}")
    assert (gone.status, gone.text) == (204, "")
    after = (await door.call("GET", f"/internal/changes?since={before['seq']}")).body
    assert after == {"seq": 2, "keys": [made.body["id"]]}
    assert (await door.call("GET", f"/internal/keys/{made.body['id']}")).body["revoked"] is True
    assert (await door.call("GET", "/internal/changes?since=2")).body == {"seq": 2, "keys": []}
    assert (await door.call("GET", "/internal/changes?since=9")).body == {"seq": 2, "keys": []}
    assert (await door.call("GET", "/internal/changes?since=x")).status == 400
    assert (await door.call("DELETE", "/v1/keys/nothing")).status == 404


async def test_changes_of_other_kinds_are_passed_over(door: Door) -> None:
    for n in range(5):
        await door.deps.entities.put("template", f"t/{n}", b"", None)
    assert (await door.call("GET", "/internal/changes")).body == {"seq": 5, "keys": []}


async def test_a_caller_grants_what_it_has_itself_and_in_its_own_tenant(door: Door) -> None:
    refused = await door.call("POST", "/v1/keys", {"scopes": ["keys", "admin"]}, scopes="keys")
    assert (refused.status, refused.body["code"]) == (403, "forbidden_scope")
    assert refused.body["errors"][0]["pointer"] == "/scopes/1"
    refused = await door.call("POST", "/v1/keys", {"scopes": ["send"]}, scopes="keys")
    assert refused.status == 403
    refused = await door.call(
        "POST", "/v1/keys", {"scopes": ["keys"], "tenant": "other"}, scopes="keys"
    )
    assert refused.status == 403
    own = {"scopes": ["keys"], "tenant": "acme"}
    assert (await door.call("POST", "/v1/keys", own, scopes="keys")).status == 201
    other = {"scopes": ["admin"], "tenant": "other"}
    made = await door.call("POST", "/v1/keys", other)
    assert (made.status, made.body["tenant"]) == (201, "other")


async def test_tenants_see_and_revoke_their_own_keys_alone(door: Door) -> None:
    ours = (await door.call("POST", "/v1/keys", {"scopes": ["send"]})).body["id"]
    admin = (await door.call("POST", "/v1/keys", {"scopes": ["admin"]})).body["id"]
    theirs = (await door.call("POST", "/v1/keys", {"scopes": ["send"], "tenant": "b"})).body["id"]
    listed = await door.call("GET", "/v1/keys", scopes="keys")
    assert {one["id"] for one in listed.body["data"]} == {ours, admin}
    assert len((await door.call("GET", "/v1/keys")).body["data"]) == 3
    assert (await door.call("DELETE", f"/v1/keys/{theirs}", scopes="keys")).status == 404
    assert (await door.call("DELETE", f"/v1/keys/{admin}", scopes="keys")).status == 403
    assert (await door.call("DELETE", f"/v1/keys/{ours}", scopes="keys")).status == 204
    assert (await door.call("DELETE", f"/v1/keys/{theirs}")).status == 204


async def test_lists_come_in_pages(door: Door) -> None:
    made = {
        (await door.call("POST", "/v1/keys", {"scopes": ["send"]})).body["id"] for _ in range(5)
    }
    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        page = (await door.call("GET", f"/v1/keys?limit=2&cursor={cursor}")).body
        seen += [one["id"] for one in page["data"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert sorted(seen) == seen
    assert set(seen) == made


async def test_bad_keys_are_refused(door: Door) -> None:
    for body, pointer in (
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["sent"]}, "/scopes/0"),
        ({"scopes": ["send"], "tenant": "A/b"}, "/tenant"),
        ({"scopes": ["send"], "name": "x"}, "/name"),
        ({}, "/scopes"),
    ):
        refused = await door.call("POST", "/v1/keys", body)
        assert (refused.status, refused.body["code"]) == (400, "invalid_request")
        assert refused.body["errors"][0]["pointer"] == pointer
