"""What every MediaEngine must do with video; see ``contract``."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator

import pytest

from gateway.media.engine import KeyframeWanted, Leg, MediaEngine
from gateway.media.relay.feedback import (
    Feedback,
    KeyframeMessage,
    KeyframeRequest,
    Nack,
    build_keyframe_request,
    build_nack,
)
from gateway.media.relay.rtcp import parse_compound
from tests.gateway.media.rig import (
    BROWSER_VIDEO,
    Browser,
    Events,
    Inbox,
    Joined,
    Phone,
    Rtp,
    exchange_until_connected,
    joined_call,
    new_call,
)

FEEDBACK = ("nack", "nack pli", "ccm fir")

# VP8 payload descriptors with the first byte of the frame.
KEY, DELTA = b"\x10\x00", b"\x10\x01"

_RECEIVER_REPORT = struct.pack("!BBHI", 0x80, 201, 1, 99)


def of_kind(inbox: Inbox, payload_types: set[int]) -> list[Rtp]:
    return [each for each in inbox.rtp if each.payload_type in payload_types]


def feedback_of(inbox: Inbox) -> list[Feedback]:
    return [each for data in inbox.rtcp for each in parse_compound(data).feedback]


def nacks_of(inbox: Inbox) -> set[int]:
    return {
        number
        for each in feedback_of(inbox)
        if isinstance(each, Nack)
        for number in each.lost
    }


@contextlib.asynccontextmanager
async def video_call(
    engine: MediaEngine, events: Events, **options: object
) -> AsyncIterator[Joined]:
    """Both legs up with audio and VP8, and a first keyframe each way."""
    options.setdefault("browser_video", BROWSER_VIDEO)
    options.setdefault("phone_video", ("VP8",))
    async with joined_call(engine, **options) as joined:
        await exchange_until_connected(joined, events)
        await exchange_video(joined)
        yield joined
        await engine.close(joined.call)


async def exchange_video(joined: Joined) -> None:
    """Keyframes until each side has one; nothing is on its way afterwards."""
    camera = joined.phone.video
    assert camera is not None
    up, down = len(camera.inbox.rtp), len(video_of(joined.browser))
    while len(camera.inbox.rtp) == up or len(video_of(joined.browser)) == down:
        await joined.browser.send_video(KEY + b"up")
        camera.send(KEY + b"down", payload_type=96, ticks=3000)
        await asyncio.sleep(0.01)
    await joined.browser.send_video(KEY + b"last up")
    camera.send(KEY + b"last down", payload_type=96, ticks=3000)
    await camera.inbox.until(lambda: camera.inbox.rtp[-1].payload == KEY + b"last up")
    await joined.browser.inbox.until(
        lambda: video_of(joined.browser)[-1].payload == KEY + b"last down"
    )


def video_of(browser: Browser) -> list[Rtp]:
    return of_kind(browser.inbox, {96, 98, 102, 108, 120})


def camera_of(joined: Joined) -> Phone:
    assert joined.phone.video is not None
    return joined.phone.video


class VideoContract:
    """Mixed into :class:`~tests.gateway.media.contract.MediaEngineContract`."""

    async def test_video_flows_both_ways_beside_audio(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with video_call(engine, events) as joined:
            assert joined.accepted.video == "VP8"
            assert joined.accepted.video_sends
            assert joined.accepted.video_receives
            assert not joined.accepted.video_offered
            camera, browser = camera_of(joined), joined.browser
            up, down = len(camera.inbox.rtp), len(video_of(browser))
            heard = len(joined.phone.inbox.rtp)
            for number in range(60):
                # A burst, as a keyframe is one.
                payload = DELTA + bytes([number]) + bytes(1200)
                await browser.send_video(
                    payload, ticks=0 if number % 20 else 3000, marker=number % 20 == 19
                )
                camera.send(
                    payload,
                    payload_type=96,
                    ticks=0 if number % 20 else 3000,
                    marker=number % 20 == 19,
                )
            await browser.send(b"a" * 160)
            got = (await camera.inbox.rtp_count(up + 60))[up:]
            assert [packet.payload[2] for packet in got] == list(range(60))
            assert [packet.marker for packet in got].count(True) == 3
            await browser.inbox.until(lambda: len(video_of(browser)) >= down + 60)
            shown = video_of(browser)[down:]
            assert [packet.payload[2] for packet in shown] == list(range(60))
            await joined.phone.inbox.rtp_count(heard + 1)
            for packets in (camera.inbox.rtp, video_of(browser)):
                assert len({packet.ssrc for packet in packets}) == 1
                numbers = [packet.sequence for packet in packets]
                assert numbers == [
                    (numbers[0] + step) & 0xFFFF for step in range(len(numbers))
                ]
            assert {p.payload_type for p in joined.phone.inbox.rtp} == {0}

    async def test_an_audio_only_phone_gets_audio(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with joined_call(engine, browser_video=BROWSER_VIDEO) as joined:
            await exchange_until_connected(joined, events)
            assert joined.accepted.video == ""
            assert not joined.accepted.video_sends
            for _ in range(5):
                await joined.browser.send_video(KEY)
            count = len(joined.phone.inbox.rtp)
            await joined.browser.send(b"a" * 160)
            packets = await joined.phone.inbox.rtp_count(count + 1)
            assert {packet.payload_type for packet in packets} == {0}
            await engine.close(joined.call)

    async def test_video_is_raised_and_taken_away_in_mid_call(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with joined_call(engine) as joined:
            await exchange_until_connected(joined, events)
            audio = joined.phone.inbox.rtp[-1].ssrc
            offer = await joined.browser.offer(video=BROWSER_VIDEO)
            raised = await engine.answer(joined.call, Leg.BROWSER, offer)
            assert raised.video == "VP8"
            joined.phone.learn(await engine.offer(joined.call, Leg.SIP))
            accepted = await engine.accept(
                joined.call, Leg.SIP, joined.phone.sdp(video=("VP8",), version=2)
            )
            assert accepted.video_sends
            assert accepted.video_receives
            await exchange_video(joined)
            await exchange_until_connected(joined, events)
            assert {p.ssrc for p in joined.phone.inbox.rtp} == {audio}
            offer = await joined.browser.offer()
            lowered = await engine.answer(joined.call, Leg.BROWSER, offer)
            assert lowered.video == ""
            text = await engine.offer(joined.call, Leg.SIP)
            assert "m=video 0 " in text
            count = len(camera_of(joined).inbox.rtp)
            await joined.browser.send_video(KEY)
            joined.browser.inbox.rtp.clear()
            camera_of(joined).send(KEY, payload_type=96)
            await exchange_until_connected(joined, events)
            assert len(camera_of(joined).inbox.rtp) == count
            assert video_of(joined.browser) == []
            await engine.close(joined.call)

    async def test_video_of_the_phone_is_left_out_until_the_browser_has_some(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with joined_call(engine) as joined:
            await exchange_until_connected(joined, events)
            answered = await engine.answer(
                joined.call, Leg.SIP, joined.phone.sdp(video=("H264",), version=2)
            )
            assert answered.video_offered
            assert answered.video == ""
            assert "m=video 0 " in answered.sdp
            offer = await joined.browser.offer(video=BROWSER_VIDEO)
            await engine.answer(joined.call, Leg.BROWSER, offer)
            again = await engine.answer(
                joined.call, Leg.SIP, joined.phone.sdp(video=("H264",), version=3)
            )
            assert again.video == "H264"
            assert again.renegotiate_browser
            assert not again.video_offered
            offer = await joined.browser.offer(video=BROWSER_VIDEO)
            final = await engine.answer(joined.call, Leg.BROWSER, offer)
            assert final.video == "H264"
            assert "a=rtpmap:102 H264/90000" in final.sdp
            assert "VP8" not in final.sdp
            await engine.close(joined.call)

    async def test_a_change_of_codec_is_no_loss(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with video_call(engine, events) as joined:
            camera, browser = camera_of(joined), joined.browser
            answered = await engine.answer(
                joined.call, Leg.SIP, joined.phone.sdp(video=("H264",), version=2)
            )
            assert answered.renegotiate_browser
            await browser.send_video(DELTA)
            offer = await browser.offer(video=BROWSER_VIDEO)
            await engine.answer(joined.call, Leg.BROWSER, offer)
            # Still on its way when the answer was given.
            await browser.send_video(DELTA)
            seen = len(camera.inbox.rtp)
            await browser.send_video(b"\x67\x42", payload_type=102)
            packets = await camera.inbox.rtp_count(seen + 1)
            assert (packets[-1].sequence - packets[-2].sequence) & 0xFFFF == 1
            assert packets[-1].payload_type == 102
            statistics = await engine.statistics(joined.call)
            assert statistics.browser_video is not None
            assert statistics.browser_video.lost == 0

    async def test_no_port_is_told_for_video_in_a_call_without(
        self, engine: MediaEngine
    ) -> None:
        async with joined_call(engine) as joined:
            assert "m=video" not in joined.sip_offer
            statistics = await engine.close(joined.call)
            assert statistics.browser_video is None
            assert statistics.sip_video is None

    @pytest.mark.parametrize("message", KeyframeMessage)
    async def test_keyframe_requests_are_carried_to_a_phone_with_feedback(
        self, engine: MediaEngine, events: Events, message: KeyframeMessage
    ) -> None:
        understood = (
            ("nack pli",) if message is KeyframeMessage.PICTURE_LOSS else ("ccm fir",)
        )
        async with video_call(
            engine, events, feedback=understood, protocol="RTP/AVPF"
        ) as joined:
            camera, browser = camera_of(joined), joined.browser
            shown = video_of(browser)[-1].ssrc
            camera.inbox.rtcp.clear()
            # The browser says it in either way.
            request = build_keyframe_request(
                KeyframeMessage.PICTURE_LOSS, browser.camera.ssrc, shown, 1
            )
            await browser.send_raw(_RECEIVER_REPORT + request)
            wanted = KeyframeRequest(camera.talker.ssrc)
            await camera.inbox.until(lambda: wanted in feedback_of(camera.inbox))
            kinds = {
                data[-12 if understood == ("nack pli",) else -20 :][:2]
                for data in camera.inbox.rtcp
                if wanted in parse_compound(data).feedback
            }
            form = 0x81 if message is KeyframeMessage.PICTURE_LOSS else 0x84
            assert kinds == {bytes([form, 206])}
            assert events.of(KeyframeWanted) == []

    async def test_without_feedback_the_call_layer_is_asked(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with video_call(engine, events) as joined:
            shown = video_of(joined.browser)[-1].ssrc
            request = build_keyframe_request(
                KeyframeMessage.FULL_INTRA, joined.browser.camera.ssrc, shown, 1
            )
            for _ in range(5):
                await joined.browser.send_raw(_RECEIVER_REPORT + request)
            await events.wait(KeyframeWanted(joined.call, Leg.SIP))
            assert len(events.of(KeyframeWanted)) <= 2
            # And the other way round: SIP INFO came in.
            joined.browser.inbox.rtcp.clear()
            await engine.request_keyframe(joined.call, Leg.BROWSER)
            wanted = KeyframeRequest(joined.browser.camera.ssrc)
            await joined.browser.inbox.until(
                lambda: wanted in feedback_of(joined.browser.inbox)
            )

    async def test_a_phone_asks_the_browser_for_a_keyframe(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with video_call(engine, events, feedback=FEEDBACK) as joined:
            camera, browser = camera_of(joined), joined.browser
            browser.inbox.rtcp.clear()
            request = build_keyframe_request(
                KeyframeMessage.PICTURE_LOSS, 5, camera.inbox.rtp[-1].ssrc, 1
            )
            for _ in range(20):
                camera.send_rtcp(_RECEIVER_REPORT + request)
            wanted = KeyframeRequest(browser.camera.ssrc)
            await browser.inbox.until(lambda: wanted in feedback_of(browser.inbox))
            assert feedback_of(browser.inbox).count(wanted) == 1

    async def test_a_loss_before_us_is_asked_of_the_source(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with video_call(engine, events, feedback=FEEDBACK) as joined:
            camera, browser = camera_of(joined), joined.browser
            # Up: the phone misses what the browser's network lost.
            seen = len(camera.inbox.rtp)
            lost = browser.camera.packet(96, DELTA + b"lost", ticks=3000)
            await browser.send_video(DELTA + b"next")
            got = (await camera.inbox.rtp_count(seen + 1))[-1]
            missing = (got.sequence - 1) & 0xFFFF
            camera.send_rtcp(_RECEIVER_REPORT + build_nack(5, got.ssrc, [missing]))
            number = Rtp.parse(lost).sequence
            await browser.inbox.until(lambda: number in nacks_of(browser.inbox))
            await browser.send_raw(lost)
            late = (await camera.inbox.rtp_count(seen + 2))[-1]
            assert (late.sequence, late.payload) == (missing, DELTA + b"lost")
            # Down: the same from the phone's side.
            shown = len(video_of(browser))
            lost = camera.talker.packet(96, DELTA + b"lost", ticks=3000)
            camera.send(DELTA + b"next", payload_type=96)
            await browser.inbox.until(lambda: len(video_of(browser)) > shown)
            got = video_of(browser)[-1]
            missing = (got.sequence - 1) & 0xFFFF
            await browser.send_raw(
                _RECEIVER_REPORT + build_nack(5, got.ssrc, [missing])
            )
            number = Rtp.parse(lost).sequence
            await camera.inbox.until(lambda: number in nacks_of(camera.inbox))
            camera.send_raw(lost)
            await browser.inbox.until(lambda: len(video_of(browser)) > shown + 1)
            assert video_of(browser)[-1].sequence == missing

    async def test_a_loss_after_us_is_repaired_by_us(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with video_call(engine, events, feedback=("nack",)) as joined:
            camera, browser = camera_of(joined), joined.browser
            last = camera.inbox.rtp[-1]
            count = len(camera.inbox.rtp)
            camera.send_rtcp(
                _RECEIVER_REPORT + build_nack(5, last.ssrc, [last.sequence])
            )
            again = (await camera.inbox.rtp_count(count + 1))[-1]
            assert again == last
            assert nacks_of(browser.inbox) == set()
            count = len(video_of(browser))
            lost: list[int] = []

            def loses(data: bytes) -> bool:
                is_video = 128 <= data[0] < 192 and data[1] & 0x7F == 96
                if not is_video or lost:
                    return False
                lost.append(int.from_bytes(data[2:4], "big"))
                return True

            browser.loses = loses
            camera.send(DELTA + b"lost", payload_type=96, ticks=3000)
            camera.send(DELTA + b"next", payload_type=96, ticks=3000)
            await browser.inbox.until(lambda: len(video_of(browser)) > count)
            got = video_of(browser)[-1]
            assert lost == [(got.sequence - 1) & 0xFFFF]
            await browser.send_raw(_RECEIVER_REPORT + build_nack(5, got.ssrc, lost))
            await browser.inbox.until(lambda: len(video_of(browser)) > count + 1)
            again = video_of(browser)[-1]
            assert (again.sequence, again.payload) == (lost[0], DELTA + b"lost")
            assert nacks_of(camera.inbox) == set()

    async def test_a_phone_that_cannot_ask_has_its_losses_asked_for(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with video_call(engine, events) as joined:
            browser = joined.browser
            lost = browser.camera.packet(96, DELTA + b"lost", ticks=3000)
            await browser.send_video(DELTA + b"next")
            number = Rtp.parse(lost).sequence
            await browser.inbox.until(lambda: number in nacks_of(browser.inbox))
            # It never comes: only a keyframe helps.
            wanted = KeyframeRequest(browser.camera.ssrc)
            await browser.inbox.until(lambda: wanted in feedback_of(browser.inbox))

    async def test_renewal_begins_with_a_keyframe_each_way(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with video_call(engine, events, feedback=FEEDBACK) as joined:
            camera = camera_of(joined)
            stream = camera.inbox.rtp[-1].ssrc
            camera.inbox.rtcp.clear()
            reloaded = Browser()
            answered = await engine.answer(
                joined.call,
                Leg.BROWSER,
                await reloaded.offer(video=BROWSER_VIDEO),
                generation=2,
            )
            assert answered.video == "VP8"
            await reloaded.connect(answered.sdp)
            wanted = KeyframeRequest(camera.talker.ssrc)
            asked = KeyframeRequest(reloaded.camera.ssrc)
            while not (
                wanted in feedback_of(camera.inbox)
                and asked in feedback_of(reloaded.inbox)
            ):
                await reloaded.send(b"a" * 160)
                await reloaded.send_video(DELTA + b"useless")
                camera.send(DELTA + b"useless", payload_type=96)
                await asyncio.sleep(0.02)
            while not video_of(reloaded):
                await reloaded.send_video(KEY + b"again")
                camera.send(KEY + b"again", payload_type=96)
                await asyncio.sleep(0.02)
            assert video_of(reloaded)[0].payload == KEY + b"again"
            await camera.inbox.until(
                lambda: camera.inbox.rtp[-1].payload == KEY + b"again"
            )
            assert all(p.payload != DELTA + b"useless" for p in camera.inbox.rtp)
            assert {packet.ssrc for packet in camera.inbox.rtp} == {stream}
            await reloaded.close()

    async def test_unhold_asks_for_keyframes(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with video_call(engine, events, feedback=FEEDBACK) as joined:
            camera, browser = camera_of(joined), joined.browser
            for version, direction in ((2, "inactive"), (3, "sendrecv")):
                answered = await engine.answer(
                    joined.call,
                    Leg.SIP,
                    joined.phone.sdp(
                        video=("VP8",),
                        direction=direction,
                        version=version,
                        feedback=FEEDBACK,
                    ),
                )
                assert answered.video == "VP8"
            browser.inbox.rtcp.clear()
            camera.inbox.rtcp.clear()
            wanted = KeyframeRequest(browser.camera.ssrc)
            asked = KeyframeRequest(camera.talker.ssrc)
            while not (
                wanted in feedback_of(browser.inbox)
                and asked in feedback_of(camera.inbox)
            ):
                await browser.send_video(DELTA)
                camera.send(DELTA, payload_type=96)
                await asyncio.sleep(0.02)

    async def test_reports_and_statistics_of_video(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with video_call(engine, events) as joined:
            camera, browser = camera_of(joined), joined.browser
            browser.camera.sequence += 2
            await browser.send_video(DELTA)
            stream = camera.inbox.rtp[-1].ssrc

            def reported() -> bool:
                reports = [
                    report
                    for data in camera.inbox.rtcp
                    for report in parse_compound(data).reports
                ]
                return any(
                    report.ssrc == stream and report.ntp is not None
                    for report in reports
                ) and any(
                    block.ssrc == camera.talker.ssrc
                    for report in reports
                    for block in report.blocks
                )

            await camera.inbox.until(reported)
            statistics = await engine.statistics(joined.call)
            assert statistics.browser_video is not None
            assert statistics.sip_video is not None
            assert statistics.browser_video.lost == 2
            assert statistics.sip_video.lost == 0
            assert statistics.sip_video.packets_received >= 1
            assert (
                statistics.browser_video.packets_received
                == len(camera.inbox.rtp)
                == statistics.sip_video.packets_sent
            )
            assert statistics.browser.lost == 0

    async def test_both_media_of_a_bundle_report_in_one_packet(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with video_call(engine, events) as joined:
            browser = joined.browser
            down = {
                "audio": of_kind(browser.inbox, {0})[-1].ssrc,
                "video": video_of(browser)[-1].ssrc,
            }
            blocks = b"".join(
                struct.pack("!IIIIII", ssrc, lost, 0, 0, 0, 0)
                for ssrc, lost in ((down["audio"], 3), (down["video"], 5))
            )
            report = struct.pack("!BBHI", 0x82, 201, 13, browser.talker.ssrc) + blocks
            await browser.send_raw(report)
            async with asyncio.timeout(5):
                while True:
                    statistics = await engine.statistics(joined.call)
                    assert statistics.browser_video is not None
                    if statistics.browser_video.remote_lost:
                        break
                    await asyncio.sleep(0.01)
            assert statistics.browser_video.remote_lost == 5
            assert statistics.browser.remote_lost == 3

    async def test_a_keyframe_for_a_call_without_video_is_nothing(
        self, engine: MediaEngine, events: Events
    ) -> None:
        call = new_call()
        await engine.open(call)
        await engine.request_keyframe(call, Leg.BROWSER)
        await engine.request_keyframe(call, Leg.SIP)
        await engine.close(call)
        assert events.of(KeyframeWanted) == []
