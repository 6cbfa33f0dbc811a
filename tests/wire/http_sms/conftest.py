"""The sandbox's HTTP doubles with real sockets, on both loops."""

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


def pytest_asyncio_loop_factories(config: Any, item: Any) -> dict[str, Callable[[], Any]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Sandbox]:
    limits = SandboxLimits(callback_repeat_ms=20, callback_tries_max=5)
    async with Sandbox.start(tmp_path / "box", seed=1, limits=limits) as running:
        for provider in ("sandbox-sms-http", "sandbox-gateway"):
            running.behave(provider, b'{"receipt": {"delay_ms": 0}}')
        yield running


@pytest.fixture
async def http(box: Sandbox) -> AsyncIterator[Http]:
    async with aiohttp.ClientSession() as session:
        yield doors(session, box)
