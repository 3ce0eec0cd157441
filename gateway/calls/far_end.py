"""A call's SIP side: its leg, what has been agreed there, and what comes from there.

Runs in the call's actor and changes the call by :class:`Owner` only.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, assert_never

import sip
from gateway.calls.keyframes import (
    CONTENT_TYPE,
    PICTURE_FAST_UPDATE,
    Paced,
    asks_for_keyframe,
)
from gateway.calls.machine import WrongState
from gateway.calls.media import CallMedia
from gateway.calls.outcome import of_cancel, of_rejection
from gateway.calls.ports import Services, SipLeg
from gateway.calls.renegotiation import Renegotiation
from gateway.media.engine import MediaError, MediaErrorKind, Negotiated
from gateway.sessions.wire import (
    CallEarlyMediaEvent,
    CallRingingEvent,
    CallState,
    EndReason,
    Event,
)

logger = logging.getLogger(__name__)


class Owner(Protocol):
    """The call, as its far end sees it."""

    @property
    def state(self) -> CallState: ...

    def alert(self, event: type[Event]) -> None:
        """It rings there, or sends sound already."""

    def connected(self) -> None:
        """It was answered there."""

    async def far_end_left(self, reason: EndReason) -> None:
        """The leg of an answered call has ended."""

    def finish(self, reason: EndReason, *, sip_code: int | None = None) -> None:
        """The call is over."""

    def agreed(self, negotiated: Negotiated) -> None:
        """Both sides have agreed on media."""

    def show(self) -> None:
        """Whatever is shown of the call may be another."""

    def retrieve_refused(self) -> None:
        """It would not be taken back from hold."""

    def transfer_told(self, event: sip.TransferProgress | sip.TransferRefused) -> None:
        """What it says of the transfer that it was asked for."""

    async def transfer_requested(self, event: sip.TransferRequested) -> None:
        """It wants us to call somebody in its place."""

    def identified(self, identity: sip.NameAddr) -> None:
        """Its server says who it is now."""


class FarEnd:
    """See the module. Methods that negotiate raise :class:`MediaError`.

    Args:
        post: puts a job into the call's inbox.
    """

    def __init__(
        self,
        call_id: str,
        call: Owner,
        media: CallMedia,
        post: Callable[[Callable[[], Awaitable[None]]], None],
        services: Services,
    ) -> None:
        # None before there is one, and in a call that goes on without.
        self.leg: SipLeg | None = None
        self._call_id = call_id
        self._call = call
        self._media = media
        self._post = post
        self.renegotiation = Renegotiation(
            call_id,
            media,
            may_offer=lambda: self._call.state is CallState.ACTIVE,
            on_agreed=lambda negotiated: self._call.agreed(negotiated),
            on_video_outcome=lambda: self._call.show(),
            on_retrieve_refused=lambda: self._call.retrieve_refused(),
        )
        # The branch whose early media is heard; the first that sends any.
        self._early_media_of: str | None = None

        def paced(job: Callable[[], Awaitable[None]]) -> Paced:
            return Paced(
                lambda: self._post(job), now=services.now, later=services.later
            )

        self._far_keyframes = paced(self._ask_keyframe)
        self._own_keyframes = paced(media.request_keyframe)

    def move_to(
        self, call: Owner, post: Callable[[Callable[[], Awaitable[None]]], None]
    ) -> None:
        """It belongs to this call from now on, and runs in its actor."""
        self._call = call
        self._post = post

    def close(self) -> None:
        """Nothing is asked for any more."""
        self._far_keyframes.close()
        self._own_keyframes.close()

    def require_leg(self) -> SipLeg:
        """Raises WrongState without one."""
        if self.leg is None:
            raise WrongState("no SIP leg yet")
        return self.leg

    def take(self, leg: SipLeg) -> SipLeg | None:
        """Another leg is the call's now; gives the one that was."""
        former, self.leg = self.leg, leg
        self._early_media_of = None
        self.renegotiation.void()
        return former

    def drop(self, status: int | None = None) -> None:
        """End the leg by what fits its state: final response, CANCEL or BYE."""
        if self.leg is None:
            return
        ringing = self._call.state in (CallState.RINGING, CallState.ANSWERING)
        if ringing and status is not None:
            self.leg.reject(status)
        else:
            self.leg.hangup(None)

    async def describe(self, leg: SipLeg) -> str:
        """Our SDP for a 2xx: the answer to its offer, or an offer."""
        if leg.remote_offer is None:
            return await self._media.offer_sip()
        negotiated = await self._media.answer_sip(leg.remote_offer)
        self._call.agreed(negotiated)
        return negotiated.sdp

    def keyframe_wanted(self) -> None:
        """Our browser waits for a full picture, and RTCP cannot say so there."""
        self._far_keyframes.ask()

    async def send_digits(self, leg: SipLeg, digits: str) -> None:
        """DTMF by RFC 4733, or by INFO where it takes no telephone-event."""
        if await self._media.send_digits(digits):
            return
        for digit in digits:
            leg.info(
                "application/dtmf-relay",
                f"Signal={digit}\r\nDuration=160\r\n".encode("ascii"),
            )

    async def tell_hold(self) -> None:
        """Say whether we hold the call now; and begin with full pictures again."""
        if self.leg is None:
            return
        await self.renegotiation.tell_far_end(self.leg)
        if not self._media.hold_state.is_held and self._media.video.view.sends:
            self._own_keyframes.ask()
        if not self._media.hold_state.is_held and self._media.video.view.receives:
            self._far_keyframes.ask()

    async def _ask_keyframe(self) -> None:
        if self.leg is not None and self._call.state is CallState.ACTIVE:
            self.leg.info(CONTENT_TYPE, PICTURE_FAST_UPDATE)

    async def receive(self, event: sip.CallEvent) -> None:
        """Something has come from there."""
        match event:
            case sip.Progress():
                await self._on_progress(event)
            case sip.Answered():
                await self._on_answered(event)
            case sip.Confirmed():
                await self.renegotiation.confirmed(self.require_leg(), event.sdp)
            case sip.Offer():
                leg = self.require_leg()
                await self.renegotiation.far_end_offers(leg, event.sdp)
            case sip.OfferAnswered():
                await self.renegotiation.answered(self.require_leg(), event.sdp)
            case sip.OfferFailed():
                await self.renegotiation.failed(self.require_leg(), event.status)
            case sip.Rejected():
                if event.local:
                    self._call.finish(EndReason.SERVER_UNAVAILABLE)
                else:
                    reason = of_rejection(event.status)
                    self._call.finish(reason, sip_code=event.status)
            case sip.Cancelled():
                self._call.finish(of_cancel(event.reasons))
            case sip.RemoteHangup():
                await self._call.far_end_left(EndReason.HUNG_UP_THERE)
            case sip.TransferRequested():
                await self._call.transfer_requested(event)
            case sip.PeerIdentified():
                self._call.identified(event.identity)
            case sip.TransferProgress() | sip.TransferRefused():
                self._call.transfer_told(event)
            case sip.Replaced():
                await self._call.far_end_left(EndReason.HUNG_UP_THERE)
            case sip.Failed() | sip.LocalEnd():
                await self._call.far_end_left(EndReason.FAILED)
            case sip.InfoReceived():
                if asks_for_keyframe(event.content_type, event.body):
                    self._own_keyframes.ask()
            case _:
                assert_never(event)

    async def _on_progress(self, event: sip.Progress) -> None:
        if event.sdp is not None and self._early_media_of in (
            None,
            event.dialog_id,
        ):
            is_first = self._early_media_of is None
            self._early_media_of = event.dialog_id
            await self._accept(event.sdp)
            if is_first:
                self._call.alert(CallEarlyMediaEvent)
        elif event.status > 100:
            self._call.alert(CallRingingEvent)

    async def _on_answered(self, event: sip.Answered) -> None:
        try:
            if event.sdp is None:
                raise MediaError(MediaErrorKind.BAD_SDP, "a 2xx without SDP")
            await self._accept(event.sdp)
        except MediaError as error:
            logger.warning("call %s: answer unusable: %s", self._call_id, error)
            self.drop()
            self._call.finish(EndReason.NO_COMMON_CODEC)
            return
        self._call.connected()
        await self.renegotiation.tell_far_end(self.require_leg())

    async def _accept(self, sdp: str) -> None:
        self._call.agreed(await self._media.accept_sip(sdp))
