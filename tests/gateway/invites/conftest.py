from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.storage import Database
from gateway.storage.invites import InviteStore
from gateway.storage.mails import MailStore
from tests.gateway.invites.desk import Desk
from tests.gateway.invites.dovecot import Dovecot


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/ringbridge.db")
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def store(database: Database) -> InviteStore:
    return InviteStore(database)


@pytest.fixture
def mails(database: Database) -> MailStore:
    return MailStore(database, owner="node-1")


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    desk = Desk(database)
    yield desk
    await desk.close()
    assert desk.time.alarm_count == 0


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """For tests that say ``needs("dovecot")``; each has a user of its own."""
    with Dovecot() as server:
        yield server
