"""A running region for tests that call its doors one after the other, without a loop of their own.

`running(...)` is `goutong up` as a process from its first line to its end. `Region.call` is one
HTTP request on a connection of its own; `Told` is the answer, whole.
"""

import http.client
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from core.contract.providers import ProviderIn

CALL_TIMEOUT_S = 30.0
START_TIMEOUT_S = 60.0
END_TIMEOUT_S = 40.0


class Told(Struct):
    """An answer. Names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    base: str,
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Told:
    """One request; a body that is not bytes is sent as JSON."""
    where = urlsplit(base)
    assert where.hostname is not None
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=CALL_TIMEOUT_S)
    sent = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    if body is not None:
        sent.setdefault("Content-Type", "application/json")
    try:
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Told(answer.status, named, answer.read())
    finally:
        connection.close()


class Region:
    """What somebody knows of a running region: its first line and its data folder."""

    def __init__(self, line: dict[str, Any], data: Path) -> None:
        self.line = line
        self.data = data
        (region,) = line["regions"].values()
        self.url: str = region["url"]
        self.api_key: str = line["api_key"]
        self.admin_key: str = line["admin_key"]
        self.sandbox: str = line["sandbox"]

    @property
    def region(self) -> dict[str, Any]:
        """As `Up` shows it: for `tests.support.load.Client`."""
        return {"url": self.url}

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = "",
        headers: Mapping[str, str] | None = None,
    ) -> Told:
        """One request to the API; `key` "" is the region's own, None is none."""
        sent = dict(headers or {})
        if key is not None:
            sent["Authorization"] = f"Bearer {key or self.api_key}"
        return ask(self.url, method, path, body, sent)

    def notify(self, body: Any, *, idempotency_key: str = "", key: str = "") -> Told:
        """POST /v1/notifications."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self.call("POST", "/v1/notifications", body, key=key, headers=headers)

    def sms(self, to: str, text: str, **fields: Any) -> str:
        """Send a text message that is accepted; its message id."""
        told = self.notify({"to": {"phone": to}, "content": {"text": text}, **fields})
        assert told.status == 202, told.body
        return str(told.json()["messages"][0]["id"])

    def message(self, message_id: str) -> dict[str, Any]:
        """The message as it stands."""
        told = self.call("GET", f"/v1/messages/{message_id}")
        assert told.status == 200, told.body
        return dict(told.json())

    def ended(self, message_id: str, *states: str, timeout_s: float = 20.0) -> dict[str, Any]:
        """The message once it is in one of these states."""

        def look() -> dict[str, Any] | None:
            message = self.message(message_id)
            return message if message["status"] in states else None

        return dict(wait_for(look, timeout_s, lambda: self.message(message_id)))

    def new_key(self, *scopes: str, tenant: str | None = None) -> dict[str, Any]:
        """A key made through the API, as it was shown once."""
        asked: dict[str, Any] = {"scopes": list(scopes)}
        if tenant is not None:
            asked["tenant"] = tenant
        told = self.call("POST", "/v1/keys", asked, key=self.admin_key)
        assert told.status == 201, told.body
        return dict(told.json())

    def tune(self, account: str, **settings: Any) -> None:
        """Change some settings of a provider account; its credentials stay."""
        told = self.call("GET", f"/v1/providers/{account}", key=self.admin_key)
        assert told.status == 200, told.body
        known = told.json()
        kept = {name: known[name] for name in ("id", "wire", "channel", "enabled", "priority")}
        body = {**kept, "settings": {**known["settings"], **settings}}
        told = self.call("PUT", f"/v1/providers/{account}", body, key=self.admin_key)
        assert told.status == 200, told.body

        def up() -> bool:
            told = self.call("GET", f"/v1/providers/{account}", key=self.admin_key)
            return bool(told.json()["state"] == "up")

        wait_for(up)

    def switch(self, account: str, enabled: bool) -> None:
        """Take a provider account in or out."""
        path = f"/v1/providers/{account}"
        known = self.call("GET", path, key=self.admin_key).json()
        kept = {name: known[name] for name in known if name in ProviderIn.__struct_fields__}
        del kept["secrets"]
        told = self.call("PUT", path, {**kept, "enabled": enabled}, key=self.admin_key)
        assert told.status == 200, told.body

    def history(self) -> list[dict[str, Any]]:
        """Everything that reached the sandbox's providers."""
        found: list[dict[str, Any]] = []
        after = 0
        while True:
            told = ask(self.sandbox, "GET", f"/sandbox/history?after={after}&limit=10000")
            page = told.json()
            if not page["data"]:
                return found
            found += page["data"]
            after = page["next"]

    def sent(self, message_id: str) -> list[dict[str, Any]]:
        """What the recipient of this message got, by the sandbox's history."""
        return [
            entry
            for entry in self.history()
            if entry["effective"] and str(entry["ref"]).partition(".")[0] == message_id
        ]

    @contextmanager
    def behaving(self, provider: str, **habits: Any) -> Iterator[None]:
        """The sandbox's provider behaves like this inside of the block."""
        path = f"/sandbox/behaviour/{provider}"
        told = ask(self.sandbox, "PUT", path, habits)
        assert told.status == 200, told.body
        try:
            yield
        finally:
            ask(self.sandbox, "DELETE", path)


def wait_for(
    look: Callable[[], Any], timeout_s: float = 10.0, last: Callable[[], Any] | None = None
) -> Any:
    """The first true answer of `look`; fails with what `last` says when time is up."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {last() if last else found!r}")
        time.sleep(0.02)


@contextmanager
def running(data: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Region]:
    """`goutong up` on this folder, ended in order after the block."""
    words = [sys.executable, "-m", "core.cli", "up", "--json", "--data", str(data), *arguments]
    noise = data.with_name(f"{data.name}.err")
    with (
        noise.open("wb") as err,
        subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=err, env={**os.environ, **(env or {})}
        ) as process,
    ):
        try:
            yield Region(_first_line(process, noise), data)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def _first_line(process: "subprocess.Popen[bytes]", noise: Path) -> dict[str, Any]:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], START_TIMEOUT_S)
    line = process.stdout.readline() if readable else b""
    if not line:
        raise AssertionError(f"goutong up did not start: {noise.read_text()}")
    return dict(json.loads(line))
