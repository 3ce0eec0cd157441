"""VideoStream: numbers, keyframes, and packets that are asked for again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.media.relay.keyframes import KeyframeAsker
from gateway.media.relay.stream import DROPPED, Mute
from gateway.media.relay.video_payload import starts_keyframe
from gateway.media.relay.video_stream import (
    HISTORY,
    KEYFRAME_PATIENCE_S,
    REPAIR_S,
    VideoStream,
)
from tests.gateway.media.rig import Rtp, build_rtp

TYPES = {96: 120, 102: 121}
NAMES = {96: "VP8", 102: "H264"}
# VP8 payload descriptor and the first byte of the frame.
KEY, DELTA = b"\x10\x00", b"\x10\x01"


@dataclass
class Line:
    """A stream with a clock, and what it asked for."""

    keyframes_wanted: int = 0
    gaps: list[float] = field(default_factory=list)
    now: float = 100.0

    def __post_init__(self) -> None:
        self.stream = VideoStream(
            ssrc=7,
            rng=random.Random(1),
            on_undecodable=self._want_keyframe,
            on_gap=self.gaps.append,
        )
        self.stream.set_payloads(TYPES, NAMES)
        self.stream.keep_history(wanted=True)

    def _want_keyframe(self) -> None:
        self.keyframes_wanted += 1

    def put(self, packet: bytes, *, after: float = 0.01) -> Rtp | None:
        self.now += after
        buffer = memoryview(bytearray(packet + bytes(64)))
        start = self.stream.rewrite(buffer, len(packet), self.now)
        if start == DROPPED:
            return None
        return Rtp.parse(bytes(buffer[start : len(packet)]))

    def relayed(self, packet: bytes, *, after: float = 0.01) -> Rtp:
        out = self.put(packet, after=after)
        assert out is not None
        return out


@pytest.fixture
def line() -> Line:
    return Line()


def vp8(sequence: int, payload: bytes = DELTA, *, ssrc: int = 1) -> bytes:
    return build_rtp(96, sequence, 3000 * sequence, ssrc, payload)


def started(line: Line, sequence: int = 10) -> Rtp:
    return line.relayed(vp8(sequence, KEY))


def test_timestamps_run_at_90_khz_and_markers_are_kept(line: Line) -> None:
    first = line.relayed(build_rtp(96, 10, 5000, 1, KEY))
    same_frame = line.relayed(build_rtp(96, 11, 5000, 1, DELTA, marker=True))
    next_frame = line.relayed(build_rtp(96, 12, 8000, 1, DELTA))
    assert [p.marker for p in (first, same_frame, next_frame)] == [False, True, False]
    assert first.timestamp == same_frame.timestamp
    assert (next_frame.timestamp - first.timestamp) & 0xFFFFFFFF == 3000
    assert {p.ssrc for p in (first, same_frame, next_frame)} == {7}
    assert {p.payload_type for p in (first, same_frame)} == {120}


def test_nothing_goes_out_before_a_keyframe(line: Line) -> None:
    assert line.put(vp8(10)) is None
    assert line.put(vp8(11)) is None
    assert line.keyframes_wanted == 1
    assert line.stream.holds_back
    out = line.relayed(vp8(12, KEY))
    assert not line.stream.holds_back
    assert line.relayed(vp8(13)).sequence == (out.sequence + 1) & 0xFFFF


def test_a_source_without_keyframes_is_let_through(line: Line) -> None:
    assert line.put(vp8(10)) is None
    assert line.put(vp8(11), after=KEYFRAME_PATIENCE_S - 0.1) is None
    line.relayed(vp8(12), after=0.2)


@pytest.mark.parametrize("reason", [Mute.HOLD, Mute.NO_RECEIVER])
def test_after_a_hold_it_begins_with_a_keyframe_and_leaves_no_gap(
    line: Line, reason: Mute
) -> None:
    last = started(line)
    line.stream.mute(reason)
    for index in range(50):
        assert line.put(vp8(11 + index, KEY)) is None
    assert line.keyframes_wanted == 0
    line.stream.unmute(reason)
    assert line.put(vp8(61)) is None
    assert line.keyframes_wanted == 1
    out = line.relayed(vp8(62, KEY))
    assert out.sequence == (last.sequence + 1) & 0xFFFF
    passed = (out.timestamp - last.timestamp) & 0xFFFFFFFF
    assert passed == pytest.approx(0.52 * 90000, abs=2 * 1800)


def test_a_new_source_continues_the_stream(line: Line) -> None:
    last = started(line)
    line.stream.new_source()
    assert line.put(vp8(40000)) is None
    out = line.relayed(vp8(40001, KEY))
    assert out.sequence == (last.sequence + 1) & 0xFFFF
    assert not out.marker


def test_another_ssrc_in_mid_stream_wants_a_keyframe(line: Line) -> None:
    last = started(line)
    out = line.relayed(vp8(500, ssrc=2))
    assert out.sequence == (last.sequence + 1) & 0xFFFF
    assert line.keyframes_wanted == 1


def test_reordered_packets_keep_their_places(line: Line) -> None:
    first = started(line)
    order = [14, 13, 11, 12, 20, 15]
    out = [line.relayed(vp8(number)) for number in order]
    places = [(packet.sequence - first.sequence) & 0xFFFF for packet in out]
    assert places == [number - 10 for number in order]
    assert line.put(vp8(13)) is None
    assert line.stream.total_lost == 4


def test_packets_that_come_hundreds_later_are_relayed(line: Line) -> None:
    first = started(line)
    for number in range(111, 500):
        line.relayed(vp8(number), after=0.001)
    late = [line.relayed(vp8(number), after=0.001) for number in range(11, 111)]
    places = [(packet.sequence - first.sequence) & 0xFFFF for packet in late]
    assert places == list(range(1, 101))
    assert line.stream.total_lost == 0


def test_gaps_are_reported_once_and_mapped_to_the_source(line: Line) -> None:
    first = started(line)
    line.relayed(vp8(14))
    line.relayed(vp8(15))
    assert len(line.gaps) == 1
    assert line.stream.missing_numbers() == [11, 12, 13]
    assert line.stream.missing_numbers(since=line.now) == []
    lost = [(first.sequence + step) & 0xFFFF for step in (1, 2, 3, 4, 9)]
    assert line.stream.source_numbers(lost) == [11, 12, 13]
    line.relayed(vp8(12))
    assert line.stream.source_numbers(lost) == [11, 13]


def test_nack_numbers_across_both_wraps() -> None:
    line = Line()
    first = line.relayed(vp8(65533, KEY))
    # Bring the outgoing number to its wrap too, with its offset unchanged.
    line.stream.sequence_offset += (65535 - first.sequence) & 0xFFFF
    line.stream.await_keyframe()
    line.relayed(vp8(65534, KEY))
    out = line.relayed(build_rtp(96, 3, 0, 1, DELTA))
    missing = [(out.sequence - step) & 0xFFFF for step in (4, 3, 2, 1)]
    assert line.stream.source_numbers(missing) == [65535, 0, 1, 2]
    back = line.relayed(build_rtp(96, 0, 0, 1, b"back"))
    assert back.sequence == missing[1]
    assert line.stream.source_numbers(missing) == [65535, 1, 2]


def test_what_was_sent_can_be_sent_again(line: Line) -> None:
    first = started(line)
    for number in range(11, 11 + HISTORY):
        line.relayed(vp8(number, DELTA + bytes([number & 0xFF])), after=0.001)
    assert line.stream.sent_packet(first.sequence) is None
    number = (first.sequence + 5) & 0xFFFF
    again = line.stream.sent_packet(number)
    assert again is not None
    assert Rtp.parse(again).sequence == number
    assert Rtp.parse(again).payload == DELTA + bytes([15])
    assert line.stream.sent_packet((first.sequence + 300) & 0xFFFF) is None
    line.stream.keep_history(wanted=False)
    assert line.stream.sent_packet(number) is None


def test_what_will_not_come_is_given_up(line: Line) -> None:
    started(line)
    line.relayed(vp8(12))
    assert not line.stream.give_up_missing(line.now + REPAIR_S / 2)
    assert line.stream.give_up_missing(line.now + REPAIR_S)
    assert not line.stream.give_up_missing(line.now + REPAIR_S)
    assert line.put(vp8(11)) is None


def test_a_muted_stream_asks_for_nothing(line: Line) -> None:
    started(line)
    line.stream.mute(Mute.HOLD)
    line.put(vp8(20))
    assert line.gaps == []
    assert line.stream.missing_numbers() == []


H264_SPS, H264_IDR, H264_P = b"\x67\x42", b"\x65\x88", b"\x41\x9a"


@pytest.mark.parametrize(
    ("name", "payload", "expected"),
    [
        ("VP8", KEY, True),
        ("VP8", DELTA, False),
        ("VP8", b"\x00\x00", False),
        ("VP8", b"\x11\x00", False),
        ("VP8", b"\x90\x80\x05\x00", True),
        ("VP8", b"\x90\x80\x85\x01\x01", False),
        ("VP8", b"\x90\xe0\x85\x01\x07\x20\x00", True),
        ("VP8", b"\x90", False),
        ("VP9", b"\x88\x05", True),
        ("VP9", b"\x08\x05", True),
        ("VP9", b"\x48\x05", False),
        ("VP9", b"\x00\x05", False),
        ("VP9", b"\xa8\x81\x05\x00", True),
        ("VP9", b"\xa8\x81\x05\x02", False),
        ("H264", H264_SPS, True),
        ("H264", H264_IDR, True),
        ("H264", H264_P, False),
        ("H264", b"\x68\xce", False),
        ("H264", b"\x78\x00\x02" + H264_SPS, True),
        ("H264", b"\x78\x00\x02" + H264_P, False),
        ("H264", b"\x78\x00", False),
        ("H264", b"\x7c\x85\x88", True),
        ("H264", b"\x7c\x05\x88", False),
        ("H264", b"\x7c\x81\x88", False),
        ("H264", b"\x7c", False),
        ("H264", b"", False),
        ("AV1", b"x", True),
    ],
)
def test_where_keyframes_begin(name: str, payload: bytes, *, expected: bool) -> None:
    assert starts_keyframe(name, payload) is expected


@given(st.sampled_from(["VP8", "VP9", "H264"]), st.binary(max_size=60))
def test_any_payload_can_be_looked_at(name: str, payload: bytes) -> None:
    assert isinstance(starts_keyframe(name, payload), bool)


def test_keyframes_are_asked_for_at_once_but_not_often() -> None:
    asked: list[int] = []

    def ask() -> float:
        asked.append(1)
        return 0.5

    asker = KeyframeAsker(ask)
    asker.run(0.0)
    assert len(asked) == 0
    for moment in (1.0, 1.1, 1.2):
        asker.want(moment)
    assert len(asked) == 1
    asker.run(1.4)
    assert len(asked) == 1
    asker.run(1.6)
    asker.run(9.0)
    assert len(asked) == 2


follow_ups = st.tuples(
    st.integers(-40, 60),
    st.sampled_from([KEY, DELTA, b"", b"\xff"]),
    st.sampled_from([1, 1, 1, 1, 2]),
    st.sampled_from([96, 96, 96, 102, 13]),
    st.floats(0, 3),
    st.sampled_from([None, None, None, *Mute]),
    st.booleans(),
)


@settings(deadline=None, max_examples=200)
@given(st.lists(follow_ups, max_size=60))
def test_no_outgoing_number_is_used_twice(
    story: list[tuple[int, bytes, int, int, float, Mute | None, bool]],
) -> None:
    """Under AES counter mode a number with two payloads would show both."""
    line = Line()
    used: dict[int, bytes] = {}
    sequence = 1000
    for step, payload, ssrc, kind, pause, mute, on in story:
        sequence = (sequence + step) & 0xFFFF
        if mute is not None:
            line.stream.set_mute(mute, muted=on)
        packet = build_rtp(kind, sequence, 3000 * sequence, ssrc, payload)
        out = line.put(packet, after=pause)
        if out is not None:
            assert out.sequence not in used
            assert out.ssrc == 7
            used[out.sequence] = out.payload
        line.stream.give_up_missing(line.now)
    for number, payload in used.items():
        kept = line.stream.sent_packet(number)
        assert kept is None or Rtp.parse(kept).payload == payload
    for number in line.stream.source_numbers(range(65536)):
        assert number in line.stream.missing_numbers()
