"""Two far ends that talk to each other without a rep.

Made where a far end does not transfer itself: the gateway stands between it and the
target, and both legs live as long as each other. Nobody sees this call: the rep's own
are over, and it survives their page and their sign-in. So what a rep would notice is
looked for here: a side that has fallen silent is asked whether it is there.

An actor, like a call: everything is put into one inbox and handled in order by
:meth:`Junction.run`. The side of the target may be there first, while it is called.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import sip
from gateway.calls.far_end import FarEnd
from gateway.calls.inbox import Inbox
from gateway.calls.machine import WrongState
from gateway.calls.media import CallMedia
from gateway.calls.near_end import REOPEN_PAUSE_S, REOPEN_WITHIN_S
from gateway.calls.ports import Alarm, Dial, Services, SipLeg
from gateway.media.engine import (
    DigitReceived,
    EngineLost,
    Leg,
    MediaCallId,
    MediaError,
    MediaErrorKind,
    MediaEvent,
    Negotiated,
)
from gateway.sessions.wire import CallEarlyMediaEvent, CallState, EndReason, Event
from sip import LocalProtocolError

logger = logging.getLogger(__name__)

# How often it is looked whether both sides still send something.
LOOK_EVERY_S = 60.0
# A far end that will not be taken back from hold is asked so often, with this pause.
TAKE_BACK_TIMES = 3
TAKE_BACK_PAUSE_S = 2.0

Job = Callable[[], Awaitable[None]]


class Side:
    """One far end, with the media that were a call's.

    Attributes:
        state: as that of a call.
    """

    def __init__(
        self, junction: Junction, media: CallMedia, far_end: FarEnd | None = None
    ) -> None:
        self.junction = junction
        self.media = media
        self.state = CallState.ACTIVE
        # Packets that had come when it was last looked.
        self.received = -1
        self.refusals = 0
        self._far_end = far_end

    @property
    def media_id(self) -> MediaCallId:
        return self.media.media_id

    @property
    def far_end(self) -> FarEnd:
        assert self._far_end is not None
        return self._far_end

    @property
    def leg(self) -> SipLeg:
        return self.far_end.require_leg()

    @property
    def is_over(self) -> bool:
        return self.junction.is_over

    # As the heir of a call --------------------------------------------------------

    def sip_event(self, event: sip.CallEvent) -> None:
        self.junction.post(lambda: self._on_sip(event))

    def media_event(self, event: MediaEvent) -> None:
        self.junction.post(lambda: self.junction.on_media(self, event))

    def take(self, media: CallMedia, far_end: FarEnd) -> None:
        """The far end is here now."""
        assert media is self.media
        self._far_end = far_end
        far_end.move_to(self, self.junction.post)
        self.junction.admit(self)

    async def _on_sip(self, event: sip.CallEvent) -> None:
        if self.state is not CallState.ENDED:
            await self.far_end.receive(event)

    async def settle(self) -> None:
        """Let the far end know what is so."""
        await self.far_end.renegotiation.tell_far_end(self.leg)

    # As the owner of the far end ------------------------------------------------------

    def alert(self, event: type[Event]) -> None:
        if event is not CallEarlyMediaEvent:
            self.junction.on_ringing()

    def connected(self) -> None:
        self.state = CallState.ACTIVE
        self.junction.answered()

    async def far_end_left(self, reason: EndReason) -> None:
        self.finish(reason)

    def finish(self, reason: EndReason, *, sip_code: int | None = None) -> None:
        self.state = CallState.ENDED
        self.junction.end(sip_code=sip_code)

    def agreed(self, negotiated: Negotiated) -> None:
        self.refusals = 0

    def show(self) -> None:
        """Nobody looks."""

    def retrieve_refused(self) -> None:
        self.refusals += 1
        if self.refusals >= TAKE_BACK_TIMES:
            logger.warning("a joined call cannot be taken back from hold: it ends")
            self.junction.end()
        else:
            self.junction.later(TAKE_BACK_PAUSE_S, self.junction.part_from_reps)

    def transfer_told(self, event: sip.TransferProgress | sip.TransferRefused) -> None:
        """Of a REFER that the rep has taken back."""

    async def transfer_requested(self, event: sip.TransferRequested) -> None:
        # On whose account, when the rep is gone?
        self.leg.refuse_transfer(603)

    def identified(self, identity: sip.NameAddr) -> None:
        """Nobody looks."""


class Junction:
    """See the module.

    Args:
        name: for logs.
        media_belongs: has the engine's events of that call brought here, or no more.

    Attributes:
        on_ringing: told that the target rings.
        on_ready: told that it has answered, and waits for the other far end.
        on_over: told once, with the SIP status by which the target was not reached.
    """

    def __init__(
        self,
        name: str,
        services: Services,
        *,
        media_belongs: Callable[[MediaCallId, Side | None], None],
    ) -> None:
        self.name = name
        self.on_ringing: Callable[[], None] = lambda: None
        self.on_ready: Callable[[], None] = lambda: None
        self.on_over: Callable[[int | None], None] = lambda code: None
        self.is_over = False
        self.sides: list[Side] = []
        self._services = services
        self._media_belongs = media_belongs
        self._inbox = Inbox()
        self._alarms: set[Alarm] = set()
        self._no_answer: Alarm | None = None

    @property
    def is_joined(self) -> bool:
        return len(self.sides) == 2

    # Into the inbox -------------------------------------------------------------------

    def post(self, job: Job) -> None:
        """Have it done in its turn; what two far ends send is little."""
        self._inbox.post(job, vital=True)

    def admit(self, side: Side) -> None:
        """This far end is one of the two; with the second they are joined."""
        self._media_belongs(side.media_id, side)
        self.sides.append(side)
        if self.is_joined:
            self._cancel(self._no_answer)
            self.post(self.part_from_reps)
            self.later(LOOK_EVERY_S, self._look)
            logger.info("= %s JOINED", self.name)

    def stop(self) -> None:
        """It is not wanted any more."""
        self.post(self._stop)

    async def _stop(self) -> None:
        self.end()

    def later(self, delay_s: float, job: Job) -> Alarm:
        def due() -> None:
            self._alarms.discard(alarm)
            self.post(job)

        alarm = self._services.later(delay_s, due)
        self._alarms.add(alarm)
        return alarm

    # The actor ------------------------------------------------------------------------

    async def run(self) -> None:
        """Handle the inbox until it is over; then free everything."""
        try:
            while not self.is_over:
                job = self._inbox.take()
                if job is None:
                    await self._inbox.arrival()
                    continue
                try:
                    await job()
                except (MediaError, WrongState, LocalProtocolError) as error:
                    self._failed(error)
        except Exception:
            logger.exception("%s failed", self.name)
            self.end()
        finally:
            for alarm in self._alarms:
                alarm.cancel()
            for side in self.sides:
                side.far_end.close()
                self._media_belongs(side.media_id, None)
                await side.media.close()

    def _failed(self, error: Exception) -> None:
        logger.warning("%s: %s", self.name, error)
        is_lost = isinstance(error, MediaError) and (
            error.kind is MediaErrorKind.ENGINE_LOST
        )
        # A lost worker is replaced, and its event says when.
        if not is_lost or not self.is_joined:
            self.end()

    def end(self, *, sip_code: int | None = None) -> None:
        """Whatever of it is still there is hung up."""
        if self.is_over:
            return
        self.is_over = True
        for side in self.sides:
            if side.state is not CallState.ENDED:
                side.state = CallState.ENDED
                side.far_end.drop()
        logger.info("= %s ENDED", self.name)
        self._inbox.wake()
        self.on_over(sip_code)

    # Calling the target ---------------------------------------------------------------

    def call(self, media_id: MediaCallId, beside: str, dial: Dial) -> None:
        """Send an INVITE to the target; on_ready or on_over tells what became of it."""
        self.post(lambda: self._call(media_id, beside, dial))

    async def _call(self, media_id: MediaCallId, beside: str, dial: Dial) -> None:
        media = CallMedia(self._services.engine, media_id, beside=beside)
        side = Side(self, media)
        side.state = CallState.CALLING
        far_end = FarEnd(self.name, side, media, self.post, self._services)
        try:
            await media.begin_without_browser()
            far_end.leg = dial(await media.offer_sip(), side.sip_event)
        except BaseException:
            far_end.close()
            await media.close()
            raise
        side.take(media, far_end)
        self._no_answer = self.later(self._services.limits.no_answer_s, self._stop)

    def answered(self) -> None:
        """The target is there."""
        self._cancel(self._no_answer)
        self.on_ready()

    def _cancel(self, alarm: Alarm | None) -> None:
        if alarm is not None:
            alarm.cancel()
            self._alarms.discard(alarm)

    # Joined ---------------------------------------------------------------------------

    async def part_from_reps(self) -> None:
        """They hear each other and no rep; whoever was on hold is so no more."""
        for side, other in zip(self.sides, reversed(self.sides), strict=True):
            await side.media.drop_browser()
            await side.media.hear(frozenset({other.media_id}))
            await side.media.hold(is_held=False)
        for side in self.sides:
            await side.settle()

    async def on_media(self, side: Side, event: MediaEvent) -> None:
        """From the engine."""
        if isinstance(event, EngineLost):
            side.media.lost()
            await self._reopen(side, until=self._services.now() + REOPEN_WITHIN_S)
        elif isinstance(event, DigitReceived) and event.leg is Leg.SIP:
            # The mix is of sounds alone.
            for other in self.sides:
                if other is not side and self.is_joined:
                    await other.far_end.send_digits(other.leg, event.digit)

    async def _reopen(self, side: Side, *, until: float) -> None:
        try:
            await side.media.reopen()
        except MediaError as error:
            if self._services.now() >= until:
                logger.warning("%s: no media engine: %s", self.name, error)
                self.end()
            else:
                self.later(REOPEN_PAUSE_S, lambda: self._reopen(side, until=until))
            return
        if side.state is CallState.ACTIVE:
            await side.settle()

    async def _look(self) -> None:
        """Who has sent nothing for long is asked; one that is gone ends the call."""
        self.later(LOOK_EVERY_S, self._look)
        for side in self.sides:
            received = await side.media.packets_received()
            if received == side.received:
                side.media.sip_must_be_reoffered = True
                await side.settle()
            side.received = received


class Junctions:
    """All of them, by whose they are.

    Args:
        do: has a task run beside everything else.
    """

    def __init__(self, do: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self._do = do
        self._of: dict[Junction, object] = {}
        self._fewer = asyncio.Event()

    def __len__(self) -> int:
        """Those in which two far ends talk."""
        return sum(junction.is_joined for junction in self._of)

    def count(self, owner: object) -> int:
        """All of one owner's."""
        return sum(each == owner for each in self._of.values())

    def begin(self, junction: Junction, owner: object) -> None:
        """It runs from now on."""
        self._of[junction] = owner
        self._do(self._run(junction))

    async def _run(self, junction: Junction) -> None:
        try:
            await junction.run()
        finally:
            del self._of[junction]
            self._fewer.set()

    async def close(self) -> None:
        """Hang up everything."""
        for junction in tuple(self._of):
            junction.stop()
        while self._of:
            self._fewer.clear()
            await self._fewer.wait()
