"""What clients ask in a run: messages, copies of them in other regions, cancels, suppressions."""

from collections.abc import Mapping
from random import Random

from msgspec.structs import replace

from core.sim.steps import Step, Wish

CHAIN_STEPS = 2
COPIES_MAX = 4
BURST_S = 1.5
DIGITS = "0123456789abcdefghijklmnopqrstuv"
UNTIL = ("sent", "delivered", "delivered", "seen")


def requests(
    chance: Random,
    regions: tuple[str, ...],
    shards: int,
    faults_s: float,
    start_ms: int,
    shares: Mapping[str, tuple[float, ...]],
) -> list[Step]:
    """The clients' steps of one run. How much of what there is depends on the seed."""
    made = Requests(chance, regions, shards, start_ms, shares)
    for _ in range(chance.randint(8, 26)):
        made.message(chance.uniform(0.3, faults_s * 0.8))
    return made.steps


def burst(
    seed: int,
    regions: tuple[str, ...],
    shards: int,
    faults_s: float,
    start_ms: int,
    shares: Mapping[str, tuple[float, ...]],
    most: int,
) -> list[Step]:
    """Up to so many further messages, all within a second or so: more than a core has room for."""
    chance = Random(f"{seed}:burst")
    made = Requests(chance, regions, shards, start_ms, shares)
    at_s = chance.uniform(1.0, faults_s * 0.5)
    for _ in range(chance.randint(most // 2, most)):
        made.message(at_s + chance.uniform(0.0, BURST_S))
    return made.steps


class Requests:
    """Draws them; the shares hold for a whole run."""

    def __init__(
        self,
        chance: Random,
        regions: tuple[str, ...],
        shards: int,
        start_ms: int,
        shares: Mapping[str, tuple[float, ...]],
    ) -> None:
        self.steps: list[Step] = []
        self._chance = chance
        self._regions = regions
        self._shards = shards
        self._start_ms = start_ms

        def share(name: str, usual: tuple[float, ...]) -> float:
            return chance.choice(shares.get(name, usual))

        self._keyed = share("keyed", (0.2, 0.6))
        self._copies = share("copies", (0.1, 0.5))
        self._other_body = share("other_body", (0.0, 0.5))
        self._cancels = share("cancels", (0.05, 0.4))
        self._careful = share("careful", (0.1, 0.5))
        self._globally = share("globally", (0.2, 0.6))
        self._chains = share("chains", (0.0, 0.2, 0.6))
        self._scheduled = share("scheduled", (0.0, 0.1, 0.4))
        self._spooled = share("spooled", (0.0, 0.5, 1.0))
        self._suppressed = share("suppressed", (0.0, 0.3))

    def message(self, at_s: float) -> None:
        """One message with everything that is asked about it."""
        chance = self._chance
        keyed = chance.random() < self._keyed
        message_id = self._mint(keyed, at_s)
        wish = self._wish(message_id)
        bodies = ["A"]
        while chance.random() < self._copies and len(bodies) < COPIES_MAX:
            bodies.append("B" if keyed and chance.random() < self._other_body else "A")
        chance.shuffle(bodies)
        for body in bodies:
            copy = replace(wish, body=body, urgent=chance.random() < 0.5)
            when_s = at_s + chance.choice((0.0, chance.uniform(0, 0.3), chance.uniform(0, 8)))
            region = chance.choice(self._regions)
            self.steps.append(Step(when_s, "submit", region, id=message_id, wish=copy))
        while chance.random() < self._cancels:
            when_s = at_s + chance.choice((0.0, chance.uniform(0, 0.5), chance.uniform(0, 8)))
            whole = bool(wish.until) and chance.random() < 0.5
            region = chance.choice(self._regions)
            self.steps.append(Step(when_s, "cancel", region, id=message_id, whole=whole))
        if chance.random() < self._suppressed:
            when_s = at_s + chance.choice((0.0, chance.uniform(0, 6)))
            self.steps.append(Step(when_s, "suppress", id=message_id))

    def _wish(self, message_id: str) -> Wish:
        chance = self._chance
        until, escalate_s = "", 0.0
        if chance.random() < self._chains:
            until = chance.choice(UNTIL)
            escalate_s = chance.choice((0.0, 1.5, 4.0)) if until == "sent" else chance.uniform(1, 6)
        return Wish(
            message_id,
            "A",
            False,
            chance.random() < self._careful,
            chance.random() < self._globally,
            chance.choice((2.5, 6.0, 20.0, 20.0)),
            chance.uniform(0.5, 8.0) if chance.random() < self._scheduled else 0.0,
            until,
            escalate_s,
            chance.random() < self._spooled,
        )

    def _mint(self, keyed: bool, at_s: float) -> str:
        """An id as the edge makes it."""
        chance, shard = self._chance, self._chance.randrange(self._shards)
        home = chance.choice(self._regions)
        tail = "".join(chance.choice(DIGITS) for _ in range(26 if keyed else 16))
        if keyed:
            return f"{home}-k{shard:03x}{tail}"
        minute = (self._start_ms + int(at_s * 1000)) // 60_000
        text = ""
        for _ in range(7):
            text = DIGITS[minute % 32] + text
            minute //= 32
        return f"{home}-u{shard:03x}{text}{tail}"
