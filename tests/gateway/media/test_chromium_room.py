"""Real browsers in a room: each sees and hears each other, by stream id."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from gateway.media.engine import BrowserConnected, Leg, MediaCallId, RoomChanged
from gateway.media.relay import RelayConfig, RelayEngine
from tests.gateway.media.chromium import chromium_page
from tests.gateway.media.rig import Events, new_call
from tests.gateway.media.room_rig import received

WAIT_S = 30.0

# One page has the peer connections of all, as pages of their own would be: each sends
# bars that show its number, and a tone of its own.
PAGE = """
class Peer {
  constructor(name, number, hz) {
    Object.assign(this, {name, number, hz, streams: new Map()});
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [320, 240];
    const context = canvas.getContext('2d');
    let turn = 0;
    const draw = () => {
      for (let bit = 0; bit < 8; bit += 1) {
        context.fillStyle = this.number >> (7 - bit) & 1 ? '#dcdcdc' : '#000';
        context.fillRect(bit * 40, 0, 40, 240);
      }
      context.fillStyle = turn++ % 2 ? '#666' : '#777';
      context.fillRect(0, 0, 320, 8);
    };
    draw();
    this.drawing = setInterval(draw, 66);
    this.camera = canvas.captureStream(15).getVideoTracks()[0];
    const sound = new AudioContext({sampleRate: 48000});
    const tone = new OscillatorNode(sound, {frequency: hz});
    const target = sound.createMediaStreamDestination();
    tone.connect(target);
    tone.start();
    this.sound = sound;
    this.microphone = target.stream.getAudioTracks()[0];
    this.connect();
  }

  connect() {
    this.former = this.pc;
    this.streams = new Map();
    const pc = this.pc = new RTCPeerConnection({bundlePolicy: 'max-bundle'});
    pc.addTransceiver(this.microphone, {direction: 'sendrecv'});
    pc.addTransceiver(this.camera, {direction: 'sendrecv'});
    pc.ontrack = ({track, streams}) => {
      const element = document.createElement(track.kind);
      element.muted = true;
      element.srcObject = new MediaStream([track]);
      element.play();
      for (const {id} of streams) this.streams.set(`${id} ${track.kind}`, {track, element});
    };
  }

  async offer(others) {
    const lines = this.pc.getTransceivers().length;
    for (let each = (lines - 2) / 2; each < others; each += 1) {
      this.pc.addTransceiver('audio', {direction: 'recvonly'});
      this.pc.addTransceiver('video', {direction: 'recvonly'});
    }
    await this.pc.setLocalDescription();
    return this.pc.localDescription.sdp;
  }

  async answer(sdp) {
    await this.pc.setRemoteDescription({type: 'answer', sdp});
    // Who is gone: their tracks are in no stream and muted.
    for (const [key, {track}] of this.streams) {
      const transceiver = this.pc.getTransceivers().find((t) => t.receiver.track === track);
      if (transceiver.currentDirection === 'inactive') this.streams.delete(key);
    }
  }

