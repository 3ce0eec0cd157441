"""Who hears whom: far ends of calls, mixed for each other.

Each call that hears others is a *target*: its far end gets a frame every 20 ms, the
sum of its own browser and the other far ends, never of itself. Only what a target
needs is decoded, once for all that hear it; calls that are in no mix are not touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gateway.media.engine import Leg, MediaCallId, MediaError, MediaErrorKind
from gateway.media.relay.audio_stream import Listener
from gateway.media.relay.codecs import Codec
from gateway.media.relay.injector import FRAME_S, MAX_BEHIND_S
from gateway.media.relay.jitter_buffer import JitterBuffer
from gateway.media.relay.mix import mix
from gateway.media.relay.resampling import Resampler
from gateway.media.relay.sound_codecs import (
    Encoder,
    Samples,
    SoundCodecs,
    frame_samples,
    sample_rate,
)

# Eight far ends hear each other at most.
MAX_OTHERS = 7

# Silence sounds like a dropped call: this much noise, of 32767, where nobody speaks.
_NOISE_AMPLITUDE = 24


class Party(Protocol):
    """A call as the mixer sees it."""

    def listen(self, leg: Leg, listener: Listener | None) -> None:
        """Have the audio of a leg's remote heard from now on, or no more."""

    def codec_of(self, leg: Leg, payload_type: int) -> Codec | None:
        """What such a packet of a leg's remote holds."""

    def set_mixing(self, *, is_mixing: bool) -> None:
        """From now on the far end gets frames instead of the browser's packets."""

    @property
    def mixes_browser(self) -> bool:
        """Whether the far end may hear the browser."""

    def mix_codec(self) -> Codec | None:
        """What the far end wants frames in; None: it takes nothing now."""

    def send_mixed(self, payload: bytes, *, marker: bool, due: float) -> bool:
        """Send a frame to the far end; False: it could not be sent now."""


class _Source:
    """What one remote of one call says."""

    def __init__(self, party: Party, leg: Leg, codecs: SoundCodecs) -> None:
        self.party = party
        self.leg = leg
        self._buffer = JitterBuffer(codecs.decoder)
        self._frame: Samples | None = None
        self._resamplers: dict[tuple[int, int], Resampler] = {}
        self._at: dict[int, Samples] = {}
        party.listen(leg, self._hear)

    def _hear(
        self, payload_type: int, ssrc: int, timestamp: int, payload: bytes
    ) -> None:
        codec = self.party.codec_of(self.leg, payload_type)
        if codec is not None:
            self._buffer.put(codec, ssrc, timestamp, payload)

    def advance(self) -> None:
        """The next 20 ms."""
        self._frame = self._buffer.take()
        self._at = {}

    def frame(self, rate: int) -> Samples | None:
        """The present frame at ``rate`` samples a second, None while silent."""
        if self._frame is None:
            return None
        if rate not in self._at:
            key = self._buffer.sample_rate, rate
            resampler = self._resamplers.get(key)
            if resampler is None:
                resampler = self._resamplers[key] = Resampler(*key)
            self._at[rate] = resampler.resample(self._frame)
        return self._at[rate]

    def close(self) -> None:
        self.party.listen(self.leg, None)


@dataclass(slots=True)
class _Target:
    """A far end that hears others."""

    party: Party
    browser: _Source
    others: list[_Source]
    codec: Codec | None = None
    encoder: Encoder | None = None
    # The last frame was not sent: the next begins anew.
    is_new: bool = True

    def sources(self) -> Iterable[_Source]:
        if self.party.mixes_browser:
            yield self.browser
        yield from self.others


