"""Numbers that users want at hand, by user and number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, func, select, update

from gateway.identity.users import UserKey
from gateway.storage.database import Database
from gateway.storage.models import FavouriteRow


class FavouriteTable:
    """The repository. An entry is whatever JSON object its user's side makes of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, user: UserKey) -> tuple[Mapping[str, Any], ...]:
        """All of a user's, the oldest first."""
        query = (
            select(FavouriteRow.entry)
            .where(*_of(user))
            .order_by(FavouriteRow.created_at, FavouriteRow.number)
        )
        async with self._database.reading() as connection:
            return tuple((await connection.execute(query)).scalars())

    async def put(
        self,
        user: UserKey,
        number: str,
        entry: Mapping[str, Any],
        *,
        now: float,
        at_most: int,
    ) -> bool:
        """Remember it, or what is newer of it; False: the user has ``at_most``."""
        key = {"tenant": user.tenant, "user_id": user.user, "number": number}
        row = {**key, "entry": dict(entry), "created_at": now}
        mine = (*_of(user), FavouriteRow.number == number)
        async with self._database.writing() as connection:
            changed = await connection.execute(
                update(FavouriteRow).where(*mine).values(entry=dict(entry))
            )
            if changed.rowcount:
                return True
            count = select(func.count()).select_from(FavouriteRow).where(*_of(user))
            if (await connection.execute(count)).scalar_one() >= at_most:
                return False
            await connection.execute(self._database.insert_or_ignore(FavouriteRow, row))
        return True

    async def remove(self, user: UserKey, number: str) -> None:
        """Forget it, if it is there."""
        statement = delete(FavouriteRow).where(
            *_of(user), FavouriteRow.number == number
        )
        async with self._database.writing() as connection:
            await connection.execute(statement)


def _of(user: UserKey) -> tuple[Any, ...]:
    return (FavouriteRow.tenant == user.tenant, FavouriteRow.user_id == user.user)
