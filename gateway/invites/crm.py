"""The CRM's side of invites: an Event of each, a note of each no-show."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.activities.meetings import Invitee, InviteFacts, meeting_of, no_show_of
from gateway.identity.users import User, UserKey
from gateway.invites import window
from gateway.invites.model import Invite, crm_record
from gateway.sessions.wire import ActivityView, GuestRole, InviteState
from gateway.storage import Database, Outbox, put_activity, put_meeting


class InviteEvents:
    """What is to be in the CRM follows the invite in the transaction of its change.

    Args:
        user_of: a rep; None for one who is there no more.
        has_crm: whether a tenant has one.
        location: opens the rep's own page; never a guest's link.
        now: Unix seconds.
    """

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        *,
        user_of: Callable[[UserKey], User | None],
        has_crm: Callable[[str], bool],
        location: str,
        now: Callable[[], float],
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._user_of = user_of
        self._has_crm = has_crm
        self._location = location
        self._now = now

    async def changed(self, connection: AsyncConnection, invite: Invite) -> None:
        """Keep the invite as it is now, in the caller's transaction."""
        if not self._has_crm(invite.tenant):
            return
        host = self._user_of(invite.host)
        if host is None:
            return
        now = self._now()
        facts = self._facts(invite, now)
        about_it = (connection, self._database, invite.host, invite.invite_id)
        await put_meeting(*about_it, meeting_of(facts, host), now=now)
        if facts.state is InviteState.NO_SHOW:
            await put_activity(*about_it, no_show_of(facts, host), now=now)

    async def views(
        self, host: UserKey, invite_ids: Collection[str]
    ) -> Mapping[str, ActivityView]:
        """How the Events of a host's invites stand."""
        return await self._outbox.meeting_views(host, invite_ids)

    def _facts(self, invite: Invite, now: float) -> InviteFacts:
        return InviteFacts(
            invite_id=invite.invite_id,
            # Whether it has opened makes no difference to a calendar.
            state=window.state_of(invite, now, 0),
            subject=invite.subject,
            starts_at=invite.starts_at,
            ends_at=invite.ends_at,
            invitees=tuple(
                Invitee(
                    name=guest.name,
                    email=guest.email,
                    is_colleague=guest.role is GuestRole.COLLEAGUE,
                    joined_at=guest.joined_at,
                )
                for guest in invite.present
            ),
            text=invite.text,
            location=self._location,
            time_zone=invite.time_zone,
            contact=crm_record(invite.contact),
            about=crm_record(invite.about),
        )
