"""Several calls of one rep: hold, who may talk, conferences."""

from __future__ import annotations

import pytest

import sip
from gateway.media.engine import MediaErrorKind
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import CallState, CallType, EndReason, ErrorKind
from sip.sdp import Direction
from tests.gateway.calls.descriptions import audio_of, browser, phone, version_of
from tests.gateway.calls.fakes import ANA, BEN, ROBIN, SAM, FakeLeg, World, settle
from tests.gateway.calls.guests import again, join, let_in, rings
from tests.gateway.calls.guests import answer as take
from tests.gateway.calls.office import Office

BOTH, SEND, TAKE = Direction.SENDRECV, Direction.SENDONLY, Direction.RECVONLY
NOTHING = Direction.INACTIVE


@pytest.fixture
def office(world: World) -> Office:
    return Office(world)


async def refused(office: Office, method: str, **params: object) -> ErrorKind:
    with pytest.raises(RequestError) as caught:
        await office.ask(method, **params)
    return caught.value.kind


# Hold -------------------------------------------------------------------------------


async def test_hold_parts_first_and_then_tells_the_far_end(office: Office) -> None:
    leg = await office.connect("c1")
    done: list[str] = []
    leg.reinvite = lambda sdp: done.append(  # type: ignore[method-assign]
        f"reinvite, held {office.engine_holds('c1')}"
    )
    result = await office.ask("call.hold", call_id="c1")
    assert isinstance(result, wire.CallResult)
    assert result.call.held_here
    assert result.call.state is CallState.ACTIVE
    assert done == ["reinvite, held True"]


async def test_hold_and_retrieve_on_the_wire(office: Office) -> None:
    await office.connect("c1")
    await office.ask("call.hold", call_id="c1")
    await office.agree("c1")
    await office.ask("call.hold", call_id="c1")
    await office.ask("call.retrieve", call_id="c1")
    await office.agree("c1")
    assert office.directions("c1") == [SEND, BOTH]
    first, second = map(version_of, office.offers("c1"))
    assert second == first + 1
    assert office.held == set()
    assert not office.engine_holds("c1")


@pytest.mark.parametrize("status", [488, 500, 403])
async def test_a_refused_hold_is_one_all_the_same(office: Office, status: int) -> None:
    await office.connect("c1")
    await office.ask("call.hold", call_id="c1")
    await office.refuse("c1", status)
    assert office.held == {"c1"}
    assert office.engine_holds("c1")
    assert office.directions("c1") == [SEND]
    await office.ask("call.retrieve", call_id="c1")
    await office.agree("c1")
    assert office.held == set()


async def test_a_refused_retrieval_is_shown_as_hold(office: Office) -> None:
    await office.connect("c1")
    await office.ask("call.hold", call_id="c1")
    await office.agree("c1")
    await office.ask("call.retrieve", call_id="c1")
    await office.refuse("c1", 500)
    assert office.held == {"c1"}
    assert office.engine_holds("c1")
    assert office.world.last("call.updated")["call"].held_here
    assert office.directions("c1") == [SEND, BOTH]
    await office.ask("call.retrieve", call_id="c1")
    assert office.directions("c1") == [SEND, BOTH, BOTH]


async def test_glare_tells_it_anew_or_in_our_answer(office: Office) -> None:
    leg = await office.connect("c1")
    await office.ask("call.hold", call_id="c1")
    # Their own offer came first: our answer to it says that we hold.
    leg.on_event(sip.Offer(sdp=phone(version=2)))
    leg.on_event(sip.OfferFailed(status=491))
    await settle()
    (answer,) = [did[1] for did in leg.did if did[0] == "accept_offer"]
    assert audio_of(answer) is SEND
    assert office.directions("c1") == [SEND]
    await office.ask("call.retrieve", call_id="c1")
    leg.on_event(sip.OfferFailed(status=491))
    await settle()
    assert office.directions("c1") == [SEND, BOTH, BOTH]
    assert office.held == set()


