"""Steps of guests' calls: let in, join, ring at the host, answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

import sip
from gateway.calls.ports import GuestPass
from gateway.crm.connector import CrmRecord
from gateway.identity.users import User
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import ErrorKind
from tests.gateway.calls.descriptions import BOTH, browser, phone
from tests.gateway.calls.fakes import ANA, ROBIN, FakeLeg, World, settle

CONTACT = CrmRecord("003A", "Contact", "Ana Ruiz", "https://crm/003A")
DEAL = CrmRecord("006D", "Opportunity", "A big deal", "https://crm/006D")


def let_in(
    world: World, guest: User = ANA, *, host: User = ROBIN, **changes: object
) -> None:
    given = GuestPass(
        invite_id="inv1",
        guest_id=guest.key.user.removeprefix("guest:"),
        guest=guest.name,
        subject="The contract",
        host=host,
        contact=CONTACT,
        about=DEAL,
        ends_at=world.clock.now() + 1800,
    )
    world.invites.passes[guest.key] = replace(given, **changes)  # type: ignore[arg-type]


async def join(
    world: World, guest: User = ANA, *, call_id: str = "g1", **changes: object
) -> FakeLeg:
    """The guest comes and calls; gives the SIP side of their call."""
    if guest.key not in world.invites.passes:
        let_in(world, guest, **changes)
    await world.service.session_opened(guest)
    await again(world, guest, call_id=call_id)
    return world.telephony.legs[-1]


async def again(
    world: World, guest: User = ANA, *, call_id: str
) -> wire.CallAnswerResult:
    result = await world.service.perform(
        guest,
        "call.join",
        wire.CallJoin(op_id="1", call_id=call_id, offer=browser(BOTH)),
    )
    assert isinstance(result, wire.CallAnswerResult)
    await settle()
    return result


async def rings(
    world: World, remote: str = "", *, user: User = ROBIN, asserted: str = ""
) -> FakeLeg:
    """The INVITE comes back to a rep's registration; by default as it was sent."""
    if not remote:
        own = world.telephony.legs[-1].account
        assert own is not None
        remote = str(own.address)
    leg = FakeLeg(world.accounts[user.key], offer=phone(BOTH), remote=remote)
    if asserted:
        leg.asserted_identity = sip.NameAddr.parse(asserted)
    world.service.on_invite(leg)
    await settle()
    return leg


async def answer(world: World, user: User = ROBIN) -> None:
    await world.service.perform(
        user,
        "call.answer",
        wire.CallAnswer(
            op_id="1", call_id=world.call(user).call_id, offer=browser(BOTH)
        ),
    )


async def refused(world: World, guest: User, call_id: str) -> ErrorKind:
    with pytest.raises(RequestError) as caught:
        await again(world, guest, call_id=call_id)
    return caught.value.kind
