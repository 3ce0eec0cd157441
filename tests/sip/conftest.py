"""The user agent on its bench; every test of it checks that it leaves nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.sip.peers import Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = await Bench().start()
    yield bench
    await bench.finish()
