"""One direction of a call's audio: telephone-events and sounds of our own besides."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.media.relay.stream import (
    DROPPED,
    ELSEWHERE,
    EVENT,
    HEADER,
    HEADER_BYTES,
    HELD,
    MARKER,
    OTHER_CLOCK,
    OTHER_MEDIA,
    TAPPED,
    UNKNOWN,
    RelayedStream,
)
from gateway.media.relay.telephone_event import (
    PAYLOAD,
    PAYLOAD_BYTES,
    EventReceiver,
    scale_duration,
)

_MASK16 = 0xFFFF
_MASK32 = 0xFFFFFFFF

_unpack = HEADER.unpack_from
_pack = HEADER.pack_into


@dataclass(frozen=True, slots=True)
class AudioRoute:
    """Where an incoming audio payload type goes."""

    payload_type: int
    clock_rate: int


@dataclass(frozen=True, slots=True)
class EventRoute:
    """Where an incoming telephone-event type goes; payload type None: heard only."""

    payload_type: int | None
    incoming_rate: int
    outgoing_rate: int


class Listener(Protocol):
    """Hears the audio packets of a source, whether they are relayed or not."""

    def __call__(
        self, payload_type: int, ssrc: int, timestamp: int, payload: bytes
    ) -> None:
        """One packet as it came, repeated and reordered ones too."""


class AudioStream(RelayedStream):
    """A :class:`RelayedStream` that hears and translates digits, and takes injections.

    Args:
        on_digit: called once per finished telephone-event of the source.
    """

    __slots__ = (
        "_audio",
        "_digits",
        "_elsewhere",
        "_events",
        "_listener",
        "_on_digit",
    )

    def __init__(
        self, *, ssrc: int, rng: random.Random, on_digit: Callable[[str], None]
    ) -> None:
        super().__init__(ssrc=ssrc, rng=rng)
        self._listener: Listener | None = None
        self._on_digit = on_digit
        self._digits = EventReceiver()
        self._audio: Mapping[int, AudioRoute] = {}
        self._events: Mapping[int, EventRoute] = {}
        self._elsewhere: frozenset[int] = frozenset()

    def set_payloads(
        self,
        audio: Mapping[int, AudioRoute],
        events: Mapping[int, EventRoute],
        *,
        clock_rate: int,
    ) -> None:
        """Replace the payload table; ``clock_rate`` is the expected codec's, in Hz."""
        table = [UNKNOWN] * 256
        for incoming, route in audio.items():
            same = route.clock_rate == clock_rate
            table[incoming] = route.payload_type if same else OTHER_CLOCK
            table[incoming | MARKER] = (
                route.payload_type | MARKER if same else OTHER_CLOCK
            )
        for incoming in events:
            table[incoming] = table[incoming | MARKER] = EVENT
        for incoming in self._elsewhere:
            table[incoming] = table[incoming | MARKER] = OTHER_MEDIA
        self._audio, self._events = audio, events
        self._set_table(table, clock_rate)

    def set_elsewhere(self, payload_types: Iterable[int]) -> None:
        """Types of another medium on the same transport (RFC 9143 section 9.2)."""
        elsewhere = frozenset(payload_types)
        if elsewhere != self._elsewhere:
            self._elsewhere = elsewhere
            self.set_payloads(self._audio, self._events, clock_rate=self.clock_rate)

    def listen(self, listener: Listener | None) -> None:
        """Have the source's audio heard; a stream that nobody hears pays nothing."""
        self._listener = listener
        self._choose_table()

    def _choose_table(self) -> None:
        super()._choose_table()
        if self._listener is not None and not self._mutes:
            self._table = [TAPPED if entry >= 0 else entry for entry in self._table]

    def _tell(self, packet: memoryview, length: int, shift: int) -> None:
        assert self._listener is not None
        first, second, _, timestamp, ssrc = _unpack(packet)
        if first & 0x20:
            length -= packet[length - 1]
        payload = bytes(packet[HEADER_BYTES + shift : length])
        self._listener(second & 0x7F, ssrc, timestamp, payload)

    def _exceptional(
        self, packet: memoryview, length: int, shift: int, entry: int, now: float
    ) -> int:
        if entry == OTHER_MEDIA:
            return ELSEWHERE
        if self._listener is not None and entry in (HELD, TAPPED):
            self._tell(packet, length, shift)
        if entry == TAPPED:
            tapped, self._table = self._table, self._base_table
            relayed = self.rewrite(packet, length, now)
            self._table = tapped
            return relayed
        if entry == OTHER_CLOCK:
            rate = self._audio[packet[1] & 0x7F].clock_rate
            self.set_payloads(self._audio, self._events, clock_rate=rate)
            return self.rewrite(packet, length, now)
        return super()._exceptional(packet, length, shift, entry, now)

    def _relay_special(
        self, packet: memoryview, length: int, shift: int, entry: int, now: float
    ) -> int:
        if entry != EVENT:
            return DROPPED
        first, second, _, timestamp, ssrc = _unpack(packet)
        at = HEADER_BYTES + shift
        payload = bytes(packet[at : at + PAYLOAD_BYTES])
        if length - at < PAYLOAD_BYTES:
            self.malformed += 1
            return DROPPED
        for digit in self._digits.receive(
            payload, ssrc=ssrc, timestamp=timestamp, now=now
        ):
            self._on_digit(digit)
        route = self._events[second & 0x7F]
        if self._mutes or route.payload_type is None:
            return DROPPED
        if route.incoming_rate != route.outgoing_rate:
            code, flags, duration = PAYLOAD.unpack(payload)
            duration = scale_duration(
                duration, route.incoming_rate, route.outgoing_rate
            )
            PAYLOAD.pack_into(packet, at, code, flags, duration)
        self.octets += length - shift
        _pack(
            packet,
            shift,
            first & 0xA0,
            (second & MARKER) | route.payload_type,
            (self.highest + self.sequence_offset) & _MASK16,
            (timestamp + self.timestamp_offset) & _MASK32,
            self.ssrc,
        )
        return shift

    def expire_digit(self, now: float) -> None:
        """Report a digit whose end packets were all lost."""
        for digit in self._digits.expire(now):
            self._on_digit(digit)

    def inject(
        self,
        payload_type: int,
        payload: bytes,
        *,
        timestamp: int,
        marker: bool,
        now: float,
    ) -> bytes:
        """The next outgoing packet, made by us; relaying must be muted meanwhile.

        ``timestamp`` and ``now`` anchor the timeline on which the source continues.
        """
        self.sequence_offset += 1
        self.injected += 1
        self.octets += HEADER_BYTES + len(payload)
        self.started = True
        self.last_timestamp = timestamp & _MASK32
        self.last_arrival = now
        header = HEADER.pack(
            0x80,
            payload_type | (MARKER if marker else 0),
            (self.highest + self.sequence_offset) & _MASK16,
            self.last_timestamp,
            self.ssrc,
        )
        return header + payload
