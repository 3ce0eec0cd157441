"""A real browser on one side, a phone that plays a tone on the other."""

from __future__ import annotations

import asyncio
import contextlib
import math
import wave
from collections.abc import AsyncIterator, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.async_api import Page

from gateway.media.engine import BrowserConnected, DigitReceived, Leg
from gateway.media.relay import RelayConfig, RelayEngine
from tests.gateway.media.chromium import chromium_page
from tests.gateway.media.contract import assert_one_stream
from tests.gateway.media.rig import Events, Phone, Rtp, new_call

MICROPHONE_HZ = 1000
PHONE_HZ = 600
OTHER_HZ = 1500

ENCODERS = {"PCMU": ("pcm_mulaw", 8000), "opus": ("libopus", 48000)}

Samples = NDArray[np.float64]

OFFER = """async () => {
  window.pc = new RTCPeerConnection();
  const plain = {echoCancellation: false, noiseSuppression: false,
                 autoGainControl: false};
  const stream = await navigator.mediaDevices.getUserMedia({audio: plain});
  for (const track of stream.getTracks()) pc.addTrack(track, stream);
  pc.ontrack = (event) => { window.remote = event.streams[0]; };
  await pc.setLocalDescription(await pc.createOffer());
  return pc.localDescription.sdp;
}"""
ANSWER = "(sdp) => pc.setRemoteDescription({type: 'answer', sdp})"
LISTEN = """async () => {
  const element = new Audio();
  element.srcObject = remote;
  element.muted = true;
  await element.play();
  const context = new AudioContext({sampleRate: 48000});
  await context.resume();
  const analyser = context.createAnalyser();
  analyser.fftSize = 8192;
  context.createMediaStreamSource(remote).connect(analyser);
  const data = new Float32Array(analyser.frequencyBinCount);
  const step = 48000 / analyser.fftSize;
  for (let turn = 0; turn < 50; turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    analyser.getFloatFrequencyData(data);
    let peak = 2;
    for (let bin = 3; bin < data.length; bin += 1) {
      if (data[bin] > data[peak]) peak = bin;
    }
    if (data[peak] > -40) return {hz: peak * step, db: data[peak]};
  }
  return {hz: 0, db: -200};
}"""
DIAL = """() => {
  const sender = pc.getSenders().find((each) => each.dtmf);
  sender.dtmf.insertDTMF('5#', 120, 80);
}"""


def sine(hz: float, rate: int, seconds: float) -> Samples:
    return np.sin(2 * math.pi * hz * np.arange(int(rate * seconds)) / rate)


def strength(samples: Samples, hz: float, rate: int) -> float:
    """Amplitude of one frequency."""
    turns = np.exp(-2j * math.pi * hz * np.arange(len(samples)) / rate)
    return float(2 * abs(np.dot(samples, turns)) / len(samples))


class Coder:
    """20 ms frames of one codec."""

    def __init__(self, name: str) -> None:
        encoder, self.rate = ENCODERS[name]
        self.decoder = "libopus" if name == "opus" else encoder
        self.encoder = encoder

    def encode(self, samples: Samples) -> list[bytes]:
        context = av.CodecContext.create(self.encoder, "w")
        assert isinstance(context, av.AudioCodecContext)
        context.sample_rate, context.format, context.layout = self.rate, "s16", "mono"
        context.time_base = Fraction(1, self.rate)
        size = self.rate // 50
        out: list[bytes] = []
        for start in range(0, len(samples) - size + 1, size):
            part = (12000 * samples[start : start + size]).astype("<i2")
            frame = av.AudioFrame.from_ndarray(
                part.reshape(1, -1), format="s16", layout="mono"
            )
            frame.sample_rate, frame.pts = self.rate, start
            out += [bytes(packet) for packet in context.encode(frame)]
        return out

    def decode(self, packets: list[Rtp]) -> Samples:
        context = av.CodecContext.create(self.decoder, "r")
        assert isinstance(context, av.AudioCodecContext)
        context.sample_rate, context.layout = self.rate, "mono"
        parts: list[Samples] = []
        for packet in packets:
            for frame in context.decode(av.Packet(packet.payload)):
                data = frame.to_ndarray().astype(np.float64)
                if frame.format.is_planar:
                    parts.append(data[0])
                else:
                    parts.append(data.reshape(-1, frame.layout.nb_channels)[:, 0])
        joined = np.concatenate(parts)
        return joined / max(1.0, float(np.abs(joined).max()))


