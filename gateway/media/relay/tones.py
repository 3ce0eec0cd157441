"""What the peer hears while the browser is away, encoded once per worker.

Quiet noise first (silence sounds like a dropped call), then a soft double beep every
four seconds. PyAV, which aiortc brings, encodes all four codecs.
"""

from __future__ import annotations

import array
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import av

from gateway.media.relay.codecs import Codec

FRAME_MS = 20
_QUIET_FRAMES = 50
_TONE_FRAMES = 200
_NOISE_AMPLITUDE = 24
_BEEP_AMPLITUDE = 1800
_BEEP_HZ = 425.0
_BEEPS_MS = ((0, 160), (260, 420))
_RAMP_MS = 20

_ENCODERS = {
    "PCMU": ("pcm_mulaw", 8000),
    "PCMA": ("pcm_alaw", 8000),
    "G722": ("g722", 16000),
    "opus": ("libopus", 48000),
}


@dataclass(frozen=True, slots=True)
class ToneFrames:
    """Encoded 20 ms frames, to be repeated."""

    quiet: Sequence[bytes]
    tone: Sequence[bytes]


def encode_tones(codec: Codec, rng: random.Random) -> ToneFrames:
    """Encode both sounds (some milliseconds of CPU)."""
    name, sample_rate = _ENCODERS[codec.name]
    return ToneFrames(
        quiet=_encode(name, sample_rate, _noise(sample_rate, _QUIET_FRAMES, rng)),
        tone=_encode(name, sample_rate, _beeps(sample_rate, _TONE_FRAMES, rng)),
    )


def _noise(sample_rate: int, frames: int, rng: random.Random) -> array.array[int]:
    count = frames * FRAME_MS * sample_rate // 1000
    return array.array(
        "h", (rng.randint(-_NOISE_AMPLITUDE, _NOISE_AMPLITUDE) for _ in range(count))
    )


def _beeps(sample_rate: int, frames: int, rng: random.Random) -> array.array[int]:
    samples = _noise(sample_rate, frames, rng)
    for start_ms, end_ms in _BEEPS_MS:
        for index in range(
            start_ms * sample_rate // 1000, end_ms * sample_rate // 1000
        ):
            at_ms = index * 1000 / sample_rate
            ramp = min(1.0, (at_ms - start_ms) / _RAMP_MS, (end_ms - at_ms) / _RAMP_MS)
            wave = math.sin(2 * math.pi * _BEEP_HZ * index / sample_rate)
            samples[index] += round(_BEEP_AMPLITUDE * ramp * wave)
    return samples


def _encode(name: str, sample_rate: int, samples: array.array[int]) -> list[bytes]:
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate = sample_rate
    context.format = "s16"
    context.layout = "mono"
    if name == "libopus":
        context.bit_rate = 16000
        context.options = {"application": "voip", "frame_duration": str(FRAME_MS)}
    size = FRAME_MS * sample_rate // 1000
    encoded: list[bytes] = []
    for index in range(0, len(samples), size):
        frame = av.AudioFrame(format="s16", layout="mono", samples=size)
        frame.planes[0].update(samples[index : index + size].tobytes())
        frame.sample_rate = sample_rate
        frame.pts = index
        encoded += [bytes(packet) for packet in context.encode(frame)]
    return encoded
