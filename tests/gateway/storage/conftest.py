"""Databases to test with: SQLite, and PostgreSQL where it is installed and in CI."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.storage import CallJournal, Database, Outbox
from gateway.storage.models import Base
from tests.gateway.storage import postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    folder = postgres.binaries()
    if folder is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is not installed, and CI leaves nothing out")
        pytest.skip("PostgreSQL is not installed")
    with postgres.server(folder) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/ringbridge.db"
        return
    url = request.getfixturevalue("postgres_url")
    yield url
    engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.begin() as connection:
        for table in (*Base.metadata.tables, "alembic_version"):
            await connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
    await engine.dispose()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def journal(database: Database) -> CallJournal:
    return CallJournal(database, node="node-1")


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database, owner="node-1")
