"""A running relay engine with one worker, and what it reports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.media.relay import RelayConfig, RelayEngine
from tests.gateway.media.rig import Events, loopback_ice


@pytest.fixture(autouse=True)
def _loopback() -> Iterator[None]:
    with loopback_ice():
        yield


@pytest.fixture
def relay_config() -> RelayConfig:
    """Override to test other settings."""
    return RelayConfig(port_quarantine_s=0.3, rtcp_interval_s=0.5, comfort_delay_s=0.2)


@pytest.fixture
async def engine(relay_config: RelayConfig) -> AsyncIterator[RelayEngine]:
    async with RelayEngine(relay_config) as engine:
        yield engine


@pytest.fixture
def events(engine: RelayEngine) -> Events:
    return Events(engine)
