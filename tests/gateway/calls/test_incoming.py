"""A call for the rep: ringing, answering, and everything that gets in between."""

from __future__ import annotations

import asyncio

import pytest

import sip
from gateway.crm.connector import CrmRecord, CrmUnavailable, MatchCertainty
from gateway.media.engine import MediaErrorKind
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import CallState, EndReason, ErrorKind, MatchState
from tests.gateway.calls.fakes import ELSE, ROBIN, FakeLeg, World, settle

ANA = CrmRecord("003A", "Contact", "Ana Ruiz", "https://crm/003A", company="Acme")
BOB = CrmRecord("003B", "Contact", "Bob Roy", "https://crm/003B")


async def ring(world: World, **options: str) -> FakeLeg:
    leg = FakeLeg(world.accounts[ROBIN.key], **options)
    world.service.on_invite(leg)
    await settle()
    return leg


async def answer(
    world: World, call_id: str, offer: str | None = "browser offer"
) -> wire.CallAnswerResult:
    result = await world.service.perform(
        ROBIN,
        "call.answer",
        wire.CallAnswer(op_id="1", call_id=call_id, offer=offer),
    )
    assert isinstance(result, wire.CallAnswerResult)
    return result


async def test_it_rings_shows_who_calls_and_is_kept(world: World) -> None:
    world.connector.records = (ANA,)
    leg = await ring(world)
    assert leg.did == [("ring",)]
    assert world.kinds() == ["call.incoming", "call.updated"]
    call = world.call()
    assert call.state is CallState.RINGING
    assert call.peer.e164 == "+16465550175"
    assert call.peer.display_name == "Ana"
    assert [record.name for record in call.match.records] == ["Ana Ruiz"]
    assert world.journal.begun[0].call_id == call.call_id


async def test_it_is_kept_before_anybody_is_told(world: World) -> None:
    world.journal.may_keep.clear()
    world.connector.records = (ANA,)
    leg = await ring(world)
    assert world.journal.flushed == [1]
    # The search has begun, and its answer waits for its turn.
    assert world.connector.asked == ["+16465550175"]
    assert leg.did == []
    assert world.kinds() == []
    # A page that comes now hears of it by the event alone.
    assert world.service.snapshot(ROBIN).calls == ()
    world.journal.may_keep.set()
    await settle()
    assert leg.did == [("ring",)]
    assert world.kinds() == ["call.incoming", "call.updated"]
    assert world.call().state is CallState.RINGING


async def test_a_disk_that_hangs_delays_the_ringing_a_little(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gateway.calls.call.RING_WITHIN_S", 0.01)
    world.journal.may_keep.clear()
    rang = asyncio.Event()
    leg = FakeLeg(world.accounts[ROBIN.key])
    monkeypatch.setattr(leg, "ring", rang.set)
    world.service.on_invite(leg)
    async with asyncio.timeout(5):
        await rang.wait()
    assert "rings before it is kept" in caplog.text
    assert world.kinds()[0] == "call.incoming"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("SIP;cause=200", EndReason.ANSWERED_ELSEWHERE),
        (None, EndReason.MISSED),
    ],
)
async def test_a_caller_who_gives_up_before_it_is_kept(
    world: World, header: str | None, reason: EndReason
) -> None:
    world.journal.may_keep.clear()
    leg = await ring(world)
    leg.is_ended = True
    reasons = () if header is None else (sip.Reason.parse(header),)
    leg.on_event(sip.Cancelled(reasons=reasons))
    await settle()
    assert world.kinds() == []
    world.journal.may_keep.set()
    await settle()
    assert leg.did == []
    assert "call.incoming" not in world.kinds()
    assert world.last("call.ended")["call"].end_reason is reason
    (kept,) = world.journal.over
    assert kept.reason is reason
    assert world.service.active_calls == 0


async def test_the_time_to_answer_begins_with_the_invite(world: World) -> None:
    world.journal.may_keep.clear()
    leg = await ring(world)
    world.clock.advance(90)
    world.journal.may_keep.set()
    await settle()
    assert leg.did == [("ring",), ("reject", 480)]
    assert world.journal.over[0].reason is EndReason.MISSED


