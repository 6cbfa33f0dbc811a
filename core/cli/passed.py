"""Commands that are programs of their own: their arguments are passed on as they are."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

_PROGRAMS = {"core": "core", "edge": "edge", "sandbox": "core.sandbox"}


def run(name: str, arguments: Sequence[str]) -> int:
    """Become that program; the benches run here."""
    if name != "bench":
        _become(name, arguments)
    from core.bench.cli import main  # noqa: PLC0415 - loads much

    return main(list(arguments))


def _become(name: str, arguments: Sequence[str]) -> NoReturn:
    os.execv(sys.executable, [sys.executable, "-m", _PROGRAMS[name], *arguments])  # noqa: S606
