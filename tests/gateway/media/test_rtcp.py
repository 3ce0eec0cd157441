"""RTCP of one leg, and the quality that is worked out from it."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.relay.audio_stream import AudioRoute, AudioStream
from gateway.media.relay.codecs import CODECS
from gateway.media.relay.quality import mean_opinion_score
from gateway.media.relay.rtcp import ReportSession, ntp_timestamp, parse_reports
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