async def test_hold_while_an_offer_is_open_waits_for_its_outcome(
    office: Office,
) -> None:
    await office.connect("c1")
    await office.ask("call.hold", call_id="c1")
    await office.ask("call.retrieve", call_id="c1")
    assert office.directions("c1") == [SEND]
    await office.agree("c1")
    assert office.directions("c1") == [SEND, BOTH]


async def test_the_far_ends_own_offers_while_held(office: Office) -> None:
    leg = await office.connect("c1")
    await office.ask("call.hold", call_id="c1")
    await office.agree("c1")
    for theirs, ours in ((BOTH, SEND), (SEND, NOTHING), (TAKE, SEND)):
        leg.on_event(sip.Offer(sdp=phone(audio=theirs, version=3)))
        await settle()
        kind, sdp = leg.did[-1]
        assert kind == "accept_offer"
        assert audio_of(sdp) is ours
    # One that asks for ours is offered what we want.
    leg.on_event(sip.Offer(sdp=None))
    await settle()
    assert audio_of(leg.did[-1][1]) is SEND


async def test_what_the_far_end_does_is_shown(office: Office) -> None:
    leg = await office.connect("c1")
    leg.on_event(sip.Offer(sdp=phone(audio=SEND)))
    await settle()
    assert office.world.last("call.updated")["call"].held_there
    leg.on_event(sip.Offer(sdp=phone(audio=BOTH)))
    await settle()
    assert not office.views["c1"].held_there
    # Both hold; then only they do, as their answer says.
    await office.ask("call.hold", call_id="c1")
    await office.agree("c1", NOTHING)
    view = office.views["c1"]
    assert (view.held_here, view.held_there) == (True, True)
    await office.ask("call.retrieve", call_id="c1")
    await office.agree("c1", SEND)
    view = office.views["c1"]
    assert (view.held_here, view.held_there) == (False, True)


async def test_hold_survives_a_reload(office: Office) -> None:
    await office.connect("c1")
    await office.ask("call.hold", call_id="c1")
    await office.agree("c1")
    await office.ask("call.media", call_id="c1", offer=browser(version=2), generation=2)
    assert office.engine_holds("c1")
    assert office.held == {"c1"}
    assert office.directions("c1") == [SEND]


async def test_hold_and_mix_are_said_again_to_the_next_worker(office: Office) -> None:
    for call_id in ("c1", "c2", "c3"):
        await office.connect(call_id)
        await office.agree_all()
    await office.ask("call.merge", call_ids=["c1", "c2"])
    await office.agree_all()
    assert office.held == {"c3"}
    office.world.engine.lose(*[office.media(call_id) for call_id in office.views])
    await settle()
    # Before any browser has offered anew.
    assert office.engine_holds("c3")
    assert not office.engine_holds("c1")
    assert office.hears("c1") == {"c2"}
    assert office.hears("c2") == {"c1"}
    for call_id in office.views:
        offer = browser(version=2)
        await office.ask("call.media", call_id=call_id, offer=offer, generation=2)
    assert office.directions("c3")[-1] is SEND
    assert office.directions("c1")[-1] is BOTH


async def test_calls_of_one_user_share_a_worker(office: Office) -> None:
    await office.world.service.session_opened(SAM)
    await office.connect("c1")
    await office.dial("c2")
    create = wire.CallCreate(op_id="1", call_id="s1", to="1000", offer=browser())
    await office.world.service.perform(SAM, "call.create", create)
    beside = list(office.world.engine.beside.values())
    assert beside == ["acme/robin", "acme/robin", "acme/sam"]


async def test_only_what_is_up_can_be_held(office: Office) -> None:
    await office.dial("c1")
    assert await refused(office, "call.hold", call_id="c1") is (
        ErrorKind.CALL_WRONG_STATE
    )
    ringing = await office.ring()
    for method in ("call.hold", "call.retrieve"):
        kind = await refused(office, method, call_id=ringing)
        assert kind is ErrorKind.CALL_WRONG_STATE
    assert await refused(office, "call.hold", call_id="none") is ErrorKind.CALL_UNKNOWN
    assert office.held == set()


async def test_what_the_engine_refuses_is_no_hold(office: Office) -> None:
    await office.connect("c1")
    office.world.engine.refuse["hold True"] = MediaErrorKind.UNKNOWN_CALL
    await refused(office, "call.hold", call_id="c1")
    assert office.held == set()
    assert office.offers("c1") == []


