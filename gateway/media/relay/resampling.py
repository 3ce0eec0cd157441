"""A source's frames at another rate: 8, 16 and 48 kHz are multiples of each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gateway.media.relay.sound_codecs import Samples

# Taps of the filter for each sample of the lower rate; a Hann-windowed sinc.
_LOBES = 12
# Where the filter begins to close, of the lower rate's half.
_CUTOFF = 0.9


class Resampler:
    """One direction of one source; it remembers the end of the last frame.

    Args:
        from_rate: Hz of what comes in; a multiple or a divisor of ``to_rate``.
        to_rate: Hz of what comes out.
    """

    __slots__ = ("_down", "_filter", "_past", "_up")

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self._up = max(1, to_rate // from_rate)
        self._down = max(1, from_rate // to_rate)
        if from_rate * self._up != to_rate * self._down:
            raise ValueError("one rate must be a multiple of the other")
        ratio = max(self._up, self._down)
        self._filter = _low_pass(ratio) * self._up
        self._past: npt.NDArray[np.float64] = np.zeros(len(self._filter) - 1)

    def resample(self, frame: Samples) -> Samples:
        """The next frame; the number of samples must divide by the ratio."""
        if self._up == self._down:
            return frame
        spread: npt.NDArray[np.float64]
        if self._up > 1:
            spread = np.zeros(len(frame) * self._up)
            spread[:: self._up] = frame
        else:
            spread = frame.astype(np.float64)
        joined = np.concatenate([self._past, spread])
        self._past = joined[-len(self._past) :]
        smooth = np.convolve(joined, self._filter, "valid")[:: self._down]
        return np.clip(np.rint(smooth), -32768, 32767).astype(np.int16)


def _low_pass(ratio: int) -> npt.NDArray[np.float64]:
    """Sum 1; passes what both rates can carry."""
    half = _LOBES * ratio // 2
    at = np.arange(-half, half + 1)
    taps = np.sinc(at * _CUTOFF / ratio) * np.hanning(len(at) + 2)[1:-1]
    return np.asarray(taps / taps.sum(), dtype=np.float64)
