"""One user's session: who is attached to it, and what they have been told.

A session is OPENING while the backend brings it up, then DETACHED or ATTACHED as
sockets come and go, CLOSING while the backend takes it down, CLOSED. Several pages may
be attached, one of which has the phone (``Pages``); all are told the same. Everything
here is synchronous, so a snapshot, its ``seq`` and the frames that follow can never
disagree.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from gateway.identity.tokens import AccessGrant
from gateway.identity.users import User, UserKey
from gateway.sessions import frames
from gateway.sessions.backend import RequestError
from gateway.sessions.counters import SessionCounters
from gateway.sessions.event_log import EventLog
from gateway.sessions.pages import Change, Outlet, Pages
from gateway.sessions.requests import Requests
from gateway.sessions.resume_token import ResumeTokens
from gateway.sessions.wire import (
    CLOSE_SUPERSEDED,
    Event,
    SessionOwner,
    SessionOwnerEvent,
    SessionSupersededEvent,
)

logger = logging.getLogger(__name__)

# Sign-ins that a sign-out ends; a user rarely has two at once.
MAX_GRANTS = 8


class SessionState(enum.StrEnum):
    OPENING = "opening"
    DETACHED = "detached"
    ATTACHED = "attached"
    CLOSING = "closing"
    CLOSED = "closed"


class Session:
    """See the module. Owned by a ``SessionDirectory``."""

    def __init__(
        self,
        user: User,
        session_id: str,
        *,
        requests: Requests,
        pages: Pages,
        random_bytes: Callable[[int], bytes],
        now: float,
    ) -> None:
        self.user = user
        self.session_id = session_id
        self.state = SessionState.OPENING
        self.log = EventLog()
        self.tokens = ResumeTokens(session_id, str(user.key), random_bytes=random_bytes)
        self.pages = pages
        # Calls that the owner has muted; where the phone goes they stay so.
        self.muted: tuple[str, ...] = ()
        # Looks whether an observer has to become the owner.
        self.election: asyncio.TimerHandle | None = None
        self.requests = requests
        # Access tokens that opened it, newest last.
        self.grants: deque[AccessGrant] = deque(maxlen=MAX_GRANTS)
        # When the last socket went; meaningful while DETACHED.
        self.detached_at = now
        # Why the backend could not open it.
        self.opening_error: RequestError | None = None

    @property
    def is_live(self) -> bool:
        return self.state in (SessionState.ATTACHED, SessionState.DETACHED)

    def move(self, state: SessionState) -> None:
        logger.debug("= session %s %s -> %s", self.user.key, self.state, state)
        self.state = state

    def is_attached_to(self, outlet: Outlet) -> bool:
        return self.pages.of(outlet) is not None

    def is_owned_by(self, outlet: Outlet) -> bool:
        """The page that this socket is for has the phone."""
        page = self.pages.of(outlet)
        return page is not None and page is self.pages.owner

    def used_by(self, outlet: Outlet) -> None:
        """The user does something in the page of this socket."""
        if (page := self.pages.of(outlet)) is not None:
            self.pages.used(page)

    @property
    def owner(self) -> SessionOwner | None:
        """The page that has the phone, or had it last."""
        page = self.pages.owner
        if page is None:
            return None
        return SessionOwner(
            instance_id=page.instance_id, is_window=page.is_window, muted=self.muted
        )

    def publish(
        self, event: type[Event], fields: dict[str, Any], *, now: float, at_ms: int
    ) -> None:
        """Log an event and send it to all who are attached.

        Raises:
            pydantic.ValidationError: the fields are not the event's.
        """
        self._logged(event(seq=self.log.head + 1, at=at_ms, **fields), now)

    def _logged(self, event: Event, now: float, but: Outlet | None = None) -> str:
        frame = frames.notification(event)
        self.log.append(frame, now=now)
        for outlet in self.pages.outlets:
            if outlet is not but:
                outlet.send(frame)
        return frame

    def changed(
        self, change: Change, *, now: float, at_ms: int, is_greeted: bool = True
    ) -> bool:
        """Tell the pages what became of them; True if the phone was taken from one.

        A page whose greeting is not answered yet (not ``is_greeted``) is told by that.
        """
        greeting = None if is_greeted else change.page.outlet
        is_taken = False
        for outlet in change.replaced:
            # As good as dead, and not told that another page took over.
            outlet.close(CLOSE_SUPERSEDED, "resumed by another socket")
        if (page := change.superseded) is not None:
            if page.outlet is not None:
                event = SessionSupersededEvent(seq=self.log.head + 1, at=at_ms)
                page.outlet.send(self._logged(event, now, greeting))
                page.outlet.close(CLOSE_SUPERSEDED, "another page has taken over")
                is_taken = True
            self.tokens.supersede(page.instance_id)
        if (page := change.evicted) is not None and page.outlet is not None:
            page.outlet.close(CLOSE_SUPERSEDED, "too many pages are open")
            self.tokens.supersede(page.instance_id)
        owner, is_alone = self.owner, len(self.pages.outlets) == 1
        if change.has_new_owner and owner is not None and (is_greeted or not is_alone):
            seq = self.log.head + 1
            self._logged(
                SessionOwnerEvent(seq=seq, at=at_ms, owner=owner), now, greeting
            )
            is_taken = is_taken or not is_alone
        return is_taken

    def attach(self, outlet: Outlet, first: Iterable[str]) -> None:
        """Send ``first``; what is published follows, as the page is known already."""
        self.move(SessionState.ATTACHED)
        for frame in first:
            outlet.send(frame)

    def mute(self, call_ids: tuple[str, ...], *, now: float, at_ms: int) -> None:
        """The owner has muted these calls and no others."""
        if call_ids == self.muted:
            return
        self.muted = call_ids
        owner = self.owner
        if owner is not None and len(self.pages.outlets) > 1:
            seq = self.log.head + 1
            self._logged(SessionOwnerEvent(seq=seq, at=at_ms, owner=owner), now)

    def acknowledge(self, outlet: Outlet, seq: int) -> None:
        """A page has every event up to ``seq``; the owner's are kept no longer.

        Raises:
            ValueError: there is no such event yet.
        """
        if seq > self.log.head:
            raise ValueError(f"there is no event {seq} yet")
        if self.is_owned_by(outlet):
            self.log.acknowledge(seq)

    def detach(self, outlet: Outlet, *, now: float, resume_window_s: float) -> bool:
        """The socket is gone; True if it was the last one."""
        page = self.pages.leave(outlet, now)
        if page is None:
            return False
        self.tokens.limit(page.instance_id, now + resume_window_s)
        if self.state is SessionState.ATTACHED and not self.pages.outlets:
            self.detached_at = now
            self.move(SessionState.DETACHED)
            return True
        return False

    def disconnect(self, code: int, reason: str, *, but: Outlet | None = None) -> None:
        """Close the attached sockets; the session stays."""
        for outlet in self.pages.outlets:
            if outlet is not but:
                outlet.close(code, reason)

    def stop_election(self) -> None:
        if self.election is not None:
            self.election.cancel()
            self.election = None


class SessionEvents:
    """The sessions by user, as what publishes to them sees it: a ``Publisher``.

    Made before the backend that publishes and the directory that fills it.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        counters: SessionCounters | None = None,
    ) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self.counters = counters if counters is not None else SessionCounters()
        self.sessions: dict[UserKey, Session] = {}

    def publish(self, user: UserKey, event: type[Event], **fields: Any) -> None:
        """Append to the user's event log with the next ``seq``; no session: dropped.

        Raises:
            pydantic.ValidationError: the fields are not the event's.
        """
        session = self.sessions.get(user)
        if session is None:
            self.counters.events_without_session += 1
            return
        self.counters.events += 1
        session.publish(event, fields, now=self._clock(), at_ms=self.now_ms())

    def now_ms(self) -> int:
        """Unix milliseconds."""
        return int(self._wall_clock() * 1000)