# Who may talk -----------------------------------------------------------------------


async def test_to_dial_to_answer_and_to_retrieve_hold_the_others(
    office: Office,
) -> None:
    await office.connect("c1")
    await office.connect("c2")
    assert office.held == {"c1"}
    third = await office.ring()
    assert office.held == {"c1"}
    await office.ask("call.answer", call_id=third, offer=browser())
    assert office.held == {"c1", "c2"}
    await office.ask("call.retrieve", call_id="c1")
    assert office.held == {"c2", third}
    assert office.engine_holds("c2")
    assert not office.engine_holds("c1")


async def test_one_that_is_answered_too_late_waits(office: Office) -> None:
    await office.dial("c1")
    ringing = await office.ring()
    await office.ask("call.answer", call_id=ringing, offer=browser())
    assert office.held == {"c1"}
    assert office.offers("c1") == []
    await office.answered("c1")
    assert office.held == {"c1"}
    assert office.directions("c1") == [SEND]
    assert office.engine_holds("c1")


async def test_what_cannot_be_done_holds_nobody(office: Office) -> None:
    await office.connect("c1")
    create = {"call_id": "c2", "to": "not a number", "offer": browser()}
    kind = await refused(office, "call.create", **create)
    assert kind is ErrorKind.NUMBER_INVALID
    kind = await refused(office, "call.create", **{**create, "consults_for": "c9"})
    assert kind in (ErrorKind.CALL_UNKNOWN, ErrorKind.NUMBER_INVALID)
    ringing = await office.ring()
    assert await refused(office, "call.answer", call_id=ringing) is (
        ErrorKind.BAD_REQUEST
    )
    assert office.held == set()


async def test_the_end_of_the_one_that_talks_retrieves_nobody(office: Office) -> None:
    await office.connect("c1")
    await office.connect("c2")
    await office.hang_up("c2")
    assert office.held == {"c1"}
    await office.ask("call.retrieve", call_id="c1")
    assert office.held == set()


async def test_a_consultation_says_about_which_call_it_is(office: Office) -> None:
    await office.connect("c1")
    await office.connect("c2", consults_for="c1")
    view = office.views["c2"]
    assert (view.type, view.consults_for) == (CallType.CONSULT, "c1")
    assert office.call("c2").record().type is CallType.CONSULT
    kind = await refused(
        office,
        "call.create",
        call_id="c3",
        to="1001",
        offer=browser(),
        consults_for="c9",
    )
    assert kind is ErrorKind.CALL_UNKNOWN


# Conferences ------------------------------------------------------------------------


async def three(office: Office) -> None:
    for call_id in ("c1", "c2", "c3"):
        await office.connect(call_id)
        await office.agree_all()


async def test_merged_calls_hear_each_other_and_the_rep(office: Office) -> None:
    await three(office)
    result = await office.ask("call.merge", call_ids=["c1", "c2"])
    await office.agree_all()
    assert isinstance(result, wire.CallResult)
    conference = result.call.conference
    assert conference
    assert office.views["c2"].conference == conference
    assert office.held == {"c3"}
    assert office.hears("c1") == {"c2"}
    assert office.hears("c2") == {"c1"}
    assert office.hears("c3") == set()
    assert office.directions("c1")[-1] is BOTH
    # One comes to it.
    await office.ask("call.merge", call_ids=["c3", "c1"])
    await office.agree_all()
    assert {view.conference for view in office.views.values()} == {conference}
    assert office.held == set()
    assert office.hears("c3") == {"c1", "c2"}


async def test_hold_in_a_conference_parts_the_rep_alone(office: Office) -> None:
    await three(office)
    await office.ask("call.merge", call_ids=["c1", "c2", "c3"])
    await office.agree_all()
    before = [len(office.offers(call_id)) for call_id in office.views]
    await office.ask("call.hold", call_id="c2")
    assert office.held == {"c1", "c2", "c3"}
    assert all(office.engine_holds(call_id) for call_id in office.views)
    assert office.hears("c1") == {"c2", "c3"}
    # Nobody is told: they go on.
    assert [len(office.offers(call_id)) for call_id in office.views] == before
    await office.ask("call.retrieve", call_id="c3")
    assert office.held == set()
    assert [len(office.offers(call_id)) for call_id in office.views] == before


