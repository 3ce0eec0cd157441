"""The database connection: SQLite for one node, PostgreSQL for more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.storage.models import Base

# How long a writer waits for another process's write to the same SQLite file.
SQLITE_BUSY_TIMEOUT_MS = 5000
# Nodes that start together wait for each other; SQLite does not always do it for them.
OPEN_WITHIN_S = 60.0
OPEN_PAUSE_S = 0.1
# Any fixed number: nodes that start together migrate one after the other.
MIGRATION_LOCK = 0x52424D49
POOL_SIZE = 5
POOL_TIMEOUT_S = 10.0

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
MIGRATIONS = Path(__file__).with_name("migrations")


class StorageError(Exception):
    """The database cannot be used; the text says why and holds no password.

    Attributes:
        retryable: it may work later (away, busy); False: these data, never.
    """

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class _LockedError(StorageError):
    """Another node has the SQLite file for the moment."""


class Database:
    """Owns the engine. ``url`` as SQLAlchemy writes it; the driver may be left out."""

    def __init__(self, url: str) -> None:
        """Check the address; nothing is opened yet.

        Raises:
            StorageError: neither SQLite nor PostgreSQL.
        """
        self._url = _with_driver(url)
        self._engine: AsyncEngine | None = None

    def __repr__(self) -> str:
        return f"Database({self._url.render_as_string(hide_password=True)!r})"

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    async def open(self) -> None:
        """Connect and run the migrations that are missing.

        Raises:
            StorageError: unreachable, or written by a newer version.
        """
        self._check_folder()
        loop = asyncio.get_running_loop()
        end = loop.time() + OPEN_WITHIN_S
        while True:
            try:
                self._engine = await self._migrated()
            except _LockedError:
                if loop.time() >= end:
                    raise
            else:
                return
            await asyncio.sleep(OPEN_PAUSE_S)

    async def _migrated(self) -> AsyncEngine:
        """Connected, with all migrations; raises as :meth:`open`."""
        engine = self._create_engine()
        try:
            async with engine.connect() as connection:
                if self.is_sqlite:
                    connection = await connection.execution_options(writes=True)
                async with connection.begin():
                    await connection.run_sync(_migrate)
        except CommandError as error:
            await engine.dispose()
            raise StorageError(
                f"{self!r} is of a newer version: {error}", retryable=False
            ) from None
        except (SQLAlchemyError, OSError) as error:
            await engine.dispose()
            kind = _LockedError if _is_locked(error) else StorageError
            raise kind(f"cannot open {self!r}: {self.wrap(error)}") from None
        except BaseException:
            await engine.dispose()
            raise
        return engine

    def _check_folder(self) -> None:
        # SQLite would say only that it cannot open the file.
        file = self._url.database
        if self.is_sqlite and file and not Path(file).absolute().parent.is_dir():
            raise StorageError(
                f"cannot open {self!r}: there is no folder {Path(file).parent}"
            )

    async def close(self) -> None:
        """Give up all connections; twice is harmless."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction that is committed at the end.

        Raises:
            StorageError: also for what the statements inside raise.
        """
        async with self._transaction(writes=True) as connection:
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection with one view of the data for its whole length."""
        async with self._transaction(writes=False) as connection:
            yield connection

    def insert_or_ignore(self, table: type[Base], values: dict[str, Any]) -> Any:
        """An INSERT that does nothing where a unique key is there already."""
        if self.is_sqlite:
            return sqlite.insert(table).values(values).on_conflict_do_nothing()
        return postgresql.insert(table).values(values).on_conflict_do_nothing()

    def wrap(self, error: Exception) -> StorageError:
        """What to raise for a driver's error: its class and words, no parameters."""
        if isinstance(error, DBAPIError):
            kind = type(error).__name__
            retryable = kind not in {"IntegrityError", "DataError", "ProgrammingError"}
            return StorageError(f"{kind}: {error.orig}", retryable=retryable)
        return StorageError(f"{type(error).__name__}: {error}")

    @asynccontextmanager
    async def _transaction(self, *, writes: bool) -> AsyncIterator[AsyncConnection]:
        if self._engine is None:
            raise StorageError(f"{self!r} is not open")
        try:
            async with self._engine.connect() as connection:
                if self.is_sqlite:
                    connection = await connection.execution_options(writes=writes)
                async with connection.begin():
                    yield connection
        except (SQLAlchemyError, OSError) as error:
            raise self.wrap(error) from None

    def _create_engine(self) -> AsyncEngine:
        options: dict[str, Any] = {
            "pool_size": POOL_SIZE,
            "pool_timeout": POOL_TIMEOUT_S,
            "pool_pre_ping": not self.is_sqlite,
            # Parameters are customers' numbers and names: not for logs or errors.
            "hide_parameters": True,
        }
        try:
            engine = create_async_engine(self._url, **options)
        except ModuleNotFoundError:
            raise StorageError(
                "PostgreSQL needs the extra: pip install ringbridge[postgres]",
                retryable=False,
            ) from None
        if self.is_sqlite:
            event.listen(engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine


def _with_driver(text: str) -> URL:
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except ArgumentError:
        raise StorageError("the storage URL is no URL", retryable=False) from None
    if backend not in _DRIVERS:
        raise StorageError(
            f"storage must be sqlite or postgresql, not {backend}", retryable=False
        )
    return url.set(drivername=_DRIVERS[backend])


def _is_locked(error: Exception) -> bool:
    return isinstance(error, OperationalError) and "locked" in str(error.orig)


def _prepare_sqlite(dbapi_connection: Any, _record: object) -> None:
    # The driver's own implicit BEGIN comes too late and is never IMMEDIATE.
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    # FULL: a commit that was reported survives a power cut, not only a kill.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that turns writer fails at once with SQLITE_BUSY when
    # another has written since; an immediate one waits its turn.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
