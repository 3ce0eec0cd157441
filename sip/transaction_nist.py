"""Non-INVITE server transaction: RFC 3261 17.2.2 as changed by RFC 4320.

No provisional response but 100, and never 408: the client that would get it has
given up by then. A request that nobody answered is forgotten after ``64*T1``.
"""

from __future__ import annotations

from typing import ClassVar

from sip.errors import LocalProtocolError
from sip.message import Request, Response
from sip.transaction import (
    Effects,
    Input,
    Message,
    Send,
    State,
    Table,
    TimerValues,
    Transaction,
    response_input,
)


class NonInviteServerTransaction(Transaction):
    """The server's side of one request other than INVITE and ACK."""

    def __init__(
        self, request: Request, *, reliable: bool, timers: TimerValues
    ) -> None:
        super().__init__(request, reliable=reliable, timers=timers)
        self.last_response: Response | None = None

    def start(self, now: float) -> Effects:
        """Begin to wait for the user; call once, before its first response."""
        return self._step(Input.START, None, now)

    def receive_request(self, request: Request, now: float) -> Effects:
        """Take a repetition of the request."""
        return self._step(Input.RECEIVE_REQUEST, request, now)

    def send_response(self, response: Response, now: float) -> Effects:
        """Answer; a response that comes too late is dropped.

        Raises:
            LocalProtocolError: RFC 4320 forbids it, or a final response was sent.
        """
        event = response_input(response.status, sending=True)
        if response.status == 408 or 100 < response.status < 200:
            raise LocalProtocolError(
                f"{response.status} to {self.request.method}: RFC 4320"
            )
        if self.state is State.COMPLETED:
            raise LocalProtocolError(f"{response.status} in state {self.state}")
        return self._step(event, response, now)

    def _start(self, message: Message | None, now: float) -> Effects:
        self._arm(Input.TIMER_LATE, now + self._timers.expiry_s)
        return []

    def _respond(self, message: Message | None, now: float) -> Effects:
        assert isinstance(message, Response)
        self.last_response = message
        return [Send(message)]

    def _complete(self, message: Message | None, now: float) -> Effects:
        effects = self._respond(message, now)
        self._disarm(Input.TIMER_LATE)
        wait_s = 0.0 if self._reliable else self._timers.expiry_s
        self._arm(Input.TIMER_J, now + wait_s)
        return effects

    def _repeat(self, message: Message | None, now: float) -> Effects:
        return [Send(self.last_response)] if self.last_response else []

    TABLE: ClassVar[Table] = {
        (State.INITIAL, Input.START): (State.TRYING, _start),
        (State.TRYING, Input.RECEIVE_REQUEST): (State.TRYING, Transaction._ignore),
        (State.TRYING, Input.SEND_1XX): (State.PROCEEDING, _respond),
        (State.TRYING, Input.SEND_2XX): (State.COMPLETED, _complete),
        (State.TRYING, Input.SEND_3XX_6XX): (State.COMPLETED, _complete),
        (State.TRYING, Input.TIMER_LATE): (State.TERMINATED, Transaction._ignore),
        (State.PROCEEDING, Input.RECEIVE_REQUEST): (State.PROCEEDING, _repeat),
        (State.PROCEEDING, Input.SEND_1XX): (State.PROCEEDING, _respond),
        (State.PROCEEDING, Input.SEND_2XX): (State.COMPLETED, _complete),
        (State.PROCEEDING, Input.SEND_3XX_6XX): (State.COMPLETED, _complete),
        (State.PROCEEDING, Input.TIMER_LATE): (State.TERMINATED, Transaction._ignore),
        (State.PROCEEDING, Input.TRANSPORT_ERROR): (
            State.TERMINATED,
            Transaction._transport_failed,
        ),
        (State.COMPLETED, Input.RECEIVE_REQUEST): (State.COMPLETED, _repeat),
        (State.COMPLETED, Input.TIMER_J): (State.TERMINATED, Transaction._ignore),
        (State.COMPLETED, Input.TRANSPORT_ERROR): (
            State.TERMINATED,
            Transaction._transport_failed,
        ),
    }
