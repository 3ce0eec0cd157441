"""Transfer as a rep asks for it: REFER, and calls that the gateway joins."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

import sip
from gateway.media.engine import DigitReceived, Leg, MediaErrorKind
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import CallType, EndReason, ErrorKind, TransferState
from sip.sdp import Direction
from tests.gateway.calls.descriptions import audio_of, phone
from tests.gateway.calls.fakes import ROBIN, FakeLeg, World, settle
from tests.gateway.calls.guests import answer as take
from tests.gateway.calls.guests import join as guest_joins
from tests.gateway.calls.guests import rings
from tests.gateway.calls.office import Office

TRYING, RINGING = TransferState.TRYING, TransferState.RINGING
ASKED, FAILED = TransferState.ASKED, TransferState.FAILED
TARGET = "sip:1004@acme.example"
BOTH, SEND = Direction.SENDRECV, Direction.SENDONLY


@dataclass
class Desk(Office):
    """An office in which calls are transferred."""

    told: list[TransferState | None] = field(default_factory=list)

    async def up(self, *call_ids: str) -> None:
        for call_id in call_ids:
            await self.connect(call_id)
        await self.agree_all()

    async def blind(self, call_id: str = "c1", to: str = "1004") -> None:
        """Asked, and the far end knows that it is on hold."""
        await self.ask("call.transfer", call_id=call_id, to=to)
        await self.agree_all()

    async def attended(self, call_id: str = "c1", to_call: str = "c2") -> None:
        await self.ask("call.transfer", call_id=call_id, to_call=to_call)
        await self.agree_all()

    async def says(self, call_id: str, event: sip.CallEvent) -> None:
        self.legs[call_id].on_event(event)
        await settle()

    async def reports(self, status: int | None, call_id: str = "c1") -> None:
        is_final = status is None or status >= 200
        await self.says(call_id, sip.TransferProgress(status, is_final))

    async def refuses(self, status: int = 405, call_id: str = "c1") -> FakeLeg:
        """REFER; gives the leg to the target, if one was called."""
        await self.says(call_id, sip.TransferRefused(status))
        return self.world.telephony.legs[-1]

    def refers(self, call_id: str = "c1") -> list[tuple[object, ...]]:
        return [did[1:] for did in self.legs[call_id].did if did[0] == "transfer"]

    def state(self, call_id: str = "c1") -> TransferState | None:
        view = self.views[call_id].transfer
        return None if view is None else view.state

    @property
    def reasons(self) -> dict[str, EndReason | None]:
        return {each.call_id: each.reason for each in self.world.journal.over}

    @property
    def notes(self) -> dict[str, str]:
        """What the activities say of the transfer."""
        return {
            each.key.removeprefix("call:"): line
            for each in self.world.journal.written
            for line in each.description.splitlines()
            if "ransferred" in line
        }

    @property
    def joined(self) -> int:
        return self.world.service.joined_calls

    def has_left(self, leg: FakeLeg) -> bool:
        return ("hangup", None) in leg.did

    def offers_of(self, leg: FakeLeg) -> list[str]:
        return [did[1] for did in leg.did if did[0] == "reinvite"]

    async def close(self) -> None:
        """Nothing is left behind."""
        for call_id in self.views:
            await self.ask("call.hangup", call_id=call_id)


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


async def refused(desk: Desk, **params: object) -> ErrorKind:
    with pytest.raises(RequestError) as caught:
        await desk.ask("call.transfer", **params)
    return caught.value.kind


# By REFER ---------------------------------------------------------------------------


async def test_blind(desk: Desk) -> None:
    await desk.up("c1")
    result = await desk.ask("call.transfer", call_id="c1", to="1004")
    assert isinstance(result, wire.CallResult)
    assert result.call.held_here
    assert result.call.transfer is not None
    assert result.call.transfer.to.number == "1004"
    # Not before the far end knows that it is on hold.
    assert (desk.refers(), desk.state()) == ([], ASKED)
    await desk.agree("c1")
    assert desk.directions("c1") == [SEND]
    assert desk.refers() == [(TARGET,)]
    for status, state in ((100, TRYING), (180, RINGING)):
        await desk.reports(status)
        assert desk.state() is state
        assert desk.world.last("call.updated")["call"].transfer.state is state
    await desk.reports(200)
    assert desk.has_left(desk.legs["c1"])
    assert desk.reasons == {"c1": EndReason.TRANSFERRED}
    assert desk.notes == {"c1": "Transferred to 1004."}
    assert desk.world.last("call.ended")["call"].transfer is None


async def test_a_held_call_is_referred_at_once(desk: Desk) -> None:
    await desk.up("c1")
    await desk.ask("call.hold", call_id="c1")
    await desk.agree("c1")
    await desk.ask("call.transfer", call_id="c1", to="1004")
    assert desk.refers() == [(TARGET,)]


@pytest.mark.parametrize("status", [488, 491, 500])
async def test_who_will_not_be_held_is_referred_all_the_same(
    desk: Desk, status: int
) -> None:
    await desk.up("c1")
    await desk.ask("call.transfer", call_id="c1", to="1004")
    await desk.refuse("c1", status)
    await desk.agree_all()
    assert desk.refers() == [(TARGET,)]


async def test_a_target_that_declines_leaves_the_call_on_hold(desk: Desk) -> None:
    await desk.up("c1")
    await desk.blind()
    await desk.reports(180)
    await desk.reports(486)
    view = desk.views["c1"]
    assert view.held_here
    assert view.transfer is not None
    assert (view.transfer.state, view.transfer.sip_code) == (FAILED, 486)
    await desk.ask("call.retrieve", call_id="c1")
    await desk.agree("c1")
    assert (desk.state(), desk.held) == (None, set())
    # And once more, to somebody else.
    await desk.blind(to="1005")
    assert len(desk.refers()) == 2


async def test_taken_back_while_it_rings(desk: Desk) -> None:
    await desk.up("c1")
    await desk.blind()
    await desk.reports(180)
    await desk.ask("call.retrieve", call_id="c1")
    await desk.agree("c1")
    assert (desk.state(), desk.held) == (None, set())
    assert desk.directions("c1") == [SEND, BOTH]
    # What becomes of it then is the far end's affair.
    await desk.reports(200)
    assert desk.views["c1"].transfer is None
    await desk.hang_up("c1")
    assert desk.reasons == {"c1": EndReason.HUNG_UP_THERE}
    assert desk.notes == {}


async def test_taken_back_before_it_was_asked(desk: Desk) -> None:
    await desk.up("c1")
    await desk.ask("call.transfer", call_id="c1", to="1004")
    await desk.ask("call.retrieve", call_id="c1")
    await desk.agree_all()
    assert (desk.refers(), desk.state(), desk.held) == ([], None, set())


async def test_a_far_end_that_says_nothing_more(desk: Desk) -> None:
    await desk.up("c1")
    await desk.blind()
    await desk.reports(100)
    await desk.reports(None)
    assert desk.state() is FAILED
    assert desk.held == {"c1"}
    # It has got through after all.
    await desk.hang_up("c1")
    assert desk.reasons == {"c1": EndReason.TRANSFERRED}
    assert desk.notes == {"c1": "Transferred to 1004."}


async def test_the_far_end_gives_up_while_it_rings(desk: Desk) -> None:
    await desk.up("c1")
    await desk.blind()
    await desk.reports(180)
    await desk.hang_up("c1")
    assert desk.reasons == {"c1": EndReason.HUNG_UP_THERE}
    assert desk.notes == {}


async def test_the_rep_hangs_up_while_it_goes(desk: Desk) -> None:
    await desk.up("c1")
    await desk.blind()
    await desk.ask("call.hangup", call_id="c1")
    await desk.reports(200)
    assert desk.reasons == {"c1": EndReason.HUNG_UP_HERE}
    assert len(desk.world.journal.written) == 1


async def test_several_at_once(desk: Desk) -> None:
    await desk.up("c1", "c2")
    await desk.blind("c1", "1004")
    await desk.blind("c2", "1005")
    assert await refused(desk, call_id="c1", to="1006") is ErrorKind.CALL_WRONG_STATE
    await desk.reports(200, "c2")
    assert desk.state("c1") is ASKED
    await desk.reports(603, "c1")
    assert (desk.state("c1"), set(desk.views)) == (FAILED, {"c1"})


# Attended ---------------------------------------------------------------------------


async def consult(desk: Desk) -> None:
    await desk.connect("c1")
    await desk.ask(
        "call.create",
        call_id="c2",
        to="1004",
        offer=phone(),
        consults_for="c1",
    )
    desk.legs["c2"] = desk.world.telephony.legs[-1]
    await desk.answered("c2")
    await desk.agree_all()
    assert desk.held == {"c1"}


async def test_attended(desk: Desk) -> None:
    await consult(desk)
    assert desk.views["c2"].type is CallType.CONSULT
    assert desk.views["c2"].consults_for == "c1"
    await desk.attended()
    replaces = desk.legs["c2"].as_replaces
    assert desk.refers() == [(TARGET, replaces)]
    view = desk.views["c1"].transfer
    assert view is not None
    assert view.to == desk.views["c2"].peer
    await desk.reports(100)
    # Its new call has taken the place of ours.
    await desk.hang_up("c2")
    await desk.reports(200)
    assert desk.reasons == dict.fromkeys(("c1", "c2"), EndReason.TRANSFERRED)
    assert desk.notes == {
        "c1": "Transferred to 1004.",
        "c2": "Transferred to (646) 555-0175.",
    }
    assert len(desk.world.journal.written) == 2


async def test_attended_to_a_phone_that_does_not_hang_up(desk: Desk) -> None:
    await consult(desk)
    await desk.attended()
    await desk.reports(200)
    assert desk.has_left(desk.legs["c2"])
    assert desk.reasons == dict.fromkeys(("c1", "c2"), EndReason.TRANSFERRED)


async def test_attended_to_a_caller(desk: Desk) -> None:
    await desk.up("c1")
    call_id = await desk.ring()
    await desk.ask("call.answer", call_id=call_id, offer=phone())
    await desk.agree_all()
    await desk.attended("c1", call_id)
    target = f"sip:{desk.legs[call_id].remote.uri.user}@acme.example"
    assert desk.refers() == [(target, desk.legs[call_id].as_replaces)]


async def test_a_partner_who_leaves_before_the_far_end_agrees_has_hung_up(
    desk: Desk,
) -> None:
    await consult(desk)
    await desk.attended()
    await desk.hang_up("c2")
    assert desk.reasons == {"c2": EndReason.HUNG_UP_THERE}
    await desk.reports(481)
    # Nobody is there whom it could be joined with.
    assert desk.state() is FAILED
    assert desk.held == {"c1"}
    assert desk.joined == 0


async def test_a_declined_attended_transfer_leaves_both(desk: Desk) -> None:
    await consult(desk)
    await desk.attended()
    await desk.reports(603)
    assert set(desk.views) == {"c1", "c2"}
    assert desk.state("c1") is FAILED
    await desk.ask("call.retrieve", call_id="c1")
    await desk.agree_all()
    assert desk.held == {"c2"}


# Joined here -----------------------------------------------------------------------


@pytest.mark.parametrize("status", [405, 408, 420, 488, 501, 603])
async def test_refused_the_gateway_calls_the_target(desk: Desk, status: int) -> None:
    await desk.up("c1")
    await desk.blind()
    leg = await desk.refuses(status)
    assert desk.world.telephony.dialled[-1][0] == TARGET
    engine, media = desk.world.engine, desk.media("c1")
    target = engine.opened[-1]
    assert engine.beside[target] == engine.beside[media]
    assert ("drop browser", target) in engine.log
    assert desk.state() is TRYING
    leg.on_event(sip.Progress(180, None))
    await settle()
    # Who waits hears music until then.
    assert (desk.state(), engine.held[media]) == (RINGING, True)
    assert desk.joined == 0

    leg.on_event(sip.Answered(sdp=phone()))
    await settle()
    assert desk.reasons == {"c1": EndReason.TRANSFERRED}
    assert desk.notes == {"c1": "Transferred to 1004."}
    assert engine.heard == {media: {target}, target: {media}}
    assert not engine.held[media]
    assert ("drop browser", media) in engine.log
    first = desk.legs["c1"]
    assert audio_of(first.did[-1][1]) is BOTH
    assert not desk.has_left(first)
    assert (desk.joined, desk.world.service.active_calls) == (1, 1)

    # They end with each other, and nothing is left.
    leg.on_event(sip.RemoteHangup())
    await settle()
    assert desk.has_left(first)
    assert engine.open_calls == set()
    assert desk.joined == 0
    assert desk.world.clock.waiting == 0


async def join(desk: Desk) -> tuple[FakeLeg, FakeLeg]:
    """Two far ends without a rep: the call's, and the target's."""
    await desk.up("c1")
    await desk.blind()
    leg = await desk.refuses()
    leg.on_event(sip.Answered(sdp=phone()))
    await settle()
    first = desk.legs["c1"]
    first.on_event(sip.OfferAnswered(sdp=phone()))
    await settle()
    assert desk.joined == 1
    return first, leg


async def test_joined_far_ends_outlive_the_reps_session(desk: Desk) -> None:
    first, target = await join(desk)
    await desk.world.service.session_closed(ROBIN, signed_out=True)
    await settle()
    assert desk.joined == 1
    first.on_event(sip.RemoteHangup())
    await settle()
    assert desk.has_left(target)
    assert desk.world.engine.open_calls == set()


async def test_what_a_far_end_wants_is_answered(desk: Desk) -> None:
    first, target = await join(desk)
    first.on_event(sip.Offer(sdp=phone(audio=SEND)))
    first.on_event(sip.TransferRequested(sip.Uri.parse("sip:1@x")))
    await settle()
    kinds = [did[0] for did in first.did]
    assert "accept_offer" in kinds
    assert target.did == []


async def test_digits_reach_the_other(desk: Desk) -> None:
    first, target = await join(desk)
    media = desk.world.engine.opened[0]
    desk.world.engine.emit(DigitReceived(media, Leg.SIP, "5"))
    await settle()
    assert desk.world.engine.log[-1] == ("digits", "5")
    desk.world.engine.takes_digits = False
    desk.world.engine.emit(DigitReceived(media, Leg.SIP, "6"))
    await settle()
    assert target.did[-1][0] == "info"
    assert all(did[0] != "info" for did in first.did)


async def test_a_lost_worker_is_replaced(desk: Desk) -> None:
    first, target = await join(desk)
    engine = desk.world.engine
    media = engine.opened[:2]
    offers = [len(leg.did) for leg in (first, target)]
    engine.log.clear()
    engine.lose(*media)
    await settle()
    assert engine.open_calls == set(media)
    assert [each for each in engine.log if each[0] == "drop browser"] == [
        ("drop browser", each) for each in media
    ]
    assert engine.heard == {media[0]: {media[1]}, media[1]: {media[0]}}
    for leg, before in zip((first, target), offers, strict=True):
        assert [did[0] for did in leg.did[before:]] == ["reinvite"]
    assert desk.joined == 1


async def test_without_another_worker_both_are_hung_up(desk: Desk) -> None:
    first, target = await join(desk)
    engine = desk.world.engine
    engine.refuse["open"] = MediaErrorKind.NO_CAPACITY
    engine.lose(*engine.opened[:2])
    await settle()
    assert desk.joined == 1
    for _ in range(60):
        desk.world.clock.advance(0.25)
        await settle()
    assert desk.joined == 0
    assert desk.has_left(first)
    assert desk.has_left(target)
    assert desk.world.clock.waiting == 0


async def test_who_has_fallen_silent_is_asked(desk: Desk) -> None:
    first, target = await join(desk)
    before = len(target.did)
    for _ in range(2):
        desk.world.clock.advance(61)
        await settle()
    assert [did[0] for did in target.did[before:]] == ["reinvite"]
    target.on_event(sip.OfferFailed(status=481))
    target.on_event(sip.Failed(sip.FailureCause.DIALOG_LOST))
    await settle()
    assert desk.has_left(first)
    assert desk.joined == 0


async def test_one_that_will_not_be_taken_back_is_asked_again(desk: Desk) -> None:
    await desk.up("c1")
    await desk.blind()
    target = await desk.refuses()
    target.on_event(sip.Answered(sdp=phone()))
    await settle()
    first = desk.legs["c1"]
    before = len(desk.offers_of(first))
    for _ in range(3):
        first.on_event(sip.OfferFailed(status=500))
        await settle()
        desk.world.clock.advance(2.5)
        await settle()
    assert len(desk.offers_of(first)) == before + 2
    assert desk.joined == 0
    assert desk.has_left(target)


async def test_the_end_of_the_service_is_the_end_of_all(desk: Desk) -> None:
    first, target = await join(desk)
    await desk.world.service.close()
    assert desk.has_left(first)
    assert desk.has_left(target)
    assert desk.world.engine.open_calls == set()


@pytest.mark.parametrize("status", [486, 404, 603])
async def test_the_target_declines_the_gateway(desk: Desk, status: int) -> None:
    await desk.up("c1")
    await desk.blind()
    leg = await desk.refuses()
    leg.on_event(sip.Rejected(status))
    await settle()
    view = desk.views["c1"].transfer
    assert view is not None
    assert (view.state, view.sip_code) == (FAILED, status)
    assert desk.held == {"c1"}
    assert len(desk.world.engine.open_calls) == 1
    await desk.close()
    assert desk.world.clock.waiting == 0


async def test_nobody_answers_the_gateway(desk: Desk) -> None:
    await desk.up("c1")
    await desk.blind()
    leg = await desk.refuses()
    desk.world.clock.advance(91)
    await settle()
    assert desk.has_left(leg)
    assert desk.state() is FAILED
    assert len(desk.world.engine.open_calls) == 1


@pytest.mark.parametrize("how", ["taken back", "hung up here", "hung up there"])
async def test_the_target_is_not_called_for_nobody(desk: Desk, how: str) -> None:
    await desk.up("c1")
    await desk.blind()
    leg = await desk.refuses()
    if how == "taken back":
        await desk.ask("call.retrieve", call_id="c1")
    elif how == "hung up here":
        await desk.ask("call.hangup", call_id="c1")
    else:
        await desk.hang_up("c1")
    assert desk.has_left(leg)
    # It was faster than our CANCEL.
    leg.on_event(sip.Answered(sdp=phone()))
    await settle()
    assert desk.joined == 0
    await desk.close()
    assert desk.world.engine.open_calls == set()
    assert desk.world.clock.waiting == 0


async def test_answer_and_taking_back_meet(desk: Desk) -> None:
    await desk.up("c1")
    await desk.blind()
    leg = await desk.refuses()
    leg.on_event(sip.Answered(sdp=phone()))
    try:
        await desk.ask("call.retrieve", call_id="c1")
    except RequestError:
        assert desk.joined == 1
    else:
        assert desk.has_left(leg)
        assert (desk.joined, desk.held) == (0, set())
    await settle()


async def test_answer_and_end_meet(desk: Desk) -> None:
    await desk.up("c1")
    await desk.blind()
    leg = await desk.refuses()
    leg.on_event(sip.Answered(sdp=phone()))
    leg.on_event(sip.RemoteHangup())
    await settle()
    assert desk.joined == 0
    if "c1" in desk.views:
        assert desk.state() is FAILED
    else:
        assert desk.has_left(desk.legs["c1"])
    await desk.close()
    assert desk.world.engine.open_calls == set()


async def test_attended_refused_joins_the_two(desk: Desk) -> None:
    await consult(desk)
    await desk.attended()
    engine = desk.world.engine
    media = [desk.media("c1"), desk.media("c2")]
    await desk.refuses(501)
    assert desk.reasons == dict.fromkeys(("c1", "c2"), EndReason.TRANSFERRED)
    assert desk.notes == {
        "c1": "Transferred to 1004.",
        "c2": "Transferred to (646) 555-0175.",
    }
    assert len(desk.world.telephony.legs) == 2
    assert engine.heard == {media[0]: {media[1]}, media[1]: {media[0]}}
    assert engine.held[media[0]] is False
    assert desk.joined == 1
    assert desk.views == {}
    await desk.hang_up("c1")
    assert desk.has_left(desk.legs["c2"])
    assert engine.open_calls == set()


async def test_a_route_that_is_not_there_is_mended(desk: Desk) -> None:
    await consult(desk)
    await desk.attended()
    await desk.reports(180)
    await desk.reports(404)
    assert desk.joined == 1


@pytest.mark.parametrize("what", ["hear", "offer sip", "open"])
async def test_an_engine_that_fails_leaves_the_call(desk: Desk, what: str) -> None:
    await desk.up("c1")
    await desk.blind()
    desk.world.engine.refuse[what] = MediaErrorKind.NO_CAPACITY
    leg = await desk.refuses()
    if what == "hear":
        leg.on_event(sip.Answered(sdp=phone()))
        await settle()
        assert desk.has_left(leg)
    desk.world.engine.refuse.clear()
    assert (desk.state(), desk.joined) == (FAILED, 0)
    await desk.ask("call.retrieve", call_id="c1")
    await desk.agree_all()
    assert desk.hears("c1") == set()
    await desk.close()
    assert desk.world.engine.open_calls == set()


async def test_joined_calls_are_counted_against_the_rep(desk: Desk) -> None:
    for number in range(desk.world.services.limits.max_joined_per_user):
        await desk.up(f"c{number}")
        await desk.blind(f"c{number}")
        leg = await desk.refuses(call_id=f"c{number}")
        leg.on_event(sip.Answered(sdp=phone()))
        await settle()
    await desk.up("more")
    await desk.blind("more")
    await desk.refuses(call_id="more")
    assert desk.state("more") is FAILED


async def test_a_refer_that_cannot_be_sent_is_joined(desk: Desk) -> None:
    await desk.up("c1")
    desk.legs["c1"].is_referring = True
    await desk.blind()
    assert desk.state() is TRYING
    assert desk.world.telephony.dialled[-1][0] == TARGET


async def test_without_a_registrar_nobody_is_called(desk: Desk) -> None:
    await desk.up("c1")
    await desk.blind()
    registration = desk.world.telephony.registrations[0]
    registration.changed(sip.RegistrationState(status="failed"))
    await desk.refuses()
    assert desk.state() is FAILED
    assert len(desk.world.telephony.legs) == 1


# Who may ---------------------------------------------------------------------------


async def test_what_is_asked_for_must_make_sense(desk: Desk) -> None:
    await desk.up("c1", "c2")
    bad = ErrorKind.BAD_REQUEST
    assert await refused(desk, call_id="c1") is bad
    assert await refused(desk, call_id="c1", to="1004", to_call="c2") is bad
    assert await refused(desk, call_id="c1", to_call="c1") is bad
    assert await refused(desk, call_id="c1", to_call="?") is ErrorKind.CALL_UNKNOWN
    assert await refused(desk, call_id="c1", to="sip:") is ErrorKind.NUMBER_INVALID
    await desk.dial("c3")
    wrong = ErrorKind.CALL_WRONG_STATE
    assert await refused(desk, call_id="c3", to="1004") is wrong
    assert await refused(desk, call_id="c1", to_call="c3") is wrong
    assert all(view.transfer is None for view in desk.views.values())
    assert desk.refers("c1") == []


async def test_not_out_of_a_conference(desk: Desk) -> None:
    await desk.up("c1", "c2", "c3")
    await desk.ask("call.merge", call_ids=["c1", "c2"])
    wrong = ErrorKind.CALL_WRONG_STATE
    assert await refused(desk, call_id="c1", to="1004") is wrong
    assert await refused(desk, call_id="c3", to_call="c1") is wrong


async def test_not_into_a_conference_while_it_goes(desk: Desk) -> None:
    await consult(desk)
    await desk.up("c3")
    await desk.attended()
    for call_id in ("c1", "c2"):
        with pytest.raises(RequestError):
            await desk.ask("call.merge", call_ids=[call_id, "c3"])
    assert await refused(desk, call_id="c2", to="1009") is ErrorKind.CALL_WRONG_STATE
    assert await refused(desk, call_id="c3", to_call="c2") is (
        ErrorKind.CALL_WRONG_STATE
    )


async def test_not_a_call_by_an_invite(world: World) -> None:
    desk = Desk(world)
    await guest_joins(world)
    await rings(world)
    await take(world)
    await settle()
    call_id = world.call(ROBIN).call_id
    assert await refused(desk, call_id=call_id, to="1004") is (
        ErrorKind.CALL_WRONG_STATE
    )
