"""A call's media: what of it is set up, and what has been agreed with whom.

Hold is two things. The engine parts the two sides; that comes first, and is enough for
the rep not to be heard. The far end is told by the direction in our descriptions, save
in a conference, which goes on without the rep.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from gateway.calls.hold import HoldState, OurDescriptions
from gateway.calls.ports import RoomSeat
from gateway.calls.video import CallVideo
from gateway.media.engine import (
    Leg,
    MediaCallId,
    MediaEngine,
    MediaError,
    MediaErrorKind,
    Negotiated,
)
from gateway.sessions.wire import ErrorKind
from sip.sdp import Direction

logger = logging.getLogger(__name__)

# What an engine's refusal is called towards SIP, and towards the browser.
SIP_STATUS = {
    MediaErrorKind.BAD_SDP: 400,
    MediaErrorKind.NO_COMMON_CODEC: 488,
    MediaErrorKind.UNKNOWN_CALL: 500,
    MediaErrorKind.WRONG_STATE: 500,
    MediaErrorKind.NO_CAPACITY: 503,
    MediaErrorKind.ENGINE_LOST: 503,
}
ERROR_KIND = {
    MediaErrorKind.BAD_SDP: ErrorKind.MEDIA_BAD_SDP,
    MediaErrorKind.NO_COMMON_CODEC: ErrorKind.CODEC_NONE,
    MediaErrorKind.UNKNOWN_CALL: ErrorKind.MEDIA_UNAVAILABLE,
    MediaErrorKind.WRONG_STATE: ErrorKind.CALL_WRONG_STATE,
    MediaErrorKind.NO_CAPACITY: ErrorKind.MEDIA_UNAVAILABLE,
    MediaErrorKind.ENGINE_LOST: ErrorKind.MEDIA_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class _Successor:
    """What somebody was told who may take the far end's place."""

    descriptions: OurDescriptions
    holds: bool
    video: Direction | None


