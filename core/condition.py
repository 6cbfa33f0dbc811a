"""How a core is: whether it may take work in, and what it tells of itself."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from core.contract.problems import ProblemError, problem


class Condition:
    """`trouble` says what the logs complain of; `free_bytes` is looked at again and again."""

    def __init__(
        self, data: Path, reserve_bytes: int, check_s: float, trouble: Callable[[], str]
    ) -> None:
        self._data = data
        self._reserve_bytes = reserve_bytes
        self._check_s = check_s
        self._trouble = trouble
        self.stopping = False
        self.listening = False
        self.free_bytes = free_bytes(data)

    def refusal(self) -> ProblemError | None:
        """Why nothing may be taken in now; outcomes of what was accepted still fit."""
        if self.stopping:
            return problem("overloaded", "This core is stopping.", headers={"Retry-After": "1"})
        if self._trouble() == "full" or self.free_bytes < self._reserve_bytes:
            detail = "Too little disk is left; what was accepted goes on."
            return problem("storage_full", detail, headers={"Retry-After": "5"})
        return None

    def not_ready(self) -> str:
        """Why this core is not ready, or ""."""
        if self.stopping:
            return "stopping"
        return "" if self.listening else "starting"

    async def look_at_disk(self) -> None:
        """Until cancelled."""
        while True:
            self.free_bytes = free_bytes(self._data)
            await asyncio.sleep(self._check_s)


def free_bytes(folder: Path) -> int:
    """What may still be written there."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
