"""All sessions of the service: one per user, found by user and by session id.

A hello opens the user's session or comes to it; a resume continues it; a session
that nobody is attached to ends with the resume window. The backend hears of each,
and whatever it raises ends one request, never a session.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.identity.directory import UserDirectory
from gateway.identity.tickets import Tickets
from gateway.identity.tokens import AccessGrant
from gateway.identity.users import User, UserKey
from gateway.sessions import frames, wire
from gateway.sessions.backend import Backend, RequestError
from gateway.sessions.counters import SessionCounters
from gateway.sessions.owned_tasks import OwnedTasks
from gateway.sessions.pages import Change, Outlet, Page, Pages
from gateway.sessions.requests import (
    MAX_REQUESTS_IN_FLIGHT,
    PERFORM_TIMEOUT_S,
    Requests,
)
from gateway.sessions.resume_token import TokenVerdict
from gateway.sessions.session import Session, SessionEvents, SessionState
from gateway.sessions.wire import (
    CLOSE_DRAIN,
    CLOSE_NO_HELLO,
    CLOSE_SIGNED_OUT,
    ErrorKind,
    Event,
    Snapshot,
)

logger = logging.getLogger(__name__)

# After a proxy's restart thousands of windows end within a moment of each other.
SWEEP_INTERVAL_S = 0.1


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """In seconds; ``transition_timeout_s`` bounds the backend's open and close."""

    resume_window_s: float = wire.RESUME_WINDOW_S
    perform_timeout_s: float = PERFORM_TIMEOUT_S
    transition_timeout_s: float = 10.0
    max_requests_in_flight: int = MAX_REQUESTS_IN_FLIGHT
    max_sessions: int = 10_000
    owner_grace_s: float = wire.OWNER_GRACE_S


