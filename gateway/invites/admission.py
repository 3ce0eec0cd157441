"""Who may come in by a link, and what is known of guests while they are here."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from gateway.calls.ports import GuestPass
from gateway.identity.tokens import AccessGrant
from gateway.identity.users import User, UserKey
from gateway.invites import text, views
from gateway.invites.board import Board
from gateway.invites.calendar import Method, calendar_entry
from gateway.invites.guests import Visit, guest_key
from gateway.invites.links import Links, hash_of
from gateway.invites.model import Guest, Invite, crm_record
from gateway.invites.plan import Sender
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.owned_tasks import OwnedTasks
from gateway.sessions.wire import ErrorKind, JoinState
from gateway.storage.database import StorageError
from gateway.storage.invites import FoundLink

logger = logging.getLogger(__name__)

# Gives an access token for a user, and what it grants.
Issue = Callable[[UserKey], tuple[str, AccessGrant]]
# A sign-in of this user is good no more.
Revoke = Callable[[UserKey, AccessGrant], None]


class JoinRefused(Exception):
    """Not by this link, not now; ``state`` says why."""

    def __init__(self, state: JoinState) -> None:
        super().__init__(f"the link is {state}")
        self.state = state


class GuestHouseFull(Exception):
    """Too many guests are here at once."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A found link as one browser sees it; ``browser`` is the hash of its secret."""

    found: FoundLink
    browser: str
    state: JoinState
    host: User | None

    @property
    def invite(self) -> Invite:
        return self.found.invite

    @property
    def guest(self) -> Guest:
        return self.found.guest


