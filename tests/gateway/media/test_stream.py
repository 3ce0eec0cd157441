"""RelayedStream: one outgoing stream whatever comes in."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.media.relay.audio_stream import AudioRoute, AudioStream, EventRoute
from gateway.media.relay.stream import (
    DROPPED,
    Mute,
    stripped_bytes,
)
from tests.gateway.media.rig import Rtp, build_rtp

AUDIO = {0: AudioRoute(8, 8000), 111: AudioRoute(97, 48000)}
EVENTS = {101: EventRoute(126, 8000, 8000), 110: EventRoute(126, 48000, 8000)}


@dataclass
class Line:
    """A stream with a clock."""

    stream: AudioStream
    digits: list[str]
    now: float = 100.0

    def put(self, packet: bytes, *, after: float = 0.02) -> Rtp | None:
        self.now += after
        buffer = memoryview(bytearray(packet + bytes(64)))
        start = self.stream.rewrite(buffer, len(packet), self.now)
        if start == DROPPED:
            return None
        return Rtp.parse(bytes(buffer[start : len(packet)]))

    def relayed(self, packet: bytes, *, after: float = 0.02) -> Rtp:
        out = self.put(packet, after=after)
        assert out is not None
        return out


@pytest.fixture
def line() -> Line:
    return new_line()


def new_line(clock_rate: int = 8000) -> Line:
    digits: list[str] = []
    stream = AudioStream(ssrc=7, rng=random.Random(1), on_digit=digits.append)
    stream.set_payloads(AUDIO, EVENTS, clock_rate=clock_rate)
    return Line(stream, digits)


def test_usual_packets_keep_payload_and_spacing(line: Line) -> None:
    first = line.relayed(build_rtp(0, 500, 9000, 1, b"a"))
    second = line.relayed(build_rtp(0, 501, 9160, 1, b"b"))
    assert (first.payload, second.payload) == (b"a", b"b")
    assert (first.payload_type, first.ssrc) == (8, 7)
    assert (second.sequence - first.sequence) & 0xFFFF == 1
    assert (second.timestamp - first.timestamp) & 0xFFFFFFFF == 160
    assert first.marker
    assert not second.marker


def test_sequence_and_timestamp_wrap(line: Line) -> None:
    out = [
        line.relayed(build_rtp(0, 65530 + i, 0xFFFFFF00 + 160 * i, 1, b""))
        for i in range(12)
    ]
    for before, after in itertools.pairwise(out):
        assert (after.sequence - before.sequence) & 0xFFFF == 1
        assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == 160
    assert line.stream.total_lost == 0
    assert line.stream.jitter < 1


def test_new_source_continues_sequence_and_advances_time(line: Line) -> None:
    last = line.relayed(build_rtp(0, 10, 100, 1, b""))
    out = line.relayed(build_rtp(0, 40000, 77, 2, b""), after=1.0)
    assert (out.sequence - last.sequence) & 0xFFFF == 1
    assert (out.timestamp - last.timestamp) & 0xFFFFFFFF == 8000
    assert out.marker


def test_totals_survive_a_new_source(line: Line) -> None:
    line.relayed(build_rtp(0, 10, 100, 1, b""))
    line.relayed(build_rtp(0, 13, 580, 1, b""))
    line.stream.new_source()
    line.stream.new_source()
    line.relayed(build_rtp(0, 14, 740, 1, b""))
    assert (line.stream.total_received, line.stream.total_lost) == (3, 2)
    assert line.stream.total_sent == 3


def test_restarted_sequence_needs_two_packets(line: Line) -> None:
    last = line.relayed(build_rtp(0, 10, 100, 1, b""))
    assert line.put(build_rtp(0, 30000, 260, 1, b"")) is None
    out = line.relayed(build_rtp(0, 30001, 420, 1, b""))
    assert (out.sequence - last.sequence) & 0xFFFF == 1


def test_restarted_timestamp_never_goes_back(line: Line) -> None:
    last = line.relayed(build_rtp(0, 10, 0x80000000, 1, b""))
    out = line.relayed(build_rtp(0, 11, 5, 1, b""))
    assert (out.timestamp - last.timestamp) & 0xFFFFFFFF == 160


def test_late_packet_fills_its_gap_once(line: Line) -> None:
    first = line.relayed(build_rtp(0, 10, 0, 1, b"0"))
    third = line.relayed(build_rtp(0, 12, 320, 1, b"2"))
    second = line.relayed(build_rtp(0, 11, 160, 1, b"1"))
    assert [(p.sequence - first.sequence) & 0xFFFF for p in (second, third)] == [1, 2]
    assert line.put(build_rtp(0, 11, 160, 1, b"X")) is None
    assert line.put(build_rtp(0, 12, 320, 1, b"Y")) is None
    assert line.stream.late == 2
    assert line.stream.total_lost == 0


def test_withheld_packets_leave_no_gap(line: Line) -> None:
    last = line.relayed(build_rtp(0, 10, 0, 1, b""))
    assert line.put(build_rtp(13, 11, 160, 1, b"comfort noise")) is None
    assert line.stream.unknown_payload == 1
    out = line.relayed(build_rtp(0, 12, 320, 1, b""))
    assert (out.sequence - last.sequence) & 0xFFFF == 1
    assert line.stream.total_lost == 0


def test_muted_stream_counts_but_sends_nothing(line: Line) -> None:
    last = line.relayed(build_rtp(0, 10, 0, 1, b""))
    line.stream.mute(Mute.HOLD)
    line.stream.mute(Mute.INJECTING)
    for index in range(50):
        assert line.put(build_rtp(0, 11 + index, 160 + 160 * index, 1, b"")) is None
    line.stream.unmute(Mute.HOLD)
    assert line.put(build_rtp(0, 61, 160 * 51, 1, b"")) is None
    line.stream.unmute(Mute.INJECTING)
    out = line.relayed(build_rtp(0, 62, 160 * 52, 1, b""))
    assert (out.sequence - last.sequence) & 0xFFFF == 1
    assert (out.timestamp - last.timestamp) & 0xFFFFFFFF == 52 * 160
    assert line.stream.total_received == 53
    assert line.stream.total_sent == 2


def test_codec_of_another_clock_rebases(line: Line) -> None:
    last = line.relayed(build_rtp(0, 10, 0, 1, b""))
    out = line.relayed(build_rtp(111, 11, 555, 1, b""))
    assert out.payload_type == 97
    assert line.stream.clock_rate == 48000
    assert 0 < (out.timestamp - last.timestamp) & 0xFFFFFFFF <= 960
    assert (out.sequence - last.sequence) & 0xFFFF == 1


def test_event_duration_is_scaled_to_the_other_clock(line: Line) -> None:
    line.relayed(build_rtp(0, 10, 0, 1, b""))
    event = bytes([3, 0x8A]) + (4800).to_bytes(2, "big")
    out = line.relayed(build_rtp(110, 11, 160, 1, event, marker=True))
    assert out.payload == bytes([3, 0x8A]) + (800).to_bytes(2, "big")
    assert line.digits == ["3"]


def test_jitter_follows_rfc_3550() -> None:
    line = new_line()
    expected = 0.0
    transit = None
    rng = random.Random(5)
    for index in range(200):
        delay = rng.uniform(0, 0.01)
        arrival = 200.0 + index * 0.02 + delay
        line.now = arrival
        line.relayed(build_rtp(0, index, index * 160, 1, b""), after=0.0)
        now_transit = arrival * 8000 - index * 160
        if transit is not None:
            expected += (abs(now_transit - transit) - expected) / 16
        transit = now_transit
    assert line.stream.jitter == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    "packet",
    [
        b"\x8f" + bytes(11),
        b"\x90" + bytes(11),
        b"\x90" + bytes(13) + b"\xff\xff",
        b"\xa0" + bytes(11) + b"\x09",
        b"\xa0" + bytes(11) + b"\x00",
        b"\xa0" + bytes(11),
    ],
    ids=["csrc count", "no extension", "extension length", "padding", "zero", "none"],
)
def test_lying_headers_are_malformed(line: Line, packet: bytes) -> None:
    assert stripped_bytes(memoryview(packet), len(packet)) == -1
    assert line.put(packet) is None
    assert line.stream.malformed == 1


packets = st.tuples(
    st.sampled_from([0, 0, 0, 0, 111, 101, 110, 13]),
    st.integers(0, 65535),
    st.integers(0, 0xFFFFFFFF),
    st.sampled_from([1, 1, 1, 2]),
    st.binary(max_size=8),
    st.floats(0, 30),
)
follow_ups = st.tuples(st.integers(0, 4), packets, st.sampled_from([*list(Mute), None]))


@settings(deadline=None, max_examples=200)
@given(st.lists(follow_ups, max_size=40))
def test_no_outgoing_number_is_used_twice(
    story: list[tuple[int, tuple[int, int, int, int, bytes, float], Mute | None]],
) -> None:
    """Under AES counter mode a number with two payloads would show both."""
    line = new_line()
    used: set[int] = set()
    sequence = timestamp = 0
    for step, (kind, random_seq, random_ts, ssrc, payload, pause), mute in story:
        if step == 0:
            sequence, timestamp = random_seq, random_ts
        else:
            sequence, timestamp = sequence + step - 1, timestamp + 160 * (step - 1)
        if mute is not None and random_seq % 2:
            line.stream.mute(mute)
        elif mute is not None:
            line.stream.unmute(mute)
        out = line.put(build_rtp(kind, sequence, timestamp, ssrc, payload), after=pause)
        if out is not None:
            assert out.sequence not in used
            assert out.ssrc == 7
            used.add(out.sequence)


@settings(deadline=None)
@given(st.binary(min_size=12, max_size=200))
def test_any_bytes_are_relayed_or_counted(data: bytes) -> None:
    line = new_line()
    packet = bytes([0x80 | data[0] & 0x3F]) + data[1:]
    line.put(packet)
    line.put(packet)
    assert line.stream.total_sent <= 1


@settings(deadline=None)
@given(st.lists(follow_ups, max_size=30))
def test_who_is_overheard_is_relayed_as_before(
    story: list[tuple[int, tuple[int, int, int, int, bytes, float], Mute | None]],
) -> None:
    """And the listener has all audio, muted or not, and nothing else."""
    plain, tapped = new_line(), new_line()
    heard: list[tuple[int, bytes]] = []
    tapped.stream.listen(
        lambda payload_type, ssrc, timestamp, payload: heard.append(
            (payload_type, payload)
        )
    )
    said: list[tuple[int, bytes]] = []
    for _, (kind, sequence, timestamp, ssrc, payload, pause), mute in story:
        if mute is not None:
            for line in (plain, tapped):
                line.stream.set_mute(mute, muted=sequence % 2 == 1)
        packet = build_rtp(kind, sequence, timestamp, ssrc, payload)
        assert plain.put(packet, after=pause) == tapped.put(packet, after=pause)
        if kind in AUDIO:
            said.append((kind, payload))
    assert heard == said
    assert plain.stream.total_sent == tapped.stream.total_sent
    assert plain.digits == tapped.digits


def test_padding_is_not_heard(line: Line) -> None:
    heard: list[bytes] = []
    line.stream.listen(lambda kind, ssrc, timestamp, payload: heard.append(payload))
    packet = build_rtp(0, 1, 160, 1, b"sound\x00\x00\x03")
    line.relayed(bytes([packet[0] | 0x20]) + packet[1:])
    line.stream.listen(None)
    line.relayed(build_rtp(0, 2, 320, 1, b"unheard"))
    assert heard == [b"sound"]
