"""Calls that the rep makes."""

from __future__ import annotations

import asyncio

import pytest

import sip
from gateway.calls.near_end import REOPEN_PAUSE_S, REOPEN_WITHIN_S
from gateway.media.engine import (
    BrowserConnected,
    BrowserLost,
    DigitReceived,
    EngineLost,
    Leg,
    MediaErrorKind,
)
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import CallState, EndReason, ErrorKind, MediaAction
from tests.gateway.calls.fakes import ROBIN, SAM, FakeLeg, World, settle


async def dial(
    world: World, to: str = "+1 646 555 0175", call_id: str = "c1"
) -> FakeLeg:
    result = await world.service.perform(
        ROBIN,
        "call.create",
        wire.CallCreate(op_id="1", call_id=call_id, to=to, offer="browser offer"),
    )
    assert isinstance(result, wire.CallAnswerResult)
    assert result.answer == "answer to browser offer"
    await settle()
    return world.telephony.legs[-1]


async def connect(world: World) -> FakeLeg:
    leg = await dial(world)
    leg.on_event(sip.Answered(sdp="their answer"))
    await settle()
    assert world.call().state is CallState.ACTIVE
    return leg


async def test_dials_rings_is_answered(world: World) -> None:
    leg = await dial(world)
    assert world.telephony.dialled == [("sip:+16465550175@acme.example", "our offer")]
    leg.on_event(sip.Progress(status=180, sdp=None, dialog_id="a"))
    leg.on_event(sip.Progress(status=180, sdp=None, dialog_id="b"))
    await settle()
    assert world.kinds().count("call.ringing") == 1
    leg.on_event(sip.Answered(sdp="their answer"))
    await settle()
    assert ("accept sip", "their answer") in world.engine.log
    assert world.kinds()[-1] == "call.answered"


async def test_an_attempt_is_kept_before_it_is_made(world: World) -> None:
    world.journal.may_keep.clear()
    dialling = asyncio.create_task(dial(world))
    await settle()
    assert world.journal.flushed == [1]
    assert world.telephony.dialled == []
    world.journal.may_keep.set()
    await dialling
    assert len(world.telephony.dialled) == 1


async def test_a_disk_that_hangs_stops_no_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.calls.call.DIAL_WITHIN_S", 0.01)
    world.journal.may_keep.clear()
    await dial(world)
    assert len(world.telephony.dialled) == 1


async def test_early_media_of_the_first_fork_is_heard(world: World) -> None:
    leg = await dial(world)
    leg.on_event(sip.Progress(status=183, sdp="of a", dialog_id="a"))
    leg.on_event(sip.Progress(status=183, sdp="of b", dialog_id="b"))
    await settle()
    accepted = [more for what, *more in world.engine.log if what == "accept sip"]
    assert accepted == [["of a"]]
    assert world.kinds().count("call.early_media") == 1
    leg.on_event(sip.Answered(sdp="of b, confirmed"))
    await settle()
    assert ("accept sip", "of b, confirmed") in world.engine.log


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (486, EndReason.BUSY),
        (603, EndReason.DECLINED_THERE),
        (404, EndReason.UNKNOWN_NUMBER),
        (408, EndReason.NO_ANSWER),
        (503, EndReason.SERVER_UNAVAILABLE),
    ],
)
async def test_not_answered(world: World, status: int, reason: EndReason) -> None:
    leg = await dial(world)
    leg.on_event(sip.Rejected(status=status))
    await settle()
    (kept,) = world.journal.over
    assert (kept.reason, kept.sip_code) == (reason, status)
    assert kept.answered_at is None
    assert world.engine.open_calls == set()


async def test_a_server_that_says_nothing_is_unavailable(world: World) -> None:
    leg = await dial(world)
    leg.on_event(sip.Rejected(status=408, local=True))
    await settle()
    assert world.journal.over[0].reason is EndReason.SERVER_UNAVAILABLE


async def test_an_answer_without_sdp_ends_the_call(world: World) -> None:
    leg = await dial(world)
    leg.on_event(sip.Answered(sdp=None))
    await settle()
    assert leg.did == [("hangup", None)]
    assert world.journal.over[0].reason is EndReason.NO_COMMON_CODEC


async def test_gives_up_when_nobody_answers(world: World) -> None:
    leg = await dial(world)
    world.clock.advance(90)
    await settle()
    assert leg.did == [("hangup", None)]
    assert world.journal.over[0].reason is EndReason.NO_ANSWER