async def test_signing_out_before_it_is_kept(world: World) -> None:
    world.journal.may_keep.clear()
    leg = await ring(world)
    leaving = asyncio.create_task(world.service.session_closed(ROBIN, signed_out=True))
    await settle()
    assert not leaving.done()
    world.journal.may_keep.set()
    await leaving
    assert leg.did[-1] == ("reject", 603)
    assert len(world.journal.over) == 1


@pytest.mark.parametrize(
    ("remote", "name"),
    [
        ('"J\udce4rg" <sip:x@acme.example>', "J\ufffdrg"),
        ('"a\x07b" <sip:+16465550175@acme.example>', "ab"),
        ('"' + "x" * 400 + '" <sip:+16465550175@acme.example>', "x" * 255),
    ],
)
async def test_any_callers_name_can_be_shown(
    world: World, remote: str, name: str
) -> None:
    await ring(world, remote=remote)
    assert world.call().peer.display_name == name


async def test_answer_connects_media_and_sip(world: World) -> None:
    leg = await ring(world)
    call_id = world.call().call_id
    result = await answer(world, call_id)
    assert result.answer == "answer to browser offer"
    assert leg.did[-1] == ("answer", "answer to sip offer")
    assert world.call().state is CallState.ACTIVE
    assert world.kinds()[-1] == "call.answered"
    assert world.journal.taken == [(call_id, 1000.0)]
    world.clock.advance(42)
    leg.on_event(sip.RemoteHangup(reasons=()))
    await settle()
    (kept,) = world.journal.over
    assert kept.reason is EndReason.HUNG_UP_THERE
    assert kept.ended_at is not None
    assert kept.answered_at is not None
    assert kept.ended_at - kept.answered_at == 42
    assert world.kinds()[-1] == "call.ended"


async def test_answer_with_media_offered_while_ringing(world: World) -> None:
    leg = await ring(world)
    call_id = world.call().call_id
    result = await world.service.perform(
        ROBIN,
        "call.media",
        wire.CallMedia(op_id="1", call_id=call_id, offer="early", generation=1),
    )
    assert result == wire.CallMediaResult(answer="answer to early", generation=1)
    assert leg.did == [("ring",)]
    assert (await answer(world, call_id, offer=None)).answer is None
    assert leg.did[-1] == ("answer", "answer to sip offer")


async def test_answer_without_any_media_is_refused_and_it_rings_on(
    world: World,
) -> None:
    await ring(world)
    with pytest.raises(RequestError) as caught:
        await answer(world, world.call().call_id, offer=None)
    assert caught.value.kind is ErrorKind.BAD_REQUEST
    assert world.call().state is CallState.RINGING


async def test_an_offerless_invite_is_answered_with_an_offer(world: World) -> None:
    leg = FakeLeg(world.accounts[ROBIN.key], offer=None)
    world.service.on_invite(leg)
    await settle()
    await answer(world, world.call().call_id)
    assert leg.did[-1] == ("answer", "our offer")
    leg.on_event(sip.Confirmed(sdp="their answer"))
    await settle()
    assert ("accept sip", "their answer") in world.engine.log


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ('SIP;cause=200;text="Call completed elsewhere"', EndReason.ANSWERED_ELSEWHERE),
        ("SIP;cause=603", EndReason.DECLINED_ELSEWHERE),
        (None, EndReason.MISSED),
    ],
)
async def test_cancelled_while_ringing(
    world: World, header: str | None, reason: EndReason
) -> None:
    leg = await ring(world)
    reasons = () if header is None else (sip.Reason.parse(header),)
    leg.on_event(sip.Cancelled(reasons=reasons))
    await settle()
    assert world.journal.over[0].reason is reason
    assert world.last("call.ended")["call"].end_reason is reason
    assert leg.did == [("ring",)]


