"""Users come, go, and get other passwords while the service runs."""

from __future__ import annotations

from dataclasses import replace

import sip
from gateway.identity.users import User, UserKey
from tests.gateway.calls.fakes import ROBIN, FakeLeg, World, account, settle
from tests.gateway.calls.guests import join, rings

NOA = User(UserKey("acme", "noa"), "Noa", "1009")


async def rings_at(world: World, account: sip.Account) -> list[tuple[object, ...]]:
    leg = FakeLeg(account)
    world.service.on_invite(leg)
    await settle()
    return leg.did


async def test_a_user_of_just_now_registers_and_is_called(world: World) -> None:
    world.accounts[NOA.key] = account(NOA)
    await world.service.session_opened(NOA)
    assert await rings_at(world, world.accounts[NOA.key]) == [("ring",)]
    assert world.call(NOA).peer.e164 == "+16465550175"


async def test_a_new_password_cuts_nobody_off(world: World) -> None:
    registered = world.accounts[ROBIN.key]
    changed = replace(registered, password=sip.Secret("another"))
    world.accounts[ROBIN.key] = changed
    assert await rings_at(world, registered) == [("ring",)]
    await world.service.session_closed(ROBIN, signed_out=True)
    assert await rings_at(world, registered) == [("reject", 480)]
    await world.service.session_opened(ROBIN)
    assert await rings_at(world, changed) == [("ring",)]
    assert await rings_at(world, registered) == [("reject", 480)]


async def test_a_colleague_of_just_now_is_no_guest(world: World) -> None:
    await join(world)
    world.accounts[NOA.key] = account(NOA)
    await rings(world, '"Ana Ruiz" <sip:1009@acme.example>')
    assert world.service.snapshot(ROBIN).calls[-1].invite is None
