"""Tones: write them as WAV files, and find them in what was heard.

Samples are float arrays, full scale 1.0. A tone is found by where the energy is, so
that echo, clipping or codec noise do not hide it and silence never passes.
"""

from __future__ import annotations

import struct
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float64]

# Below this root mean square a piece of sound is silence (about -46 dB).
SILENCE = 0.005


@dataclass(frozen=True, slots=True)
class Sound:
    """A piece of mono sound; ``rate`` in samples per second."""

    samples: Samples
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    def last(self, seconds: float) -> Sound:
        """The end of it, all of it if it is shorter."""
        count = int(seconds * self.rate)
        return Sound(self.samples[-count:] if count else self.samples[:0], self.rate)


def write_tone(
    path: Path,
    hz: float,
    *,
    rate: int,
    seconds: float,
    level: float = 0.4,
    channels: int = 1,
) -> Path:
    """Write a 16-bit WAV file with one sine tone, the same in all channels."""
    turns = 2 * np.pi * hz * np.arange(int(rate * seconds)) / rate
    write_wav(path, Sound(level * np.sin(turns), rate), channels=channels)
    return path


def write_ulaw_tone(path: Path, hz: float, *, seconds: float) -> Path:
    """Write one sine tone as G.711 mu-law without a header, as RTP has it."""
    rate = 8000
    turns = 2 * np.pi * hz * np.arange(int(rate * seconds)) / rate
    linear = np.rint(0.4 * 32767 * np.sin(turns)).astype(int)
    biased = np.abs(linear) + 132
    segment = np.floor(np.log2(biased)).astype(int) - 7
    step = (biased >> (segment + 3)) & 15
    octets = ~((linear < 0) << 7 | segment << 4 | step) & 255
    path.write_bytes(octets.astype(np.uint8).tobytes())
    return path


def write_wav(path: Path, sound: Sound, *, channels: int = 1) -> None:
    """Write 16 bits, the same in all channels."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(sound.rate)
        frames = (sound.samples * 32767).astype("<i2")
        file.writeframes(np.repeat(frames, channels).tobytes())


def read_growing_wav(path: Path) -> Sound:
    """Read a 16-bit WAV file that is perhaps still written to.

    Its lengths are not believed. Several channels are mixed to one.
    """
    data = path.read_bytes()
    channels, rate = 1, 8000
    position = 12
    while position + 8 <= len(data):
        name, size = data[position : position + 4], _u32(data, position + 4)
        position += 8
        if name == b"fmt ":
            channels, rate = struct.unpack_from("<HI", data, position + 2)
        if name == b"data":
            body = data[position:]
            body = body[: len(body) // (2 * channels) * (2 * channels)]
            frames = np.frombuffer(body, "<i2").reshape(-1, channels)
            return Sound(frames.mean(axis=1) / 32768, rate)
        position += size + (size & 1)
    return Sound(np.zeros(0), rate)


def _u32(data: bytes, position: int) -> int:
    return int(struct.unpack_from("<I", data, position)[0])


def level(sound: Sound) -> float:
    """Root mean square, 0.0 to 1.0."""
    if not len(sound.samples):
        return 0.0
    return float(np.sqrt(np.mean(sound.samples**2)))


def _spectrum(sound: Sound) -> tuple[Samples, Samples]:
    window = np.hanning(len(sound.samples))
    power: Samples = (np.abs(np.fft.rfft(sound.samples * window)) ** 2).astype(
        np.float64
    )
    frequencies: Samples = np.fft.rfftfreq(len(sound.samples), 1 / sound.rate).astype(
        np.float64
    )
    return frequencies, power


def dominant_hz(sound: Sound) -> float:
    """The strongest frequency, 0.0 in silence."""
    if level(sound) < SILENCE or len(sound.samples) < 64:
        return 0.0
    frequencies, power = _spectrum(sound)
    return float(frequencies[int(np.argmax(power))])


def share_at(sound: Sound, hz: float, *, width_hz: float = 25.0) -> float:
    """How much of the energy lies within ``width_hz`` of ``hz``, 0.0 to 1.0."""
    if level(sound) < SILENCE or len(sound.samples) < 64:
        return 0.0
    frequencies, power = _spectrum(sound)
    return float(power[np.abs(frequencies - hz) <= width_hz].sum() / power.sum())


def has_tone(sound: Sound, hz: float, *, share: float = 0.6) -> bool:
    """Whether ``hz`` has at least this share of the energy."""
    return share_at(sound, hz) >= share


def assert_tone(sound: Sound, hz: float, *, share: float = 0.6) -> None:
    """Fail, saying what was heard instead, unless the tone is most of the sound."""
    found = share_at(sound, hz)
    assert found >= share, (
        f"{hz:.0f} Hz has {found:.0%} of the energy, not {share:.0%}: in "
        f"{sound.seconds:.2f} s of level {level(sound):.4f} the strongest is "
        f"{dominant_hz(sound):.0f} Hz"
    )


def assert_no_tone(sound: Sound, hz: float, *, share: float = 0.05) -> None:
    """Fail if the tone is there."""
    found = share_at(sound, hz)
    assert found <= share, f"{hz:.0f} Hz has {found:.0%} of the energy"