@pytest.mark.parametrize(("said", "status"), [("declined", 603), ("busy", 486)])
async def test_declined_here(world: World, said: str, status: int) -> None:
    leg = await ring(world)
    await world.service.perform(
        ROBIN,
        "call.reject",
        wire.CallReject(op_id="1", call_id=world.call().call_id, reason=said),
    )
    assert leg.did[-1] == ("reject", status)
    assert world.journal.over[0].reason is EndReason.DECLINED_HERE


async def test_an_answer_that_crosses_a_cancel_is_no_talk(world: World) -> None:
    leg = await ring(world)
    leg.is_ended = True
    with pytest.raises(RequestError) as caught:
        await answer(world, world.call().call_id)
    assert caught.value.kind is ErrorKind.CALL_WRONG_STATE
    leg.on_event(sip.Cancelled(reasons=(sip.Reason.parse("SIP;cause=200"),)))
    await settle()
    (kept,) = world.journal.over
    assert kept.reason is EndReason.ANSWERED_ELSEWHERE
    assert kept.answered_at is None


async def test_a_call_nobody_takes_stops_ringing_as_missed(world: World) -> None:
    leg = await ring(world)
    world.clock.advance(90)
    await settle()
    assert leg.did[-1] == ("reject", 480)
    assert world.journal.over[0].reason is EndReason.MISSED


async def test_no_common_codec_is_488_and_says_so(world: World) -> None:
    world.engine.refuse["answer sip"] = MediaErrorKind.NO_COMMON_CODEC
    leg = await ring(world)
    with pytest.raises(RequestError) as caught:
        await answer(world, world.call().call_id)
    assert caught.value.kind is ErrorKind.CODEC_NONE
    assert leg.did[-1] == ("reject", 488)
    assert world.journal.over[0].reason is EndReason.NO_COMMON_CODEC


async def test_the_far_codec_is_asked_of_the_browser(world: World) -> None:
    world.engine.renegotiate = True
    await ring(world)
    await answer(world, world.call().call_id)
    fields = world.last("call.media")
    assert fields["action"] is wire.MediaAction.RENEGOTIATE
    assert fields["generation"] == 1


async def test_calls_wait_and_one_too_many_is_busy_for_us_only(world: World) -> None:
    first = await ring(world)
    await answer(world, world.call().call_id)
    waiting = [await ring(world) for _ in range(5)]
    assert [leg.did for leg in waiting] == [[("ring",)]] * 5
    assert ("reinvite",) not in [did[:1] for did in first.did]
    assert (await ring(world)).did == [("reject", 486)]
    assert world.service.active_calls == 6


async def test_nobody_signed_in_is_unavailable(world: World) -> None:
    leg = FakeLeg(world.accounts[ELSE.key])
    world.service.on_invite(leg)
    assert leg.did == [("reject", 480)]


async def test_rings_on_for_a_page_that_reloads(world: World) -> None:
    world.service.session_detached(ROBIN)
    leg = await ring(world)
    world.clock.advance(9)
    world.service.session_attached(ROBIN)
    world.clock.advance(2)
    await settle()
    assert world.call().state is CallState.RINGING
    assert leg.did == [("ring",)]


async def test_rings_no_longer_when_nobody_comes_back(world: World) -> None:
    world.service.session_detached(ROBIN)
    leg = await ring(world)
    world.clock.advance(10)
    await settle()
    assert leg.did[-1] == ("reject", 480)
    assert world.journal.over[0].reason is EndReason.MISSED


async def test_a_slow_crm_delays_nothing(world: World) -> None:
    world.connector.may_answer.clear()
    leg = await ring(world)
    assert world.call().match.state is MatchState.SEARCHING
    await answer(world, world.call().call_id)
    assert leg.did[-1][0] == "answer"
    leg.on_event(sip.RemoteHangup(reasons=()))
    await settle()
    assert world.journal.unmatched == [True]
    world.connector.records = (ANA,)
    world.connector.may_answer.set()
    await settle()
    assert world.last("call.updated")["call"].match.state is MatchState.FOUND


