"""`goutong audit`: what the store alone proves about every accepted message (PROTOCOL.md 13).

It reads the store without its processes, or beside them, and joins all records again, so that an
outside checker can hold it against what the providers received.
"""

from pathlib import Path
from typing import Any

from core.audit.judge import judged
from core.audit.sqlite import read


def run(data: Path) -> dict[str, Any]:
    """The audit of a data folder; raises StoreError if there is no readable journal."""
    return judged(read(data))
