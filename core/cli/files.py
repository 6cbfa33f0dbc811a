"""JSON that a command is given in a file or on its standard input."""

import sys
from pathlib import Path
from typing import Any

import msgspec

from core.cli.out import USAGE, CommandError


def json_of(name: str) -> dict[str, Any]:
    """The object in this file; "-" is standard input."""
    try:
        text = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return msgspec.json.decode(text, type=dict[str, Any])
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}", code=USAGE) from None
    except msgspec.DecodeError as error:
        raise CommandError(f"{name} is not a JSON object: {error}", code=USAGE) from None


def edited(body: dict[str, Any], *shown_only: str) -> tuple[dict[str, Any], dict[str, str]]:
    """What an answer showed, as it may be put again, and the headers that say which version was
    seen; `shown_only` are fields that only answers have."""
    wanted = {name: value for name, value in body.items() if name not in shown_only}
    version = wanted.pop("version", None)
    return wanted, {} if version is None else {"If-Match": f'"{version}"'}
