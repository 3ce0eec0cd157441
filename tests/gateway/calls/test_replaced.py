"""Somebody takes the place of the far end by an INVITE with Replaces (RFC 3891)."""

from __future__ import annotations

import pytest

import sip
from gateway.calls.caller_key import CallerKeyRule
from gateway.calls.referred import Granted
from gateway.crm.connector import CrmRecord
from gateway.media.engine import MediaErrorKind
from gateway.sessions.wire import CallState, EndReason, Peer
from sip.sdp import Direction
from tests.gateway.calls.descriptions import audio_of, phone
from tests.gateway.calls.fakes import ANA, ROBIN, FakeLeg, World, settle, signed_in
from tests.gateway.calls.guests import answer as take
from tests.gateway.calls.guests import join, rings
from tests.gateway.calls.office import Office

CAROL = '"Carol" <sip:+12025550143@acme.example>'
BOTH, SEND, TAKE = Direction.SENDRECV, Direction.SENDONLY, Direction.RECVONLY


@pytest.fixture
def office(world: World) -> Office:
    return Office(world)


async def replace(
    office: Office,
    replaced: FakeLeg,
    *,
    offer: str | None = "",
    remote: str = CAROL,
    key: str = "",
) -> FakeLeg:
    """An INVITE that wants the place of a leg."""
    world = office.world
    leg = FakeLeg(
        world.accounts[ROBIN.key],
        offer=phone(audio=BOTH) if offer == "" else offer,
        remote=remote,
        call_id="new@acme",
    )
    leg.replaced = replaced
    if key:
        leg.request.headers.add("X-Key", key)
    world.service.on_invite(leg)
    # As the library does, when it is answered.
    replaced.is_ended = leg.did[-1:] == [("answer",)]
    await settle()
    return leg


async def test_the_call_goes_on_with_another(office: Office) -> None:
    world = office.world
    old = await office.connect("c1")
    world.connector.records = (CrmRecord("003C", "Contact", "Carol", "https://crm"),)
    new = await replace(office, old)
    old.on_event(sip.Replaced("new@acme"))
    await settle()
    assert [did[0] for did in new.did] == ["answer"]
    (view,) = office.views.values()
    assert (view.call_id, view.state) == ("c1", CallState.ACTIVE)
    assert (view.peer.number, view.peer.display_name) == ("+12025550143", "Carol")
    assert view.transferred_by is not None
    assert view.transferred_by.number == "+16465550175"
    assert [each.id for each in view.match.records] == ["003C"]
    assert "call.incoming" not in world.kinds()
    # Both legs are the rep's own, whatever dialog-info says of either.
    service = world.service
    for sip_id in ("made-0", "new@acme"):
        own = service.call_of_leg(ROBIN.key, sip_id)
        assert own is not None
        assert own.call_id == "c1"
    office.legs["c1"] = new
    await office.ask("call.hold", call_id="c1")
    assert office.directions("c1") == [SEND]
    await office.hang_up("c1")
    (record,) = world.journal.over
    assert record.reason is EndReason.HUNG_UP_THERE
    assert [party.number for party in record.earlier] == ["+16465550175"]
    assert len(world.journal.written) == 1


async def test_what_was_held_is_held_for_the_next(office: Office) -> None:
    old = await office.connect("c1")
    await office.ask("call.hold", call_id="c1")
    await office.agree("c1")
    new = await replace(office, old)
    assert audio_of(new.did[-1][1]) is SEND
    office.legs["c1"] = new
    office.answers.clear()
    assert office.held == {"c1"}
    await office.ask("call.retrieve", call_id="c1")
    assert office.directions("c1") == [BOTH]


async def test_whom_they_hold_they_have_not_let_go(office: Office) -> None:
    old = await office.connect("c1")
    await office.offer("c1", SEND)
    assert office.views["c1"].held_there
    await replace(office, old)
    assert not office.views["c1"].held_there


async def test_it_may_want_our_offer(office: Office) -> None:
    old = await office.connect("c1")
    new = await replace(office, old, offer=None)
    assert new.did[-1][0] == "answer"
    new.on_event(sip.Confirmed(phone(audio=SEND)))
    await settle()
    assert office.views["c1"].held_there


async def test_one_that_rings_is_picked_up_elsewhere(office: Office) -> None:
    leg = await office.dial("c1")
    await replace(office, leg)
    view = office.views["c1"]
    assert (view.state, view.peer.display_name) == (CallState.ACTIVE, "Carol")
    assert "call.answered" in office.world.kinds()


