"""Follows a message until no more is to come."""

import time
from typing import Any

from core.cli.client import Api, segment

RESTS = ("sent", "delivered", "failed", "expired", "canceled", "suppressed", "skipped", "unknown")
_EVERY_S = 0.1


def follow(
    api: Api, message_id: str, until: tuple[str, ...] = RESTS, timeout_s: float = 60.0
) -> dict[str, Any]:
    """The message once its status is one of `until` or final; as it stands when time is up."""
    deadline = time.monotonic() + timeout_s
    while True:
        message: dict[str, Any] = api.call("GET", f"/v1/messages/{segment(message_id)}")
        if message["status"] in until or message["final"] or time.monotonic() > deadline:
            return message
        time.sleep(_EVERY_S)
