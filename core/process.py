"""The tasks of a process, and its end when one of them fails.

A half-working core is worse than one that its supervisor starts again: what fails unforeseen, in a
task or in a callback, is logged with its stack and ends the process at once (`EXIT_FAILED`). A
store that cannot be read is foreseen: whoever reads repeats.
"""

import asyncio
import os
import traceback
from collections.abc import Awaitable
from typing import Any

from core.contract.log import Log
from sync.store.port import StoreError

EXIT_FAILED = 75

# Young garbage is mostly freed by counting, so the collector looks at few new objects at a time: at
# 50,000 it held up what is urgent for 10 to 40 ms. What stays is looked at seldom.
GC_THRESHOLDS = (2_000, 1_000, 100)


class Process:
    """See the module's docstring."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._tasks: set[asyncio.Task[Any]] = set()
        self.ending = False

    def spawn(self, work: Awaitable[Any]) -> None:
        """Run something beside; its unforeseen failure ends the process."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def watch_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """A callback that fails leaves its work half done: nobody may go on with that."""
        loop.set_exception_handler(self._failed)

    async def cancel_all(self) -> None:
        """End all tasks."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def lost(self, why: str) -> None:
        """The right to work is gone: end now, whoever supervises starts with empty hands."""
        if not self.ending:
            self._die(why)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, StoreError):
            self._log.error("the store failed", error=str(error))
        elif error is not None:
            self._die("a part of the core failed", error)

    def _failed(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        what = str(context.get("message", ""))
        if error is None or "never retrieved" in what:
            self._log.warning("asyncio", what=what, error=repr(error))
        else:
            self._die(what or "a callback failed", error)

    def _die(self, what: str, error: BaseException | None = None) -> None:
        stack = "".join(traceback.format_tb(error.__traceback__)) if error else ""
        name = type(error).__name__ if error else ""
        self._log.error(what, error=name, stack=stack)
        self._log.flush()
        os._exit(EXIT_FAILED)
