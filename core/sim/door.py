"""The door of a simulated core: what an edge hands in becomes records of the core's logs."""

from collections.abc import Callable
from random import Random

from msgspec import Struct

from core.contract.ids import body_hash
from core.engine.logs import Ticket
from core.sim.history import Submitted
from core.sim.node import Node
from core.sim.steps import Wish
from sync.naming import id_facts
from sync.records import Cancel, Message, Place

Told = Callable[[Place], None]


class Asked(Struct):
    """A request: a message (`wish`), or a cancel of these ids in one log."""

    id: str
    urgent: bool
    body: bytes = b""
    wish: Wish | None = None
    submitted: Submitted | None = None
    cancels: tuple[str, ...] = ()


def take_in(
    node: Node, asked: Asked, globally: bool, asked_ms: int, chance: Random, told: Told
) -> None:
    """Append it, if the doors are open. Only what stands is told; all else is silence.

    `asked_ms`: when an edge spooled the request, 0 for now. Its times run from there.
    """
    if not node.ready or not node.engine.logs.has_home(asked.id):
        return
    if asked.wish is not None and asked.submitted is not None:
        text = asked.wish.body
        record = _record(node, asked, asked.wish, asked.submitted, asked_ms, chance)

        def stands(place: Place | None) -> None:
            if place is not None:
                alone = ", region_isolated" if node.engine.membership.isolated else ""
                node.note("accept", f"{text} stands at {place.log} {place.row}{alone}", asked.id)
                told(place)

        node.engine.logs.accept(record, asked.urgent, globally, Ticket(stands))
        return
    facts = id_facts(asked.id)
    if facts is None:
        return  # made up: the API refuses it
    for each in asked.cancels:
        cancel = Cancel(each, facts.shard, node.process.wall_ms())
        node.engine.logs.accept(cancel, asked.urgent, globally, Ticket(_if_stands(told)))


def _if_stands(told: Told) -> Callable[[Place | None], None]:
    return lambda place: told(place) if place is not None else None


def _record(
    node: Node, asked: Asked, wish: Wish, submitted: Submitted, asked_ms: int, chance: Random
) -> Message:
    facts = id_facts(asked.id)
    assert facts is not None
    now_ms = node.process.wall_ms()
    start_ms = (asked_ms or now_ms) + int(wish.ahead_s * 1000)
    not_before_ms = start_ms if wish.ahead_s else 0
    submitted.not_before_ms = min(submitted.not_before_ms or not_before_ms, not_before_ms)
    return Message(
        asked.id,
        facts.shard,
        body_hash(asked.body),
        now_ms * 1000 + chance.randrange(1000),
        asked.urgent,
        wish.careful,
        start_ms + int(wish.expires_s * 1000),
        now_ms,
        asked.body,
        not_before_ms,
        wish.until,
        start_ms + int(wish.escalate_s * 1000) if wish.escalate_s else 0,
    )
