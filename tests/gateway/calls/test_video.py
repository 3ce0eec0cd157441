"""Video in calls: offered, taken, raised, lowered, refused, and how it is told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sip
from gateway.calls.video import CallVideo, offers_video
from gateway.media.engine import (
    EngineLost,
    KeyframeWanted,
    Leg,
    MediaErrorKind,
    Negotiated,
)
from gateway.sessions import wire
from gateway.sessions.wire import (
    CallState,
    MediaAction,
    MediaReason,
    VideoState,
    VideoView,
)
from sip.sdp import Direction
from tests.gateway.calls.descriptions import (
    BOTH,
    SEND,
    TAKE,
    browser,
    phone,
    version_of,
    video_of,
)
from tests.gateway.calls.fakes import ROBIN, FakeLeg, World, settle

ACTIVE = VideoView(state=VideoState.ACTIVE, sends=True, receives=True)
OFFERED = VideoView(state=VideoState.OFFERED)
NONE = VideoView()
MEDIA_CONTROL = "application/media_control+xml"


async def ring(world: World, offer: str | None) -> FakeLeg:
    # Of nobody whom the CRM could know: each update is about video.
    remote = "<sip:x@acme.example>"
    leg = FakeLeg(world.accounts[ROBIN.key], offer=offer, remote=remote)
    world.service.on_invite(leg)
    await settle()
    return leg


async def answer(world: World, offer: str) -> str:
    result = await world.service.perform(
        ROBIN,
        "call.answer",
        wire.CallAnswer(op_id="1", call_id=world.call().call_id, offer=offer),
    )
    assert isinstance(result, wire.CallAnswerResult)
    assert result.answer is not None
    return result.answer


async def connect(world: World, video: Direction | None = None) -> FakeLeg:
    """An outgoing call that stands, with or without video on both sides."""
    await world.service.perform(
        ROBIN,
        "call.create",
        wire.CallCreate(op_id="1", call_id="c1", to="1001", offer=browser(video)),
    )
    leg = world.telephony.legs[-1]
    leg.on_event(sip.Answered(sdp=phone(video)))
    await settle()
    assert world.call().state is CallState.ACTIVE
    return leg


async def media(
    world: World,
    video: Direction | None,
    *,
    generation: int = 1,
    reason: MediaReason = MediaReason.RENEGOTIATE,
) -> str:
    """The browser offers anew."""
    result = await world.service.perform(
        ROBIN,
        "call.media",
        wire.CallMedia(
            op_id="2",
            call_id=world.call().call_id,
            offer=browser(video, version=2),
            generation=generation,
            reason=reason,
        ),
    )
    assert isinstance(result, wire.CallMediaResult)
    return result.answer


def told(leg: FakeLeg) -> list[Direction | None]:
    """The video of each re-INVITE that was sent."""
    return [video_of(more[0]) for what, *more in leg.did if what == "reinvite"]


def updates(world: World) -> list[VideoState]:
    return [f["call"].video.state for _, k, f in world.events if k == "call.updated"]


# Incoming -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offer", "shown"),
    [
        (phone(BOTH), OFFERED),
        (phone(SEND), OFFERED),
        (phone(Direction.INACTIVE), NONE),
        (phone(BOTH, port=0), NONE),
        (phone(), NONE),
        ("nonsense", NONE),
        (None, NONE),
    ],
)
async def test_an_invite_with_video_says_so_while_it_rings(
    world: World, offer: str | None, shown: VideoView
) -> None:
    await ring(world, offer)
    assert world.last("call.incoming")["call"].video == shown
    assert world.call().video == shown


async def test_media_offered_early_answers_no_question(world: World) -> None:
    await ring(world, phone(BOTH))
    await media(world, None, reason=MediaReason.INITIAL)
    assert world.call().video == OFFERED
    assert updates(world) == []


async def test_answered_with_video(world: World) -> None:
    leg = await ring(world, phone(BOTH))
    assert video_of(await answer(world, browser(BOTH))) is BOTH
    assert video_of(leg.did[-1][1]) is BOTH
    assert world.last("call.answered")["call"].video == ACTIVE
    assert updates(world) == []


async def test_answered_with_sound_the_offer_of_video_stands(world: World) -> None:
    leg = await ring(world, phone(BOTH))
    await answer(world, browser())
    assert video_of(leg.did[-1][1]) is None
    assert world.call().video == OFFERED
    await media(world, BOTH)
    assert told(leg) == [BOTH]
    leg.on_event(sip.OfferAnswered(sdp=phone(BOTH)))
    await settle()
    assert world.call().video == ACTIVE


async def test_a_caller_without_video_gets_sound_and_may_be_asked(world: World) -> None:
    leg = await ring(world, phone())
    await answer(world, browser(BOTH))
    assert world.call().video == NONE
    # The SIP side was never told of it, because its offer had no place for it.
    assert told(leg) == []


async def test_an_offerless_invite_is_offered_video(world: World) -> None:
    leg = await ring(world, None)
    await answer(world, browser(BOTH))
    assert video_of(leg.did[-1][1]) is BOTH
    await media(world, None)
    # Our first offer has no answer yet.
    assert told(leg) == []
    leg.on_event(sip.Confirmed(sdp=phone(BOTH)))
    await settle()
    assert told(leg) == [None]
    leg.on_event(sip.OfferAnswered(sdp=phone(BOTH, port=0)))
    await settle()
    assert world.call().video == NONE


# Outgoing -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "shown"),
    [
        (phone(BOTH), ACTIVE),
        (phone(TAKE), VideoView(state=VideoState.ACTIVE, sends=True)),
        (phone(SEND), VideoView(state=VideoState.ACTIVE, receives=True)),
        (phone(BOTH, port=0), NONE),
    ],
)
async def test_an_outgoing_call_with_video(
    world: World, theirs: str, shown: VideoView
) -> None:
    await world.service.perform(
        ROBIN,
        "call.create",
        wire.CallCreate(op_id="1", call_id="c1", to="1001", offer=browser(BOTH)),
    )
    assert video_of(world.telephony.dialled[-1][1]) is BOTH
    assert world.call().video == NONE
    world.telephony.legs[-1].on_event(sip.Answered(sdp=theirs))
    await settle()
    assert world.last("call.answered")["call"].video == shown


async def test_a_browser_without_a_common_codec_calls_with_sound(world: World) -> None:
    world.engine.has_video_codec = False
    await world.service.perform(
        ROBIN,
        "call.create",
        wire.CallCreate(op_id="1", call_id="c1", to="1001", offer=browser(BOTH)),
    )
    assert video_of(world.telephony.dialled[-1][1]) is None


async def test_a_raise_before_the_answer_is_told_after_it(world: World) -> None:
    await world.service.perform(
        ROBIN,
        "call.create",
        wire.CallCreate(op_id="1", call_id="c1", to="1001", offer=browser()),
    )
    await media(world, BOTH)
    leg = world.telephony.legs[-1]
    assert leg.did == []
    leg.on_event(sip.Answered(sdp=phone()))
    await settle()
    assert told(leg) == [BOTH]


# Raise and lower ------------------------------------------------------------------


async def test_raised_and_lowered(world: World) -> None:
    leg = await connect(world)
    await media(world, BOTH)
    assert told(leg) == [BOTH]
    assert world.call().video == NONE
    leg.on_event(sip.OfferAnswered(sdp=phone(BOTH)))
    await settle()
    assert world.call().video == ACTIVE
    assert updates(world) == [VideoState.ACTIVE]
    await media(world, None)
    assert told(leg) == [BOTH, None]
    # At once: the browser has none any more, and what still comes is no offer.
    assert updates(world) == [VideoState.ACTIVE, VideoState.NONE]
    leg.on_event(sip.OfferAnswered(sdp=phone(BOTH, port=0)))
    await settle()
    assert set(updates(world)[1:]) == {VideoState.NONE}


@pytest.mark.parametrize(
    "outcome",
    [
        sip.OfferFailed(488),
        sip.OfferFailed(603),
        sip.OfferAnswered(phone(BOTH, port=0)),
        sip.OfferAnswered(phone()),
    ],
)
async def test_a_refused_raise_leaves_the_call_and_is_told(
    world: World, outcome: sip.CallEvent
) -> None:
    leg = await connect(world)
    await media(world, BOTH)
    leg.on_event(outcome)
    await settle()
    assert world.call().state is CallState.ACTIVE
    # Told although nothing has changed: somebody waits for it.
    assert updates(world) == [VideoState.NONE]
    # What was refused is not asked again by itself...
    await media(world, BOTH, reason=MediaReason.NETWORK, generation=2)
    assert told(leg) == [BOTH]
    # ... but when it is asked for anew.
    await media(world, None, generation=2)
    assert told(leg) == [BOTH]
    await media(world, BOTH, generation=2)
    assert told(leg) == [BOTH, BOTH]


async def test_a_refused_lowering_leaves_the_call_with_sound(world: World) -> None:
    leg = await connect(world, BOTH)
    await media(world, None)
    leg.on_event(sip.OfferFailed(500))
    await settle()
    assert world.call().video == NONE
    await media(world, BOTH)
    assert told(leg) == [None, BOTH]


async def test_one_re_invite_at_a_time_and_the_last_wish_counts(world: World) -> None:
    leg = await connect(world)
    await media(world, BOTH)
    await media(world, None)
    await media(world, TAKE)
    assert told(leg) == [BOTH]
    leg.on_event(sip.OfferAnswered(sdp=phone(BOTH)))
    await settle()
    assert told(leg) == [BOTH, TAKE]
    leg.on_event(sip.OfferAnswered(sdp=phone(SEND)))
    await settle()
    assert told(leg) == [BOTH, TAKE]
    assert world.call().video == VideoView(state=VideoState.ACTIVE, receives=True)


async def test_taken_back_before_the_far_end_agreed(world: World) -> None:
    leg = await connect(world)
    await media(world, BOTH)
    await media(world, None)
    leg.on_event(sip.OfferAnswered(sdp=phone(BOTH)))
    await settle()
    assert told(leg) == [BOTH, None]
    assert world.call().video == NONE


async def test_thought_better_of_and_again(world: World) -> None:
    leg = await connect(world)
    for wish in (BOTH, None, BOTH):
        await media(world, wish)
    leg.on_event(sip.OfferAnswered(sdp=phone(BOTH)))
    await settle()
    assert told(leg) == [BOTH]
    assert world.call().video == ACTIVE


async def test_what_does_not_change_video_touches_nobody(world: World) -> None:
    leg = await connect(world, BOTH)
    await media(world, BOTH)
    await media(world, BOTH, generation=2, reason=MediaReason.NETWORK)
    assert leg.did == []
    assert world.call().video == ACTIVE
    assert updates(world) == []


async def test_a_video_window_takes_over_with_the_next_generation(world: World) -> None:
    leg = await connect(world)
    await media(world, BOTH, generation=2, reason=MediaReason.RELOAD)
    assert told(leg) == [BOTH]


async def test_an_offer_that_the_engine_cannot_make_leaves_the_call(
    world: World,
) -> None:
    leg = await connect(world)
    world.engine.refuse["offer sip"] = MediaErrorKind.NO_CAPACITY
    await media(world, BOTH)
    assert leg.did == []
    assert world.call().state is CallState.ACTIVE


# The far end's ---------------------------------------------------------------------


async def test_the_far_end_asks_for_video_and_the_camera_stays_off(
    world: World,
) -> None:
    leg = await connect(world)
    leg.on_event(sip.Offer(sdp=phone(BOTH, version=2)))
    await settle()
    what, sdp = leg.did[-1]
    assert what == "accept_offer"
    assert video_of(sdp) is None
    assert updates(world) == [VideoState.OFFERED]
    await media(world, BOTH)
    assert told(leg) == [BOTH]
    leg.on_event(sip.OfferAnswered(sdp=phone(BOTH)))
    await settle()
    assert world.call().video == ACTIVE


async def test_the_far_end_takes_its_question_back(world: World) -> None:
    leg = await connect(world)
    leg.on_event(sip.Offer(sdp=phone(BOTH, version=2)))
    leg.on_event(sip.Offer(sdp=phone(version=3)))
    await settle()
    assert updates(world) == [VideoState.OFFERED, VideoState.NONE]


async def test_the_far_end_removes_video(world: World) -> None:
    leg = await connect(world, BOTH)
    leg.on_event(sip.Offer(sdp=phone(BOTH, port=0, version=2)))
    await settle()
    assert world.call().video == NONE
    assert updates(world) == [VideoState.NONE]
    # That the browser still sends is no wish to have it back.
    await media(world, BOTH, generation=2, reason=MediaReason.NETWORK)
    await media(world, None, generation=2)
    assert told(leg) == []


async def test_hold_stops_the_picture_and_its_end_brings_it_back(world: World) -> None:
    leg = await connect(world, BOTH)
    leg.on_event(sip.Offer(sdp=phone(SEND, version=2)))
    await settle()
    assert world.call().video == VideoView(state=VideoState.ACTIVE, receives=True)
    leg.on_event(sip.Offer(sdp=phone(BOTH, version=3)))
    await settle()
    assert world.call().video == ACTIVE
    assert told(leg) == []


async def test_the_codec_of_the_far_end_is_asked_of_the_browser(world: World) -> None:
    leg = await connect(world)
    await media(world, BOTH)
    world.engine.renegotiate = True
    leg.on_event(sip.OfferAnswered(sdp=phone(BOTH)))
    await settle()
    assert world.last("call.media")["action"] is MediaAction.RENEGOTIATE


# Glare and crossings ---------------------------------------------------------------


async def test_a_raise_that_was_overtaken_is_made_anew(world: World) -> None:
    leg = await connect(world)
    await media(world, BOTH)
    leg.on_event(sip.Offer(sdp=phone(version=2)))
    leg.on_event(sip.OfferFailed(491))
    await settle()
    assert told(leg) == [BOTH, BOTH]
    # What the peer sees goes forward, whatever crossed.
    versions = [version_of(sdp) for _, sdp in leg.did]
    assert versions == sorted(set(versions))
    leg.on_event(sip.OfferAnswered(sdp=phone(BOTH)))
    await settle()
    assert world.call().video == ACTIVE


async def test_a_raise_is_over_when_the_far_end_raises_itself(world: World) -> None:
    leg = await connect(world)
    await media(world, BOTH)
    leg.on_event(sip.Offer(sdp=phone(BOTH, version=2)))
    leg.on_event(sip.OfferFailed(491))
    await settle()
    assert told(leg) == [BOTH]
    assert world.call().video == ACTIVE


async def test_an_offerless_re_invite_carries_what_waited(world: World) -> None:
    leg = await connect(world)
    await media(world, BOTH)
    leg.on_event(sip.Offer(sdp=None))
    leg.on_event(sip.OfferFailed(491))
    await settle()
    assert told(leg) == [BOTH]
    assert video_of(leg.did[-1][1]) is BOTH
    leg.on_event(sip.OfferAnswered(sdp=phone(BOTH)))
    await settle()
    assert told(leg) == [BOTH]
    assert world.call().video == ACTIVE


async def test_a_withdrawn_offer_is_put_right(world: World) -> None:
    leg = await connect(world, BOTH)

    def withdrawn(sdp: str) -> None:
        raise sip.LocalProtocolError("there is no offer to answer")

    leg.accept_offer = withdrawn  # type: ignore[method-assign]
    leg.on_event(sip.Offer(sdp=phone(BOTH, port=0, version=2)))
    leg.on_event(sip.OfferFailed(487))
    await settle()
    assert told(leg) == [BOTH]
    leg.on_event(sip.OfferAnswered(sdp=phone(BOTH)))
    await settle()
    assert world.call().video == ACTIVE


async def test_a_re_invite_of_a_lost_worker_is_sent_again(world: World) -> None:
    leg = await connect(world)
    await media(world, BOTH)
    world.engine.open_calls.clear()
    world.engine.emit(EngineLost(world.media_id))
    await settle()
    await media(world, BOTH, generation=2, reason=MediaReason.FAILED)
    assert told(leg) == [BOTH]
    leg.on_event(sip.OfferAnswered(sdp=phone(BOTH)))
    await settle()
    assert told(leg) == [BOTH, BOTH]
    leg.on_event(sip.OfferAnswered(sdp=phone(BOTH)))
    await settle()
    assert world.call().video == ACTIVE


async def test_a_call_that_ended_has_no_video(world: World) -> None:
    leg = await connect(world, BOTH)
    leg.on_event(sip.OfferFailed(488))
    leg.on_event(sip.RemoteHangup(reasons=()))
    leg.on_event(sip.Offer(sdp=phone(BOTH)))
    await settle()
    assert world.last("call.ended")["call"].video == NONE
    assert world.kinds()[-1] == "call.ended"


# Keyframes -------------------------------------------------------------------------


async def test_a_keyframe_is_asked_of_the_far_end_by_info(world: World) -> None:
    leg = await connect(world, BOTH)
    for _ in range(5):
        world.engine.emit(KeyframeWanted(world.media_id, Leg.SIP))
    world.engine.emit(KeyframeWanted(world.media_id, Leg.BROWSER))
    await settle()
    ((_, content_type, body),) = leg.did
    assert content_type == MEDIA_CONTROL
    assert b"picture_fast_update" in body
    world.clock.advance(1.0)
    await settle()
    # What was asked for too early is not forgotten, and asked once.
    assert len(leg.did) == 2
    world.clock.advance(10.0)
    await settle()
    assert len(leg.did) == 2


async def test_no_keyframe_is_asked_before_the_call_stands(world: World) -> None:
    await world.service.perform(
        ROBIN,
        "call.create",
        wire.CallCreate(op_id="1", call_id="c1", to="1001", offer=browser(BOTH)),
    )
    world.engine.emit(KeyframeWanted(world.media_id, Leg.SIP))
    await settle()
    assert world.telephony.legs[-1].did == []


async def test_the_far_ends_info_has_the_browser_send_one(world: World) -> None:
    leg = await connect(world, BOTH)
    body = (
        b'<?xml version="1.0"?><media_control><vc_primitive><to_encoder>'
        b"<picture_fast_update></picture_fast_update>"
        b"</to_encoder></vc_primitive></media_control>"
    )
    for _ in range(50):
        leg.on_event(sip.InfoReceived(f"{MEDIA_CONTROL}; charset=utf-8", body))
    leg.on_event(sip.InfoReceived("application/dtmf-relay", body))
    leg.on_event(sip.InfoReceived(MEDIA_CONTROL, b"<media_control/>"))
    await settle()
    assert [w for w, *_ in world.engine.log].count("keyframe browser") == 1
    leg.on_event(sip.RemoteHangup(reasons=()))
    await settle()
    assert world.clock.waiting == 0


# The pure part ---------------------------------------------------------------------

DIRECTIONS = st.sampled_from([None, *Direction])


@settings(deadline=None)
@given(st.text(max_size=200) | DIRECTIONS.map(phone))
def test_any_description_can_be_asked_for_video(sdp: str) -> None:
    assert offers_video(sdp) is (video_of(sdp) is not None)


@settings(deadline=None)
@given(st.data())
def test_a_told_far_end_is_never_behind(data: st.DataObject) -> None:
    """Whatever happens: once told, only another wish makes another re-INVITE."""
    video, wish = CallVideo(), None
    for _ in range(data.draw(st.integers(0, 12))):
        match data.draw(st.sampled_from(["browser", "told", "agreed", "overtaken"])):
            case "browser":
                wish = data.draw(DIRECTIONS)
                offer = browser(wish)
                video.browser_agreed(
                    offer, Negotiated(offer, "PCMU"), sip_has_spoken=data.draw(B)
                )
            case "told":
                video.sip_told()
                assert not video.sip_is_behind
            case "agreed":
                answer = phone(data.draw(DIRECTIONS), port=data.draw(PORTS))
                video.sip_agreed(
                    answer,
                    Negotiated(
                        "",
                        "PCMU",
                        video=data.draw(st.sampled_from(["", "VP8"])),
                        video_offered=data.draw(B),
                    ),
                )
            case _:
                video.sip_overtaken()
        if wish in (None, Direction.INACTIVE):
            assert video.view.state is not VideoState.ACTIVE
    video.sip_told()
    assert not video.sip_is_behind


B = st.booleans()
PORTS = st.sampled_from([0, 5006])
