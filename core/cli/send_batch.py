"""Send many notifications from a file of lines, and print what came of each.

The file is read as it is sent, and outcomes are printed as they come. Exit code 1 where an item or
one of its recipients was refused, or where the connection ended before the last outcome: the same
command with the same --idempotency-key then goes on and sends nothing twice.
"""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp
import msgspec

from core.cli.client import Api, refused
from core.cli.out import FAILED, OK, UNREACHABLE, CommandError, line, note
from core.cli.shown import brief_text

_PIECE_BYTES = 65_536
_LINE_BYTES_MAX = 16 << 20


def send_batch(api: Api, name: str, key: str | None, as_json: bool) -> int:
    """Send the file of this name ("-": standard input)."""
    key = key or str(uuid.uuid4())
    try:
        source = sys.stdin.buffer if name == "-" else Path(name).open("rb")  # noqa: SIM115
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror or error}") from None
    with source:
        return asyncio.run(_Sending(api, key, as_json).run(source))


class _Sending:
    """One batch on its way."""

    def __init__(self, api: Api, key: str, as_json: bool) -> None:
        self._api = api
        self._key = key
        self._as_json = as_json
        self._items = 0
        self._failed = 0

    async def run(self, source: BinaryIO) -> int:
        url = f"{self._api.url}/v1/notifications/batch"
        headers = {
            **self._api.headers,
            "Content-Type": "application/x-ndjson",
            "Idempotency-Key": self._key,
        }
        patience = aiohttp.ClientTimeout(total=None, sock_connect=30)
        try:
            async with (
                aiohttp.ClientSession(timeout=patience, read_bufsize=_LINE_BYTES_MAX) as http,
                http.post(url, data=_pieces(source), headers=headers) as answer,
            ):
                if answer.status != 200:
                    raise refused(answer.status, await answer.read())
                async for text in answer.content:
                    self._show(text)
        except (aiohttp.ClientError, OSError) as error:
            raise CommandError(
                f"{self._api.url} was lost after {self._items} outcomes: {error}",
                f"Send the same again with --idempotency-key {self._key}; nothing goes out twice.",
                UNREACHABLE,
            ) from None
        note(f"{self._items} items, {self._failed} of them refused or with refused recipients.")
        return FAILED if self._failed else OK

    def _show(self, text: bytes) -> None:
        outcome: dict[str, Any] = msgspec.json.decode(text)
        index, body = outcome["index"], outcome["body"]
        rejected = [each for each in body.get("messages", []) if each["status"] == "rejected"]
        self._items += 1
        self._failed += bool(rejected or outcome["status"] >= 400)
        if self._as_json:
            line(text.decode().rstrip("\n"))
        elif outcome["status"] >= 400:
            line(f"{index}  {outcome['status']} {body['code']}: {body['detail']}")
        else:
            for message in body["messages"]:
                line(f"{index}  {brief_text(message)}")


async def _pieces(source: BinaryIO) -> AsyncIterator[bytes]:
    read = getattr(source, "read1", source.read)
    while piece := await asyncio.to_thread(read, _PIECE_BYTES):
        yield piece
