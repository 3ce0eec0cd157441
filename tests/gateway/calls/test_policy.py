"""Guests may do five things, and reps everything but what only guests may."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls import policy
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import ErrorKind
from tests.gateway.calls.fakes import ANA, ROBIN, World

GUESTS_MAY = {"call.join", "call.media", "call.trickle", "call.dtmf", "call.hangup"}
SESSIONS_OWN = {"ping"} | {name for name in wire.METHODS if name.startswith("session.")}
# Whatever there is, and whatever there may be one day.
METHODS = st.sampled_from(sorted(wire.METHODS)) | st.text(max_size=30)


@given(METHODS)
def test_guests_may_do_what_is_listed_and_nothing_else(method: str) -> None:
    if method in GUESTS_MAY:
        policy.check(ANA, method)
        return
    with pytest.raises(RequestError) as caught:
        policy.check(ANA, method)
    assert caught.value.kind is ErrorKind.POLICY_DENIED


@given(METHODS)
def test_reps_may_do_all_but_join(method: str) -> None:
    if method != "call.join":
        policy.check(ROBIN, method)
        return
    with pytest.raises(RequestError) as caught:
        policy.check(ROBIN, method)
    assert caught.value.kind is ErrorKind.POLICY_DENIED


@pytest.mark.parametrize("method", sorted(set(wire.METHODS) - SESSIONS_OWN))
async def test_the_service_asks_for_every_method(world: World, method: str) -> None:
    await world.service.session_opened(ANA)
    params = wire.METHODS[method][0].model_construct()
    for user, is_denied in (
        (ANA, method not in GUESTS_MAY),
        (ROBIN, method == "call.join"),
    ):
        if is_denied:
            before = list(world.events)
            with pytest.raises(RequestError) as caught:
                await world.service.perform(user, method, params)
            assert caught.value.kind is ErrorKind.POLICY_DENIED
            assert world.events == before
    assert world.telephony.dialled == []
    assert world.connector.asked == []
