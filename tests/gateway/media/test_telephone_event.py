"""Digits heard and digits sent (RFC 4733)."""

from __future__ import annotations

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from gateway.media.relay.audio_stream import AudioRoute, AudioStream
from gateway.media.relay.injector import ComfortSound, Injector
from gateway.media.relay.stream import Mute
from gateway.media.relay.telephone_event import (
    DIGITS,
    EventReceiver,
    digit_packets,
    is_dialable,
    scale_duration,
)
from tests.gateway.media.rig import Rtp, build_rtp


def event(code: int, *, end: bool = False) -> bytes:
    return bytes([code, 0x8A if end else 0x0A, 0, 160])


def test_a_digit_is_reported_once_at_its_first_end() -> None:
    receiver = EventReceiver()
    got = [
        receiver.receive(event(5, end=end), ssrc=1, timestamp=10, now=0.0)
        for end in (False, False, True, True, True)
    ]
    assert got == [[], [], ["5"], [], []]


def test_a_digit_whose_ends_were_lost_ends_with_the_next() -> None:
    receiver = EventReceiver()
    assert receiver.receive(event(1), ssrc=1, timestamp=10, now=0.0) == []
    assert receiver.receive(event(2), ssrc=1, timestamp=900, now=0.2) == ["1"]
    assert receiver.expire(0.3) == []
    assert receiver.expire(0.7) == ["2"]
    assert receiver.expire(0.8) == []


def test_a_late_packet_of_an_earlier_event_is_ignored() -> None:
    receiver = EventReceiver()
    receiver.receive(event(1, end=True), ssrc=1, timestamp=1000, now=0.0)
    assert receiver.receive(event(9, end=True), ssrc=1, timestamp=200, now=0.1) == []


def test_equal_digits_in_a_row_are_two() -> None:
    receiver = EventReceiver()
    got: list[str] = []
    for timestamp in (0xFFFFFF00, 0x00000500):
        got += receiver.receive(
            event(11, end=True), ssrc=1, timestamp=timestamp, now=0.0
        )
    assert got == ["#", "#"]


@given(st.binary(max_size=8), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_any_payload_is_survived(payload: bytes, ssrc: int, timestamp: int) -> None:
    receiver = EventReceiver()
    for digit in receiver.receive(payload, ssrc=ssrc, timestamp=timestamp, now=0.0):
        assert digit in DIGITS


def test_durations_saturate() -> None:
    assert scale_duration(800, 8000, 48000) == 4800
    assert scale_duration(60000, 8000, 48000) == 0xFFFF


def test_dialable() -> None:
    assert is_dialable("0123456789*#ABCDabcd")
    assert not is_dialable("")
    assert not is_dialable("12 3")


def test_packets_of_a_digit() -> None:
    packets = list(digit_packets("b", clock_rate=48000))
    assert [packet.at_ms for packet in packets] == list(range(0, 160, 20))
    assert packets[0].payload[0] == 13
    assert int.from_bytes(packets[-1].payload[2:], "big") == 4800
    assert sum(packet.payload[1] & 0x80 > 0 for packet in packets) == 3


def new_stream() -> AudioStream:
    stream = AudioStream(ssrc=7, rng=random.Random(3), on_digit=lambda digit: None)
    stream.set_payloads({0: AudioRoute(0, 8000)}, {}, clock_rate=8000)
    return stream


def feed(stream: AudioStream, index: int, now: float) -> Rtp | None:
    packet = build_rtp(0, index, 160 * index, 1, b"")
    buffer = memoryview(bytearray(packet))
    start = stream.rewrite(buffer, len(packet), now)
    return None if start < 0 else Rtp.parse(bytes(buffer))


def test_audio_clock_continues_through_digits() -> None:
    stream = new_stream()
    injector = Injector(stream)
    out: list[Rtp] = []
    now = 50.0
    for index in range(60):
        now += 0.02
        if index == 10:
            assert injector.send_digits(
                "12", payload_type=101, clock_rate=8000, now=now
            )
        out += [Rtp.parse(packet) for packet in injector.packets_due(now)]
        relayed = feed(stream, index, now)
        out += [relayed] if relayed else []
    assert {(b.sequence - a.sequence) & 0xFFFF for a, b in itertools.pairwise(out)} == {
        1
    }
    events = sorted({p.timestamp for p in out if p.payload_type == 101})
    assert events[1] - events[0] == 1280
    audio = [p for p in out if p.payload_type == 0]
    before, after = audio[9], audio[10]
    ticks = (after.timestamp - before.timestamp) & 0xFFFFFFFF
    # 320 ms of digits; the next frame is where it would have been.
    assert ticks % 160 == 0
    assert 320 <= ticks / 8 <= 380
    assert injector.due is None


def test_too_many_digits_are_refused() -> None:
    injector = Injector(new_stream())
    assert injector.send_digits("1" * 60, payload_type=101, clock_rate=8000, now=0.0)
    assert not injector.send_digits("1" * 6, payload_type=101, clock_rate=8000, now=0.0)


def test_comfort_then_tone_then_the_source_again() -> None:
    stream = new_stream()
    injector = Injector(stream)
    last = feed(stream, 1, 10.0)
    assert last is not None
    sound = ComfortSound(payload_type=0, quiet=[b"q"], tone=[b"t1", b"t2"], delay_s=0.1)
    injector.start_comfort(sound, 10.5)
    out: list[Rtp] = []
    for step in range(10):
        out += [Rtp.parse(p) for p in injector.packets_due(10.5 + 0.02 * step)]
    assert [p.payload for p in out] == [b"q"] * 5 + [b"t1", b"t2"] * 2 + [b"t1"]
    assert (out[0].timestamp - last.timestamp) & 0xFFFFFFFF == 4000
    injector.stop_comfort()
    again = feed(stream, 2, 10.7)
    assert again is not None
    assert (again.sequence - out[-1].sequence) & 0xFFFF == 1
    assert (again.timestamp - out[-1].timestamp) & 0xFFFFFFFF == 160
    assert not stream.is_muted()


def test_comfort_does_not_reach_a_peer_on_hold() -> None:
    stream = new_stream()
    stream.mute(Mute.HOLD)
    injector = Injector(stream)
    sound = ComfortSound(payload_type=0, quiet=[b"q"], tone=[b"t"], delay_s=0.0)
    injector.start_comfort(sound, 1.0)
    assert injector.packets_due(1.1) == []
    assert stream.total_sent == 0


def test_a_stall_does_not_burst() -> None:
    injector = Injector(new_stream())
    sound = ComfortSound(payload_type=0, quiet=[b"q"], tone=[b"t"], delay_s=0.0)
    injector.start_comfort(sound, 1.0)
    assert len(injector.packets_due(11.0)) <= 2
