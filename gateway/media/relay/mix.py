"""The sum of what several parties say. Pure: frames in, a frame out."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from gateway.media.relay.sound_codecs import Samples

_LEAST, _GREATEST = -(1 << 15), (1 << 15) - 1


def mix(frames: Iterable[Samples], size: int) -> Samples:
    """Add frames of ``size`` samples each; what is too loud is held at the limit.

    Their order does not matter: the sum is limited once, at the end. Without frames
    it is silence.
    """
    total: npt.NDArray[np.int32] = np.zeros(size, np.int32)
    for frame in frames:
        total += frame
    return np.clip(total, _LEAST, _GREATEST).astype(np.int16)
