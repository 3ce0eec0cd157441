"""A REFER from a call's far end: we call whom it names, and it hears how that goes.

============  =====================================================================
none          nobody is being called
calling       202 was sent, our INVITE is out; the rep stays with the far end
alone         the far end has hung up meanwhile, as phones do that transfer blind;
              the call waits for the new party
============  =====================================================================

Whether a REFER is granted, and how it is dialled, is said by whoever owns ``ask``
(:mod:`.referrals`). When the new party answers it takes the far end's place in the same
call (:mod:`.succession`); when it does not, its status is reported and the rep stays
with whom they have. A far end that has left is not called back: the call ends then.

Runs in the call's actor and changes the call by :class:`Owner` only.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import sip
from gateway.calls.far_end import FarEnd
from gateway.calls.media import SIP_STATUS, CallMedia
from gateway.calls.ports import Alarm, Dial, Services, SipLeg
from gateway.calls.succession import Succession
from gateway.media.engine import MediaError, MediaErrorKind
from gateway.sessions.wire import CallState, EndReason, Peer
from sip import SipError

logger = logging.getLogger(__name__)

REFUSED = 603


@dataclass(frozen=True, slots=True)
class Granted:
    """A REFER that may be followed.

    Attributes:
        dial: sends the INVITE.
        peer: who is called.
        release: to be called once, when it is done with.
    """

    dial: Dial
    peer: Peer
    release: Callable[[], None]


# Gives the SIP status of a refusal otherwise.
Ask = Callable[[sip.TransferRequested], Granted | int]


class Owner(Protocol):
    """The call, as a transfer by its far end sees it."""

    @property
    def state(self) -> CallState: ...

    def show(self) -> None:
        """Whatever is shown of the call may be another."""

    async def heard(self, leg: SipLeg, event: sip.CallEvent) -> None:
        """An event of a leg that may be the call's."""

    def finish(self, reason: EndReason, *, sip_code: int | None = None) -> None:
        """The call is over."""


@dataclass(slots=True, eq=False)
class _Attempt:
    granted: Granted
    leg: SipLeg | None = None


class Referred:
    """See the module.

    Args:
        post: puts a job into the call's inbox, however full.
    """

    def __init__(
        self,
        call_id: str,
        call: Owner,
        media: CallMedia,
        far_end: FarEnd,
        succession: Succession,
        services: Services,
        *,
        post: Callable[[Callable[[], Awaitable[None]]], None],
    ) -> None:
        self.ask: Ask = lambda event: REFUSED
        self._call_id = call_id
        self._call = call
        self._media = media
        self._far_end = far_end
        self._succession = succession
        self._services = services
        self._post = post
        self._attempt: _Attempt | None = None
        self._alarm: Alarm | None = None

    @property
    def is_alone(self) -> bool:
        """Whether the far end has left, and the new party has not answered yet."""
        return self._attempt is not None and self._far_end.leg is None

    async def requested(self, event: sip.TransferRequested) -> None:
        """The far end wants us to call somebody."""
        leg = self._far_end.require_leg()
        if self._attempt is not None:
            # One that wants no reports may come while another is under way.
            leg.refuse_transfer(491)
            return
        granted: Granted | int = REFUSED
        if self._call.state is CallState.ACTIVE:
            granted = self.ask(event)
        if isinstance(granted, int):
            logger.info("call %s: a REFER is refused: %d", self._call_id, granted)
            leg.refuse_transfer(granted)
            return
        if not leg.accept_transfer():
            granted.release()
            return
        attempt = self._attempt = _Attempt(granted)
        try:
            sdp = await self._media.offer_successor()
            attempt.leg = granted.dial(sdp, lambda event: self._hear(attempt, event))
        except MediaError as error:
            self._fail(SIP_STATUS[error.kind])
            return
        except SipError as error:
            logger.warning("call %s: not dialled: %s", self._call_id, error)
            self._fail(500)
            return
        logger.info("call %s: its far end has us call somebody else", self._call_id)
        self._alarm = self._services.later(
            self._services.limits.no_answer_s,
            lambda: self._post(lambda: self._rang_too_long(attempt)),
        )

    async def outlives_leg(self) -> bool:
        """The far end has left; whether the call goes on and waits for the new one."""
        if self._attempt is None or self._call.state is not CallState.ACTIVE:
            return False
        self._far_end.leg = None
        await self._media.part(is_parted=True)
        self._call.show()
        return True

    def end(self) -> None:
        """The call is over, or with somebody else: nobody is to be called any more."""
        attempt = self._close()
        if attempt is not None and attempt.leg is not None:
            attempt.leg.hangup(None)

    # What becomes of our INVITE -------------------------------------------------------

    def _hear(self, attempt: _Attempt, event: sip.CallEvent) -> None:
        self._post(lambda: self._heard(attempt, event))

    async def _heard(self, attempt: _Attempt, event: sip.CallEvent) -> None:
        if attempt is not self._attempt:
            if attempt.leg is not None:
                # It has answered since, and is the call's.
                await self._call.heard(attempt.leg, event)
            return
        match event:
            case sip.Progress():
                if event.status > 100:
                    self._report(event.status)
            case sip.Answered():
                await self._answered(attempt, event.sdp)
            case sip.Rejected():
                self._fail(event.status)
            case _ if isinstance(event, sip.TERMINAL_EVENTS):
                self._fail(500)
            case _:
                # Nothing that could be agreed on before an answer.
                pass

    async def _answered(self, attempt: _Attempt, answer: str | None) -> None:
        assert attempt.leg is not None
        try:
            if answer is None:
                raise MediaError(MediaErrorKind.BAD_SDP, "a 2xx without SDP")
            await self._succession.accept(attempt.leg, answer, attempt.granted.peer)
        except MediaError as error:
            logger.warning("call %s: new party unusable: %s", self._call_id, error)
            attempt.leg.hangup(None)
            self._fail(SIP_STATUS[error.kind])
            return
        self._close()
        await self._media.part(is_parted=False)
        self._call.show()

    async def _rang_too_long(self, attempt: _Attempt) -> None:
        if attempt is self._attempt:
            assert attempt.leg is not None
            attempt.leg.hangup(None)
            self._fail(408)

    def _fail(self, status: int) -> None:
        self._close()
        if self._far_end.leg is None:
            self._call.finish(EndReason.HUNG_UP_THERE)
        else:
            self._report(status)

    def _report(self, status: int) -> None:
        if self._far_end.leg is not None:
            self._far_end.leg.report_transfer(status)

    def _close(self) -> _Attempt | None:
        attempt, self._attempt = self._attempt, None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if attempt is not None:
            attempt.granted.release()
        return attempt
