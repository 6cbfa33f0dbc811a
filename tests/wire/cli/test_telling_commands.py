"""The commands of suppressions and webhook endpoints, against a region that answers a table."""

import json
from typing import Any

import pytest

from core.cli.main import main
from core.cli.shown import trace_lines
from tests.wire.cli.test_asking_commands import REPLAY, ROW, page
from tests.wire.cli.test_client_commands import Captured, Region, region

__all__ = ["region"]

SUPPRESSED = {
    "id": "email.abc",
    "channel": "email",
    "address": "ada@example.com",
    "entries": [
        {
            "reason": "bounce",
            "classes": ["otp", "bulk"],
            "at": "2026-01-31T12:00:00.000Z",
            "detail": "5.1.1 no such user",
            "message": "local-k001",
        }
    ],
    "version": 7,
}
ENDPOINT: dict[str, Any] = {
    "id": "ep_1",
    "url": "https://hooks.example.com",
    "events": ["message.failed"],
    "enabled": True,
    "description": "shop",
    "created_at": "2026-01-31T12:00:00.000Z",
    "version": 3,
    "secrets": 1,
}
SECRET = "whsec_c2VjcmV0"


def test_suppressions_are_listed_with_their_causes(region: Region, capsys: Captured) -> None:
    region.answers["GET", "/v1/suppressions"] = page(SUPPRESSED)
    assert main(["suppressions"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[1] == (
        "email    ada@example.com  bounce  otp,bulk  2026-01-31T12:00:00.000Z  5.1.1 no such user"
    )
    assert main(["suppressions", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"data": [SUPPRESSED]}


def test_adding_says_the_channel_by_the_address(region: Region, capsys: Captured) -> None:
    region.answers["POST", "/v1/suppressions"] = (201, SUPPRESSED)
    words = ["suppressions", "add", "ada@example.com", "--class", "bulk", "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out) == SUPPRESSED
    assert main(["suppressions", "add", "+447700900123", "--reason", "complaint"]) == 0
    bodies = [body for _, _, _, body in region.asked]
    assert (bodies[0]["channel"], bodies[0]["classes"]) == ("email", ["bulk"])
    assert (bodies[1]["channel"], bodies[1]["reason"]) == ("sms", "complaint")


def test_removing_names_what_was_seen(region: Region, capsys: Captured) -> None:
    region.answers["POST", "/v1/suppressions/search"] = page(SUPPRESSED)
    region.answers["DELETE", "/v1/suppressions/email.abc"] = (204, None)
    assert main(["suppressions", "remove", "ada@example.com"]) == 0
    assert "ada" not in region.asked[0][1]
    assert region.asked[1][2]["If-Match"] == '"7"'
    region.answers["POST", "/v1/suppressions/search"] = page()
    assert main(["suppressions", "remove", "ada@example.com"]) == 1
    assert "is not suppressed" in capsys.readouterr().err
    assert main(["suppressions", "check", "ada@example.com"]) == 0
    assert "is not suppressed" in capsys.readouterr().out


def test_a_secret_is_shown_once_and_alone_on_standard_output(
    region: Region, capsys: Captured
) -> None:
    region.answers["POST", "/v1/webhooks"] = (201, {**ENDPOINT, "secret": SECRET})
    region.answers["POST", "/v1/webhooks/ep_1/rotate"] = (200, {**ENDPOINT, "secret": SECRET})
    words = ["webhooks", "create", "https://hooks.example.com", "--event", "message.failed"]
    assert main(words) == 0
    assert capsys.readouterr().out == f"{SECRET}\n"
    assert region.asked[0][3]["events"] == ["message.failed"]
    assert main(["webhooks", "rotate", "ep_1", "--keep-old", "60"]) == 0
    assert capsys.readouterr().out == f"{SECRET}\n"
    assert region.asked[1][3] == {"keep_old_s": 60}


def test_put_changes_what_is_given_and_nothing_else(region: Region, capsys: Captured) -> None:
    region.answers["GET", "/v1/webhooks/ep_1"] = (200, {**ENDPOINT, "enabled": False})
    region.answers["PUT", "/v1/webhooks/ep_1"] = (200, ENDPOINT)
    assert main(["webhooks", "put", "ep_1", "--to", "https://new.example.com"]) == 0
    _, _, headers, body = region.asked[1]
    assert headers["If-Match"] == '"3"'
    assert body == {
        "url": "https://new.example.com",
        "events": ["message.failed"],
        "enabled": True,
        "description": "shop",
    }
    assert "is on" in capsys.readouterr().err


def test_endpoints_are_listed_with_their_problems(region: Region, capsys: Captured) -> None:
    off = {**ENDPOINT, "enabled": False, "problem": "the endpoint said gone (410)", "events": []}
    region.answers["GET", "/v1/webhooks"] = page(ENDPOINT, off)
    assert main(["webhooks"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[1].endswith("message.failed  on")
    assert shown[2].endswith("all             off  the endpoint said gone (410)")
    region.answers["GET", "/v1/webhooks"] = page()
    assert main(["webhooks", "list"]) == 0
    assert capsys.readouterr().out == "No webhook endpoints.\n"


def test_deliveries_and_telling_again(region: Region, capsys: Captured) -> None:
    event = {**ROW, "channel": "event"}
    region.answers["GET", "/v1/webhooks/ep_1/deliveries?status=failed&limit=50"] = page(event)
    assert main(["webhooks", "deliveries", "ep_1", "--status", "failed"]) == 0
    assert "local-k001  event" in capsys.readouterr().out
    sent = {"id": "new", "status": "accepted", "region": "local", "resend_of": "local-k001"}
    path = "/v1/webhooks/ep_1/deliveries/local-k001/replay"
    region.answers["POST", path] = (202, sent)
    assert main(["webhooks", "replay", "ep_1", "local-k001"]) == 0
    assert capsys.readouterr().out == "new\n"
    region.answers["POST", "/v1/webhooks/ep_1/replay"] = (202, REPLAY)
    done = {**REPLAY, "state": "done", "sent": 2}
    region.answers["GET", "/v1/deadletters/replays/rpl_1"] = (200, done)
    since = "2026-01-31T00:00:00Z"
    assert main(["webhooks", "replay", "ep_1", "--since", since, "--all", "--wait"]) == 0
    assert capsys.readouterr().out == "rpl_1  done  2 sent again\n"
    bodies = [body for method, asked, _, body in region.asked if asked.endswith("ep_1/replay")]
    assert bodies == [{"since": since, "all": True}]
    assert main(["webhooks", "replay", "ep_1"]) == 2
    assert "--since" in capsys.readouterr().err


def test_test_and_delete(region: Region, capsys: Captured) -> None:
    region.answers["POST", "/v1/webhooks/ep_1/test"] = (202, {"id": "local-u001"})
    region.answers["DELETE", "/v1/webhooks/ep_1"] = (204, None)
    assert main(["webhooks", "test", "ep_1"]) == 0
    said = capsys.readouterr()
    assert (said.out, "goutong trace local-u001" in said.err) == ("local-u001\n", True)
    assert main(["webhooks", "delete", "ep_1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"id": "ep_1", "deleted": True}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"send_at": "2026-02-01T09:00:00.000Z"}, "not before 2026-02-01T09:00:00.000Z"),
        ({"resend_of": "old"}, "a new sending of old"),
        ({"follows": "first"}, "follows first"),
        (
            {"until": "delivered", "next": [{"id": "m2", "channel": "email"}]},
            "unless delivered: email m2",
        ),
        ({"engagement": ["complained", "seen"]}, "its recipient: complained, seen"),
    ],
)
def test_a_trace_says_how_messages_hang_together(fields: dict[str, Any], said: str) -> None:
    message = {
        "id": "m1",
        "channel": "sms",
        "status": "sent",
        "region": "local",
        "final": False,
        "events": [],
        "attempts": [],
    }
    assert f"  {said}" in trace_lines({**message, **fields})
    assert not any(said in text for text in trace_lines(message))
