"""What goes into the outbox, in the transaction of what it tells of.

A note is put in once, a call's activity when the call ends; what the rep writes later
changes that row. A meeting is put in at each change. In all cases: one row by its key,
the newest state in it, and the revision counts.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import delete, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.activities.work_view import refused_next_step
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
    """ACTIVITY: a call or a note. NEXT_STEP: a call's task for later. MEETING: put in
    at each change."""

    ACTIVITY = "activity"
    NEXT_STEP = "next_step"
    MEETING = "meeting"


async def insert_activity(
    connection: AsyncConnection,
    database: Database,
    user: UserKey,
    call_id: str,
    activity: Activity,
    *,
    now: float,
    due_at: float = 0.0,
    kind: OutboxKind = OutboxKind.ACTIVITY,
) -> bool:
    """Part of the transaction that ends a call; False if the key is there already.
    ``due_at``: Unix seconds; what has passed by ``now`` is due now."""
    return await _insert(
        connection,
        database,
        user,
        activity,
        call_id=call_id,
        invite_id="",
        now=now,
        due_at=due_at,
        kind=kind,
    )


async def put_call_activity(
    connection: AsyncConnection,
    database: Database,
    user: UserKey,
    call_id: str,
    activity: Activity | None,
    *,
    kind: OutboxKind,
    now: float,
    due_at: float,
) -> None:
    """What the call's activity is by now, and when it is due.

    The row's own key stays, and so does its due time if it is being tried already. No
    activity takes back a task for later that nobody has tried to write; all else stays.
    """
    row = await _of_call(connection, user, call_id, kind)
    if row is None:
        if activity is not None:
            for candidate in _keyed(activity, user):
                if await insert_activity(
                    connection,
                    database,
                    user,
                    call_id,
                    candidate,
                    now=now,
                    due_at=due_at,
                    kind=kind,
                ):
                    return
            logger.error("call %s of %s: no free activity key", call_id, user)
        return
    if activity is None:
        if kind is OutboxKind.NEXT_STEP and not row.sent:
            await connection.execute(delete(OutboxRow).where(OutboxRow.id == row.id))
        return
    old = activity_from_json(row.activity)
    new = replace(
        activity,
        key=old.key,
        match_number=activity.match_number
        or ("" if activity.who_id else old.match_number),
    )
    values: dict[str, Any] = {}
    if new != old:
        values = _changed(now) | {"activity": activity_to_json(new)}
        if row.record_id and not row.sent:
            # Written by a version that kept no book of that.
            values["sent"] = [row.activity]
    elif row.state != OutboxState.WAITING or row.attempts:
        return
    values["due_at"] = max(now, due_at)
    await connection.execute(
        update(OutboxRow).where(OutboxRow.id == row.id).values(**values)
    )


async def retry_call(
    connection: AsyncConnection, user: UserKey, call_id: str, *, now: float
) -> bool:
    """What of the call was refused waits again, due now; False if nothing was."""
    result = await connection.execute(
        update(OutboxRow)
        .where(
            OutboxRow.tenant == user.tenant,
            OutboxRow.user_id == user.user,
            OutboxRow.call_id == call_id,
            OutboxRow.state == OutboxState.FAILED,
        )
        .values(state=OutboxState.WAITING, due_at=now, queued_at=now, attempts=0)
    )
    return bool(result.rowcount)


async def call_views(
    connection: AsyncConnection, tenant: str, calls: Collection[tuple[str, str]]
) -> dict[tuple[str, str], ActivityView]:
    """How the activity of each call stands, by (user, call id); those without one are
    left out. A task for later shows only when it was refused."""
    if not calls:
        return {}
    query = select(OutboxRow.__table__).where(
        OutboxRow.tenant == tenant,
        OutboxRow.user_id.in_({user for user, _ in calls}),
        OutboxRow.call_id.in_({call_id for _, call_id in calls}),
    )
    rows = (await connection.execute(query)).all()
    views = {
        (row.user_id, row.call_id): view_of(row)
        for row in rows
        if row.kind == OutboxKind.ACTIVITY
    }
    for row in rows:
        key = (row.user_id, row.call_id)
        if row.kind != OutboxKind.NEXT_STEP or row.state != OutboxState.FAILED:
            continue
        if (view := views.get(key)) and view.state is ActivityState.WRITTEN:
            views[key] = refused_next_step(view, row.problem)
    return views


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
    due_at: float = 0.0,
    kind: OutboxKind = OutboxKind.ACTIVITY,
) -> bool:
    if isinstance(activity, Meeting):
        kind = OutboxKind.MEETING
    values: dict[str, Any] = {
        "tenant": user.tenant,
        "user_id": user.user,
        "call_id": call_id,
        "invite_id": invite_id,
        "key": activity.key,
        "kind": kind.value,
        "activity": meeting_to_json(activity)
        if isinstance(activity, Meeting)
        else activity_to_json(activity),
        "revision": 1,
        "state": OutboxState.WAITING.value,
        "attempts": 0,
        "created_at": now,
        "queued_at": now,
        "due_at": max(now, due_at),
        "lease_owner": "",
        "leased_until": 0.0,
        "problem": "",
        "code": "",
        "record_id": "",
        "url": "",
        "sent": [],
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
    """Link what is written of the call to other records, and have it written (again).

    Wrap-up is not cut short by it.
    """
    for kind in (OutboxKind.ACTIVITY, OutboxKind.NEXT_STEP):
        row = await _of_call(connection, user, call_id, kind)
        if row is None:
            continue
        old = activity_from_json(row.activity)
        new = replace(old, who_id=who_id, what_id=what_id, match_number="")
        if new == old:
            continue
        values = _changed(now) | {"activity": activity_to_json(new)}
        if row.state == OutboxState.WAITING and not row.attempts:
            values["due_at"] = max(now, row.due_at)
        if row.record_id and not row.sent:
            values["sent"] = [row.activity]
        await connection.execute(
            update(OutboxRow).where(OutboxRow.id == row.id).values(**values)
        )


async def _of_call(
    connection: AsyncConnection, user: UserKey, call_id: str, kind: OutboxKind
) -> Row[Any] | None:
    """Its row, nobody else's until the transaction ends."""
    query = select(OutboxRow.__table__).where(
        OutboxRow.tenant == user.tenant,
        OutboxRow.user_id == user.user,
        OutboxRow.call_id == call_id,
        OutboxRow.kind == kind,
    )
    return (await connection.execute(query.with_for_update())).one_or_none()
