"""What is scheduled in a run: a request of a client, or a fault."""

from collections.abc import Iterable

from msgspec import Struct


class Wish(Struct, frozen=True):
    """What a client asks for. Times in seconds, 0 for none; `globally`: durability global.

    `spool`: an edge may keep it while no core answers.
    """

    id: str
    body: str
    urgent: bool
    careful: bool
    globally: bool
    expires_s: float
    ahead_s: float
    until: str
    escalate_s: float
    spool: bool = False
    country: str = "ZZ"
    to: str = "+1"


class Step(Struct, frozen=True):
    """A fault or a request. `number` is a core of the region, `length_s` how long a fault lasts.

    Requests: "submit" (`wish`), "cancel" (`id`, of its whole chain where `whole`), "suppress".
    """

    at_s: float
    kind: str
    region: str = ""
    other: str = ""
    number: int = 0
    length_s: float = 0.0
    amount: float = 0.0
    id: str = ""
    whole: bool = False
    wish: Wish | None = None


def in_order(steps: Iterable[Step]) -> tuple[Step, ...]:
    """By their times."""
    return tuple(sorted(steps, key=lambda step: step.at_s))
