"""The call journal: one row per call, and its activity in the same commit.

Every method may be repeated with the same arguments and then changes nothing, so a
caller that does not know whether a commit arrived simply says it again.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import and_, func, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.activities.record import CallRecord
from gateway.crm.connector import Activity, CrmRecord
from gateway.identity.users import UserKey
from gateway.sessions.wire import ActivityState, ActivityView, CallDirection, EndReason
from gateway.storage.database import Database
from gateway.storage.models import CallRow, OutboxRow
from gateway.storage.outbox_rows import (
    insert_activity,
    replace_activity,
    rewrite_activity,
    view_of,
)
from gateway.storage.serial import (
    invite_from_json,
    invite_to_json,
    record_from_json,
    record_to_json,
)

logger = logging.getLogger(__name__)

MAX_HISTORY = 100


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """An ended call and how its activity stands."""

    call: CallRecord
    activity: ActivityView


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call without an end; ``seen_at`` is the last Unix time it surely lived."""

    call: CallRecord
    seen_at: float


class CallJournal:
    """Calls of all tenants. ``node`` names this gateway process across restarts."""

    def __init__(self, database: Database, *, node: str = "main") -> None:
        self._database = database
        self._node = node

    async def started(self, call: CallRecord) -> None:
        """A call or attempt has begun."""
        async with self._database.writing() as connection:
            await self._insert(connection, call)

    async def resumed(self, call: CallRecord) -> None:
        """One that had ended goes on: its end is taken back, and the next counts."""
        async with self._database.writing() as connection:
            await self._insert(connection, call)
            await connection.execute(
                update(CallRow)
                .where(*_is(call.user, call.call_id))
                .values(
                    node=self._node,
                    answered_at=call.answered_at,
                    ended_at=None,
                    reason=None,
                    sip_code=None,
                )
            )

    async def answered(self, user: UserKey, call_id: str, at: float) -> None:
        """It was answered at this Unix time; the first answer counts."""
        async with self._database.writing() as connection:
            await connection.execute(
                update(CallRow)
                .where(*_is(user, call_id), CallRow.answered_at.is_(None))
                .values(answered_at=at, seen_at=at)
            )

    async def ended(self, call: CallRecord, activity: Activity | None) -> bool:
        """Keep the end and put its activity into the outbox, in one transaction.

        ``call`` is complete: should its start never have been kept, it is now.
        Returns False if it had ended before; nothing has changed then.
        """
        if call.ended_at is None or call.reason is None:
            raise ValueError("an ended call has an end and a reason")
        async with self._database.writing() as connection:
            await self._insert(connection, call)
            result = await connection.execute(
                update(CallRow)
                .where(*_is(call.user, call.call_id), CallRow.ended_at.is_(None))
                .values(
                    number=call.number[:255],
                    e164=call.e164[:32],
                    display_name=call.display_name[:255],
                    record=record_to_json(call.record),
                    answered_at=call.answered_at,
                    seen_at=call.ended_at,
                    ended_at=call.ended_at,
                    reason=call.reason.value,
                    sip_code=call.sip_code,
                )
            )
            if result.rowcount == 0:
                return False
            if activity is not None:
                await self._insert_activity(connection, call, activity)
        return True

    async def record_chosen(
        self,
        user: UserKey,
        call_id: str,
        record: CrmRecord,
        *,
        who_id: str,
        what_id: str,
        now: float,
    ) -> None:
        """The call belongs to this record; an activity there is linked to it anew."""
        async with self._database.writing() as connection:
            await connection.execute(
                update(CallRow)
                .where(*_is(user, call_id))
                .values(record=record_to_json(record))
            )
            await replace_activity(
                connection, user, call_id, who_id=who_id, what_id=what_id, now=now
            )

    async def seen(self, at: float) -> None:
        """This node lives, and with it all its open calls: call this now and then."""
        async with self._database.writing() as connection:
            await connection.execute(
                update(CallRow)
                .where(CallRow.node == self._node, CallRow.ended_at.is_(None))
                .values(seen_at=at)
            )

    async def open_calls(self) -> tuple[OpenCall, ...]:
        """This node's calls without an end, oldest first."""
        query = (
            select(CallRow.__table__)
            .where(CallRow.node == self._node, CallRow.ended_at.is_(None))
            .order_by(CallRow.started_at)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return tuple(OpenCall(_call(row), row.seen_at) for row in rows)

    async def history(
        self, user: UserKey, *, limit: int = 20, before: float | None = None
    ) -> tuple[HistoryEntry, ...]:
        """The user's ended calls, newest first; ``before`` is a Unix start time.

        What is written of a guest's call is the attempt's: the host's side shows that.
        """
        columns = (
            OutboxRow.state,
            OutboxRow.record_id,
            OutboxRow.url,
            OutboxRow.problem,
        )
        query = (
            select(CallRow.__table__, *columns)
            .outerjoin(
                OutboxRow,
                and_(
                    OutboxRow.tenant == CallRow.tenant,
                    OutboxRow.user_id == CallRow.user_id,
                    OutboxRow.call_id == CallRow.call_id,
                ),
            )
            .where(
                CallRow.tenant == user.tenant,
                CallRow.user_id == user.user,
                CallRow.ended_at.is_not(None),
            )
            .order_by(CallRow.started_at.desc(), CallRow.call_id)
            .limit(max(1, min(limit, MAX_HISTORY)))
        )
        if before is not None:
            query = query.where(CallRow.started_at < before)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
            entries = [HistoryEntry(_call(row), _activity(row)) for row in rows]
            attempts = {of for entry in entries if (of := _attempt_of(entry.call))}
            views = await _attempt_views(connection, user.tenant, attempts)
        return tuple(
            replace(entry, activity=views[of])
            if (of := _attempt_of(entry.call)) in views
            else entry
            for entry in entries
        )

    async def count(self, tenant: str) -> int:
        """How many calls of the tenant are kept."""
        query = select(func.count()).where(CallRow.tenant == tenant)
        async with self._database.reading() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def _insert_activity(
        self, connection: AsyncConnection, call: CallRecord, activity: Activity
    ) -> None:
        now = call.ended_at or call.started_at
        if await rewrite_activity(
            connection, call.user, call.call_id, activity, now=now
        ):
            # It had ended before, and went on.
            return
        # Call ids may be the clients' own: a colleague's key is not to be taken.
        own = replace(activity, key=f"{activity.key}:{call.user.user}")
        for candidate in (activity, own):
            if await insert_activity(
                connection, self._database, call.user, call.call_id, candidate, now=now
            ):
                return
        logger.error("call %s of %s: no free activity key", call.call_id, call.user)

    async def _insert(self, connection: AsyncConnection, call: CallRecord) -> None:
        values: dict[str, Any] = {
            "tenant": call.user.tenant,
            "user_id": call.user.user,
            "call_id": call.call_id,
            "node": self._node,
            "direction": call.direction.value,
            "number": call.number[:255],
            "e164": call.e164[:32],
            "display_name": call.display_name[:255],
            "record": record_to_json(call.record),
            "invite": invite_to_json(call.invite),
            "started_at": call.started_at,
            "answered_at": call.answered_at,
            "seen_at": call.answered_at or call.started_at,
        }
        await connection.execute(self._database.insert_or_ignore(CallRow, values))


def _is(user: UserKey, call_id: str) -> tuple[Any, ...]:
    return (
        CallRow.tenant == user.tenant,
        CallRow.user_id == user.user,
        CallRow.call_id == call_id,
    )


def _call(row: Row[Any]) -> CallRecord:
    return CallRecord(
        call_id=row.call_id,
        user=UserKey(row.tenant, row.user_id),
        direction=CallDirection(row.direction),
        number=row.number,
        e164=row.e164,
        display_name=row.display_name,
        record=record_from_json(row.record),
        invite=invite_from_json(row.invite),
        started_at=row.started_at,
        answered_at=row.answered_at,
        ended_at=row.ended_at,
        reason=None if row.reason is None else EndReason(row.reason),
        sip_code=row.sip_code,
    )


# User and call id by which a guest's attempt is kept.
_Attempt = tuple[str, str]


def _attempt_of(call: CallRecord) -> _Attempt | None:
    """Of the host's side of a guest's call."""
    invite = call.invite
    if invite is None or invite.is_attempt or not invite.attempt_id:
        return None
    return invite.guest_user, invite.attempt_id


async def _attempt_views(
    connection: AsyncConnection, tenant: str, attempts: Collection[_Attempt]
) -> dict[_Attempt | None, ActivityView]:
    if not attempts:
        return {}
    query = select(OutboxRow.__table__).where(
        OutboxRow.tenant == tenant,
        OutboxRow.user_id.in_({user for user, _ in attempts}),
        OutboxRow.call_id.in_({call_id for _, call_id in attempts}),
    )
    rows = (await connection.execute(query)).all()
    return {(row.user_id, row.call_id): view_of(row) for row in rows}


def _activity(row: Row[Any]) -> ActivityView:
    if row.state is None:
        return ActivityView(state=ActivityState.NONE)
    return view_of(row)
