"""Users whom the configuration does not list: imported, added, or provisioned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select

from gateway.identity.stored import StoredUser
from gateway.identity.users import UserKey
from gateway.storage.database import Database
from gateway.storage.models import UserRow


class _ChangedError(Exception):
    """Rolls the transaction back."""


class StoredUsers:
    """The repository; a :class:`gateway.identity.stored.UserStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def fingerprint(self) -> tuple[int, int]:
        """How many rows, and the sum of their revisions: each commit raises one of
        the two, in whatever order writers commit."""
        query = select(func.count(), func.coalesce(func.sum(UserRow.revision), 0))
        async with self._database.reading() as connection:
            count, total = (await connection.execute(query)).one()
        return int(count), int(total)

    async def all(self) -> tuple[StoredUser, ...]:
        query = select(UserRow.__table__).order_by(UserRow.tenant, UserRow.user_id)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(_user(row) for row in rows)

    async def replace(self, users: Sequence[StoredUser]) -> bool:
        """See :class:`gateway.identity.stored.UserStore`.

        Old rows go before new ones come, so that two users may swap their numbers.

        Raises:
            StorageError: a SIP username or CRM user is another row's, or the database
                is away.
        """
        try:
            async with self._database.writing() as connection:
                known = await connection.execute(
                    select(UserRow.tenant, UserRow.user_id).where(
                        UserRow.tenant.in_({user.key.tenant for user in users})
                    )
                )
                there = {UserKey(*row) for row in known}
                for user in users:
                    if user.revision:
                        gone = await connection.execute(
                            delete(UserRow).where(
                                UserRow.tenant == user.key.tenant,
                                UserRow.user_id == user.key.user,
                                UserRow.revision == user.revision,
                            )
                        )
                        if gone.rowcount != 1:
                            raise _ChangedError
                    elif user.key in there:
                        raise _ChangedError
                if users:
                    rows = [_row(user) for user in users]
                    await connection.execute(insert(UserRow), rows)
        except _ChangedError:
            return False
        return True


def _row(user: StoredUser) -> dict[str, Any]:
    return {
        "tenant": user.key.tenant,
        "user_id": user.key.user,
        "name": user.name,
        "number": user.number,
        "email": user.email,
        # Null, unlike "", may be there many times.
        "crm_user_id": user.crm_user_id or None,
        "crm_username": user.crm_username,
        "sip_username": user.sip_username,
        "sip_auth_username": user.sip_auth_username,
        "sealed_secret": user.sealed_secret,
        "is_disabled": user.is_disabled,
        "source": user.source,
        "revision": user.revision + 1,
    }


def _user(row: Any) -> StoredUser:
    return StoredUser(
        key=UserKey(row["tenant"], row["user_id"]),
        name=row["name"],
        number=row["number"],
        email=row["email"],
        crm_user_id=row["crm_user_id"] or "",
        crm_username=row["crm_username"],
        sip_username=row["sip_username"],
        sip_auth_username=row["sip_auth_username"],
        sealed_secret=row["sealed_secret"],
        is_disabled=row["is_disabled"],
        source=row["source"],
        revision=row["revision"],
    )
