from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.gateway.sessions.fakes import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Closed at the end; nothing of it may still run then."""
    world = World()
    yield world
    if world.backend.open_gate is not None:
        world.backend.open_gate.set()
    if world.backend.close_gate is not None:
        world.backend.close_gate.set()
    await world.directory.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert world.directory.session_count == 0
