"""What the rep's side and the guests' side share: settings, views, news, counts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.identity.users import User, UserKey
from gateway.invites import views, window
from gateway.invites.guests import GuestBook
from gateway.invites.model import Invite, InviteKey
from gateway.invites.ports import EventViews, no_events
from gateway.sessions import wire
from gateway.sessions.backend import Publisher, RequestError
from gateway.sessions.wire import ErrorKind
from gateway.storage.database import StorageError
from gateway.storage.invites import InviteStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TenantInvites:
    """A tenant's settings. ``sender``: where mails come from, "" without mail."""

    language: str
    open_before_s: int
    max_per_user_and_day: int
    sender: str = ""


@dataclass(slots=True)
class InviteCounters:
    """For metrics; all only grow. ``links_unknown``: wrong, for whatever reason."""

    created: int = 0
    changed: int = 0
    cancelled: int = 0
    extended: int = 0
    resent: int = 0
    ended: int = 0
    no_shows: int = 0
    guests_entered: int = 0
    guests_refused: int = 0
    links_unknown: int = 0
    joins_limited: int = 0


class Board:
    """``now`` gives Unix seconds."""

    def __init__(
        self,
        store: InviteStore,
        book: GuestBook,
        publisher: Publisher,
        tenants: Mapping[str, TenantInvites],
        *,
        now: Callable[[], float],
        event_views: EventViews = no_events,
    ) -> None:
        self.store = store
        self.book = book
        self.publisher = publisher
        self.now = now
        self.counters = InviteCounters()
        self._tenants = tenants
        self._event_views = event_views

    def settings(self, tenant: str) -> TenantInvites:
        """Raises RequestError where invites are not set up."""
        settings = self._tenants.get(tenant)
        if settings is None:
            raise RequestError(
                ErrorKind.POLICY_DENIED, "Video invites are not set up here."
            )
        return settings

    def has_invites(self, tenant: str) -> bool:
        return tenant in self._tenants

    def state(self, invite: Invite) -> wire.InviteState:
        settings = self._tenants.get(invite.tenant)
        early = settings.open_before_s if settings is not None else 0
        return window.state_of(invite, self.now(), early)

    def host_of(self, invite: Invite) -> User | None:
        """The rep whose invite it is; None if they are there no more."""
        return self.book.user(invite.host)

    async def views(self, invites: Sequence[Invite]) -> tuple[wire.InviteView, ...]:
        """As their host sees them; all of one host."""
        if not invites:
            return ()
        host = invites[0].host
        events = await self._event_views(host, [each.invite_id for each in invites])
        none = wire.ActivityView(state=wire.ActivityState.NONE)
        settings = self.settings(host.tenant)
        return tuple(
            views.invite_view(
                invite,
                now=self.now(),
                open_before_s=settings.open_before_s,
                in_call=self.book.in_call(invite.key),
                event=events.get(invite.invite_id, none),
            )
            for invite in invites
        )

    async def view(self, invite: Invite) -> wire.InviteView:
        (view,) = await self.views((invite,))
        return view

    async def publish(self, invite: Invite) -> wire.InviteView:
        """Tell the host how it is now."""
        view = await self.view(invite)
        self.publisher.publish(invite.host, wire.InviteUpdatedEvent, invite=view)
        return view

    async def publish_current(
        self, key: InviteKey, *, is_answered: bool = False
    ) -> None:
        """Something beside the invite has changed (a mail, the CRM's event, a call that
        is answered): read it and tell the host. What cannot be read is told by the next
        change."""
        if not self.has_invites(key.tenant):
            return
        try:
            invite = await self.store.get(key)
            if invite is not None:
                await self.publish(invite)
                # Who meets only now has not heard the warnings so far.
                if is_answered and window.ends_soon(invite, self.now()):
                    self.publish_ending(invite)
        except StorageError as error:
            logger.warning("news of invite %s: %s", key, error)

    def publish_ending(self, invite: Invite) -> None:
        """Tell the host and the guests who are here when it ends."""
        listeners: list[UserKey] = [invite.host]
        listeners += [visit.user.key for visit in self.book.of_invite(invite.key)]
        for key in listeners:
            self.publisher.publish(
                key,
                wire.InviteEndingEvent,
                invite_id=invite.invite_id,
                ends_at=round(invite.ends_at * 1000),
            )
