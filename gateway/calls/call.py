"""One call: the only place where a browser, a SIP leg and media meet.

A call is an actor. Everything that happens to it (the rep's requests, SIP events,
media events, a found match) is put into one bounded inbox and handled strictly in
order by :meth:`Call.run`; nothing else touches its state. What may follow what is
:mod:`gateway.calls.machine`'s business, what an end means :mod:`.outcome`'s.

The SIP dialog lives here and never in the page: a reload, another tab or a network
change is an offer with a higher generation (:meth:`Call.offer_media`), and the far
end's call is not touched.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar, assert_never

import sip
from gateway.activities.record import CallRecord
from gateway.calls.guest_calls import CallInvite
from gateway.calls.inbox import Inbox
from gateway.calls.keyframes import (
    CONTENT_TYPE,
    PICTURE_FAST_UPDATE,
    Paced,
    asks_for_keyframe,
)
from gateway.calls.machine import CallInput, CallMachine, WrongState
from gateway.calls.media import ERROR_KIND, SIP_STATUS, CallMedia
from gateway.calls.outcome import of_cancel, of_rejection
from gateway.calls.ports import Alarm, Services, SipLeg
from gateway.calls.renegotiation import Renegotiation
from gateway.crm.connector import CrmRecord
from gateway.identity.users import User
from gateway.media.engine import (
    BrowserConnected,
    BrowserLost,
    DigitReceived,
    EngineLost,
    KeyframeWanted,
    Leg,
    MediaCallId,
    MediaError,
    MediaErrorKind,
    MediaEvent,
    Negotiated,
    RoomChanged,
    SipMediaStarted,
)
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import (
    ActivityState,
    ActivityView,
    CallAnsweredEvent,
    CallDirection,
    CallDtmfEvent,
    CallEarlyMediaEvent,
    CallEndedEvent,
    CallIncomingEvent,
    CallMediaEvent,
    CallRingingEvent,
    CallState,
    CallUpdatedEvent,
    CallView,
    EndReason,
    ErrorKind,
    Event,
    Match,
    MatchState,
    MediaAction,
    MediaReason,
    Peer,
    Record,
    VideoView,
)

logger = logging.getLogger(__name__)

# How long an attempt may wait to be on disk: before it is dialled, before it rings.
DIAL_WITHIN_S = 1.0
RING_WITHIN_S = 0.25
# A media worker that died is replaced in well under this; the call waits for it.
REOPEN_WITHIN_S = 10.0
REOPEN_PAUSE_S = 0.2
REMEMBERED_END_REASON = sip.Reason(
    protocol="SIP", cause=410, text="The rep's browser did not come back"
)

T = TypeVar("T")


class Call:
    """See the module. Made by :class:`gateway.calls.service.CallService`.

    Args:
        record: the CRM record that the rep dialled from.
        match: what is known of the other party already.
        invite: the video invite it came by. A guest's own side shows nothing of the
            CRM, and is kept as the host's.
        on_answered: called once, when it is.
    """

    def __init__(
        self,
        call_id: str,
        media_id: MediaCallId,
        user: User,
        direction: CallDirection,
        peer: Peer,
        *,
        services: Services,
        record: Record | None = None,
        match: Match | None = None,
        invite: CallInvite | None = None,
        on_answered: Callable[[], None] | None = None,
    ) -> None:
        self.call_id = call_id
        self.user = user
        self.peer = peer
        self._services = services
        self._machine = CallMachine(direction, now=services.now())
        self._media = CallMedia(services.engine, media_id)
        self._renegotiation = Renegotiation(
            call_id,
            self._media,
            may_offer=lambda: self.state is CallState.ACTIVE,
            on_agreed=self._ask_for_codec,
            on_video_outcome=lambda: self._publish(CallUpdatedEvent, call=self.view()),
        )
        # What the rep was told of video last.
        self._shown_video = VideoView()
        self._far_keyframes = self._paced(self._ask_far_keyframe)
        self._own_keyframes = self._paced(self._media.request_keyframe)
        # The branch whose early media is heard; the first that sends any.
        self._early_media_of: str | None = None
        self._leg: SipLeg | None = None
        # Whether the rep may see it: an incoming call not before it is kept.
        self.is_announced = direction is CallDirection.OUTBOUND
        self.invite = invite
        self._when_answered = on_answered
        self._match = match or Match(
            state=MatchState.FOUND if record else MatchState.NONE,
            records=(record,) if record else (),
        )
        # The record the rep meant: dialled from, chosen, or created during the call.
        self._chosen = record
        self._activity = ActivityView(state=ActivityState.NONE)
        self._inbox = Inbox()
        self._post = self._inbox.post
        self._alarm: Alarm | None = None
        self._reopening: Alarm | None = None

    # What others see --------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        return self._machine.is_over

    @property
    def state(self) -> CallState:
        return self._machine.state

    @property
    def media_id(self) -> MediaCallId:
        return self._media.media_id

    def view(self) -> CallView:
        """The call as the browser protocol shows it."""
        machine = self._machine
        return CallView(
            call_id=self.call_id,
            direction=machine.direction,
            state=machine.state,
            peer=self.peer,
            match=self._match,
            started_at=_ms(machine.started_at),
            answered_at=None
            if machine.answered_at is None
            else _ms(machine.answered_at),
            ended_at=None if machine.ended_at is None else _ms(machine.ended_at),
            end_reason=machine.end_reason,
            sip_code=machine.sip_code,
            media_generation=self._media.generation,
            activity=self._activity,
            invite=None if self.invite is None else self.invite.ref,
            video=VideoView() if machine.is_over else self._media.video.view,
        )

    def record(self) -> CallRecord:
        """The call as it is kept."""
        machine = self._machine
        own = CallRecord(
            call_id=self.call_id,
            user=self.user.key,
            direction=machine.direction,
            number=self.peer.number,
            e164=self.peer.e164,
            display_name=self.peer.display_name,
            record=self._record_meant(),
            started_at=machine.started_at,
            answered_at=machine.answered_at,
            ended_at=machine.ended_at,
            reason=machine.end_reason,
            sip_code=machine.sip_code,
        )
        return own if self.invite is None else self.invite.kept(own)

    @property
    def was_answered(self) -> bool:
        return self._machine.answered_at is not None

    @property
    def is_guests(self) -> bool:
        """Whether it is a guest's own side of a call by an invite."""
        return self.invite is not None and self.invite.is_guests

    @property
    def _owner(self) -> User:
        """Whose activity it is."""
        if self.invite is not None and self.invite.is_guests:
            return self.invite.guest_pass.host
        return self.user

    def _record_meant(self) -> CrmRecord | None:
        """Whom the activity belongs to: never a guess among several."""
        record = self._chosen
        if record is None and len(self._match.records) == 1:
            record = self._match.records[0]
        if record is None or record.certainty != "exact":
            return None
        return CrmRecord(
            id=record.id,
            kind=record.kind,
            name=record.name,
            url=record.url,
            company=record.company,
            phone=record.phone,
            email=record.email,
        )

    # Into the inbox -----------------------------------------------------------------

    async def request(self, command: Callable[[], Awaitable[T]]) -> T:
        """Run a command of the rep's in its turn and give back its result.

        Raises:
            RequestError: as the command does, or ``call.wrong_state`` if the call
                ended before its turn came.
        """
        if self.is_over:
            raise RequestError(ErrorKind.CALL_WRONG_STATE, "The call has ended.")
        return await self._inbox.request(command)

    def sip_event(self, event: sip.CallEvent) -> None:
        """Called by the SIP leg."""
        # Of all others the far end can send no more than one at a time.
        is_noise = isinstance(event, sip.Progress | sip.InfoReceived)
        self._post(lambda: self._on_sip(event), vital=not is_noise)

    def media_event(self, event: MediaEvent) -> None:
        """Called for the engine's events of this call."""
        self._post(lambda: self._on_media(event))

    def match_found(self, match: Match) -> None:
        """The CRM's answer, whenever it comes; also after the end."""
        if self.is_over:
            self._set_match(match)
        else:
            self._post(lambda: _now(lambda: self._set_match(match)))

    def chosen(self, record: Record) -> None:
        """The rep chose or created the record of this call; also after the end."""
        self._chosen = record
        if self.is_guests:
            return
        records = (record, *(r for r in self._match.records if r.id != record.id))
        self._match = Match(state=MatchState.FOUND, records=records)
        self._publish(CallUpdatedEvent, call=self.view())

    def activity_changed(self, activity: ActivityView) -> None:
        """The activity writer's news about this call."""
        if self.is_guests:
            return
        self._activity = activity
        self._publish(CallUpdatedEvent, call=self.view())

    # The actor ----------------------------------------------------------------------

    async def run(self) -> None:
        """Handle the inbox until the call is over; then free everything."""
        try:
            while not self.is_over:
                job = self._inbox.take()
                if job is None:
                    await self._inbox.arrival()
                    continue
                try:
                    await job()
                except MediaError as error:
                    await self._media_failed(error)
        except Exception:
            logger.exception("call %s of %s failed", self.call_id, self.user.key)
            if self._leg is not None and not self.is_over:
                self._leg.hangup(None)
            self._finish(EndReason.FAILED)
        finally:
            await self._free()

    async def _free(self) -> None:
        self._set_alarm(None, None)
        if self._reopening is not None:
            self._reopening.cancel()
        self._far_keyframes.close()
        self._own_keyframes.close()
        await self._media.close()
        while (job := self._inbox.take()) is not None:
            # Requests that came too late learn that the call has ended.
            await self._answer_late(job)

    async def _answer_late(self, job: Callable[[], Awaitable[None]]) -> None:
        try:
            await job()
        except (MediaError, WrongState) as error:
            logger.debug("call %s: after its end: %s", self.call_id, error)

    def _publish(self, event: type[Event], **fields: object) -> None:
        if isinstance(call := fields.get("call"), CallView):
            self._shown_video = call.video
        self._services.publisher.publish(self.user.key, event, **fields)

    def _show_video(self) -> None:
        """Tell the rep, unless something else has told it already."""
        if self._media.video.view != self._shown_video and not self.is_over:
            self._publish(CallUpdatedEvent, call=self.view())

    def _paced(self, job: Callable[[], Awaitable[None]]) -> Paced:
        return Paced(
            lambda: self._post(job),
            now=self._services.now,
            later=self._services.later,
        )

    def _set_alarm(
        self, delay_s: float | None, then: Callable[[], Awaitable[None]] | None
    ) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if delay_s is not None and then is not None:
            self._alarm = self._services.later(delay_s, lambda: self._post(then))

    # Beginnings ---------------------------------------------------------------------

    def begin_incoming(self, leg: SipLeg) -> None:
        """An INVITE has come: keep it, then tell the rep and the caller."""
        self._leg = leg
        self._media.video.invited(leg.remote_offer)
        self._services.journal.started(self.record())
        self._set_alarm(self._services.limits.no_answer_s, self._rang_too_long)
        # First in the inbox: whatever happens meanwhile waits for its turn.
        self._post(lambda: self._ring(leg), vital=True)

    async def _ring(self, leg: SipLeg) -> None:
        if not await self._is_kept(RING_WITHIN_S):
            logger.warning("call %s: rings before it is kept", self.call_id)
        if leg.is_ended:
            # The caller has given up; the event that follows says how it ended.
            return
        leg.ring()
        self.is_announced = True
        self._publish(CallIncomingEvent, call=self.view())

    def begin_search(self) -> None:
        """The CRM is being asked who this is."""
        self._match = Match(state=MatchState.SEARCHING)

    async def begin_outgoing(
        self, offer: str, dial: Callable[[str, Callable[[sip.CallEvent], None]], SipLeg]
    ) -> str:
        """Set up media and send the INVITE; gives the SDP answer for the browser.

        Raises:
            RequestError: nothing was sent; the call is over and not recorded.
        """
        is_recorded = False
        try:
            answered = await self._media.answer_browser(offer, 1)
            sip_offer = await self._media.offer_sip()
            self._services.journal.started(self.record())
            is_recorded = True
            if not await self._is_kept(DIAL_WITHIN_S):
                logger.warning("call %s: dialled before it was kept", self.call_id)
            self._leg = dial(sip_offer, self.sip_event)
        except BaseException as error:
            if is_recorded:
                self._finish(EndReason.FAILED)
            self._machine.end(EndReason.MEDIA_FAILED, now=self._services.now())
            await self._free()
            if isinstance(error, MediaError):
                kind = ERROR_KIND[error.kind]
                raise RequestError(kind, error.detail) from None
            raise
        self._set_alarm(self._services.limits.no_answer_s, self._rang_too_long)
        return answered.sdp

    async def _is_kept(self, within_s: float) -> bool:
        """Wait until the attempt survives us; a slow disk does not stop the call."""
        try:
            async with asyncio.timeout(within_s):
                await self._services.journal.flush()
        except TimeoutError:
            return False
        return True

    async def _rang_too_long(self) -> None:
        if self.state in (CallState.RINGING, CallState.ANSWERING):
            self._drop_leg(480)
            self._finish(EndReason.MISSED)
        elif self.state in (CallState.CALLING, CallState.ALERTING):
            self._drop_leg()
            self._finish(EndReason.NO_ANSWER)

    # The rep's requests (each runs in the actor, by request()) -----------------------

    async def answer(self, offer: str | None, generation: int) -> str | None:
        """Answer an incoming call; gives the SDP answer to ``offer``."""
        leg = self._require_leg()
        if offer is None and self._media.generation == 0:
            raise RequestError(
                ErrorKind.BAD_REQUEST, "An offer is needed, here or by call.media."
            )
        self._machine.apply(CallInput.ACCEPT, now=self._services.now())
        answer: str | None = None
        try:
            if offer is not None:
                answer = (await self._media.answer_browser(offer, generation)).sdp
            sdp = await self._sip_description(leg)
        except MediaError as error:
            leg.reject(SIP_STATUS[error.kind])
            self._finish(
                EndReason.NO_COMMON_CODEC
                if error.kind is MediaErrorKind.NO_COMMON_CODEC
                else EndReason.MEDIA_FAILED
            )
            raise
        if self.is_over:
            raise WrongState("the caller hung up")
        leg.answer(sdp)
        if leg.is_ended:
            # The caller's CANCEL came first; its event says how the call ends.
            raise WrongState("the caller hung up")
        if leg.remote_offer is None:
            self._renegotiation.offered_when_asked()
        self._connected()
        return answer

    async def _sip_description(self, leg: SipLeg) -> str:
        if leg.remote_offer is None:
            return await self._media.offer_sip()
        negotiated = await self._media.answer_sip(leg.remote_offer)
        self._ask_for_codec(negotiated)
        return negotiated.sdp

    async def reject(self, reason: str) -> None:
        """Decline an incoming call on all devices, or say busy on this one."""
        if self.state is not CallState.RINGING:
            raise WrongState(f"decline in state {self.state.value}")
        self._drop_leg(603 if reason == "declined" else 486)
        self._finish(EndReason.DECLINED_HERE)

    async def hang_up(self) -> None:
        """End the call, whatever its state."""
        reason = self._machine.hang_up_reason()
        self._drop_leg(603 if reason is EndReason.DECLINED_HERE else None)
        self._finish(reason)

    async def offer_media(
        self, offer: str, generation: int, reason: MediaReason
    ) -> tuple[str, int]:
        """Take the browser's offer: first, renewed, or renegotiated."""
        self._machine.apply(CallInput.MEDIA, now=self._services.now())
        if generation < self._media.generation:
            raise RequestError(
                ErrorKind.CALL_WRONG_STATE,
                f"generation {generation} is older than {self._media.generation}",
            )
        logger.info(
            "call %s media offer: %s, generation %d", self.call_id, reason, generation
        )
        negotiated = await self._media.answer_browser(offer, generation)
        if self._leg is not None:
            await self._renegotiation.tell_far_end(self._leg)
        self._show_video()
        return negotiated.sdp, self._media.generation

    async def send_digits(self, digits: str) -> None:
        """DTMF by RFC 4733, or by INFO where the far end takes no telephone-event."""
        self._machine.apply(CallInput.DIGITS, now=self._services.now())
        digits = digits.upper()
        if await self._media.send_digits(digits):
            return
        leg = self._require_leg()
        for digit in digits:
            leg.info(
                "application/dtmf-relay",
                f"Signal={digit}\r\nDuration=160\r\n".encode("ascii"),
            )

    async def abandon(self) -> None:
        """Nobody came back in the resume window."""
        if self._leg is not None:
            if self.state is CallState.RINGING:
                self._leg.reject(480)
            else:
                self._leg.hangup(REMEMBERED_END_REASON)
        self._finish(
            EndReason.MISSED
            if self.state is CallState.RINGING
            else EndReason.CLIENT_LOST
        )

    async def invite_over(self) -> None:
        """The time of the invite it came by is over."""
        self._drop_leg(480)
        self._finish(EndReason.INVITE_OVER)

    # SIP ------------------------------------------------------------------------------

    async def _on_sip(self, event: sip.CallEvent) -> None:
        if self.is_over:
            return
        await self._take_sip(event)
        self._show_video()

    async def _take_sip(self, event: sip.CallEvent) -> None:
        match event:
            case sip.Progress():
                await self._on_progress(event)
            case sip.Answered():
                await self._on_answered(event)
            case sip.Confirmed():
                await self._renegotiation.confirmed(self._require_leg(), event.sdp)
            case sip.Offer():
                leg = self._require_leg()
                await self._renegotiation.far_end_offers(leg, event.sdp)
            case sip.OfferAnswered():
                await self._renegotiation.answered(self._require_leg(), event.sdp)
            case sip.OfferFailed():
                await self._renegotiation.failed(self._require_leg(), event.status)
            case sip.Rejected():
                if event.local:
                    self._finish(EndReason.SERVER_UNAVAILABLE)
                else:
                    self._finish(of_rejection(event.status), sip_code=event.status)
            case sip.Cancelled():
                self._finish(of_cancel(event.reasons))
            case sip.RemoteHangup():
                self._finish(EndReason.HUNG_UP_THERE)
            case sip.Failed():
                self._finish(EndReason.FAILED)
            case sip.InfoReceived():
                if asks_for_keyframe(event.content_type, event.body):
                    self._own_keyframes.ask()
            case sip.TransferRequested():
                self._require_leg().refuse_transfer(603)
            case sip.TransferProgress() | sip.TransferRefused():
                logger.debug("call %s: %s, for nobody", self.call_id, event)
            case sip.Replaced():
                self._finish(EndReason.HUNG_UP_THERE)
            case sip.LocalEnd():
                self._finish(EndReason.FAILED)
            case _:
                assert_never(event)

    async def _on_progress(self, event: sip.Progress) -> None:
        if event.sdp is not None and self._early_media_of in (
            None,
            event.dialog_id,
        ):
            is_first = self._early_media_of is None
            self._early_media_of = event.dialog_id
            await self._accept_sip(event.sdp)
            if is_first:
                self._alert(CallEarlyMediaEvent)
        elif event.status > 100:
            self._alert(CallRingingEvent)

    def _alert(self, event: type[Event]) -> None:
        first = self.state is CallState.CALLING
        if self.state in (CallState.CALLING, CallState.ALERTING):
            self._machine.apply(CallInput.ALERT, now=self._services.now())
            if first or event is CallEarlyMediaEvent:
                self._publish(event, call=self.view())

    async def _on_answered(self, event: sip.Answered) -> None:
        try:
            if event.sdp is None:
                raise MediaError(MediaErrorKind.BAD_SDP, "a 2xx without SDP")
            await self._accept_sip(event.sdp)
        except MediaError as error:
            logger.warning("call %s: answer unusable: %s", self.call_id, error)
            self._drop_leg()
            self._finish(EndReason.NO_COMMON_CODEC)
            return
        self._connected()
        await self._renegotiation.tell_far_end(self._require_leg())

    async def _accept_sip(self, sdp: str) -> None:
        self._ask_for_codec(await self._media.accept_sip(sdp))

    def _connected(self) -> None:
        now = self._services.now()
        self._machine.apply(CallInput.CONNECT, now=now)
        self._set_alarm(None, None)
        kept = self.record()
        self._services.journal.answered(kept.user, kept.call_id, now)
        if self._when_answered is not None:
            self._when_answered()
        self._publish(CallAnsweredEvent, call=self.view())

    # Media ----------------------------------------------------------------------------

    def _ask_for_codec(self, negotiated: Negotiated) -> None:
        if negotiated.renegotiate_browser:
            self._tell_media(MediaAction.RENEGOTIATE, self._media.generation)

    def _tell_media(self, action: MediaAction, generation: int) -> None:
        self._publish(
            CallMediaEvent, call_id=self.call_id, action=action, generation=generation
        )

    async def _on_media(self, event: MediaEvent) -> None:
        if self.is_over:
            return
        match event:
            case BrowserConnected():
                self._tell_media(MediaAction.CONNECTED, event.generation)
            case BrowserLost():
                if event.generation == self._media.generation:
                    self._tell_media(MediaAction.LOST, event.generation)
            case DigitReceived():
                if event.leg is Leg.SIP:
                    self._publish(
                        CallDtmfEvent, call_id=self.call_id, digit=event.digit
                    )
            case EngineLost():
                self._media.lost()
                await self._reopen_media(until=self._services.now() + REOPEN_WITHIN_S)
            case KeyframeWanted():
                # The browser always understands RTCP.
                if event.leg is Leg.SIP and self.state is CallState.ACTIVE:
                    self._far_keyframes.ask()
            case RoomChanged():
                self._tell_media(MediaAction.RENEGOTIATE, self._media.generation)
            case SipMediaStarted():
                logger.debug("call %s: first RTP from the far end", self.call_id)
            case _:
                assert_never(event)

    async def _ask_far_keyframe(self) -> None:
        if self._leg is not None and self.state is CallState.ACTIVE:
            self._leg.info(CONTENT_TYPE, PICTURE_FAST_UPDATE)

    async def _reopen_media(self, *, until: float) -> None:
        """A new worker, as soon as there is one; a new offer; a re-INVITE."""
        if self.is_over:
            return
        try:
            await self._media.reopen()
        except MediaError as error:
            if self._services.now() < until:
                self._reopening = self._services.later(
                    REOPEN_PAUSE_S,
                    lambda: self._post(lambda: self._reopen_media(until=until)),
                )
                return
            logger.warning("call %s: no media engine: %s", self.call_id, error)
            self._drop_leg()
            self._finish(EndReason.MEDIA_FAILED)
            return
        self._tell_media(MediaAction.RENEW, self._media.generation)

    async def _media_failed(self, error: MediaError) -> None:
        logger.warning("call %s: %s", self.call_id, error)
        if error.kind is MediaErrorKind.ENGINE_LOST:
            return
        self._drop_leg(SIP_STATUS[error.kind])
        self._finish(EndReason.MEDIA_FAILED)

    # The end --------------------------------------------------------------------------

    def _require_leg(self) -> SipLeg:
        if self._leg is None:
            raise WrongState("no SIP leg yet")
        return self._leg

    def _drop_leg(self, status: int | None = None) -> None:
        """End the SIP leg by what fits its state: final response, CANCEL or BYE."""
        if self._leg is None:
            return
        ringing = self.state in (CallState.RINGING, CallState.ANSWERING)
        if ringing and status is not None:
            self._leg.reject(status)
        else:
            self._leg.hangup(None)

    def _finish(self, reason: EndReason, *, sip_code: int | None = None) -> None:
        if not self._machine.end(reason, now=self._services.now(), sip_code=sip_code):
            return
        logger.info("= call %s ENDED (%s)", self.call_id, reason.value)
        activity = self._services.journal.ended(
            self._owner,
            self.record(),
            match_is_open=self._match.state
            in (MatchState.SEARCHING, MatchState.FAILED),
        )
        if self.invite is None:
            # Of an invite's call the guest's side writes, and its news may be here.
            self._activity = activity
        self._publish(CallEndedEvent, call=self.view())
        self._inbox.wake()

    def _set_match(self, match: Match) -> None:
        if self._chosen is not None:
            return
        self._match = match
        self._publish(CallUpdatedEvent, call=self.view())


async def _now(action: Callable[[], None]) -> None:
    action()


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