class CallMedia:
    """One call in the engine. Methods raise :class:`MediaError`, but ``close``.

    Args:
        room: of the engine, that it belongs to; "" for none.
        beside: names the calls that it may be mixed with.
    """

    def __init__(
        self,
        engine: MediaEngine,
        media_id: MediaCallId,
        *,
        room: str = "",
        beside: str = "",
    ) -> None:
        self.media_id = media_id
        # Of the browser's newest offer; 0 before the first.
        self.generation = 0
        # Both sides of the SIP leg know where to send.
        self.sip_is_agreed = False
        # The engine's SIP side is new: the far end must be told by a re-INVITE.
        self.sip_must_be_reoffered = False
        self.video = CallVideo()
        # The worker that has the call has answered the browser.
        self.has_browser = False
        self._engine = engine
        self._room = room
        self._beside = beside
        self.hold_state = HoldState()
        self._descriptions = OurDescriptions()
        self._successor: _Successor | None = None
        # The far end has left and another is awaited: nobody is there to be heard.
        self._is_parted = False
        # Whose far ends this one's hears, and what of that and of hold was told.
        self.heard: frozenset[MediaCallId] = frozenset()
        self._engine_holds = False
        self._engine_mixes: frozenset[MediaCallId] = frozenset()
        self._is_open = False
        # The rep has left for good, or never came.
        self._is_browserless = False
        # What of the room the call should have, and what the engine was told.
        self._seat: RoomSeat | None = None
        self._entered: tuple[str, MediaCallId | None] | None = None

    async def answer_browser(self, offer: str, generation: int) -> Negotiated:
        """Answer the browser's offer; opens the call in the engine at the first."""
        await self._open()
        negotiated = await self._engine.answer(
            self.media_id, Leg.BROWSER, offer, generation=generation
        )
        self.generation = generation
        self.has_browser = True
        self.video.browser_agreed(
            offer,
            negotiated,
            sip_has_spoken=self.sip_is_agreed and not self.sip_must_be_reoffered,
        )
        await self._settle()
        await self.settle_sound()
        return negotiated

    async def hold(self, *, is_held: bool) -> None:
        """Part the two sides, or bring them together; the far end is told by the next
        description."""
        was_held, self.hold_state.is_held = self.hold_state.is_held, is_held
        try:
            await self._say_sound()
        except MediaError:
            self.hold_state.is_held = was_held
            raise

    async def part(self, *, is_parted: bool) -> None:
        """The far end has left and another is awaited, or is there."""
        self._is_parted = is_parted
        await self._say_sound()

    async def hear(self, others: frozenset[MediaCallId]) -> None:
        """Mix the far ends of these for this call's; () ends it."""
        heard, self.heard = self.heard, others
        self.hold_state.is_mixed = bool(others)
        if others < heard:
            # That somebody has left is so, whatever the engine makes of it now.
            await self.settle_sound()
            return
        try:
            await self._say_sound()
        except MediaError:
            self.heard = heard
            self.hold_state.is_mixed = bool(heard)
            raise

    async def settle_sound(self) -> None:
        """Say what was said to another worker, or could not be said before."""
        try:
            await self._say_sound()
        except MediaError as error:
            logger.warning("hold and mix of call %s: %s", self.media_id, error)

    async def _say_sound(self) -> None:
        try:
            is_held = self.hold_state.is_held or self._is_parted
            if self._is_open and is_held != self._engine_holds:
                await self._engine.hold(self.media_id, is_held=is_held)
                self._engine_holds = is_held
            heard = self.heard
            if self._is_open and heard != self._engine_mixes:
                await self._engine.hear(self.media_id, heard)
                self._engine_mixes = heard
        except MediaError as error:
            # Else it is said to the next worker.
            if error.kind is not MediaErrorKind.ENGINE_LOST:
                raise

    async def sit(self, seat: RoomSeat | None) -> None:
        """Have the browser meet those in the room, as soon as there is a browser."""
        self._seat = seat
        await self._settle()

    async def _settle(self) -> None:
        if not self.has_browser:
            return
        seat = self._seat
        wanted = None if seat is None else (seat.name, seat.partner)
        if wanted == self._entered:
            return
        try:
            if seat is None:
                await self._engine.leave(self.media_id)
            else:
                await self._engine.enter(
                    self.media_id, name=seat.name, partner=seat.partner
                )
        except MediaError as error:
            # What SIP gives it is worth keeping, and a lost worker will be replaced.
            if not self.sip_is_agreed and error.kind is not MediaErrorKind.ENGINE_LOST:
                raise
            logger.warning("room of call %s: %s", self.media_id, error)
            return
        self._entered = wanted

    async def begin_without_browser(self) -> None:
        """Open the call for its far end alone."""
        self._is_browserless = True
        await self._open()

    async def drop_browser(self) -> None:
        """The rep has left; the far end goes on with whom it hears."""
        self._is_browserless = True
        self.has_browser = False
        self.video.browser_gone()
        if not self._is_open:
            return
        try:
            await self._engine.drop(self.media_id, Leg.BROWSER)
        except MediaError as error:
            # Else the next worker is told.
            if error.kind is not MediaErrorKind.ENGINE_LOST:
                raise

    async def packets_received(self) -> int:
        """From the far end, so far in this worker."""
        statistics = await self._engine.statistics(self.media_id)
        return statistics.sip.packets_received

    async def drop_sip(self) -> None:
        """There is no SIP side any more."""
        self.sip_is_agreed = False
        self.sip_must_be_reoffered = False
        self.hold_state = HoldState(self.hold_state.is_held, self.hold_state.is_mixed)
        self.video.sip_gone()
        if not self._is_open:
            return
        try:
            await self._engine.drop(self.media_id, Leg.SIP)
        except MediaError as error:
            # Nobody is there who could hear or send anything.
            logger.info("SIP side of call %s: %s", self.media_id, error)

    @property
    def sip_is_behind(self) -> bool:
        """The far end must be told by a re-INVITE what is new on our side."""
        return (
            self.sip_must_be_reoffered
            or self.video.sip_is_behind
            or self.hold_state.sip_is_behind
        )

    def sip_told(self) -> None:
        """A description was made for the far end, or cannot be made."""
        self.video.sip_told()
        self.hold_state.told()

    async def offer_sip(self) -> str:
        """Our offer to the far end."""
        sdp = await self._engine.offer(self.media_id, Leg.SIP)
        self.sip_must_be_reoffered = False
        self.sip_told()
        return self._descriptions.write(sdp, holds=self.hold_state.holds_far_end)

    async def answer_sip(self, offer: str) -> Negotiated:
        """Our answer to the far end's offer."""
        negotiated = await self._engine.answer(self.media_id, Leg.SIP, offer)
        self.sip_must_be_reoffered = False
        self.sip_told()
        sdp = self._descriptions.write(
            negotiated.sdp, holds=self.hold_state.holds_far_end
        )
        negotiated = replace(negotiated, sdp=sdp)
        self._agreed(offer, sdp, negotiated)
        return negotiated

    async def accept_sip(self, answer: str) -> Negotiated:
        """Take the far end's answer to our offer."""
        negotiated = await self._engine.accept(self.media_id, Leg.SIP, answer)
        self._agreed(answer, answer, negotiated)
        return negotiated

    # Another far end ------------------------------------------------------------------

    async def offer_successor(self) -> str:
        """An offer to somebody who may take the far end's place; so far nothing has
        changed for that one."""
        sdp = await self._engine.offer(self.media_id, Leg.SIP)
        return self._describe_successor(sdp)

    async def accept_successor(self, answer: str) -> Negotiated:
        """Take their answer, and them for the far end."""
        if self._successor is None:
            # The worker that made the offer is gone.
            raise MediaError(MediaErrorKind.WRONG_STATE, "nothing was offered")
        negotiated = await self._engine.accept(self.media_id, Leg.SIP, answer)
        self.succeeded()
        self._agreed(answer, answer, negotiated)
        return negotiated

    async def answer_successor(self, offer: str) -> Negotiated:
        """Answer the offer of somebody who takes the far end's place."""
        negotiated = await self._engine.answer(self.media_id, Leg.SIP, offer)
        sdp = self._describe_successor(negotiated.sdp)
        self.succeeded()
        negotiated = replace(negotiated, sdp=sdp)
        self._agreed(offer, sdp, negotiated)
        return negotiated

    def succeeded(self) -> None:
        """Who was told something by :meth:`offer_successor` is the far end now."""
        successor, self._successor = self._successor, None
        if successor is None:
            return
        self._descriptions = successor.descriptions
        self.hold_state = self.hold_state.succeeded(told=successor.holds)
        self.video.sip_gone()
        self.video.sip_told()
        # What the browser has changed since our offer is still to be told.
        self.sip_must_be_reoffered = self.video.wanted is not successor.video

    def _describe_successor(self, sdp: str) -> str:
        self._successor = _Successor(
            OurDescriptions(), self.hold_state.holds_far_end, self.video.wanted
        )
        holds = self._successor.holds
        return self._successor.descriptions.write(sdp, holds=holds)

    async def request_keyframe(self) -> None:
        """Have the browser send a full picture."""
        await self._engine.request_keyframe(self.media_id, Leg.BROWSER)

    def _agreed(self, theirs: str, answer: str, negotiated: Negotiated) -> None:
        self.sip_is_agreed = True
        self.hold_state.agreed(theirs)
        self.video.sip_agreed(answer, negotiated)

    async def send_digits(self, digits: str) -> bool:
        """To the far end; False if it takes no telephone-events."""
        return await self._engine.send_digits(self.media_id, Leg.SIP, digits)

    def lost(self) -> None:
        """The worker that had the call died; :meth:`reopen` it elsewhere."""
        self._is_open = False
        self.has_browser = False
        self._entered = None
        self._engine_holds = False
        self._engine_mixes = frozenset()
        self._successor = None
        self.sip_must_be_reoffered = self.sip_is_agreed

    async def reopen(self) -> None:
        """Begin again in another worker, if the browser has not made it so already."""
        await self._open()

    async def close(self) -> None:
        """Free what the engine holds, if anything."""
        if not self._is_open:
            return
        self._is_open = self.has_browser = False
        try:
            await self._engine.close(self.media_id)
        except MediaError as error:
            logger.info("closing media of call %s: %s", self.media_id, error)

    async def _open(self) -> None:
        if not self._is_open:
            await self._engine.open(self.media_id, room=self._room, beside=self._beside)
            self._is_open = True
            if self._is_browserless:
                await self._engine.drop(self.media_id, Leg.BROWSER)
            # Before anybody can be heard by it.
            await self.settle_sound()
