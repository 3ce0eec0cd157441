"""Packets of one source, as they come; a frame every 20 ms, as it is needed.

Pure: time passes only with :meth:`JitterBuffer.take`. After a pause (silence that
is not sent, a late burst, another source) it waits for :data:`TARGET_FRAMES` before
it plays, so that packets may be late by that. A packet that is lost is filled by the
last frame, fading. A source whose clock is quicker than ours, or a burst, would leave
a delay behind: what was never needed for :data:`WINDOW` frames is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gateway.media.relay.codecs import Codec
from gateway.media.relay.sound_codecs import (
    Decoder,
    Samples,
    UndecodableError,
    frame_samples,
    sample_rate,
)

TARGET_FRAMES = 2
# More is old news: the oldest are left out.
MAX_FRAMES = 10
WINDOW = 100
# Lost frames in a row that are filled; then there is silence.
MAX_FILLED = 3
# A timestamp that moves by more is of another clock, or after a long silence.
MAX_JUMP_S = 2.0
_FADE = 0.6

_MASK32 = 0xFFFFFFFF
_HALF32 = 0x80000000


@dataclass(slots=True)
class BufferCounters:
    """What did not reach the listener as it was sent."""

    late: int = 0
    lost: int = 0
    undecodable: int = 0
    left_out: int = 0


class JitterBuffer:
    """See the module's docstring.

    Args:
        new_decoder: for another source or codec.
    """

    def __init__(self, new_decoder: Callable[[Codec], Decoder]) -> None:
        self._new_decoder = new_decoder
        self._codec: Codec | None = None
        self._ssrc = 0
        self._decoder: Decoder | None = None
        # By unwrapped timestamp.
        self._packets: dict[int, bytes] = {}
        self._newest = 0
        # What comes next; what is older has been played or given up.
        self._next = 0
        # Else it gathers packets first.
        self._is_playing = False
        self._waited = 0
        self._ready: Samples = np.zeros(0, np.int16)
        self._last: Samples = self._ready
        self._filled = 0
        self._least = MAX_FRAMES
        self._since = 0
        self.counters = BufferCounters()

    @property
    def sample_rate(self) -> int:
        """Of the frames, in Hz; 0 before there was any packet."""
        return 0 if self._codec is None else sample_rate(self._codec)

    def put(self, codec: Codec, ssrc: int, timestamp: int, payload: bytes) -> None:
        """A packet came, maybe late, maybe again."""
        if not payload:
            return
        if codec != self._codec or ssrc != self._ssrc:
            self._restart(codec, ssrc, timestamp)
        delta = ((timestamp - self._newest + _HALF32) & _MASK32) - _HALF32
        at = self._newest + delta
        if abs(delta) > MAX_JUMP_S * codec.clock_rate:
            # Another clock; what the old one numbered would wait for ever.
            self._gather()
            self._packets.clear()
            self._next, self._newest = at, at
        if at < self._next:
            self.counters.late += 1
            return
        self._newest = max(self._newest, at)
        self._packets[at] = payload
        while len(self._packets) > MAX_FRAMES:
            self._leave_out()

    def _restart(self, codec: Codec, ssrc: int, timestamp: int) -> None:
        if codec != self._codec:
            self._ready = self._last = np.zeros(0, np.int16)
        self._codec, self._ssrc = codec, ssrc
        self._decoder = self._new_decoder(codec)
        self._packets.clear()
        # Its first packets may come in any order.
        self._newest = timestamp
        self._next = timestamp - MAX_FRAMES * codec.frame_ticks
        self._gather()

    def _gather(self) -> None:
        self._is_playing = False
        self._waited = 0

    def take(self) -> Samples | None:
        """The next frame, None while there is silence."""
        codec = self._codec
        if codec is None:
            return None
        size = frame_samples(codec)
        if not self._is_playing and not self._may_begin():
            return self._fill(size)
        self._trim()
        while len(self._ready) < size:
            if not self._packets:
                self._gather()
                return self._fill(size)
            decoded = self._decode(codec)
            if decoded is None:
                return self._fill(size)
            self._ready = np.concatenate([self._ready, decoded])
        frame, self._ready = self._ready[:size], self._ready[size:]
        self._last, self._filled = frame, 0
        return frame

    def _may_begin(self) -> bool:
        if not self._packets:
            return False
        self._waited += 1
        if len(self._packets) < TARGET_FRAMES and self._waited < TARGET_FRAMES:
            return False
        self._next = min(self._packets)
        self._is_playing = True
        self._least, self._since = MAX_FRAMES, 0
        return True

    def _decode(self, codec: Codec) -> Samples | None:
        """What the next packet holds; None: it is missing, or no such payload."""
        assert self._decoder is not None
        payload = self._packets.pop(self._next, None)
        if payload is None:
            self.counters.lost += 1
            first = min(self._packets)
            gap = first - self._next
            # What was longer away was not lost but silent.
            is_short = gap <= MAX_FILLED * codec.frame_ticks
            self._next = self._next + codec.frame_ticks if is_short else first
            self._next = min(self._next, first)
            return None
        try:
            decoded = self._decoder.decode(payload)
        except UndecodableError:
            self.counters.undecodable += 1
            self._next += codec.frame_ticks
            return None
        self._next += len(decoded) * codec.clock_rate // sample_rate(codec)
        # Overlapping packets are of a source that is no such codec's.
        for late in [at for at in self._packets if at < self._next]:
            del self._packets[late]
            self.counters.late += 1
        return decoded

    def _trim(self) -> None:
        """Leave out what has only been waiting for a whole window."""
        self._least = min(self._least, len(self._packets))
        self._since += 1
        if self._since < WINDOW:
            return
        for _ in range(self._least - TARGET_FRAMES):
            self._leave_out()
        self._least, self._since = MAX_FRAMES, 0

    def _leave_out(self) -> None:
        first = min(self._packets)
        del self._packets[first]
        self.counters.left_out += 1
        if self._packets:
            self._next = min(self._packets)

    def _fill(self, size: int) -> Samples | None:
        """The last frame again, more quietly; None when that has been enough."""
        self._ready = self._ready[:0]
        if self._filled >= MAX_FILLED or len(self._last) != size:
            return None
        self._filled += 1
        self._last = (self._last * _FADE).astype(np.int16)
        return self._last