@pytest.fixture
def microphone(tmp_path: Path) -> Path:
    path = tmp_path / "microphone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        tone = 12000 * sine(MICROPHONE_HZ, 48000, 2.0)
        file.writeframes(tone.astype("<i2").tobytes())
    return path


@pytest.fixture
async def page(microphone: Path) -> AsyncIterator[Page]:
    async with chromium_page(microphone=microphone, permissions=["microphone"]) as page:
        yield page


@contextlib.asynccontextmanager
async def playing(phone: Phone, coder: Coder, payload_type: int) -> AsyncIterator[None]:
    """The phone plays its tone until the block ends."""
    frames = coder.encode(sine(PHONE_HZ, coder.rate, 2.0))

    async def play() -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        for frame in _forever(frames):
            phone.send(frame, payload_type=payload_type, ticks=coder.rate // 50)
            due += 0.02
            await asyncio.sleep(max(0.0, due - loop.time()))

    task = asyncio.create_task(play())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _forever(frames: list[bytes]) -> Iterator[bytes]:
    while True:
        yield from frames


@pytest.mark.system
@pytest.mark.needs("chromium")
@pytest.mark.parametrize("codec", ["PCMU", "opus"])
class TestChromium:
    @pytest.fixture
    def relay_config(self, codec: str) -> RelayConfig:
        return RelayConfig(codecs=(codec,), rtcp_interval_s=0.5)

    async def test_tones_and_digits(
        self, engine: RelayEngine, events: Events, page: Page, codec: str
    ) -> None:
        coder = Coder(codec)
        event = "te48" if codec == "opus" else "te8"
        call = new_call()
        await engine.open(call)
        phone = await Phone().start()
        answer = await engine.answer(call, Leg.BROWSER, await page.evaluate(OFFER))
        assert answer.codec == codec
        phone.learn(await engine.offer(call, Leg.SIP))
        await engine.accept(call, Leg.SIP, phone.sdp((codec, event)))
        await page.evaluate(ANSWER, answer.sdp)
        await events.wait(BrowserConnected(call, 1))
        payload_type = 111 if codec == "opus" else 0
        async with playing(phone, coder, payload_type):
            heard = await page.evaluate(LISTEN)
            assert heard["hz"] == pytest.approx(PHONE_HZ, abs=12)
            await phone.inbox.rtp_count(100)
            await page.evaluate(DIAL)
            await events.wait(DigitReceived(call, Leg.BROWSER, "5"))
            await events.wait(DigitReceived(call, Leg.BROWSER, "#"))
            # Chromium reports every five seconds.
            async with asyncio.timeout(20):
                while True:
                    statistics = await engine.statistics(call)
                    if statistics.browser.round_trip_ms is not None:
                        break
                    await asyncio.sleep(0.1)
        audio = [p for p in phone.inbox.rtp if p.payload_type == payload_type]
        samples = coder.decode(audio[20:100])
        own = strength(samples, MICROPHONE_HZ, coder.rate)
        assert own > 0.3
        assert own > 20 * strength(samples, OTHER_HZ, coder.rate)
        assert_one_stream(phone.inbox.rtp)
        assert [each.digit for each in events.of(DigitReceived)] == ["5", "#"]
        assert statistics.browser.lost == 0
        assert statistics.sip.lost == 0
        assert statistics.browser.round_trip_ms < 500
        phone.close()
        await engine.close(call)
