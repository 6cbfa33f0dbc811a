"""A message as `goutong trace` shows it."""

from typing import Any

from core.cli.shown import trace_lines


def message(**more: Any) -> dict[str, Any]:
    at = "2026-11-28T10:00:00.000Z"
    shown: dict[str, Any] = {
        "id": "eu-u0",
        "channel": "sms",
        "status": "sent",
        "final": False,
        "region": "us",
        "class": "otp",
        "events": [
            {"at": at, "type": "accepted", "detail": "", "region": "us"},
            {"at": at, "type": "sending", "detail": "through smsc", "region": "eu"},
            {"at": at, "type": "waiting", "detail": "for its turn", "region": ""},
        ],
        "attempts": [],
    }
    return shown | more


def test_who_looks_after_it_and_what_happened_in_another_region() -> None:
    lines = trace_lines(message(home="eu", owner="eu0123456789abcdef", epoch=7))
    assert lines[1] == "  region us, home eu, owner eu0123456789abcdef epoch 7; otp"
    assert [line.endswith("[in eu]") for line in lines[2:5]] == [False, True, False]


def test_an_answer_of_an_older_release_is_shown_too() -> None:
    assert trace_lines(message())[1] == "  region us; otp"
