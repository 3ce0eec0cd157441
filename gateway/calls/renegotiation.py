"""Changes of a call's media while it goes on: our offers to the far end, and its own.

One offer of ours at a time, because the engine knows its newest only; what changes
meanwhile is told after the outcome. A refusal leaves the call as it was. An offer that
the far end's own overtakes (RFC 3261 14.1) is made anew, if it is still needed.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable

from gateway.calls.media import SIP_STATUS, CallMedia
from gateway.calls.ports import SipLeg
from gateway.media.engine import MediaError, Negotiated
from sip import LocalProtocolError

logger = logging.getLogger(__name__)


class _OpenOffer(enum.Enum):
    """An offer of ours that the far end has not answered yet."""

    REINVITE = enum.auto()
    # The far end's INVITE or re-INVITE had none and asked for ours.
    ASKED_FOR = enum.auto()


class Renegotiation:
    """Of one call, in its actor; methods raise :class:`MediaError`.

    Args:
        may_offer: whether the call stands, so that a re-INVITE is possible.
        on_agreed: told of every agreement with the far end.
        on_video_outcome: told when a re-INVITE about video has got its answer,
            whatever it was.
        on_retrieve_refused: told when the far end would not be taken back from hold.
    """

    def __init__(
        self,
        call_id: str,
        media: CallMedia,
        *,
        may_offer: Callable[[], bool],
        on_agreed: Callable[[Negotiated], None],
        on_video_outcome: Callable[[], None],
        on_retrieve_refused: Callable[[], None],
    ) -> None:
        self._call_id = call_id
        self._media = media
        self._may_offer = may_offer
        self._on_agreed = on_agreed
        self._on_video_outcome = on_video_outcome
        self._on_retrieve_refused = on_retrieve_refused
        self._open: _OpenOffer | None = None
        self._is_about_video = False
        # The far end took its offer back while we were about to answer it.
        self._is_withdrawn = False

    @property
    def is_open(self) -> bool:
        """The far end has yet to answer an offer of ours."""
        return self._open is not None

    async def tell_far_end(self, leg: SipLeg) -> None:
        """Re-INVITE if what it knows of our media is no longer true, when possible."""
        if not self._may_offer() or self._open or not self._media.sip_is_behind:
            return
        self._is_about_video = self._media.video.sip_is_behind
        try:
            sdp = await self._media.offer_sip()
        except MediaError as error:
            if self._media.sip_must_be_reoffered:
                raise
            # Without the change the call goes on as it was.
            logger.warning("call %s: no offer: %s", self._call_id, error)
            self._media.sip_told()
            return
        self._open = _OpenOffer.REINVITE
        leg.reinvite(sdp)

    def void(self) -> None:
        """What was under way was so with a far end that is no longer there."""
        self._open = None
        self._is_about_video = self._is_withdrawn = False

    def offered_when_asked(self) -> None:
        """Our offer went out in a 2xx; the answer comes with the ACK."""
        self._open = _OpenOffer.ASKED_FOR

    async def confirmed(self, leg: SipLeg, sdp: str | None) -> None:
        """Our first 2xx was acknowledged; ``sdp`` answers an offer in it."""
        if self._open is _OpenOffer.ASKED_FOR:
            self._open = None
            if sdp is not None:
                self._on_agreed(await self._media.accept_sip(sdp))
            await self.tell_far_end(leg)

    async def far_end_offers(self, leg: SipLeg, offer: str | None) -> None:
        """Answer the far end's offer, or make one where it wants ours."""
        agreed: Negotiated | None = None
        status, sdp = 0, ""
        try:
            if offer is None:
                sdp = await self._media.offer_sip()
            else:
                agreed = await self._media.answer_sip(offer)
                sdp = agreed.sdp
        except MediaError as error:
            status = SIP_STATUS[error.kind]
        try:
            if status:
                leg.reject_offer(status)
                return
            leg.accept_offer(sdp)
        except LocalProtocolError:
            # The engine has taken it for agreed: a re-INVITE of ours puts that right.
            logger.info("call %s: the far end withdrew its offer", self._call_id)
            self._is_withdrawn = True
            self._media.sip_must_be_reoffered |= not status
            return
        if agreed is None:
            self._open = _OpenOffer.ASKED_FOR
        else:
            self._on_agreed(agreed)
            await self.tell_far_end(leg)

    async def answered(self, leg: SipLeg, sdp: str) -> None:
        """The far end has answered our offer."""
        self._open = None
        # Else the worker that made this offer is gone, and another offer is due.
        if not self._media.sip_must_be_reoffered:
            self._on_agreed(await self._media.accept_sip(sdp))
        await self._settled(leg)

    async def failed(self, leg: SipLeg, status: int) -> None:
        """An offer came to nothing: ours, or the far end's that it withdrew."""
        if self._is_withdrawn:
            self._is_withdrawn = False
            await self.tell_far_end(leg)
            return
        if status == 491 and self._open is _OpenOffer.ASKED_FOR:
            # What this one was to say is in the newer one.
            return
        logger.warning("call %s: re-INVITE refused with %d", self._call_id, status)
        self._open = None
        if status == 491:
            self._media.video.sip_overtaken()
        if self._media.hold_state.refused(status):
            # Who hears of it says what follows.
            self._on_retrieve_refused()
            return
        await self._settled(leg)

    async def _settled(self, leg: SipLeg) -> None:
        was_about_video, self._is_about_video = self._is_about_video, False
        await self.tell_far_end(leg)
        if was_about_video and self._open is None:
            self._on_video_outcome()
