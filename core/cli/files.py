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