async def test_a_split_call_waits_and_the_others_go_on(office: Office) -> None:
    await three(office)
    await office.ask("call.merge", call_ids=["c1", "c2", "c3"])
    await office.agree_all()
    result = await office.ask("call.split", call_id="c2")
    assert isinstance(result, wire.CallResult)
    assert result.call.conference == ""
    assert office.held == {"c2"}
    assert office.hears("c2") == set()
    assert office.hears("c1") == {"c3"}
    assert office.directions("c2")[-1] is SEND
    await office.agree_all()
    # Then the last but one: what is left is an ordinary call that talks.
    await office.ask("call.split", call_id="c1")
    assert {view.conference for view in office.views.values()} == {""}
    assert office.held == {"c1", "c2"}
    assert office.hears("c3") == set()
    assert await refused(office, "call.split", call_id="c3") is (
        ErrorKind.CALL_WRONG_STATE
    )


async def test_the_end_of_a_call_drops_one(office: Office) -> None:
    await three(office)
    await office.ask("call.merge", call_ids=["c1", "c2", "c3"])
    await office.agree_all()
    await office.ask("call.hangup", call_id="c1")
    assert office.hears("c2") == {"c3"}
    await office.hang_up("c2")
    assert office.views["c3"].conference == ""
    assert office.hears("c3") == set()
    assert office.held == set()
    # The floor is the last one's: another takes it.
    await office.connect("c4")
    assert office.held == {"c3"}


async def test_the_last_of_a_held_conference_is_told_that_it_is_held(
    office: Office,
) -> None:
    await three(office)
    await office.ask("call.merge", call_ids=["c1", "c2"])
    await office.agree_all()
    await office.ask("call.retrieve", call_id="c3")
    assert office.held == {"c1", "c2"}
    assert office.directions("c1")[-1] is BOTH
    await office.hang_up("c2")
    assert office.directions("c1")[-1] is SEND
    assert office.held == {"c1"}


async def test_one_that_will_not_talk_again_leaves_the_conference(
    office: Office,
) -> None:
    await three(office)
    await office.ask("call.merge", call_ids=["c1", "c2", "c3"])
    await office.refuse("c1", 500)
    await office.agree("c2")
    assert office.held == {"c1"}
    assert office.views["c1"].conference == ""
    assert office.hears("c2") == {"c3"}


@pytest.mark.parametrize("what", ["hear", "hold False"])
async def test_a_conference_that_cannot_be_mixed_is_none(
    office: Office, what: str
) -> None:
    await three(office)
    office.world.engine.refuse[what] = MediaErrorKind.WRONG_STATE
    kind = await refused(office, "call.merge", call_ids=["c1", "c3"])
    assert kind is ErrorKind.CALL_WRONG_STATE
    assert {view.conference for view in office.views.values()} == {""}
    office.world.engine.refuse.clear()
    await office.agree_all()
    assert "c1" in office.held
    await office.ask("call.merge", call_ids=["c1", "c3"])
    assert office.hears("c1") == {"c3"}


async def test_what_is_not_answered_or_alone_cannot_be_merged(office: Office) -> None:
    await office.connect("c1")
    ringing = await office.ring()
    merges = {
        (ringing, "c1"): ErrorKind.CALL_WRONG_STATE,
        ("c1", "none"): ErrorKind.CALL_UNKNOWN,
        ("c1", "c1"): ErrorKind.BAD_REQUEST,
    }
    for call_ids, expected in merges.items():
        kind = await refused(office, "call.merge", call_ids=list(call_ids))
        assert kind is expected
    assert office.held == set()


# Do not disturb ---------------------------------------------------------------------


