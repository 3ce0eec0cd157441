"""Several calls of one user: one talks, the others wait or are in its conference.

The *floor* of a desk is the call, or the conference, that the rep took last: by
dialling, answering, retrieving or merging. Whoever takes it says so before anything
waits, then every other call that talks is put on hold. A call that is answered too
late, by the far end, sees that it has not the floor and waits (:mod:`.holding`). So no
lock is needed, and never are two calls heard that are not in one conference.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from gateway.calls.call import Call
from gateway.calls.conference import MAX_CALLS, ConferenceFull, Seat
from gateway.calls.desks import Desk
from gateway.calls.requests import RequestTable
from gateway.calls.switchboard import Switchboard
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import (
    CallHold,
    CallMerge,
    CallResult,
    CallRetrieve,
    CallSplit,
    CallState,
    ErrorKind,
)

logger = logging.getLogger(__name__)

NOWHERE = Seat("", frozenset())


class CallControl:
    """See the module."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        board.on_call_made = self._made
        board.on_call_gone = self._gone

    def add_to(self, requests: RequestTable) -> None:
        requests.add(CallHold, self.hold)
        requests.add(CallRetrieve, self.retrieve)
        requests.add(CallMerge, self.merge)
        requests.add(CallSplit, self.split)

    # The floor ------------------------------------------------------------------------

    async def take_floor(self, desk: Desk, floor: str, calls: Iterable[Call]) -> None:
        """These may talk from now on, the others wait.

        Args:
            floor: id of a call or conference.

        Raises:
            RequestError: one of the others cannot be put on hold; nothing has changed.
        """
        chosen = tuple(calls)
        others = [
            call
            for call in desk.calls.values()
            if call not in chosen and call.holding.talks
        ]
        for call in others:
            if call.holding.refusal:
                raise RequestError(ErrorKind.CALL_WRONG_STATE, call.holding.refusal)
        desk.floor = floor
        for call in others:
            await _unless_over(call, call.holding.give_way)

    def _made(self, desk: Desk, call: Call) -> None:
        def may_talk() -> bool:
            conference = desk.conferences.of(call.call_id)
            return desk.floor in ("", call.call_id, conference)

        def cut_off() -> None:
            self._board.do(self._cut_off(desk, call))

        call.holding.may_talk = may_talk
        call.holding.on_cut_off = cut_off

    def _gone(self, desk: Desk, call: Call) -> None:
        was_in = desk.conferences.of(call.call_id)
        self._leave(desk, call)
        if desk.floor == call.call_id:
            desk.floor = ""
        if was_in:
            self._board.do(self._settle(desk))

    # Requests -------------------------------------------------------------------------

    async def hold(self, desk: Desk, params: CallHold) -> CallResult:
        """``call.hold``"""
        call = desk.call(params.call_id)
        if call.holding.refusal:
            raise RequestError(ErrorKind.CALL_WRONG_STATE, call.holding.refusal)
        await call.request(call.holding.hold)
        for each in self._beside(desk, call):
            await _unless_over(each, each.holding.hold)
        return CallResult(call=call.view())

    async def retrieve(self, desk: Desk, params: CallRetrieve) -> CallResult:
        """``call.retrieve``"""
        call = desk.call(params.call_id)
        if call.state is CallState.RINGING:
            raise RequestError(ErrorKind.CALL_WRONG_STATE, "It has not been answered.")
        conference = desk.conferences.of(call.call_id)
        beside = self._beside(desk, call)
        await self.take_floor(desk, conference or call.call_id, (call, *beside))
        await call.request(call.holding.retrieve)
        for each in beside:
            await _unless_over(each, each.holding.retrieve)
        return CallResult(call=call.view())

    async def merge(self, desk: Desk, params: CallMerge) -> CallResult:
        """``call.merge``"""
        calls = [desk.call(call_id) for call_id in dict.fromkeys(params.call_ids)]
        for call in calls:
            if call.attendance.is_of_meeting:
                raise RequestError(
                    ErrorKind.CALL_WRONG_STATE,
                    "A call by an invite cannot be in a conference.",
                )
            if call.handover.is_bound:
                raise RequestError(
                    ErrorKind.CALL_WRONG_STATE, "The call is being transferred."
                )
            if call.state is not CallState.ACTIVE:
                raise RequestError(
                    ErrorKind.CALL_WRONG_STATE, f"merge in state {call.state.value}"
                )
        before = {call: desk.conferences.of(call.call_id) for call in calls}
        try:
            conference = desk.conferences.merge(
                (call.call_id for call in calls), str(uuid.uuid4())
            )
        except ConferenceFull:
            raise RequestError(
                ErrorKind.CALL_LIMIT,
                f"Not more than {MAX_CALLS} calls in a conference.",
            ) from None
        except ValueError as error:
            raise RequestError(ErrorKind.BAD_REQUEST, str(error)) from None
        members = self._calls(desk, desk.conferences.members(conference))
        try:
            await self.take_floor(desk, conference, members)
            await self._apply(desk)
            for each in members:
                await _unless_over(each, each.holding.retrieve)
        except RequestError:
            for call, old in before.items():
                if old != conference:
                    self._leave(desk, call)
            await self._settle(desk)
            raise
        return CallResult(call=calls[0].view())

    async def split(self, desk: Desk, params: CallSplit) -> CallResult:
        """``call.split``"""
        call = desk.call(params.call_id)
        if not desk.conferences.of(call.call_id):
            raise RequestError(
                ErrorKind.CALL_WRONG_STATE, "The call is in no conference."
            )
        # First, so that the rep is not heard for a moment by one alone.
        await call.request(call.holding.hold)
        self._leave(desk, call)
        await self._apply(desk)
        return CallResult(call=call.view())

    # Conferences ----------------------------------------------------------------------

    @staticmethod
    def _calls(desk: Desk, call_ids: Iterable[str]) -> tuple[Call, ...]:
        found = (desk.calls.get(call_id) for call_id in call_ids)
        return tuple(call for call in found if call is not None)

    def _beside(self, desk: Desk, call: Call) -> tuple[Call, ...]:
        """The other calls of its conference."""
        conference = desk.conferences.of(call.call_id)
        members = desk.conferences.members(conference) if conference else ()
        return tuple(each for each in self._calls(desk, members) if each is not call)

    @staticmethod
    def _leave(desk: Desk, call: Call) -> None:
        conference = desk.conferences.of(call.call_id)
        if not conference:
            return
        left = desk.conferences.leave(call.call_id)
        if desk.floor == conference and not desk.conferences.members(conference):
            desk.floor = left

    async def _cut_off(self, desk: Desk, call: Call) -> None:
        """Its far end would not talk again: it waits, the others go on."""
        await _unless_over(call, call.holding.give_way)
        self._leave(desk, call)
        await self._settle(desk)

    async def _settle(self, desk: Desk) -> None:
        try:
            await self._apply(desk)
        except RequestError as error:
            logger.warning("conference of %s: %s", desk.user.key, error)

    async def _apply(self, desk: Desk) -> None:
        """Tell every call whose part is another now."""
        for call in tuple(desk.calls.values()):
            seat = desk.conferences.seats.get(call.call_id, NOWHERE)
            others = frozenset(each.media_id for each in self._calls(desk, seat.others))
            if call.holding.takes_part(seat.conference, others):
                continue
            await _unless_over(
                call, partial(call.holding.take_part, seat.conference, others)
            )


async def _unless_over(call: Call, command: Callable[[], Awaitable[None]]) -> None:
    """Have a call do this; one that has ended meanwhile need not.

    Raises:
        RequestError: it goes on, and cannot.
    """
    try:
        await call.request(command)
    except RequestError:
        if not call.is_over:
            raise
