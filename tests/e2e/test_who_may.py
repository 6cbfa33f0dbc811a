"""Who may call, what others may see, and what nobody ever gets to see."""

import stat
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.problems import refused
from tests.support.region import Region, wait_for

GOOD = {"to": {"phone": "+447700900200"}, "content": {"text": "who may"}}
ABSENT = "gt_live_000000000000_0000000000000000000000000000000000000000"
UNANSWERED = "local-u000" + "v" * 23


def test_without_a_key_nothing_is_answered(region: Region) -> None:
    for method, path in (
        ("POST", "/v1/notifications"),
        ("GET", "/v1/messages/x"),
        ("GET", "/v1/templates"),
        ("GET", "/v1/providers"),
        ("GET", "/v1/policies"),
        ("POST", "/v1/route"),
        ("GET", "/v1/keys"),
    ):
        told = region.call(method, path, GOOD if method == "POST" else None, key=None)
        refused(told, 401, "unauthenticated")
        assert told.headers["www-authenticate"] == "Bearer"


def test_malformed_and_invented_keys(region: Region) -> None:
    mistyped = region.api_key[:-1] + ("a" if region.api_key[-1] != "a" else "b")
    for key in ("nonsense", "gt_live_", mistyped, ABSENT, region.api_key + "x"):
        said = refused(region.notify(GOOD, key=key), 401, "unauthenticated")
        assert key not in str(said)
    told = region.call("GET", "/v1/keys", key=None, headers={"Authorization": "Basic YTpi"})
    refused(told, 401, "unauthenticated")
    told = region.call("GET", "/v1/templates", key=None, headers={"X-API-Key": region.api_key})
    assert told.status == 200


def test_a_right_id_with_a_wrong_secret(region: Region) -> None:
    made = region.new_key("send")
    other = region.new_key("send")
    # The checksum is over both, so such a key looks well-formed only when it is made on purpose.
    from core.contract.keys import ApiKey, format_key, parse_key  # noqa: PLC0415

    wanted, stolen = parse_key(made["key"]), parse_key(other["key"])
    assert wanted is not None
    assert stolen is not None
    forged = format_key(ApiKey(wanted.id, stolen.secret))
    refused(region.notify(GOOD, key=forged), 401, "unauthenticated")


def test_a_revoked_key_stops_within_a_second(region: Region) -> None:
    made = region.new_key("send")
    assert region.notify(GOOD, key=made["key"]).status == 202
    revoked = time.monotonic()
    told = region.call("DELETE", f"/v1/keys/{made['id']}", key=region.admin_key)
    assert told.status == 204
    wait_for(lambda: region.notify(GOOD, key=made["key"]).status == 401, 5)
    assert time.monotonic() - revoked < 1.0
    told = region.notify(GOOD, key=made["key"])
    refused(told, 401, "key_revoked")
    assert [k["revoked"] for k in keys(region) if k["id"] == made["id"]] == [True]


@pytest.mark.parametrize(
    ("scope", "method", "path", "needed"),
    [
        ("read", "POST", "/v1/notifications", "send"),
        ("send", "GET", f"/v1/messages/{UNANSWERED}", "read"),
        ("read", "POST", f"/v1/messages/{UNANSWERED}/cancel", "send"),
        ("send", "GET", "/v1/templates", "templates"),
        ("templates", "GET", "/v1/providers", "providers"),
        ("templates", "GET", "/v1/policies", "providers"),
        ("read", "POST", "/v1/route", "send"),
        ("providers", "POST", "/v1/keys", "keys"),
    ],
)
def test_a_key_without_the_scope(
    region: Region, scope: str, method: str, path: str, needed: str
) -> None:
    key = region.new_key(scope)["key"]
    body = GOOD if method == "POST" else None
    said = refused(region.call(method, path, body, key=key), 403, "forbidden_scope")
    assert said["missing_scope"] == needed


def test_nobody_grants_what_he_lacks(region: Region) -> None:
    key = region.new_key("keys", "send")["key"]
    for asked in (
        {"scopes": ["admin"]},
        {"scopes": ["send", "providers"]},
        {"scopes": ["send"], "tenant": "another"},
    ):
        refused(region.call("POST", "/v1/keys", asked, key=key), 403, "forbidden_scope")
    assert region.call("POST", "/v1/keys", {"scopes": ["send"]}, key=key).status == 201


