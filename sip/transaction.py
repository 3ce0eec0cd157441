"""What the four transaction machines share: states, inputs, effects, timers.

A machine is driven by three things: messages from the network
(``receive_response``/``receive_request``), its user (``start``,
``send_response``, ``cancel``) and time (``handle_timer``, due at
``get_timer()``). Each returns effects, in order, for the caller to carry out; the
machine itself sends nothing and knows no clock.

Everything that changes state is one row of the machine's ``TABLE``:
``(state, input) -> (next state, action)``. What is not in the table leaves the
machine as it was: a stray message or timer has no effect, while an illegal call of
the user raises ``LocalProtocolError``.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from sip.message import Request, Response

_log = logging.getLogger("sip.transaction")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerValues:
    """RFC 3261 table 4. Tests scale all of them by ``t1_s``."""

    # Round-trip estimate (17.1.1.1).
    t1_s: float = 0.5
    # Longest interval between retransmissions of non-INVITE and of responses.
    t2_s: float = 4.0
    # How long a message may stay in the network.
    t4_s: float = 5.0
    # An INVITE that its user has not answered by then gets 100 (17.2.1).
    trying_s: float = 0.2

    @property
    def expiry_s(self) -> float:
        """``64*T1``: timers B, D (UDP), F, H, J (UDP), L and M."""
        return 64 * self.t1_s

    @classmethod
    def scaled(cls, t1_s: float) -> Self:
        """All values in their usual proportion to ``t1_s``."""
        return cls(t1_s=t1_s, t2_s=8 * t1_s, t4_s=10 * t1_s, trying_s=0.4 * t1_s)


class State(enum.StrEnum):
    """Union of the states of the four machines (RFC 3261 17, RFC 6026)."""

    INITIAL = "initial"
    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class Input(enum.StrEnum):
    """Union of what the four machines react to."""

    START = "start"
    CANCEL = "cancel"
    RECEIVE_1XX = "receive 1xx"
    RECEIVE_2XX = "receive 2xx"
    RECEIVE_3XX_6XX = "receive 3xx-6xx"
    RECEIVE_REQUEST = "receive request"
    RECEIVE_ACK = "receive ACK"
    SEND_1XX = "send 1xx"
    SEND_2XX = "send 2xx"
    SEND_3XX_6XX = "send 3xx-6xx"
    TRANSPORT_ERROR = "transport error"
    TIMER_A = "timer A"
    TIMER_B = "timer B"
    TIMER_D = "timer D"
    TIMER_E = "timer E"
    TIMER_F = "timer F"
    TIMER_G = "timer G"
    TIMER_H = "timer H"
    TIMER_I = "timer I"
    TIMER_J = "timer J"
    TIMER_K = "timer K"
    TIMER_L = "timer L"
    TIMER_M = "timer M"
    # The 200 ms of 17.2.1 after which the server itself sends 100.
    TIMER_TRYING = "timer trying"
    # 64*T1 after CANCEL in which the final response must come (9.1).
    TIMER_CANCEL = "timer cancel"
    # 64*T1 after which nobody waits for a non-INVITE's answer (RFC 4320 4.2).
    TIMER_LATE = "timer late"


class FailureKind(enum.StrEnum):
    """Why a transaction ended without what it waited for."""

    TIMEOUT = "timeout"
    TRANSPORT = "transport"


@dataclass(frozen=True, slots=True)
class Send:
    """Give the message to the transport."""

    message: Request | Response


@dataclass(frozen=True, slots=True)
class Deliver:
    """Give the message to the transaction's user."""

    message: Request | Response


@dataclass(frozen=True, slots=True)
class SendCancel:
    """Start the CANCEL for this INVITE, as its own transaction (9.1)."""


@dataclass(frozen=True, slots=True)
class Fail:
    """Tell the user; the state says whether the transaction lives on."""

    kind: FailureKind


@dataclass(frozen=True, slots=True)
class Terminate:
    """Forget the transaction."""


Effect = Send | Deliver | SendCancel | Fail | Terminate
Effects = list[Effect]
Message = Request | Response
# An action is a method of the machine: (message or None, now) -> effects.
Table = Mapping[tuple[State, Input], tuple[State, Callable[..., Effects]]]


class Transaction:
    """Base of the machines: runs the table and keeps the deadlines."""

    TABLE: ClassVar[Table]

    def __init__(
        self, request: Request, *, reliable: bool, timers: TimerValues
    ) -> None:
        self.request = request
        self.state = State.INITIAL
        # Whether the transport retransmits by itself.
        self._reliable = reliable
        self._timers = timers
        # Armed timers; an entry leaves when it fires or is disarmed.
        self._deadlines: dict[Input, float] = {}

    def get_timer(self) -> float | None:
        """When ``handle_timer`` is due, or None."""
        return min(self._deadlines.values(), default=None)

    def handle_timer(self, now: float) -> Effects:
        """Fire every timer that is due, oldest first."""
        effects: Effects = []
        while self._deadlines:
            timer = min(self._deadlines, key=lambda each: self._deadlines[each])
            if self._deadlines[timer] > now:
                break
            del self._deadlines[timer]
            effects += self._step(timer, None, now)
        return effects

    def receive_transport_error(self, now: float) -> Effects:
        """Tell that a message of this transaction could not be sent."""
        return self._step(Input.TRANSPORT_ERROR, None, now)

    def accepts(self, event: Input) -> bool:
        """Whether the table has a row for ``event`` in the present state."""
        return (self.state, event) in self.TABLE

    def _step(self, event: Input, message: Message | None, now: float) -> Effects:
        row = self.TABLE.get((self.state, event))
        if row is None:
            return []
        previous, (self.state, action) = self.state, row
        if previous is not self.state:
            _log.debug(
                "= %s %s -> %s (%s)", self.request.method, previous, self.state, event
            )
        effects = action(self, message, now)
        if self.state is State.TERMINATED:
            self._deadlines.clear()
            effects = [*effects, Terminate()]
        return effects

    def _arm(self, timer: Input, when: float) -> None:
        self._deadlines[timer] = when

    def _disarm(self, *timers: Input) -> None:
        for timer in timers:
            self._deadlines.pop(timer, None)

    # Actions that several machines use.

    def _ignore(self, message: Message | None, now: float) -> Effects:
        return []

    def _deliver(self, message: Message | None, now: float) -> Effects:
        assert message is not None
        return [Deliver(message)]

    def _timed_out(self, message: Message | None, now: float) -> Effects:
        return [Fail(FailureKind.TIMEOUT)]

    def _transport_failed(self, message: Message | None, now: float) -> Effects:
        return [Fail(FailureKind.TRANSPORT)]


def response_input(status: int, *, sending: bool) -> Input:
    """The input that a response of this status is."""
    if status < 200:
        return Input.SEND_1XX if sending else Input.RECEIVE_1XX
    if status < 300:
        return Input.SEND_2XX if sending else Input.RECEIVE_2XX
    return Input.SEND_3XX_6XX if sending else Input.RECEIVE_3XX_6XX