async def test_a_crm_that_fails_leaves_the_match_open(world: World) -> None:
    world.connector.error = CrmUnavailable("down")
    leg = await ring(world)
    assert world.call().match.state is MatchState.FAILED
    leg.on_event(sip.Cancelled(reasons=()))
    await settle()
    assert world.journal.unmatched == [True]
    assert world.journal.over[0].record is None


async def test_several_matches_are_never_guessed(world: World) -> None:
    world.connector.records = (ANA, BOB)
    leg = await ring(world)
    leg.on_event(sip.Cancelled(reasons=()))
    await settle()
    assert world.journal.over[0].record is None
    assert world.journal.unmatched == [False]


async def test_a_possible_match_is_shown_but_not_logged(world: World) -> None:
    world.connector.records = (
        CrmRecord("003A", "Contact", "Ana", "", certainty=MatchCertainty.POSSIBLE),
    )
    leg = await ring(world)
    leg.on_event(sip.Cancelled(reasons=()))
    await settle()
    assert world.journal.over[0].record is None


async def test_the_chosen_match_is_the_one(world: World) -> None:
    world.connector.records = (ANA, BOB)
    leg = await ring(world)
    call_id = world.call().call_id
    await world.service.perform(
        ROBIN,
        "call.choose_record",
        wire.CallChooseRecord(op_id="1", call_id=call_id, record_id="003B"),
    )
    leg.on_event(sip.Cancelled(reasons=()))
    await settle()
    kept = world.journal.over[0].record
    assert kept is not None
    assert kept.id == "003B"


async def test_a_record_chosen_after_the_end_moves_the_activity(world: World) -> None:
    world.connector.records = (ANA, BOB)
    leg = await ring(world)
    call_id = world.call().call_id
    leg.on_event(sip.Cancelled(reasons=()))
    await settle()
    choose = wire.CallChooseRecord(op_id="1", call_id=call_id, record_id="003A")
    await world.service.perform(ROBIN, "call.choose_record", choose)
    assert [(c, r.id) for c, r in world.journal.renamed] == [(call_id, "003A")]
    stranger = choose.model_copy(update={"record_id": "003Z"})
    with pytest.raises(RequestError):
        await world.service.perform(ROBIN, "call.choose_record", stranger)


async def test_a_contact_created_for_the_call_is_its_match(world: World) -> None:
    leg = await ring(world)
    call_id = world.call().call_id
    assert world.call().match.state is MatchState.NONE
    result = await world.service.perform(
        ROBIN,
        "contact.create",
        wire.ContactCreate(
            op_id="1", last_name="Ruiz", phone="+16465550175", call_id=call_id
        ),
    )
    assert isinstance(result, wire.ContactCreateResult)
    assert world.call().match.records == (result.record,)
    leg.on_event(sip.Cancelled(reasons=()))
    await settle()
    kept = world.journal.over[0].record
    assert kept is not None
    assert kept.id == "003NEW"


async def test_what_breaks_one_call_leaves_the_others(world: World) -> None:
    broken = await ring(world)
    call_id = world.call().call_id
    whole = await ring(world)
    await world.service.perform(
        ROBIN,
        "call.media",
        wire.CallMedia(op_id="1", call_id=call_id, offer="early", generation=1),
    )
    # The engine fails in a way that nobody foresaw, at the very end of the call.
    world.engine.open_calls.clear()
    broken.on_event(sip.Cancelled(reasons=()))
    await settle()
    call = world.call()
    assert (await answer(world, call.call_id)).call.state is CallState.ACTIVE
    assert whole.did[-1][0] == "answer"


async def test_hang_up_that_crosses_a_cancel_ends_once(world: World) -> None:
    leg = await ring(world)
    call_id = world.call().call_id
    leg.on_event(sip.Cancelled(reasons=()))
    hang_up = world.service.perform(
        ROBIN, "call.hangup", wire.CallHangup(op_id="1", call_id=call_id)
    )
    with pytest.raises(RequestError) as caught:
        await asyncio.wait_for(hang_up, 2)
    assert caught.value.kind is ErrorKind.CALL_WRONG_STATE
    assert len(world.journal.over) == 1
    assert world.kinds().count("call.ended") == 1
