"""The commands that list messages and send them again, against a region that answers a table."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from core.cli.main import main
from core.cli.out import CommandError
from core.cli.times import point
from tests.wire.cli.test_client_commands import Captured, Region, region

__all__ = ["region"]

ROW = {
    "id": "local-k001",
    "channel": "sms",
    "status": "failed",
    "reason": "permanent",
    "class": "otp",
    "created_at": "2026-01-31T12:00:00.000Z",
    "at": "2026-01-31T12:00:01.000Z",
    "possible_duplicate": False,
    "final": True,
}
TWICE = {**ROW, "id": "local-k002", "status": "unknown", "reason": "", "possible_duplicate": True}
REPLAY = {
    "id": "rpl_1",
    "state": "running",
    "per_second": 10,
    "created_at": "2026-01-31T12:00:00Z",
    "updated_at": "2026-01-31T12:00:00Z",
    "sent": 0,
    "passed_over": {},
    "trouble": "",
}


def page(*rows: Any, cursor: str | None = None) -> tuple[int, Any]:
    return 200, {"data": list(rows), "next_cursor": cursor}


def test_a_list_over_pages(region: Region, capsys: Captured) -> None:
    query = "/v1/deadletters?status=failed%2Cunknown&channel=sms"
    since = "&since=2026-01-31T00%3A00%3A00Z&limit=50"
    region.answers["GET", query + since] = page(ROW, cursor="c 1")
    region.answers["GET", f"{query}{since}&cursor=c+1"] = page(TWICE)
    words = ["deadletters", "list", "--status", "failed,unknown", "--channel", "sms"]
    assert main([*words, "--since", "2026-01-31T00:00:00Z"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ID          CHANNEL  STATUS   REASON     CLASS  AT",
        "local-k001  sms      failed   permanent  otp    2026-01-31T12:00:01.000Z",
        "local-k002  sms      unknown             otp    2026-01-31T12:00:01.000Z"
        "  possibly sent twice",
    ]


def test_only_as_much_as_asked_is_read(region: Region, capsys: Captured) -> None:
    region.answers["GET", "/v1/messages?limit=1"] = page(ROW, cursor="more")
    assert main(["messages", "list", "--limit", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"data": [ROW]}
    assert len(region.asked) == 1


def test_nothing_found_says_what_was_looked_at(region: Region, capsys: Captured) -> None:
    region.answers["GET", "/v1/messages?limit=50"] = page()
    region.answers["GET", "/v1/deadletters?limit=50"] = page()
    assert main(["messages"]) == 0
    assert main(["deadletters"]) == 0
    shown = capsys.readouterr().out
    assert "last day" in shown
    assert "last 7 days" in shown


def test_a_search_has_the_recipient_in_its_body_only(region: Region, capsys: Captured) -> None:
    region.answers["POST", "/v1/messages/search"] = page(ROW)
    assert main(["messages", "search", "+447700900123", "--until", "2026-02-01T00:00:00Z"]) == 0
    ((_, path, _, body),) = region.asked
    assert "7700" not in path
    until = "2026-02-01T00:00:00Z"
    assert body == {"recipient": "+447700900123", "limit": 50, "until": until}
    assert "local-k001" in capsys.readouterr().out


def test_resend(region: Region, capsys: Captured) -> None:
    sent = {"id": "new", "status": "accepted", "region": "local", "resend_of": "old"}
    region.answers["POST", "/v1/messages/old/resend"] = (202, sent)
    assert main(["deadletters", "resend", "old", "--expires-in", "60"]) == 0
    assert capsys.readouterr().out == "new  accepted\n"
    assert region.asked[0][3] == {"expires_in": 60}
    assert len(region.asked[0][2]["Idempotency-Key"]) > 20
    assert main(["deadletters", "resend", "old", "--idempotency-key", "k", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == sent
    assert region.asked[1][2]["Idempotency-Key"] == "k"


def test_replay_by_filters_until_it_is_done(region: Region, capsys: Captured) -> None:
    region.answers["POST", "/v1/deadletters/replay"] = (202, REPLAY)
    done = {**REPLAY, "state": "done", "sent": 3, "passed_over": {"moved_on": 1}}
    region.answers["GET", "/v1/deadletters/replays/rpl_1"] = (200, done)
    words = ["deadletters", "replay", "--status", "failed", "--since", "2026-01-31T00:00:00Z"]
    assert main([*words, "--per-second", "20", "--wait"]) == 0
    assert region.asked[0][3] == {
        "status": ["failed"],
        "since": "2026-01-31T00:00:00Z",
        "per_second": 20.0,
    }
    assert capsys.readouterr().out.splitlines() == [
        "rpl_1  done  3 sent again",
        "  1 passed over: moved_on",
    ]


def test_replay_by_ids_show_and_cancel(region: Region, capsys: Captured) -> None:
    region.answers["POST", "/v1/deadletters/replay"] = (202, REPLAY)
    assert main(["deadletters", "replay", "a", "b", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == REPLAY
    assert region.asked[0][3] == {"ids": ["a", "b"]}
    waits = {**REPLAY, "trouble": "the disk is full"}
    region.answers["GET", "/v1/deadletters/replays/rpl_1"] = (200, waits)
    region.answers["POST", "/v1/deadletters/replays/rpl_1/cancel"] = (200, REPLAY)
    assert main(["deadletters", "show", "rpl_1"]) == 0
    assert "the disk is full" in capsys.readouterr().err
    assert main(["deadletters", "cancel", "rpl_1"]) == 0


@pytest.mark.parametrize(
    "words", [["replay"], ["replay", "a", "--status", "failed"], ["list", "--since", "soon"]]
)
def test_wrong_usage(region: Region, capsys: Captured, words: list[str]) -> None:
    assert main(["deadletters", *words]) == 2
    assert capsys.readouterr().err
    assert region.asked == []


def test_how_long_ago() -> None:
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert point("--since", "90s", now) == "2026-01-31T11:58:30Z"
    assert point("--since", "2h", now) == "2026-01-31T10:00:00Z"
    assert point("--since", "7d", now) == "2026-01-24T12:00:00Z"
    assert point("--since", "2026-01-31T12:00:00+01:00") == "2026-01-31T12:00:00+01:00"
    for wrong in ("2026-01-31T12:00:00", "2x", "-1h", ""):
        with pytest.raises(CommandError):
            point("--since", wrong)
