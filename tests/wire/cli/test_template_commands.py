"""`goutong templates`: what each action asks of the region, and how it tells the answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.cli.main import main
from tests.wire.cli.test_client_commands import Region, region

__all__ = ["region"]

Captured = pytest.CaptureFixture[str]
CONTENT = {
    "name": "mail",
    "kind": "message",
    "default_locale": "en",
    "schema": None,
    "bodies": {"email": {"en": {"text": None, "subject": "s", "html": "x", "layout": "base"}}},
}
IN_FORCE = CONTENT | {
    "version": 3,
    "latest": 4,
    "revision": 7,
    "uses": [{"name": "base", "version": 2}],
    "draft": {"version": 5, "saved_at": "", "saved_by": "k", "base": 3},
}


def asked(region: Region) -> list[tuple[str, str, Any]]:
    return [(method, path, body) for method, path, _, body in region.asked]


def test_what_get_shows_can_be_put_again(region: Region, tmp_path: Path, capsys: Captured) -> None:
    region.answers["GET", "/v1/templates/mail"] = (200, IN_FORCE)
    region.answers["GET", "/v1/templates/mail/draft"] = (200, CONTENT | {"version": 5})
    region.answers["GET", "/v1/templates/mail/versions/2"] = (200, CONTENT | {"version": 2})
    region.answers["PUT", "/v1/templates/mail"] = (200, CONTENT | {"version": 6})
    assert main(["templates", "get", "mail"]) == 0
    text = capsys.readouterr().out
    body = {"subject": "s", "html": "x", "layout": "base"}
    assert json.loads(text) == {
        "name": "mail",
        "kind": "message",
        "default_locale": "en",
        "bodies": {"email": {"en": body}},
    }
    assert main(["templates", "get", "mail", "--draft"]) == 0
    assert main(["templates", "get", "mail", "--version", "2", "--json"]) == 0
    (tmp_path / "mail.json").write_text(text)
    assert main(["templates", "put", "mail.json", "--draft"]) == 0
    assert asked(region)[-1][2] == json.loads(text) | {"publish": False}
    assert "The draft of mail is saved" in capsys.readouterr().err


def test_get_of_what_is_only_drafted_says_so(region: Region, capsys: Captured) -> None:
    region.answers["GET", "/v1/templates/new"] = (200, CONTENT | {"version": 0, "bodies": {}})
    assert main(["templates", "get", "new"]) == 1
    assert "--draft" in capsys.readouterr().err


def test_the_list_shows_kinds_and_drafts(region: Region, capsys: Captured) -> None:
    region.answers["GET", "/v1/templates"] = (200, {"data": [IN_FORCE], "next_cursor": None})
    assert main(["templates", "list"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "NAME  KIND     VERSION  DRAFT  LOCALE  CHANNELS",
        "mail  message  3        yes    en      email",
    ]


def test_publish_and_rollback(region: Region, capsys: Captured) -> None:
    region.answers["POST", "/v1/templates/mail/publish"] = (200, IN_FORCE | {"version": 4})
    region.answers["POST", "/v1/templates/mail/rollback"] = (200, IN_FORCE)
    assert main(["templates", "publish", "mail"]) == 0
    assert main(["templates", "rollback", "mail", "3"]) == 0
    told = capsys.readouterr().err
    assert "Template mail is at version 4." in told
    assert "Version 3 of mail is in force again." in told
    assert [body for _, _, body in asked(region)] == [{}, {"version": 3}]
    assert main(["templates", "publish", "mail", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == 4
    assert main(["templates", "publish"]) == 2
    assert main(["templates", "publish", "mail", "--all-using", "base"]) == 2


def test_users_of_a_layout_are_published_again(region: Region, capsys: Captured) -> None:
    other = IN_FORCE | {"name": "other", "uses": []}
    broken = IN_FORCE | {"name": "broken", "revision": 9}
    page = {"data": [IN_FORCE, other, broken], "next_cursor": None}
    region.answers["GET", "/v1/templates"] = (200, page)
    region.answers["POST", "/v1/templates/mail/publish"] = (200, IN_FORCE | {"version": 5})
    assert main(["templates", "publish", "--all-using", "base"]) == 1
    told = capsys.readouterr().err
    assert "mail: version 3 → 5" in told
    assert "broken stays at version 3" in told
    posts = [one for one in region.asked if one[0] == "POST"]
    assert [(path, headers["If-Match"]) for _, path, headers, _ in posts] == [
        ("/v1/templates/mail/publish", '"7"'),
        ("/v1/templates/broken/publish", '"9"'),
    ]
    assert {one[3]["from"] for one in posts} == {"in_force"}
    assert main(["templates", "publish", "--all-using", "nothing"]) == 0
    assert "No template in force uses nothing." in capsys.readouterr().err


def test_versions(region: Region, capsys: Captured) -> None:
    brief = {"published_at": "2026-01-31T12:00:00Z", "published_by": "k1", "uses": []}
    data = [
        brief | {"version": 1, "in_force": True, "uses": [{"name": "base", "version": 2}]},
        brief | {"version": 2, "in_force": False},
    ]
    region.answers["GET", "/v1/templates/mail/versions"] = (
        200,
        {"data": data, "next_cursor": None, "history": []},
    )
    assert main(["templates", "versions", "mail"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "VERSION            PUBLISHED             BY  USES",
        "1        in force  2026-01-31T12:00:00Z  k1  base@2",
        "2                  2026-01-31T12:00:00Z  k1",
    ]
    assert main(["templates", "versions", "mail", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["history"] == []


def test_differences(region: Region, capsys: Captured) -> None:
    changes = [
        {
            "pointer": "/bodies/sms/en/text",
            "change": "changed",
            "diff": ["@@ -1 +1 @@", "-a", "+b"],
        },
        {"pointer": "/uses/base", "change": "changed", "before": 1, "after": 2},
    ]
    told = {"name": "mail", "from": "2", "to": "draft", "changes": changes}
    region.answers["GET", "/v1/templates/mail/diff?from=2"] = (200, told)
    region.answers["GET", "/v1/templates/mail/diff"] = (200, told | {"changes": []})
    assert main(["templates", "diff", "mail", "--from", "2"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "--- version 2",
        "+++ draft",
        "/bodies/sms/en/text: changed",
        "  @@ -1 +1 @@",
        "  -a",
        "  +b",
        "/uses/base: changed",
        "  -1",
        "  +2",
    ]
    assert main(["templates", "diff", "mail"]) == 0
    assert "Nothing differs between 2 and draft." in capsys.readouterr().err


def shown(channel: str, **more: Any) -> dict[str, Any]:
    empty = {"locale": "en", "text": "", "subject": "", "html": "", "text_from_html": False}
    return empty | {"channel": channel, "sms": None, "prices": [], "errors": []} | more


def test_preview(region: Region, tmp_path: Path, capsys: Captured) -> None:
    parts = {
        "encoding": "ucs2",
        "parts": 2,
        "characters": 71,
        "left": 63,
        "forces_ucs2": ["你"],
    }
    channels = [
        shown(
            "sms",
            text="Hello",
            sms=parts,
            prices=[{"account": "carrier", "per_part": 0.04, "total": 0.08}],
        ),
        shown("email", subject="Hi", text="a\nb", html="<p>", text_from_html=True),
    ]
    told = {"name": "mail", "version": 3, "channels": channels, "data_errors": []}
    region.answers["POST", "/v1/templates/mail/preview"] = (200, told)
    (tmp_path / "v.json").write_text('{"n": 5, "name": "x"}')
    words = ["templates", "preview", "mail", "--values", "v.json", "--set", "name=Ada"]
    assert main([*words, "--to", "GB", "--locale", "de", "--draft"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "sms (en)",
        "    Hello",
        "  2 parts, UCS-2, room for 63 more; not in GSM 7-bit: 你",
        "  carrier: 0.08 (0.04 a part)",
        "email (en)",
        "  Subject: Hi",
        "  Text, made from the HTML:",
        "    a",
        "    b",
        "  HTML: 3 characters (--json shows it)",
    ]
    data = {"n": 5, "name": "Ada"}
    assert asked(region)[0][2] == {"data": data, "draft": True, "locale": "de", "to": "GB"}
    (tmp_path / "t.json").write_text(json.dumps(CONTENT))
    assert main(["templates", "preview", "mail", "--file", "t.json"]) == 0
    assert asked(region)[1][2]["bodies"] == CONTENT["bodies"]
    assert main(["templates", "preview", "mail", "--file", "t.json", "--draft"]) == 2


def test_a_preview_that_finds_something_wrong_fails(region: Region, capsys: Captured) -> None:
    error = {"pointer": "/data/name", "detail": "missing field", "hint": "Add `name`."}
    told = {"name": "mail", "version": 3, "channels": [shown("sms", errors=[error])]}
    region.answers["POST", "/v1/templates/mail/preview"] = (200, told | {"data_errors": []})
    assert main(["templates", "preview", "mail"]) == 1
    assert "/data/name: missing field Add `name`." in capsys.readouterr().out
    told["channels"] = [shown("sms", text="x")]
    region.answers["POST", "/v1/templates/mail/preview"] = (200, told | {"data_errors": [error]})
    assert main(["templates", "preview", "mail", "--json"]) == 1


def test_delete(region: Region, capsys: Captured) -> None:
    region.answers["DELETE", "/v1/templates/mail"] = (204, None)
    region.answers["DELETE", "/v1/templates/mail/draft"] = (204, None)
    assert main(["templates", "delete", "mail", "--draft"]) == 0
    assert main(["templates", "delete", "mail", "--json"]) == 0
    captured = capsys.readouterr()
    assert "The draft of mail is deleted." in captured.err
    assert json.loads(captured.out) == {"name": "mail", "deleted": "template"}
    assert main(["templates", "delete", "other"]) == 1
