"""Forgets what is old: calls, invites, and what their mails said.

In small batches, each a transaction, so that calls never wait for it. What is open,
to be sent, or not in the CRM yet stays, however old: it goes after it is settled.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, delete, exists, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.storage.database import Database
from gateway.storage.mails import MailRowState
from gateway.storage.models import (
    CallRow,
    InviteGuestRow,
    InviteLinkRow,
    InviteMailRow,
    InviteRow,
    OutboxRow,
)
from gateway.storage.outbox_rows import OutboxState

_CALL = (CallRow.tenant, CallRow.user_id, CallRow.call_id)
_OF_CALL = and_(
    OutboxRow.tenant == CallRow.tenant,
    OutboxRow.user_id == CallRow.user_id,
    OutboxRow.call_id == CallRow.call_id,
)
_OF_INVITE = and_(
    OutboxRow.tenant == InviteRow.tenant, OutboxRow.invite_id == InviteRow.invite_id
)
_UNWRITTEN = OutboxRow.state != OutboxState.WRITTEN
_UNSENT = InviteMailRow.state.in_([MailRowState.WAITING, MailRowState.SENDING])


class Retention:
    """The repository. ``at`` is a Unix time, ``limit`` how many rows at most."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def forget_calls(self, at: float, *, limit: int) -> int:
        """Calls that ended before, with their activities; how many went."""
        old = (CallRow.ended_at < at, ~exists().where(_OF_CALL, _UNWRITTEN))
        query = select(*_CALL).where(*old).order_by(CallRow.ended_at).limit(limit)
        # The search writes nothing: it holds up nobody who does.
        async with self._database.reading() as connection:
            keys = [tuple(row) for row in (await connection.execute(query)).all()]
        if not keys:
            return 0
        async with self._database.writing() as connection:
            # First these: one that is to be written again by now keeps its call.
            await connection.execute(
                delete(OutboxRow).where(
                    tuple_(OutboxRow.tenant, OutboxRow.user_id, OutboxRow.call_id).in_(
                        keys
                    ),
                    OutboxRow.state == OutboxState.WRITTEN,
                )
            )
            result = await connection.execute(
                delete(CallRow).where(
                    tuple_(*_CALL).in_(keys),
                    CallRow.ended_at < at,
                    ~exists().where(_OF_CALL),
                )
            )
        return result.rowcount

    async def forget_invites(self, at: float, *, limit: int) -> int:
        """Invites that were over before, with guests, links and mails; how many went.
        Their links lead to nothing known then."""
        of_mail = and_(
            InviteMailRow.tenant == InviteRow.tenant,
            InviteMailRow.invite_id == InviteRow.invite_id,
        )
        old = (
            InviteRow.ends_at < at,
            # Closed, and that not just now: a service that was away for long.
            or_(InviteRow.ended_at < at, InviteRow.cancelled_at < at),
            ~exists().where(of_mail, _UNSENT),
            ~exists().where(_OF_INVITE, _UNWRITTEN),
        )
        key = (InviteRow.tenant, InviteRow.invite_id)
        query = select(*key).where(*old).order_by(InviteRow.ends_at).limit(limit)
        async with self._database.reading() as connection:
            keys = [tuple(row) for row in (await connection.execute(query)).all()]
        if not keys:
            return 0
        async with self._database.writing() as connection:
            result = await connection.execute(
                delete(InviteRow).where(tuple_(*key).in_(keys), *old).returning(*key)
            )
            gone = [tuple(row) for row in result.all()]
            for table in (InviteGuestRow, InviteLinkRow, InviteMailRow, OutboxRow):
                await _delete_of(connection, table, gone)
        return len(gone)

    async def forget_mail_bodies(self, at: float, *, limit: int) -> int:
        """What settled mails of before said, to whom; how many. That there was a mail,
        and what became of it, stays with its invite."""
        settled = (
            InviteMailRow.created_at < at,
            ~_UNSENT,
            InviteMailRow.has_body,
        )
        query = select(InviteMailRow.id).where(*settled).limit(limit)
        async with self._database.reading() as connection:
            ids = (await connection.execute(query)).scalars().all()
        if not ids:
            return 0
        async with self._database.writing() as connection:
            result = await connection.execute(
                update(InviteMailRow)
                .where(InviteMailRow.id.in_(ids), *settled)
                .values(content={}, has_body=False)
            )
        return result.rowcount


async def _delete_of(
    connection: AsyncConnection, table: Any, keys: list[tuple[Any, ...]]
) -> None:
    if keys:
        await connection.execute(
            delete(table).where(tuple_(table.tenant, table.invite_id).in_(keys))
        )
