"""The states of a call as the rep sees it, as a table.

Driven by the rep's commands, by SIP, and by media; it knows none of them. An input
that the table does not have for a state raises :class:`WrongState` and changes
nothing; :data:`TRANSITIONS` is the whole truth.

Odd cases:

* ``ANSWERING`` is between the rep's "Answer" and our 200: a CANCEL that arrives there
  still ends the call as missed or answered elsewhere.
* a call ends once; every later end is ignored, so that a BYE that crosses the rep's
  own hang-up does not change the reason.
"""

from __future__ import annotations

import enum

from gateway.sessions.wire import CallDirection, CallState, EndReason


class CallInput(enum.StrEnum):
    """What can happen to a call."""

    ALERT = "alert"
    ACCEPT = "accept"
    CONNECT = "connect"
    MEDIA = "media"
    DIGITS = "digits"
    END = "end"


class WrongState(Exception):
    """The input does not fit the state, e.g. an answer to a call that ended."""


_S = CallState
_I = CallInput
TRANSITIONS: dict[tuple[CallState, CallInput], CallState] = {
    (_S.RINGING, _I.ACCEPT): _S.ANSWERING,
    (_S.RINGING, _I.MEDIA): _S.RINGING,
    (_S.RINGING, _I.END): _S.ENDED,
    (_S.ANSWERING, _I.CONNECT): _S.ACTIVE,
    (_S.ANSWERING, _I.MEDIA): _S.ANSWERING,
    (_S.ANSWERING, _I.END): _S.ENDED,
    (_S.CALLING, _I.ALERT): _S.ALERTING,
    (_S.CALLING, _I.CONNECT): _S.ACTIVE,
    (_S.CALLING, _I.MEDIA): _S.CALLING,
    (_S.CALLING, _I.END): _S.ENDED,
    (_S.ALERTING, _I.ALERT): _S.ALERTING,
    (_S.ALERTING, _I.CONNECT): _S.ACTIVE,
    (_S.ALERTING, _I.MEDIA): _S.ALERTING,
    (_S.ALERTING, _I.DIGITS): _S.ALERTING,
    (_S.ALERTING, _I.END): _S.ENDED,
    (_S.ACTIVE, _I.MEDIA): _S.ACTIVE,
    (_S.ACTIVE, _I.DIGITS): _S.ACTIVE,
    (_S.ACTIVE, _I.END): _S.ENDED,
}


class CallMachine:
    """State, and the moments (Unix seconds) that history and activities need."""

    def __init__(self, direction: CallDirection, *, now: float) -> None:
        self.direction = direction
        self.state = (
            CallState.RINGING
            if direction is CallDirection.INBOUND
            else CallState.CALLING
        )
        self.started_at = now
        # Set when the call connects, and when it ends.
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self.end_reason: EndReason | None = None
        self.sip_code: int | None = None

    @property
    def is_over(self) -> bool:
        return self.state is CallState.ENDED

    def apply(self, given: CallInput, *, now: float) -> CallState:
        """Take one input other than END.

        Raises:
            WrongState: not possible now; nothing changed.
        """
        following = TRANSITIONS.get((self.state, given))
        if following is None or given is CallInput.END:
            raise WrongState(f"{given.value} in state {self.state.value}")
        if given is CallInput.CONNECT:
            self.answered_at = now
        self.state = following
        return following

    def end(
        self, reason: EndReason, *, now: float, sip_code: int | None = None
    ) -> bool:
        """End the call; False if it had ended already, whatever the reason."""
        if self.is_over:
            return False
        self.state = CallState.ENDED
        self.ended_at = now
        self.end_reason = reason
        self.sip_code = sip_code
        return True

    def hang_up_reason(self) -> EndReason:
        """What the rep's own hang-up means now."""
        match self.state:
            case CallState.RINGING | CallState.ANSWERING:
                return EndReason.DECLINED_HERE
            case CallState.CALLING | CallState.ALERTING:
                return EndReason.CANCELLED_HERE
            case CallState.ACTIVE | CallState.ENDED:
                return EndReason.HUNG_UP_HERE
