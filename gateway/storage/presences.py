"""Users who do not want calls to ring."""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import delete, select

from gateway.identity.users import UserKey
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import ErrorKind
from gateway.storage.database import Database, StorageError
from gateway.storage.models import SilentRow

logger = logging.getLogger(__name__)


class PresenceTable:
    """The repository; implements ``gateway.calls.ports.PresenceStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def is_silent(self, user: UserKey) -> bool:
        """A user who can ring rather than not, when the database is away."""
        query = select(SilentRow.user_id).where(*_of(user))
        try:
            async with self._database.reading() as connection:
                return (await connection.execute(query)).first() is not None
        except StorageError as error:
            logger.warning("presence of %s is not known: %s", user, error)
            return False

    async def set_silent(self, user: UserKey, *, is_silent: bool) -> None:
        row = {"tenant": user.tenant, "user_id": user.user}
        statement = (
            self._database.insert_or_ignore(SilentRow, row)
            if is_silent
            else delete(SilentRow).where(*_of(user))
        )
        try:
            async with self._database.writing() as connection:
                await connection.execute(statement)
        except StorageError:
            raise RequestError(
                ErrorKind.INTERNAL, "It cannot be kept now.", retryable=True
            ) from None


def _of(user: UserKey) -> tuple[Any, ...]:
    return (SilentRow.tenant == user.tenant, SilentRow.user_id == user.user)
