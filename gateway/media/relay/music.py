"""What who waits on hold hears: quiet broken chords, made here and so free of rights.

Sixteen seconds of four chords, eight soft notes each, which ring into each other and
across the seam. A frame is made when it is first needed and kept, so that the first
call on hold pays a little, spread over the loop, and all others nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from gateway.media.relay.codecs import Codec
from gateway.media.relay.sound_codecs import (
    FRAME_MS,
    Samples,
    SoundCodecs,
    frame_samples,
    sample_rate,
)

LOOP_S = 16
LOOP_FRAMES = LOOP_S * 1000 // FRAME_MS

NOTE_S = 0.5
_RING_S = 2.5
_DECAY_S = 0.7
_ATTACK_S = 0.015
# About 24 dB below full scale where most notes ring at once.
_AMPLITUDE = 900.0
_PARTIALS = ((1, 1.0), (2, 0.25), (3, 0.08))

# Semitones from A4 (440 Hz): C, A minor, F and G, up and down again.
_CHORDS = (
    (-9, -2, 3, 7, 10, 7, 3, -2),
    (-12, -5, 0, 3, 7, 3, 0, -5),
    (-16, -9, -4, 0, 3, 0, -4, -9),
    (-14, -7, -2, 2, 5, 2, -2, -7),
)
NOTES = tuple(440.0 * 2 ** (each / 12) for chord in _CHORDS for each in chord)
"""Frequencies in Hz, one each :data:`NOTE_S`."""


class Music(Sequence[bytes]):
    """The loop in one codec, frame by frame."""

    def __init__(self, codec: Codec, codecs: SoundCodecs) -> None:
        self._rate = sample_rate(codec)
        self._size = frame_samples(codec)
        self._encoder = codecs.encoder(codec)
        self._frames: list[bytes] = []

    def __len__(self) -> int:
        return LOOP_FRAMES

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        if not 0 <= index < LOOP_FRAMES:
            raise IndexError(index)
        while len(self._frames) <= index:
            samples = render(len(self._frames), self._rate)
            self._frames.append(self._encoder.encode(samples))
        return self._frames[index]


def render(frame: int, rate: int) -> Samples:
    """One frame of the loop at ``rate`` samples a second."""
    size = rate * FRAME_MS // 1000
    start_s = frame * FRAME_MS / 1000
    since_start: npt.NDArray[np.float64] = np.arange(size) / rate
    total: npt.NDArray[np.float64] = np.zeros(size)
    newest = int(start_s // NOTE_S)
    for number in range(newest - int(_RING_S / NOTE_S), newest + 1):
        at = since_start + (start_s - number * NOTE_S)
        # Those before the start are the end of the loop.
        total += _note(NOTES[number % len(NOTES)], at)
    return np.rint(total).astype(np.int16)


def _note(frequency: float, at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A struck note ``at`` seconds after its beginning."""
    swell = np.minimum(1.0, at / _ATTACK_S)
    ring = np.clip(1.0 - at / _RING_S, 0.0, 1.0) * np.exp(-at / _DECAY_S)
    wave = np.zeros_like(at)
    for multiple, share in _PARTIALS:
        wave += share * np.sin(2 * np.pi * frequency * multiple * at)
    return np.asarray(_AMPLITUDE * swell * ring * wave)