  sees(name) {
    const video = this.streams.get(`${name} video`)?.element;
    if (!video?.videoWidth) return null;
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0);
    let number = 0;
    for (let bit = 0; bit < 8; bit += 1) {
      const x = Math.floor((bit + 0.5) * canvas.width / 8);
      const [red] = context.getImageData(x, Math.floor(canvas.height / 2), 1, 1).data;
      number = number * 2 + (red > 110 ? 1 : 0);
    }
    return number;
  }

  hears(name) {
    const source = this.streams.get(`${name} audio`);
    if (!source) return null;
    if (!source.analyser) {
      source.analyser = this.sound.createAnalyser();
      source.analyser.fftSize = 8192;
      const stream = new MediaStream([source.track]);
      this.sound.createMediaStreamSource(stream).connect(source.analyser);
    }
    const data = new Float32Array(source.analyser.frequencyBinCount);
    source.analyser.getFloatFrequencyData(data);
    let peak = 2;
    for (let bin = 3; bin < data.length; bin += 1) {
      if (data[bin] > data[peak]) peak = bin;
    }
    return data[peak] > -60 ? peak * 48000 / 8192 : 0;
  }

  perceives(names) {
    return Object.fromEntries(names.map((n) => [n, [this.sees(n), this.hears(n)]]));
  }

  async statistics() {
    const inbound = [];
    for (const each of (await this.pc.getStats()).values()) {
      if (each.type === 'inbound-rtp') inbound.push(each);
    }
    return inbound;
  }

  close() {
    this.pc.close();
    clearInterval(this.drawing);
    this.sound.close();
  }
}
window.peers = {};
window.Peer = Peer;
"""


@dataclass
class Guest:
    """One of the page's peers, and its call."""

    name: str
    number: int
    hz: int
    call: MediaCallId
    page: Page
    generation: int = 1
    sdp: str = ""

    async def do(self, method: str, *arguments: object) -> Any:
        return await self.page.evaluate(
            "([name, method, args]) => peers[name][method](...args)",
            [self.name, method, list(arguments)],
        )


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    microphone = tmp_path / "microphone.wav"
    with wave.open(str(microphone), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(bytes(96000))
    async with chromium_page(
        microphone=microphone, permissions=["microphone", "camera"]
    ) as page:
        # With the permission candidates have addresses.
        await page.evaluate("navigator.mediaDevices.getUserMedia({audio: true})")
        await page.evaluate(f"() => {{ {PAGE} }}")
        yield page


class Meeting:
    """Does what the call layer and the pages do."""

    def __init__(self, engine: RelayEngine, events: Events, page: Page) -> None:
        self._engine = engine
        self._events = events
        self._page = page
        self.guests: list[Guest] = []

    async def negotiate(self, guest: Guest) -> None:
        sdp = await guest.do("offer", max(0, len(self.guests) - 1))
        answer = await self._engine.answer(
            guest.call, Leg.BROWSER, sdp, generation=guest.generation
        )
        guest.sdp = answer.sdp
        await guest.do("answer", answer.sdp)

    async def settle(self) -> None:
        """New offers of those who were asked for one, until nobody is."""
        while True:
            asked = {event.call for event in self._events.of(RoomChanged)}
            self._events.all = [
                each for each in self._events.all if not isinstance(each, RoomChanged)
            ]
            if not asked:
                return
            for guest in self.guests:
                if guest.call in asked:
                    await self.negotiate(guest)

    async def join(self, name: str, number: int, hz: int) -> Guest:
        guest = Guest(name, number, hz, new_call(), self._page)
        await self._page.evaluate(
            "([name, number, hz]) => { peers[name] = new Peer(name, number, hz); }",
            [name, number, hz],
        )
        await self._engine.open(guest.call, room="room")
        await self.negotiate(guest)
        await self._events.wait(BrowserConnected(guest.call, 1))
        self.guests.append(guest)
        await self._engine.enter(guest.call, name=name)
        await self.settle()
        return guest

    async def leave(self, guest: Guest) -> None:
        self.guests.remove(guest)
        await self._engine.close(guest.call)
        await guest.do("close")
        await self.settle()

    async def renew(self, guest: Guest) -> None:
        """The page comes back with another connection."""
        guest.generation += 1
        await guest.do("connect")
        await self.negotiate(guest)
        await self._events.wait(BrowserConnected(guest.call, guest.generation))
        await self._page.evaluate("(name) => peers[name].former.close()", guest.name)

    async def all_meet(self) -> None:
        """Until each sees and hears each other."""
        perceived: dict[str, Any] = {}
        try:
            async with asyncio.timeout(WAIT_S):
                while not await self._is_complete(perceived):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            pytest.fail(f"not within {WAIT_S} s: {perceived}")

    async def _is_complete(self, perceived: dict[str, Any]) -> bool:
        complete = True
        for guest in self.guests:
            others = [each for each in self.guests if each is not guest]
            found = await guest.do("perceives", [each.name for each in others])
            perceived[guest.name] = found
            for other in others:
                number, hz = found[other.name]
                complete &= number == other.number
                complete &= hz is not None and abs(hz - other.hz) < 12
        return complete


def video_of(statistics: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in statistics if each["kind"] == "video"]


@pytest.mark.system
@pytest.mark.needs("chromium")
class TestChromiumRoom:
    @pytest.fixture
    def relay_config(self) -> RelayConfig:
        return RelayConfig(rtcp_interval_s=0.5)

    @pytest.mark.timeout(150)
    async def test_four_meet_one_leaves_one_comes_one_renews(
        self, engine: RelayEngine, events: Events, page: Page
    ) -> None:
        meeting = Meeting(engine, events, page)
        first = await meeting.join("anna", 0b10110010, 500)
        await meeting.join("bert", 0b01001101, 700)
        third = await meeting.join("cleo", 0b11000101, 900)
        await meeting.all_meet()
        for guest in meeting.guests:
            others = {each.name for each in meeting.guests if each is not guest}
            assert {name for name, _ in received(guest.sdp)} == others

        # One leaves; the others stay where they are.
        streams = {guest.name: received(guest.sdp) for guest in meeting.guests}
        await meeting.leave(third)
        await meeting.all_meet()
        assert await first.do("sees", "cleo") is None
        kept = streams["anna"]["bert", "video"]
        now = received(first.sdp)["bert", "video"]
        assert (now.mid, now.ssrc) == (kept.mid, kept.ssrc)

        # Two come; four is a full meeting for the machine that tests it.
        await meeting.join("dora", 0b00111010, 1100)
        await meeting.join("emil", 0b11100110, 1300)
        await meeting.all_meet()

        # One is reloaded: seen and sees again, in the same streams.
        kept_streams = {key: line.ssrc for key, line in received(first.sdp).items()}
        await meeting.renew(first)
        assert {
            key: line.ssrc for key, line in received(first.sdp).items()
        } == kept_streams
        await meeting.all_meet()

        # Pictures flow, and nothing was lost.
        before = {
            guest.name: video_of(await guest.do("statistics"))
            for guest in meeting.guests
        }
        for guest in meeting.guests:
            decoded = {
                each["ssrc"]: each.get("framesDecoded", 0)
                for each in before[guest.name]
            }
            lines = received(guest.sdp)
            wanted = {line.ssrc for (_, kind), line in lines.items() if kind == "video"}
            assert len(wanted) == 3
            async with asyncio.timeout(WAIT_S):
                while True:
                    statistics = await guest.do("statistics")
                    flowing = {
                        each["ssrc"]
                        for each in video_of(statistics)
                        if each["framesDecoded"] >= decoded.get(each["ssrc"], 0) + 10
                    }
                    if wanted <= flowing:
                        break
                    await asyncio.sleep(0.1)
            present = {line.ssrc for line in lines.values()}
            for each in statistics:
                if each["ssrc"] in present:
                    assert each["packetsLost"] == 0, each
                    assert each["packetsReceived"] > 0
        assert events.of(RoomChanged) == []
        for guest in meeting.guests:
            final = await engine.close(guest.call)
            assert final.browser.lost == 0
            assert final.browser_video is not None
            assert final.browser_video.lost == 0
