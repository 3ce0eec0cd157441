"""A real browser's camera and screen, through the engine, to a scripted video phone."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from playwright.async_api import Page

from gateway.media.engine import BrowserConnected, KeyframeWanted, Leg, Negotiated
from gateway.media.relay import RelayConfig, RelayEngine
from tests.gateway.media.chromium import chromium_page
from tests.gateway.media.chromium_peers import Peer, peers_page
from tests.gateway.media.pictures import READ_NUMBER, VideoPhone, write_camera_file
from tests.gateway.media.rig import Events, Phone, new_call
from tests.gateway.media.room_rig import read_lines

CAMERA_NUMBER = 0b10110010
PHONE_NUMBERS = (0b01001101, 0b11000101, 0b00111010)

WAIT_S = 20.0

START = """async () => {
  window.pc = new RTCPeerConnection();
  const stream = await navigator.mediaDevices.getUserMedia({audio: true});
  for (const track of stream.getTracks()) pc.addTrack(track, stream);
  pc.ontrack = (event) => {
    if (event.track.kind !== 'video') return;
    window.screen_ = document.createElement('video');
    screen_.muted = true;
    screen_.srcObject = event.streams[0];
    screen_.play();
  };
}"""
ADD_CAMERA = """async () => {
  const stream = await navigator.mediaDevices.getUserMedia(
    {video: {width: 320, height: 240, frameRate: 15}});
  for (const track of stream.getTracks()) pc.addTrack(track, stream);
}"""
OFFER = """async () => {
  await pc.setLocalDescription(await pc.createOffer());
  return pc.localDescription.sdp;
}"""
ANSWER = "(sdp) => pc.setRemoteDescription({type: 'answer', sdp})"
STATISTICS = """async () => {
  const result = {};
  for (const each of (await pc.getStats()).values()) {
    if (each.kind === 'video' && /bound-rtp$/.test(each.type)) result[each.type] = each;
  }
  return result;
}"""


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    microphone, camera = tmp_path / "microphone.wav", tmp_path / "camera.y4m"
    with wave.open(str(microphone), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(bytes(96000))
    write_camera_file(camera, CAMERA_NUMBER)
    async with chromium_page(
        microphone=microphone, camera=camera, permissions=["microphone", "camera"]
    ) as page:
        yield page


async def until(condition: Callable[[], bool], what: str, peer: VideoPhone) -> None:
    try:
        async with asyncio.timeout(WAIT_S):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(
            f"not within {WAIT_S} s: {what}; {len(peer.phone.inbox.rtp)} packets came, "
            f"{peer.frames_decoded} frames were decoded, the last showed {peer.seen}"
        )


async def shows(page: Page, number: int) -> None:
    """Until the page's video element shows it."""
    last = None
    try:
        async with asyncio.timeout(WAIT_S):
            while (last := await page.evaluate(READ_NUMBER)) != number:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"the page shows {last}, not {number}")