class Mixer:
    """See the module's docstring.

    Args:
        find: the call of an id, None while it is not open here.
        clock: monotonic seconds.
        noise: seed of the comfort noise.
    """

    def __init__(
        self,
        find: Callable[[MediaCallId], Party | None],
        *,
        codecs: SoundCodecs,
        clock: Callable[[], float],
        noise: int,
    ) -> None:
        self._find = find
        self._codecs = codecs
        self._clock = clock
        self._noise = np.random.default_rng(noise)
        self._wishes: dict[MediaCallId, frozenset[MediaCallId]] = {}
        self._sources: dict[tuple[MediaCallId, Leg], _Source] = {}
        self._targets: dict[MediaCallId, _Target] = {}
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def target_count(self) -> int:
        """Far ends that hear others now."""
        return len(self._targets)

    def hear(self, call: MediaCallId, others: frozenset[MediaCallId]) -> None:
        """See the engine's contract; others that are not open are heard when they are.

        Raises:
            MediaError: WRONG_STATE: it would hear itself; NO_CAPACITY: too many.
        """
        if call in others:
            raise MediaError(MediaErrorKind.WRONG_STATE, "nobody hears itself")
        if len(others) > MAX_OTHERS:
            raise MediaError(MediaErrorKind.NO_CAPACITY, "too many to hear")
        self._wishes[call] = others
        self.update()

    def forget(self, call: MediaCallId) -> None:
        """The call is closed."""
        self._wishes.pop(call, None)
        self.update()

    def update(self) -> None:
        """Calls were opened or closed, or are to hear others."""
        present: dict[MediaCallId, tuple[Party, dict[MediaCallId, Party]]] = {}
        for call, others in self._wishes.items():
            party = self._find(call)
            found = {each: self._find(each) for each in sorted(others)}
            heard = {each: other for each, other in found.items() if other is not None}
            if party is not None and heard:
                present[call] = party, heard
        needed: dict[tuple[MediaCallId, Leg], Party] = {}
        for call, (party, heard) in present.items():
            needed[call, Leg.BROWSER] = party
            needed.update({(each, Leg.SIP): other for each, other in heard.items()})
        for key, source in list(self._sources.items()):
            if needed.get(key) is not source.party:
                del self._sources[key]
                source.close()
        for key, party in needed.items():
            if key not in self._sources:
                self._sources[key] = _Source(party, key[1], self._codecs)
        self._set_targets(present)
        self._run_while_needed()

    def _set_targets(
        self, present: dict[MediaCallId, tuple[Party, dict[MediaCallId, Party]]]
    ) -> None:
        for call, target in list(self._targets.items()):
            if call not in present or present[call][0] is not target.party:
                del self._targets[call]
                target.party.set_mixing(is_mixing=False)
        for call, (party, heard) in present.items():
            browser = self._sources[call, Leg.BROWSER]
            others = [self._sources[each, Leg.SIP] for each in heard]
            known = self._targets.get(call)
            if known is None:
                self._targets[call] = _Target(party, browser, others)
                party.set_mixing(is_mixing=True)
            else:
                known.browser, known.others = browser, others

    # Time

    def _run_while_needed(self) -> None:
        if not self._targets:
            self.close()
        elif self._timer is None:
            self._due = self._clock() + FRAME_S
            self._schedule()

    def _schedule(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(
            max(0.0, self._due - self._clock()), self._run
        )

    def _run(self) -> None:
        now = self._clock()
        if now - self._due > MAX_BEHIND_S:
            # After a stall nobody gets a burst.
            self._due += int((now - self._due) / FRAME_S) * FRAME_S
        try:
            while self._due <= now:
                due, self._due = self._due, self._due + FRAME_S
                self.tick(due)
        finally:
            # A defect that one frame shows must not silence everybody.
            self._schedule()

    def tick(self, due: float) -> None:
        """The frame of this moment, to everybody."""
        for source in self._sources.values():
            source.advance()
        for target in self._targets.values():
            self._send(target, due)

    def _send(self, target: _Target, due: float) -> None:
        codec = target.party.mix_codec()
        if codec is None:
            target.is_new = True
            return
        if target.encoder is None or codec != target.codec:
            target.codec, target.encoder = codec, self._codecs.encoder(codec)
        size, rate = frame_samples(codec), sample_rate(codec)
        frames = [
            frame
            for source in target.sources()
            if (frame := source.frame(rate)) is not None
        ]
        if not frames:
            frames.append(
                self._noise.integers(
                    -_NOISE_AMPLITUDE, _NOISE_AMPLITUDE, size, np.int16, endpoint=True
                )
            )
        payload = target.encoder.encode(mix(frames, size))
        if payload:
            sent = target.party.send_mixed(payload, marker=target.is_new, due=due)
            target.is_new = not sent

    def close(self) -> None:
        """Stop the clock."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
