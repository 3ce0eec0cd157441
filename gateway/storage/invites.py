"""Invites, their guests and links; with each change, its mails in the same commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, insert, or_, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.identity.users import UserKey
from gateway.invites.model import (
    MAX_BROWSERS,
    Guest,
    Invite,
    InviteKey,
    MailDraft,
)
from gateway.sessions.wire import GuestRole, MailState, Record
from gateway.storage.database import Database
from gateway.storage.mails import insert_mails, mails_since, newest_mails
from gateway.storage.models import InviteGuestRow, InviteLinkRow, InviteRow

MAX_LISTED = 100

# Called in the transaction of each change, with the invite as it is then: whoever
# keeps something of it elsewhere (the CRM's outbox) does so in the same commit.
MeetingChanged = Callable[[AsyncConnection, Invite], Awaitable[None]]


async def nobody_else(_: AsyncConnection, __: Invite) -> None:
    """A :data:`MeetingChanged` for tenants without a CRM."""


@dataclass(frozen=True, slots=True)
class FoundLink:
    """What a token's hash leads to; ``generation`` is the link's own."""

    invite: Invite
    guest: Guest
    generation: int


@dataclass(frozen=True, slots=True)
class Made:
    """How much a user has made since a moment."""

    invites: int
    mails: int


class InviteStore:
    """The repository. Every method names the tenant but :meth:`by_link`.

    ``on_committed`` is called when what ``meeting_changed`` kept is there to be read.
    """

    def __init__(
        self,
        database: Database,
        *,
        meeting_changed: MeetingChanged = nobody_else,
        on_committed: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._meeting_changed = meeting_changed
        self._on_committed = on_committed

    async def get(self, key: InviteKey) -> Invite | None:
        async with self._database.reading() as connection:
            return await _load(connection, key)

    async def add(
        self,
        invite: Invite,
        *,
        mails: Sequence[MailDraft],
        links: Mapping[str, str],
        now: float,
    ) -> Invite | None:
        """Keep a new invite; None if the tenant has one with this id already.

        ``links``: the hash of each guest's token, by guest id.
        """
        async with self._database.writing() as connection:
            result = await connection.execute(
                self._database.insert_or_ignore(InviteRow, _values(invite))
            )
            if not result.rowcount:
                return None
            kept = await self._keep(connection, invite, mails, links, now)
        self._on_committed()
        return kept

    async def save(
        self,
        invite: Invite,
        *,
        mails: Sequence[MailDraft] = (),
        links: Mapping[str, str] | None = None,
        now: float,
    ) -> Invite | None:
        """Keep a changed invite; None, and nothing is kept, if it was changed since
        ``invite.revision`` was read. When guests came is not the writer's to say."""
        values = _values(invite) | {"revision": invite.revision + 1}
        async with self._database.writing() as connection:
            result = await connection.execute(
                update(InviteRow)
                .where(*_is(invite.key), InviteRow.revision == invite.revision)
                .values(**values)
            )
            if not result.rowcount:
                return None
            kept = await self._keep(connection, invite, mails, links or {}, now)
        self._on_committed()
        return kept

    async def listing(
        self,
        host: UserKey,
        *,
        past: bool,
        now: float,
        limit: int,
        after: Invite | None = None,
    ) -> tuple[Invite, ...]:
        """The host's invites: what comes, next first, or what is over, newest first;
        ``after``: the last of the page before."""
        is_past = or_(InviteRow.cancelled_at.is_not(None), InviteRow.ends_at <= now)
        query = select(InviteRow.invite_id).where(
            InviteRow.tenant == host.tenant,
            InviteRow.user_id == host.user,
            is_past if past else ~is_past,
        )
        start, name = InviteRow.starts_at, InviteRow.invite_id
        if after is not None:
            at, last = after.starts_at, after.invite_id
            further = start < at if past else start > at
            beside = name < last if past else name > last
            query = query.where(or_(further, and_(start == at, beside)))
        order = (start.desc(), name.desc()) if past else (start, name)
        query = query.order_by(*order).limit(max(1, min(limit, MAX_LISTED)))
        async with self._database.reading() as connection:
            found = (await connection.execute(query)).scalars().all()
            return await _load_many(connection, host.tenant, found)

    async def unclosed(self) -> tuple[Invite, ...]:
        """All invites whose end has not been dealt with, of all tenants."""
        query = select(InviteRow.tenant, InviteRow.invite_id).where(
            InviteRow.ended_at.is_(None), InviteRow.cancelled_at.is_(None)
        )
        by_tenant: dict[str, list[str]] = {}
        invites: list[Invite] = []
        async with self._database.reading() as connection:
            for tenant, invite_id in (await connection.execute(query)).all():
                by_tenant.setdefault(tenant, []).append(invite_id)
            for tenant, names in by_tenant.items():
                for at in range(0, len(names), MAX_LISTED):
                    chunk = names[at : at + MAX_LISTED]
                    invites += await _load_many(connection, tenant, chunk)
        return tuple(invites)

    async def made_since(self, user: UserKey, since: float) -> Made:
        """What the user has made since this Unix time, for limits."""
        query = select(func.count()).where(
            InviteRow.tenant == user.tenant,
            InviteRow.user_id == user.user,
            InviteRow.created_at >= since,
        )
        async with self._database.reading() as connection:
            invites = int((await connection.execute(query)).scalar_one())
            return Made(invites, await mails_since(connection, user, since))

    # Links and guests -----------------------------------------------------------------

    async def by_link(self, token_hash: str) -> FoundLink | None:
        """What a link leads to. The same statements whether it is known or not."""
        query = select(InviteLinkRow.__table__).where(
            InviteLinkRow.token_hash == token_hash
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
            key = InviteKey(row.tenant, row.invite_id) if row else InviteKey("", "")
            invite = await _load(connection, key)
        if row is None or invite is None:
            return None
        for guest in invite.guests:
            if guest.guest_id == row.guest_id:
                return FoundLink(invite, guest, row.generation)
        return None

    async def add_links(
        self, links: Iterable[tuple[Invite, Mapping[str, str]]]
    ) -> None:
        """Know these links too: the key that makes them was changed."""
        async with self._database.writing() as connection:
            for invite, hashes in links:
                await self._add_links(connection, invite, hashes)

    async def bind_browser(
        self, tenant: str, guest_id: str, *, generation: int, browser: str
    ) -> bool:
        """This browser uses the link. False: as many as may already do, or the link
        is not of this generation any more."""
        query = (
            select(InviteGuestRow.browsers)
            .where(
                *_is_guest(tenant, guest_id),
                InviteGuestRow.generation == generation,
                InviteGuestRow.removed_at.is_(None),
            )
            .with_for_update()
        )
        async with self._database.writing() as connection:
            browsers = (await connection.execute(query)).scalar_one_or_none()
            if browsers is None:
                return False
            if browser in browsers:
                return True
            if len(browsers) >= MAX_BROWSERS:
                return False
            await connection.execute(
                update(InviteGuestRow)
                .where(*_is_guest(tenant, guest_id))
                .values(browsers=[*browsers, browser])
            )
        return True

    async def guest_joined(self, key: InviteKey, guest_id: str, at: float) -> None:
        """The guest was in the call at this Unix time; the first time counts."""
        async with self._database.writing() as connection:
            result = await connection.execute(
                update(InviteGuestRow)
                .where(
                    *_is_guest(key.tenant, guest_id),
                    InviteGuestRow.joined_at.is_(None),
                )
                .values(joined_at=at)
            )
            invite = await _load(connection, key) if result.rowcount else None
            if invite is not None:
                await self._meeting_changed(connection, invite)
        if invite is not None:
            self._on_committed()

    # Parts of transactions ------------------------------------------------------------

    async def _keep(
        self,
        connection: AsyncConnection,
        invite: Invite,
        mails: Sequence[MailDraft],
        links: Mapping[str, str],
        now: float,
    ) -> Invite:
        await _keep_guests(connection, invite)
        await self._add_links(connection, invite, links)
        await insert_mails(connection, invite.key, invite.host, mails, now=now)
        kept = await _load(connection, invite.key)
        assert kept is not None
        await self._meeting_changed(connection, kept)
        return kept

    async def _add_links(
        self, connection: AsyncConnection, invite: Invite, links: Mapping[str, str]
    ) -> None:
        for guest in invite.present:
            if guest.guest_id in links:
                values = {
                    "tenant": invite.tenant,
                    "token_hash": links[guest.guest_id],
                    "invite_id": invite.invite_id,
                    "guest_id": guest.guest_id,
                    "generation": guest.generation,
                }
                await connection.execute(
                    self._database.insert_or_ignore(InviteLinkRow, values)
                )


async def _keep_guests(connection: AsyncConnection, invite: Invite) -> None:
    known_query = select(InviteGuestRow.guest_id, InviteGuestRow.generation).where(
        InviteGuestRow.tenant == invite.tenant,
        InviteGuestRow.invite_id == invite.invite_id,
    )
    known_rows = (await connection.execute(known_query)).all()
    known = {row.guest_id: row.generation for row in known_rows}
    for position, guest in enumerate(invite.guests):
        values: dict[str, Any] = {
            "position": position,
            "name": guest.name,
            "email": guest.email,
            "role": guest.role.value,
            "time_zone": guest.time_zone,
            "generation": guest.generation,
            "removed_at": guest.removed_at,
        }
        if guest.guest_id not in known:
            values |= {
                "tenant": invite.tenant,
                "guest_id": guest.guest_id,
                "invite_id": invite.invite_id,
                "browsers": list(guest.browsers),
                "joined_at": guest.joined_at,
            }
            await connection.execute(insert(InviteGuestRow).values(**values))
            continue
        if known[guest.guest_id] != guest.generation:
            values["browsers"] = []
        await connection.execute(
            update(InviteGuestRow)
            .where(*_is_guest(invite.tenant, guest.guest_id))
            .values(**values)
        )


async def _load(connection: AsyncConnection, key: InviteKey) -> Invite | None:
    found = await _load_many(connection, key.tenant, (key.invite_id,))
    return found[0] if found else None


async def _load_many(
    connection: AsyncConnection, tenant: str, invite_ids: Collection[str]
) -> tuple[Invite, ...]:
    """In the order of the ids."""
    rows = await connection.execute(
        select(InviteRow.__table__).where(
            InviteRow.tenant == tenant, InviteRow.invite_id.in_(invite_ids)
        )
    )
    invites = {row.invite_id: row for row in rows.all()}
    guest_rows = await connection.execute(
        select(InviteGuestRow.__table__)
        .where(
            InviteGuestRow.tenant == tenant,
            InviteGuestRow.invite_id.in_(invite_ids),
        )
        .order_by(InviteGuestRow.position)
    )
    mails = await newest_mails(connection, tenant, invite_ids)
    guests: dict[str, list[Guest]] = {}
    for row in guest_rows.all():
        guests.setdefault(row.invite_id, []).append(_guest(row, mails))
    return tuple(
        _invite(invites[name], tuple(guests.get(name, ())))
        for name in invite_ids
        if name in invites
    )


def _is(key: InviteKey) -> tuple[Any, ...]:
    return (InviteRow.tenant == key.tenant, InviteRow.invite_id == key.invite_id)


def _is_guest(tenant: str, guest_id: str) -> tuple[Any, ...]:
    return (InviteGuestRow.tenant == tenant, InviteGuestRow.guest_id == guest_id)


def _values(invite: Invite) -> dict[str, Any]:
    return {
        "tenant": invite.tenant,
        "invite_id": invite.invite_id,
        "user_id": invite.host.user,
        "subject": invite.subject,
        "text": invite.text,
        "starts_at": invite.starts_at,
        "ends_at": invite.ends_at,
        "time_zone": invite.time_zone,
        "language": invite.language,
        "sends_mail": invite.sends_mail,
        "contact": _record_to_json(invite.contact),
        "about": _record_to_json(invite.about),
        "sequence": invite.sequence,
        "created_at": invite.created_at,
        "cancelled_at": invite.cancelled_at,
        "ended_at": invite.ended_at,
        "draft_hash": invite.draft_hash,
        "ops": list(invite.ops),
        "revision": invite.revision,
    }


def _invite(row: Row[Any], guests: tuple[Guest, ...]) -> Invite:
    return Invite(
        tenant=row.tenant,
        invite_id=row.invite_id,
        host=UserKey(row.tenant, row.user_id),
        subject=row.subject,
        text=row.text,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        time_zone=row.time_zone,
        language=row.language,
        guests=guests,
        created_at=row.created_at,
        sends_mail=row.sends_mail,
        contact=_record_from_json(row.contact),
        about=_record_from_json(row.about),
        sequence=row.sequence,
        cancelled_at=row.cancelled_at,
        ended_at=row.ended_at,
        draft_hash=row.draft_hash,
        ops=tuple(row.ops),
        revision=row.revision,
    )


def _guest(row: Row[Any], mails: Mapping[str, tuple[MailState, str]]) -> Guest:
    mail, problem = mails.get(row.guest_id, (MailState.NONE, ""))
    return Guest(
        guest_id=row.guest_id,
        name=row.name,
        email=row.email,
        role=GuestRole(row.role),
        time_zone=row.time_zone,
        generation=row.generation,
        browsers=tuple(row.browsers),
        joined_at=row.joined_at,
        removed_at=row.removed_at,
        mail=mail,
        mail_problem=problem,
    )


def _record_to_json(record: Record | None) -> dict[str, Any] | None:
    return None if record is None else record.model_dump()


def _record_from_json(value: dict[str, Any] | None) -> Record | None:
    return None if value is None else Record.model_validate(value)
