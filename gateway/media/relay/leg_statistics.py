"""Counters of streams and reports as the engine's contract shows them."""

from __future__ import annotations

from gateway.media.engine import LegStatistics
from gateway.media.relay.codecs import Codec
from gateway.media.relay.quality import mean_opinion_score
from gateway.media.relay.rtcp import ReportSession
from gateway.media.relay.stream import RelayedStream


def leg_statistics(
    codec: Codec | None,
    incoming: RelayedStream,
    outgoing: RelayedStream,
    reports: ReportSession,
    dropped: int,
) -> LegStatistics:
    """One leg's counters; without a ``codec`` no quality is worked out."""
    received, lost = incoming.total_received, incoming.total_lost
    round_trip_ms = None
    if reports.round_trip_s is not None:
        round_trip_ms = round(1000 * reports.round_trip_s, 2)
    mos = None
    if codec is not None and received:
        mos = mean_opinion_score(
            codec,
            loss=lost / (received + lost),
            jitter_ms=incoming.jitter_ms,
            round_trip_ms=round_trip_ms,
        )
    return LegStatistics(
        packets_received=received,
        packets_sent=outgoing.total_sent,
        lost=lost,
        remote_lost=reports.remote_lost,
        jitter_ms=round(incoming.jitter_ms, 3),
        round_trip_ms=round_trip_ms,
        dropped=dropped
        + incoming.malformed
        + incoming.late
        + incoming.unknown_payload
        + reports.malformed,
        mos=mos,
    )