@pytest.mark.parametrize("answered", [False, True])
async def test_hung_up_here(world: World, answered: bool) -> None:
    leg = await (connect(world) if answered else dial(world))
    await world.service.perform(
        ROBIN, "call.hangup", wire.CallHangup(op_id="2", call_id="c1")
    )
    assert leg.did == [("hangup", None)]
    assert world.journal.over[0].reason is (
        EndReason.HUNG_UP_HERE if answered else EndReason.CANCELLED_HERE
    )


async def test_an_answer_that_cannot_be_used_ends_the_call(world: World) -> None:
    leg = await dial(world)
    world.engine.refuse["accept sip"] = MediaErrorKind.NO_COMMON_CODEC
    leg.on_event(sip.Answered(sdp="video only"))
    await settle()
    assert leg.did == [("hangup", None)]
    assert world.journal.over[0].reason is EndReason.NO_COMMON_CODEC


@pytest.mark.parametrize(
    "to", ["", "sip:%0d%0a@x", "abc\r\nVia: x", "12;phone-context=x", "call me"]
)
async def test_a_bad_number_is_refused_before_anything_happens(
    world: World, to: str
) -> None:
    params = wire.CallCreate.model_construct(
        op_id="1", call_id="c1", to=to, offer="browser offer", record=None
    )
    with pytest.raises(RequestError) as caught:
        await world.service.perform(ROBIN, "call.create", params)
    assert caught.value.kind is ErrorKind.NUMBER_INVALID
    assert world.telephony.dialled == []
    assert world.journal.begun == []


async def test_media_that_fail_are_no_attempt(world: World) -> None:
    world.engine.refuse["open"] = MediaErrorKind.NO_CAPACITY
    with pytest.raises(RequestError) as caught:
        await dial(world)
    assert caught.value.kind is ErrorKind.MEDIA_UNAVAILABLE
    assert world.journal.begun == []
    assert world.service.active_calls == 0


async def test_not_registered_is_said_at_once(world: World) -> None:
    world.telephony.registrations[0].changed(
        sip.RegistrationState(status="failed", problem="wrong_password", sip_code=401)
    )
    assert world.registration.problem is wire.RegistrationProblem.WRONG_PASSWORD
    with pytest.raises(RequestError) as caught:
        await dial(world)
    assert caught.value.kind is ErrorKind.REGISTRAR_DOWN


async def test_call_ids_are_used_once_and_calls_are_limited(world: World) -> None:
    await dial(world, call_id="c1")
    with pytest.raises(RequestError) as caught:
        await dial(world, call_id="c1")
    assert caught.value.kind is ErrorKind.OP_CONFLICT
    for number in range(2, 7):
        await dial(world, call_id=f"c{number}")
    with pytest.raises(RequestError) as caught:
        await dial(world, call_id="c7")
    assert caught.value.kind is ErrorKind.CALL_LIMIT


async def test_reload_renews_media_and_touches_nothing_else(world: World) -> None:
    leg = await connect(world)
    before = list(leg.did)
    result = await world.service.perform(
        ROBIN,
        "call.media",
        wire.CallMedia(
            op_id="2", call_id="c1", offer="new page", generation=2, reason="reload"
        ),
    )
    assert result == wire.CallMediaResult(answer="answer to new page", generation=2)
    assert leg.did == before
    stale = wire.CallMedia(op_id="3", call_id="c1", offer="old page", generation=1)
    with pytest.raises(RequestError):
        await world.service.perform(ROBIN, "call.media", stale)


async def test_a_lost_worker_is_renewed_on_both_sides(world: World) -> None:
    leg = await connect(world)
    world.engine.open_calls.clear()
    world.engine.emit(EngineLost(world.media_id))
    await settle()
    assert world.last("call.media")["action"] is MediaAction.RENEW
    await world.service.perform(
        ROBIN,
        "call.media",
        wire.CallMedia(op_id="2", call_id="c1", offer="again", generation=2),
    )
    assert leg.did == [("reinvite", "our offer")]
    leg.on_event(sip.OfferAnswered(sdp="their new answer"))
    await settle()
    assert ("accept sip", "their new answer") in world.engine.log


async def test_a_call_waits_for_the_replacement_of_a_lost_worker(world: World) -> None:
    leg = await connect(world)
    world.engine.open_calls.clear()
    world.engine.refuse["open"] = MediaErrorKind.NO_CAPACITY
    world.engine.emit(EngineLost(world.media_id))
    await settle()
    world.clock.advance(REOPEN_PAUSE_S)
    await settle()
    assert "call.ended" not in [kind for _, kind, _ in world.events]
    world.engine.refuse.clear()
    world.clock.advance(REOPEN_PAUSE_S)
    await settle()
    assert world.last("call.media")["action"] is MediaAction.RENEW
    assert leg.did == []


