"""`simulate(plan)`: one run of the simulator, from its plan to what the checkers say."""

import warnings

from core.sim.checks.journal import Journal
from core.sim.history import ViolationError
from core.sim.plan import Plan
from core.sim.result import Result, Violation
from core.sim.world import World
from sync.naming import attempt_name
from sync.records import Intent, Outcome


def simulate(plan: Plan) -> Result:
    """Run it. The same plan gives the same result, on every machine."""
    with warnings.catch_warnings():
        # What a dead process had not begun is dropped with it.
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        return _simulate(plan)


def _simulate(plan: Plan) -> Result:
    world = World(plan)
    violations: list[Violation] = []
    try:
        world.run()
    except ViolationError as violation:
        violations.append(violation.found_at(world.scheduler.now))
        world.trace.add(world.scheduler.now, "", "", "violation", str(violation))
    finally:
        world.over()
    return result_of(world, violations)


def result_of(world: World, violations: list[Violation]) -> Result:
    """What the run came to."""
    journal, history = world.checks.journal, world.history
    ids = sorted({s.id for s in history.submitted if journal.of("accept", s.id)})
    intents = [r for i in ids for _, r in journal.of("effect", i) if type(r) is Intent]
    accepted_local = {s.id for s in history.submitted if s.accepted and not s.globally}
    gone = set(world.checks.healed.vanished())
    lost = [
        i
        for i in accepted_local
        if all((place.log, place.row) in gone for place, _ in journal.of("accept", i))
    ]
    return Result(
        seed=world.plan.seed,
        profile=world.plan.profile,
        ok=not violations,
        violations=violations,
        messages=len(ids),
        sent=sum(1 for i in ids if history.sends(i)),
        in_doubt=len(_in_doubt(journal, ids)),
        possible_duplicates=len({r.id for r in intents if r.resend > 0}),
        lost_local=len(lost),
        faults=dict(sorted(world.counts().items())),
        digest=world.trace.digest(),
        trace=world.trace,
    )


def _in_doubt(journal: Journal, ids: list[str]) -> set[str]:
    """Messages of which it was not known, at some time, whether a provider took them."""
    found = set()
    for message_id in ids:
        answered = set()
        for _, record in journal.of("effect", message_id):
            if type(record) is Outcome:
                answered.add(record.attempt)
                if record.kind == "unknown":
                    found.add(message_id)
        for place, record in journal.of("effect", message_id):
            name = attempt_name(place.log, place.row, place.index)
            if type(record) is Intent and name not in answered:
                found.add(message_id)
    return found
