"""Video in a call, as the SDK does it: raised, lowered, renewed, refused, shared."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.sessions import wire
from tests.widget.browser import Widget
from tests.widget.conftest import OpenWidget
from tests.widget.fake_gateway import FakeGateway, Refused
from tests.widget.fake_media import mid_of, video_of

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

OFFERED = wire.VideoView(state=wire.VideoState.OFFERED)
# Chromium has no screen to share without a display.
SCREEN = """
navigator.mediaDevices.getDisplayMedia = async () => {
  const canvas = document.createElement('canvas');
  canvas.getContext('2d').fillRect(0, 0, 9, 9);
  const stream = canvas.captureStream(5);
  globalThis.screenTrack = stream.getVideoTracks()[0];
  return stream;
};
"""
CAPTURES = """
globalThis.captured = [];
const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => {
  const stream = await real(wanted);
  captured.push(...stream.getTracks());
  return stream;
};
globalThis.isCameraLit = () =>
  captured.some(({ kind, readyState }) => kind === 'video' && readyState === 'live');
"""


async def run(widget: Widget, method: str, *arguments: Any) -> Any:
    return await widget.page.evaluate(
        "([method, args]) => document.querySelector('ringbridge-softphone')"
        ".client[method](...args).then((value) => value ?? null,"
        " (error) => ({ error: error.kind, problem: error.problem }))",
        [method, list(arguments)],
    )


async def local(widget: Widget, call_id: str) -> dict[str, Any]:
    found: dict[str, Any] = await widget.state(f"client.localState('{call_id}')")
    return found


async def audio_call(widget: Widget) -> str:
    call_id = await widget.gateway.ring()
    await run(widget, "answer", call_id)
    await widget.until(f"client.localState('{call_id}').isConnected")
    return call_id


async def video_call(widget: Widget) -> str:
    call_id = await widget.gateway.ring(video=OFFERED)
    await widget.gateway.until_sent("call.media")
    await run(widget, "answer", call_id, {"video": True})
    await sees(widget, call_id)
    return call_id


async def sees(widget: Widget, call_id: str) -> None:
    """The far end's picture arrives, by the browser's own count."""
    await widget.page.wait_for_function(
        """async (id) => {
          const { client } = document.querySelector('ringbridge-softphone');
          if (!client.localState(id).remotes[0]?.video) return false;
          const stats = await client.stats(id);
          return [...stats.values()].some(({ type, kind, framesDecoded }) =>
            type === 'inbound-rtp' && kind === 'video' && framesDecoded > 0);
        }""",
        arg=call_id,
    )


async def test_answered_with_video_before_the_pre_offer_is_answered(
    widget: Widget, gateway: FakeGateway
) -> None:
    """What was offered while it rang has no video; that is no refusal of it."""
    go_on = asyncio.Event()

    async def hold(params: Any) -> wire.Wire:
        del gateway.overrides["call.media"]
        await go_on.wait()
        (session,) = gateway.sessions.values()
        return await gateway._default(session, params)

    gateway.overrides["call.media"] = hold
    call_id = await gateway.ring(video=OFFERED)
    await gateway.until_sent("call.media")
    answering = asyncio.ensure_future(run(widget, "answer", call_id, {"video": True}))
    await widget.until(f"client.localState('{call_id}').isCameraOn")
    go_on.set()
    await answering
    (answer,) = gateway.sent("call.answer")
    assert video_of(answer.offer)
    await sees(widget, call_id)


async def test_answered_with_video_on_what_was_negotiated_while_it_rang(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(init=CAPTURES)
    call_id = await gateway.ring(video=OFFERED)
    before = await gateway.until_sent("call.media")
    assert not video_of(before.offer), "the camera waits for the answer"
    await run(widget, "answer", call_id, {"video": True})
    (answer,) = gateway.sent("call.answer")
    assert answer.generation == 1
    assert video_of(answer.offer)
    ufrag = "a=ice-ufrag:"
    assert (
        answer.offer.partition(ufrag)[2].splitlines()[0]
        == before.offer.partition(ufrag)[2].splitlines()[0]
    )
    await sees(widget, call_id)
    state = await local(widget, call_id)
    assert state["hasVideo"]
    assert state["isCameraOn"]
    await gateway.end(call_id, wire.EndReason.HUNG_UP_THERE)
    await widget.until("!isCameraLit()")


async def test_answered_without_video_the_camera_stays_shut(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(init=CAPTURES)
    call_id = await gateway.ring(video=OFFERED)
    await run(widget, "answer", call_id)
    await gateway.until_sent("call.answer")
    assert not (await local(widget, call_id))["hasVideo"]
    assert not await widget.page.evaluate("isCameraLit()")


async def test_a_camera_that_fails_leaves_the_call_ringing(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(
        init="""
        const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (wanted) => {
          if (wanted.video) throw new DOMException('busy', 'NotReadableError');
          return real(wanted);
        };"""
    )
    call_id = await gateway.ring(video=OFFERED)
    assert await run(widget, "answer", call_id, {"video": True}) == {
        "error": "camera",
        "problem": "device_busy",
    }
    assert gateway.sent("call.answer") == []
    assert await widget.state("client.state.cameraProblem") == "device_busy"
    await run(widget, "answer", call_id, {"video": True, "camera": False})
    await sees(widget, call_id)
    assert not (await local(widget, call_id))["isCameraOn"]


async def test_raised_lowered_and_raised_again(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(init=CAPTURES)
    call_id = await audio_call(widget)
    await run(widget, "startVideo", call_id)
    await sees(widget, call_id)
    raised = gateway.sent("call.media")[-1]
    assert raised.reason is wire.MediaReason.RENEGOTIATE
    assert raised.generation == 1
    await run(widget, "stopVideo", call_id)
    await widget.until("!isCameraLit()")
    lowered = gateway.sent("call.media")[-1]
    assert not video_of(lowered.offer)
    assert not (await local(widget, call_id))["hasVideo"]
    await run(widget, "startVideo", call_id)
    again = gateway.sent("call.media")[-1]
    assert mid_of(video_of(again.offer)) != mid_of(video_of(raised.offer))
    await sees(widget, call_id)
    assert gateway.is_media_up(call_id, 1)


async def test_a_service_that_refuses_video_costs_the_call_nothing(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(init=CAPTURES)
    call_id = await audio_call(widget)
    gateway.media.refuses_video = True
    assert (await run(widget, "startVideo", call_id))["error"] == "video.refused"
    assert not await widget.page.evaluate("isCameraLit()")

    async def refuse(params: wire.CallMedia) -> wire.Wire:
        raise Refused(wire.ErrorKind.POLICY_DENIED)

    gateway.media.refuses_video = False
    gateway.overrides["call.media"] = refuse
    assert (await run(widget, "startVideo", call_id))["error"] == "policy.denied"
    assert not await widget.page.evaluate("isCameraLit()")
    del gateway.overrides["call.media"]
    await run(widget, "startVideo", call_id)
    await sees(widget, call_id)
    assert gateway.is_media_up(call_id, 1), "no new connection was needed"


async def test_a_camera_that_is_off_is_dark_and_its_place_is_black(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(init=CAPTURES)
    call_id = await video_call(widget)
    await run(widget, "setCamera", call_id, False)
    await widget.until("!isCameraLit()")
    state = await local(widget, call_id)
    assert state["hasVideo"]
    assert not state["isCameraOn"]
    before = len(gateway.sent("call.media"))
    await run(widget, "setCamera", call_id, True)
    assert await widget.page.evaluate("isCameraLit()")
    assert len(gateway.sent("call.media")) == before, "nothing to negotiate"


async def test_the_far_end_ends_its_video_and_the_light_goes_out(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(init=CAPTURES)
    call_id = await video_call(widget)
    await gateway.update(call_id, video=wire.VideoView())
    await widget.until("!isCameraLit()")
    await gateway.update(call_id, video=OFFERED)
    assert not await widget.page.evaluate("isCameraLit()"), "never by itself"


async def test_a_renewal_keeps_the_video(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(init=CAPTURES)
    call_id = await video_call(widget)
    await gateway.publish(
        wire.CallMediaEvent,
        call_id=call_id,
        action=wire.MediaAction.RENEW,
        generation=1,
    )
    await gateway.until(lambda: gateway.is_media_up(call_id, 2))
    assert video_of(gateway.sent("call.media")[-1].offer)
    await sees(widget, call_id)
    assert (await local(widget, call_id))["isCameraOn"]


async def test_the_screen_in_the_cameras_place_until_the_browser_ends_it(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(init=SCREEN + CAPTURES)
    call_id = await video_call(widget)
    before = len(gateway.sent("call.media"))
    assert await run(widget, "shareScreen", call_id)
    assert (await local(widget, call_id))["isSharing"]
    assert len(gateway.sent("call.media")) == before
    await widget.page.evaluate(
        "screenTrack.stop(); screenTrack.dispatchEvent(new Event('ended'))"
    )
    await widget.until(f"!client.localState('{call_id}').isSharing")
    assert (await local(widget, call_id))["isCameraOn"]


async def test_sharing_in_a_sound_call_raises_it_without_the_camera(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(init=SCREEN + CAPTURES)
    call_id = await audio_call(widget)
    assert await run(widget, "shareScreen", call_id)
    assert video_of(gateway.sent("call.media")[-1].offer)
    await run(widget, "stopSharing", call_id)
    assert not await widget.page.evaluate("isCameraLit()")
    assert (await local(widget, call_id))["hasVideo"]


async def test_a_guest_joins(open_page: OpenWidget, gateway: FakeGateway) -> None:
    gateway.user = gateway.user.model_copy(update={"role": wire.UserRole.GUEST})
    gateway.join = wire.JoinView(
        state=wire.JoinState.OPEN, host="Sam Rivera", server_time=1
    )
    widget = await open_page()
    await widget.until("client.state.status === 'ready'")
    assert (await widget.state("client.state.join"))["host"] == "Sam Rivera"
    call_id = await run(widget, "join")
    (joined,) = gateway.sent("call.join")
    assert joined.call_id == call_id
    assert video_of(joined.offer)
    assert gateway.sent("history.list") == []
    await gateway.answered(call_id)
    await sees(widget, call_id)
