"""INVITE server transaction: RFC 3261 17.2.1 as corrected by RFC 6026.

* 100 is sent by the machine itself when its user is silent for 200 ms.
* After a 2xx the machine is ACCEPTED for timer L: it swallows repeated INVITEs,
  hands the ACK up, and passes on every further 2xx of its user: the user repeats
  them (13.3.1.4), and a proxy has several.
* A transport error never ends it (RFC 6026 7.1): a repetition of the INVITE must
  not look like a new call.
"""

from __future__ import annotations

from typing import ClassVar

from sip.compose import response_to
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


class InviteServerTransaction(Transaction):
    """The server's side of one INVITE."""

    def __init__(
        self, request: Request, *, reliable: bool, timers: TimerValues
    ) -> None:
        super().__init__(request, reliable=reliable, timers=timers)
        self._interval_g_s = timers.t1_s
        # The newest response; what a repeated INVITE is answered with.
        self.last_response: Response | None = None

    def start(self, now: float) -> Effects:
        """Begin to wait for the user; call once, before its first response."""
        return self._step(Input.START, None, now)

    def receive_request(self, request: Request, now: float) -> Effects:
        """Take a repetition of the INVITE, or its ACK."""
        is_ack = request.method == "ACK"
        event = Input.RECEIVE_ACK if is_ack else Input.RECEIVE_REQUEST
        return self._step(event, request, now)

    def send_response(self, response: Response, now: float) -> Effects:
        """Answer.

        Raises:
            LocalProtocolError: a final response was already sent, other than a
                further 2xx after a 2xx.
        """
        event = response_input(response.status, sending=True)
        if not self.accepts(event):
            raise LocalProtocolError(f"{response.status} in state {self.state}")
        return self._step(event, response, now)

    def _start(self, message: Message | None, now: float) -> Effects:
        self._arm(Input.TIMER_TRYING, now + self._timers.trying_s)
        return []

    def _trying(self, message: Message | None, now: float) -> Effects:
        return self._respond(response_to(self.request, 100), now)

    def _respond(self, message: Message | None, now: float) -> Effects:
        assert isinstance(message, Response)
        self._disarm(Input.TIMER_TRYING)
        self.last_response = message
        return [Send(message)]

    def _repeat(self, message: Message | None, now: float) -> Effects:
        return [Send(self.last_response)] if self.last_response else []

    def _accept(self, message: Message | None, now: float) -> Effects:
        effects = self._respond(message, now)
        self._arm(Input.TIMER_L, now + self._timers.expiry_s)
        return effects

    def _reject(self, message: Message | None, now: float) -> Effects:
        effects = self._respond(message, now)
        if not self._reliable:
            self._arm(Input.TIMER_G, now + self._interval_g_s)
        self._arm(Input.TIMER_H, now + self._timers.expiry_s)
        return effects

    def _retransmit(self, message: Message | None, now: float) -> Effects:
        self._interval_g_s = min(2 * self._interval_g_s, self._timers.t2_s)
        self._arm(Input.TIMER_G, now + self._interval_g_s)
        return self._repeat(message, now)

    def _confirm(self, message: Message | None, now: float) -> Effects:
        self._disarm(Input.TIMER_G, Input.TIMER_H)
        self._arm(Input.TIMER_I, now + (0.0 if self._reliable else self._timers.t4_s))
        return []

    TABLE: ClassVar[Table] = {
        (State.INITIAL, Input.START): (State.PROCEEDING, _start),
        (State.PROCEEDING, Input.TIMER_TRYING): (State.PROCEEDING, _trying),
        (State.PROCEEDING, Input.RECEIVE_REQUEST): (State.PROCEEDING, _repeat),
        (State.PROCEEDING, Input.SEND_1XX): (State.PROCEEDING, _respond),
        (State.PROCEEDING, Input.SEND_2XX): (State.ACCEPTED, _accept),
        (State.PROCEEDING, Input.SEND_3XX_6XX): (State.COMPLETED, _reject),
        (State.PROCEEDING, Input.TRANSPORT_ERROR): (
            State.PROCEEDING,
            Transaction._transport_failed,
        ),
        (State.ACCEPTED, Input.SEND_2XX): (State.ACCEPTED, _respond),
        (State.ACCEPTED, Input.RECEIVE_REQUEST): (State.ACCEPTED, Transaction._ignore),
        (State.ACCEPTED, Input.RECEIVE_ACK): (State.ACCEPTED, Transaction._deliver),
        (State.ACCEPTED, Input.TRANSPORT_ERROR): (
            State.ACCEPTED,
            Transaction._transport_failed,
        ),
        (State.ACCEPTED, Input.TIMER_L): (State.TERMINATED, Transaction._ignore),
        (State.COMPLETED, Input.RECEIVE_REQUEST): (State.COMPLETED, _repeat),
        (State.COMPLETED, Input.TIMER_G): (State.COMPLETED, _retransmit),
        (State.COMPLETED, Input.TIMER_H): (State.TERMINATED, Transaction._timed_out),
        (State.COMPLETED, Input.RECEIVE_ACK): (State.CONFIRMED, _confirm),
        (State.COMPLETED, Input.TRANSPORT_ERROR): (
            State.COMPLETED,
            Transaction._transport_failed,
        ),
        (State.CONFIRMED, Input.RECEIVE_ACK): (State.CONFIRMED, Transaction._ignore),
        (State.CONFIRMED, Input.RECEIVE_REQUEST): (
            State.CONFIRMED,
            Transaction._ignore,
        ),
        (State.CONFIRMED, Input.TIMER_I): (State.TERMINATED, Transaction._ignore),
    }
