"""One region as its launcher sees it: its supervisor, and what that says of itself."""

import asyncio
from typing import Any

from core.supervisor.part import Part
from core.supervisor.parts import PROCESSES
from core.supervisor.site import RegionSite

_LOOK_EVERY_S = 0.05


class RegionProcess:
    """See the module's docstring."""

    def __init__(self, site: RegionSite, part: Part) -> None:
        self.name = site.name
        self.part = part
        self._folder = site.folder

    def start(self) -> None:
        """Start its supervisor."""
        # What an earlier one said there must not be taken for this one's word.
        (self._folder.path / PROCESSES).unlink(missing_ok=True)
        self.part.start()

    def state(self) -> dict[str, Any]:
        """What its supervisor wrote down last; empty when it wrote nothing yet."""
        return self._folder.read_json(PROCESSES) or {}

    def roles(self) -> list[str]:
        """Which of its processes run, by their own supervisor's word."""
        return [each["role"] for each in self.state().get("processes", [])]

    async def ready(self) -> dict[str, Any]:
        """Wait until it is ready; its state then."""
        while not (state := self.state()).get("ready"):
            await asyncio.sleep(_LOOK_EVERY_S)
        return state

    def why_gone(self, code: int) -> str:
        """What is known of the end of its supervisor."""
        why = self.state().get("failed") or self.part.last_words().strip()
        return (
            f"the supervisor of region {self.name} ended with code {code}. {why}\n"
            f"Its logs are in {self._folder.logs}."
        )