def test_another_tenants_messages_are_not_there(region: Region) -> None:
    stranger = region.new_key("send", "read", "templates", tenant="stranger")["key"]
    message = region.sms("+447700900201", "private")
    region.ended(message, "delivered")
    path = f"/v1/messages/{message}"
    absent = f"/v1/messages/{message[:-6]}000000"
    seen = region.call("GET", path, key=stranger)
    assert seen.status == 404
    assert b"private" not in seen.body
    # Not even whether there is such a message.
    assert said_of(seen, message) == said_of(region.call("GET", absent, key=stranger), absent)
    canceled = region.call("POST", f"{path}/cancel", key=stranger)
    assert (canceled.status, said_of(canceled, message)) == (404, said_of(seen, message))
    assert region.message(message)["status"] == "delivered"
    refused(region.call("GET", "/v1/templates/welcome", key=stranger), 404, "not_found")
    refused(
        region.notify({**GOOD, "content": None, "template": "otp"}, key=stranger),
        400,
        "unknown_template",
    )
    assert region.call("GET", path, key=region.admin_key).status == 200


def test_the_same_idempotency_key_of_two_tenants_is_two_keys(region: Region) -> None:
    stranger = region.new_key("send", "read", tenant="stranger")["key"]
    ours = region.notify(GOOD, idempotency_key="shared")
    theirs = region.notify(GOOD, idempotency_key="shared", key=stranger)
    assert (ours.status, theirs.status) == (202, 202)
    assert ours.json()["id"] != theirs.json()["id"]
    assert ours.json()["messages"][0]["id"] != theirs.json()["messages"][0]["id"]


def test_secrets_stand_in_no_answer_and_in_no_file(region: Region) -> None:
    """A canary for everything that is secret: if it sings, somebody wrote it down."""
    password = "canary-password-6d1f"
    account: dict[str, Any] = {
        "id": "canary",
        "wire": "smpp",
        "channel": "sms",
        "priority": 900,
        "settings": {"host": "127.0.0.1", "port": 1, "system_id": "canary"},
        "secrets": {"password": password},
    }
    admin = region.admin_key
    told = [region.call("POST", "/v1/providers", account, key=admin)]
    assert told[0].status == 201
    told.append(region.call("POST", "/v1/providers", account, key=admin))
    account["settings"]["port"] = "no number"
    told.append(region.call("PUT", "/v1/providers/canary", account, key=admin))
    assert [each.status for each in told[1:]] == [409, 400]
    made = region.new_key("send")
    assert region.notify(GOOD, key=made["key"]).status == 202
    told.append(region.notify({}, key=made["key"]))
    paths = ("/v1/providers", "/v1/providers/canary", "/v1/keys", "/status", "/metrics")
    told += [region.call("GET", path, key=admin) for path in paths]
    assert region.call("DELETE", "/v1/providers/canary", key=admin).status == 204
    assert region.call("DELETE", f"/v1/keys/{made['id']}", key=admin).status == 204
    secret = made["key"].rpartition("_")[2][:32]
    for each in told:
        assert password.encode() not in each.body
        assert secret.encode() not in each.body
    for path in files(region.data):
        text = path.read_bytes()
        assert password.encode() not in text, path
        assert secret.encode() not in text, path


def test_the_folders_own_secrets_are_readable_by_their_owner_only(region: Region) -> None:
    secrets = [region.api_key, region.admin_key]
    secrets += [(region.data / n).read_text().strip() for n in ("internal.key", "vault.key")]
    for path in files(region.data):
        text = path.read_bytes()
        if any(secret.encode() in text for secret in secrets):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
            assert "logs" not in path.parts, path
    assert stat.S_IMODE(region.data.stat().st_mode) == 0o700


def test_recipients_stand_in_no_log(region: Region) -> None:
    message = region.sms("+447700900203", "to whom")
    region.ended(message, "delivered")
    region.notify({"to": {"phone": "+44770090020"}, "content": {"text": "x"}})
    body = {"to": {"email": "canary@example.com"}, "content": {"subject": "s", "text": "t"}}
    assert region.notify(body).status == 202
    wait_for(lambda: logs_of(region).count(message.encode()) >= 2)
    logs = logs_of(region)
    assert b"447700900203" not in logs
    assert b"44770090020" not in logs
    assert b"canary@example.com" not in logs
    assert b"to whom" not in logs


def keys(region: Region) -> list[dict[str, Any]]:
    return list(region.call("GET", "/v1/keys?limit=200", key=region.admin_key).json()["data"])


def logs_of(region: Region) -> bytes:
    return b"".join(path.read_bytes() for path in files(region.data / "logs"))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def said_of(told: Any, message: str) -> tuple[int, str, str]:
    said = told.json()
    return told.status, said["code"], said["detail"].replace(message.rpartition("/")[2], "ID")
