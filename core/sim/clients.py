"""Clients: they hand messages and cancels to the edge of a region, and to another's if it is
silent, always with the same id.

Where the placement map changes, a keyed message gets its id when it is handed in, by the version
that the region's edge has heard of; so copies of it may have several. An id without a key is minted
once."""

from collections.abc import Callable
from random import Random

from core.engine.chain import later_ids
from core.engine.payload import Payload, Step, encode_payload
from core.sim.door import Asked
from core.sim.edge import Edge, Said
from core.sim.history import History, Submitted
from core.sim.mapplan import TENANT, is_keyed
from core.sim.plan import Plan
from core.sim.scheduler import Scheduler
from core.sim.steps import Step as Planned
from core.sim.steps import Wish
from core.sim.workload import CHAIN_STEPS
from sync.placement import PlacementMap, home_of

PATIENCE_S = (1.5, 3.0, 8.0)


class Clients:
    """See the module's docstring. `edge_of` is the edge of a region, None while there is none;
    `map_of` the placement map that it goes by."""

    def __init__(
        self,
        scheduler: Scheduler,
        plan: Plan,
        chance: Random,
        history: History,
        edge_of: Callable[[str], Edge | None],
        map_of: Callable[[str], PlacementMap],
    ) -> None:
        self._scheduler = scheduler
        self._plan = plan
        self._chance = chance
        self._history = history
        self._edge_of = edge_of
        self._map_of = map_of

    def submit(self, step: Planned) -> None:
        """One message, handed in at a region."""
        wish = step.wish
        assert wish is not None
        message_id = self._mint(wish, step.region) if self._plan.maps else wish.id
        submitted = Submitted(message_id, wish.body, wish.careful, wish.globally, step.region)
        self._history.submitted.append(submitted)
        self._history.untils[message_id] = wish.until
        asked = Asked(message_id, wish.urgent, body_of(wish), wish, submitted)
        heard: list[Said] = []

        def told(said: Said, region: str) -> None:
            heard.append(said)
            if said == "accepted" and not submitted.accepted:
                self._history.accept(submitted, region)

        self._try(self._regions(step), asked, heard, told)

    def cancel(self, step: Planned) -> None:
        """Of a whole chain what may follow is cancelled first, in the same log."""
        message_id = (self._history.minted.get(step.id) or [step.id])[-1]
        later = chain_of(message_id) if step.whole else []
        urgent = self._chance.random() < 0.5
        asked = Asked(message_id, urgent, cancels=(*later, message_id))
        heard: list[Said] = []
        self._try(self._regions(step), asked, heard, lambda said, _: heard.append(said))

    def _mint(self, wish: Wish, region: str) -> str:
        """An id as the edge of the region makes it now."""
        minted = self._history.minted.setdefault(wish.id, [])
        if not minted or is_keyed(wish.id):
            home = home_of(self._map_of(region), TENANT, wish.country)
            minted.append(f"{home}-{wish.id.partition('-')[2]}")
        return minted[-1]

    def _regions(self, step: Planned) -> list[str]:
        return [step.region, *(r for r in self._plan.regions if r != step.region)]

    def _try(
        self,
        regions: list[str],
        asked: Asked,
        heard: list[Said],
        told: Callable[[Said, str], None],
    ) -> None:
        """At the first region's edge, and at the next one's where there is no answer in time."""
        if heard or not regions:
            return
        edge, wait_s = self._edge_of(regions[0]), 0.0
        if edge is not None:
            wait_s = self._chance.choice(PATIENCE_S)
            took_s = self._chance.uniform(0.0, 0.02)
            edge.process.later(took_s, lambda: edge.take(asked, told))
        self._scheduler.after(wait_s, lambda: self._try(regions[1:], asked, heard, told))


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
            wish.to,
            wish.country,
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
