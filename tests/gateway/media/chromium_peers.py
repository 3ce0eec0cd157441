"""Peer connections of a real Chromium that see and hear each other.

One page has them all, as pages of their own would be: each sends bars that show its
number, and a tone of its own.
"""

from __future__ import annotations

import contextlib
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from playwright.async_api import Page

from gateway.media.engine import MediaCallId
from tests.gateway.media.chromium import chromium_page
from tests.gateway.media.rig import new_call

WAIT_S = 30.0

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
      for (const {id} of streams) {
        this.streams.set(`${id} ${track.kind}`, {track, element});
      }
    };
  }

  prefer(codec) {
    const {codecs} = RTCRtpReceiver.getCapabilities('video');
    this.pc.getTransceivers()[1].setCodecPreferences(
      codecs.filter((each) => each.mimeType === `video/${codec}`));
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
    // Lines with nobody in them.
    for (const line of this.pc.getTransceivers()) {
      if (line.currentDirection !== 'inactive') continue;
      for (const [key, {track}] of this.streams) {
        if (track === line.receiver.track) this.streams.delete(key);
      }
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
class Peer:
    """One of the page's peers, and its call."""

    page: Page
    name: str
    number: int
    hz: int
    call: MediaCallId = field(default_factory=new_call)
    generation: int = 1
    sdp: str = ""

    @classmethod
    async def start(cls, page: Page, name: str, number: int, hz: int) -> Self:
        """A peer with a camera that shows ``number`` and a tone of ``hz``."""
        await page.evaluate(
            "([name, number, hz]) => { peers[name] = new Peer(name, number, hz); }",
            [name, number, hz],
        )
        return cls(page, name, number, hz)

    async def do(self, method: str, *arguments: object) -> Any:
        """Call a method of it in the page."""
        return await self.page.evaluate(
            "([name, method, args]) => peers[name][method](...args)",
            [self.name, method, list(arguments)],
        )


@contextlib.asynccontextmanager
async def peers_page(folder: Path) -> AsyncIterator[Page]:
    """A page without peers; files go to ``folder``."""
    microphone = folder / "microphone.wav"
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
