"""Sign-ins: who is signed in since when, and up to which refresh token."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.identity.sign_ins import Ending, Method, SignIn, SignInsAwayError
from gateway.identity.users import UserKey
from gateway.storage.database import Database, StorageError
from gateway.storage.models import SignInRow

# Of one statement: databases bound how many parameters one may have.
BATCH = 500


class SignInTable:
    """The repository; implements :class:`gateway.identity.sign_ins.SignInStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, sign_in: SignIn) -> None:
        row = {
            "tenant": sign_in.user.tenant,
            "sign_in_id": sign_in.sign_in_id,
            "user_id": sign_in.user.user,
            "method": sign_in.method.value,
            "generation": sign_in.generation,
            "created_at": sign_in.created_at,
            "used_at": sign_in.used_at,
            "ended_at": sign_in.ended_at,
            "ending": sign_in.ending.value if sign_in.ending else "",
        }
        async with self._writing() as connection:
            await connection.execute(insert(SignInRow).values(row))

    async def get(self, sign_in_id: str) -> SignIn | None:
        found = await self._select(SignInRow.sign_in_id == sign_in_id)
        return found[0] if found else None

    async def open(self) -> Sequence[SignIn]:
        return await self._select(SignInRow.ended_at.is_(None))

    async def ended_since(self, at: float) -> Sequence[SignIn]:
        return await self._select(SignInRow.ended_at >= at)

    async def rotate(self, sign_in_id: str, generation: int, at: float) -> bool:
        statement = (
            update(SignInRow)
            .where(
                SignInRow.sign_in_id == sign_in_id,
                SignInRow.generation == generation,
                SignInRow.ended_at.is_(None),
            )
            .values(generation=generation + 1, used_at=at)
        )
        async with self._writing() as connection:
            return (await connection.execute(statement)).rowcount == 1

    async def end(self, endings: Mapping[str, Ending], at: float) -> None:
        by_ending: defaultdict[Ending, list[str]] = defaultdict(list)
        for sign_in_id, ending in endings.items():
            by_ending[ending].append(sign_in_id)
        async with self._writing() as connection:
            for ending, ids in by_ending.items():
                for start in range(0, len(ids), BATCH):
                    await connection.execute(
                        update(SignInRow)
                        .where(
                            SignInRow.sign_in_id.in_(ids[start : start + BATCH]),
                            SignInRow.ended_at.is_(None),
                        )
                        .values(ended_at=at, ending=ending.value)
                    )

    async def forget(self, before: float) -> None:
        async with self._writing() as connection:
            await connection.execute(
                delete(SignInRow).where(SignInRow.ended_at < before)
            )

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._database.writing() as connection:
                yield connection
        except StorageError as error:
            raise _away(error) from None

    async def _select(self, *where: Any) -> list[SignIn]:
        query = select(SignInRow.__table__).where(*where)
        try:
            async with self._database.reading() as connection:
                rows = (await connection.execute(query)).all()
        except StorageError as error:
            raise _away(error) from None
        return [
            SignIn(
                sign_in_id=row.sign_in_id,
                user=UserKey(row.tenant, row.user_id),
                method=Method(row.method),
                created_at=row.created_at,
                used_at=row.used_at,
                generation=row.generation,
                ended_at=row.ended_at,
                ending=Ending(row.ending) if row.ending else None,
            )
            for row in rows
        ]


def _away(error: StorageError) -> Exception:
    return SignInsAwayError(str(error)) if error.retryable else error