@pytest.mark.system
@pytest.mark.needs("chromium")
class TestChromiumVideo:
    """One call: audio, raised to video, through losses, and on to another codec."""

    @pytest.fixture
    def relay_config(self) -> RelayConfig:
        return RelayConfig(rtcp_interval_s=0.5)

    @pytest.mark.timeout(150)
    async def test_a_call_with_video(
        self, engine: RelayEngine, events: Events, page: Page
    ) -> None:
        call = new_call()
        await engine.open(call)
        phone = await Phone().start()
        video_port = await phone.start_video()

        async def browser_negotiates() -> Negotiated:
            answer = await engine.answer(call, Leg.BROWSER, await page.evaluate(OFFER))
            await page.evaluate(ANSWER, answer.sdp)
            return answer

        # An audio call.
        await page.evaluate(START)
        assert (await browser_negotiates()).video == ""
        phone.learn(await engine.offer(call, Leg.SIP))
        await engine.accept(call, Leg.SIP, phone.sdp())
        await events.wait(BrowserConnected(call, 1))
        audio = (await phone.inbox.rtp_count(10))[-1].ssrc

        # Raised to video; the phone does feedback.
        await page.evaluate(ADD_CAMERA)
        assert (await browser_negotiates()).video == "VP8"
        phone.learn(await engine.offer(call, Leg.SIP))
        feedback = ("nack", "nack pli")
        accepted = await engine.accept(
            call,
            Leg.SIP,
            phone.sdp(
                video=("VP8",), version=2, protocol="RTP/AVPF", feedback=feedback
            ),
        )
        assert accepted.video == "VP8"
        assert accepted.video_sends
        assert accepted.video_receives
        assert not accepted.renegotiate_browser
        peer = VideoPhone(video_port, "VP8", 96)
        peer.number = PHONE_NUMBERS[0]
        async with peer.running():
            await until(
                lambda: peer.seen == CAMERA_NUMBER, "the camera at the phone", peer
            )
            await shows(page, PHONE_NUMBERS[0])

            # Losses on the SIP side, both ways; nobody may need a keyframe for them.
            peer.loss = 0.05
            frames = peer.frames_decoded
            peer.number = PHONE_NUMBERS[1]
            await until(
                lambda: len(peer.nacked) >= 5 and peer.retransmitted >= 5,
                "losses asked for",
                peer,
            )
            await until(
                lambda: peer.frames_decoded >= frames + 30, "thirty frames", peer
            )
            await shows(page, PHONE_NUMBERS[1])
            peer.loss = 0.0
            statistics = await page.evaluate(STATISTICS)
            assert statistics["inbound-rtp"]["nackCount"] > 0
            assert statistics["inbound-rtp"]["framesDecoded"] > 30

            # A PLI of the phone.
            before = statistics["outbound-rtp"]["pliCount"]
            peer.ask_for_keyframe()
            async with asyncio.timeout(WAIT_S):
                while True:
                    statistics = await page.evaluate(STATISTICS)
                    if statistics["outbound-rtp"]["pliCount"] > before:
                        break
                    await asyncio.sleep(0.05)

            # The peer changes to a phone that knows H.264 and no feedback.
            answered = await engine.answer(
                call, Leg.SIP, phone.sdp(video=("H264",), version=3)
            )
            assert answered.video == "H264"
            assert answered.renegotiate_browser
            peer.use("H264", 102)
            peer.number = PHONE_NUMBERS[2]
            peer.seen = None
            assert (await browser_negotiates()).video == "H264"
            await until(lambda: peer.seen == CAMERA_NUMBER, "H.264 at the phone", peer)
            await shows(page, PHONE_NUMBERS[2])
            statistics = await page.evaluate(STATISTICS)
            decoded = statistics["inbound-rtp"]["framesDecoded"]
            async with asyncio.timeout(WAIT_S):
                while statistics["inbound-rtp"]["framesDecoded"] < decoded + 15:
                    await asyncio.sleep(0.1)
                    statistics = await page.evaluate(STATISTICS)

        # One stream of each medium, all the time.
        assert {packet.ssrc for packet in phone.inbox.rtp} == {audio}
        assert len({packet.ssrc for packet in video_port.inbox.rtp}) == 1
        final = await engine.close(call)
        assert final.browser_video is not None
        assert final.sip_video is not None
        assert final.browser_video.packets_received >= peer.frames_decoded > 30
        assert final.browser_video.lost == 0
        assert KeyframeWanted(call, Leg.BROWSER) not in events.all
        phone.close()


@pytest.mark.system
@pytest.mark.needs("chromium")
@pytest.mark.timeout(100)
@pytest.mark.parametrize("codec", ["VP9", "H264"])
async def test_two_browsers_see_each_other_by_sip(
    engine: RelayEngine, events: Events, tmp_path: Path, codec: str
) -> None:
    """Two calls whose SIP sides are each other's far end."""
    async with peers_page(tmp_path) as page:
        caller = await Peer.start(page, "caller", CAMERA_NUMBER, 500)
        callee = await Peer.start(page, "callee", PHONE_NUMBERS[0], 900)
        for peer in (caller, callee):
            await engine.open(peer.call)
            await peer.do("prefer", codec)
            answer = await engine.answer(
                peer.call, Leg.BROWSER, await peer.do("offer", 0)
            )
            peer.sdp = answer.sdp
            await peer.do("answer", answer.sdp)
        offer = await engine.offer(caller.call, Leg.SIP)
        answered = await engine.answer(callee.call, Leg.SIP, offer)
        accepted = await engine.accept(caller.call, Leg.SIP, answered.sdp)
        for agreed in (answered, accepted):
            assert agreed.video == codec
            assert agreed.video_sends
            assert agreed.video_receives
        for peer, other in ((caller, callee), (callee, caller)):
            name = read_lines(peer.sdp)[0].name
            perceived = None
            try:
                async with asyncio.timeout(WAIT_S):
                    while True:
                        perceived = await peer.do("perceives", [name])
                        number, hz = perceived[name]
                        if number == other.number and abs((hz or 0) - other.hz) < 12:
                            break
                        await asyncio.sleep(0.1)
            except TimeoutError:
                pytest.fail(f"the {peer.name} perceives {perceived}")
            (picture,) = (
                each for each in await peer.do("statistics") if each["kind"] == "video"
            )
            assert picture["keyFramesDecoded"] >= 1
            assert picture["packetsLost"] == 0
        for peer in (caller, callee):
            final = await engine.close(peer.call)
            assert final.browser_video is not None
            assert final.browser_video.lost == 0
