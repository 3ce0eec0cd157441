"""What one socket says and is told, from its first frame to its end.

The first frame must be ``session.hello`` or ``session.resume``. A refused resume may
be followed by a hello; everything else that is wrong before the greeting closes the
socket. Afterwards a frame that is wrong is answered and nothing more. No sockets
here: the shell hands in text and an :class:`Outlet`, and asks for the deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gateway.sessions import frames, wire
from gateway.sessions.backend import RequestError
from gateway.sessions.directory import SessionDirectory
from gateway.sessions.frames import FrameError, Request
from gateway.sessions.message_rate import MessageRate, RateVerdict
from gateway.sessions.pages import Outlet
from gateway.sessions.roles import needs_phone
from gateway.sessions.session import Session
from gateway.sessions.wire import ErrorKind, Wire

# Background pages may run their timers once a minute only; the socket's own pings
# notice a dead network long before.
SILENCE_LIMIT_S = 150.0
# A resume, and the hello after it was refused.
MAX_GREETINGS = 2


class Conversation:
    """One socket's dialogue with the sessions.

    The shell calls :meth:`receive` for each text frame, one after the other,
    :meth:`expire` when :attr:`deadline` passes without one, and :meth:`lost` at the
    end, always; a second time does nothing.
    """

    def __init__(
        self,
        directory: SessionDirectory,
        outlet: Outlet,
        *,
        clock: Callable[[], float],
        is_allowed: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._directory = directory
        self._outlet = outlet
        self._clock = clock
        self._is_allowed = is_allowed
        self._rate = MessageRate()
        self._session: Session | None = None
        self._greetings = 0
        self._is_over = False
        # When the next frame must have come (the clock's seconds).
        self.deadline = clock() + wire.FIRST_FRAME_TIMEOUT_S

    @property
    def is_over(self) -> bool:
        """Nothing more will be acted upon: stop reading."""
        return self._is_over

    @property
    def is_greeted(self) -> bool:
        return self._session is not None

    @property
    def is_observer(self) -> bool:
        """Another page has the phone."""
        session = self._session
        return session is not None and not session.is_owned_by(self._outlet)

    async def receive(self, text: str) -> None:
        """Act on one text frame."""
        if self._is_over:
            return
        now = self._clock()
        counters = self._directory.counters
        counters.frames += 1
        verdict = self._rate.receive(now)
        if verdict is RateVerdict.CLOSE:
            counters.frames_over_rate += 1
            self._close(wire.CLOSE_RATE_LIMITED, "too many frames")
            return
        try:
            request = frames.read_request(text)
        except FrameError as error:
            counters.frames_refused += 1
            if error.is_answered:
                self._outlet.send(error.frame())
            if not self.is_greeted:
                self._close(wire.CLOSE_PROTOCOL, "the first frame is no greeting")
            return
        if self._session is not None:
            self.deadline = now + SILENCE_LIMIT_S
        if verdict is RateVerdict.REFUSE:
            counters.frames_over_rate += 1
            self._refuse(
                request,
                RequestError(ErrorKind.RATE_LIMITED, "Too many.", retryable=True),
            )
            return
        if self._session is None:
            await self._greeting(request)
        else:
            self._request(self._session, request)

    def refuse_binary(self) -> None:
        """A binary frame came."""
        self._directory.counters.frames_refused += 1
        self._close(wire.CLOSE_PROTOCOL, "frames are text")

    def expire(self) -> None:
        """The deadline passed without a frame."""
        if self.is_greeted:
            self._directory.counters.silent_clients += 1
            self._close(wire.CLOSE_SILENT, "nothing was heard")
        else:
            self._close(wire.CLOSE_NO_HELLO, "no greeting in time")

    def lost(self) -> None:
        """The socket is gone."""
        self._is_over = True
        if self._session is not None:
            self._directory.detach(self._session, self._outlet)

    # Greeting -------------------------------------------------------------------------

    async def _greeting(self, request: Request) -> None:
        self._greetings += 1
        try:
            match request.params:
                case wire.SessionHello() as hello:
                    session = await self._directory.enter(
                        hello.ticket, is_allowed=self._is_allowed
                    )
                    self._directory.greet(
                        session, self._outlet, request.request_id, hello
                    )
                case wire.SessionResume() as resume:
                    session = self._directory.resume(
                        self._outlet,
                        request.request_id,
                        resume,
                        is_allowed=self._is_allowed,
                    )
                case _:
                    raise RequestError(
                        ErrorKind.AUTH_DENIED, "The first frame must be a greeting."
                    )
        except RequestError as error:
            self._refuse(request, error)
            if error.kind is ErrorKind.DRAIN:
                self._close(wire.CLOSE_DRAIN, wire.DRAIN_REASON)
            elif (
                isinstance(request.params, wire.SessionResume)
                and self._greetings < MAX_GREETINGS
            ):
                self.deadline = self._clock() + wire.FIRST_FRAME_TIMEOUT_S
            else:
                self._close(wire.CLOSE_NO_HELLO, "the greeting was refused")
            return
        self._session = session
        self.deadline = self._clock() + SILENCE_LIMIT_S

    # Requests -------------------------------------------------------------------------

    def _request(self, session: Session, request: Request) -> None:
        if not session.is_live:
            self._refuse(
                request,
                RequestError(ErrorKind.SESSION_UNKNOWN, "The session has ended."),
            )
            return
        if not session.is_attached_to(self._outlet):
            # Its close is under way; what it still says must not act.
            self._refuse(
                request,
                RequestError(
                    ErrorKind.SESSION_SUPERSEDED, "Another page has taken over."
                ),
            )
            return
        match request.params:
            case wire.SessionHello() | wire.SessionResume():
                self._refuse(
                    request,
                    RequestError(ErrorKind.BAD_REQUEST, "The session is open already."),
                )
            case wire.Ping():
                self._succeed(request, wire.Empty())
            case wire.SessionAck(seq=seq):
                self._acknowledge(session, request, seq)
            case wire.SessionTake():
                self._directory.take(session, self._outlet)
                self._succeed(request, wire.Empty())
            case wire.SessionClose():
                self._directory.sign_out(
                    session, partial(self._signed_out, request), page=self._outlet
                )
            case params if not self._may(session, request):
                del params
            case wire.SessionMute(call_ids=call_ids):
                self._directory.mute(session, call_ids)
                self._succeed(request, wire.Empty())
            case params:
                session.requests.submit(
                    request.method, params, partial(self._reply, request)
                )

    def _may(self, session: Session, request: Request) -> bool:
        session.used_by(self._outlet)
        if session.is_owned_by(self._outlet) or not needs_phone(
            request.method, request.params
        ):
            return True
        self._refuse(
            request,
            RequestError(ErrorKind.SESSION_OBSERVER, "Another page has the phone."),
        )
        return False

    def _acknowledge(self, session: Session, request: Request, seq: int) -> None:
        try:
            session.acknowledge(self._outlet, seq)
        except ValueError as error:
            self._refuse(request, RequestError(ErrorKind.BAD_REQUEST, str(error)))
        else:
            self._succeed(request, wire.Empty())

    def _signed_out(self, request: Request) -> None:
        self._succeed(request, wire.Empty())
        self._close(1000, "signed out")

    def _succeed(self, request: Request, result: Wire) -> None:
        self._reply(request, frames.result_outcome(result))

    def _refuse(self, request: Request, error: RequestError) -> None:
        op_id: str | None = getattr(request.params, "op_id", None)
        self._reply(request, frames.refusal(error, op_id=op_id))

    def _reply(self, request: Request, outcome: str) -> None:
        # A notification is not answered, not even with an error.
        if request.request_id is not None:
            self._outlet.send(frames.response(request.request_id, outcome))

    def _close(self, code: int, reason: str) -> None:
        self._is_over = True
        self._outlet.close(code, reason)
