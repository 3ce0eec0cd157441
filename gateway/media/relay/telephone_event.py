"""Telephone-events (RFC 4733): hearing digits, and the packets of digits we send."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

DIGITS = "0123456789*#ABCD"

PAYLOAD = struct.Struct("!BBH")
PAYLOAD_BYTES = PAYLOAD.size

# A tone that is long enough for any detector, with a gap that separates two equal
# digits (RFC 4733 section 2.5.1.5 asks for at least 40 ms each).
TONE_MS = 100
GAP_MS = 60
PACKET_MS = 20
END_PACKETS = 3  # RFC 4733 section 2.5.1.4
VOLUME_DBM0 = 10

# An event whose end packets were all lost ends when it falls silent this long.
LOST_END_S = 0.4

_END_BIT = 0x80


def is_dialable(digits: str) -> bool:
    """Whether every character is a digit that has an event code."""
    return bool(digits) and all(digit in DIGITS for digit in digits.upper())


def scale_duration(duration: int, from_rate: int, to_rate: int) -> int:
    """A duration field in another clock, saturated (RFC 4733 section 2.3.5)."""
    return min(duration * to_rate // from_rate, 0xFFFF)


class EventReceiver:
    """Turns event packets into digits, each reported once.

    A digit counts when its first end packet arrives, when the next event begins, or
    when it has been silent for :data:`LOST_END_S`; repeated and late packets of a
    reported event are recognised by their timestamp.
    """

    __slots__ = ("_active", "_digit", "_heard_at", "_key", "_timestamp")

    def __init__(self) -> None:
        self._key = -1
        self._timestamp = 0
        self._digit = ""
        self._active = False
        self._heard_at = 0.0

    def receive(
        self, payload: bytes, *, ssrc: int, timestamp: int, now: float
    ) -> list[str]:
        """Digits that this packet finished: none, one, or two (the end of the
        previous event was lost and this one's is its only packet)."""
        if len(payload) < PAYLOAD_BYTES:
            return []
        code, flags, _ = PAYLOAD.unpack_from(payload)
        if code >= len(DIGITS):
            return []
        finished: list[str] = []
        if ssrc != self._key or timestamp != self._timestamp:
            age = (self._timestamp - timestamp) & 0xFFFFFFFF
            if ssrc == self._key and 0 < age < 0x80000000:
                return []
            finished += self._finish()
            self._key, self._timestamp = ssrc, timestamp
            self._digit, self._active = DIGITS[code], True
        self._heard_at = now
        if flags & _END_BIT:
            finished += self._finish()
        return finished

    def expire(self, now: float) -> list[str]:
        """The digit whose end packets were all lost, if any."""
        if self._active and now - self._heard_at >= LOST_END_S:
            return self._finish()
        return []

    def _finish(self) -> list[str]:
        if not self._active:
            return []
        self._active = False
        return [self._digit]


@dataclass(frozen=True, slots=True)
class EventPacket:
    """One packet of an event we send.

    Attributes:
        at_ms: when it is due, from the start of the digit.
        payload: the four bytes of RFC 4733 section 2.3.
        marker: set on the first packet of the event only.
    """

    at_ms: int
    payload: bytes
    marker: bool


def digit_packets(digit: str, *, clock_rate: int) -> Iterator[EventPacket]:
    """The packets of one digit; all of them carry the event's first timestamp."""
    code = DIGITS.index(digit.upper())
    ticks = clock_rate * PACKET_MS // 1000
    updates = TONE_MS // PACKET_MS
    for index in range(updates):
        yield EventPacket(
            at_ms=index * PACKET_MS,
            payload=PAYLOAD.pack(code, VOLUME_DBM0, ticks * (index + 1)),
            marker=index == 0,
        )
    end = PAYLOAD.pack(code, _END_BIT | VOLUME_DBM0, clock_rate * TONE_MS // 1000)
    for index in range(END_PACKETS):
        yield EventPacket(at_ms=TONE_MS + index * PACKET_MS, payload=end, marker=False)
