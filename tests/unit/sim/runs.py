"""Small plans and results, in place of a simulator, for what stands around a run."""

from msgspec import Struct

from core.sim.result import Result, Violation
from core.sim.trace import Trace

LOST = Violation("lost", "eu-u1 is in no log", 12.5)


class Step(Struct, frozen=True):
    at_s: float
    kind: str


class Rates(Struct, frozen=True):
    write_lost: float = 0.2
    late_max_s: float = 3.0


class Plan(Struct, frozen=True):
    steps: tuple[Step, ...]
    loss: float = 0.1
    drift: float = 0.01
    length_s: float = 20.0
    store: Rates = Rates()


def plan(*kinds: str) -> Plan:
    """A step of each kind, a second apart."""
    return Plan(tuple(Step(float(at), kind) for at, kind in enumerate(kinds)))


def result(*violations: Violation, trace: Trace | None = None) -> Result:
    trace = trace or Trace()
    return Result(
        seed=7,
        profile="swarm",
        ok=not violations,
        violations=list(violations),
        messages=2,
        sent=1,
        in_doubt=0,
        possible_duplicates=0,
        lost_local=0,
        faults={"crash": 1},
        digest=trace.digest(),
        trace=trace,
    )


def failed() -> Result:
    """Two messages, of which one is lost after a crash and a takeover."""
    trace = Trace()
    trace.add(0.1, "eu", "euc1", "start", "a new incarnation")
    trace.add(2.0, "us", "usc2", "accept", "A stands at accept.us 1", "us-u2")
    trace.add(9.0, "eu", "euc1", "accept", "A stands at accept.eu 1", "eu-u1")
    trace.add(9.5, "eu", "euc1", "row", "accept.eu 1", "eu-u1", "us", 9.75)
    trace.add(10.0, "eu", "", "fault", "crash", "", "", 11.0)
    trace.add(10.0, "eu", "euc1", "end", "killed")
    trace.add(11.0, "us", "usc2", "takeover", "shard 3 of eu, epoch 2")
    trace.add(11.1, "us", "usc2", "beat", "nothing new")
    trace.add(12.0, "", "mail", "call", "usc2/1 in epoch 2: accepted", "eu-u1")
    trace.add(30.0, "us", "usc3", "start", "long after")
    return result(LOST, trace=trace)
