from __future__ import annotations

import random
from collections.abc import AsyncIterator

import aiohttp
import pytest

from gateway.sandbox.salesforce import SalesforceSimulator, SimulatorConfig


class Clock:
    """Wall time that only moves when a test says so."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class Api:
    """Calls the REST API as Robin."""

    def __init__(self, simulator: SalesforceSimulator, http: aiohttp.ClientSession):
        self.simulator = simulator
        self.http = http
        self.token = simulator.access_token()

    async def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        version: str = "66.0",
        **headers: str,
    ) -> tuple[int, object]:
        url = f"{self.simulator.url}/services/data/v{version}{path}"
        async with self.http.request(
            method,
            url,
            json=body,
            headers={"Authorization": f"Bearer {self.token}"}
            | {k.replace("_", "-"): v for k, v in headers.items()},
        ) as reply:
            text = await reply.text()
            self.headers = reply.headers
            return reply.status, await reply.json() if text else None

    async def refused(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, str]:
        """Status and errorCode of a refusal."""
        status, reply = await self(method, path, body, **headers)
        assert isinstance(reply, list), reply
        assert set(reply[0]) >= {"message", "errorCode"}
        return status, reply[0]["errorCode"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def simulator(clock: Clock) -> AsyncIterator[SalesforceSimulator]:
    made = SalesforceSimulator(SimulatorConfig(), clock=clock, rng=random.Random(7))
    await made.start()
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def api(simulator: SalesforceSimulator, http: aiohttp.ClientSession) -> Api:
    return Api(simulator, http)
