"""Commands against an HTTP region that answers from a table and keeps what it was asked."""

import http.server
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.cli.main import main

DECISION = {
    "account": "sandbox-smsc",
    "policy": "default",
    "version": 3,
    "candidates": [
        {
            "account": "sandbox-smsc",
            "score": 0.9995,
            "parts": {"success": 0.0095, "order": 0.99},
            "price": 0.04,
        },
        {
            "account": "b",
            "score": 0.0045,
            "parts": {"success": 0.0045, "order": 0.0},
            "price": 0.0,
            "full": True,
        },
    ],
    "removed": [{"account": "old", "why": "circuit open after failures"}],
}
EXPLAINED = [
    "route: sandbox-smsc; policy default version 3",
    "  sandbox-smsc  0.9995 = success 0.0095 + order 0.9900, price 0.04",
    "  b             0.0045 = success 0.0045 + order 0.0000, no free place",
    "  not old: circuit open after failures",
]
POLICY = {
    "name": "default",
    "match": {"tenants": [], "classes": ["bulk"], "channels": [], "countries": ["GB", "IE"]},
    "order": ["b", "a"],
    "weights": {"success": 1.0, "latency": 0.0, "cost": 2.5, "distance": 0.0, "order": 0.0},
    "when_none": "wait",
    "version": 3,
}
MESSAGE = {
    "id": "local-u001",
    "channel": "sms",
    "status": "delivered",
    "reason": "",
    "final": True,
    "region": "local",
    "possible_duplicate": False,
    "class": "otp",
    "delivery": "at_least_once",
    "durability": "local",
    "events": [{"at": "2026-01-31T12:00:00.123Z", "type": "accepted"}],
    "attempts": [
        {
            "account": "sandbox-smsc",
            "outcome": "accepted",
            "provider_id": "7f",
            "attempt": "a.1.1",
            "explanation": DECISION,
        }
    ],
}
ACCOUNT = {
    "id": "a",
    "wire": "smpp",
    "channel": "sms",
    "enabled": True,
    "settings": {"host": "h"},
    "secrets": ["password"],
    "priority": 5,
    "price": {"amount": 0.1, "by_country": {}},
    "destinations": {"allow": ["GB"], "deny": []},
    "limits": {"per_second": 5, "per_day": None, "concurrency": None},
    "location": None,
    "state": "up",
    "version": 9,
}


