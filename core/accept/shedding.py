"""Too much at once: bulk is refused first, then transactional, otp and alert last.

The load goes from 0 to 1: the fuller of what waits here for its rows and of what the sending side
says (`pressure`). A refusal is 503 `overloaded` with nothing written, whoever asks.
"""

from collections.abc import Callable, Mapping

from core.contract.problems import ProblemError, problem
from core.contract.sections.core import LimitsSettings

_PAUSES_S = {"bulk": 5, "transactional": 2}


def refused_at(settings: LimitsSettings) -> dict[str, float]:
    """By class, the load from which requests are refused."""
    urgent = settings.shed_urgent_at
    others = {"transactional": settings.shed_transactional_at, "bulk": settings.shed_bulk_at}
    return {"otp": urgent, "alert": urgent, **others}


class Shedding:
    """`refused_at` is the load from which each class is refused."""

    def __init__(
        self, refused_at: Mapping[str, float], waiting_max: int, pressure: Callable[[], float]
    ) -> None:
        self._refused_at = refused_at
        self._waiting_max = waiting_max
        self._pressure = pressure

    def refusal(self, message_class: str, waiting: int) -> ProblemError | None:
        """Why a request of this class cannot be taken in now."""
        at = self._refused_at[message_class]
        if waiting < at * self._waiting_max and self._pressure() < at:
            return None
        detail = f"too much at once for class {message_class}"
        if message_class == "bulk":
            detail += "; it is refused first, so that more urgent messages get through"
        headers = {"Retry-After": str(_PAUSES_S.get(message_class, 1))}
        return problem("overloaded", detail, headers=headers)
