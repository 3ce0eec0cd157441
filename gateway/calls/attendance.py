"""A call's part in a meeting (:mod:`.meetings`), if it has one.

Such a call may have no SIP leg: a guest who waits or came in while the rep was there,
and the rep when the guest who had called has left. What it is told comes from its
meeting, by the call's own inbox.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from gateway.calls.far_end import FarEnd
from gateway.calls.media import CallMedia
from gateway.calls.ports import Dial, Membership, RoomSeat
from gateway.sessions.wire import CallState, EndReason, Participant

logger = logging.getLogger(__name__)


class Owner(Protocol):
    """The call, as its meeting sees it."""

    @property
    def is_over(self) -> bool: ...

    @property
    def state(self) -> CallState: ...

    def await_answer(self) -> None:
        """An INVITE goes out: it may ring so long and no longer."""

    def connected(self) -> None:
        """It is answered."""

    def show(self) -> None:
        """Whatever is shown of the call may be another."""

    def show_news(self) -> None:
        """The same of what changes by itself, unless it was told already."""

    def finish(self, reason: EndReason, *, sip_code: int | None = None) -> None:
        """The call is over."""


class Attendance:
    """See the module.

    Args:
        post: puts a job into the call's inbox, however full.
        dial: sends the call's INVITE; what comes of it is the call's affair.
    """

    def __init__(
        self,
        call_id: str,
        call: Owner,
        media: CallMedia,
        far_end: FarEnd,
        membership: Membership | None,
        *,
        post: Callable[[Callable[[], Awaitable[None]]], None],
        dial: Callable[[Dial, str], None],
    ) -> None:
        self._call_id = call_id
        self._call = call
        self._media = media
        self._far_end = far_end
        self._membership = membership
        self._post = post
        self._dial = dial
        # Who else is in the meeting, as far as the engine and the user know.
        self.participants: tuple[Participant, ...] = ()
        self._seat: RoomSeat | None = None
        # It is this call's turn to call the rep, and no INVITE is out yet.
        self._to_dial: Dial | None = None

    @property
    def is_of_meeting(self) -> bool:
        return self._membership is not None

    # What its meeting says ------------------------------------------------------------

    def lead(self, dial: Dial) -> None:
        """Call the rep now, by an INVITE."""
        self._post(lambda: self._lead(dial))

    def enter(self) -> None:
        """The rep is there: this guest has got through."""
        self._post(self._enter)

    def take_seat(self, seat: RoomSeat | None) -> None:
        """Whom to meet in the room from now on; None: nobody."""
        self._seat = seat
        self._post(self._sit)

    def dismiss(self, reason: EndReason, sip_code: int | None) -> None:
        """The meeting ends this call."""
        self._post(lambda: self._leave(reason, sip_code))

    # What the call says ---------------------------------------------------------------

    async def dial_if_due(self) -> None:
        """Send the INVITE that could not be sent before; in the call's actor."""
        if self._to_dial is None or not self._media.has_browser:
            # The browser is about to offer anew, to another media worker.
            return
        sip_offer = await self._media.offer_sip()
        dial, self._to_dial = self._to_dial, None
        self._dial(dial, sip_offer)

    def connected(self) -> None:
        """The call is answered."""
        if self._membership is not None:
            self._membership.connected()

    async def outlives_leg(self) -> bool:
        """Its SIP leg has ended; whether the call goes on without."""
        if (
            self._call.state is not CallState.ACTIVE
            or self._membership is None
            or not self._membership.cut_off()
        ):
            return False
        logger.info("call %s goes on without SIP", self._call_id)
        self._far_end.leg = None
        await self._media.drop_sip()
        return True

    def ended(
        self, reason: EndReason, sip_code: int | None, *, was_answered: bool
    ) -> None:
        """The call is over."""
        if self._membership is not None:
            # Without an INVITE nobody but the user, or we, can have ended it.
            is_told = self._far_end.leg is not None or was_answered
            self._membership.ended(reason if is_told else None, sip_code)

    # In the actor ---------------------------------------------------------------------

    async def _lead(self, dial: Dial) -> None:
        if self._call.is_over:
            return
        self._to_dial = dial
        self._call.await_answer()
        await self.dial_if_due()

    async def _enter(self) -> None:
        if not self._call.is_over:
            self._call.connected()

    async def _sit(self) -> None:
        if self._call.is_over:
            return
        self._media.video.is_in_room = self._seat is not None
        await self._media.sit(self._seat)
        participants = () if self._seat is None else self._seat.participants
        if participants != self.participants:
            self.participants = participants
            self._call.show()
        self._call.show_news()

    async def _leave(self, reason: EndReason, sip_code: int | None) -> None:
        if not self._call.is_over:
            self._far_end.drop()
            self._call.finish(reason, sip_code=sip_code)
