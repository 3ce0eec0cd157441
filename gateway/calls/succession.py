"""A call whose far end becomes another: who it was with, who it is with now.

Three ways lead here. An INVITE with Replaces (RFC 3891) brings a SIP leg that takes the
place of the call's; a REFER that was granted (:mod:`.referred`) does so when the new
party answers; and a server that transfers behind itself only says who the peer is now
(RFC 3325, 4916). The call stays the same call in each of them: its id, its browser
side, its place in a conference, its hold, its notes. It is matched anew, and ends as
one record that names everybody.

Runs in the call's actor and changes the call by :class:`Owner` only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

import sip
from gateway.activities.record import CallRecord, Party
from gateway.calls.far_end import FarEnd
from gateway.calls.media import SIP_STATUS, CallMedia
from gateway.calls.ports import Services, SipLeg
from gateway.calls.subject import Subject
from gateway.media.engine import MediaError, Negotiated
from gateway.sessions.wire import CallState, Peer

logger = logging.getLogger(__name__)

# Of a call that is passed on again and again: the first, and the last ones.
MAX_EARLIER = 8
# Who was told that a transfer has come about ends its own leg; by then we do.
FAREWELL_S = 4.0
# With a leg in them that another may take the place of.
_REPLACEABLE = frozenset({CallState.CALLING, CallState.ALERTING, CallState.ACTIVE})


class Owner(Protocol):
    """The call, as its succession sees it."""

    peer: Peer
    caller_key: str

    @property
    def state(self) -> CallState: ...

    @property
    def is_over(self) -> bool: ...

    @property
    def is_of_invite(self) -> bool:
        """Whether a video invite says who it is with."""

    def record(self) -> CallRecord: ...

    def sip_event(self, event: sip.CallEvent) -> None:
        """From the leg that the call has now."""

    def agreed(self, negotiated: Negotiated) -> None:
        """Both sides have agreed on media."""

    def connected(self) -> None:
        """It is answered."""

    def far_end_replaced(self) -> None:
        """Whom the old far end had us call is not wanted."""

    def far_end_changes(self) -> None:
        """What the old far end was asked for is void."""

    def show(self) -> None:
        """Whatever is shown of the call may be another."""


class Succession:
    """See the module. Methods that negotiate raise :class:`MediaError`.

    Attributes:
        earlier: whom it was with, the first one first.
        transferred_by: the last of them, as the browser protocol shows it.
        on_moved: told when it is with somebody else: what follows from who that is.
        read: who an identity of SIP's is; None: nobody to be shown.
    """

    def __init__(
        self,
        call_id: str,
        call: Owner,
        media: CallMedia,
        far_end: FarEnd,
        subject: Subject,
        services: Services,
    ) -> None:
        self.earlier: tuple[Party, ...] = ()
        self.transferred_by: Peer | None = None
        self.on_moved: Callable[[], None] = lambda: None
        self.read: Callable[[sip.NameAddr], Peer | None] = lambda identity: None
        self._call_id = call_id
        self._call = call
        self._media = media
        self._far_end = far_end
        self._subject = subject
        self._services = services

    # Replaces -------------------------------------------------------------------------

    async def replace(
        self, leg: SipLeg, replaced: SipLeg, peer: Peer, caller_key: str
    ) -> None:
        """An INVITE wants the place of ``replaced``: answer it at once.

        What cannot be answered changes nothing: the call goes on as it was.
        """
        if _is_gone(leg):
            return
        if self._far_end.leg is not replaced or self._call.state not in _REPLACEABLE:
            leg.reject(481)
            return
        offer = leg.remote_offer
        agreed: Negotiated | None = None
        try:
            if offer is None:
                sdp = await self._media.offer_successor()
            else:
                agreed = await self._media.answer_successor(offer)
                sdp = agreed.sdp
        except MediaError as error:
            logger.warning("call %s: not replaced: %s", self._call_id, error)
            leg.reject(SIP_STATUS[error.kind])
            return
        leg.answer(sdp)
        if _is_gone(leg):
            # Its CANCEL came first. The engine has taken it for agreed: the far end
            # that is still there is asked anew.
            self._media.sip_must_be_reoffered |= agreed is not None
            await self._far_end.renegotiation.tell_far_end(replaced)
            return
        self._call.far_end_replaced()
        replaced.on_event = _ignore
        self._install(leg)
        if agreed is None:
            self._media.succeeded()
            self._far_end.renegotiation.offered_when_asked()
        else:
            self._call.agreed(agreed)
        self.moved(peer, caller_key)
        if self._call.state is not CallState.ACTIVE:
            self._call.connected()

    # A REFER that was granted ---------------------------------------------------------

    async def accept(self, leg: SipLeg, answer: str, peer: Peer) -> None:
        """Whom we called on somebody's wish has answered.

        Raises:
            MediaError: it cannot be understood; nothing has changed.
        """
        negotiated = await self._media.accept_successor(answer)
        former = self._install(leg)
        if former is not None:
            former.report_transfer(200)
            Farewell(former, self._services)
        self._call.agreed(negotiated)
        self.moved(peer)
        await self._far_end.renegotiation.tell_far_end(leg)

    def _install(self, leg: SipLeg) -> SipLeg | None:
        self._call.far_end_changes()
        former = self._far_end.take(leg)
        leg.on_event = self._call.sip_event
        return former

    # What the server says -------------------------------------------------------------

    def identified(self, identity: sip.NameAddr) -> None:
        """A trusted server says who the far end is now."""
        if self._call.is_of_invite:
            return
        peer = self.read(identity)
        if peer is not None:
            self.moved(peer, self._call.caller_key)

    # Who it is with -------------------------------------------------------------------

    def moved(self, peer: Peer, caller_key: str = "") -> None:
        """It is with this party now; nothing but a name if that is who it was with."""
        call = self._call
        former = call.peer
        if is_same(peer, former):
            if peer.display_name and peer.display_name != former.display_name:
                call.peer = former.model_copy(
                    update={"display_name": peer.display_name}
                )
                call.show()
            return
        logger.info("call %s is with another party now", self._call_id)
        record = self._subject.record
        party = Party(former.number, former.e164, former.display_name, record)
        self.earlier = _bounded((*self.earlier, party))
        self.transferred_by = former
        if record is not None and not former.display_name:
            self.transferred_by = former.model_copy(
                update={"display_name": record.name[:255]}
            )
        call.peer, call.caller_key = peer, caller_key
        self._subject.forget()
        self.on_moved()
        self._services.journal.passed_on(call.record())
        call.show()


class Farewell:
    """A leg whose place is taken: its far end is to hang up, and soon; else we do."""

    def __init__(self, leg: SipLeg, services: Services) -> None:
        self._leg = leg
        self._alarm = services.later(FAREWELL_S, self._too_long)
        leg.on_event = self._hear

    def _too_long(self) -> None:
        self._leg.hangup(None)

    def _hear(self, event: sip.CallEvent) -> None:
        match event:
            case sip.Offer():
                self._leg.reject_offer(488)
            case sip.TransferRequested():
                self._leg.refuse_transfer(603)
            case _ if isinstance(event, sip.TERMINAL_EVENTS):
                self._alarm.cancel()
            case _:
                pass


def is_same(one: Peer, other: Peer) -> bool:
    """Whether these are one party, as far as numbers tell."""
    if one.e164 and other.e164:
        return one.e164 == other.e164
    return one.number.lstrip("+") == other.number.lstrip("+")


def _is_gone(leg: SipLeg) -> bool:
    """It may be so from one moment to the next."""
    return leg.is_ended


def _bounded(earlier: tuple[Party, ...]) -> tuple[Party, ...]:
    return (*earlier[:1], *earlier[1:][-(MAX_EARLIER - 1) :])


def _ignore(event: sip.CallEvent) -> None:
    """Of a leg that has ended."""