async def test_a_call_ends_when_no_worker_comes(world: World) -> None:
    leg = await connect(world)
    world.engine.open_calls.clear()
    world.engine.refuse["open"] = MediaErrorKind.NO_CAPACITY
    world.engine.emit(EngineLost(world.media_id))
    await settle()
    world.clock.advance(REOPEN_WITHIN_S)
    await settle()
    assert world.last("call.ended")["call"].end_reason is EndReason.MEDIA_FAILED
    assert leg.did == [("hangup", None)]


async def test_media_news_reach_the_page(world: World) -> None:
    await connect(world)
    call = world.media_id
    world.engine.emit(BrowserConnected(call, 1))
    world.engine.emit(DigitReceived(call, Leg.SIP, "5"))
    world.engine.emit(DigitReceived(call, Leg.BROWSER, "6"))
    world.engine.emit(BrowserLost(call, 1, "consent"))
    world.engine.emit(BrowserLost(call, 0, "closed"))
    await settle()
    actions = [f["action"] for _, k, f in world.events if k == "call.media"]
    assert actions == [MediaAction.CONNECTED, MediaAction.LOST]
    assert [f["digit"] for _, k, f in world.events if k == "call.dtmf"] == ["5"]


async def test_a_re_invite_is_answered_or_refused(world: World) -> None:
    leg = await connect(world)
    leg.on_event(sip.Offer(sdp="hold"))
    leg.on_event(sip.Offer(sdp=None))
    await settle()
    assert leg.did == [
        ("accept_offer", "answer to hold"),
        ("accept_offer", "our offer"),
    ]
    world.engine.refuse["answer sip"] = MediaErrorKind.NO_COMMON_CODEC
    leg.on_event(sip.Offer(sdp="fax"))
    await settle()
    assert leg.did[-1] == ("reject_offer", 488)
    assert world.call().state is CallState.ACTIVE


@pytest.mark.parametrize("takes_digits", [True, False])
async def test_digits(world: World, takes_digits: bool) -> None:
    leg = await connect(world)
    world.engine.takes_digits = takes_digits
    await world.service.perform(
        ROBIN, "call.dtmf", wire.CallDtmf(op_id="2", call_id="c1", digits="1#a")
    )
    assert ("digits", "1#A") in world.engine.log
    sent = [body for what, *body in leg.did if what == "info"]
    assert len(sent) == (0 if takes_digits else 3)


async def test_signing_out_hangs_up_and_leaves(world: World) -> None:
    leg = await connect(world)
    await world.service.session_closed(ROBIN, signed_out=True)
    assert leg.did == [("hangup", None)]
    assert world.telephony.registrations[0].did == ["start", "stop"]
    assert world.journal.over[0].reason is EndReason.HUNG_UP_HERE


async def test_the_service_ends_for_all_reps_at_once(world: World) -> None:
    """500 reps and a registrar that is away: one time-out, not 500 in a row."""
    await world.service.session_opened(SAM)
    both = asyncio.Barrier(2)
    for registration in world.telephony.registrations:
        registration.at_the_registrar = both.wait
    async with asyncio.timeout(5):
        await world.service.close()
    for registration in world.telephony.registrations:
        assert registration.did == ["start", "stop"]


async def test_a_rep_who_never_comes_back(world: World) -> None:
    leg = await connect(world)
    await world.service.session_closed(ROBIN, signed_out=False)
    what, reason = leg.did[-1]
    assert what == "hangup"
    assert reason.cause == 410
    assert world.journal.over[0].reason is EndReason.CLIENT_LOST


async def test_a_flood_of_one_call_is_dropped_not_its_end(world: World) -> None:
    leg = await dial(world)
    for _ in range(1000):
        leg.on_event(sip.Progress(status=180, sdp=None, dialog_id="a"))
    leg.on_event(sip.RemoteHangup(reasons=()))
    await settle()
    await settle()
    assert world.journal.over[0].reason is EndReason.HUNG_UP_THERE


@pytest.mark.parametrize(
    ("to", "is_internal"),
    [("1001", True), ("+1 646 555 0175", False), ("1002", False)],
)
async def test_a_call_with_a_colleague_is_internal(
    world: World, to: str, is_internal: bool
) -> None:
    leg = await dial(world, to)
    kind = wire.CallType.INTERNAL if is_internal else wire.CallType.EXTERNAL
    assert world.call().type is kind
    leg.on_event(sip.Rejected(status=486, reason_phrase="", local=False))
    await settle()
    [over] = world.journal.over
    assert over.type is kind
