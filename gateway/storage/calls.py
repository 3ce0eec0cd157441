"""The call journal: one row per call, and its activity in the same commit.

Every method may be repeated with the same arguments and then changes nothing, so a
caller that does not know whether a commit arrived simply says it again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.activities.record import CallRecord
from gateway.crm.connector import Activity, CrmRecord
from gateway.identity.users import UserKey
from gateway.sessions.wire import (
    ActivityState,
    ActivityView,
    CallDevice,
    CallDirection,
    CallType,
    EndReason,
)
from gateway.storage.database import Database
from gateway.storage.models import CallRow
from gateway.storage.outbox_rows import (
    OutboxKind,
    call_views,
    put_call_activity,
    replace_activity,
    retry_call,
)
from gateway.storage.serial import (
    earlier_from_json,
    earlier_to_json,
    invite_from_json,
    invite_to_json,
    record_from_json,
    record_to_json,
    work_from_json,
    work_to_json,
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

    async def passed_on(self, call: CallRecord) -> None:
        """It is with somebody else now; of one that has ended, that is known."""
        async with self._database.writing() as connection:
            await self._insert(connection, call)
            await connection.execute(
                update(CallRow)
                .where(*_is(call.user, call.call_id), CallRow.ended_at.is_(None))
                .values(**_with_whom(call))
            )

    async def ended(
        self,
        call: CallRecord,
        activity: Activity | None,
        next_step: Activity | None = None,
    ) -> bool:
        """Keep the end and put what is written of it into the outbox, due when wrap-up
        ends, in one transaction.

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
                    **_with_whom(call),
                    answered_at=call.answered_at,
                    seen_at=call.ended_at,
                    ended_at=call.ended_at,
                    reason=call.reason.value,
                    sip_code=call.sip_code,
                    device=call.device.value,
                    transferred_to=call.transferred_to[:255],
                    work=work_to_json(call.work),
                )
            )
            if result.rowcount == 0:
                return False
            await self._put(connection, call, activity, next_step, now=call.ended_at)
        return True

    async def worked(
        self,
        call: CallRecord,
        activity: Activity | None,
        next_step: Activity | None,
        *,
        now: float,
    ) -> bool:
        """The rep has written on it: keep that, and after the end what is written of
        it. ``call`` is as complete as it can be. False: something newer is kept."""
        async with self._database.writing() as connection:
            await self._insert(connection, call)
            query = select(CallRow.work, CallRow.ended_at).where(
                *_is(call.user, call.call_id)
            )
            row = (await connection.execute(query.with_for_update())).one()
            if work_from_json(row.work).revision >= call.work.revision:
                return False
            await connection.execute(
                update(CallRow)
                .where(*_is(call.user, call.call_id))
                .values(work=work_to_json(call.work))
            )
            if row.ended_at is not None and call.ended_at is not None:
                await self._put(connection, call, activity, next_step, now=now)
        return True

    async def find(self, user: UserKey, call_id: str) -> HistoryEntry | None:
        """One of the user's ended calls."""
        query = select(CallRow.__table__).where(
            *_is(user, call_id), CallRow.ended_at.is_not(None)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
            return next(iter(await _entries(connection, user.tenant, rows)), None)

    async def retry_activity(self, user: UserKey, call_id: str, *, now: float) -> bool:
        """What of the call the CRM refused is tried again; False if nothing was."""
        async with self._database.writing() as connection:
            return await retry_call(connection, user, call_id, now=now)

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
        query = (
            select(CallRow.__table__)
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
            return await _entries(connection, user.tenant, rows)

    async def count(self, tenant: str) -> int:
        """How many calls of the tenant are kept."""
        query = select(func.count()).where(CallRow.tenant == tenant)
        async with self._database.reading() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def _put(
        self,
        connection: AsyncConnection,
        call: CallRecord,
        activity: Activity | None,
        next_step: Activity | None,
        *,
        now: float,
    ) -> None:
        for each, kind in (
            (activity, OutboxKind.ACTIVITY),
            # What is not logged has no task for later either.
            (activity and next_step, OutboxKind.NEXT_STEP),
        ):
            await put_call_activity(
                connection,
                self._database,
                call.user,
                call.call_id,
                each,
                kind=kind,
                now=now,
                due_at=call.work.write_at,
            )

    async def _insert(self, connection: AsyncConnection, call: CallRecord) -> None:
        values: dict[str, Any] = {
            "tenant": call.user.tenant,
            "user_id": call.user.user,
            "call_id": call.call_id,
            "node": self._node,
            "direction": call.direction.value,
            **_with_whom(call),
            "invite": invite_to_json(call.invite),
            "started_at": call.started_at,
            "answered_at": call.answered_at,
            "seen_at": call.answered_at or call.started_at,
            "device": call.device.value,
            "transferred_to": call.transferred_to[:255],
        }
        await connection.execute(self._database.insert_or_ignore(CallRow, values))


def _with_whom(call: CallRecord) -> dict[str, Any]:
    return {
        "number": call.number[:255],
        "e164": call.e164[:32],
        "display_name": call.display_name[:255],
        "record": record_to_json(call.record),
        "type": call.type.value,
        "earlier": earlier_to_json(call.earlier),
    }


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
        type=CallType(row.type),
        device=CallDevice(row.device),
        transferred_to=row.transferred_to,
        work=work_from_json(row.work),
        earlier=earlier_from_json(row.earlier),
    )


# User and call id by which a guest's attempt is kept.
_Attempt = tuple[str, str]


def _attempt_of(call: CallRecord) -> _Attempt | None:
    """Of the host's side of a guest's call."""
    invite = call.invite
    if invite is None or invite.is_attempt or not invite.attempt_id:
        return None
    return invite.guest_user, invite.attempt_id


async def _entries(
    connection: AsyncConnection, tenant: str, rows: Sequence[Row[Any]]
) -> tuple[HistoryEntry, ...]:
    """Calls with how what is written of them stands: of a guest's, the attempt's."""
    calls = [_call(row) for row in rows]
    keys = [_attempt_of(call) or (call.user.user, call.call_id) for call in calls]
    views = await call_views(connection, tenant, keys)
    none = ActivityView(state=ActivityState.NONE)
    return tuple(
        HistoryEntry(call, views.get(key, none))
        for call, key in zip(calls, keys, strict=True)
    )
