"""Transfer, as reps ask for it: who may get which call, and what is done between calls.

What one call does of it is its :class:`~gateway.calls.handover.Handover`; here the
gateway calls a target in a far end's stead, and brings far ends together
(:mod:`.junction`).
"""

from __future__ import annotations

import logging
import uuid

import sip
from gateway.calls.call import Call
from gateway.calls.callers import target_of
from gateway.calls.desks import Desk
from gateway.calls.handover import Order
from gateway.calls.junction import Junction, Junctions, Side
from gateway.calls.placing import check_registered
from gateway.calls.requests import RequestTable
from gateway.calls.switchboard import Switchboard
from gateway.media.engine import MediaCallId
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import CallResult, CallTransfer, ErrorKind, Peer

logger = logging.getLogger(__name__)


class Transferring:
    """See the module.

    Attributes:
        junctions: calls that the gateway keeps together without a rep.
    """

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self.junctions = Junctions(board.do)
        # What is being done for a call, until it is done or given up.
        self._for: dict[Call, Junction] = {}
        made, gone = board.on_call_made, board.on_call_gone

        def on_call_made(desk: Desk, call: Call) -> None:
            made(desk, call)
            self._made(desk, call)

        def on_call_gone(desk: Desk, call: Call) -> None:
            gone(desk, call)
            self._give_up(call)

        board.on_call_made = on_call_made
        board.on_call_gone = on_call_gone

    def add_to(self, requests: RequestTable) -> None:
        requests.add(CallTransfer, self.transfer)

    async def close(self) -> None:
        """Hang up what was joined."""
        await self.junctions.close()

    # Requests -------------------------------------------------------------------------

    async def transfer(self, desk: Desk, params: CallTransfer) -> CallResult:
        """``call.transfer``"""
        call = desk.call(params.call_id)
        order = self._order(desk, call, params)
        await call.request(lambda: call.handover.ask(order))
        return CallResult(call=call.view())

    def _order(self, desk: Desk, call: Call, params: CallTransfer) -> Order:
        if (params.to is None) == (params.to_call is None):
            raise RequestError(
                ErrorKind.BAD_REQUEST, "Either a number or a call is needed."
            )
        if params.to is not None:
            tenant = self._board.tenant(desk.user.key)
            peer, target = target_of(
                params.to, country=tenant.country, domain=tenant.domain
            )
            return Order(peer, target)
        assert params.to_call is not None
        partner = desk.call(params.to_call)
        if partner is call:
            raise RequestError(
                ErrorKind.BAD_REQUEST, "A call cannot be transferred to itself."
            )
        leg = partner.handover.leg
        if leg is None:
            raise RequestError(
                ErrorKind.CALL_WRONG_STATE, "There is no telephone in that call."
            )
        # Its address, which the server relays to all its devices: those that do not
        # have that call refuse (RFC 3891 3).
        uri = leg.remote.uri
        target = sip.Uri("sip", user=uri.user, host=uri.host, port=uri.port)
        return Order(partner.peer, target, partner.handover)

    # What the calls want --------------------------------------------------------------

    def _made(self, desk: Desk, call: Call) -> None:
        def on_join(order: Order) -> None:
            self._begin(desk, call, order)

        def on_give_up() -> None:
            self._give_up(call)

        def on_done(order: Order) -> None:
            partner = self._partner(desk, order)
            if partner is not None:
                self._board.do(self._end_partner(partner, call))

        call.handover.on_join = on_join
        call.handover.on_give_up = on_give_up
        call.handover.on_done = on_done

    @staticmethod
    def _partner(desk: Desk, order: Order) -> Call | None:
        """The call to the target; None once that is over."""
        calls = desk.calls.values()
        return next((each for each in calls if each.handover is order.partner), None)

    async def _end_partner(self, partner: Call, call: Call) -> None:
        async def end() -> None:
            partner.handover.end(call.peer)

        # Its far end has most likely hung up, or is about to.
        await self._board.end(partner, end)

    # Joining --------------------------------------------------------------------------

    def _begin(self, desk: Desk, call: Call, order: Order) -> None:
        """In the call's actor."""
        services = self._board.services
        junction = Junction(
            f"call {call.call_id} of {desk.user.key}, joined",
            services,
            media_belongs=self._board.media_belongs,
        )
        partner = self._partner(desk, order)
        try:
            if self.junctions.count(desk.user.key) >= (
                services.limits.max_joined_per_user
            ):
                raise RequestError(ErrorKind.CALL_LIMIT, "Too many joined calls.")
            if order.partner is None:
                check_registered(desk)
            elif partner is None:
                raise RequestError(ErrorKind.CALL_WRONG_STATE, "The target is gone.")
        except RequestError as error:
            logger.info("call %s is not joined: %s", call.call_id, error)
            call.tell(lambda: call.handover.not_joined(None))
            return
        self._for[call] = junction

        def on_over(sip_code: int | None) -> None:
            if self._for.get(call) is junction:
                del self._for[call]
                call.tell(lambda: call.handover.not_joined(sip_code))

        junction.on_over = on_over
        junction.on_ringing = lambda: call.tell(call.handover.rings)
        junction.on_ready = lambda: self._board.do(
            self._join(call, junction, order, None)
        )
        self.junctions.begin(junction, desk.user.key)
        if partner is not None:
            self._board.do(self._join(call, junction, order, partner))
            return
        account, telephony = self._board.accounts[desk.user.key], self._board.telephony
        junction.call(
            MediaCallId(str(uuid.uuid4())),
            f"{desk.user.key.tenant}/{desk.user.key.user}",
            lambda sdp, on_event: telephony.call(account, order.target, sdp, on_event),
        )

    async def _join(
        self, call: Call, junction: Junction, order: Order, partner: Call | None
    ) -> None:
        """The target is there: bring the call's far end to it."""
        target = partner.media_id if partner else junction.sides[0].media_id
        # Once the call is over, nothing is given up with it.
        self._for.pop(call, None)
        try:
            await self._go(call, junction, order.to, target)
        except RequestError as error:
            logger.warning("call %s is not joined: %s", call.call_id, error)
            call.tell(lambda: call.handover.not_joined(None))
            junction.stop()
            return
        if partner is None:
            return
        try:
            await self._go(partner, junction, call.peer, call.media_id)
        except RequestError as error:
            logger.warning("call %s ended too early: %s", partner.call_id, error)
            partner.handover.release()
            junction.stop()

    @staticmethod
    async def _go(call: Call, junction: Junction, to: Peer, other: MediaCallId) -> None:
        side = Side(junction, call.media)
        await call.request(lambda: call.handover.go(side, to, frozenset({other})))

    def _give_up(self, call: Call) -> None:
        if (junction := self._for.pop(call, None)) is not None:
            junction.stop()
