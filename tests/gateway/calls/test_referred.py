"""The far end transfers the rep: its REFER is followed within the call."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import sip
from gateway.activities.composer import compose
from gateway.calls.referrals import TransfersFromOutside
from gateway.crm.connector import CrmRecord
from gateway.media.engine import MediaErrorKind
from gateway.sessions.wire import CallState, CallType, EndReason, MatchState, Peer
from sip.sdp import Direction
from tests.gateway.calls.descriptions import audio_of, browser, phone
from tests.gateway.calls.fakes import ROBIN, FakeLeg, World, settle, signed_in
from tests.gateway.calls.office import Office

CAROL = "sip:+12025550143@acme.example"
BEN = sip.NameAddr.parse('"Ben" <sip:1004@acme.example>')
REPLACES = sip.Replaces("them@acme", "to", "from")
ANSWER = phone(audio=Direction.SENDRECV)
SEND = Direction.SENDONLY
ANA_RUIZ = CrmRecord("003A", "Contact", "Ana Ruiz", "https://crm/003A")
CAROL_LEE = CrmRecord("003C", "Contact", "Carol Lee", "https://crm/003C")


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with signed_in(World(transfers=TransfersFromOutside.ALLOW)) as world:
        yield Office(world)


async def refer(
    office: Office, target: str = CAROL, replaces: sip.Replaces | None = None
) -> FakeLeg | None:
    """The far end of the call wants us to call somebody; gives the leg, if we do."""
    known = len(office.world.telephony.legs)
    office.legs["c1"].on_event(
        sip.TransferRequested(sip.Uri.parse(target), replaces, BEN)
    )
    await settle()
    legs: list[FakeLeg] = office.world.telephony.legs[known:]
    return legs[0] if legs else None


async def referred(office: Office) -> FakeLeg:
    leg = await refer(office)
    assert leg is not None
    return leg


async def tell(leg: FakeLeg, *events: sip.CallEvent) -> None:
    for event in events:
        leg.on_event(event)
    await settle()


def reports(leg: FakeLeg) -> list[int]:
    return [did[1] for did in leg.did if did[0] == "report_transfer"]


async def test_the_call_goes_on_with_the_new_party(office: Office) -> None:
    world = office.world
    world.connector.records = (ANA_RUIZ,)
    old = await office.connect("c1")
    opened = list(world.engine.opened)
    world.connector.records = (CAROL_LEE,)
    new = await refer(office, replaces=REPLACES)
    assert new is not None
    assert old.did[-1] == ("accept_transfer",)
    assert world.telephony.dialled[-1][0] == CAROL
    assert world.telephony.referred[-1] == (REPLACES, BEN)
    assert world.telephony.dialled_by[-1] is world.accounts[ROBIN.key]
    await tell(new, sip.Progress(100, None), sip.Progress(180, None))
    assert office.views["c1"].peer.number == "+16465550175"
    await tell(new, sip.Answered(ANSWER))
    assert reports(old) == [180, 200]

    (view,) = office.views.values()
    assert (view.call_id, view.state) == ("c1", CallState.ACTIVE)
    assert view.peer.number == "+12025550143"
    assert view.transferred_by is not None
    assert view.transferred_by.number == "+16465550175"
    assert view.transferred_by.display_name == "Ana Ruiz"
    assert [each.id for each in view.match.records] == ["003C"]
    assert world.engine.opened == opened
    assert world.engine.log[-1] == ("accept sip", ANSWER)

    # The rep's hold goes to whom they talk with.
    office.legs["c1"] = new
    await office.ask("call.hold", call_id="c1")
    assert office.directions("c1") == [SEND]
    await office.agree("c1")
    # The old one says good-bye, as it should, and that is no end.
    await tell(old, sip.RemoteHangup())
    assert office.views["c1"].held_here
    await tell(new, sip.RemoteHangup())
    (record,) = world.journal.over
    assert [party.number for party in record.earlier] == ["+16465550175"]
    assert record.number == "+12025550143"
    assert world.journal.passed[0].earlier == record.earlier
    (written,) = world.journal.written
    assert written.subject == ("Call to Carol Lee (transferred by Ana Ruiz), answered")
    assert "Was first with: Ana Ruiz ((646) 555-0175)" in written.description
    assert (written.who_id, written.contact_ids) == ("003C", ("003A",))


async def test_the_old_party_is_hung_up_when_it_does_not(office: Office) -> None:
    old = await office.connect("c1")
    new = await referred(office)
    await tell(new, sip.Answered(ANSWER))
    await tell(old, sip.Offer(phone()), sip.TransferRequested(sip.Uri.parse(CAROL)))
    assert old.did[-2:] == [("reject_offer", 488), ("refuse_transfer", 603)]
    office.world.clock.advance(4)
    assert old.did[-1] == ("hangup", None)
    await tell(old, sip.LocalEnd())
    assert "c1" in office.views


@pytest.mark.parametrize("status", [486, 404, 603])
async def test_a_failure_is_reported_and_the_rep_stays(
    office: Office, status: int
) -> None:
    old = await office.connect("c1")
    new = await referred(office)
    await tell(new, sip.Rejected(status))
    assert reports(old) == [status]
    view = office.views["c1"]
    assert (view.peer.number, view.transferred_by) == ("+16465550175", None)
    # As before: the far end may hold, and ask again.
    await office.offer("c1", SEND)
    assert office.views["c1"].held_there
    again = await referred(office)
    await tell(again, sip.Answered(None))
    assert again.did[-1] == ("hangup", None)
    assert reports(old) == [status, 400]


async def test_nobody_rings_for_ever(office: Office) -> None:
    old = await office.connect("c1")
    new = await referred(office)
    office.world.clock.advance(90)
    await settle()
    assert new.did == [("hangup", None)]
    assert reports(old) == [408]
    await tell(new, sip.Answered(ANSWER))
    assert office.views["c1"].transferred_by is None


async def test_an_answer_that_cannot_be_used(office: Office) -> None:
    old = await office.connect("c1")
    new = await referred(office)
    office.world.engine.refuse["accept sip"] = MediaErrorKind.NO_COMMON_CODEC
    await tell(new, sip.Answered(ANSWER))
    assert new.did == [("hangup", None)]
    assert reports(old) == [488]
    assert office.views["c1"].peer.number == "+16465550175"


async def test_who_transfers_blind_may_leave_at_once(office: Office) -> None:
    old = await office.connect("c1")
    new = await referred(office)
    await tell(old, sip.RemoteHangup())
    view = office.views["c1"]
    assert (view.state, view.held_there) == (CallState.ACTIVE, True)
    # Nobody is there to hear the rep, and it can wait like any other call.
    assert office.engine_holds("c1")
    await office.connect("c2")
    assert office.held == {"c1"}
    await office.ask("call.retrieve", call_id="c1")
    await tell(new, sip.Answered(ANSWER))
    office.legs["c1"] = new
    view = office.views["c1"]
    assert (view.held_here, view.held_there) == (False, False)
    assert view.peer.number == "+12025550143"
    assert not office.engine_holds("c1")
    assert old.did[-1] == ("accept_transfer",)


async def test_who_has_left_is_not_called_back(office: Office) -> None:
    old = await office.connect("c1")
    new = await referred(office)
    await tell(old, sip.RemoteHangup())
    await tell(new, sip.Rejected(486))
    assert office.world.journal.over[0].reason is EndReason.HUNG_UP_THERE
    assert office.views == {}


async def test_the_rep_hangs_up_meanwhile(office: Office) -> None:
    old = await office.connect("c1")
    new = await referred(office)
    await office.ask("call.hangup", call_id="c1")
    assert new.did == [("hangup", None)]
    assert old.did[-1] == ("hangup", None)
    await tell(new, sip.LocalEnd())


async def test_what_the_rep_holds_is_held_for_the_next(office: Office) -> None:
    await office.connect("c1")
    await office.ask("call.hold", call_id="c1")
    await office.agree("c1")
    new = await referred(office)
    assert audio_of(office.world.telephony.dialled[-1][1]) is SEND
    await tell(new, sip.Answered(phone(audio=Direction.RECVONLY)))
    office.legs["c1"] = new
    assert office.held == {"c1"}
    await tell_goodbye(office)
    await office.ask("call.retrieve", call_id="c1")
    assert office.directions("c1") == [Direction.SENDRECV]


async def tell_goodbye(office: Office) -> None:
    """The first of all legs ends, as it was told."""
    await tell(office.world.telephony.legs[0], sip.RemoteHangup())


async def test_hold_while_it_rings_is_told_to_whom_it_concerns(office: Office) -> None:
    old = await office.connect("c1")
    new = await referred(office)
    await office.ask("call.hold", call_id="c1")
    assert office.directions("c1") == [SEND]
    await tell(old, sip.OfferAnswered(phone(audio=Direction.RECVONLY)))
    await tell(new, sip.Answered(ANSWER))
    office.legs["c1"] = new
    assert office.directions("c1") == [SEND]
    await tell_goodbye(office)


async def test_a_worker_that_is_lost_meanwhile(office: Office) -> None:
    old = await office.connect("c1")
    new = await referred(office)
    office.world.engine.lose(office.media("c1"))
    await settle()
    await tell(new, sip.Answered(ANSWER))
    assert new.did == [("hangup", None)]
    assert reports(old) == [500]
    await office.ask("call.media", call_id="c1", offer=browser(version=2), generation=2)
    assert len(office.offers("c1")) == 1


# What is refused --------------------------------------------------------------------


@pytest.mark.parametrize(
    "policy", [TransfersFromOutside.REFUSE, TransfersFromOutside.COLLEAGUES]
)
async def test_a_stranger_is_refused(policy: TransfersFromOutside) -> None:
    async with signed_in(World(transfers=policy)) as world:
        office = Office(world)
        old = await office.connect("c1")
        assert await refer(office) is None
        assert old.did[-1] == ("refuse_transfer", 603)
        assert "c1" in office.views
        assert world.service.referral_counters.refused == 1


async def test_a_colleague_may() -> None:
    async with signed_in(World(transfers=TransfersFromOutside.COLLEAGUES)) as world:
        office = Office(world)
        leg = FakeLeg(world.accounts[ROBIN.key], remote='"Sam" <sip:1001@acme.example>')
        world.service.on_invite(leg)
        await settle()
        (call_id,) = office.views
        office.legs["c1"] = leg
        await office.ask("call.answer", call_id=call_id, offer=browser())
        assert office.views[call_id].type is CallType.INTERNAL
        new = await referred(office)
        await tell(new, sip.Answered(ANSWER))
        assert office.views[call_id].type is CallType.EXTERNAL
        # Whom they handed it to may not hand it on.
        office.legs["c1"] = new
        assert await refer(office, "sip:1001@acme.example") is None
        assert new.did[-1] == ("refuse_transfer", 603)
        await tell(leg, sip.RemoteHangup())


async def test_one_at_a_time_and_few_in_a_minute(office: Office) -> None:
    old = await office.connect("c1")
    assert await refer(office, "sip:1001@evil.example") is None
    assert old.did[-1] == ("refuse_transfer", 403)
    for _ in range(4):
        new = await referred(office)
        assert await refer(office) is None
        assert old.did[-1] == ("refuse_transfer", 491)
        await tell(new, sip.Rejected(486))
    assert await refer(office) is None
    assert old.did[-1] == ("refuse_transfer", 480)
    assert office.world.service.referral_counters.limited == 1
    office.world.clock.advance(15)
    await referred(office)


async def test_another_call_of_the_user_has_to_wait(office: Office) -> None:
    await office.connect("c1")
    await referred(office)
    second = await office.connect("c2")
    await tell(second, sip.TransferRequested(sip.Uri.parse(CAROL)))
    assert second.did[-1] == ("refuse_transfer", 480)


async def test_without_a_registration_nobody_is_called(office: Office) -> None:
    old = await office.connect("c1")
    failed = sip.RegistrationState(status="failed", problem="unreachable")
    office.world.telephony.registrations[0].changed(failed)
    assert await refer(office) is None
    assert old.did[-1] == ("refuse_transfer", 480)


# What the server says of the far end ------------------------------------------------


async def test_another_identity_is_another_party(office: Office) -> None:
    world = office.world
    leg = await office.connect("c1")
    carol = sip.NameAddr.parse(f'"Carol" <{CAROL}>')
    await tell(leg, sip.PeerIdentified(carol))
    view = office.views["c1"]
    assert view.peer == Peer(
        number="+12025550143",
        national="(202) 555-0143",
        e164="+12025550143",
        display_name="Carol",
    )
    assert view.transferred_by is not None
    assert world.connector.asked == ["+16465550175", "+12025550143"]
    said = len(world.events)
    await tell(leg, sip.PeerIdentified(carol))
    assert len(world.events) == said


@pytest.mark.parametrize(
    "identity",
    [
        "<sip:6465550175@192.0.2.1>",
        "<sip:16465550175@acme.example>",
        "<sip:anonymous@anonymous.invalid>",
        # A server that is confused says that the rep is the other party.
        "<sip:1000@acme.example>",
    ],
)
async def test_the_same_party_or_nobody(office: Office, identity: str) -> None:
    leg = await office.connect("c1")
    await tell(leg, sip.PeerIdentified(sip.NameAddr.parse(identity)))
    view = office.views["c1"]
    assert (view.peer.number, view.transferred_by) == ("+16465550175", None)
    await tell(leg, sip.PeerIdentified(sip.NameAddr.parse(f'"Ana R." {identity}')))
    known = identity.startswith(("<sip:6", "<sip:16"))
    assert office.views["c1"].peer.display_name == ("Ana R." if known else "")


async def test_a_match_that_comes_too_late_is_nobodys(office: Office) -> None:
    world = office.world
    world.connector.records = (ANA_RUIZ,)
    world.connector.may_answer.clear()
    leg = await office.connect("c1")
    call = office.call("c1")
    first = call.peer
    await tell(leg, sip.PeerIdentified(sip.NameAddr.parse("<sip:1001@acme.example>")))
    world.connector.may_answer.set()
    await settle()
    view = office.views["c1"]
    assert (view.match.state, view.type) == (MatchState.NONE, CallType.INTERNAL)
    assert view.transferred_by == first
    await office.hang_up("c1")
    # Who it was is not known, so the activity is matched by whom it is with.
    activity = compose(world.journal.over[0], ROBIN)
    assert activity is not None
    assert activity.who_id == ""


async def test_who_it_was_first_is_kept(office: Office) -> None:
    leg = await office.connect("c1")
    for number in range(2000, 2012):
        other = sip.NameAddr.parse(f"<sip:{number}@acme.example>")
        await tell(leg, sip.PeerIdentified(other))
    await office.hang_up("c1")
    numbers = [party.number for party in office.world.journal.over[0].earlier]
    assert numbers == ["+16465550175", *map(str, range(2004, 2011))]


async def test_both_sides_want_to_hand_the_other_on(office: Office) -> None:
    """The rep was first; and then the rep was second."""
    old = await office.connect("c1")
    await office.ask("call.transfer", call_id="c1", to="1001")
    await office.agree("c1")
    assert await refer(office) is None
    assert old.did[-1] == ("refuse_transfer", 491)
    await tell(old, sip.TransferProgress(486, True))
    new = await referred(office)
    await office.ask("call.transfer", call_id="c1", to="1001")
    await tell(new, sip.Answered(phone(audio=Direction.RECVONLY)))
    office.legs["c1"] = new
    view = office.views["c1"]
    assert (view.peer.number, view.transfer) == ("+12025550143", None)
    await tell_goodbye(office)
    assert office.held == {"c1"}
