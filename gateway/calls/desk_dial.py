"""Dialling by the desk phone: it rings first, and is then asked to call the number.

The gateway calls the rep's own address and, when a phone there is picked up, refers it
to the number (RFC 3515, as RFC 3725 does with a re-INVITE). What becomes of that call
comes by the phone's reports and, from whoever follows the phone, by ``followed`` and
``connected``; whichever says first that it was answered ends our leg.

=========  ========================================================================
RINGING    our INVITE rings at the desk
REFERRED   the phone was asked; it calls, or is about to
ALONE      our leg is gone; the phone's own call must show up, or has
DONE       over, or in the hands of whoever follows the phone
=========  ========================================================================
"""

from __future__ import annotations

import enum
import ipaddress
import logging
from collections.abc import Callable
from typing import Protocol, assert_never

import sip
from gateway.calls.outcome import of_rejection
from gateway.calls.ports import Alarm
from gateway.sessions.wire import EndReason

logger = logging.getLogger(__name__)

# How long the phone's call may be unseen after it was said to be there.
FOLLOW_S = 15.0

# What the rep's own phone says of the rep, not of whom they call.
_PHONE_SAYS = {
    404: EndReason.UNREACHABLE,
    408: EndReason.CANCELLED_HERE,
    410: EndReason.UNREACHABLE,
    480: EndReason.UNREACHABLE,
    486: EndReason.CANCELLED_HERE,
    600: EndReason.CANCELLED_HERE,
    603: EndReason.CANCELLED_HERE,
}


class PhoneLeg(Protocol):
    """Our call to the phone: ``sip.OutgoingCall``."""

    @property
    def call_id(self) -> str: ...

    def hangup(self, reason: sip.Reason | None = None) -> None: ...
    def transfer(self, target: sip.Uri) -> None: ...
    def accept_offer(self, sdp: str) -> None: ...
    def refuse_transfer(self, status: int) -> None: ...


class Owner(Protocol):
    """The call, as its dialling sees it."""

    def desk_rings(self) -> None:
        """The rep's own phone rings."""

    def target_answered(self) -> None:
        """The phone says that its call was answered."""

    def dial_failed(self, reason: EndReason, sip_code: int | None) -> None:
        """There will be no call, or nobody knows of it any more."""


class State(enum.StrEnum):
    """See the module's text."""

    RINGING = "ringing"
    REFERRED = "referred"
    ALONE = "alone"
    DONE = "done"


