"""One user's session: who is attached to it, and what they have been told.

A session is OPENING while the backend brings it up, then DETACHED or ATTACHED as
sockets come and go, CLOSING while the backend takes it down, CLOSED. At most one
socket is attached. Everything here is synchronous, so a snapshot, its ``seq`` and
the frames that follow can never disagree.
"""

from __future__ import annotations

import enum
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from gateway.identity.tokens import AccessGrant
from gateway.identity.users import User, UserKey
from gateway.sessions import frames
from gateway.sessions.backend import RequestError
from gateway.sessions.counters import SessionCounters
from gateway.sessions.event_log import EventLog
from gateway.sessions.requests import Requests
from gateway.sessions.resume_token import ResumeToken
from gateway.sessions.wire import (
    CLOSE_SUPERSEDED,
    Event,
    SessionSupersededEvent,
)

logger = logging.getLogger(__name__)

# Sign-ins that a sign-out ends; a user rarely has two at once.
MAX_GRANTS = 8


class Outlet(Protocol):
    """The sending side of a socket. Nothing raises; after ``close`` nothing is sent."""

    def send(self, frame: str) -> None:
        """Queue a frame, or give the socket up if the client is too slow."""

    def close(self, code: int, reason: str) -> None:
        """Close after what was queued."""


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
        random_bytes: Callable[[int], bytes],
        now: float,
    ) -> None:
        self.user = user
        self.session_id = session_id
        self.state = SessionState.OPENING
        self.log = EventLog()
        self.token = ResumeToken(session_id, str(user.key), random_bytes=random_bytes)
        self.requests = requests
        # Access tokens that opened it, newest last.
        self.grants: deque[AccessGrant] = deque(maxlen=MAX_GRANTS)
        # When the last socket went; meaningful while DETACHED.
        self.detached_at = now
        # The page that has it, or had it last, is a call's window.
        self.is_in_window = False
        # Why the backend could not open it.
        self.opening_error: RequestError | None = None
        self._outlet: Outlet | None = None

    @property
    def is_live(self) -> bool:
        return self.state in (SessionState.ATTACHED, SessionState.DETACHED)

    def move(self, state: SessionState) -> None:
        logger.debug("= session %s %s -> %s", self.user.key, self.state, state)
        self.state = state

    def is_attached_to(self, outlet: Outlet) -> bool:
        return self._outlet is outlet

    def publish(
        self, event: type[Event], fields: dict[str, Any], *, now: float, at_ms: int
    ) -> None:
        """Log an event and send it if somebody is attached.

        Raises:
            pydantic.ValidationError: the fields are not the event's.
        """
        message = event(seq=self.log.head + 1, at=at_ms, **fields)
        frame = frames.notification(message)
        self.log.append(frame, now=now)
        if self._outlet is not None:
            self._outlet.send(frame)

    def supersede(self, *, now: float, at_ms: int) -> bool:
        """Tell the attached page that another takes over; True if there was one."""
        if self._outlet is None:
            return False
        self.publish(SessionSupersededEvent, {}, now=now, at_ms=at_ms)
        self._outlet.close(CLOSE_SUPERSEDED, "another page has taken over")
        self._outlet = None
        return True

    def attach(self, outlet: Outlet, first: Iterable[str]) -> None:
        """Send ``first``, then everything that is published, to ``outlet``."""
        if self._outlet is not None:
            # The same page by a new socket: the old one is as good as dead.
            self._outlet.close(CLOSE_SUPERSEDED, "resumed by another socket")
        self._outlet = outlet
        self.move(SessionState.ATTACHED)
        for frame in first:
            outlet.send(frame)

    def detach(self, outlet: Outlet, *, now: float) -> bool:
        """The socket is gone; False if it was not the attached one any more."""
        if self._outlet is not outlet:
            return False
        self._outlet = None
        if self.state is SessionState.ATTACHED:
            self.detached_at = now
            self.move(SessionState.DETACHED)
            return True
        return False

    def disconnect(self, code: int, reason: str) -> None:
        """Close the attached socket, if any; the session stays."""
        if self._outlet is not None:
            self._outlet.close(code, reason)


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
