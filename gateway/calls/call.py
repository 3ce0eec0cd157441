"""One call: the only place where a browser, a SIP leg and media meet.

A call is an actor. Everything that happens to it (the rep's requests, SIP events,
media events, a found match) is put into one bounded inbox and handled strictly in
order by :meth:`Call.run`; nothing else touches its state. What may follow what is
:mod:`gateway.calls.machine`'s business, what an end means :mod:`.outcome`'s.

The SIP dialog lives here and never in the page: a reload, another tab or a network
change is an offer with a higher generation (:meth:`Call.offer_media`), and the far
end's call is not touched.

Its parts are public for who shows the call (:mod:`.portrait`); what changes them is
done in the actor. :mod:`.attendance` is a call's part in a meeting; :mod:`.succession`
has its far end become another, :mod:`.referred` does so when that asks for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

import sip
from gateway.activities.record import CallRecord
from gateway.calls.attendance import Attendance
from gateway.calls.far_end import FarEnd
from gateway.calls.guest_calls import CallInvite
from gateway.calls.handover import Handover
from gateway.calls.holding import Holding
from gateway.calls.inbox import Inbox
from gateway.calls.machine import CallInput, CallMachine, WrongState
from gateway.calls.media import ERROR_KIND, SIP_STATUS, CallMedia
from gateway.calls.near_end import NearEnd
from gateway.calls.portrait import owner_of, record_of, records_to_keep, view_of
from gateway.calls.ports import (
    Alarm,
    Dial,
    Membership,
    Services,
    SipLeg,
)
from gateway.calls.referred import Referred
from gateway.calls.subject import Subject
from gateway.calls.succession import Succession, is_same
from gateway.identity.users import User
from gateway.media.engine import (
    MediaCallId,
    MediaError,
    MediaErrorKind,
    MediaEvent,
    Negotiated,
)
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import (
    ActivityView,
    CallAnsweredEvent,
    CallDirection,
    CallEarlyMediaEvent,
    CallEndedEvent,
    CallIncomingEvent,
    CallRingingEvent,
    CallState,
    CallType,
    CallUpdatedEvent,
    CallView,
    EndReason,
    ErrorKind,
    Event,
    Match,
    MediaReason,
    Peer,
    Record,
    VideoView,
)

if TYPE_CHECKING:
    from gateway.calls.work import Worksheet

logger = logging.getLogger(__name__)

# How long an attempt may wait to be on disk: before it is dialled, before it rings.
DIAL_WITHIN_S = 1.0
RING_WITHIN_S = 0.25
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
        membership: of a meeting, for calls that certainly are an invite's.
        sheet: what the rep writes down; both sides of a guest's call have the same.
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
        sheet: Worksheet,
        type: CallType = CallType.EXTERNAL,
        record: Record | None = None,
        match: Match | None = None,
        invite: CallInvite | None = None,
        membership: Membership | None = None,
    ) -> None:
        self.call_id = call_id
        self.user = user
        self.peer = peer
        self.sheet = sheet
        self.type = type
        self._services = services
        self.machine = CallMachine(direction, now=services.now())
        self.media = CallMedia(
            services.engine,
            media_id,
            room=membership.room if membership else "",
            beside="" if user.is_guest else f"{user.key.tenant}/{user.key.user}",
        )
        self._inbox = Inbox()
        self._post = self._inbox.post
        parts = (call_id, self, self.media, self._post, services)
        self._near_end = NearEnd(*parts)
        self._far_end = FarEnd(*parts)
        self.attendance = Attendance(
            call_id,
            self,
            self.media,
            self._far_end,
            membership,
            post=lambda job: self._post(job, vital=True),
            dial=self._dial,
        )
        self.holding = Holding(
            call_id,
            self,
            self.media,
            self._far_end,
            self.attendance,
            post=lambda job: self._post(job, vital=True),
        )
        self.handover = Handover(
            call_id, self, self.media, self._far_end, self.holding, self.attendance
        )
        # What the rep was told of it last, of what changes by itself.
        self._shown = (VideoView(), False)
        # Whether the rep may see it: an incoming call not before it is kept.
        self.is_announced = direction is CallDirection.OUTBOUND
        self.invite = invite
        # What the caller typed, and the call that this one is about; set before the
        # call begins.
        self.caller_key = ""
        self.consults_for: str | None = None
        self.subject = Subject(record, match)
        self.succession = Succession(
            call_id, self, self.media, self._far_end, self.subject, services
        )
        self.referred = Referred(
            call_id,
            self,
            self.media,
            self._far_end,
            self.succession,
            services,
            post=lambda job: self._post(job, vital=True),
        )
        # Call-IDs of all SIP legs that it has or had.
        self.sip_call_ids: set[str] = set()
        self._alarm: Alarm | None = None

    # What others see --------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        return self.machine.is_over

    @property
    def state(self) -> CallState:
        return self.machine.state

    @property
    def media_id(self) -> MediaCallId:
        return self.media.media_id

    def has_leg(self, leg: object) -> bool:
        """Whether that is its SIP leg."""
        return leg is not None and self._far_end.leg is leg

    def view(self) -> CallView:
        """The call as the browser protocol shows it."""
        return view_of(self)

    def record(self) -> CallRecord:
        """The call as it is kept."""
        return record_of(self)

    def to_keep(self) -> Iterator[tuple[User, CallRecord]]:
        """Each record that its work belongs to, and whose activity that is."""
        return records_to_keep(self)

    @property
    def was_answered(self) -> bool:
        return self.machine.answered_at is not None

    @property
    def is_of_invite(self) -> bool:
        """Whether a video invite says who it is with."""
        return self.invite is not None

    @property
    def is_guests(self) -> bool:
        """Whether it is a guest's own side of a call by an invite."""
        return self.invite is not None and self.invite.is_guests

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
        """Called by the SIP leg that the call has."""
        if (heir := self.handover.heir) is not None:
            heir.sip_event(event)
            return
        # It may have another by the time that this has its turn.
        leg = self._far_end.leg
        # Of all others the far end can send no more than one at a time.
        is_noise = isinstance(
            event, sip.Progress | sip.InfoReceived | sip.PeerIdentified
        )
        self._post(lambda: self.heard(leg, event), vital=not is_noise)

    def media_event(self, event: MediaEvent) -> None:
        """Called for the engine's events of this call."""
        self._post(lambda: self._on_media(event))

    def tell(self, news: Callable[[], None]) -> None:
        """Something for its parts, in its turn."""
        self._post(lambda: _now(news), vital=True)

    def match_found(self, match: Match, who: Peer) -> None:
        """The CRM's answer for ``who``, whenever it comes; also after the end."""
        if self.is_over:
            self._set_match(match, who)
        else:
            self._post(lambda: _now(lambda: self._set_match(match, who)))

    def chosen(self, record: Record) -> None:
        """The rep chose or created the record of this call; also after the end."""
        self.subject.choose(record, is_shown=not self.is_guests)
        if not self.is_guests:
            self.publish(CallUpdatedEvent, call=self.view())

    def activity_changed(self, activity: ActivityView) -> None:
        """The activity writer's news about this call."""
        if self.is_guests:
            return
        if self.invite is None:
            self.subject.activity = activity
        else:
            self.invite.attempt.activity = activity
        if self.is_announced:
            self.publish(CallUpdatedEvent, call=self.view())

    def show(self) -> None:
        """Something beside the call has changed that it shows."""
        if self.is_announced and not self.is_over:
            self.publish(CallUpdatedEvent, call=self.view())

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
                    self._near_end.failed(error)
        except Exception:
            logger.exception("call %s of %s failed", self.call_id, self.user.key)
            if self._far_end.leg is not None and not self.is_over:
                self._far_end.leg.hangup(None)
            self.finish(EndReason.FAILED)
        finally:
            await self._free()

    async def _free(self) -> None:
        self._set_alarm(None, None)
        self._near_end.close()
        if self.handover.heir is None:
            self._far_end.close()
            await self.media.close()
        while (job := self._inbox.take()) is not None:
            # Requests that came too late learn that the call has ended.
            await self._answer_late(job)

    async def _answer_late(self, job: Callable[[], Awaitable[None]]) -> None:
        try:
            await job()
        except (MediaError, WrongState) as error:
            logger.debug("call %s: after its end: %s", self.call_id, error)

    def publish(self, event: type[Event], **fields: object) -> None:
        """Tell the user's session."""
        if isinstance(call := fields.get("call"), CallView):
            self._shown = call.video, call.held_there
        self._services.publisher.publish(self.user.key, event, **fields)

    def show_news(self) -> None:
        """Tell the rep of video and hold, unless something else has told it already."""
        shown = self.media.video.view, self.holding.is_held_there
        if shown != self._shown:
            self.show()

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
        self._far_end.leg = leg
        self.sip_call_ids.add(leg.call_id)
        self.media.video.invited(leg.remote_offer)
        self._services.journal.started(self.record())
        self.await_answer()
        # First in the inbox: whatever happens meanwhile waits for its turn.
        self._post(lambda: self._ring(leg), vital=True)

    def begin_refused(self, leg: SipLeg, status: int, reason: EndReason) -> None:
        """An INVITE has come and is not to ring: refuse and keep it."""
        self._far_end.leg = leg
        self.sip_call_ids.add(leg.call_id)
        leg.reject(status)
        self._services.journal.started(self.record())
        self.finish(reason)

    async def _ring(self, leg: SipLeg) -> None:
        if not await self._is_kept(RING_WITHIN_S):
            logger.warning("call %s: rings before it is kept", self.call_id)
        if leg.is_ended:
            # The caller has given up; the event that follows says how it ended.
            return
        leg.ring()
        self.is_announced = True
        self.publish(CallIncomingEvent, call=self.view())

    def begin_search(self) -> None:
        """The CRM is being asked who this is."""
        self.subject.searching()

    async def begin_outgoing(self, offer: str, dial: Dial | None) -> str:
        """Set up media and send the INVITE; gives the SDP answer for the browser.

        Without ``dial`` it hears ringing, until its meeting says how it goes on.

        Raises:
            RequestError: nothing was sent; the call is over and not recorded.
        """
        is_recorded = False
        try:
            answered = await self.media.answer_browser(offer, 1)
            sip_offer = "" if dial is None else await self.media.offer_sip()
            self._services.journal.started(self.record())
            is_recorded = True
            if not await self._is_kept(DIAL_WITHIN_S):
                logger.warning("call %s: begins before it is kept", self.call_id)
            if dial is not None:
                self._dial(dial, sip_offer)
        except BaseException as error:
            if is_recorded:
                self.finish(EndReason.FAILED)
            self.machine.end(EndReason.MEDIA_FAILED, now=self._services.now())
            await self._free()
            if isinstance(error, MediaError):
                kind = ERROR_KIND[error.kind]
                raise RequestError(kind, error.detail) from None
            raise
        if dial is None:
            self._post(self._ring_back, vital=True)
        else:
            self.await_answer()
        return answered.sdp

    async def _ring_back(self) -> None:
        self.alert(CallRingingEvent)

    def _dial(self, dial: Dial, sip_offer: str) -> None:
        self._far_end.leg = leg = dial(sip_offer, self.sip_event)
        self.sip_call_ids.add(leg.call_id)

    def await_answer(self) -> None:
        """An INVITE goes out: it may ring so long and no longer."""
        self._set_alarm(self._services.limits.no_answer_s, self._rang_too_long)

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
            self._far_end.drop(480)
            self.finish(EndReason.MISSED)
        elif self.state in (CallState.CALLING, CallState.ALERTING):
            self._far_end.drop()
            self.finish(EndReason.NO_ANSWER)

    def check_answer(self, offer: str | None) -> None:
        """Raises RequestError: this cannot answer the call now."""
        if offer is None and self.media.generation == 0:
            raise RequestError(
                ErrorKind.BAD_REQUEST, "An offer is needed, here or by call.media."
            )
        if self.state is not CallState.RINGING:
            raise RequestError(
                ErrorKind.CALL_WRONG_STATE, f"accept in state {self.state.value}"
            )

    # The rep's requests (each runs in the actor, by request()) -----------------------

    async def answer(self, offer: str | None, generation: int) -> str | None:
        """Answer an incoming call; gives the SDP answer to ``offer``."""
        leg = self._far_end.require_leg()
        self.machine.apply(CallInput.ACCEPT, now=self._services.now())
        answer: str | None = None
        try:
            if offer is not None:
                answer = (await self.media.answer_browser(offer, generation)).sdp
            sdp = await self._far_end.describe(leg)
        except MediaError as error:
            leg.reject(SIP_STATUS[error.kind])
            self.finish(
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
            self._far_end.renegotiation.offered_when_asked()
        self.connected()
        return answer

    async def reject(self, reason: str) -> None:
        """Decline an incoming call on all devices, or say busy on this one."""
        if self.state is not CallState.RINGING:
            raise WrongState(f"decline in state {self.state.value}")
        self._far_end.drop(603 if reason == "declined" else 486)
        self.finish(EndReason.DECLINED_HERE)

    async def hang_up(self) -> None:
        """End the call, whatever its state."""
        reason = self.machine.hang_up_reason()
        self._far_end.drop(603 if reason is EndReason.DECLINED_HERE else None)
        self.finish(reason)

    async def offer_media(
        self, offer: str, generation: int, reason: MediaReason
    ) -> tuple[str, int]:
        """Take the browser's offer: first, renewed, or renegotiated."""
        self.machine.apply(CallInput.MEDIA, now=self._services.now())
        if generation < self.media.generation:
            raise RequestError(
                ErrorKind.CALL_WRONG_STATE,
                f"generation {generation} is older than {self.media.generation}",
            )
        logger.info(
            "call %s media offer: %s, generation %d", self.call_id, reason, generation
        )
        negotiated = await self.media.answer_browser(offer, generation)
        if self._far_end.leg is not None:
            await self._far_end.renegotiation.tell_far_end(self._far_end.leg)
        await self.attendance.dial_if_due()
        self.show_news()
        return negotiated.sdp, self.media.generation

    async def send_digits(self, digits: str) -> None:
        """DTMF for the far end."""
        self.machine.apply(CallInput.DIGITS, now=self._services.now())
        if self._far_end.leg is None:
            raise RequestError(
                ErrorKind.CALL_WRONG_STATE, "There is no telephone in this call."
            )
        await self._far_end.send_digits(self._far_end.leg, digits.upper())

    async def abandon(self) -> None:
        """Nobody came back in the resume window."""
        if self._far_end.leg is not None:
            if self.state is CallState.RINGING:
                self._far_end.leg.reject(480)
            else:
                self._far_end.leg.hangup(REMEMBERED_END_REASON)
        self.finish(
            EndReason.MISSED
            if self.state is CallState.RINGING
            else EndReason.CLIENT_LOST
        )

    async def invite_over(self) -> None:
        """The time of the invite it came by is over."""
        self._far_end.drop(480)
        self.finish(EndReason.INVITE_OVER)

    # SIP ------------------------------------------------------------------------------

    def begin_replacing(
        self, leg: SipLeg, replaced: SipLeg, peer: Peer, caller_key: str
    ) -> None:
        """An INVITE has come that wants the place of the SIP leg ``replaced``."""
        self.sip_call_ids.add(leg.call_id)
        # What it is before it has that place, its own state says.
        leg.on_event = lambda event: self._post(
            lambda: self.heard(leg, event), vital=True
        )
        self._post(
            lambda: self.succession.replace(leg, replaced, peer, caller_key),
            vital=True,
        )

    async def heard(self, leg: SipLeg | None, event: sip.CallEvent) -> None:
        """An event of a leg, which may be the call's no longer."""
        if leg is None or self._far_end.leg is not leg:
            return
        if (heir := self.handover.heir) is not None:
            heir.sip_event(event)
            return
        if self.is_over:
            return
        await self._far_end.receive(event)
        self.show_news()
        self.handover.settle()

    def transfer_told(self, event: sip.TransferProgress | sip.TransferRefused) -> None:
        """What the far end says of the transfer that it was asked for."""
        self.handover.told(event)

    async def far_end_left(self, reason: EndReason) -> None:
        """The SIP leg has ended; the call may live on without it."""
        if await self.attendance.outlives_leg() or await self.referred.outlives_leg():
            return
        self.finish(self.handover.reason_to_leave(reason))

    def far_end_replaced(self) -> None:
        """The far end is another: whom the old one had us call is not wanted."""
        self.referred.end()

    def far_end_changes(self) -> None:
        """What the rep had asked the old one for is void."""
        self.handover.forget()

    async def transfer_requested(self, event: sip.TransferRequested) -> None:
        """The far end wants us to call somebody in its place."""
        await self.referred.requested(event)

    def identified(self, identity: sip.NameAddr) -> None:
        """Its server says who the far end is now."""
        self.succession.identified(identity)

    def alert(self, event: type[Event]) -> None:
        """It rings at the far end, or sends sound already."""
        first = self.state is CallState.CALLING
        if self.state in (CallState.CALLING, CallState.ALERTING):
            self.machine.apply(CallInput.ALERT, now=self._services.now())
            if first or event is CallEarlyMediaEvent:
                self.publish(event, call=self.view())

    def connected(self) -> None:
        """It is answered, here or there."""
        now = self._services.now()
        self.machine.apply(CallInput.CONNECT, now=now)
        self._set_alarm(None, None)
        kept = self.record()
        self._services.journal.answered(kept.user, kept.call_id, now)
        self.publish(CallAnsweredEvent, call=self.view())
        self.holding.connected()
        self.attendance.connected()

    def retrieve_refused(self) -> None:
        """The far end would not be taken back from hold."""
        self.holding.retrieve_refused()

    # Media ----------------------------------------------------------------------------

    async def _on_media(self, event: MediaEvent) -> None:
        if (heir := self.handover.heir) is not None:
            heir.media_event(event)
        elif not self.is_over:
            await self._near_end.receive(event)

    def agreed(self, negotiated: Negotiated) -> None:
        """Both sides have agreed on media."""
        self._near_end.agreed(negotiated)

    def keyframe_wanted(self) -> None:
        """The browser waits for a full picture of the far end's."""
        if self.state is CallState.ACTIVE:
            self._far_end.keyframe_wanted()

    def media_failed(self, status: int | None) -> None:
        """There are no media any more; ``status`` refuses what still rings."""
        self._far_end.drop(status)
        self.finish(EndReason.MEDIA_FAILED)

    # The end --------------------------------------------------------------------------

    def finish(self, reason: EndReason, *, sip_code: int | None = None) -> None:
        """It is over; the first reason counts."""
        if not self.machine.end(reason, now=self._services.now(), sip_code=sip_code):
            return
        logger.info("= call %s ENDED (%s)", self.call_id, reason.value)
        self.sheet.end(self.record())
        activity = self._services.journal.ended(
            owner_of(self), self.record(), match_is_open=self.subject.is_open
        )
        if self.invite is None:
            self.subject.activity = activity
        elif self.is_guests:
            self.invite.attempt.kept_as(activity)
        self.publish(CallEndedEvent, call=self.view())
        self.referred.end()
        self._inbox.wake()
        self.attendance.ended(reason, sip_code, was_answered=self.was_answered)

    def _set_match(self, match: Match, who: Peer) -> None:
        if is_same(who, self.peer) and self.subject.found(match):
            self.publish(CallUpdatedEvent, call=self.view())


async def _now(action: Callable[[], None]) -> None:
    action()
