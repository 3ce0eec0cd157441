"""Activities that the CRM refused: what an operator sees, and how they go on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.crm.connector import Activity
from gateway.storage.outbox import Outbox
from gateway.storage.outbox_rows import OutboxKind, OutboxState


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One activity that will not be written unless a person does something.

    ``call_id`` or ``invite_id`` is "", as for :class:`OutboxEntry`; ``started_at`` is
    the start of the call or meeting.
    """

    tenant: str
    user: str
    call_id: str
    invite_id: str
    kind: OutboxKind
    started_at: datetime
    subject: str
    attempts: int
    code: str
    problem: str


async def list_dead_letters(
    outbox: Outbox,
    *,
    tenant: str | None = None,
    state: OutboxState = OutboxState.FAILED,
    limit: int = 100,
) -> tuple[DeadLetter, ...]:
    """Oldest first; ``tenant`` None for all; ``state`` WAITING shows the queue."""
    return tuple(
        DeadLetter(
            tenant=entry.user.tenant,
            user=entry.user.user,
            call_id=entry.call_id,
            invite_id=entry.invite_id,
            kind=entry.kind,
            started_at=(
                entry.activity.started_at
                if isinstance(entry.activity, Activity)
                else entry.activity.starts_at
            ).astimezone(UTC),
            subject=entry.activity.subject,
            attempts=entry.attempts,
            code=entry.code,
            problem=entry.problem,
        )
        for entry in await outbox.listing(tenant=tenant, state=state, limit=limit)
    )


async def retry(
    outbox: Outbox,
    tenant: str,
    *,
    now: float,
    call_id: str | None = None,
    invite_id: str | None = None,
) -> int:
    """Try again now: all of the tenant's, or one call's or invite's; how many.
    ``now`` is Unix."""
    return await outbox.retry(tenant, now=now, call_id=call_id, invite_id=invite_id)
