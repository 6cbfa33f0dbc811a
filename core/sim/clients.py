"""Clients: they hand messages and cancels to some core of a region, and go elsewhere when it fails.

What an edge does between them and the cores is folded in: the same id to another region when no
core answers in time.
"""

from collections.abc import Callable
from random import Random

from core.contract.ids import body_hash
from core.engine.chain import later_ids
from core.engine.logs import Ticket
from core.engine.payload import Payload, Step, encode_payload
from core.sim.history import History, Submitted
from core.sim.node import Node
from core.sim.plan import Plan
from core.sim.scheduler import Scheduler
from core.sim.steps import Step as Planned
from core.sim.steps import Wish
from core.sim.workload import CHAIN_STEPS
from sync.naming import id_facts
from sync.records import Cancel, Message, Place

TENANT = "t"
ANSWER_WITHIN_S = 1.5


class Clients:
    """See the module's docstring. `nodes_of` are the cores of a region whose doors are open."""

    def __init__(
        self,
        scheduler: Scheduler,
        plan: Plan,
        chance: Random,
        history: History,
        nodes_of: Callable[[str], list[Node]],
    ) -> None:
        self._scheduler = scheduler
        self._plan = plan
        self._chance = chance
        self._history = history
        self._nodes_of = nodes_of

    def submit(self, step: Planned) -> None:
        """One message, handed in at a region."""
        wish = step.wish
        assert wish is not None
        body = body_of(wish)
        submitted = Submitted(wish.id, wish.body, wish.careful, wish.globally, step.region)
        self._history.submitted.append(submitted)
        self._history.untils[wish.id] = wish.until
        regions = [step.region, *(r for r in self._plan.regions if r != step.region)]

        def hand_in(node: Node) -> None:
            record = self._record(node, wish, body, submitted)

            def told(place: Place | None) -> None:
                if place is not None and not submitted.accepted:
                    submitted.accepted, submitted.region = True, node.region
                    node.note("accept", f"{wish.body} stands at {place.log} {place.row}", wish.id)

            node.engine.logs.accept(record, wish.urgent, wish.globally, Ticket(told))

        self._try(regions, hand_in, lambda: submitted.accepted)

    def _try(
        self, regions: list[str], hand_in: Callable[[Node], None], done: Callable[[], bool]
    ) -> None:
        """At the first region, and at the next where there is no answer in time."""
        if done() or not regions:
            return
        nodes = self._nodes_of(regions[0])
        if nodes:
            node = self._chance.choice(nodes)
            node.process.later(self._chance.uniform(0.0, 0.02), lambda: hand_in(node))
        wait_s = ANSWER_WITHIN_S if nodes else 0.0
        self._scheduler.after(wait_s, lambda: self._try(regions[1:], hand_in, done))

    def _record(self, node: Node, wish: Wish, body: bytes, submitted: Submitted) -> Message:
        facts = id_facts(wish.id)
        assert facts is not None
        now_ms = node.process.wall_ms()
        start_ms = now_ms + int(wish.ahead_s * 1000)
        not_before_ms = start_ms if wish.ahead_s else 0
        earlier_ms = submitted.not_before_ms or not_before_ms
        submitted.not_before_ms = min(earlier_ms, not_before_ms)
        return Message(
            wish.id,
            facts.shard,
            body_hash(body),
            now_ms * 1000 + self._chance.randrange(1000),
            wish.urgent,
            wish.careful,
            start_ms + int(wish.expires_s * 1000),
            now_ms,
            body,
            not_before_ms,
            wish.until,
            start_ms + int(wish.escalate_s * 1000) if wish.escalate_s else 0,
        )

    def cancel(self, step: Planned) -> None:
        """Of a whole chain what may follow is cancelled first, in the same log."""
        facts = id_facts(step.id)
        assert facts is not None
        later = chain_of(step.id) if step.whole else []
        urgent = self._chance.random() < 0.5
        heard: list[bool] = []

        def hand_in(node: Node) -> None:
            for each in [*later, step.id]:
                record = Cancel(each, facts.shard, node.process.wall_ms())
                node.engine.logs.accept(record, urgent, False, Ticket(_heard(heard)))

        regions = [step.region, *(r for r in self._plan.regions if r != step.region)]
        self._try(regions, hand_in, lambda: bool(heard))


def _heard(heard: list[bool]) -> Callable[[Place | None], None]:
    return lambda place: heard.append(True) if place is not None else None


def body_of(wish: Wish) -> bytes:
    """The message's content, with its later channels."""
    steps = CHAIN_STEPS if wish.until else 0
    later = tuple(
        Step("email", "a@b", "ZZ", f"{wish.body}{number}") for number in range(1, steps + 1)
    )
    return encode_payload(
        Payload(
            TENANT,
            wish.id,
            "sms",
            "+1",
            "ZZ",
            "otp" if wish.urgent else "transactional",
            "global" if wish.globally else "local",
            "",
            wish.body,
            steps=later,
        )
    )


def chain_of(message_id: str) -> list[str]:
    """The ids of all that may follow a message with two later channels."""
    steps = (Step("email", "a@b", "ZZ"),) * CHAIN_STEPS
    first = Payload(TENANT, message_id, "sms", "+1", "ZZ", "otp", "local", "", steps=steps)
    return later_ids(message_id, first)
