"""What the rows that people change under compare-and-set have in common.

Such a row carries a version and the nonce of whoever wrote it last. `settled` says what a row read
at SERIAL tells about an own change whose answer was lost: a change that was not seen may still be
applied as long as the row stands at the version that it expected. A transition that is not
allowed answers with a `Refusal` and changes nothing.
"""

from typing import Literal

from msgspec import Struct

Settled = Literal["applied", "not_applied", "passed", "open"]


class Refusal(Struct, frozen=True):
    """Why not: the rule that says no, the place, what is wrong there, and how to mend it."""

    rule: str
    where: str
    what: str
    hint: str


def settled(asked: tuple[int, str], shown: tuple[int, str]) -> Settled:
    """What became of an own change `asked` (version, nonce), by the row as read at SERIAL.

    `open`: it may still be applied; ask again or read again. `passed`: others changed the row
    since, and it cannot be told any more; the row itself says what there is left to do.
    """
    if shown == asked:
        return "applied"
    if shown[0] < asked[0]:
        return "open"
    return "not_applied" if shown[0] == asked[0] else "passed"
