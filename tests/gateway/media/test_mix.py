"""The mixer and what it is made of, without packets or a clock."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.media.engine import Leg, MediaCallId
from gateway.media.relay.audio_stream import Listener
from gateway.media.relay.codecs import CODECS, Codec
from gateway.media.relay.jitter_buffer import (
    MAX_FILLED,
    MAX_FRAMES,
    TARGET_FRAMES,
    WINDOW,
    JitterBuffer,
)
from gateway.media.relay.mix import mix
from gateway.media.relay.mixer import Mixer
from gateway.media.relay.music import LOOP_FRAMES, NOTE_S, NOTES, Music, render
from gateway.media.relay.resampling import Resampler
from gateway.media.relay.sound_codecs import (
    Decoder,
    Encoder,
    Samples,
    SoundCodecs,
    UndecodableError,
    frame_samples,
    sample_rate,
)
from tests.gateway.media.mix_rig import LOUDNESS, level, tone

PCMU, OPUS = CODECS["pcmu"], CODECS["opus"]
FRAME = 160

frames = st.lists(
    st.lists(st.integers(-32768, 32767), min_size=4, max_size=4), max_size=9
)


@given(frames, st.randoms(use_true_random=False))
def test_a_sum_is_limited_once_in_any_order(
    values: list[list[int]], rng: object
) -> None:
    arrays = [np.array(each, np.int16) for each in values]
    mixed = mix(arrays, 4)
    expected = [
        max(-32768, min(32767, sum(column))) for column in zip(*values, strict=True)
    ]
    assert mixed.tolist() == (expected or [0] * 4)
    assert mixed.dtype == np.int16
    rng.shuffle(arrays)  # type: ignore[attr-defined]
    assert mix(arrays, 4).tolist() == mixed.tolist()


# Who hears whom


class _Plain:
    """Payloads that are the samples themselves."""

    def decode(self, payload: bytes) -> Samples:
        return np.frombuffer(payload, np.int16)

    def encode(self, samples: Samples) -> bytes:
        return samples.tobytes()


class _PlainCodecs(SoundCodecs):
    def decoder(self, codec: Codec) -> Decoder:
        return _Plain()

    def encoder(self, codec: Codec) -> Encoder:
        return _Plain()


class _Party:
    """A call whose two remotes say a bit of their own."""

    def __init__(self, number: int) -> None:
        self.listeners: dict[Leg, Listener | None] = dict.fromkeys(Leg)
        self.bits = {Leg.BROWSER: 1 << 2 * number, Leg.SIP: 2 << 2 * number}
        self.mixes_browser = True
        self.is_mixing = False
        self.takes = True
        self.heard: list[tuple[int, bool]] = []

    def listen(self, leg: Leg, listener: Listener | None) -> None:
        self.listeners[leg] = listener

    def codec_of(self, leg: Leg, payload_type: int) -> Codec | None:
        return PCMU if payload_type == 0 else None

    def set_mixing(self, *, is_mixing: bool) -> None:
        self.is_mixing = is_mixing

    def mix_codec(self) -> Codec | None:
        return PCMU if self.takes else None

    def send_mixed(self, payload: bytes, *, marker: bool, due: float) -> bool:
        samples = np.frombuffer(payload, np.int16)
        assert len(samples) == FRAME
        self.heard.append((int(samples[-1]), marker))
        return True

    def say(self, number: int) -> None:
        for leg, listener in self.listeners.items():
            if listener is not None:
                samples = np.full(FRAME, self.bits[leg], np.int16)
                listener(0, 1, number * FRAME, samples.tobytes())
                listener(13, 1, number * FRAME, b"no audio")


CALLS = 7
graphs = st.dictionaries(
    st.integers(0, CALLS - 1), st.sets(st.integers(0, CALLS - 1)), max_size=CALLS
)


class _Room:
    """A mixer whose clock the test turns."""

    def __init__(self) -> None:
        self.parties = {MediaCallId(str(n)): _Party(n) for n in range(CALLS)}
        self.mixer = Mixer(
            self.parties.get, codecs=_PlainCodecs(), clock=lambda: 0.0, noise=1
        )
        self.number = 0

    def hear(self, graph: dict[int, set[int]]) -> None:
        for call in range(CALLS):
            others = {str(each) for each in graph.get(call, set()) - {call}}
            self.mixer.hear(MediaCallId(str(call)), frozenset(map(MediaCallId, others)))

    def pass_frames(self, count: int) -> None:
        for _ in range(count):
            self.number += 1
            for party in self.parties.values():
                party.say(self.number)
            self.mixer.tick(self.number / 50)


# The mixer arms its timer, which needs a loop; its clock stands still.
@settings(deadline=None, max_examples=60)
@given(st.lists(graphs, min_size=1, max_size=3), st.sets(st.integers(0, CALLS - 1)))
async def test_everybody_hears_whom_it_should_and_nobody_else(
    stories: Sequence[dict[int, set[int]]], held: set[int]
) -> None:
    room = _Room()
    for number, party in enumerate(room.parties.values()):
        party.mixes_browser = number not in held
    for graph in stories:
        room.hear(graph)
        room.pass_frames(MAX_FILLED + TARGET_FRAMES + 2)
    room.mixer.close()
    last = {
        number: stories[-1].get(number, set()) - {number} for number in range(CALLS)
    }
    for number, party in enumerate(room.parties.values()):
        others = last[number]
        is_heard = any(number in each for each in last.values())
        assert party.is_mixing == bool(others)
        assert (party.listeners[Leg.SIP] is not None) == is_heard
        assert (party.listeners[Leg.BROWSER] is not None) == bool(others)
        if others:
            expected = sum(2 << 2 * each for each in others)
            if number not in held:
                expected += 1 << 2 * number
            assert party.heard[-1] == (expected, False)
            assert party.heard[0][1]


async def test_others_are_heard_while_they_are_open() -> None:
    room = _Room()
    first, second = MediaCallId("0"), MediaCallId("1")
    later = room.parties.pop(second)
    room.mixer.hear(first, frozenset({second}))
    party = room.parties[first]
    assert not party.is_mixing
    room.parties[second] = later
    room.mixer.update()
    assert party.is_mixing
    # The same id again is another call.
    replaced = room.parties[second] = _Party(2)
    room.mixer.update()
    assert later.listeners[Leg.SIP] is None
    assert replaced.listeners[Leg.SIP] is not None
    room.mixer.forget(first)
    assert not party.is_mixing
    assert all(listener is None for listener in party.listeners.values())
    assert replaced.listeners[Leg.SIP] is None
    room.mixer.close()


async def test_silence_is_noise_and_a_far_end_on_hold_gets_nothing() -> None:
    room = _Room()
    first, second = MediaCallId("0"), MediaCallId("1")
    room.mixer.hear(first, frozenset({second}))
    for _ in range(50):
        room.mixer.tick(0.0)
    noise = [value for value, _ in room.parties[first].heard]
    assert 0 < max(map(abs, noise)) <= 24
    room.parties[first].takes = False
    room.mixer.tick(0.0)
    assert len(room.parties[first].heard) == 50
    room.parties[first].takes = True
    room.mixer.tick(0.0)
    assert room.parties[first].heard[-1][1]
    room.mixer.close()


# The buffer


class _Line:
    """A buffer, and a source that says numbers."""

    def __init__(self) -> None:
        self.buffer = JitterBuffer(lambda codec: _Plain())
        self.ssrc = 1

    def put(self, number: int, *, start: int = 0, codec: Codec = PCMU) -> None:
        payload = np.full(FRAME, number, np.int16).tobytes()
        timestamp = (start + number * FRAME) & 0xFFFFFFFF
        self.buffer.put(codec, self.ssrc, timestamp, payload)

    def take(self, count: int = 1) -> list[int | None]:
        taken = [self.buffer.take() for _ in range(count)]
        return [None if frame is None else int(frame[0]) for frame in taken]


def test_packets_play_in_order_whatever_the_order_they_come_in() -> None:
    line = _Line()
    # Across the wrap of the timestamp.
    start = 0xFFFFFFFF - 3 * FRAME
    for number in (12, 10, 11, 11, 13):
        line.put(number, start=start - 10 * FRAME)
    assert line.take(4) == [10, 11, 12, 13]
    assert line.buffer.counters.lost == 0


def test_it_waits_before_it_plays_and_again_after_a_pause() -> None:
    line = _Line()
    assert line.take() == [None]
    line.put(100)
    assert line.take() == [None]
    line.put(101)
    assert line.take(2) == [100, 101]
    # Nothing more: the last fades, then there is silence, and it gathers again.
    fading = line.take(MAX_FILLED + 1)
    assert fading == [60, 36, 21, None]
    line.put(130)
    assert line.take() == [None]
    # A single packet is not kept for ever.
    assert line.take() == [130]
    line.put(101)
    assert line.buffer.counters.late == 1


def test_a_lost_packet_is_filled_and_a_late_one_left_out() -> None:
    line = _Line()
    for number in (100, 101, 103, 104):
        line.put(number)
    assert line.take(3) == [100, 101, 60]
    assert line.buffer.counters.lost == 1
    line.put(102)
    assert line.buffer.counters.late == 1
    assert line.take(2) == [103, 104]


def test_silence_that_was_not_sent_is_no_loss_of_time() -> None:
    line = _Line()
    for number in (100, 101, 150, 151):
        line.put(number)
    assert line.take(5) == [100, 101, 60, 150, 151]


def test_a_quick_source_is_kept_up_with() -> None:
    line = _Line()
    taken: list[int | None] = []
    number = 100
    for step in range(20 * WINDOW):
        line.put(number)
        number += 1
        if step % 50 == 0:
            line.put(number)
            number += 1
        taken += line.take()
    said = [each for each in taken if each is not None]
    assert number - said[-1] <= TARGET_FRAMES + 4
    assert said == sorted(said)
    assert len(set(said)) == len(said)


def test_a_slow_source_is_waited_for() -> None:
    line = _Line()
    taken: list[int | None] = []
    number = 100
    for step in range(1000):
        if step % 50:
            line.put(number)
            number += 1
        taken += line.take()
    assert taken.count(None) < 5
    assert line.buffer.counters.late == 0


@pytest.mark.parametrize("what", ["ssrc", "codec", "clock"])
def test_another_source_begins_at_once(what: str) -> None:
    line = _Line()
    line.put(100)
    line.put(101)
    line.take(2)
    start, codec = 0, PCMU
    if what == "ssrc":
        line.ssrc, start = 2, 5_000_000
    elif what == "codec":
        codec = CODECS["pcma"]
    else:
        start = -10 * FRAME - 3 * 8000
    line.put(110, start=start, codec=codec)
    line.put(111, start=start, codec=codec)
    assert line.take(2) == [110, 111]


def test_what_cannot_be_decoded_is_a_gap() -> None:
    codecs = SoundCodecs()
    buffer = JitterBuffer(codecs.decoder)
    encoder = codecs.encoder(OPUS)
    for index in range(6):
        good = encoder.encode(tone(440, 48000, index * 960, 960))
        buffer.put(OPUS, 1, index * 960, b"\xff\xff\xff" if index == 3 else good)
    taken = [buffer.take() for _ in range(6)]
    assert all(frame is not None and len(frame) == 960 for frame in taken)
    assert buffer.counters.undecodable == 1


packets = st.tuples(
    st.sampled_from(["PCMU", "PCMA", "G722", "opus"]),
    st.integers(1, 2),
    st.one_of(st.integers(0, 0xFFFFFFFF), st.integers(0, 60).map(lambda n: n * 160)),
    st.binary(max_size=200),
)


@settings(deadline=None)
@given(st.lists(st.one_of(packets, st.none()), max_size=60))
def test_any_packets_make_whole_frames_and_are_bounded(
    story: list[tuple[str, int, int, bytes] | None],
) -> None:
    buffer = JitterBuffer(SoundCodecs().decoder)
    for step in story:
        if step is not None:
            name, ssrc, timestamp, payload = step
            buffer.put(CODECS[name.lower()], ssrc, timestamp, payload)
            assert len(buffer._packets) <= MAX_FRAMES
        frame = buffer.take()
        assert frame is None or len(frame) == buffer.sample_rate // 50
    # What is left plays to its end, and then there is silence.
    for _ in range(MAX_FRAMES * 10 + MAX_FILLED + TARGET_FRAMES + 300):
        if (frame := buffer.take()) is None and not buffer._packets:
            break
    assert buffer.take() is None


# Codecs, rates, music


@pytest.mark.parametrize("name", CODECS)
def test_codecs_carry_a_tone(name: str) -> None:
    codec, codecs = CODECS[name], SoundCodecs()
    encoder, decoder = codecs.encoder(codec), codecs.decoder(codec)
    size, rate = frame_samples(codec), sample_rate(codec)
    parts = [
        decoder.decode(encoder.encode(tone(1013, rate, index * size, size)))
        for index in range(25)
    ]
    assert {len(part) for part in parts} == {size}
    heard = np.concatenate(parts[5:])
    assert level(heard, rate, 1013) == pytest.approx(1.0, abs=0.1)
    assert level(heard, rate, 1450) < 0.03


def test_g711_is_that_of_the_recommendation() -> None:
    """Extremes and zero (ITU-T G.711 tables 1 and 2, scaled to 16 bits)."""
    codecs = SoundCodecs()
    mu_law, a_law = codecs.decoder(PCMU), codecs.decoder(CODECS["pcma"])
    assert mu_law.decode(b"\x00\x80\xff\x7f").tolist() == [-32124, 32124, 0, 0]
    assert a_law.decode(b"\x2a\xaa\xd5\x55").tolist() == [-32256, 32256, 8, -8]
    silence = np.zeros(2, np.int16)
    assert codecs.encoder(PCMU).encode(silence) == b"\xff\xff"
    assert codecs.encoder(CODECS["pcma"]).encode(silence) == b"\xd5\xd5"
    with pytest.raises(UndecodableError):
        codecs.decoder(OPUS).decode(b"\xff\xff\xff")


@pytest.mark.parametrize(
    ("from_rate", "to_rate"), list(itertools.permutations((8000, 16000, 48000), 2))
)
def test_resampling_keeps_what_both_rates_carry(from_rate: int, to_rate: int) -> None:
    resampler = Resampler(from_rate, to_rate)
    size = from_rate // 50
    parts = [
        resampler.resample(tone(1013, from_rate, index * size, size))
        for index in range(25)
    ]
    assert {len(part) for part in parts} == {to_rate // 50}
    heard = np.concatenate(parts[2:])
    assert level(heard, to_rate, 1013) == pytest.approx(1.0, abs=0.02)
    mirror = min(from_rate, to_rate) - 1013
    if mirror < to_rate / 2:
        assert level(heard, to_rate, mirror) < 0.01


def test_resampling_folds_nothing_back_and_never_wraps() -> None:
    resampler = Resampler(48000, 8000)
    parts = [
        resampler.resample(tone(6987, 48000, index * 960, 960)) for index in range(25)
    ]
    assert level(np.concatenate(parts[2:]), 8000, 8000 - 6987) < 0.01
    square = np.where(np.arange(160) % 8 < 4, 32767, -32768).astype(np.int16)
    up = Resampler(8000, 48000)
    up.resample(square)
    loud = up.resample(square).astype(int)
    assert loud.max() == 32767
    assert max(map(abs, np.diff(loud))) < 32768
    with pytest.raises(ValueError, match="multiple"):
        Resampler(44100, 8000)


def test_music_is_quiet_and_has_no_seam() -> None:
    """At every frame's edge, also from the last to the first, it goes on smoothly."""
    loop = np.concatenate([render(each, 8000) for each in range(LOOP_FRAMES)])
    assert len(loop) == 16 * 8000
    assert 300 < np.abs(loop.astype(int)).max() < LOUDNESS
    seconds = loop.reshape(16, 8000).astype(float)
    assert (seconds**2).mean(axis=1).min() > 100**2
    steps = np.abs(np.diff(np.concatenate([loop, loop[:160]]).astype(int)))
    assert steps.max() < 1500
    at = round(2 * NOTE_S * 8000)
    assert level(loop[at : at + 3200], 8000, NOTES[2]) > 0.05


def test_music_is_made_as_it_is_needed() -> None:
    music = Music(OPUS, SoundCodecs())
    first = music[0]
    assert len(music) == LOOP_FRAMES
    assert len(music._frames) == 1
    assert music[3:5] == [music[3], music[4]]
    assert music[0] is first
    assert len(music._frames) == 5
    with pytest.raises(IndexError):
        music[LOOP_FRAMES]
