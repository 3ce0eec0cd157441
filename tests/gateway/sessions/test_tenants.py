"""No id of one tenant works in another: every method, and every way in."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sessions import wire
from tests.gateway.sessions.fakes import ANA, EVE, Page, World

CALL_METHODS = sorted(
    method
    for method, (params, _) in wire.METHODS.items()
    if "call_id" in params.model_fields
    # These name a call that is not there yet.
    and method not in ("call.create", "call.join")
)

VALUES: dict[str, Any] = {
    "offer": "v=0",
    "generation": 1,
    "digits": "1",
    "record_id": "003",
    "last_name": "Ruiz",
    "to": "1001",
    "limit": 5,
}


def parameters(method: str, **given_values: Any) -> dict[str, Any]:
    fields = wire.METHODS[method][0].model_fields
    return {
        name: value for name, value in (VALUES | given_values).items() if name in fields
    }


async def two_tenants() -> tuple[World, Page, Page]:
    """Ana of one tenant and Eve of another, who share user id and CRM id."""
    world = World()
    ana, eve = world.page("ana-page"), world.page("eve-page")
    await ana.hello(ANA)
    await eve.hello(EVE)
    world.backend.ring(ANA, "call-of-ana")
    return world, ana, eve


@pytest.mark.parametrize("method", CALL_METHODS)
async def test_a_call_of_another_tenant_is_not_there(method: str) -> None:
    world, ana, eve = await two_tenants()
    calls = copy.copy(world.backend.calls[ANA.key])
    kind = await eve.kind(
        method, **parameters(method, op_id="op", call_id="call-of-ana")
    )
    assert kind == "call.unknown"
    assert world.backend.calls[ANA.key] == calls
    assert [event["type"] for event in ana.outlet.events] == ["call.incoming"]
    assert eve.outlet.events == []
    await world.directory.close()


def test_every_method_with_a_call_is_covered() -> None:
    assert len(CALL_METHODS) >= 8


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from(sorted(m for m in wire.METHODS if m != "session.close")),
            st.sampled_from(["op-1", "op-2", "op-3"]),
            st.sampled_from(["call-of-ana", "c1", "c2"]),
        ),
        max_size=25,
    )
)
def test_two_tenants_with_the_same_ids_never_meet(
    steps: list[tuple[bool, str, str, str]],
) -> None:
    """Each sees exactly what it sees when the other is not there."""

    async def play(who: frozenset[bool]) -> dict[bool, list[Any]]:
        world, ana, eve = await two_tenants()
        pages = {False: ana, True: eve}
        for is_eve, method, op_id, call_id in steps:
            if is_eve in who:
                values = parameters(method, op_id=op_id, call_id=call_id)
                await pages[is_eve].ask(method, **values)
        seen = {is_eve: page.outlet.frames[1:] for is_eve, page in pages.items()}
        for user, _, _ in world.backend.performed:
            assert (user == EVE.key) in who
        await world.directory.close()
        return {
            is_eve: [frame for frame in frames if "id" in frame or "seq" in frame]
            for is_eve, frames in seen.items()
        }

    together = asyncio.run(play(frozenset({False, True})))
    assert together[False] == asyncio.run(play(frozenset({False})))[False]
    assert together[True] == asyncio.run(play(frozenset({True})))[True]


async def test_session_ids_and_tokens_do_not_cross() -> None:
    world, ana, eve = await two_tenants()
    thief = world.page("eve-page")
    for session_id, token in (
        (ana.session_id, eve.token),
        (eve.session_id, ana.token),
    ):
        kind = await thief.kind(
            "session.resume",
            session_id=session_id,
            resume_token=token,
            instance_id="eve-page",
            last_seq=0,
        )
        assert kind == "session.unknown"
        thief = world.page("eve-page")
    await world.directory.close()


async def test_the_same_op_id_of_two_tenants_is_two_operations() -> None:
    world, ana, eve = await two_tenants()
    await ana.result("call.create", **parameters("call.create", op_id="o", call_id="x"))
    await eve.result("call.create", **parameters("call.create", op_id="o", call_id="x"))
    assert [key for key, _, _ in world.backend.performed] == [ANA.key, EVE.key]
    await world.directory.close()


async def test_events_go_to_their_own_tenant_only() -> None:
    world, ana, eve = await two_tenants()
    world.backend.ring(EVE, "call-of-eve")
    assert [e["call"]["call_id"] for e in ana.outlet.events] == ["call-of-ana"]
    assert [e["call"]["call_id"] for e in eve.outlet.events] == ["call-of-eve"]
    await world.directory.close()


async def test_sign_out_is_of_one_tenant_only() -> None:
    world, ana, eve = await two_tenants()
    ticket = world.ticket(ANA)
    await eve.result("session.close", op_id="bye")
    assert ana.outlet.closed is None
    assert world.tickets.redeem(ticket) is not None
    await world.directory.close()
