"""What goes into the outbox, in the transaction of what it tells of.

A call's activity and a note are put in once. A meeting is put in at each change: one
row by its key, the newest state in it, and the revision counts.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.crm.connector import Activity, Meeting
from gateway.identity.users import UserKey
from gateway.sessions.wire import ActivityState, ActivityView
from gateway.storage.database import Database
from gateway.storage.models import OutboxRow
from gateway.storage.serial import (
    activity_from_json,
    activity_to_json,
    meeting_to_json,
)

logger = logging.getLogger(__name__)

Written = TypeVar("Written", Activity, Meeting)


class OutboxState(enum.StrEnum):
    WAITING = "waiting"
    WRITTEN = "written"
    FAILED = "failed"


class OutboxKind(enum.StrEnum):
    """ACTIVITY: a call or a note, put in once. MEETING: put in at each change."""

    ACTIVITY = "activity"
    MEETING = "meeting"


async def insert_activity(
    connection: AsyncConnection,
    database: Database,
    user: UserKey,
    call_id: str,
    activity: Activity,
    *,
    now: float,
) -> bool:
    """Part of the transaction that ends a call; False if the key is there already."""
    return await _insert(
        connection, database, user, activity, call_id=call_id, invite_id="", now=now
    )


async def put_activity(
    connection: AsyncConnection,
    database: Database,
    user: UserKey,
    invite_id: str,
    activity: Activity,
    *,
    now: float,
) -> bool:
    """A note about an invite (a no-show), once, in the caller's transaction; False if
    it is there already. ``now`` is Unix seconds.

    Wake the writer when the transaction is committed.
    """
    for candidate in _keyed(activity, user):
        if await _insert(
            connection,
            database,
            user,
            candidate,
            call_id="",
            invite_id=invite_id,
            now=now,
        ):
            return True
        if (await _locked(connection, user.tenant, candidate.key)).user_id == user.user:
            break
    return False


async def put_meeting(
    connection: AsyncConnection,
    database: Database,
    user: UserKey,
    invite_id: str,
    meeting: Meeting,
    *,
    now: float,
) -> ActivityView:
    """The invite's newest state, in the caller's transaction; how its Event stands.

    The same state again changes nothing; another is written (again), also after a
    refusal. ``now`` is Unix seconds. Wake the writer when the transaction is
    committed.
    """
    for candidate in _keyed(meeting, user):
        if await _insert(
            connection,
            database,
            user,
            candidate,
            call_id="",
            invite_id=invite_id,
            now=now,
        ):
            return ActivityView(state=ActivityState.WAITING)
        row = await _locked(connection, user.tenant, candidate.key)
        if row.user_id != user.user:
            # Invite ids are the clients' own: a colleague's Event is not to be taken.
            continue
        state = meeting_to_json(candidate)
        if row.activity == state:
            return view_of(row)
        await connection.execute(
            update(OutboxRow)
            .where(OutboxRow.id == row.id)
            .values(activity=state, **_changed(now))
        )
        return ActivityView(
            state=ActivityState.WAITING, record_id=row.record_id, url=row.url
        )
    logger.error("invite %s of %s: no free activity key", invite_id, user)
    return ActivityView(state=ActivityState.NONE)


async def meeting_views(
    connection: AsyncConnection, user: UserKey, invite_ids: Iterable[str]
) -> dict[str, ActivityView]:
    """See :meth:`Outbox.meeting_views`."""
    query = select(OutboxRow.__table__).where(
        OutboxRow.tenant == user.tenant,
        OutboxRow.user_id == user.user,
        OutboxRow.invite_id.in_([each for each in invite_ids if each]),
        OutboxRow.kind == OutboxKind.MEETING,
    )
    rows = (await connection.execute(query)).all()
    return {row.invite_id: view_of(row) for row in rows}


def view_of(row: Row[Any]) -> ActivityView:
    """``row`` has ``state``, ``record_id``, ``url`` and ``problem`` of an activity."""
    return ActivityView(
        state=_VIEW_OF_STATE[OutboxState(row.state)],
        record_id=row.record_id,
        url=row.url,
        problem=row.problem[:255],
    )


_VIEW_OF_STATE = {
    OutboxState.WAITING: ActivityState.WAITING,
    OutboxState.WRITTEN: ActivityState.WRITTEN,
    OutboxState.FAILED: ActivityState.FAILED,
}


def _keyed(activity: Written, user: UserKey) -> tuple[Written, Written]:
    """The activity under its key, and under one that can only be the user's."""
    return activity, replace(activity, key=f"{activity.key}:{user.user}")


