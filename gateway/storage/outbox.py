"""The outbox: activities that are to be in the CRM, and how far each has come.

A row is ``waiting`` until the CRM has it (``written``) or a person must look
(``failed``, the dead letters). A worker *claims* rows for a while (a lease); a
worker that dies lets the lease run out and another takes the row. Two workers can
therefore write the same activity, which its key in the CRM makes harmless.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.engine import Row

from gateway.crm.connector import Activity, Meeting
from gateway.identity.users import UserKey
from gateway.sessions.wire import ActivityView
from gateway.storage.database import Database
from gateway.storage.models import OutboxRow
from gateway.storage.outbox_rows import OutboxKind, OutboxState, meeting_views
from gateway.storage.serial import (
    activity_from_json,
    activity_to_json,
    meeting_from_json,
)

MAX_PROBLEM_LENGTH = 1000
MAX_LISTED = 1000
MAX_SENT = 4


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One activity, of a call or of an invite (the other id is ""). Times are Unix
    seconds; ``attempts`` those that reached the CRM or tried to; ``problem`` and
    ``code`` of the last one. ``earlier``: versions that the CRM may have, because
    somebody was about to write them."""

    id: int
    user: UserKey
    call_id: str
    invite_id: str
    kind: OutboxKind
    activity: Activity | Meeting
    revision: int
    state: OutboxState
    attempts: int
    created_at: float
    queued_at: float
    due_at: float
    problem: str
    code: str
    record_id: str
    url: str
    earlier: tuple[Activity, ...] = ()


