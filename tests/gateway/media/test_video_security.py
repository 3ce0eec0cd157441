"""Attacks on a call's video; numbers are those of the security test list."""

from __future__ import annotations

import asyncio
import random
import struct

import pytest

from gateway.media.engine import BrowserLost, Leg
from gateway.media.relay import RelayConfig, RelayEngine, SymmetricRtp
from gateway.media.relay.feedback import (
    KeyframeMessage,
    build_keyframe_request,
    build_nack,
)
from tests.gateway.media.rig import BROWSER_VIDEO, Events, Phone, build_rtp, join, leave
from tests.gateway.media.test_security import (
    MALFORMED_RTP,
    Sprayer,
    stranger_socket,
)
from tests.gateway.media.video_contract import (
    DELTA,
    FEEDBACK,
    KEY,
    camera_of,
    exchange_video,
    feedback_of,
    video_call,
    video_of,
)

_REPORT = struct.pack("!BBHI", 0x80, 201, 1, 99)


@pytest.mark.parametrize("when", ["before the peer", "after the peer"])
@pytest.mark.parametrize("policy", [SymmetricRtp.OFF, SymmetricRtp.AUTO])
class TestStrangers:
    @pytest.fixture
    def relay_config(self, policy: SymmetricRtp) -> RelayConfig:
        return RelayConfig(
            symmetric_rtp=policy, learning_window_s=0.3, port_quarantine_s=0.1
        )

    async def test_6_7_injected_video_is_not_shown_and_nothing_bleeds(
        self, engine: RelayEngine, events: Events, when: str
    ) -> None:
        """6: never relayed. 7: our video never goes there."""
        joined = await join(engine, browser_video=BROWSER_VIDEO, phone_video=("VP8",))
        camera, browser = camera_of(joined), joined.browser
        if when == "after the peer":
            await exchange_video(joined)
        injected = build_rtp(96, 77, 3000, 4242, KEY + b"EVIL")
        with Sprayer(camera.engine_address, [injected], pause_s=0.005) as sprayer:
            for _ in range(60):
                await browser.send_video(KEY + b"up")
                if when == "after the peer":
                    camera.send(KEY + b"down", payload_type=96, ticks=3000)
                await asyncio.sleep(0.005)
            await exchange_video(joined)
        assert sprayer.sent > 10
        assert sprayer.received == 0
        assert all(b"down" in packet.payload for packet in video_of(browser))
        assert len({p.ssrc for p in video_of(browser)}) == 1
        statistics = await engine.statistics(joined.call)
        assert statistics.sip_video is not None
        assert statistics.sip_video.dropped >= 10
        await leave(joined)


async def test_feedback_of_strangers_asks_nobody(
    engine: RelayEngine, events: Events
) -> None:
    async with video_call(engine, events, feedback=FEEDBACK) as joined:
        camera, browser = camera_of(joined), joined.browser
        stream, count = camera.inbox.rtp[-1], len(camera.inbox.rtp)
        host, port = camera.engine_address
        browser.inbox.rtcp.clear()
        with stranger_socket() as stranger:
            for request in (
                build_keyframe_request(KeyframeMessage.PICTURE_LOSS, 5, stream.ssrc, 1),
                build_nack(5, stream.ssrc, [stream.sequence]),
            ):
                stranger.sendto(_REPORT + request, (host, port + 1))
                stranger.sendto(_REPORT + request, (host, port))
            await browser.send_video(DELTA)
            await camera.inbox.rtp_count(count + 1)
            await asyncio.sleep(0.1)
            assert feedback_of(browser.inbox) == []
            assert len(camera.inbox.rtp) == count + 1
            with pytest.raises(BlockingIOError):
                stranger.recv(100)


async def test_feedback_about_other_streams_asks_nobody(
    engine: RelayEngine, events: Events
) -> None:
    async with video_call(engine, events, feedback=FEEDBACK) as joined:
        camera, browser = camera_of(joined), joined.browser
        shown = video_of(browser)[-1]
        audio = [p for p in browser.inbox.rtp if p.payload_type == 0][-1]
        camera.inbox.rtcp.clear()
        count = len(browser.inbox.rtp)
        for ssrc in (audio.ssrc, 0, 12345, browser.camera.ssrc):
            await browser.send_raw(
                _REPORT
                + build_keyframe_request(KeyframeMessage.PICTURE_LOSS, 5, ssrc, 1)
                + build_nack(5, ssrc, [shown.sequence])
            )
        await browser.send_raw(
            _REPORT + build_nack(5, shown.ssrc, [(shown.sequence + 999) & 0xFFFF])
        )
        camera.send(DELTA, payload_type=96, ticks=3000)
        await browser.inbox.until(lambda: len(browser.inbox.rtp) > count)
        await asyncio.sleep(0.1)
        assert feedback_of(camera.inbox) == []
        assert len(browser.inbox.rtp) == count + 1


async def test_nacks_do_not_multiply_without_end(
    engine: RelayEngine, events: Events
) -> None:
    """A peer that asks for everything again and again gets a bounded part of it."""
    async with video_call(engine, events, feedback=FEEDBACK) as joined:
        camera, browser = camera_of(joined), joined.browser
        for _ in range(50):
            await browser.send_video(DELTA + b"small")
        await browser.send_video(DELTA + b"last")
        await camera.inbox.until(
            lambda: camera.inbox.rtp[-1].payload == DELTA + b"last"
        )
        last, count = camera.inbox.rtp[-1], len(camera.inbox.rtp)
        lost = [(last.sequence - step) & 0xFFFF for step in range(49, -1, -1)]
        started = asyncio.get_running_loop().time()
        for _ in range(60):
            camera.send_rtcp(_REPORT + build_nack(5, last.ssrc, lost))
        await camera.inbox.rtp_count(count + 200)
        await asyncio.sleep(0.3)
        ticks = 2 + (asyncio.get_running_loop().time() - started) / 0.2
        assert len(camera.inbox.rtp) - count <= 256 + 64 * ticks


