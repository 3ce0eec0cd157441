from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.gateway.calls.fakes import ROBIN, World, settle


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Robin is signed in and registered."""
    world = World()
    task = asyncio.create_task(world.service.run())
    await world.service.session_opened(ROBIN)
    yield world
    await world.service.close()
    await asyncio.wait_for(task, 5)
    await settle()
    # Nothing is left behind, whatever the test did.
    assert world.engine.open_calls == set()
    assert world.service.active_calls == 0
    assert world.clock.waiting == 0
