"""The further bad habits of providers that are called by HTTP and call back. Pure."""

from random import Random
from typing import Literal

from msgspec import Struct

from core.sandbox.behaviour import Behaviour, ReceiptHabits, RefuseAs, Share, draw_refusal

Word = Literal["queued", "sent", "delivered", "failed", "read", "unheard_of"]


class HttpReceiptHabits(ReceiptHabits, frozen=True, forbid_unknown_fields=True):
    """What becomes of callbacks. Each share is of the messages accepted."""

    out_of_order: Share = 0.0
    unknown_status: Share = 0.0
    read: Share = 0.0
    wrong_signature: Share = 0.0


class HttpBehaviour(Behaviour, frozen=True, forbid_unknown_fields=True):
    """How one such provider behaves; the defaults are a good day."""

    receipt: HttpReceiptHabits = HttpReceiptHabits()
    error_in_200: Share = 0.0


class Refusal(Struct, frozen=True, gc=False):
    """An error, told by its status or under a good one."""

    as_: RefuseAs
    in_200: bool


class Story(Struct, frozen=True, gc=False):
    """The callbacks of one message, in the order in which they go out."""

    words: tuple[Word, ...]
    early: bool = False
    wrong_signature: bool = False


def draw_http_refusal(behaviour: HttpBehaviour, random: Random) -> Refusal | None:
    """Whether this call is refused, as what, and where that is said."""
    hidden = behaviour.error_in_200
    if hidden and random.random() < hidden:
        return Refusal(behaviour.refuse.as_, True)
    refused = draw_refusal(behaviour, random)
    return None if refused is None else Refusal(refused, False)


def draw_story(behaviour: HttpBehaviour, random: Random) -> Story:
    """The callbacks that an accepted message will have."""
    habits = behaviour.receipt

    def drawn(share: Share) -> bool:
        return bool(share) and random.random() < share

    if drawn(habits.none):
        return Story(())
    failed = drawn(habits.fail)
    words: list[Word] = ["queued", "sent", "failed" if failed else "delivered"]
    if drawn(habits.unknown_status):
        words[1] = "unheard_of"
    if not failed and drawn(habits.read):
        words.append("read")
    if drawn(habits.out_of_order):
        words.reverse()
    if drawn(habits.twice):
        words = [word for word in words for _ in range(2)]
    return Story(tuple(words), drawn(habits.early), drawn(habits.wrong_signature))