async def test_11_late_video_of_a_finished_call_is_not_shown_in_the_next(
    engine: RelayEngine, events: Events
) -> None:
    async with video_call(engine, events) as joined:
        old = camera_of(joined)
        before = old.engine_address
        (counters,) = await engine.worker_counters()
        assert counters["port_pairs_in_use"] == 2
    (counters,) = await engine.worker_counters()
    assert counters["port_pairs_in_use"] == 0
    assert counters["port_pairs_in_quarantine"] == 2
    rtp = await Phone().start()
    rtp.engine_address = before
    async with video_call(engine, events) as joined:
        assert camera_of(joined).engine_address != before
        rtp.send(KEY + b"late", payload_type=96)
        await exchange_video(joined)
        assert all(b"late" not in p.payload for p in video_of(joined.browser))
    rtp.close()


class TestWithoutPorts:
    """Three pairs for two calls: the second gets audio."""

    @pytest.fixture
    def relay_config(self) -> RelayConfig:
        return RelayConfig(rtp_port_min=21000, rtp_port_max=21005)

    async def test_audio_goes_on_when_video_finds_no_ports(
        self, engine: RelayEngine, events: Events
    ) -> None:
        first = await join(engine, browser_video=BROWSER_VIDEO, phone_video=("VP8",))
        assert first.accepted.video == "VP8"
        second = await join(engine, browser_video=BROWSER_VIDEO)
        assert second.accepted.codec == "PCMU"
        assert "m=video" not in second.sip_offer
        assert "m=video 0 " in second.browser_answer
        await leave(first)
        await leave(second)


async def test_13_malformed_video_and_feedback_of_the_phone(
    engine: RelayEngine, events: Events
) -> None:
    async with video_call(engine, events, feedback=FEEDBACK) as joined:
        camera, browser = camera_of(joined), joined.browser
        rng = random.Random(14)
        for data in MALFORMED_RTP.values():
            camera.send_raw(data)
            camera.send_rtcp(data)
        for _ in range(200):
            camera.send_raw(rng.randbytes(rng.randrange(60)))
            body = rng.randbytes(4 * rng.randrange(12))
            kind = rng.choice([200, 201, 205, 206])
            header = struct.pack("!BBH", 0x80 | rng.randrange(32), kind, len(body) // 4)
            camera.send_rtcp(header + body)
            camera.send_rtcp(_REPORT + header + body)
            number = camera.talker.sequence + rng.randrange(-3000, 3000)
            camera.send_raw(
                build_rtp(96, number, rng.getrandbits(32), 9, rng.randbytes(8))
            )
        while video_of(browser)[-1].payload != KEY + b"sane":
            camera.send(KEY + b"sane", payload_type=96, ticks=3000)
            await asyncio.sleep(0.01)
        used = [packet.sequence for packet in video_of(browser)]
        assert len(set(used)) == len(used)
        assert len(engine.worker_pids()) == 1
        assert events.of(BrowserLost) == []


async def test_13_malformed_feedback_of_the_browser(
    engine: RelayEngine, events: Events
) -> None:
    async with video_call(engine, events, feedback=FEEDBACK) as joined:
        camera, browser = camera_of(joined), joined.browser
        rng = random.Random(15)
        stream = video_of(browser)[-1].ssrc
        for _ in range(200):
            body = struct.pack("!II", rng.getrandbits(32), stream)
            body += rng.randbytes(4 * rng.randrange(12))
            kind = rng.choice([205, 206])
            header = struct.pack("!BBH", 0x80 | rng.randrange(32), kind, len(body) // 4)
            await browser.send_raw(_REPORT + header + body)
            await browser.send_video(rng.randbytes(rng.randrange(1, 8)))
        while camera.inbox.rtp[-1].payload != KEY + b"sane":
            await browser.send_video(KEY + b"sane")
            await asyncio.sleep(0.01)
        assert len(engine.worker_pids()) == 1


async def test_video_packets_as_large_as_the_network_takes(
    engine: RelayEngine, events: Events
) -> None:
    """1500 bytes of IP each way: what plain RTP carries fits once it is SRTP too."""
    async with video_call(engine, events) as joined:
        camera, browser = camera_of(joined), joined.browser
        largest = DELTA + bytes(1500 - 28 - 12 - 2)
        camera.send(largest, payload_type=96, ticks=3000)
        await browser.inbox.until(lambda: video_of(browser)[-1].payload == largest)
        # pylibsrtp, at the scripted browser, takes no more.
        smaller = largest[:1300]
        await browser.send_video(smaller)
        await camera.inbox.until(lambda: camera.inbox.rtp[-1].payload == smaller)


async def test_video_types_of_the_sip_side_do_not_feed_audio(
    engine: RelayEngine, events: Events
) -> None:
    async with video_call(engine, events) as joined:
        phone, browser = joined.phone, joined.browser
        count = len(video_of(browser))
        audio = [p for p in browser.inbox.rtp if p.payload_type == 0]
        phone.send_raw(build_rtp(96, 5, 5, 77, KEY + b"wrong port"))
        camera_of(joined).send(b"audio" * 32, payload_type=0)
        phone.send(b"d" * 160)
        await browser.inbox.until(
            lambda: (
                len([p for p in browser.inbox.rtp if p.payload_type == 0]) > len(audio)
            )
        )
        assert len(video_of(browser)) == count
        assert all(b"audio" not in p.payload for p in browser.inbox.rtp)
        await engine.request_keyframe(joined.call, Leg.SIP)