class Admission:
    """Implements :class:`gateway.calls.ports.Invites`.

    ``uid_host`` is the name behind the @ of calendar entries.
    """

    def __init__(self, board: Board, links: Links, *, uid_host: str) -> None:
        self._board = board
        self._links = links
        self._uid_host = uid_host
        self._tasks = OwnedTasks()

    async def close(self) -> None:
        await self._tasks.close()

    # Links ----------------------------------------------------------------------------

    async def find(self, token: str, browser: str) -> Seat | None:
        """What the link leads to; None for all that is wrong with one."""
        found = await self._board.store.by_link(hash_of(token))
        if found is None or not self._board.has_invites(found.invite.tenant):
            self._board.counters.links_unknown += 1
            return None
        return self._seat(found, hash_of(browser))

    def view(self, seat: Seat) -> wire.JoinView:
        return views.join_view(
            seat.state,
            seat.invite,
            seat.guest,
            seat.host,
            now=self._board.now(),
            open_before_s=self._early(seat.invite),
        )

    def calendar(self, seat: Seat, token: str) -> str:
        """The invite as an iCalendar file.

        Raises:
            JoinRefused: there is nothing to note down.
        """
        usable = (JoinState.EARLY, JoinState.OPEN, JoinState.IN_USE)
        if seat.state not in usable or seat.host is None:
            raise JoinRefused(seat.state)
        sender = Sender(seat.host, self._early(seat.invite))
        settings = self._board.settings(seat.invite.tenant)
        return calendar_entry(
            sender.content(seat.invite, seat.guest, seat.invite.sequence),
            Method.PUBLISH,
            uid=f"{seat.guest.guest_id}@{self._uid_host}",
            link=self._links.url(token),
            sender=settings.sender,
            made_at=self._board.now(),
        )

    async def enter(
        self, seat: Seat, name: str, *, issue: Issue, revoke: Revoke
    ) -> tuple[User, str]:
        """Let the guest in as ``name``; gives the user and an access token.

        Raises:
            JoinRefused: not, or not any more.
            GuestHouseFull: try again later.
            ValueError: the name has nothing to show.
        """
        shown = text.one_line(name)
        if not shown:
            raise ValueError("Say who you are.")
        if seat.state is not JoinState.OPEN or seat.host is None:
            raise self._refused(seat.state)
        invite, guest = seat.invite, seat.guest
        key = guest_key(invite.tenant, guest.guest_id)
        if not self._board.book.has_room(key):
            raise GuestHouseFull
        is_bound = await self._board.store.bind_browser(
            invite.tenant,
            guest.guest_id,
            generation=guest.generation,
            browser=seat.browser,
        )
        if not is_bound:
            raise self._refused(JoinState.USED_UP)
        # While that was kept, the rep may have changed their mind, or another
        # browser may have come in.
        current = await self._board.store.get(invite.key)
        again = current.guest(guest.guest_id) if current is not None else None
        if current is None or again is None:
            raise self._refused(JoinState.REVOKED)
        found = FoundLink(current, again, seat.found.generation)
        state = self._seat(found, seat.browser).state
        if state is not JoinState.OPEN:
            raise self._refused(state)
        return self._let_in(current, again, shown, seat, issue, revoke)

    def _let_in(
        self,
        invite: Invite,
        guest: Guest,
        name: str,
        seat: Seat,
        issue: Issue,
        revoke: Revoke,
    ) -> tuple[User, str]:
        host = seat.host
        assert host is not None
        user = User(
            key=guest_key(invite.tenant, guest.guest_id),
            name=name,
            number="",
            company=host.company,
            country=host.country,
            invite_id=invite.invite_id,
        )
        token, grant = issue(user.key)
        visit = Visit(
            user, invite, guest.guest_id, guest.generation, seat.browser, grant
        )
        before = self._board.book.enter(visit)
        if before is not None and before.browser != visit.browser:
            revoke(user.key, before.grant)
        self._board.counters.guests_entered += 1
        return user, token

    # Calls ----------------------------------------------------------------------------

    async def admit(self, guest: User) -> GuestPass:
        """See :class:`gateway.calls.ports.Invites`."""
        visit = self._board.book.visit(guest.key)
        if visit is None:
            raise RequestError(ErrorKind.INVITE_UNKNOWN, "The link is not valid.")
        invite = await self._board.store.get(visit.invite.key)
        if invite is not None and visit.invite.revision > invite.revision:
            # Changed while it was read: nobody tells a call that is about to begin.
            invite = visit.invite
        invited = invite.guest(visit.guest_id) if invite is not None else None
        if invite is None or invited is None:
            raise RequestError(ErrorKind.INVITE_UNKNOWN, "The link is not valid.")
        host = self._board.host_of(invite)
        if self._board.state(invite) is not wire.InviteState.OPEN or host is None:
            raise RequestError(
                ErrorKind.INVITE_CLOSED, "It is not the time of this call."
            )
        return GuestPass(
            invite_id=invite.invite_id,
            guest_id=invited.guest_id,
            guest=invited.name,
            subject=invite.subject,
            host=host,
            contact=crm_record(invite.contact),
            about=crm_record(invite.about),
            ends_at=invite.ends_at,
        )

    def call_changed(
        self,
        invite_id: str,
        guest_id: str,
        *,
        in_call: bool,
        answered: bool,
    ) -> None:
        """See :class:`gateway.calls.ports.Invites`.

        Who has called has come, whether or not anybody answered.
        """
        visit = self._board.book.by_guest(guest_id)
        if visit is None or visit.invite.invite_id != invite_id:
            return
        visit.call_changed(in_call=in_call, answered=answered)
        is_first = in_call and visit.joined_at is None
        if is_first:
            visit.joined_at = self._board.now()
        logger.info(
            "guest %s of invite %s: %s",
            guest_id,
            visit.invite.key,
            "left" if not in_call else "talks" if answered else "calls",
        )
        self._tasks.spawn(
            self._call_news(visit, is_first=is_first, is_answered=in_call and answered),
            name=f"guest {guest_id}",
        )

    async def _call_news(
        self, visit: Visit, *, is_first: bool, is_answered: bool
    ) -> None:
        key = visit.invite.key
        if is_first and visit.joined_at is not None:
            try:
                await self._board.store.guest_joined(
                    key, visit.guest_id, visit.joined_at
                )
            except StorageError as error:
                # Said again when the invite ends.
                logger.warning("invite %s: %s", key, error)
        await self._board.publish_current(key, is_answered=is_answered)

    # Snapshots ------------------------------------------------------------------------

    def join_of(self, guest: User) -> wire.JoinView | None:
        """What a guest who is here came for."""
        visit = self._board.book.visit(guest.key)
        if visit is None:
            return None
        invited = visit.invite.guest(visit.guest_id)
        if invited is None:
            return None
        found = FoundLink(visit.invite, invited, visit.generation)
        return self.view(self._seat(found, visit.browser))

    # ----------------------------------------------------------------------------------

    def _seat(self, found: FoundLink, browser: str) -> Seat:
        invite, guest = found.invite, found.guest
        visit = self._board.book.by_guest(guest.guest_id)
        in_call = visit.browser if visit is not None and visit.in_call else None
        host = self._board.host_of(invite)
        state = views.join_state(
            invite,
            guest,
            now=self._board.now(),
            open_before_s=self._early(invite),
            generation=found.generation,
            browser=browser,
            browser_in_call=in_call,
        )
        if host is None and state in (JoinState.EARLY, JoinState.OPEN):
            # The rep is with the company no more: nobody would answer.
            state = JoinState.CANCELLED
        return Seat(found, browser, state, host)

    def _early(self, invite: Invite) -> int:
        return self._board.settings(invite.tenant).open_before_s

    def _refused(self, state: JoinState) -> JoinRefused:
        self._board.counters.guests_refused += 1
        return JoinRefused(state)
