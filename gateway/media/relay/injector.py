"""Packets of our own in a stream: dialled digits, comfort and hold tone.

Pure: :meth:`Injector.packets_due` gives what is due at ``now``, :attr:`Injector.due`
says when to ask again. While anything is injected, relaying is muted; digits go
before comfort.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.media.relay.audio_stream import AudioStream
from gateway.media.relay.stream import Mute
from gateway.media.relay.telephone_event import (
    GAP_MS,
    TONE_MS,
    EventPacket,
    digit_packets,
)

# A keypad's worth; a paste of more is refused (the caller sees the number).
MAX_PENDING_DIGITS = 64

FRAME_S = 0.02

# What keeps the source from being relayed lets our own packets through.
_OWN = frozenset({Mute.INJECTING, Mute.PARTED, Mute.MIXING})

# After a stall, comfort is not sent in a burst.
MAX_BEHIND_S = 0.1


@dataclass(frozen=True, slots=True)
class ComfortSound:
    """Encoded 20 ms frames: ``quiet`` at first, ``tone`` after the delay."""

    payload_type: int
    quiet: Sequence[bytes]
    tone: Sequence[bytes]
    delay_s: float


class Injector:
    """Injects into one stream; see the module's docstring."""

    __slots__ = (
        "_comfort",
        "_comfort_frame",
        "_comfort_started",
        "_comfort_timestamp",
        "_digit_started",
        "_digit_timestamp",
        "_digits",
        "_event_rate",
        "_event_type",
        "_packet",
        "_packets",
        "_stream",
    )

    def __init__(self, stream: AudioStream) -> None:
        self._stream = stream
        self._digits: deque[str] = deque()
        self._event_type = 0
        self._event_rate = 8000
        self._packets: Iterator[EventPacket] | None = None
        self._packet: EventPacket | None = None
        self._digit_started = 0.0
        self._digit_timestamp = 0
        self._comfort: ComfortSound | None = None
        self._comfort_started = 0.0
        self._comfort_frame = 0
        self._comfort_timestamp = 0

    def send_digits(
        self, digits: str, *, payload_type: int, clock_rate: int, now: float
    ) -> bool:
        """Queue digits; False when more than :data:`MAX_PENDING_DIGITS` would wait."""
        if len(self._digits) + len(digits) > MAX_PENDING_DIGITS:
            return False
        self._event_type, self._event_rate = payload_type, clock_rate
        self._digits.extend(digits)
        if self._packets is None:
            self._stream.mute(Mute.INJECTING)
            self._digit_timestamp = self._next_timestamp(now)
            self._begin_digit(now)
        return True

    def start_comfort(self, sound: ComfortSound, now: float) -> None:
        """Fill the stream until :meth:`stop_comfort`."""
        self._comfort = sound
        self._comfort_started = now
        self._comfort_frame = 0
        self._comfort_timestamp = self._next_timestamp(now)
        self._stream.mute(Mute.INJECTING)

    def stop_comfort(self) -> None:
        """The source is back."""
        if self._comfort is not None:
            self._comfort = None
            if self._packets is None:
                self._stream.unmute(Mute.INJECTING)

    def frame(
        self, payload_type: int, payload: bytes, *, marker: bool, due: float
    ) -> bytes | None:
        """A packet of a sound that is made elsewhere, one frame every 20 ms.

        None while digits go out, or nothing may; the stream is muted meanwhile.
        """
        stream = self._stream
        if self._packets is not None or stream.is_muted(_OWN):
            return None
        return stream.inject(
            payload_type,
            payload,
            timestamp=self._next_timestamp(due),
            marker=marker,
            now=due,
        )

    @property
    def due(self) -> float | None:
        """When :meth:`packets_due` has something, monotonic seconds."""
        if self._packets is not None:
            at_ms = self._packet.at_ms if self._packet else TONE_MS + GAP_MS
            return self._digit_started + at_ms / 1000
        if self._comfort is not None:
            return self._comfort_started + self._comfort_frame * FRAME_S
        return None

    def packets_due(self, now: float) -> list[bytes]:
        """What goes out now, in order."""
        ready: list[bytes] = []
        while (due := self.due) is not None and due <= now:
            if self._packets is not None:
                self._step_digit(ready)
            else:
                self._step_comfort(ready, now)
        return ready

    def _next_timestamp(self, now: float) -> int:
        stream = self._stream
        if not stream.started:
            return stream.last_timestamp
        elapsed = round((now - stream.last_arrival) * stream.clock_rate)
        return stream.last_timestamp + max(elapsed, stream.frame_ticks)

    def _begin_digit(self, started: float) -> None:
        digit = self._digits.popleft()
        self._digit_started = started
        self._packets = digit_packets(digit, clock_rate=self._event_rate)
        self._packet = next(self._packets, None)

    def _step_digit(self, ready: list[bytes]) -> None:
        stream, packet = self._stream, self._packet
        if packet is not None:
            assert self._packets is not None
            if not stream.is_muted(_OWN):
                ready.append(
                    stream.inject(
                        self._event_type,
                        packet.payload,
                        timestamp=self._digit_timestamp,
                        marker=packet.marker,
                        now=self._digit_started,
                    )
                )
            self._packet = next(self._packets, None)
            return
        span_s = (TONE_MS + GAP_MS) / 1000
        ended = self._digit_started + span_s
        if self._digits:
            self._digit_timestamp += round(span_s * stream.clock_rate)
            self._begin_digit(ended)
            return
        self._packets = None
        if self._comfort is None:
            stream.unmute(Mute.INJECTING)
            return
        # Comfort goes on where the digits ended.
        self._comfort_timestamp = self._next_timestamp(ended)
        self._comfort_started = ended - self._comfort_frame * FRAME_S

    def _step_comfort(self, ready: list[bytes], now: float) -> None:
        assert self._comfort is not None
        sound, stream = self._comfort, self._stream
        due = self._comfort_started + self._comfort_frame * FRAME_S
        if now - due > MAX_BEHIND_S:
            skipped = int((now - due) / FRAME_S)
            self._comfort_frame += skipped
            self._comfort_timestamp += skipped * stream.frame_ticks
            due += skipped * FRAME_S
        elapsed_frames = self._comfort_frame
        quiet_frames = round(sound.delay_s / FRAME_S)
        if elapsed_frames < quiet_frames:
            frame = sound.quiet[elapsed_frames % len(sound.quiet)]
        else:
            frame = sound.tone[(elapsed_frames - quiet_frames) % len(sound.tone)]
        if not stream.is_muted(_OWN):
            ready.append(
                stream.inject(
                    sound.payload_type,
                    frame,
                    timestamp=self._comfort_timestamp,
                    marker=elapsed_frames == 0,
                    now=due,
                )
            )
        self._comfort_frame += 1
        self._comfort_timestamp += stream.frame_ticks
