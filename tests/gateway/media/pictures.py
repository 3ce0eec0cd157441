"""Pictures that show a number, and a scripted video phone that sends and reads them."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from aiortc.codecs import depayload, get_decoder, get_encoder
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket

from gateway.media.relay.feedback import (
    KeyframeMessage,
    KeyframeRequest,
    Nack,
    build_nack,
)
from gateway.media.relay.feedback import build_keyframe_request as keyframe_request
from gateway.media.relay.rtcp import parse_compound
from tests.gateway.media.rig import Phone, Rtp

WIDTH, HEIGHT, FRAME_RATE = 320, 240, 15
BITS = 8
_BAR = WIDTH // BITS

_EMPTY_REPORT = bytes.fromhex("80c9000100000005")


def picture(number: int) -> av.VideoFrame:
    """Eight bars, white for a one, highest bit left."""
    luma = np.zeros((HEIGHT, WIDTH), np.uint8)
    for bit in range(BITS):
        if number >> (BITS - 1 - bit) & 1:
            luma[:, bit * _BAR : (bit + 1) * _BAR] = 220
    chroma = np.full((HEIGHT // 2, WIDTH), 128, np.uint8)
    return av.VideoFrame.from_ndarray(np.vstack([luma, chroma]), format="yuv420p")


def shown_number(frame: av.VideoFrame) -> int | None:
    """The number in a picture of any size; None: it shows something else."""
    luma = frame.to_ndarray(format="gray")
    number = 0
    for bit in range(BITS):
        middle = int((bit + 0.5) * luma.shape[1] / BITS)
        value = float(luma[luma.shape[0] // 2, middle - 4 : middle + 4].mean())
        if 80 < value < 160:
            return None
        number = number << 1 | (value >= 160)
    return number


def write_camera_file(path: Path, number: int) -> None:
    """What Chromium takes for a camera (y4m)."""
    planes = picture(number).to_ndarray(format="yuv420p").tobytes()
    head = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FRAME_RATE}:1 Ip A1:1 C420mpeg2\n"
    path.write_bytes(head.encode() + (b"FRAME\n" + planes) * FRAME_RATE)


# The same reading in a page, from the video element that plays.
READ_NUMBER = """() => {
  const video = window.screen_;
  if (!video || !video.videoWidth) return null;
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
}"""


class VideoPhone:
    """Sends pictures of :attr:`number`, decodes what comes, loses some of both.

    Attributes:
        number: what its pictures show.
        seen: the number in the last picture it decoded.
        loss: part of the packets that are lost on their way, in both directions.
    """

    def __init__(self, phone: Phone, codec: str, payload_type: int) -> None:
        self.phone = phone
        self.number = 0
        self.seen: int | None = None
        self.loss = 0.0
        self.frames_decoded = 0
        self.keyframes_asked = 0
        self.retransmitted = 0
        self.losses = 0
        self.nacked: set[int] = set()
        self._rng = random.Random(5)
        self._sent: dict[int, bytes] = {}
        self._wants_keyframe = False
        # The first keyframe may have come already.
        self._rtp_at = self._rtcp_at = 0
        self._highest: int | None = None
        self._frame = 0
        self.use(codec, payload_type)

    def use(self, codec: str, payload_type: int) -> None:
        """Send and decode this from now on."""
        self.payload_type = payload_type
        self._codec = RTCRtpCodecParameters(
            mimeType=f"video/{codec}", clockRate=90000, payloadType=payload_type
        )
        self._encoder = get_encoder(self._codec)
        self._decoder = get_decoder(self._codec)
        self._buffer = JitterBuffer(capacity=512, is_video=True)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """It lives inside the block."""
        task = asyncio.create_task(self._run())
        try:
            yield
            if task.done():
                task.result()
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self._take_feedback()
            self._take_video()
            if loop.time() >= due:
                due += 1 / FRAME_RATE
                self._send_frame()
            await asyncio.sleep(0.01)

    # Camera

    def _send_frame(self) -> None:
        frame = picture(self.number)
        frame.pts, frame.time_base = self._frame * 6000, Fraction(1, 90000)
        force, self._wants_keyframe = self._wants_keyframe, False
        payloads, _ = self._encoder.encode(frame, force_keyframe=force)
        self._frame += 1
        for index, payload in enumerate(payloads):
            packet = self.phone.talker.packet(
                self.payload_type,
                payload,
                ticks=0 if index else 6000,
                marker=index == len(payloads) - 1,
            )
            self._sent[self.phone.talker.sequence & 0xFFFF] = packet
            if self._rng.random() >= self.loss:
                self.phone.send_raw(packet)

    def _take_feedback(self) -> None:
        inbox = self.phone.inbox.rtcp
        while self._rtcp_at < len(inbox):
            for message in parse_compound(inbox[self._rtcp_at]).feedback:
                match message:
                    case KeyframeRequest():
                        self.keyframes_asked += 1
                        self._wants_keyframe = True
                    case Nack():
                        for number in message.lost:
                            self.retransmitted += 1
                            self.phone.send_raw(self._sent[number])
            self._rtcp_at += 1

    # Screen

    def ask_for_keyframe(self) -> None:
        """A PLI."""
        source = self.phone.inbox.rtp[-1].ssrc
        pli = keyframe_request(KeyframeMessage.PICTURE_LOSS, 5, source, 1)
        self.phone.send_rtcp(_EMPTY_REPORT + pli)

    def _take_video(self) -> None:
        inbox = self.phone.inbox.rtp
        while self._rtp_at < len(inbox):
            packet = inbox[self._rtp_at]
            self._rtp_at += 1
            if packet.payload_type != self.payload_type:
                continue
            is_again = packet.sequence in self.nacked
            if not is_again and self._rng.random() < self.loss:
                self.losses += 1
                continue
            self._find_gaps(packet)
            self._decode(packet)

    def _find_gaps(self, packet: Rtp) -> None:
        if self._highest is None:
            self._highest = packet.sequence
        ahead = (packet.sequence - self._highest) & 0xFFFF
        if not 0 < ahead < 0x8000:
            return
        lost = [(self._highest + step) & 0xFFFF for step in range(1, ahead)]
        self._highest = packet.sequence
        if lost:
            self.nacked.update(lost)
            nack = build_nack(5, packet.ssrc, lost)
            self.phone.send_rtcp(_EMPTY_REPORT + nack)

    def _decode(self, packet: Rtp) -> None:
        rtp = RtpPacket(
            payload_type=packet.payload_type,
            marker=packet.marker,
            sequence_number=packet.sequence,
            timestamp=packet.timestamp,
            ssrc=packet.ssrc,
        )
        rtp._data = depayload(self._codec, packet.payload)
        _, ready = self._buffer.add(rtp)
        if ready is None:
            return
        for frame in self._decoder.decode(ready):
            assert isinstance(frame, av.VideoFrame)
            self.frames_decoded += 1
            self.seen = shown_number(frame)
