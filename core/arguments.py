"""What a core process is told by whoever starts it."""

from pathlib import Path

from msgspec import Struct


class Arguments(Struct, frozen=True):
    """Where this process lives."""

    data: Path
    index: int
    http_port: int
    link_port: int
    secret: str
    vault_key: str
    bounce_port: int = 0
