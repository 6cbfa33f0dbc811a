"""The shortest run that still fails: delta debugging over what a plan schedules.

A candidate is kept only if a violation of the same checker remains. First what is scheduled after
the violation goes, then ever smaller parts of the steps (ddmin), then the rates one by one, and
all of it again while something goes. A bound on runs and on seconds ends the search early; what
was shortest by then is the answer. A candidate that breaks the simulator itself proves nothing
and is not kept.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar, cast

import msgspec
from msgspec import Struct

from core.sim.result import Result

P = TypeVar("P", bound=Struct)
Steps = tuple[Any, ...]


class Bound(Struct, frozen=True):
    """How long to look for something shorter."""

    runs: int = 400
    seconds: float = 30.0


class Shrunk(Struct, Generic[P], frozen=True):
    """The shortest plan found, what its run came to, and how many runs that took."""

    plan: P
    result: Result
    runs: int


def shrink(
    plan: P,
    failed: Result,
    simulate: Callable[[P], Result],
    bound: Bound | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Shrunk[P]:
    """Make the plan of a failed run as short as the bound allows."""
    search = _Search(plan, failed, simulate, bound or Bound(), clock)
    search.drop_what_came_after()
    progress = True
    while progress and not search.spent():
        # Fewer rates may make steps superfluous, fewer steps rates.
        steps = search.drop_steps()
        progress = search.zero_rates() or steps
    return Shrunk(search.plan, search.result, search.runs)


class _Search(Generic[P]):
    """The shortest so far, and the way on from it."""

    def __init__(
        self,
        plan: P,
        failed: Result,
        simulate: Callable[[P], Result],
        bound: Bound,
        clock: Callable[[], float],
    ) -> None:
        self.plan = plan
        self.result = failed
        self.runs = 0
        self._checkers = {violation.checker for violation in failed.violations}
        self._simulate = simulate
        self._bound = bound
        self._clock = clock
        self._ends_at = clock() + bound.seconds

    def spent(self) -> bool:
        """Whether the bound is reached."""
        return self.runs >= self._bound.runs or self._clock() >= self._ends_at

    def drop_what_came_after(self) -> None:
        """Steps after the violation cannot have led to it, but may have kept it from being seen."""
        at_s = max((violation.at for violation in self.result.violations), default=0.0)
        steps = tuple(step for step in self._steps() if step.at_s <= at_s)
        if len(steps) < len(self._steps()):
            self._try(self._with_steps(steps))

    def drop_steps(self) -> bool:
        """ddmin: leave out parts, halving them as long as none can go. Whether any went."""
        before, parts = len(self._steps()), 2
        while self._steps() and not self.spent():
            steps = self._steps()
            parts = min(parts, len(steps))
            size = -(-len(steps) // parts)
            if any(
                self._try(self._with_steps(steps[:at] + steps[at + size :]))
                for at in range(0, len(steps), size)
            ):
                parts = max(2, parts - 1)
            elif size == 1:
                break
            else:
                parts *= 2
        return len(self._steps()) < before

    def zero_rates(self) -> bool:
        """Each rate that is not needed becomes 0. Whether any did."""
        went = [path for path in list(_rates(self.plan)) if self._try(_zeroed(self.plan, path))]
        return bool(went)

    def _steps(self) -> Steps:
        return cast(Steps, cast(Any, self.plan).steps)

    def _with_steps(self, steps: Steps) -> P:
        return msgspec.structs.replace(self.plan, steps=steps)

    def _try(self, plan: P) -> bool:
        if self.spent():
            return False
        self.runs += 1
        try:
            result = self._simulate(plan)
        except Exception:
            return False
        if not any(violation.checker in self._checkers for violation in result.violations):
            return False
        self.plan, self.result = plan, result
        return True


def _rates(struct: Struct) -> Iterator[tuple[str, ...]]:
    """Where in a plan the rates are: fractions above 0 that are no times, nested ones too."""
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        if isinstance(value, Struct):
            yield from ((name, *rest) for rest in _rates(value))
        elif isinstance(value, float) and value > 0 and not name.endswith("_s"):
            yield (name,)


def _zeroed(struct: P, path: tuple[str, ...]) -> P:
    name, *rest = path
    value = _zeroed(getattr(struct, name), tuple(rest)) if rest else 0.0
    return msgspec.structs.replace(struct, **{name: value})
