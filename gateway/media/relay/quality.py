"""Listening quality from loss and delay: the E-model (ITU-T G.107) in its short form.

Only the terms that a packet network moves are kept; everything else stands at the
recommendation's defaults, which gives R = 93.2 on a perfect path.
"""

from __future__ import annotations

from gateway.media.relay.codecs import Codec

_R_DEFAULT = 93.2

# Delay of coder, packetisation and a jitter buffer that covers twice the jitter.
_FIXED_DELAY_MS = 30.0


def mean_opinion_score(
    codec: Codec, *, loss: float, jitter_ms: float, round_trip_ms: float | None
) -> float:
    """MOS of one received stream, 1.0 to 4.5.

    Args:
        codec: gives the equipment factors.
        loss: lost packets, 0.0 to 1.0, taken as random (BurstR 1).
        jitter_ms: interarrival jitter.
        round_trip_ms: None when no report has told it; counts as 0.
    """
    delay = (round_trip_ms or 0.0) / 2 + 2 * jitter_ms + _FIXED_DELAY_MS
    delay_impairment = 0.024 * delay
    if delay > 177.3:
        delay_impairment += 0.11 * (delay - 177.3)
    percent = 100.0 * min(max(loss, 0.0), 1.0)
    equipment = codec.impairment + (95.0 - codec.impairment) * percent / (
        percent + codec.robustness
    )
    rating = min(max(_R_DEFAULT - delay_impairment - equipment, 0.0), 100.0)
    score = 1.0 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6
    return round(min(max(score, 1.0), 4.5), 2)
