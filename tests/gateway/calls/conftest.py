from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.gateway.calls.fakes import World, signed_in


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Robin is signed in and registered."""
    async with signed_in(World()) as world:
        yield world
