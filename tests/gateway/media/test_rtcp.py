"""RTCP of one leg, and the quality that is worked out from it."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.relay.audio_stream import AudioRoute, AudioStream
from gateway.media.relay.codecs import CODECS
from gateway.media.relay.feedback import Nack, build_nack
from gateway.media.relay.quality import mean_opinion_score
from gateway.media.relay.rtcp import (
    ReportSession,
    ntp_timestamp,
    parse_compound,
    parse_reports,
)
from gateway.media.relay.source_clock import SourceClock
from gateway.media.relay.stream import RelayedStream
from tests.gateway.media.rig import build_rtp

WALL = 1_800_000_000.0


def new_stream(ssrc: int) -> AudioStream:
    stream = AudioStream(ssrc=ssrc, rng=random.Random(3), on_digit=lambda digit: None)
    stream.set_payloads({0: AudioRoute(0, 8000)}, {}, clock_rate=8000)
    return stream


def feed(stream: AudioStream, *sequences: int, ssrc: int = 99) -> None:
    for sequence in sequences:
        packet = build_rtp(0, sequence, 160 * sequence, ssrc, b"p" * 160)
        stream.rewrite(memoryview(bytearray(packet)), len(packet), sequence * 0.02)


def test_sender_report_with_loss() -> None:
    outgoing, incoming = new_stream(1), new_stream(2)
    session = ReportSession(outgoing=outgoing, incoming=incoming, cname=b"name")
    feed(outgoing, 1, 2, 3)
    feed(incoming, *range(10, 15), *range(16, 20))
    report = session.report(now=1.0, wall=WALL)
    (parsed,) = parse_reports(report)
    assert parsed.ssrc == 1
    assert parsed.ntp == ntp_timestamp(WALL)
    (block,) = parsed.blocks
    assert (block.ssrc, block.lost, block.highest) == (99, 1, 19)
    assert block.fraction_lost == 256 // 10
    packets, octets = struct.unpack_from("!II", report, 20)
    assert (packets, octets) == (3, 480)
    assert b"name" in report
    (silent,) = parse_reports(session.report(now=2.0, wall=WALL + 1))
    assert silent.ntp is None
    assert silent.blocks[0].fraction_lost == 0


def test_round_trip_from_the_remotes_block() -> None:
    near = ReportSession(outgoing=new_stream(1), incoming=new_stream(2), cname=b"a")
    far = ReportSession(outgoing=new_stream(2), incoming=new_stream(1), cname=b"b")
    feed(near._outgoing, 1)
    feed(far._incoming, 5, ssrc=1)
    feed(far._outgoing, 1)
    far.receive(near.report(now=0.0, wall=WALL), now=10.0, wall=WALL)
    reply = far.report(now=12.0, wall=WALL)
    assert near.receive(reply, now=0.0, wall=WALL + 2.150)
    assert near.round_trip_s == pytest.approx(0.150, abs=0.001)


def test_remote_loss_is_taken_over() -> None:
    session = ReportSession(outgoing=new_stream(1), incoming=new_stream(2), cname=b"")
    block = struct.pack("!IIIIII", 1, 0x40 << 24 | 7, 100, 0, 0, 0)
    assert session.receive(
        struct.pack("!BBHI", 0x81, 201, 7, 55) + block, now=0.0, wall=WALL
    )
    assert session.remote_lost == 7
    assert session.round_trip_s is None


def sender_report(ssrc: int, ntp_s: float, timestamp: int) -> bytes:
    body = struct.pack("!IQIII", ssrc, ntp_timestamp(ntp_s), timestamp, 0, 0)
    return struct.pack("!BBH", 0x80, 200, 6) + body


def mapped(report: bytes) -> tuple[float, int]:
    """Wall clock and timestamp of a sender report of ours."""
    ntp, timestamp = struct.unpack_from("!QI", report, 8)
    return ntp / 2**32 - 2208988800, timestamp


def test_what_was_captured_together_is_shown_together() -> None:
    """Audio and video of a source whose clock is years off, in its two reports."""
    clock = SourceClock()
    source_clock = WALL - 1e8
    moments = {}
    # Video takes 150 ms longer than audio to get here.
    for name, rate, delay in (("audio", 8000, 0.0), ("video", 90000, 0.15)):
        stream = RelayedStream(ssrc=1, rng=random.Random(8), clock_rate=rate)
        stream._set_table([0] * 256, rate)
        near = ReportSession(
            outgoing=new_stream(2), incoming=stream, cname=b"", clock=clock
        )
        far = ReportSession(outgoing=stream, incoming=new_stream(3), cname=b"")
        for index in range(10):
            packet = build_rtp(0, index, index * rate // 50, 99, b"p")
            buffer = memoryview(bytearray(packet))
            stream.rewrite(buffer, len(packet), 50.0 + index * 0.02 + delay)
        # Captured at the source's time 0: timestamp 0.
        told = sender_report(99, source_clock + 0.1, rate // 10)
        assert near.receive(told, now=50.2 + delay, wall=WALL + 0.2 + delay)
        moment, timestamp = mapped(far.report(now=51.0, wall=WALL + 1.0))
        first = (stream.last_timestamp - 9 * (rate // 50)) & 0xFFFFFFFF
        captured_s = ((timestamp - first) & 0xFFFFFFFF) / rate
        moments[name] = moment - captured_s
    assert moments["video"] == pytest.approx(moments["audio"], abs=0.001)


def test_a_report_of_another_source_or_time_is_not_mapped() -> None:
    stream = new_stream(1)
    session = ReportSession(outgoing=new_stream(2), incoming=stream, cname=b"")
    feed(stream, *range(1, 6))
    by_arrival = stream.timestamp_at(0.2, WALL)
    session.receive(sender_report(55, WALL, 12345), now=0.2, wall=WALL)
    assert stream.source_report is None
    session.receive(sender_report(99, WALL, 0x70000000), now=0.2, wall=WALL)
    assert stream.timestamp_at(0.2, WALL) == by_arrival
    session.receive(
        struct.pack("!BBHIQIII", 0x80, 200, 6, 99, 0, 1, 0, 0), now=0.2, wall=WALL
    )
    assert stream.source_report is None


def test_a_source_that_sets_its_clock_makes_its_report_void() -> None:
    stream = new_stream(1)
    session = ReportSession(outgoing=new_stream(2), incoming=stream, cname=b"")
    feed(stream, *range(1, 6))
    session.receive(sender_report(99, WALL, 800), now=0.1, wall=WALL)
    assert stream.source_report is not None
    packet = build_rtp(0, 6, 0x50000000, 99, b"p")
    stream.rewrite(memoryview(bytearray(packet)), len(packet), 0.12)
    assert stream.source_report is None


def test_feedback_travels_in_a_compound_packet() -> None:
    session = ReportSession(outgoing=new_stream(1), incoming=new_stream(2), cname=b"n")
    nack = build_nack(1, 9, [5])
    compound = parse_compound(session.covered(nack))
    assert [report.ssrc for report in compound.reports] == [1]
    assert compound.reports[0].blocks == ()
    assert compound.feedback == (Nack(9, (5,)),)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        b"\x80\xc8\x00\x06" + bytes(4),
        b"\x40\xc9\x00\x01" + bytes(4),
        b"\x9f\xc9\x00\x01" + bytes(4),
        b"\x80\xc9\x00\x00" * 3,
        b"\x80\xca\x00\x00" * 17,
    ],
)
def test_garbage_is_counted(data: bytes) -> None:
    session = ReportSession(outgoing=new_stream(1), incoming=new_stream(2), cname=b"")
    assert not session.receive(data, now=0.0, wall=WALL)
    assert session.malformed == 1


@given(st.binary(max_size=300))
def test_any_bytes_parse_or_raise_value_error(data: bytes) -> None:
    session = ReportSession(outgoing=new_stream(1), incoming=new_stream(2), cname=b"")
    session.receive(data, now=0.0, wall=WALL)


def test_quality_falls_with_loss_and_delay() -> None:
    codec = CODECS["pcmu"]
    best = mean_opinion_score(codec, loss=0.0, jitter_ms=0.0, round_trip_ms=None)
    lossy = mean_opinion_score(codec, loss=0.05, jitter_ms=0.0, round_trip_ms=None)
    late = mean_opinion_score(codec, loss=0.05, jitter_ms=20.0, round_trip_ms=600.0)
    dead = mean_opinion_score(codec, loss=1.0, jitter_ms=500.0, round_trip_ms=9999.0)
    assert 4.3 <= best <= 4.5
    assert best > lossy > late > dead >= 1.0
