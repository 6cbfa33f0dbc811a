"""Which account takes a message (DESIGN.md 8, without its learned parts).

Hard filters first, each naming what it removed and why; then the score: the operator's order
(`priority`, lower first) decides, and within one priority the predicted success. An account that
refused this very message stays behind those that did not. Pure: same facts, same decision.
"""

from msgspec import Struct


class Candidate(Struct, frozen=True, gc=False):
    """What is known of an account when a message is routed."""

    id: str
    channel: str
    enabled: bool
    priority: int
    success: float
    state: str  # "up", or why it cannot be used
    room: int
    paused: bool
    refused: bool


class Removed(Struct, frozen=True, gc=False):
    """An account that is out of the question, and why."""

    account: str
    why: str


class Scored(Struct, frozen=True, gc=False):
    """An account that may be used. Lower rank is better; `success` breaks ties."""

    account: str
    priority: int
    success: float
    refused_before: bool


class Decision(Struct, frozen=True, gc=False):
    """The choice and how it came about. `account` is "" when nobody can take it now."""

    account: str
    candidates: list[Scored]
    removed: list[Removed]


def choose(channel: str, candidates: list[Candidate]) -> Decision:
    """The account that takes the message now."""
    removed: list[Removed] = []
    scored: list[Scored] = []
    full: set[str] = set()
    for each in candidates:
        why = _why_not(channel, each)
        if why:
            removed.append(Removed(each.id, why))
            continue
        scored.append(Scored(each.id, each.priority, round(each.success, 4), each.refused))
        if each.room <= 0:
            full.add(each.id)
    scored.sort(key=lambda s: (s.refused_before, s.priority, -s.success, s.account))
    free = [s.account for s in scored if s.account not in full]
    return Decision(free[0] if free else "", scored, removed)


def _why_not(channel: str, each: Candidate) -> str:
    if each.channel != channel:
        return f"serves {each.channel}"
    if not each.enabled:
        return "disabled"
    if each.state != "up":
        return each.state
    if each.paused:
        return "throttled by the provider"
    return ""
