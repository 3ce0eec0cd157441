"""A call's part in a transfer: as the one that goes, or as the one it goes to.

Runs in the call's actor. What is done between calls (calling the target, joining two
far ends) is :mod:`.transferring`'s business, which is told by ``on_join``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import sip
from gateway.calls.attendance import Attendance
from gateway.calls.far_end import FarEnd
from gateway.calls.holding import Holding
from gateway.calls.machine import WrongState
from gateway.calls.media import CallMedia
from gateway.calls.ports import SipLeg
from gateway.calls.transfer import Effect, Step, Transfer
from gateway.media.engine import MediaCallId, MediaEvent
from gateway.sessions.wire import CallState, EndReason, Peer, TransferView
from sip import LocalProtocolError

logger = logging.getLogger(__name__)


class Heir(Protocol):
    """Who has the far end of a call that ended without it."""

    @property
    def media_id(self) -> MediaCallId: ...

    @property
    def is_over(self) -> bool: ...

    def sip_event(self, event: sip.CallEvent) -> None: ...

    def media_event(self, event: MediaEvent) -> None: ...

    def take(self, media: CallMedia, far_end: FarEnd) -> None:
        """They are yours, as they stand."""


class Owner(Protocol):
    """The call, as its transfer sees it."""

    @property
    def state(self) -> CallState: ...

    @property
    def peer(self) -> Peer: ...

    def show(self) -> None:
        """Whatever is shown of the call may be another."""

    def finish(self, reason: EndReason, *, sip_code: int | None = None) -> None:
        """The call is over."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a rep has asked for.

    Attributes:
        to: who gets the call; ``target`` is the address.
        partner: the call to them, of an attended transfer.
    """

    to: Peer
    target: sip.Uri
    partner: Handover | None = None


class Handover:
    """See the module.

    Attributes:
        order: of the transfer that is shown, or was the last.
        transferred_to: who has got the call; None while nobody has.
        heir: who has its far end.
        on_join: told that the gateway is to do it; ``on_give_up`` that it need not;
            ``on_done`` that the far end has got through.
    """

    def __init__(
        self,
        call_id: str,
        call: Owner,
        media: CallMedia,
        far_end: FarEnd,
        holding: Holding,
        attendance: Attendance,
    ) -> None:
        self.order: Order | None = None
        self.transferred_to: Peer | None = None
        self.heir: Heir | None = None
        self.on_join: Callable[[Order], None] = lambda order: None
        self.on_give_up: Callable[[], None] = lambda: None
        self.on_done: Callable[[Order], None] = lambda order: None
        self._call_id = call_id
        self._call = call
        self._media = media
        self._far_end = far_end
        self._holding = holding
        self._attendance = attendance
        self._transfer = Transfer()
        # The call whose other party is to come to this one's.
        self._awaited: Handover | None = None
        holding.on_retrieve = self._taken_back

    # What others see --------------------------------------------------------------

    @property
    def is_bound(self) -> bool:
        """A transfer goes on, of this call or to it."""
        return self._transfer.is_under_way or self._is_awaited

    @property
    def _is_awaited(self) -> bool:
        return self._awaited is not None and self._awaited._goes_to(self)

    def _goes_to(self, partner: Handover) -> bool:
        if self.order is None or self.order.partner is not partner:
            return False
        is_going_on = self._call.state is CallState.ACTIVE
        return self.heir is not None or (is_going_on and self._transfer.is_under_way)

    @property
    def view(self) -> TransferView | None:
        state = self._transfer.state
        if self.order is None or state is None or self._call.state is CallState.ENDED:
            return None
        return TransferView(
            state=state, to=self.order.to, sip_code=self._transfer.sip_code
        )

    @property
    def peer(self) -> Peer:
        return self._call.peer

    @property
    def leg(self) -> SipLeg | None:
        return self._far_end.leg

    @property
    def media_id(self) -> MediaCallId:
        return self._media.media_id

    # The rep's requests ---------------------------------------------------------------

    def check(self) -> None:
        """Raises WrongState: the call can neither be transferred nor be joined now."""
        if self._call.state is not CallState.ACTIVE:
            raise WrongState(f"transfer in state {self._call.state.value}")
        if self._attendance.is_of_meeting or self._far_end.leg is None:
            raise WrongState("a call by an invite cannot be transferred")
        if self._holding.conference:
            raise WrongState("the call is in a conference")
        if self.is_bound:
            raise WrongState("a transfer is under way")

    async def ask(self, order: Order) -> None:
        """Hand the far end over."""
        self.check()
        if order.partner is not None:
            order.partner.check()
        await self._holding.give_way()
        # Another call's request may have come first meanwhile.
        if order.partner is not None:
            order.partner.check()
        if self._transfer.ask(is_attended=order.partner is not None):
            self.order = order
            if order.partner is not None:
                order.partner._awaited = self
            self._call.show()
            self.settle()

    # What happens ---------------------------------------------------------------------

    def settle(self) -> None:
        """The far end may have been told that it is on hold."""
        if not self._far_end.renegotiation.is_open:
            self._do(self._transfer.held())

    def told(self, event: sip.TransferProgress | sip.TransferRefused) -> None:
        """By the far end."""
        before = self._transfer.state
        if isinstance(event, sip.TransferRefused):
            logger.info("call %s: REFER refused: %d", self._call_id, event.status)
            effect = self._transfer.refused()
        else:
            effect = self._transfer.reported(event.status, is_final=event.is_final)
        self._do(effect)
        self._show_after(before)

    def rings(self) -> None:
        """The target does."""
        before = self._transfer.state
        self._transfer.rings()
        self._show_after(before)

    def not_joined(self, sip_code: int | None) -> None:
        """The gateway could not do it; the call waits for the rep."""
        before = self._transfer.state
        self._do(self._transfer.not_joined(sip_code))
        self._show_after(before)

    def reason_to_leave(self, reason: EndReason) -> EndReason:
        """What it means that the far end has hung up."""
        if reason is not EndReason.HUNG_UP_THERE:
            return reason
        if self._transfer.step is Step.UNKNOWN and self.order is not None:
            self.transferred_to = self.order.to
            return EndReason.TRANSFERRED
        awaited = self._awaited
        if awaited is not None and self._is_awaited and awaited._transfer.is_accepted:
            # Its own new call, with Replaces, has taken the place of this one.
            self.transferred_to = awaited.peer
            return EndReason.TRANSFERRED
        return reason

    def _taken_back(self) -> None:
        before = self._transfer.state
        self._do(self._transfer.take_back())
        self._show_after(before)

    def _show_after(self, before: object) -> None:
        if self._transfer.state is not before and self._call.state is CallState.ACTIVE:
            self._call.show()

    def _do(self, effect: Effect) -> None:
        order = self.order
        if order is None:
            return
        match effect:
            case Effect.NOTHING:
                pass
            case Effect.REFER:
                self._refer(order)
            case Effect.JOIN:
                self.on_join(order)
            case Effect.GIVE_UP:
                self.on_give_up()
            case Effect.END:
                self.end(order.to)
                self.on_done(order)

    def _refer(self, order: Order) -> None:
        leg = self._far_end.require_leg()
        try:
            if order.partner is None:
                leg.transfer(order.target)
                return
            theirs = order.partner.leg
            if theirs is None:
                raise LocalProtocolError("the call to the target has ended")
            leg.transfer(order.target, replaces=theirs.as_replaces)
        except LocalProtocolError as error:
            logger.info("call %s: no REFER: %s", self._call_id, error)
            before = self._transfer.state
            self._do(self._transfer.refused())
            self._show_after(before)

    # The end --------------------------------------------------------------------------

    def end(self, to: Peer) -> None:
        """Its far end talks to somebody else: nothing is left to talk about here."""
        self.transferred_to = to
        self._far_end.drop()
        self._call.finish(EndReason.TRANSFERRED)

    def forget(self) -> None:
        """The far end is another: what the old one was asked for is no more."""
        self._taken_back()
        self._transfer = Transfer()

    def release(self) -> None:
        """Nobody comes to this call any more."""
        self._awaited = None

    async def go(self, heir: Heir, to: Peer, others: frozenset[MediaCallId]) -> None:
        """End without the far end, which hears ``others`` and is ``heir``'s now.

        Raises:
            WrongState: it is not wanted any more.
            MediaError: they cannot be brought together; nothing has changed.
        """
        if not (self._transfer.step is Step.JOINING or self._is_awaited):
            raise WrongState("the call was taken back")
        if self._far_end.leg is None or self._far_end.leg.is_ended:
            raise WrongState("the far end has hung up")
        await self._media.hear(others)
        if heir.is_over:
            await self._media.hear(frozenset())
            raise WrongState("the target has hung up")
        self._transfer.joined()
        self.heir = heir
        self.transferred_to = to
        heir.take(self._media, self._far_end)
        self._call.finish(EndReason.TRANSFERRED)
