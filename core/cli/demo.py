"""Start a region in a temporary folder, send a first e-mail and a first text message, and end.

Exit code 0 only if the text message ended `delivered`, the e-mail `sent`, and the sandbox's history
shows that both reached their recipients.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.client import Api
from core.cli.follow import follow
from core.cli.out import FAILED, OK, CommandError, json_line, line, note
from core.cli.shown import trace_lines
from core.cli.up import add_site, launch

if TYPE_CHECKING:
    from core.supervisor.up import Running

EMAIL = "ada@example.com"
PHONE = "+447700900123"
_TIMEOUT_S = 60.0
_HISTORY_STEP = 1000
_WANTED = {"email": "sent", "sms": "delivered"}


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `goutong demo`."""
    add_site(parser)


def run(given: argparse.Namespace) -> int:
    """Show it once and end."""

    async def then(running: "Running") -> int:
        told = await asyncio.to_thread(show, running, note if given.json else line)
        if given.json:
            json_line(told)
        return OK if told["ok"] else FAILED

    if given.data is not None:
        return launch(given, given.data, then)
    with tempfile.TemporaryDirectory(prefix="goutong-demo-") as folder:
        return launch(given, Path(folder), then)


def show(running: "Running", say: Callable[[str], None]) -> dict[str, Any]:
    """Send an e-mail and a text message through the API and tell what became of them."""
    if running.sandbox is None:
        raise CommandError("the demo needs the sandbox", "Set [supervisor] sandbox = true.")
    api = Api(running.url(), running.api_key)
    say("A first e-mail and a first text message, by POST /v1/notifications:")
    sent = {
        "email": _send(api, {"email": EMAIL}),
        "sms": _send(api, {"phone": PHONE}),
    }
    messages = []
    for channel, message_id in sent.items():
        message = follow(api, message_id, (_WANTED[channel],), _TIMEOUT_S)
        messages.append(message)
        say("")
        for text in trace_lines(message):
            say(text)
    history = _history(Api(running.sandbox, ""), set(sent.values()))
    say("")
    say("What the sandbox's providers took, as its history shows it:")
    for entry in history:
        say(f"  {entry['wire']:<5} to {entry['to']}: {entry['text']!r}")
    reached = {str(entry["ref"]).partition(".")[0] for entry in history if entry["effective"]}
    ok = reached == set(sent.values()) and all(
        message["status"] == _WANTED[message["channel"]] for message in messages
    )
    say("")
    say("Both arrived." if ok else "Not as it should be: see above, and the logs.")
    return {"ok": ok, "messages": messages, "history": history}


def _send(api: Api, target: dict[str, str]) -> str:
    body = {"to": target, "template": "welcome", "data": {"name": "Ada"}}
    answer = api.call("POST", "/v1/notifications", body)
    return str(answer["messages"][0]["id"])


def _history(sandbox: Api, message_ids: set[str]) -> list[dict[str, Any]]:
    """The entries of the sandbox's history about these messages."""
    found: list[dict[str, Any]] = []
    after = 0
    while True:
        page = sandbox.call("GET", f"/sandbox/history?after={after}&limit={_HISTORY_STEP}")
        found += [
            entry for entry in page["data"] if str(entry["ref"]).partition(".")[0] in message_ids
        ]
        if not page["data"]:
            return found
        after = page["next"]
