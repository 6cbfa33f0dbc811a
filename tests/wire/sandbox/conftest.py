"""A sandbox with real sockets, on asyncio's own loop and on uvloop, and its HTTP doors."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop

from core.sandbox.app import Sandbox
from core.sandbox.limits import SandboxLimits
from tests.support.sandbox_clients import Http, doors

REPEAT_MS = 200


def pytest_asyncio_loop_factories(config: Any, item: Any) -> dict[str, Callable[[], Any]]:
    """Each test here runs on both loops: their transports close and pause differently.

    A sandbox in a process of its own brings its own loop.
    """
    if item.path.name == "test_program.py":
        return {"asyncio": asyncio.new_event_loop}
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def limits() -> SandboxLimits:
    return SandboxLimits(receipt_repeat_ms=REPEAT_MS)


@pytest.fixture
async def box(tmp_path: Path, limits: SandboxLimits) -> AsyncIterator[Sandbox]:
    async with Sandbox.start(tmp_path / "box", seed=1, limits=limits) as running:
        yield running


@pytest.fixture
async def web() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def http(web: aiohttp.ClientSession, box: Sandbox) -> Http:
    return doors(web, box)