class DeskDial:
    """One attempt.

    Args:
        target: whom the phone is to call.
        sdp: of our leg, see :func:`silent_offer`.
        later: calls back once after so many seconds.
        ring_s: how long the phone may ring, and then the number.
    """

    def __init__(
        self,
        call: Owner,
        target: sip.Uri,
        sdp: str,
        *,
        later: Callable[[float, Callable[[], None]], Alarm],
        ring_s: float,
    ) -> None:
        self.state = State.RINGING
        # Set as soon as the INVITE is sent.
        self.leg: PhoneLeg | None = None
        self.is_followed = False
        # Whether the phone was ever asked.
        self.was_referred = False
        self._call = call
        self._target = target
        self._sdp = sdp
        self._later = later
        self._ring_s = ring_s
        self._alarm: Alarm | None = None

    def begin(self, leg: PhoneLeg) -> None:
        """The INVITE is sent; its events come by :meth:`hear`."""
        self.leg = leg
        self._set_alarm(self._ring_s, self._not_picked_up)

    @property
    def awaits_call(self) -> bool:
        """Whether the phone's next call is this one."""
        return self.state in (State.REFERRED, State.ALONE) and not self.is_followed

    def followed(self) -> None:
        """The phone's call to the number is seen."""
        self.is_followed = True
        if self.state is State.ALONE:
            self._done()

    def connected(self) -> None:
        """It was seen to be answered: our leg is in the way."""
        if self.state is not State.DONE:
            self._done()

    def close(self) -> None:
        """End the attempt, whatever is left of it."""
        self._done()

    def hear(self, event: sip.CallEvent) -> None:
        """What comes from our leg."""
        if self.state is State.DONE:
            return
        match event:
            case sip.Progress():
                if event.status > 100 and self.state is State.RINGING:
                    self._call.desk_rings()
            case sip.Answered():
                self._refer()
            case sip.TransferProgress():
                self._reported(event)
            case sip.TransferRefused():
                self._fail(
                    EndReason.FAILED if event.local else EndReason.NOT_ALLOWED,
                    None if event.local else event.status,
                )
            case sip.Rejected():
                self._rejected(event)
            case sip.RemoteHangup() | sip.Failed() | sip.LocalEnd() | sip.Replaced():
                self._leg_ended()
            case sip.Offer():
                # It holds us, as phones do before they call somebody else.
                if self.leg is not None:
                    self.leg.accept_offer(self._sdp)
            case sip.TransferRequested():
                if self.leg is not None:
                    self.leg.refuse_transfer(603)
            case sip.Cancelled() | sip.Confirmed() | sip.InfoReceived():
                pass
            case sip.PeerIdentified():
                pass
            case sip.OfferAnswered() | sip.OfferFailed():
                pass
            case _:
                assert_never(event)

    # -- what follows ------------------------------------------------------------------

    def _refer(self) -> None:
        if self.leg is None or self.state is not State.RINGING:
            return
        self.state = State.REFERRED
        self.was_referred = True
        self._set_alarm(self._ring_s, self._nobody_says)
        self.leg.transfer(self._target)

    def _reported(self, event: sip.TransferProgress) -> None:
        if not event.is_final:
            return
        if event.status is None:
            self._alone()
        elif event.status < 300:
            self._call.target_answered()
            self._alone()
        else:
            self._fail(of_rejection(event.status), event.status)

    def _rejected(self, event: sip.Rejected) -> None:
        self.leg = None
        if event.local:
            self._fail(EndReason.SERVER_UNAVAILABLE, None)
            return
        reason = _PHONE_SAYS.get(event.status) or of_rejection(event.status)
        self._fail(reason, event.status)

    def _leg_ended(self) -> None:
        self.leg = None
        if self.state is State.RINGING:
            self._fail(EndReason.CANCELLED_HERE, None)
        else:
            self._alone()

    def _alone(self) -> None:
        """Our leg has done its part."""
        if self.is_followed:
            self._done()
            return
        if self.state is not State.ALONE:
            self.state = State.ALONE
            self._hang_up()
            self._set_alarm(FOLLOW_S, self._unseen)

    def _not_picked_up(self) -> None:
        self._fail(EndReason.CANCELLED_HERE, None)

    def _nobody_says(self) -> None:
        """The phone does not report, and rings there for long."""
        if self.is_followed:
            self._done()
        else:
            self._fail(EndReason.FAILED, None)

    def _unseen(self) -> None:
        logger.warning("the desk phone's call to the number is not to be seen")
        self._fail(EndReason.SERVER_UNAVAILABLE, None)

    def _fail(self, reason: EndReason, sip_code: int | None) -> None:
        self._done()
        self._call.dial_failed(reason, sip_code)

    def _done(self) -> None:
        self.state = State.DONE
        self._set_alarm(None, None)
        self._hang_up()

    def _hang_up(self) -> None:
        leg, self.leg = self.leg, None
        if leg is not None:
            leg.hangup(None)

    def _set_alarm(
        self, delay_s: float | None, then: Callable[[], None] | None
    ) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if delay_s is not None and then is not None:
            self._alarm = self._later(delay_s, then)


def silent_offer(host: str) -> str:
    """SDP for a call in which nothing is to be heard (RFC 3725, but never 0.0.0.0).

    The phone rings as ever, and sends nothing: what it offers when it calls the number
    is its own.

    Args:
        host: our address, never used for media.
    """
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        version = 4
    return "\r\n".join(
        (
            "v=0",
            f"o=- 1 1 IN IP{version} {host}",
            "s=-",
            f"c=IN IP{version} {host}",
            "t=0 0",
            "m=audio 9 RTP/AVP 0 8 9 101",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:8 PCMA/8000",
            "a=rtpmap:9 G722/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-15",
            "a=inactive",
            "",
        )
    )