async def _insert(
    connection: AsyncConnection,
    database: Database,
    user: UserKey,
    activity: Activity | Meeting,
    *,
    call_id: str,
    invite_id: str,
    now: float,
) -> bool:
    is_meeting = isinstance(activity, Meeting)
    values: dict[str, Any] = {
        "tenant": user.tenant,
        "user_id": user.user,
        "call_id": call_id,
        "invite_id": invite_id,
        "key": activity.key,
        "kind": (OutboxKind.MEETING if is_meeting else OutboxKind.ACTIVITY).value,
        "activity": meeting_to_json(activity)
        if isinstance(activity, Meeting)
        else activity_to_json(activity),
        "revision": 1,
        "state": OutboxState.WAITING.value,
        "attempts": 0,
        "created_at": now,
        "queued_at": now,
        "due_at": now,
        "lease_owner": "",
        "leased_until": 0.0,
        "problem": "",
        "code": "",
        "record_id": "",
        "url": "",
    }
    result = await connection.execute(database.insert_or_ignore(OutboxRow, values))
    return bool(result.rowcount)


async def _locked(connection: AsyncConnection, tenant: str, key: str) -> Row[Any]:
    """The row of a key that is there, nobody else's until the transaction ends."""
    query = select(OutboxRow.__table__).where(
        OutboxRow.tenant == tenant, OutboxRow.key == key
    )
    return (await connection.execute(query.with_for_update())).one()


def _changed(now: float) -> dict[str, Any]:
    """A row whose activity is another now: to be written, whatever was before."""
    return {
        "revision": OutboxRow.revision + 1,
        "state": OutboxState.WAITING.value,
        "attempts": 0,
        "queued_at": now,
        "due_at": now,
        "problem": "",
        "code": "",
    }


async def replace_activity(
    connection: AsyncConnection,
    user: UserKey,
    call_id: str,
    *,
    who_id: str,
    what_id: str,
    now: float,
) -> None:
    """Link the call's activity to other records and have it written (again)."""
    row = await _of_call(connection, user, call_id)
    if row is None:
        return
    old = activity_from_json(row.activity)
    new = replace(old, who_id=who_id, what_id=what_id, match_number="")
    if new == old:
        return
    await connection.execute(
        update(OutboxRow)
        .where(OutboxRow.id == row.id)
        .values(activity=activity_to_json(new), **_changed(now))
    )


async def rewrite_activity(
    connection: AsyncConnection,
    user: UserKey,
    call_id: str,
    activity: Activity,
    *,
    now: float,
) -> bool:
    """Put another activity in the place of the call's and have it written (again);
    False if the call has none."""
    row = await _of_call(connection, user, call_id)
    if row is None:
        return False
    new = replace(activity, key=activity_from_json(row.activity).key)
    await connection.execute(
        update(OutboxRow)
        .where(OutboxRow.id == row.id)
        .values(activity=activity_to_json(new), **_changed(now))
    )
    return True


async def _of_call(
    connection: AsyncConnection, user: UserKey, call_id: str
) -> Row[Any] | None:
    """The row of the call's activity, nobody else's until the transaction ends."""
    query = select(OutboxRow.__table__).where(
        OutboxRow.tenant == user.tenant,
        OutboxRow.user_id == user.user,
        OutboxRow.call_id == call_id,
    )
    return (await connection.execute(query.with_for_update())).one_or_none()
