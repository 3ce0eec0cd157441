"""INVITE client transaction: RFC 3261 17.1.1 as corrected by RFC 6026.

* Timer A doubles without a ceiling, timer B ends the wait only in CALLING: a phone
  may ring for minutes.
* The ACK for 3xx-6xx is the transaction's: branch, Request-URI and Route of the
  INVITE, To of the response (17.1.1.3). The ACK for 2xx is the user's.
* After a 2xx the machine stays ACCEPTED for timer M, so that every repetition and
  every other fork's 2xx still reaches the user.
* CANCEL waits for a provisional response (9.1) and may lose against a 2xx. When no
  final response follows it within ``64*T1`` the transaction fails as timed out.
"""

from __future__ import annotations

from typing import ClassVar

from sip.compose import ack_for_failure
from sip.message import Request, Response
from sip.transaction import (
    Deliver,
    Effects,
    Input,
    Message,
    Send,
    SendCancel,
    State,
    Table,
    TimerValues,
    Transaction,
    response_input,
)


class InviteClientTransaction(Transaction):
    """The client's side of one INVITE on one branch."""

    def __init__(
        self, request: Request, *, reliable: bool, timers: TimerValues
    ) -> None:
        super().__init__(request, reliable=reliable, timers=timers)
        self._interval_a_s = timers.t1_s
        # Set by cancel() before the first provisional response.
        self._is_cancel_due = False
        self._ack: Request | None = None

    def start(self, now: float) -> Effects:
        """Send the INVITE; call once."""
        return self._step(Input.START, None, now)

    def cancel(self, now: float) -> Effects:
        """Give the call up; harmless after a final response and when repeated."""
        return self._step(Input.CANCEL, None, now)

    def receive_response(self, response: Response, now: float) -> Effects:
        """Take a response that matched this transaction."""
        event = response_input(response.status, sending=False)
        return self._step(event, response, now)

    def _start(self, message: Message | None, now: float) -> Effects:
        if not self._reliable:
            self._arm(Input.TIMER_A, now + self._interval_a_s)
        self._arm(Input.TIMER_B, now + self._timers.expiry_s)
        return [Send(self.request)]

    def _retransmit(self, message: Message | None, now: float) -> Effects:
        self._interval_a_s *= 2
        self._arm(Input.TIMER_A, now + self._interval_a_s)
        return [Send(self.request)]

    def _provisional(self, message: Message | None, now: float) -> Effects:
        assert message is not None
        self._disarm(Input.TIMER_A, Input.TIMER_B)
        effects: Effects = [Deliver(message)]
        if self._is_cancel_due:
            effects += self._cancel_now(None, now)
        return effects

    def _cancel_later(self, message: Message | None, now: float) -> Effects:
        self._is_cancel_due = True
        return []

    def _cancel_now(self, message: Message | None, now: float) -> Effects:
        if Input.TIMER_CANCEL in self._deadlines:
            return []
        self._is_cancel_due = False
        self._arm(Input.TIMER_CANCEL, now + self._timers.expiry_s)
        return [SendCancel()]

    def _accepted(self, message: Message | None, now: float) -> Effects:
        assert message is not None
        self._deadlines.clear()
        self._arm(Input.TIMER_M, now + self._timers.expiry_s)
        return [Deliver(message)]

    def _failed(self, message: Message | None, now: float) -> Effects:
        assert isinstance(message, Response)
        self._deadlines.clear()
        self._ack = ack_for_failure(self.request, message)
        wait_s = 0.0 if self._reliable else self._timers.expiry_s
        self._arm(Input.TIMER_D, now + wait_s)
        return [Send(self._ack), Deliver(message)]

    def _repeat_ack(self, message: Message | None, now: float) -> Effects:
        assert self._ack is not None
        return [Send(self._ack)]

    TABLE: ClassVar[Table] = {
        (State.INITIAL, Input.START): (State.CALLING, _start),
        (State.CALLING, Input.TIMER_A): (State.CALLING, _retransmit),
        (State.CALLING, Input.TIMER_B): (State.TERMINATED, Transaction._timed_out),
        (State.CALLING, Input.CANCEL): (State.CALLING, _cancel_later),
        (State.CALLING, Input.RECEIVE_1XX): (State.PROCEEDING, _provisional),
        (State.CALLING, Input.RECEIVE_2XX): (State.ACCEPTED, _accepted),
        (State.CALLING, Input.RECEIVE_3XX_6XX): (State.COMPLETED, _failed),
        (State.CALLING, Input.TRANSPORT_ERROR): (
            State.TERMINATED,
            Transaction._transport_failed,
        ),
        (State.PROCEEDING, Input.RECEIVE_1XX): (
            State.PROCEEDING,
            Transaction._deliver,
        ),
        (State.PROCEEDING, Input.CANCEL): (State.PROCEEDING, _cancel_now),
        (State.PROCEEDING, Input.TIMER_CANCEL): (
            State.TERMINATED,
            Transaction._timed_out,
        ),
        (State.PROCEEDING, Input.RECEIVE_2XX): (State.ACCEPTED, _accepted),
        (State.PROCEEDING, Input.RECEIVE_3XX_6XX): (State.COMPLETED, _failed),
        (State.PROCEEDING, Input.TRANSPORT_ERROR): (
            State.TERMINATED,
            Transaction._transport_failed,
        ),
        (State.ACCEPTED, Input.RECEIVE_2XX): (State.ACCEPTED, Transaction._deliver),
        (State.ACCEPTED, Input.TIMER_M): (State.TERMINATED, Transaction._ignore),
        (State.COMPLETED, Input.RECEIVE_3XX_6XX): (State.COMPLETED, _repeat_ack),
        (State.COMPLETED, Input.TIMER_D): (State.TERMINATED, Transaction._ignore),
        (State.COMPLETED, Input.TRANSPORT_ERROR): (
            State.TERMINATED,
            Transaction._ignore,
        ),
    }
