"""Non-INVITE client transaction: RFC 3261 17.1.2, RFC 4320.

Timer E doubles up to T2 while TRYING and is T2 in PROCEEDING; timer F ends both.
"""

from __future__ import annotations

from typing import ClassVar

from sip.message import Request, Response
from sip.transaction import (
    Deliver,
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


class NonInviteClientTransaction(Transaction):
    """The client's side of one request other than INVITE and ACK."""

    def __init__(
        self, request: Request, *, reliable: bool, timers: TimerValues
    ) -> None:
        super().__init__(request, reliable=reliable, timers=timers)
        self._interval_e_s = timers.t1_s

    def start(self, now: float) -> Effects:
        """Send the request; call once."""
        return self._step(Input.START, None, now)

    def receive_response(self, response: Response, now: float) -> Effects:
        """Take a response that matched this transaction."""
        event = response_input(response.status, sending=False)
        return self._step(event, response, now)

    def _start(self, message: Message | None, now: float) -> Effects:
        if not self._reliable:
            self._arm(Input.TIMER_E, now + self._interval_e_s)
        self._arm(Input.TIMER_F, now + self._timers.expiry_s)
        return [Send(self.request)]

    def _retransmit(self, message: Message | None, now: float) -> Effects:
        self._interval_e_s = min(2 * self._interval_e_s, self._timers.t2_s)
        self._arm(Input.TIMER_E, now + self._interval_e_s)
        return [Send(self.request)]

    def _retransmit_slowly(self, message: Message | None, now: float) -> Effects:
        self._arm(Input.TIMER_E, now + self._timers.t2_s)
        return [Send(self.request)]

    def _completed(self, message: Message | None, now: float) -> Effects:
        assert message is not None
        self._deadlines.clear()
        self._arm(Input.TIMER_K, now + (0.0 if self._reliable else self._timers.t4_s))
        return [Deliver(message)]

    TABLE: ClassVar[Table] = {
        (State.INITIAL, Input.START): (State.TRYING, _start),
        (State.TRYING, Input.TIMER_E): (State.TRYING, _retransmit),
        (State.TRYING, Input.TIMER_F): (State.TERMINATED, Transaction._timed_out),
        (State.TRYING, Input.RECEIVE_1XX): (State.PROCEEDING, Transaction._deliver),
        (State.TRYING, Input.RECEIVE_2XX): (State.COMPLETED, _completed),
        (State.TRYING, Input.RECEIVE_3XX_6XX): (State.COMPLETED, _completed),
        (State.TRYING, Input.TRANSPORT_ERROR): (
            State.TERMINATED,
            Transaction._transport_failed,
        ),
        (State.PROCEEDING, Input.TIMER_E): (State.PROCEEDING, _retransmit_slowly),
        (State.PROCEEDING, Input.TIMER_F): (State.TERMINATED, Transaction._timed_out),
        (State.PROCEEDING, Input.RECEIVE_1XX): (
            State.PROCEEDING,
            Transaction._deliver,
        ),
        (State.PROCEEDING, Input.RECEIVE_2XX): (State.COMPLETED, _completed),
        (State.PROCEEDING, Input.RECEIVE_3XX_6XX): (State.COMPLETED, _completed),
        (State.PROCEEDING, Input.TRANSPORT_ERROR): (
            State.TERMINATED,
            Transaction._transport_failed,
        ),
        (State.COMPLETED, Input.TIMER_K): (State.TERMINATED, Transaction._ignore),
    }
