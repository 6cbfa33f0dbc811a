"""How commands reach a region: where it is, with which key, and what its refusals mean.

The address and the key come from the arguments, else from GOUTONG_URL and GOUTONG_API_KEY, else
from `up.json`, which `goutong up` keeps in its data folder while it runs.
"""

import argparse
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from core.cli.out import FAILED, UNREACHABLE, CommandError

DEFAULT_DATA = Path("goutong-data")
UP_FILE = "up.json"
_TIMEOUT_S = 30.0


class Api:
    """The HTTP API of one region, with one key."""

    def __init__(self, url: str, key: str, timeout_s: float = _TIMEOUT_S) -> None:
        self.url = url.rstrip("/")
        self._key = key
        self._timeout_s = timeout_s

    @property
    def headers(self) -> dict[str, str]:
        """What lets a request in."""
        return {"Authorization": f"Bearer {self._key}"}

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer's JSON; raises CommandError for a refusal or silence."""
        sent = {**self.headers, **(headers or {})}
        data = None
        if body is not None:
            data = msgspec.json.encode(body)
            sent["Content-Type"] = "application/json"
        request = urllib.request.Request(self.url + path, data, sent, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:  # noqa: S310
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise refused(error.code, error.read()) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise CommandError(
                f"{self.url} cannot be reached: {reason}",
                "Start a region with `goutong up`, or name its address with --url.",
                UNREACHABLE,
            ) from None
        return msgspec.json.decode(text) if text else None

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """Every entry of a list, page by page."""
        cursor: str | None = None
        while True:
            query = f"?{urlencode({'cursor': cursor})}" if cursor else ""
            page = self.call("GET", path + query)
            yield from page["data"]
            cursor = page.get("next_cursor")
            if not cursor:
                return


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


def add_where(parser: argparse.ArgumentParser) -> None:
    """The arguments that say which region, and with which key."""
    _add_where(parser, DEFAULT_DATA)


def add_action(actions: Any, name: str, what: str) -> argparse.ArgumentParser:
    """An action of a command. It takes the command's own options too: people write them last."""
    parser: argparse.ArgumentParser = actions.add_parser(name, help=what)
    # Left out, they must not hide what stands before the action.
    absent = argparse.SUPPRESS
    parser.add_argument("--json", action="store_true", default=absent, help="the result as JSON")
    _add_where(parser, absent)
    return parser


def _add_where(parser: argparse.ArgumentParser, data: Path | str) -> None:
    other = None if isinstance(data, Path) else data
    parser.add_argument("--url", default=other, help="address of the region (GOUTONG_URL)")
    parser.add_argument(
        "--key", default=other, help="API key (GOUTONG_API_KEY); safer in the environment"
    )
    parser.add_argument("--data", type=Path, default=data, help="data folder of `goutong up` here")


def reach(given: argparse.Namespace, admin: bool = False, region: str = "") -> Api:
    """Where these arguments lead; `admin` chooses which key of the folder is used.

    Of several regions that run on the folder it is the first, or `region` where that is one.
    """
    url = given.url or os.environ.get("GOUTONG_URL")
    key = given.key or os.environ.get("GOUTONG_API_KEY")
    if url and key:
        return Api(url, key)
    running = _running(given.data)
    if running is None:
        missing = "address" if not url else "key"
        raise CommandError(
            f"no {missing} of a region: nothing runs on {given.data}",
            "Start one with `goutong up`, name its folder with --data, or give --url and --key.",
            UNREACHABLE,
        )
    regions = running["regions"]
    found_url = regions.get(region, next(iter(regions.values())))["url"]
    return Api(url or found_url, key or running["admin_key" if admin else "api_key"])


def _running(data: Path) -> Any:
    try:
        return msgspec.json.decode((data / UP_FILE).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise CommandError(f"{data / UP_FILE} cannot be read: {error}") from None


def refused(status: int, body: bytes) -> CommandError:
    """A refusal in the API's own words."""
    try:
        problem = msgspec.json.decode(body)
        what = f"{problem['title']} ({problem['code']}): {problem['detail']}"
    except (msgspec.DecodeError, TypeError, KeyError):
        return CommandError(f"answered {status}: {body[:200].decode(errors='replace')}")
    hints = [
        f"{each.get('pointer', '')}: {each.get('detail', '')} {each.get('hint', '')}".strip()
        for each in problem.get("errors", [])
    ]
    hints.append(f"Trace id {problem.get('trace_id', '')} finds it in the logs.")
    return CommandError(what, "\n  ".join(hints), FAILED)