async def test_the_same_party_by_another_phone(office: Office) -> None:
    old = await office.connect("c1")
    await replace(office, old, remote='"Ana" <sip:6465550175@acme.example>')
    view = office.views["c1"]
    assert (view.peer.display_name, view.transferred_by) == ("Ana", None)


async def test_a_media_engine_that_cannot_leaves_all_as_it_was(office: Office) -> None:
    old = await office.connect("c1")
    office.world.engine.refuse["answer sip"] = MediaErrorKind.NO_COMMON_CODEC
    new = await replace(office, old)
    assert new.did == [("reject", 488)]
    assert office.views["c1"].transferred_by is None
    office.world.engine.refuse.clear()
    await office.ask("call.hold", call_id="c1")
    assert office.directions("c1") == [SEND]


async def test_who_gives_up_first_changes_nothing(office: Office) -> None:
    old = await office.connect("c1")
    engine = office.world.engine
    new = FakeLeg(office.world.accounts[ROBIN.key], offer=phone(), remote=CAROL)
    new.replaced = old
    new.is_ended = True
    office.world.service.on_invite(new)
    new.on_event(sip.Cancelled())
    await settle()
    assert new.did == []
    # Or a moment later: the engine has answered, and is told to go back.
    late = FakeLeg(office.world.accounts[ROBIN.key], offer=phone(), remote=CAROL)
    late.replaced = old

    def cancelled(sdp: str) -> None:
        late.is_ended = True

    late.answer = cancelled  # type: ignore[method-assign]
    office.world.service.on_invite(late)
    await settle()
    assert engine.log[-2][0] == "answer sip"
    assert len(office.offers("c1")) == 1
    await office.agree("c1")
    assert office.views["c1"].transferred_by is None
    assert office.views["c1"].state is CallState.ACTIVE


async def test_whom_the_old_one_had_us_call_is_not_wanted(office: Office) -> None:
    world = office.world
    old = await office.connect("c1")
    call = office.call("c1")
    call.referred.ask = lambda event: _granted(office)
    old.on_event(sip.TransferRequested(sip.Uri.parse("sip:1001@acme.example")))
    await settle()
    called = world.telephony.legs[-1]
    await replace(office, old)
    assert called.did == [("hangup", None)]
    called.on_event(sip.LocalEnd())
    await settle()
    assert office.views["c1"].peer.display_name == "Carol"


def _granted(office: Office) -> Granted:
    telephony = office.world.telephony
    account = office.world.accounts[ROBIN.key]
    target = sip.Uri.parse("sip:1001@acme.example")
    return Granted(
        lambda sdp, on_event: telephony.call(account, target, sdp, on_event),
        Peer(number="1001"),
        lambda: None,
    )


async def test_neither_do_not_disturb_nor_many_calls_are_in_the_way(
    office: Office,
) -> None:
    old = await office.connect("c1")
    for number in range(2, 7):
        await office.dial(f"c{number}")
    await office.ask("presence.set", state="do_not_disturb")
    new = await replace(office, old)
    assert new.did[-1][0] == "answer"


async def test_a_leg_that_is_no_calls_is_unknown(office: Office) -> None:
    await office.connect("c1")
    new = await replace(office, FakeLeg())
    assert new.did == [("reject", 481)]


async def test_a_call_by_an_invite_stays_the_guests(world: World) -> None:
    await join(world, ANA)
    hosts = await rings(world)
    await take(world)
    await settle()
    new = await replace(Office(world), hosts)
    assert new.did == [("reject", 603)]


async def test_the_key_is_the_new_callers() -> None:
    rule = CallerKeyRule(header="X-Key")
    async with signed_in(World(caller_key=rule)) as world:
        office = Office(world)
        old = await office.connect("c1")
        await replace(office, old, key="4711")
        assert office.views["c1"].caller_key == "4711"


async def test_what_the_rep_had_asked_the_old_one_for_is_void(office: Office) -> None:
    old = await office.connect("c1")
    await office.ask("call.transfer", call_id="c1", to="1001")
    await office.agree("c1")
    assert old.did[-1][0] == "transfer"
    new = await replace(office, old)
    office.legs["c1"] = new
    office.answers.clear()
    old.on_event(sip.TransferProgress(200, True))
    await settle()
    view = office.views["c1"]
    assert (view.transfer, view.held_here) == (None, True)
    # Whom it is with now can be handed over as any other.
    await office.ask("call.transfer", call_id="c1", to="1001")
    assert [did[0] for did in new.did if did[0] == "transfer"] == ["transfer"]
    new.on_event(sip.TransferProgress(200, True))
    await settle()
    assert office.world.journal.over[0].reason is EndReason.TRANSFERRED
