"""Requests about one call that is there."""

from __future__ import annotations

from gateway.calls.control import CallControl
from gateway.calls.desks import Desk
from gateway.calls.requests import RequestTable
from gateway.sessions.wire import (
    CallAnswer,
    CallAnswerResult,
    CallDtmf,
    CallHangup,
    CallMedia,
    CallMediaResult,
    CallReject,
    CallResult,
    CallTrickle,
    Empty,
)


class Handling:
    """See the module."""

    def __init__(self, control: CallControl) -> None:
        self._control = control

    def add_to(self, requests: RequestTable) -> None:
        requests.add(CallAnswer, self.answer)
        requests.add(CallReject, self.reject)
        requests.add(CallHangup, self.hang_up)
        requests.add(CallDtmf, self.send_digits)
        requests.add(CallMedia, self.offer_media)
        requests.add(CallTrickle, self.trickle)

    async def answer(self, desk: Desk, params: CallAnswer) -> CallAnswerResult:
        """``call.answer``"""
        call = desk.call(params.call_id)
        call.check_answer(params.offer)
        await self._control.take_floor(desk, call.call_id, (call,))
        answer = await call.request(
            lambda: call.answer(params.offer, params.generation)
        )
        return CallAnswerResult(call=call.view(), answer=answer)

    async def reject(self, desk: Desk, params: CallReject) -> CallResult:
        """``call.reject``"""
        call = desk.call(params.call_id)
        await call.request(lambda: call.reject(params.reason))
        return CallResult(call=call.view())

    async def hang_up(self, desk: Desk, params: CallHangup) -> CallResult:
        """``call.hangup``"""
        call = desk.call(params.call_id)
        await call.request(call.hang_up)
        return CallResult(call=call.view())

    async def send_digits(self, desk: Desk, params: CallDtmf) -> Empty:
        """``call.dtmf``"""
        call = desk.call(params.call_id)
        await call.request(lambda: call.send_digits(params.digits))
        return Empty()

    async def offer_media(self, desk: Desk, params: CallMedia) -> CallMediaResult:
        """``call.media``"""
        call = desk.call(params.call_id)
        answer, generation = await call.request(
            lambda: call.offer_media(params.offer, params.generation, params.reason)
        )
        return CallMediaResult(answer=answer, generation=generation)

    async def trickle(self, desk: Desk, params: CallTrickle) -> Empty:
        """``call.trickle``: the engine needs none."""
        return Empty()
