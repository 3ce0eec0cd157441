"""Sound in and out of payloads, for what is mixed or made here.

G.711 goes through tables, which PyAV's own codec fills; G.722 and Opus go through
PyAV. Frames are mono, 16 bits, 20 ms; the rate is that at which the codec samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import av
import numpy as np
import numpy.typing as npt
from av.error import FFmpegError

from gateway.media.relay.codecs import Codec

Samples = npt.NDArray[np.int16]

FRAME_MS = 20

# Speech of a telephone call, not music: full band at a modest rate.
OPUS_BIT_RATE = 32_000

# Of 0 to 10. More costs the worker up to twice as much and is not heard at this rate.
OPUS_COMPLEXITY = 3


class UndecodableError(Exception):
    """A payload is none of its codec."""


class Decoder(Protocol):
    """Of one source: it may remember what went before."""

    def decode(self, payload: bytes) -> Samples:
        """Any number of samples; raises :class:`UndecodableError`."""


class Encoder(Protocol):
    """Towards one receiver: it may remember what went before."""

    def encode(self, samples: Samples) -> bytes:
        """The payload of one frame."""


@dataclass(frozen=True, slots=True)
class _Format:
    name: str
    sample_rate: int


_FORMATS: Mapping[str, _Format] = {
    "PCMU": _Format("pcm_mulaw", 8000),
    "PCMA": _Format("pcm_alaw", 8000),
    "G722": _Format("g722", 16000),
    "opus": _Format("libopus", 48000),
}
_TABLED = ("PCMU", "PCMA")


def sample_rate(codec: Codec) -> int:
    """Samples a second of its frames, in Hz; G.722's RTP clock is another."""
    return _FORMATS[codec.name].sample_rate


def frame_samples(codec: Codec) -> int:
    """Samples of a frame."""
    return sample_rate(codec) * FRAME_MS // 1000


@dataclass(frozen=True, slots=True)
class _Tables:
    """G.711 by look-up: 256 samples, and a byte for each of 65536 samples."""

    expanded: Samples
    compressed: npt.NDArray[np.uint8]

    def decode(self, payload: bytes) -> Samples:
        return self.expanded[np.frombuffer(payload, np.uint8)]

    def encode(self, samples: Samples) -> bytes:
        return self.compressed[samples.view(np.uint16)].tobytes()


def _tables(format_: _Format) -> _Tables:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.int16)
    compressed = _AvEncoder(format_).encode(every)
    expanded = _AvDecoder(format_).decode(bytes(range(256)))
    return _Tables(expanded, np.frombuffer(compressed, np.uint8))


class _AvDecoder:
    def __init__(self, format_: _Format) -> None:
        context = av.CodecContext.create(format_.name, "r")
        assert isinstance(context, av.AudioCodecContext)
        context.sample_rate = format_.sample_rate
        context.format = "s16"
        context.layout = "mono"
        self._context = context

    def decode(self, payload: bytes) -> Samples:
        try:
            frames = self._context.decode(av.Packet(payload))
        except FFmpegError as error:
            raise UndecodableError(str(error)) from None
        # The plane may be longer than what was decoded.
        parts = [
            np.frombuffer(bytes(frame.planes[0]), np.int16)[: frame.samples]
            for frame in frames
        ]
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)


class _AvEncoder:
    def __init__(self, format_: _Format) -> None:
        context = av.CodecContext.create(format_.name, "w")
        assert isinstance(context, av.AudioCodecContext)
        context.sample_rate = format_.sample_rate
        context.format = "s16"
        context.layout = "mono"
        if format_.name == "libopus":
            context.bit_rate = OPUS_BIT_RATE
            context.options = {
                "application": "voip",
                "frame_duration": str(FRAME_MS),
                "compression_level": str(OPUS_COMPLEXITY),
            }
        self._context = context
        self._format = format_
        self._pts = 0

    def encode(self, samples: Samples) -> bytes:
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples))
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate = self._format.sample_rate
        frame.pts = self._pts
        self._pts += len(samples)
        return b"".join(bytes(packet) for packet in self._context.encode(frame))


class SoundCodecs:
    """Makes decoders and encoders; those of G.711 share their tables."""

    def __init__(self) -> None:
        self._known: dict[str, _Tables] = {}

    def decoder(self, codec: Codec) -> Decoder:
        """For one source of such payloads."""
        if codec.name in _TABLED:
            return self._table(codec.name)
        return _AvDecoder(_FORMATS[codec.name])

    def encoder(self, codec: Codec) -> Encoder:
        """For one receiver of such payloads."""
        if codec.name in _TABLED:
            return self._table(codec.name)
        return _AvEncoder(_FORMATS[codec.name])

    def _table(self, name: str) -> _Tables:
        if name not in self._known:
            self._known[name] = _tables(_FORMATS[name])
        return self._known[name]
