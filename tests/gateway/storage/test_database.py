"""Opening, migrating, and what a broken database says."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from gateway import storage
from gateway.identity.users import UserKey
from gateway.storage import Database, StorageError
from gateway.storage.database import MIGRATIONS
from gateway.storage.models import Base

NEWEST = ScriptDirectory(str(MIGRATIONS)).get_current_head()


async def test_migrations_build_exactly_what_the_models_say(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))

    async with database.reading() as connection:
        assert await connection.run_sync(differences) == []


def test_every_table_has_a_tenant() -> None:
    for table in Base.metadata.tables.values():
        assert "tenant" in table.columns
        assert not table.columns["tenant"].nullable


async def test_opening_again_keeps_the_data(database_url: str) -> None:
    for _ in range(2):
        database = Database(database_url)
        await database.open()
        async with database.reading() as connection:
            version = await connection.execute(
                text("SELECT version_num FROM alembic_version")
            )
            assert version.scalars().all() == [NEWEST]
        await database.close()
        await database.close()


async def test_calls_of_before_invites_are_still_read(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    config = Config()
    folder = Path(storage.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text(
                "INSERT INTO calls (tenant, user_id, call_id, node, direction, number,"
                " e164, display_name, record, started_at, seen_at, ended_at, reason)"
                " VALUES ('acme', 'alex', 'c1', 'main', 'inbound', '1', '', '', NULL,"
                " 1.0, 2.0, 2.0, 'missed')"
            )
        )
    engine.dispose()
    database = Database(f"sqlite:///{path}")
    await database.open()
    (entry,) = await storage.CallJournal(database).history(UserKey("acme", "alex"))
    assert entry.call.call_id == "c1"
    assert entry.call.invite is None
    await database.close()


async def test_nodes_that_open_at_once_migrate_one_after_the_other(
    database_url: str,
) -> None:
    databases = [Database(database_url) for _ in range(4)]
    await asyncio.gather(*(database.open() for database in databases))
    for database in databases:
        await database.close()


async def test_a_node_waits_while_another_has_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.storage.database.SQLITE_BUSY_TIMEOUT_MS", 1)
    file = tmp_path / "ringbridge.db"
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    database = Database(f"sqlite:///{file}")
    opening = asyncio.create_task(database.open())
    done, _ = await asyncio.wait({opening}, timeout=0.3)
    assert not done
    other.rollback()
    other.close()
    await opening
    await database.close()


async def test_a_newer_database_is_refused_by_name(database_url: str) -> None:
    database = Database(database_url)
    await database.open()
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num='9999'"))
    await database.close()
    with pytest.raises(StorageError, match="newer version") as caught:
        await Database(database_url).open()
    assert not caught.value.retryable


async def test_a_database_that_is_away_is_a_storage_error(tmp_path: Path) -> None:
    url = "postgresql://someone:hunter2@127.0.0.1:9/nothing"
    with pytest.raises(StorageError) as caught:
        await Database(url).open()
    assert caught.value.retryable
    assert "hunter2" not in str(caught.value) + repr(Database(url))
    with pytest.raises(StorageError, match="no/such/folder"):
        await Database(f"sqlite:///{tmp_path}/no/such/folder/x.db").open()
    # aiosqlite ends the thread of a failed connection behind our back, and the thread
    # wants the loop for that.
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 10)
            assert not thread.is_alive()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://x/y", "http://x"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(StorageError) as caught:
        Database(url)
    assert not caught.value.retryable


async def test_a_failed_transaction_changes_nothing(database: Database) -> None:
    statement = text("UPDATE alembic_version SET version_num='0000'")

    async def fail() -> None:
        async with database.writing() as connection:
            await connection.execute(statement)
            await connection.execute(text("SELECT * FROM no_such_table"))

    with pytest.raises(StorageError, match="Error"):
        await fail()
    async with database.reading() as connection:
        rows = await connection.execute(text("SELECT version_num FROM alembic_version"))
        assert rows.scalars().all() == [NEWEST]


async def test_writers_wait_for_each_other(database: Database) -> None:
    await asyncio.gather(*(_increment(database) for _ in range(20)))
    async with database.reading() as connection:
        value = await connection.execute(
            text("SELECT version_num FROM alembic_version")
        )
        assert value.scalar_one() == f"{int(NEWEST or 0) + 20:04}"


async def _increment(database: Database) -> None:
    async with database.writing() as connection:
        if not database.is_sqlite:
            await connection.execute(text("LOCK TABLE alembic_version"))
        query = text("SELECT version_num FROM alembic_version")
        value = int((await connection.execute(query)).scalar_one())
        await asyncio.sleep(0)
        await connection.execute(
            text("UPDATE alembic_version SET version_num = :value"),
            {"value": f"{value + 1:04}"},
        )


async def test_not_open_is_said(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/x.db")
    with pytest.raises(StorageError, match="not open"):
        async with database.reading():
            pass
