"""Chains of faults around forced ownership; part of `core.sim.chainplan`.

- `parted`: a region is cut off and owns alone while the others live and go on; all join when they
  meet. Much is asked where each stops: what was sent last is not told to anybody by then.
- `doubted`: as `parted`; what is asked comes in twice, in regions that do not know of each other,
  and is in doubt in both when these stop.
- `doubled`: two regions are cut off from all others and each owns alone, under the same number;
  they meet, and much is asked while nobody may own until they join.
- `missed`: a region does not get what another writes for a while, then it is the only one left,
  and owns alone. It is asked about messages whose ends it missed, and sends what came in last; the
  others know of that too, and that nobody has sent it.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from core.sim.chainstage import Stage
from core.sim.steps import Step
from core.sim.workload import Requests

PLAINLY = {
    "copies": (0.0,),
    "cancels": (0.0,),
    "chains": (0.0,),
    "spooled": (0.0,),
    "suppressed": (0.0,),
    "scheduled": (0.0,),
}
LASTING = PLAINLY | {"careful": (0.0,)}
FORCED_S = (0.05, 0.5)
JOINS_S = (0.0, 2.0, 3.5, 5.0)  # the first is answered with a pause, under which cores start anew
DOUBTS = 6
AGAIN_S = (3.0, 6.0)  # so long ago what is asked is sent a second time about now
LASTS_S = 60.0  # longer than all of it


def parted(stage: Stage) -> list[Step]:
    """See the module's docstring."""
    draw = stage.chance.uniform
    apart_s = draw(14.0, 16.0)
    asked_s = apart_s + draw(0.1, 1.5)
    steps = [
        stage.step(0.0, "isolate", stage.number, apart_s),
        stage.step(draw(*FORCED_S), "force_own", stage.number),
        *_joins(stage, asked_s),
        *_asked(stage, stage.regions, 8, (-0.8, 0.5), PLAINLY),
        *_asked(stage, stage.regions, 14, (apart_s - 2.5, apart_s + 1.0), PLAINLY),
        *_asked(stage, (stage.first,), 10, (apart_s - 3.0, asked_s), PLAINLY),
        *_asked(stage, (stage.first,), 10, (asked_s - 0.5, asked_s + 1.0), PLAINLY),
    ]
    if stage.chance.random() < 0.6:
        frozen = stage.chance.choice(stage.others or [stage.number])
        steps.append(stage.step(asked_s + draw(0.2, 0.8), "freeze", frozen, draw(1.8, 2.8)))
    return steps


def doubted(stage: Stage) -> list[Step]:
    """See the module's docstring. The others stop when they hear of it as they meet, after they
    sent a second time; the region that was alone at the pause, after it sent once."""
    draw = stage.chance.uniform
    apart_s = draw(14.0, 16.0)
    asked_s = apart_s + draw(0.5, 1.5)
    steps = [
        stage.step(0.0, "isolate", stage.number, apart_s),
        stage.step(draw(*FORCED_S), "force_own", stage.number),
        *_joins(stage, asked_s),
    ]
    for _ in range(DOUBTS):
        steps += _twice(stage, apart_s - draw(*AGAIN_S), asked_s - draw(-0.3, 1.0))
    return steps


def doubled(stage: Stage) -> list[Step]:
    """See the module's docstring."""
    draw = stage.chance.uniform
    apart_s = draw(11.0, 13.0)
    met_s = apart_s + draw(7.0, 8.0)
    steps = [
        Step(stage.at_s, "isolate", each, length_s=apart_s) for each in (stage.first, stage.next)
    ]
    for each in (stage.first, stage.next):
        forced_s = stage.at_s + draw(*FORCED_S)
        steps.append(Step(forced_s, "force_own", each, number=stage.number))
        steps += [replace(step, region=each) for step in _joins(stage, met_s)]
    return [*steps, *_asked(stage, stage.regions, 30, (apart_s - 3.0, met_s), PLAINLY)]


def missed(stage: Stage) -> list[Step]:
    """See the module's docstring."""
    draw = stage.chance.uniform
    cut_s, lost_s = draw(3.0, 4.5), draw(13.0, 15.0)
    gone_s = cut_s + draw(1.5, 2.5)  # what ended meanwhile is passed by a floor
    there = [region for region in stage.regions if region != stage.first]
    steps = [
        stage.step(0.0, "cut", stage.number, cut_s),
        *(Step(stage.at_s + gone_s, "region_lost", each, length_s=lost_s) for each in there),
        stage.step(gone_s + draw(*FORCED_S), "force_own", stage.number),
        *_joins(stage, gone_s + lost_s + draw(0.2, 1.0)),
    ]
    last = _lasting(_asked(stage, stage.regions, 12, (gone_s - 0.6, gone_s - 0.1), LASTING))
    asked = _asked(stage, (stage.next,), 16, (-0.1, cut_s - 1.5), PLAINLY)
    for step in asked:
        if stage.chance.random() < 0.6:
            at_s = stage.at_s + gone_s + draw(9.0, lost_s)
            steps.append(Step(at_s, "cancel", stage.first, id=step.id))
    return [*steps, *asked, *last]


def _joins(stage: Stage, asked_s: float) -> list[Step]:
    return [stage.step(asked_s + each_s, "force_join", stage.number) for each_s in JOINS_S]


def _asked(
    stage: Stage,
    regions: tuple[str, ...],
    most: int,
    within_s: tuple[float, float],
    shares: Mapping[str, tuple[float, ...]],
) -> list[Step]:
    """Up to so many messages between these times, of these regions and asked there."""
    made = Requests(stage.chance, regions, stage.shards, stage.start_ms, shares)
    for _ in range(stage.chance.randint((most + 1) // 2, most)):
        made.message(max(0.3, stage.at_s + stage.chance.uniform(*within_s)))
    return made.steps


def _lasting(steps: list[Step]) -> list[Step]:
    """The same, not to expire while the chain lasts."""
    return [
        replace(step, wish=step.wish and replace(step.wish, expires_s=LASTS_S)) for step in steps
    ]


def _twice(stage: Stage, there_s: float, here_s: float) -> list[Step]:
    """A message that is asked in another region at one time, and in the first at another."""
    there = stage.chance.choice([region for region in stage.regions if region != stage.first])
    steps = []
    for step in _lasting(_asked(stage, stage.regions, 1, (there_s, there_s), LASTING)):
        steps.append(replace(step, region=there))
        steps.append(replace(steps[-1], region=stage.first, at_s=stage.at_s + here_s))
    return steps
