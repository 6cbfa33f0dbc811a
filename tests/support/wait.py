"""Waiting for a condition instead of sleeping for luck."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any


async def until(
    condition: Callable[[], Any | Awaitable[Any]], timeout_s: float = 10.0, every_s: float = 0.01
) -> Any:
    """Return the condition's first true answer; fail with what it last said when time is up."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while True:
        answer = condition()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        if loop.time() > deadline:
            raise AssertionError(f"not true within {timeout_s} s; last answer: {answer!r}")
        await asyncio.sleep(every_s)
