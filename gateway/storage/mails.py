"""The mails of invites: which are to be sent, and how far each has come.

``waiting`` -> ``sending`` -> ``sent``, ``failed`` or ``uncertain``; ``waiting`` again
when the server asks to come back; ``replaced`` when a newer mail to the same guest
made it pointless; ``bounced`` when what had left was reported as not delivered.
``sending`` is committed before the message leaves: whoever finds such a row after a
crash cannot know whether it did, so it becomes ``uncertain`` and is never sent again
by itself.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import case, exists, func, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from gateway.identity.users import UserKey
from gateway.invites.model import (
    InviteKey,
    Mail,
    MailContent,
    MailDraft,
    MailKind,
    kind_to_send,
)
from gateway.sessions.wire import MailState
from gateway.storage.database import Database
from gateway.storage.models import InviteMailRow

MAX_PROBLEM_LENGTH = 255
# Whose mail it is, and of which invite.
Owners = tuple[UserKey, InviteKey]


class MailRowState(enum.StrEnum):
    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    BOUNCED = "bounced"
    REPLACED = "replaced"


_VIEWS = {
    # Being sent is no news for a person.
    MailRowState.WAITING: MailState.WAITING,
    MailRowState.SENDING: MailState.WAITING,
    MailRowState.SENT: MailState.SENT,
    MailRowState.FAILED: MailState.FAILED,
    MailRowState.UNCERTAIN: MailState.UNCERTAIN,
    MailRowState.BOUNCED: MailState.BOUNCED,
}
# The guest has, or may have, heard of the invite by these.
_MAY_HAVE_ARRIVED = (
    MailRowState.SENDING,
    MailRowState.SENT,
    MailRowState.UNCERTAIN,
)


class MailStore:
    """The repository; ``owner`` names the node that sends through it."""

    def __init__(self, database: Database, *, owner: str) -> None:
        self._database = database
        self._owner = owner

    async def recover(self) -> tuple[tuple[UserKey, InviteKey], ...]:
        """What this node was sending when it died is uncertain now; whose it is."""
        async with self._database.writing() as connection:
            rows = await connection.execute(
                update(InviteMailRow)
                .where(
                    InviteMailRow.state == MailRowState.SENDING,
                    InviteMailRow.owner == self._owner,
                )
                .values(
                    state=MailRowState.UNCERTAIN,
                    problem="The gateway stopped while it was being sent.",
                )
                .returning(
                    InviteMailRow.tenant,
                    InviteMailRow.user_id,
                    InviteMailRow.invite_id,
                )
            )
            return tuple(
                (UserKey(tenant, user), InviteKey(tenant, invite_id))
                for tenant, user, invite_id in rows.all()
            )

    async def due(
        self, now: float, *, limit: int, exclude: Collection[int] = ()
    ) -> tuple[Mail, ...]:
        """Mails to be sent now, oldest first; of those in ``exclude`` none.

        A mail waits while another to the same guest is on its way.
        """
        other = aliased(InviteMailRow)
        is_busy = exists().where(
            other.tenant == InviteMailRow.tenant,
            other.guest_id == InviteMailRow.guest_id,
            other.state == MailRowState.SENDING,
        )
        query = (
            select(InviteMailRow.__table__)
            .where(
                InviteMailRow.state == MailRowState.WAITING,
                InviteMailRow.due_at <= now,
                InviteMailRow.id.not_in(exclude),
                ~is_busy,
            )
            .order_by(InviteMailRow.id)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return tuple(_mail(row) for row in rows)

    async def next_due(self, exclude: Collection[int] = ()) -> float | None:
        """Unix time at which the next waiting mail is due, None if none waits."""
        query = select(func.min(InviteMailRow.due_at)).where(
            InviteMailRow.state == MailRowState.WAITING,
            InviteMailRow.id.not_in(exclude),
        )
        async with self._database.reading() as connection:
            return (await connection.execute(query)).scalar()

    async def begin(self, mail: Mail) -> bool:
        """It leaves now: committed before it does. False: not any more, since
        something newer took its place, or another node sends it."""
        this = (
            InviteMailRow.id == mail.id,
            InviteMailRow.state == MailRowState.WAITING,
        )
        async with self._database.writing() as connection:
            await connection.execute(
                update(InviteMailRow)
                .where(*this, _has_newer(mail))
                .values(state=MailRowState.REPLACED)
            )
            result = await connection.execute(
                update(InviteMailRow)
                .where(*this)
                .values(
                    state=MailRowState.SENDING,
                    owner=self._owner,
                    attempts=InviteMailRow.attempts + 1,
                )
            )
        return bool(result.rowcount)

    async def settle(
        self, mail: Mail, state: MailRowState, *, problem: str = ""
    ) -> bool:
        """How it ended. False: a newer mail had taken its place before it left."""
        return await self._set(mail, state=state.value, problem=problem)

    async def again(self, mail: Mail, *, due_at: float, problem: str) -> bool:
        """Not now. Pointless, and therefore replaced, if there is a newer one."""
        state = case(
            (_has_newer(mail), MailRowState.REPLACED), else_=MailRowState.WAITING
        )
        return await self._set(
            mail,
            state=state,
            due_at=due_at,
            problem=problem,
            attempts=mail.attempts + 1,
        )

    async def guest_of(self, tenant: str, mail_id: int) -> str | None:
        """Whom a mail was for; None if the tenant has no such mail."""
        query = select(InviteMailRow.guest_id).where(
            InviteMailRow.tenant == tenant, InviteMailRow.id == mail_id
        )
        async with self._database.reading() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    async def bounced(self, tenant: str, mail_id: int, problem: str) -> Owners | None:
        """It was not delivered; whose it is. None: that is known, or it never left."""
        # A report can be faster than the answer to DATA.
        left = [MailRowState.SENDING, MailRowState.SENT, MailRowState.UNCERTAIN]
        return await self._report(
            tenant,
            mail_id,
            InviteMailRow.state.in_(left),
            state=MailRowState.BOUNCED.value,
            problem=problem[:MAX_PROBLEM_LENGTH],
        )

    async def delayed(self, tenant: str, mail_id: int, problem: str) -> Owners | None:
        """Its delivery takes longer. None: that is known, or something newer is."""
        return await self._report(
            tenant,
            mail_id,
            InviteMailRow.state == MailRowState.SENT,
            InviteMailRow.problem == "",
            problem=problem[:MAX_PROBLEM_LENGTH],
        )

    async def arrived(self, tenant: str, mail_id: int) -> Owners | None:
        """It was delivered after a delay. None: nobody had worried."""
        return await self._report(
            tenant,
            mail_id,
            InviteMailRow.state == MailRowState.SENT,
            InviteMailRow.problem != "",
            problem="",
        )

    async def _report(
        self, tenant: str, mail_id: int, *conditions: Any, **values: Any
    ) -> Owners | None:
        async with self._database.writing() as connection:
            result = await connection.execute(
                update(InviteMailRow)
                .where(
                    InviteMailRow.tenant == tenant,
                    InviteMailRow.id == mail_id,
                    *conditions,
                )
                .values(**values)
                .returning(InviteMailRow.user_id, InviteMailRow.invite_id)
            )
            row = result.one_or_none()
        if row is None:
            return None
        return UserKey(tenant, row.user_id), InviteKey(tenant, row.invite_id)

    async def counts(self) -> dict[MailRowState, int]:
        """How many mails are in each state."""
        query = select(InviteMailRow.state, func.count()).group_by(InviteMailRow.state)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return {MailRowState(state): count for state, count in rows}

    async def _set(self, mail: Mail, *, problem: str = "", **values: Any) -> bool:
        async with self._database.writing() as connection:
            result = await connection.execute(
                update(InviteMailRow)
                .where(
                    InviteMailRow.id == mail.id,
                    InviteMailRow.state.in_(
                        [MailRowState.WAITING, MailRowState.SENDING]
                    ),
                )
                .values(problem=problem[:MAX_PROBLEM_LENGTH], **values)
            )
        return bool(result.rowcount)


async def insert_mails(
    connection: AsyncConnection,
    invite: InviteKey,
    host: UserKey,
    mails: Iterable[MailDraft],
    *,
    now: float,
) -> int:
    """Part of the transaction that changes an invite; how many are to be sent.

    What still waits for the same guests is replaced.
    """
    count = 0
    for mail in mails:
        of_guest = (
            InviteMailRow.tenant == invite.tenant,
            InviteMailRow.guest_id == mail.guest_id,
        )
        await connection.execute(
            update(InviteMailRow)
            .where(*of_guest, InviteMailRow.state == MailRowState.WAITING)
            .values(state=MailRowState.REPLACED)
        )
        has_heard = exists().where(
            *of_guest, InviteMailRow.state.in_(_MAY_HAVE_ARRIVED)
        )
        is_first = not (await connection.execute(select(has_heard))).scalar_one()
        kind = kind_to_send(mail.kind, is_first=is_first)
        if kind is None:
            continue
        count += 1
        await connection.execute(
            insert(InviteMailRow).values(
                tenant=invite.tenant,
                user_id=host.user,
                invite_id=invite.invite_id,
                guest_id=mail.guest_id,
                generation=mail.generation,
                kind=kind.value,
                content=dataclasses.asdict(mail.content),
                has_body=True,
                state=MailRowState.WAITING.value,
                attempts=0,
                created_at=now,
                due_at=now,
                owner="",
                problem="",
            )
        )
    return count


async def mails_since(connection: AsyncConnection, user: UserKey, since: float) -> int:
    """How many mails the user has caused since this Unix time."""
    query = select(func.count()).where(
        InviteMailRow.tenant == user.tenant,
        InviteMailRow.user_id == user.user,
        InviteMailRow.created_at >= since,
    )
    return int((await connection.execute(query)).scalar_one())


async def newest_mails(
    connection: AsyncConnection, tenant: str, invite_ids: Collection[str]
) -> Mapping[str, tuple[MailState, str]]:
    """State and problem of the newest mail of each guest of the invites."""
    query = (
        select(InviteMailRow.guest_id, InviteMailRow.state, InviteMailRow.problem)
        .where(
            InviteMailRow.tenant == tenant,
            InviteMailRow.invite_id.in_(invite_ids),
            InviteMailRow.state != MailRowState.REPLACED,
        )
        .order_by(InviteMailRow.id)
    )
    rows = (await connection.execute(query)).all()
    return {
        guest_id: (_VIEWS[MailRowState(state)], problem)
        for guest_id, state, problem in rows
    }


def _has_newer(mail: Mail) -> Any:
    newer = aliased(InviteMailRow)
    return exists().where(
        newer.tenant == mail.invite.tenant,
        newer.guest_id == mail.guest_id,
        newer.id > mail.id,
    )


def _mail(row: Row[Any]) -> Mail:
    names = {field.name for field in dataclasses.fields(MailContent)}
    content = {name: value for name, value in row.content.items() if name in names}
    return Mail(
        id=row.id,
        invite=InviteKey(row.tenant, row.invite_id),
        host=UserKey(row.tenant, row.user_id),
        guest_id=row.guest_id,
        generation=row.generation,
        kind=MailKind(row.kind),
        content=MailContent(**content),
        attempts=row.attempts,
        created_at=row.created_at,
        due_at=row.due_at,
    )
