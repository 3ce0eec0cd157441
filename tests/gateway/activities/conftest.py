"""An outbox in SQLite; that PostgreSQL does the same is tests/gateway/storage's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.storage import CallJournal, Database, Outbox


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/ringbridge.db")
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def journal(database: Database) -> CallJournal:
    return CallJournal(database, node="node-1")


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database, owner="node-1")