class Region:
    """Answers (method, path) from `answers`; `asked` has each request."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {}
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        region = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                region.asked.append((self.command, self.path, dict(self.headers), body))
                missing = {
                    "title": "Nothing",
                    "code": "not_found",
                    "detail": "No.",
                    "trace_id": "t",
                }
                status, told = region.answers.get((self.command, self.path), (404, missing))
                text = json.dumps(told).encode() if told is not None else b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Region]:
    made = Region()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GOUTONG_URL", raising=False)
    monkeypatch.delenv("GOUTONG_API_KEY", raising=False)
    up = {"api_key": "api", "admin_key": "adm", "regions": {"local": {"url": made.url}}}
    (tmp_path / "goutong-data").mkdir()
    (tmp_path / "goutong-data" / "up.json").write_text(json.dumps(up))
    yield made
    made.close()


Captured = pytest.CaptureFixture[str]


def test_send_by_template(region: Region, capsys: Captured) -> None:
    brief = {"id": "m1", "channel": "sms", "status": "accepted", "region": "local"}
    region.answers["POST", "/v1/notifications"] = (202, {"id": "ntf_1", "messages": [brief]})
    words = ["send", "--to", "+447700900123", "--to", "ada@example.com", "--template", "otp"]
    words += ["--set", "code=1=2", "--class", "otp", "--expires-in", "60"]
    assert main([*words, "--idempotency-key", "k1"]) == 0
    assert capsys.readouterr().out == "m1  sms  accepted\n"
    ((_, _, headers, body),) = region.asked
    assert headers["Authorization"] == "Bearer api"
    assert headers["Idempotency-Key"] == "k1"
    assert body == {
        "to": [{"phone": "+447700900123"}, {"email": "ada@example.com"}],
        "template": "otp",
        "data": {"code": "1=2"},
        "class": "otp",
        "expires_in": 60,
    }


def test_send_a_chain_at_a_time(region: Region, capsys: Captured) -> None:
    why = {"pointer": "/to/1/phone", "detail": "no number", "hint": "Use E.164."}
    briefs = [
        {"id": "m1", "channel": "sms", "status": "scheduled", "region": "local", "index": 0},
        {"status": "rejected", "index": 1, "code": "invalid_request", "errors": [why]},
    ]
    region.answers["POST", "/v1/notifications"] = (202, {"id": "ntf_1", "messages": briefs})
    words = ["send", "--to", "+447700900123,ada@example.com,https://x.example/a,b", "--to", "1"]
    words += ["--channel", "sms,email", "--until", "delivered", "--escalate-after", "60"]
    words += ["--at", "2026-12-24T08:00:00", "--time-zone", "Europe/Berlin", "--text", "Hi"]
    assert main(words) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "m1  sms  scheduled",
        "rejected  /to/1/phone: no number Use E.164.",
    ]
    assert "1 of 2 recipients were rejected." in captured.err
    first = {"phone": "+447700900123", "email": "ada@example.com", "url": "https://x.example/a,b"}
    assert region.asked[0][3] == {
        "to": [first, {"phone": "1"}],
        "channel": ["sms", "email"],
        "until": "delivered",
        "escalate_after": 60,
        "send_at": "2026-12-24T08:00:00",
        "time_zone": "Europe/Berlin",
        "content": {"text": "Hi"},
    }


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--text", "Hi"], "--to"),
        (["--to", "+447700900123,+447700900124", "--text", "Hi"], "phone stands twice"),
        (["--batch", "x", "--to", "+447700900123"], "--to goes into the lines"),
        (["--batch", "x", "--class", "otp"], "--class goes into the lines"),
        (["--batch", "no-such-file"], "no-such-file cannot be read"),
    ],
)
def test_send_that_cannot_be(region: Region, capsys: Captured, words: list[str], says: str) -> None:
    assert main(["send", *words]) in (1, 2)
    assert says in capsys.readouterr().err
    assert not region.asked


def test_send_and_wait_shows_the_trace(region: Region, capsys: Captured) -> None:
    brief = {"id": MESSAGE["id"], "channel": "sms", "status": "accepted", "region": "local"}
    region.answers["POST", "/v1/notifications"] = (202, {"id": "ntf_1", "messages": [brief]})
    region.answers["GET", f"/v1/messages/{MESSAGE['id']}"] = (200, MESSAGE)
    assert main(["send", "--to", "+447700900123", "--text", "Hi", "--wait"]) == 0
    assert "sms local-u001: delivered (final)" in capsys.readouterr().out


def test_trace_for_people_and_for_programs(region: Region, capsys: Captured) -> None:
    region.answers["GET", f"/v1/messages/{MESSAGE['id']}"] = (200, MESSAGE)
    assert main(["trace", str(MESSAGE["id"])]) == 0
    shown = capsys.readouterr().out
    assert "12:00:00.123  accepted" in shown
    assert "attempt 1 by sandbox-smsc: accepted, provider's id 7f" in shown
    assert "\n".join(f"    {line}" for line in EXPLAINED) in shown
    assert main(["trace", str(MESSAGE["id"]), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == MESSAGE


def test_refusal_is_told_in_the_words_of_the_api(region: Region, capsys: Captured) -> None:
    errors = [{"pointer": "/to/phone", "detail": "no number", "hint": "Use E.164."}]
    problem = {
        "title": "The request is not valid",
        "code": "invalid_request",
        "detail": "See errors.",
        "trace_id": "abc",
        "errors": errors,
    }
    region.answers["POST", "/v1/notifications"] = (400, problem)
    assert main(["send", "--to", "123", "--text", "Hi"]) == 1
    err = capsys.readouterr().err
    assert "The request is not valid (invalid_request): See errors." in err
    assert "/to/phone: no number Use E.164." in err
    assert "Trace id abc" in err


def test_refusal_that_is_no_problem_document(region: Region, capsys: Captured) -> None:
    region.answers["GET", "/v1/messages/x"] = (502, "bad gateway")
    assert main(["trace", "x"]) == 1
    assert "answered 502" in capsys.readouterr().err


def test_keys(region: Region, capsys: Captured) -> None:
    made = {"id": "abc", "tenant": "default", "scopes": ["send"], "key": "gt_live_x"}
    region.answers["POST", "/v1/keys"] = (201, made)
    region.answers["DELETE", "/v1/keys/abc"] = (204, None)
    assert main(["keys", "create", "--scope", "send", "--tenant", "other"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "gt_live_x\n"
    assert "only time it is shown" in captured.err
    assert main(["keys", "revoke", "abc"]) == 0
    assert region.asked[0][2]["Authorization"] == "Bearer adm"
    assert region.asked[0][3] == {"scopes": ["send"], "tenant": "other"}


def test_lists_are_read_page_by_page(region: Region, capsys: Captured) -> None:
    first = {"id": "k1", "tenant": "t", "scopes": ["send", "read"], "revoked": False}
    second = {"id": "k2", "tenant": "t", "scopes": ["admin"], "revoked": True}
    region.answers["GET", "/v1/keys"] = (200, {"data": [first], "next_cursor": "a b"})
    region.answers["GET", "/v1/keys?cursor=a+b"] = (200, {"data": [second], "next_cursor": None})
    assert main(["keys", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"] == [first, second]
    assert main(["keys", "list"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ID  TENANT  SCOPES",
        "k1  t       send read",
        "k2  t       admin      revoked",
    ]


def test_switching_an_account_touches_nothing_else(region: Region, capsys: Captured) -> None:
    region.answers["GET", "/v1/providers/a"] = (200, ACCOUNT)
    region.answers["PUT", "/v1/providers/a"] = (200, {**ACCOUNT, "enabled": False})
    assert main(["providers", "disable", "a"]) == 0
    _, (_, _, headers, body) = region.asked
    assert headers["If-Match"] == '"9"'
    shown_only = ("secrets", "state", "version")
    assert body == {n: v for n, v in ACCOUNT.items() if n not in shown_only} | {"enabled": False}
    assert "Account a is disabled." in capsys.readouterr().err


def test_an_account_is_deleted(region: Region, capsys: Captured) -> None:
    region.answers["DELETE", "/v1/providers/a"] = (204, None)
    assert main(["providers", "delete", "a"]) == 0
    assert "Account a is deleted." in capsys.readouterr().err
    assert main(["providers", "delete", "a", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"id": "a", "deleted": True}


def test_lists_are_the_default(region: Region, capsys: Captured) -> None:
    region.answers["GET", "/v1/providers"] = (200, {"data": [ACCOUNT], "next_cursor": None})
    region.answers["GET", "/v1/templates"] = (200, {"data": [], "next_cursor": None})
    assert main(["providers"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ID  WIRE  CHANNEL  PRIORITY  STATE",
        "a   smpp  sms      5         up",
    ]
    assert main(["templates"]) == 0
    assert capsys.readouterr().out == "No templates.\n"


def test_put_from_standard_input(
    region: Region, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = {"name": "hi", "bodies": {"sms": {"en": {"text": "Hi"}}}}
    region.answers["PUT", "/v1/templates/hi"] = (200, {**template, "version": 3})

    class Input:
        buffer = io.BytesIO(json.dumps(template).encode())

    monkeypatch.setattr("sys.stdin", Input)
    assert main(["templates", "put", "-"]) == 0
    assert region.asked[0][3] == template
    assert "Template hi is at version 3." in capsys.readouterr().err


def test_address_and_key_of_the_arguments_win(
    region: Region, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOUTONG_API_KEY", "env")
    assert main(["trace", "x"]) == 1
    assert main(["trace", "x", "--url", region.url + "/", "--key", "arg"]) == 1
    assert [asked[2]["Authorization"] for asked in region.asked] == ["Bearer env", "Bearer arg"]


def test_policies_are_listed_put_and_deleted(
    region: Region, capsys: Captured, tmp_path: Path
) -> None:
    region.answers["GET", "/v1/policies"] = (200, {"data": [POLICY], "next_cursor": None})
    region.answers["GET", "/v1/policies/default"] = (200, POLICY)
    region.answers["PUT", "/v1/policies/default"] = (200, POLICY)
    region.answers["DELETE", "/v1/policies/default"] = (204, None)
    assert main(["policies"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "NAME     VERSION  SERVES                        ORDER  WEIGHTS             WHEN NONE",
        "default  3        classes=bulk countries=GB,IE  b a    success:1 cost:2.5  wait",
    ]
    assert main(["policies", "get", "default"]) == 0
    assert json.loads(capsys.readouterr().out) == POLICY
    given = {"name": "default", "order": ["b"]}
    (tmp_path / "p.json").write_text(json.dumps(given))
    assert main(["policies", "put", "p.json"]) == 0
    assert "Policy default is at version 3." in capsys.readouterr().err
    assert main(["policies", "delete", "default"]) == 0
    assert [(asked[0], asked[3]) for asked in region.asked[2:]] == [
        ("PUT", given),
        ("DELETE", None),
    ]
    assert region.asked[0][2]["Authorization"] == "Bearer adm"


def test_route_shows_each_channel(region: Region, capsys: Captured) -> None:
    nobody = {"account": "", "policy": "built-in", "version": 0, "candidates": []}
    texts = {"channel": "sms", "country": "GB", "parts": 2, "explore": 0.05, "when_none": "wait"}
    mails = {"channel": "email", "country": "ZZ", "parts": 1, "explore": 0.0, "when_none": "end"}
    found = {
        "routes": [
            texts | {"decision": DECISION, "why": ""},
            mails | {"decision": nobody, "why": "no account serves the channel email"},
        ]
    }
    region.answers["POST", "/v1/route"] = (200, found)
    words = ["route", "--to", "+447700900123", "--to", "a@example.com", "--class", "otp"]
    assert main([*words, "--channel", "sms", "--channel", "email", "--text", "Hi"]) == 0
    assert region.asked[0][3] == {
        "to": {"phone": "+447700900123", "email": "a@example.com"},
        "channel": ["sms", "email"],
        "class": "otp",
        "text": "Hi",
    }
    assert capsys.readouterr().out.splitlines() == [
        "sms to GB, 2 parts: through sandbox-smsc",
        *(f"  {line}" for line in EXPLAINED),
        "  5% of such messages go to another candidate, to learn of it",
        "email: nobody: no account serves the channel email",
        "  route: nobody; policy built-in",
        "  such a message ends at once",
    ]
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found
    assert main(["route", "--to", "+1", "--to", "+2"]) == 2
