"""Chains of faults: what a rule prevents takes several of them, in one order, close together.

Each chain begins at a moment and is made of usual faults, so a shorter run may do with some of
them; clients ask more than elsewhere while it lasts. Drawn from a stream of its own: plans without
chains are what they would be without this. `first` is a region, `number` one of its cores.

- `given_up`: a core gives its shards away, what it asks of their rows comes late and unanswered,
  and those who are to get them go away: it gives the hand-over up while its swap is on its way.
- `given_then_gone`: a core gives its shards away, and who gets them stops before it has begun.
- `lapsing`: the cores of a region cannot renew their leases any more, and have much to tell until
  these are over.
- `hole`: a region is cut off from the one that comes next in the order of owners, then it is lost;
  within the region shards may have changed hands meanwhile.
- `stale`: a core goes on for long after the next one has its shards, and that one ends early.
- `returning`: a region is drained and comes back, and meanwhile it, or the other one, is drained
  again, or taken for lost.
- `emptied`: the regions of the narrow group are drained one after the other, or the last one is
  taken for lost, and another one may join the group or leave it meanwhile. Three regions.
- `gone`: a region is apart while a core of it starts, meets the others, and is lost for good.
- `parted`, `doubted`, `doubled`, `missed`: ownership is forced (`core.sim.forceplan`).

Those of `core.sim.chainlate` are about what comes late.
"""

from collections.abc import Callable
from random import Random

from core.sim.chainlate import answers_overdue, bereft, intents_overdue, taking, unaware
from core.sim.chainstage import KEYED, LATER, Stage
from core.sim.forceplan import doubled, doubted, missed, parted
from core.sim.mapplan import NARROW
from core.sim.profile import Profile
from core.sim.steps import Step
from core.sim.workload import Requests

BEGIN_S = (1.0, 4.0)
BUSY_FROM_S, BUSY_S = -0.5, 5.0
CANCELED = 40
LAST_WORDS_S = (2.7, 4.2)  # a lease is renewed each second, and lasts four


def given_up(stage: Stage) -> list[Step]:
    """See the module's docstring."""
    draw, number = stage.chance.uniform, stage.number
    late_s = draw(1.5, 3.0)
    steps = [
        stage.step(0.0, "drain", number, 9.0),
        stage.step(0.0, "shards_held", number, 2.0, late_s),
        stage.step(late_s - draw(0.0, 0.6), "hushed", number, draw(1.5, 3.0)),
    ]
    freezes = stage.chance.random() < 0.3
    for other in stage.others:
        if freezes:
            steps.append(stage.step(draw(0.2, 0.6), "freeze", other, draw(2.5, 3.8)))
        else:
            steps.append(stage.step(draw(0.3, 1.6), "drain", other, 9.0))
    return steps


def given_then_gone(stage: Stage) -> list[Step]:
    """See the module's docstring."""
    draw, number = stage.chance.uniform, stage.number
    gone_s = draw(0.3, 2.0)
    kind = stage.chance.choice(("crash", "freeze"))
    steps = [stage.step(gone_s, kind, other, draw(5.0, 7.0)) for other in stage.others]
    return [stage.step(0.0, "drain", number, 9.0), *steps]


def lapsing(stage: Stage) -> list[Step]:
    """See the module's docstring. What is told are ends of messages that are cancelled: the calls
    end a write time-out before the lease."""
    draw = stage.chance.uniform
    numbers = (stage.number, *stage.others)
    steps = [stage.step(0.0, "hushed", number, 6.0, 1.0) for number in numbers]
    for _ in range(CANCELED):
        asked = Requests(stage.chance, (stage.first,), stage.shards, stage.start_ms, LATER)
        asked.message(stage.at_s - draw(0.0, 0.8))
        ends_s = stage.at_s + draw(*LAST_WORDS_S)
        steps += [*asked.steps, Step(ends_s, "cancel", stage.first, id=asked.steps[0].id)]
    return steps


def hole(stage: Stage) -> list[Step]:
    """See the module's docstring."""
    draw, number = stage.chance.uniform, stage.number
    cut_s = draw(1.0, 4.0)
    steps = []
    if stage.others and stage.chance.random() < 0.7:
        cut_s = draw(2.0, 4.0)
        steps.append(stage.step(draw(0.0, 0.3), "drain", number, 1.0))
    elif stage.chance.random() < 0.4:
        cut_s = draw(6.0, 8.0)
        steps.append(stage.step(draw(0.0, 0.3), "crash", number))
    return [
        stage.step(0.0, "cut", number, cut_s),
        *steps,
        stage.step(cut_s + 0.001, "region_lost", number, draw(9.0, 14.0)),
    ]