class SessionDirectory:
    """See the module. Implements :class:`gateway.sessions.backend.Publisher`.

    The caller must ``await close()`` before the event loop ends.

    Args:
        backend: what stands behind the sessions.
        users: who exists, checked at each hello and resume.
        tickets: what a hello presents.
        events: made earlier when the backend needs a publisher first.
        clock: monotonic seconds; ``wall_clock``: Unix seconds.
        revoke: told the access tokens of a user who signs out.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        users: UserDirectory,
        tickets: Tickets,
        events: SessionEvents | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
        limits: SessionLimits | None = None,
        revoke: Callable[[AccessGrant], None] | None = None,
    ) -> None:
        self._backend = backend
        self._users = users
        self._tickets = tickets
        self._clock = clock
        self._random_bytes = random_bytes
        self._limits = limits or SessionLimits()
        self._revoke = revoke
        self._events = events or SessionEvents(clock=clock, wall_clock=wall_clock)
        self._sessions = self._events.sessions
        self._by_id: dict[str, Session] = {}
        # Opening or closing, by user; whoever comes meanwhile waits for it.
        self._transitions: dict[UserKey, asyncio.Task[None]] = {}
        self._tasks = OwnedTasks()
        self._timer: asyncio.TimerHandle | None = None
        self._is_draining = False

    @property
    def counters(self) -> SessionCounters:
        return self._events.counters

    @property
    def is_draining(self) -> bool:
        return self._is_draining

    @property
    def session_count(self) -> int:
        return len(self._sessions)

    @property
    def attached_count(self) -> int:
        return sum(s.state is SessionState.ATTACHED for s in self._sessions.values())

    def publish(self, user: UserKey, event: type[Event], **fields: Any) -> None:
        """See :class:`gateway.sessions.backend.Publisher`."""
        self._events.publish(user, event, **fields)

    # Attaching ------------------------------------------------------------------------

    async def enter(
        self, ticket: str, *, is_allowed: Callable[[str], bool] = lambda _: True
    ) -> Session:
        """The session of the ticket's user, opened if there is none.

        ``is_allowed`` is asked whether the socket may serve the user's tenant.

        Raises:
            RequestError: the ticket is not good, or no session can be opened.
        """
        grant = self._tickets.redeem(ticket)
        user = self._users.user(grant.user) if grant is not None else None
        if grant is None or user is None:
            raise self._refuse_hello(
                RequestError(ErrorKind.AUTH_DENIED, "The ticket is not valid any more.")
            )
        if not is_allowed(user.key.tenant):
            raise self._refuse_hello(
                RequestError(
                    ErrorKind.POLICY_DENIED, "This web site may not use the gateway."
                )
            )
        try:
            session = await self._live_session(user)
        except RequestError as error:
            raise self._refuse_hello(error) from None
        if grant not in session.grants:
            session.grants.append(grant)
        return session

    def greet(
        self,
        session: Session,
        outlet: Outlet,
        request_id: frames.RequestId | None,
        params: wire.SessionHello,
    ) -> None:
        """Attach a new page, as the owner of the phone or as an observer.

        Raises:
            RequestError: there is no snapshot, or a call's window has the session and
                this page yields to it; nothing has changed.
        """
        now = self._clock()
        if wire.CAP_YIELDS in params.caps and session.pages.is_in_window(now):
            raise self._refuse_hello(
                RequestError(
                    ErrorKind.SESSION_SUPERSEDED, "The call's window has the session."
                )
            )
        snapshot = self._snapshot(session)
        change = session.pages.join(
            params.client.instance_id,
            outlet,
            role=params.role,
            instead_of=params.instead_of,
            is_window=wire.CAP_CALL_WINDOW in params.caps,
            now=now,
        )
        if params.instead_of is not None:
            session.tokens.revoke(params.instead_of)
        self._changed(session, change, is_greeted=False)
        if change.has_new_owner:
            # The snapshot has all of it; others may have to be content with theirs.
            session.log.acknowledge(session.log.head)
        result = wire.SessionHelloResult(
            session_id=session.session_id,
            resume_token=session.tokens.rotate(params.client.instance_id),
            resume_window_s=int(self._limits.resume_window_s),
            seq=session.log.head,
            snapshot=snapshot,
            owner=session.owner,
        )
        self.counters.hellos += 1
        outcome = frames.result_outcome(result)
        session.attach(outlet, (frames.response(request_id, outcome),))
        self._tell("session_attached", session.user)

    def resume(
        self,
        outlet: Outlet,
        request_id: frames.RequestId | None,
        params: wire.SessionResume,
        *,
        is_allowed: Callable[[str], bool] = lambda _: True,
    ) -> Session:
        """Continue a session by a new socket of the same page.

        Raises:
            RequestError: not with this token, or not any more.
        """
        session = self._by_id.get(params.session_id)
        if session is None or not session.is_live:
            raise self._refuse_resume(ErrorKind.SESSION_UNKNOWN)
        if not is_allowed(session.user.key.tenant):
            raise self._refuse_resume(ErrorKind.POLICY_DENIED)
        if self._users.user(session.user.key) is None:
            raise self._refuse_resume(ErrorKind.AUTH_DENIED)
        now = self._clock()
        match session.tokens.present(params.resume_token, params.instance_id, now):
            case TokenVerdict.VALID:
                pass
            case TokenVerdict.SUPERSEDED:
                raise self._refuse_resume(ErrorKind.SESSION_SUPERSEDED)
            case TokenVerdict.WRONG_INSTANCE:
                self.counters.resume_tokens_stolen += 1
                logger.warning(
                    "a resume token of %s was presented by another page",
                    session.user.key,
                )
                raise self._refuse_resume(ErrorKind.SESSION_UNKNOWN)
            case TokenVerdict.UNKNOWN:
                raise self._refuse_resume(ErrorKind.SESSION_UNKNOWN)
        pages = session.pages
        # What can not observe has no token once another page is the owner.
        page = pages.known(params.instance_id) or Page(
            params.instance_id, None, can_observe=True, is_window=False
        )
        self._changed(session, pages.back(page, outlet, now), is_greeted=False)
        missed = session.log.since(params.last_seq, now=now)
        snapshot = self._snapshot(session) if missed is None else None
        result = wire.SessionResumeResult(
            resumed=missed is not None,
            resume_token=session.tokens.rotate(params.instance_id),
            seq=session.log.head,
            replay_from=params.last_seq + 1 if missed else None,
            snapshot=snapshot,
            owner=session.owner,
        )
        if missed is None:
            self.counters.resumes_by_snapshot += 1
        else:
            self.counters.resumes_replayed += 1
        answer = frames.response(request_id, frames.result_outcome(result))
        session.attach(outlet, (answer, *(missed or ())))
        self._tell("session_attached", session.user)
        return session

    def detach(self, session: Session, outlet: Outlet) -> None:
        """A socket is gone; the window runs if it was the last one."""
        if session.detach(
            outlet,
            now=self._clock(),
            resume_window_s=self._limits.resume_window_s,
        ):
            self.counters.detached += 1
            self._tell("session_detached", session.user)
            self._arm()
        self._await_election(session)

    # Who has the phone ----------------------------------------------------------------

    def take(self, session: Session, outlet: Outlet) -> None:
        """The user wants the phone in the page of this attached socket."""
        page = session.pages.of(outlet)
        if page is not None and page is not session.pages.owner:
            self._changed(session, session.pages.take(page))

    def mute(self, session: Session, call_ids: tuple[str, ...]) -> None:
        """The owner has muted these calls and no others."""
        session.mute(call_ids, now=self._clock(), at_ms=self._events.now_ms())

    def elect(self, session: Session) -> None:
        """Give the phone to an observer, if its owner has been away for too long."""
        session.stop_election()
        change = session.pages.elect(self._clock()) if session.is_live else None
        if change is not None:
            self.counters.elections += 1
            self._changed(session, change)
        else:
            self._await_election(session)

    def _changed(
        self, session: Session, change: Change, *, is_greeted: bool = True
    ) -> None:
        if change.evicted is not None:
            self.counters.observers_evicted += 1
        if session.changed(
            change,
            now=self._clock(),
            at_ms=self._events.now_ms(),
            is_greeted=is_greeted,
        ):
            self.counters.takeovers += 1
        self._await_election(session)

    def _await_election(self, session: Session) -> None:
        session.stop_election()
        due = session.pages.due
        if due is not None and session.is_live:
            session.election = asyncio.get_running_loop().call_later(
                max(0.0, due - self._clock()), self.elect, session
            )

    # Ending ---------------------------------------------------------------------------

    def sign_out(
        self,
        session: Session,
        done: Callable[[], None],
        *,
        page: Outlet | None = None,
    ) -> None:
        """End the session for good; ``done`` is called when that is done.

        ``page`` asks for it, and is told by ``done``.
        """
        if session.is_live:
            session.disconnect(CLOSE_SIGNED_OUT, "signed out elsewhere", but=page)
            self.counters.sessions_signed_out += 1
            self._tickets.revoke(session.user.key)
            # Closing from here on: whoever hears of a revoked grant ends it not again.
            _ = self._begin_closing(session, signed_out=True, done=done)
            if self._revoke is not None:
                for grant in session.grants:
                    self._revoke(grant)

    def expel(self, user: UserKey) -> None:
        """End the user's session, if any, whether somebody is attached or not."""
        session = self._sessions.get(user)
        if session is None or not session.is_live:
            return
        session.disconnect(CLOSE_NO_HELLO, "the session has ended")
        self.sign_out(session, lambda: None)

    def lapse(
        self, user: UserKey, is_good: Callable[[AccessGrant], bool], waits: bool
    ) -> bool:
        """End the user's session unless one of its grants is good.

        Returns:
            False when it has to be tried again: the session is just opening, or a
            call goes on and ``waits`` says that it may.
        """
        self._tickets.revoke(user)
        session = self._sessions.get(user)
        if session is None or session.state is SessionState.CLOSING:
            return True
        if not session.is_live or not session.grants:
            return False
        good = [grant for grant in session.grants if is_good(grant)]
        if good:
            # What was bad once is never asked about again.
            session.grants.clear()
            session.grants.extend(good)
            return True
        if waits and self._snapshot(session).calls:
            return False
        self.expel(user)
        return True

    async def sweep(self) -> None:
        """End the sessions whose window has passed, and wait for that."""
        now = self._clock()
        closing = [
            self._begin_closing(session, signed_out=False)
            for session in tuple(self._sessions.values())
            if session.state is SessionState.DETACHED
            and session.detached_at + self._limits.resume_window_s <= now
        ]
        self.counters.sessions_expired += len(closing)
        if closing:
            await asyncio.wait(closing)
        self._disarm()
        self._arm()

    def drain(self) -> None:
        """Open no more sessions and tell the clients; those that live go on."""
        if self._is_draining:
            return
        self._is_draining = True
        for key in tuple(self._sessions):
            self.publish(key, wire.ServerNoticeEvent, notice="drain")

    async def close(self) -> None:
        """Drain, close every socket with 4503, end every session and every task."""
        self.drain()
        for session in tuple(self._sessions.values()):
            session.disconnect(CLOSE_DRAIN, wire.DRAIN_REASON)
        # An opening session can be closed only when it is open.
        while self._sessions:
            waiting = set(self._transitions.values())
            for session in tuple(self._sessions.values()):
                if session.is_live:
                    waiting.add(self._begin_closing(session, signed_out=False))
            await asyncio.wait(waiting)
        self._disarm()
        await self._tasks.close()

    # Opening and closing --------------------------------------------------------------

    async def _live_session(self, user: User) -> Session:
        while True:
            session = self._sessions.get(user.key) or self._begin_opening(user)
            if session.is_live:
                return session
            # Waiting, not awaiting: a client that leaves does not undo the opening.
            await asyncio.wait((self._transitions[user.key],))
            if session.opening_error is not None:
                raise session.opening_error

    def _begin_opening(self, user: User) -> Session:
        if self._is_draining:
            raise RequestError(
                ErrorKind.DRAIN, "The gateway is shutting down.", retryable=True
            )
        if len(self._sessions) >= self._limits.max_sessions:
            raise RequestError(
                ErrorKind.RATE_LIMITED, "Too many people are here.", retryable=True
            )
        requests = Requests(
            user,
            self._backend,
            clock=self._clock,
            trace_id=self._trace_id,
            counters=self.counters,
            timeout_s=self._limits.perform_timeout_s,
            max_in_flight=self._limits.max_requests_in_flight,
        )
        session = Session(
            user,
            self._random_bytes(16).hex(),
            requests=requests,
            pages=Pages(grace_s=self._limits.owner_grace_s),
            random_bytes=self._random_bytes,
            now=self._clock(),
        )
        # In the directory before the backend hears of it: it may publish at once.
        self._sessions[user.key] = session
        self._transitions[user.key] = self._tasks.start(
            self._open(session), name=f"open {user.key}"
        )
        return session

    async def _open(self, session: Session) -> None:
        key = session.user.key
        try:
            async with asyncio.timeout(self._limits.transition_timeout_s):
                await self._backend.session_opened(session.user)
        except RequestError as error:
            session.opening_error = error
        except Exception:
            trace_id = self._log_failure("session_opened", session.user)
            session.opening_error = frames.internal_error(trace_id)
        else:
            self._by_id[session.session_id] = session
            self.counters.sessions_opened += 1
            session.detached_at = self._clock()
            session.move(SessionState.DETACHED)
            self._arm()
        finally:
            del self._transitions[key]
            if session.state is SessionState.OPENING:
                del self._sessions[key]
                session.move(SessionState.CLOSED)

    def _begin_closing(
        self,
        session: Session,
        *,
        signed_out: bool,
        done: Callable[[], None] = lambda: None,
    ) -> asyncio.Task[None]:
        session.move(SessionState.CLOSING)
        session.stop_election()
        del self._by_id[session.session_id]
        key = session.user.key
        task = self._tasks.start(
            self._close(session, signed_out=signed_out, done=done), name=f"close {key}"
        )
        self._transitions[key] = task
        return task

    async def _close(
        self, session: Session, *, signed_out: bool, done: Callable[[], None]
    ) -> None:
        key = session.user.key
        try:
            async with asyncio.timeout(self._limits.transition_timeout_s):
                await self._backend.session_closed(session.user, signed_out=signed_out)
        except Exception:
            self._log_failure("session_closed", session.user)
        finally:
            try:
                await session.requests.close()
            finally:
                session.move(SessionState.CLOSED)
                del self._sessions[key]
                del self._transitions[key]
                done()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        # The window is the same for all, so what is armed is never too late; it may
        # be early when that session is attached again, and then arms anew.
        if self._timer is not None:
            return
        deadlines = [
            session.detached_at + self._limits.resume_window_s
            for session in self._sessions.values()
            if session.state is SessionState.DETACHED
        ]
        if deadlines:
            delay = max(SWEEP_INTERVAL_S, min(deadlines) - self._clock())
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._tasks.spawn(self.sweep(), name="sessions sweep")

    # The backend ----------------------------------------------------------------------

    def _trace_id(self) -> str:
        return self._random_bytes(8).hex()

    def _log_failure(self, what: str, user: User) -> str:
        trace_id = self._trace_id()
        self.counters.internal_errors += 1
        logger.exception("%s of %s failed, trace %s", what, user.key, trace_id)
        return trace_id

    def _snapshot(self, session: Session) -> Snapshot:
        try:
            return self._backend.snapshot(session.user)
        except Exception:
            trace_id = self._log_failure("snapshot", session.user)
            raise frames.internal_error(trace_id) from None

    def _tell(self, what: str, user: User) -> None:
        try:
            match what:
                case "session_attached":
                    self._backend.session_attached(user)
                case _:
                    self._backend.session_detached(user)
        except Exception:
            self._log_failure(what, user)

    def _refuse_hello(self, error: RequestError) -> RequestError:
        self.counters.hellos_refused += 1
        return error

    def _refuse_resume(self, kind: ErrorKind) -> RequestError:
        self.counters.resumes_refused += 1
        message = (
            "Another page has taken the session over."
            if kind is ErrorKind.SESSION_SUPERSEDED
            else "The session cannot be resumed; say hello."
        )
        return RequestError(kind, message)
