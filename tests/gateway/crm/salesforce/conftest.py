"""A connector and the little Salesforce that it talks to."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from gateway.crm.salesforce import SalesforceConfig, SalesforceConnector
from tests.gateway.crm.salesforce.server import FakeSalesforce, make_key


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="session")
def key_pair() -> tuple[str, Any]:
    return make_key()


@pytest.fixture
async def salesforce(key_pair: tuple[str, Any]) -> FakeSalesforce:
    return FakeSalesforce(key_pair[1])


@pytest.fixture
async def config(
    salesforce: FakeSalesforce, key_pair: tuple[str, Any]
) -> AsyncIterator[SalesforceConfig]:
    server = TestServer(salesforce.app)
    await server.start_server()
    base = str(server.make_url("")).rstrip("/")
    yield SalesforceConfig(
        tenant="acme",
        my_domain=base,
        lightning="https://acme.lightning.force.com",
        token_url=base + "/services/oauth2/token",
        consumer_key="app",
        private_key=key_pair[0],
        read_timeout_s=5.0,
    )
    await server.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def connector(
    config: SalesforceConfig, clock: Clock
) -> AsyncIterator[SalesforceConnector]:
    connector = SalesforceConnector(config, clock=clock, rng=random.Random(1))
    yield connector
    await connector.close()


@pytest.fixture
async def impatient(
    config: SalesforceConfig, clock: Clock
) -> AsyncIterator[SalesforceConnector]:
    """One that waits for an answer for a tenth of a second only."""
    connector = SalesforceConnector(
        replace(config, read_timeout_s=0.1), clock=clock, rng=random.Random(1)
    )
    yield connector
    await connector.close()