def gone(stage: Stage) -> list[Step]:
    """See the module's docstring."""
    draw, number = stage.chance.uniform, stage.number
    apart_s, back_s = draw(1.2, 3.0), draw(0.05, 1.2)
    return [
        stage.step(0.0, "isolate", number, apart_s),
        stage.step(draw(0.0, 0.4), "crash", number),
        stage.step(apart_s + back_s, "region_gone", number, draw(7.0, 10.0)),
    ]


def stale(stage: Stage) -> list[Step]:
    """See the module's docstring. Messages with a key, for later, that are cancelled meanwhile."""
    draw = stage.chance.uniform
    steps = [stage.step(0.0, "hushed", number, 12.0) for number in (stage.number, *stage.others)]
    steps.append(Step(stage.at_s + draw(5.4, 7.2), "crash", stage.next, stage.first))
    for _ in range(stage.chance.randint(4, 12)):
        asked = Requests(stage.chance, (stage.first,), stage.shards, stage.start_ms, KEYED)
        asked.message(stage.at_s + draw(2.0, 5.0))
        ends_s = stage.at_s + draw(6.0, 10.0)
        steps += [*asked.steps, Step(ends_s, "cancel", stage.first, id=asked.steps[0].id)]
    return steps


def returning(stage: Stage) -> list[Step]:
    """See the module's docstring. Who is asked of the other region is a core of the first."""
    draw, number = stage.chance.uniform, stage.number
    back_s = draw(0.5, 4.0)
    again_s = back_s + draw(0.3, 3.0)
    kind = stage.chance.choice(("region_drain", "declare_lost"))
    steps = [
        stage.step(0.0, "region_drain", number),
        stage.step(back_s, "region_return", number),
    ]
    if stage.chance.random() < 0.5:
        return [*steps, stage.step(again_s, kind, number)]
    return [*steps, Step(stage.at_s + again_s, kind, stage.next, stage.first, number)]


def emptied(stage: Stage) -> list[Step]:
    """See the module's docstring. Who is asked is a core of the region that is not of the group."""
    draw, number = stage.chance.uniform, stage.number
    asked, group = stage.regions[1], [stage.regions[0], stage.regions[-1]]
    stage.chance.shuffle(group)
    kind = stage.chance.choice(("region_drain", "region_drain", "declare_lost"))
    steps = [
        Step(stage.at_s, "region_drain", group[0], asked, number),
        Step(stage.at_s + draw(0.0, 3.0), kind, group[1], asked, number),
        Step(stage.at_s + draw(4.0, 7.0), "region_return", group[0], asked, number),
    ]
    if stage.chance.random() < 0.5:
        joins_s = stage.at_s + draw(-1.0, 3.0)
        steps.append(Step(joins_s, "map_change", stage.first, asked, number, id=NARROW))
    return steps


CHAINS: dict[str, Callable[[Stage], list[Step]]] = {
    "given_up": given_up,
    "given_then_gone": given_then_gone,
    "lapsing": lapsing,
    "hole": hole,
    "gone": gone,
    "stale": stale,
    "returning": returning,
    "emptied": emptied,
    "answers_overdue": answers_overdue,
    "intents_overdue": intents_overdue,
    "taking": taking,
    "bereft": bereft,
    "unaware": unaware,
    "parted": parted,
    "doubted": doubted,
    "doubled": doubled,
    "missed": missed,
}


def chains(
    seed: int,
    rules: Profile,
    regions: tuple[str, ...],
    cores: int,
    shards: int,
    faults_s: float,
    start_ms: int,
) -> list[Step]:
    """The chains of one run, one after the other, and what clients ask around them."""
    chance = Random(f"{seed}:chains")
    steps: list[Step] = []
    at_s = chance.uniform(*BEGIN_S)
    while at_s < faults_s - BUSY_S:
        stage = Stage(chance, regions, cores, shards, start_ms, at_s)
        steps += CHAINS[chance.choice(rules.chains)](stage)
        asked = Requests(chance, (stage.first,), shards, start_ms, rules.shares)
        for _ in range(chance.randint(0, rules.busy)):
            asked.message(max(0.3, at_s + chance.uniform(BUSY_FROM_S, BUSY_S)))
        steps += asked.steps
        at_s += chance.uniform(*rules.again_s)
    return [step for step in steps if step.at_s < faults_s]
