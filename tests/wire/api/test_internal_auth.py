"""Nobody without the shared secret gets in, and whatever goes wrong inside stays inside."""

import pytest

from sync.store.port import StoreError
from tests.wire.api.conftest import SECRET, Door


@pytest.mark.parametrize("given", ["", "wrong", SECRET + "x", SECRET[:-1], "ünï"])
async def test_without_the_secret_nothing_is_answered(door: Door, given: str) -> None:
    for path in ("/v1/keys", "/internal/changes", "/nothing", "/internal/keys/x"):
        refused = await door.call("GET", path, X_GouTong_Internal=given)
        assert (refused.status, refused.body["code"]) == (401, "unauthenticated")
        assert SECRET not in refused.text
    assert (await door.call("GET", "/livez", X_GouTong_Internal=given)).status == 200


async def test_a_caller_needs_a_tenant_and_the_scope(door: Door) -> None:
    assert (await door.call("GET", "/v1/keys", tenant="")).status == 401
    for path in ("/v1/keys", "/v1/templates", "/v1/providers"):
        for scopes in ("", "send,read", "nonsense"):
            refused = await door.call("GET", path, scopes=scopes)
            assert (refused.status, refused.body["code"]) == (403, "forbidden_scope")
        scope = path.removeprefix("/v1/")
        assert (await door.call("GET", path, scopes=f"send,{scope}")).status == 200


async def test_problems_of_the_server_itself_are_problems_too(door: Door) -> None:
    lost = await door.call("GET", "/v1/nothing")
    assert (lost.status, lost.body["code"]) == (404, "not_found")
    assert lost.headers["Content-Type"].startswith("application/problem+json")
    assert lost.body["trace_id"] == "trace-1"
    refused = await door.call("PATCH", "/v1/keys")
    assert (refused.status, refused.body["code"]) == (405, "method_not_allowed")
    assert "POST" in refused.headers["Allow"]
    large = await door.call("POST", "/v1/keys", b"x" * 300_000)
    assert (large.status, large.body["code"]) == (413, "body_too_large")


async def test_an_unexpected_error_shows_nothing_and_is_logged(door: Door) -> None:
    failed = await door.call("GET", "/broken")
    assert (failed.status, failed.body["code"]) == (500, "internal")
    assert "Traceback" not in failed.text
    assert "RuntimeError" not in failed.text
    log = door.log_text()
    assert "RuntimeError" in log
    assert "trace-1" in log
    assert "broken" in log
    assert "c4nary" not in failed.text + log


async def test_a_failing_store_is_503(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise StoreError("the disk is gone")

    monkeypatch.setattr(door.deps.entities, "get", fail)
    failed = await door.call("GET", "/v1/templates/x")
    assert (failed.status, failed.body["code"]) == (503, "overloaded")
    assert failed.headers["Retry-After"] == "1"
    assert "disk" not in failed.text
    assert "the disk is gone" in door.log_text()


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", {}, 400, "bad_json"),
        (b"", {}, 400, "bad_json"),
        (b"[" * 100, {}, 400, "too_deep"),
        (b"{}", {"Content_Type": "text/plain"}, 415, "unsupported_media_type"),
        (b" " * 150_000, {}, 413, "body_too_large"),
        (b"{}", {}, 400, "invalid_request"),
    ],
)
async def test_bad_bodies(
    door: Door, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    for path in ("/v1/keys", "/v1/templates", "/v1/providers"):
        refused = await door.call("POST", path, body, **headers)
        assert (refused.status, refused.body["code"]) == (status, code)


@pytest.mark.parametrize(
    "query", ["?limit=0", "?limit=11", "?limit=x", "?limit=-1", "?limit=٣", "?page=2"]
)
async def test_bad_queries(door: Door, query: str) -> None:
    for path in ("/v1/keys", "/v1/templates", "/v1/providers"):
        refused = await door.call("GET", path + query)
        assert (refused.status, refused.body["code"]) == (400, "invalid_request")
