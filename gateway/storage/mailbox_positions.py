"""Up to where each tenant's mailbox of delivery reports has been read."""

from __future__ import annotations

from sqlalchemy import select, update

from gateway.storage.database import Database
from gateway.storage.models import MailboxPositionRow


class MailboxPositions:
    """The repository. A position is a UID and the validity that it belongs to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant: str, mailbox: str) -> tuple[int, int]:
        """``(uid_validity, last_uid)``; zeros for one that was never read."""
        query = select(
            MailboxPositionRow.uid_validity, MailboxPositionRow.last_uid
        ).where(
            MailboxPositionRow.tenant == tenant, MailboxPositionRow.mailbox == mailbox
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return (0, 0) if row is None else (row.uid_validity, row.last_uid)

    async def put(
        self, tenant: str, mailbox: str, *, uid_validity: int, last_uid: int
    ) -> None:
        """It has been read up to here."""
        position = {"uid_validity": uid_validity, "last_uid": last_uid}
        row = {"tenant": tenant, "mailbox": mailbox}
        async with self._database.writing() as connection:
            await connection.execute(
                self._database.insert_or_ignore(MailboxPositionRow, row | position)
            )
            await connection.execute(
                update(MailboxPositionRow)
                .where(
                    MailboxPositionRow.tenant == tenant,
                    MailboxPositionRow.mailbox == mailbox,
                )
                .values(**position)
            )