class Outbox:
    """The repository; ``owner`` names the worker that claims through it."""

    def __init__(self, database: Database, *, owner: str) -> None:
        self._database = database
        self._owner = owner

    async def due_tenants(self, now: float) -> tuple[str, ...]:
        """Tenants that have something to write at this Unix time."""
        query = select(OutboxRow.tenant).where(*_free(now)).distinct()
        async with self._database.reading() as connection:
            return tuple((await connection.execute(query)).scalars())

    async def next_due(self, exclude: Collection[str] = ()) -> float | None:
        """Unix time at which the next row may be claimed, None if none waits."""
        # A row is free when both times have passed: the later one counts.
        free_at = case(
            (OutboxRow.due_at > OutboxRow.leased_until, OutboxRow.due_at),
            else_=OutboxRow.leased_until,
        )
        query = select(func.min(free_at)).where(
            OutboxRow.state == OutboxState.WAITING, OutboxRow.tenant.not_in(exclude)
        )
        async with self._database.reading() as connection:
            at = (await connection.execute(query)).scalar_one()
        return None if at is None else float(at)

    async def claim(
        self, tenant: str, *, now: float, limit: int, lease_s: float
    ) -> tuple[OutboxEntry, ...]:
        """Take up to ``limit`` due rows of the tenant, oldest calls first."""
        query = (
            select(OutboxRow.__table__)
            .where(OutboxRow.tenant == tenant, *_free(now))
            .order_by(OutboxRow.id)
            .limit(limit)
        )
        claimed = []
        async with self._database.writing() as connection:
            for found in (await connection.execute(query)).all():
                values: dict[str, Any] = {}
                if found.kind != OutboxKind.MEETING:
                    # Before it is sent: a crash must not forget what may be there.
                    values["sent"] = _with(found.sent, found.activity)
                # The condition again: between two nodes the first update wins.
                result = await connection.execute(
                    update(OutboxRow)
                    .where(
                        OutboxRow.id == found.id,
                        OutboxRow.revision == found.revision,
                        *_free(now),
                    )
                    .values(lease_owner=self._owner, leased_until=now + lease_s)
                    .values(**values)
                    .returning(OutboxRow.__table__)
                )
                row = result.one_or_none()
                if row is not None:
                    earlier = tuple(map(activity_from_json, found.sent))
                    claimed.append(replace(_entry(row), earlier=earlier))
        return tuple(claimed)

    async def sending(self, entry: OutboxEntry, activity: Activity) -> None:
        """It goes out as this, which is more than the row says."""
        async with self._database.writing() as connection:
            query = select(OutboxRow.sent).where(OutboxRow.id == entry.id)
            sent = (await connection.execute(query.with_for_update())).scalar_one()
            await connection.execute(
                update(OutboxRow)
                .where(OutboxRow.id == entry.id)
                .values(sent=_with(sent, activity_to_json(activity)))
            )

    async def mark_written(
        self,
        entry: OutboxEntry,
        *,
        record_id: str,
        url: str,
        activity: Activity | None = None,
    ) -> bool:
        """The CRM has it, or this ``activity`` instead of the row's. False if it was
        changed since it was claimed: the newer revision is free to be written."""
        now_there: dict[str, Any] = {}
        if isinstance(written := activity or entry.activity, Activity):
            now_there["sent"] = [activity_to_json(written)]
        async with self._database.writing() as connection:
            result = await connection.execute(
                update(OutboxRow)
                .where(OutboxRow.id == entry.id, OutboxRow.revision == entry.revision)
                .values(
                    state=OutboxState.WRITTEN,
                    attempts=OutboxRow.attempts + 1,
                    lease_owner="",
                    leased_until=0.0,
                    record_id=record_id,
                    url=url,
                    problem="",
                    code="",
                    **now_there,
                )
            )
            if result.rowcount:
                return True
            await connection.execute(
                update(OutboxRow)
                .where(OutboxRow.id == entry.id)
                .values(lease_owner="", leased_until=0.0, record_id=record_id, url=url)
            )
        return False

    async def mark_retry(
        self,
        entry: OutboxEntry,
        *,
        due_at: float,
        problem: str,
        code: str,
        counts: bool = True,
    ) -> None:
        """Not now: again at ``due_at``. ``counts`` False for one that never left."""
        await self._update(
            entry,
            due_at=due_at,
            attempts=OutboxRow.attempts + (1 if counts else 0),
            problem=problem[:MAX_PROBLEM_LENGTH],
            code=code[:128],
        )

    async def mark_failed(self, entry: OutboxEntry, *, problem: str, code: str) -> None:
        """Never, unless a person changes something: a dead letter."""
        await self._update(
            entry,
            state=OutboxState.FAILED,
            attempts=OutboxRow.attempts + 1,
            problem=problem[:MAX_PROBLEM_LENGTH],
            code=code[:128],
        )

    async def postpone(self, tenant: str, *, until: float) -> int:
        """Let nothing of the tenant be due before this; how many that moved."""
        async with self._database.writing() as connection:
            result = await connection.execute(
                update(OutboxRow)
                .where(
                    OutboxRow.tenant == tenant,
                    OutboxRow.state == OutboxState.WAITING,
                    OutboxRow.due_at < until,
                )
                .values(due_at=until)
            )
        return result.rowcount

    async def listing(
        self,
        *,
        tenant: str | None = None,
        state: OutboxState = OutboxState.FAILED,
        limit: int = 100,
    ) -> tuple[OutboxEntry, ...]:
        """Rows in one state, oldest first; ``tenant`` None means all."""
        query = (
            select(OutboxRow.__table__)
            .where(OutboxRow.state == state)
            .order_by(OutboxRow.id)
            .limit(max(1, min(limit, MAX_LISTED)))
        )
        if tenant is not None:
            query = query.where(OutboxRow.tenant == tenant)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return tuple(_entry(row) for row in rows)

    async def retry(
        self,
        tenant: str,
        *,
        now: float,
        call_id: str | None = None,
        invite_id: str | None = None,
    ) -> int:
        """Dead letters of the tenant (or of one call or invite) wait again; how many.

        Waiting ones become due at once as well, but those that wait for the rep.
        """
        statement = (
            update(OutboxRow)
            .where(
                OutboxRow.tenant == tenant,
                OutboxRow.state.in_([OutboxState.FAILED, OutboxState.WAITING]),
                or_(OutboxRow.due_at <= now, OutboxRow.code != ""),
            )
            .values(state=OutboxState.WAITING, due_at=now, queued_at=now, attempts=0)
        )
        if call_id is not None:
            statement = statement.where(OutboxRow.call_id == call_id)
        if invite_id is not None:
            statement = statement.where(OutboxRow.invite_id == invite_id)
        async with self._database.writing() as connection:
            return (await connection.execute(statement)).rowcount

    async def meeting_views(
        self, user: UserKey, invite_ids: Iterable[str]
    ) -> dict[str, ActivityView]:
        """How the Event of each invite stands; those without one are left out."""
        async with self._database.reading() as connection:
            return await meeting_views(connection, user, invite_ids)

    async def counts(self) -> dict[tuple[str, OutboxState], int]:
        """How many rows each tenant has in each state, for metrics."""
        query = select(OutboxRow.tenant, OutboxRow.state, func.count()).group_by(
            OutboxRow.tenant, OutboxRow.state
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return {(tenant, OutboxState(state)): count for tenant, state, count in rows}

    async def release(self) -> None:
        """Give back all that this owner has claimed, at shutdown or after a crash."""
        async with self._database.writing() as connection:
            await connection.execute(
                update(OutboxRow)
                .where(OutboxRow.lease_owner == self._owner)
                .values(lease_owner="", leased_until=0.0)
            )

    async def _update(self, entry: OutboxEntry, **values: Any) -> None:
        async with self._database.writing() as connection:
            # A row that changed meanwhile keeps its own state and due time.
            await connection.execute(
                update(OutboxRow)
                .where(
                    OutboxRow.id == entry.id,
                    OutboxRow.revision == entry.revision,
                    OutboxRow.state == OutboxState.WAITING,
                )
                .values(**values)
            )
            await connection.execute(
                update(OutboxRow)
                .where(OutboxRow.id == entry.id, OutboxRow.lease_owner == self._owner)
                .values(lease_owner="", leased_until=0.0)
            )


def _free(now: float) -> tuple[Any, ...]:
    return (
        OutboxRow.state == OutboxState.WAITING,
        OutboxRow.due_at <= now,
        OutboxRow.leased_until <= now,
    )


def _with(sent: list[dict[str, Any]], activity: dict[str, Any]) -> list[dict[str, Any]]:
    """One more version that may be there; what surely is there is the first one."""
    versions = [*(each for each in sent if each != activity), activity]
    return versions if len(versions) <= MAX_SENT else [versions[0], *versions[2:]]


def _entry(row: Row[Any]) -> OutboxEntry:
    kind = OutboxKind(row.kind)
    return OutboxEntry(
        id=row.id,
        user=UserKey(row.tenant, row.user_id),
        call_id=row.call_id,
        invite_id=row.invite_id,
        kind=kind,
        activity=meeting_from_json(row.activity)
        if kind is OutboxKind.MEETING
        else activity_from_json(row.activity),
        revision=row.revision,
        state=OutboxState(row.state),
        attempts=row.attempts,
        created_at=row.created_at,
        queued_at=row.queued_at,
        due_at=row.due_at,
        problem=row.problem,
        code=row.code,
        record_id=row.record_id,
        url=row.url,
    )