async def test_do_not_disturb_refuses_here_and_is_kept(office: Office) -> None:
    world = office.world
    await office.ask("presence.set", state="do_not_disturb")
    assert world.kinds() == ["presence.changed"]
    assert world.service.snapshot(ROBIN).presence is wire.PresenceState.DO_NOT_DISTURB
    assert world.service.phone_state(ROBIN.key) is wire.EntryState.BUSY
    with pytest.raises(ValueError, match="unpack"):
        await office.ring()
    (record,) = world.journal.over
    assert record.reason is EndReason.DO_NOT_DISTURB
    assert world.journal.begun[0].call_id == record.call_id
    assert "call.incoming" not in world.kinds()
    assert world.last("call.ended")["call"].end_reason is EndReason.DO_NOT_DISTURB
    await office.ask("presence.set", state="available")
    assert await office.ring() in office.views


async def test_it_refuses_at_once_with_480(office: Office) -> None:
    await office.ask("presence.set", state="do_not_disturb")
    world = office.world
    world.journal.may_keep.clear()
    leg = FakeLeg(world.accounts[ROBIN.key])
    world.service.on_invite(leg)
    assert leg.did == [("reject", 480)]
    world.journal.may_keep.set()
    await settle()


async def test_it_outlasts_the_session_and_is_nobody_elses(office: Office) -> None:
    service = office.world.service
    await office.ask("presence.set", state="do_not_disturb")
    await service.session_closed(ROBIN, signed_out=True)
    await service.session_opened(ROBIN)
    await service.session_opened(SAM)
    assert service.snapshot(ROBIN).presence is wire.PresenceState.DO_NOT_DISTURB
    assert service.snapshot(SAM).presence is wire.PresenceState.AVAILABLE


# Meetings ---------------------------------------------------------------------------


@pytest.fixture
async def meeting(world: World) -> str:
    """Robin is in a meeting with one guest; gives the id of the call."""
    leader = await join(world, ANA)
    hosts = await rings(world)
    await take(world)
    await settle()
    leader.on_event(sip.Answered(sdp=phone(BOTH)))
    await settle()
    assert hosts.did[-1][0] == "answer"
    return world.call(ROBIN).call_id


async def test_a_guest_alone_can_wait_but_is_in_no_conference(
    world: World, meeting: str
) -> None:
    office = Office(world)
    await office.ask("call.hold", call_id=meeting)
    assert office.held == {meeting}
    await office.ask("call.retrieve", call_id=meeting)
    await office.connect("c1")
    assert office.held == {meeting}
    kind = await refused(office, "call.merge", call_ids=["c1", meeting])
    assert kind is ErrorKind.CALL_WRONG_STATE


async def test_a_meeting_with_further_guests_cannot_wait(
    world: World, meeting: str
) -> None:
    office = Office(world)
    await world.service.session_opened(BEN)
    let_in(world, BEN)
    await again(world, BEN, call_id="g2")
    assert world.call(ROBIN).participants
    log = list(world.engine.log)
    calls = {
        "call.hold": {"call_id": meeting},
        "call.merge": {"call_ids": [meeting, "g2"]},
        "call.create": {"call_id": "c1", "to": "1001", "offer": browser()},
    }
    ringing = await office.ring()
    calls["call.answer"] = {"call_id": ringing, "offer": browser()}
    kinds = [await refused(office, name, **params) for name, params in calls.items()]
    assert kinds == [
        ErrorKind.CALL_WRONG_STATE,
        ErrorKind.CALL_UNKNOWN,
        ErrorKind.CALL_WRONG_STATE,
        ErrorKind.CALL_WRONG_STATE,
    ]
    # Nothing has changed: the guests are heard, the other call rings on.
    assert office.views[ringing].state is CallState.RINGING
    assert [each for each in world.engine.log if each not in log] == []


async def test_a_guests_own_side_is_never_held(world: World, meeting: str) -> None:
    for method in ("call.hold", "call.retrieve", "call.split"):
        params = wire.METHODS[method][0].model_validate({"op_id": "1", "call_id": "g1"})
        with pytest.raises(RequestError) as caught:
            await world.service.perform(ANA, method, params)
        assert caught.value.kind is ErrorKind.POLICY_DENIED
    assert world.engine.beside[world.engine.opened[0]] == ""
