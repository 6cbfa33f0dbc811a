"""Holds what the API says of messages against what reached the providers. Pure.

`fault` is what a user relies on, for one message: nothing is sent twice without being marked,
nothing that was not sent counts as sent, and what did not arrive says why.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

UNSENT = ("unknown", "failed", "expired", "canceled", "suppressed", "skipped")
NEVER_SENT = ("expired", "canceled", "suppressed", "skipped")
OPEN = ("accepted", "scheduled", "queued", "sending")
Shown = Mapping[str, Any]


def sends(history: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """How often each message had its effect at a provider.

    A webhook that is called again has the same id: its receiver knows it for the one it had.
    """
    calls = [e for e in history if e["effective"] and e["ref"]]
    hooks = {e["ref"] for e in calls if e["wire"] == "webhook"}
    others = (str(e["ref"]).partition(".")[0] for e in calls if e["wire"] != "webhook")
    return Counter([*hooks, *others])


def fault(message: Shown, times: int) -> str:
    """What is wrong with a message that had its effect so often; "" if nothing is."""
    status = message["status"]
    if times > 2:
        return f"sent {times} times"
    if times == 2 and not message["possible_duplicate"]:
        return "sent twice and not marked"
    if times == 2 and message["delivery"] != "at_least_once":
        return "sent twice although at most once was asked for"
    if times and status in NEVER_SENT:
        return f"sent although it is {status}"
    if not times and status not in UNSENT and status not in OPEN and not in_part(message):
        return f"never sent although it is {status}"
    if status in UNSENT and not message["reason"]:
        return f"{status} without a reason"
    if not message["final"] and status not in OPEN and status != "sent":
        return f"{status} and not final"
    return ""


def in_part(message: Shown) -> bool:
    """Whether the provider took some parts of a long text only, which counts as sent, never as
    delivered: its recipient has a piece of it."""
    some = any(attempt["code"].startswith("partial:") for attempt in message["attempts"])
    return some and message["status"] == "sent"


def instant_ms(text: str) -> int:
    """An RFC 3339 time in milliseconds since 1970."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def early(message: Shown, not_before_ms: int) -> bool:
    """Whether a message was tried before it was to be sent."""
    return any(instant_ms(attempt["at"]) < not_before_ms for attempt in message["attempts"])


def untruth(message: Shown, answered: str) -> str:
    """What the answer to a cancel got wrong; "" if it was true."""
    status = message["status"]
    if (answered == "canceled") != (status == "canceled") and answered not in OPEN:
        return f"the cancel was answered {answered}, and it is {status}"
    return ""
