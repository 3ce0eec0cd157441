"""Calls that begin here: what a rep dials, and a guest who joins."""

from __future__ import annotations

from functools import partial

from gateway.calls.call import Call
from gateway.calls.callers import target_of
from gateway.calls.control import CallControl
from gateway.calls.desks import Desk, unknown_call
from gateway.calls.guest_calls import CallInvite, legible
from gateway.calls.ports import Dial
from gateway.calls.requests import RequestTable
from gateway.calls.switchboard import Switchboard
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import (
    CallAnswerResult,
    CallCreate,
    CallDirection,
    CallJoin,
    CallType,
    ErrorKind,
    Peer,
    RegistrationState,
)


def check_registered(desk: Desk) -> None:
    """Raises RequestError: the user cannot call anybody now."""
    if desk.state.state is not RegistrationState.REGISTERED:
        raise RequestError(
            ErrorKind.REGISTRAR_DOWN,
            "The phone account is not registered.",
            retryable=True,
        )


class Placing:
    """See the module."""

    def __init__(self, board: Switchboard, control: CallControl) -> None:
        self._board = board
        self._control = control

    def add_to(self, requests: RequestTable) -> None:
        requests.add(CallCreate, self.create)
        requests.add(CallJoin, self.join)

    async def create(self, desk: Desk, params: CallCreate) -> CallAnswerResult:
        """``call.create``"""
        user = desk.user
        if params.offer is None:
            raise RequestError(ErrorKind.BAD_REQUEST, "An offer is needed.")
        at_most = self._board.services.limits.max_per_user
        desk.check_room(params.call_id, at_most)
        if params.consults_for is not None and params.consults_for not in desk.calls:
            raise unknown_call()
        check_registered(desk)
        tenant = self._board.tenant(user.key)
        peer, target = target_of(
            params.to, country=tenant.country, domain=tenant.domain
        )
        account = self._board.accounts[user.key]
        await self._control.take_floor(desk, params.call_id, ())
        # Another request may have come first while others were put on hold.
        desk.check_room(params.call_id, at_most)
        call = self._board.new_call(
            desk,
            params.call_id,
            CallDirection.OUTBOUND,
            peer,
            record=params.record,
            type=None if params.consults_for is None else CallType.CONSULT,
        )
        call.consults_for = params.consults_for
        telephony = self._board.telephony
        return await self._start(
            desk,
            call,
            params.offer,
            lambda sdp, on_event: telephony.call(account, target, sdp, on_event),
        )

    async def join(self, desk: Desk, params: CallJoin) -> CallAnswerResult:
        """``call.join``: a guest calls the host of the invite: its address, and no
        other."""
        guests = self._board.guests
        account = self._board.tenant(desk.user.key).guest_account
        desk.check_room(params.call_id, 1)
        given = await guests.admit(desk.user, account)
        # Another request may have come first while the pass was made out.
        desk.check_room(params.call_id, 1)
        assert account is not None
        member = self._board.meetings.join(given)
        attempt = guests.begin(desk.user.key, given, account)
        call = attempt.call = self._board.new_call(
            desk,
            params.call_id,
            CallDirection.OUTBOUND,
            Peer(number="", display_name=legible(given.host.name)),
            invite=CallInvite(attempt, is_guests=True),
            member=member,
        )
        dial = partial(guests.dial, attempt) if member.leads else None
        member.begin(attempt, call)
        return await self._start(desk, call, params.offer, dial)

    async def _start(
        self, desk: Desk, call: Call, offer: str, dial: Dial | None
    ) -> CallAnswerResult:
        try:
            answer = await call.begin_outgoing(offer, dial)
        except BaseException:
            self._board.forget(desk, call)
            raise
        self._board.begin(desk, call)
        return CallAnswerResult(call=call.view(), answer=answer)
