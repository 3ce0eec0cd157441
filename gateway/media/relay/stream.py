"""One direction of a call: packets of changing sources out as one RTP stream.

Whatever the sending side does (a new SSRC after a page reload or a re-INVITE, a
restarted sequence, a clock that jumps), the receiving side sees one SSRC, a sequence
number that goes up by one, and a timestamp that never goes back. What only audio has
(digits, sounds of our own) is in ``audio_stream``, what only video has (keyframes,
retransmission) in ``video_stream``.

:meth:`RelayedStream.rewrite` runs once per packet and is written for speed: the usual
packet (next in sequence, known source, usual payload type) takes one straight path;
everything else leaves it for a method of its own. The payload table decides with one
look-up; muting swaps the table, so that an unmuted stream pays nothing for it.

Sequence numbers are unwrapped: plain integers that grow past 65535. The outgoing
number is always ``highest + sequence_offset``, so whatever is withheld lowers the
offset and whatever is injected raises it. Reception statistics follow RFC 3550
appendix A.1 (sequence) and A.8 (jitter).
"""

from __future__ import annotations

import enum
import random
import struct
from collections.abc import Set
from typing import ClassVar

from gateway.media.relay.source_clock import SourceReport

HEADER = struct.Struct("!BBHII")
HEADER_BYTES = HEADER.size

# RFC 3550 appendix A.1.
MAX_DROPOUT = 3000

# A transit time that moves by more than this is no jitter.
JUMP_S = 1.0

# A sender report that disagrees by more with the packets' arrival is of another time.
MAX_REPORT_SKEW_S = 2.0

# The negative results of rewrite(): nothing goes out, or another stream has to say.
DROPPED = -1
ELSEWHERE = -2

# Payload table entries below zero.
UNKNOWN = -1
EVENT = -2
OTHER_CLOCK = -3
HELD = -4
OTHER_MEDIA = -5
TAPPED = -6

MARKER = 0x80
_MASK16 = 0xFFFF
_MASK32 = 0xFFFFFFFF
_HALF32 = 0x80000000

_unpack = HEADER.unpack_from
_pack = HEADER.pack_into


class Mute(enum.Enum):
    """Why a stream does not relay at the moment; several may hold at once."""

    NO_RECEIVER = enum.auto()
    HOLD = enum.auto()
    INJECTING = enum.auto()
    PARTED = enum.auto()
    MIXING = enum.auto()
    NO_KEYFRAME = enum.auto()


def stripped_bytes(packet: memoryview, length: int) -> int:
    """Bytes of CSRC list and header extension of an RTP packet; -1 if it lies.

    Also refuses padding that is longer than the payload (RFC 3550 section 5.1).
    """
    first = packet[0]
    extra = 4 * (first & 0x0F)
    if first & 0x10:
        if length < HEADER_BYTES + extra + 4:
            return -1
        at = HEADER_BYTES + extra + 2
        extra += 4 + 4 * ((packet[at] << 8) | packet[at + 1])
    payload = length - HEADER_BYTES - extra
    if payload < 0:
        return -1
    if first & 0x20 and not 1 <= packet[length - 1] <= payload:
        return -1
    return extra


class RelayedStream:
    """Rewrites the packets of one direction; see the module's docstring.

    Args:
        ssrc: outgoing synchronisation source, for the life of the call.
        rng: source of the first sequence number and timestamp.
        clock_rate: of the packets expected first, in Hz.

    Attributes:
        source_report: the source's newest sender report, for our own.
    """

    # How far back a packet is late; beyond that the sequence jumped (A.1).
    max_misorder: ClassVar[int] = 100
    # Gaps that a late packet may still fill; older ones are dropped as duplicates.
    max_missing: ClassVar[int] = 64
    # Set on the first packet of another source: a talk spurt begins.
    first_marker: ClassVar[int] = MARKER

    __slots__ = (
        "_awaited_sequence",
        "_base_table",
        "_heard_ssrc",
        "_lost_before",
        "_missing",
        "_mutes",
        "_received_before",
        "_table",
        "clock_rate",
        "first_sequence",
        "frame_ticks",
        "highest",
        "injected",
        "jitter",
        "jump_ticks",
        "last_arrival",
        "last_timestamp",
        "late",
        "malformed",
        "octets",
        "sequence_offset",
        "source_lost",
        "source_report",
        "source_ssrc",
        "ssrc",
        "started",
        "timestamp_offset",
        "unknown_payload",
        "withheld",
    )

    def __init__(
        self, *, ssrc: int, rng: random.Random, clock_rate: int = 8000
    ) -> None:
        self.ssrc = ssrc
        self.clock_rate = clock_rate
        self.frame_ticks = clock_rate // 50
        self.jump_ticks = clock_rate * JUMP_S
        # None sends the next packet through _adopt(), which rebases.
        self.source_ssrc: int | None = None
        self._heard_ssrc: int | None = None
        self.highest = -1
        self.first_sequence = 0
        # Of the present source, cumulative.
        self.source_lost = 0
        self.jitter = 0.0
        self.started = False
        self.last_arrival = 0.0
        self.last_timestamp = rng.getrandbits(32)
        # 15 bits keep the first roll-over far away (RFC 3711 section 3.3.1).
        self.sequence_offset = rng.getrandbits(15)
        self.timestamp_offset = 0
        self.octets = 0
        self.injected = 0
        self.withheld = 0
        self.late = 0
        self.malformed = 0
        self.unknown_payload = 0
        self._awaited_sequence = -1
        # Unwrapped numbers that did not come, and since when they are missed.
        self._missing: dict[int, float] = {}
        self._received_before = 0
        self._lost_before = 0
        self._mutes: set[Mute] = set()
        self._base_table: list[int] = [UNKNOWN] * 256
        self._table = self._base_table
        self.source_report: SourceReport | None = None

    # What the stream carries

    def _set_table(self, table: list[int], clock_rate: int) -> None:
        self._base_table = table
        if clock_rate != self.clock_rate:
            self.clock_rate = clock_rate
            self.frame_ticks = clock_rate // 50
            self.jump_ticks = clock_rate * JUMP_S
            self.jitter = 0.0
            self.source_ssrc = None
        self._choose_table()

    def mute(self, reason: Mute) -> None:
        """Stop relaying: packets are counted, nothing goes out."""
        self._mutes.add(reason)
        self._missing.clear()
        self._choose_table()

    def unmute(self, reason: Mute) -> None:
        """Take one reason back; the next packet continues timeline and sequence."""
        if reason in self._mutes:
            self._mutes.remove(reason)
            self.source_ssrc = None
            self._choose_table()

    def set_mute(self, reason: Mute, *, muted: bool) -> None:
        """:meth:`mute` or :meth:`unmute`."""
        if muted:
            self.mute(reason)
        else:
            self.unmute(reason)

    def is_muted(self, besides: Set[Mute] = frozenset()) -> bool:
        """Whether anything ``besides`` these keeps packets from going out."""
        return not self._mutes <= besides

    def new_source(self) -> None:
        """The next packet comes from another sender, even if its SSRC is the same."""
        self._close_source()
        self.source_ssrc = None
        self._heard_ssrc = None

    def _choose_table(self) -> None:
        if not self._mutes:
            self._table = self._base_table
            return
        self._table = [
            HELD if entry >= 0 or entry == OTHER_CLOCK else entry
            for entry in self._base_table
        ]

    # The packet path

    def rewrite(self, packet: memoryview, length: int, now: float) -> int:
        """Rewrite one incoming RTP packet in place.

        Args:
            packet: buffer that begins with the packet; version 2 checked before.
            length: of the packet in bytes, at least :data:`HEADER_BYTES`.
            now: arrival, monotonic seconds.

        Returns:
            Where in ``packet`` the outgoing packet begins (it ends at ``length``),
            :data:`DROPPED`, or :data:`ELSEWHERE`: not a packet of this medium.
        """
        first, second, sequence, timestamp, ssrc = _unpack(packet)
        shift = 0
        if first != 0x80:
            shift = stripped_bytes(packet, length)
            if shift < 0:
                self.malformed += 1
                return DROPPED
        outgoing = self._table[second]
        if outgoing < 0:
            return self._exceptional(packet, length, shift, outgoing, now)
        if ssrc != self.source_ssrc:
            self._adopt(ssrc, sequence, timestamp, now)
            outgoing |= self.first_marker
        delta = (sequence - self.highest) & _MASK16
        if delta != 1 and not self._advance(delta, sequence, timestamp, now):
            return self._fill_gap(packet, length, shift, outgoing, delta)
        highest = self.highest + delta
        self.highest = highest
        sent_timestamp = (timestamp + self.timestamp_offset) & _MASK32
        # D of RFC 3550 section 6.4.1; the offset is in both timestamps.
        deviation = (now - self.last_arrival) * self.clock_rate
        deviation -= sent_timestamp - self.last_timestamp
        if deviation < 0.0:
            deviation = -deviation
        if deviation < self.jump_ticks:
            self.jitter += (deviation - self.jitter) * 0.0625
        else:
            self._timestamp_jump(timestamp, now)
            sent_timestamp = (timestamp + self.timestamp_offset) & _MASK32
        self.octets += length - shift
        self.last_arrival = now
        self.last_timestamp = sent_timestamp
        _pack(
            packet,
            shift,
            first & 0xA0,
            outgoing,
            (highest + self.sequence_offset) & _MASK16,
            sent_timestamp,
            self.ssrc,
        )
        return shift

    def _adopt(self, ssrc: int, sequence: int, timestamp: int, now: float) -> None:
        """Continue the outgoing stream with this source."""
        if ssrc != self._heard_ssrc:
            self._close_source()
            outgoing = self.highest + self.sequence_offset
            self._heard_ssrc = ssrc
            self.first_sequence = sequence
            self.highest = sequence - 1
            self.sequence_offset = outgoing - self.highest
            self.jitter = 0.0
        self.source_ssrc = ssrc
        self._awaited_sequence = -1
        self._missing.clear()
        self._rebase_timestamp(timestamp, now)

    def _rebase_timestamp(self, timestamp: int, now: float) -> None:
        step = self.frame_ticks
        if self.started:
            step = max(step, round((now - self.last_arrival) * self.clock_rate))
        self.started = True
        self.timestamp_offset = self.last_timestamp + step - timestamp
        self.last_timestamp = (self.last_timestamp + step) & _MASK32
        self.last_arrival = now

    def _close_source(self) -> None:
        """Keep the totals of a source that ends."""
        if self._heard_ssrc is not None:
            self._received_before += self.received
            self._lost_before += self.source_lost
            self.source_lost = 0

    def _advance(self, delta: int, sequence: int, timestamp: int, now: float) -> bool:
        """Whether a packet out of sequence moves the stream forward."""
        if 0 < delta < MAX_DROPOUT:
            self.source_lost += delta - 1
            start = max(self.highest + 1, self.highest + delta - self.max_missing)
            for missing in range(start, self.highest + delta):
                self._missing[missing] = now
            while len(self._missing) > self.max_missing:
                del self._missing[next(iter(self._missing))]
            return True
        if delta == 0 or delta > _MASK16 + 1 - self.max_misorder:
            return False
        # A far jump is a restart only if the next packet follows it (A.1).
        if sequence != self._awaited_sequence:
            self._awaited_sequence = (sequence + 1) & _MASK16
            return False
        self._awaited_sequence = -1
        self._missing.clear()
        self._close_source()
        self.source_report = None
        outgoing = self.highest + self.sequence_offset
        self.first_sequence = self.highest + delta
        self.sequence_offset = outgoing + 1 - self.first_sequence
        self._rebase_timestamp(timestamp, now)
        return True

    def _fill_gap(
        self, packet: memoryview, length: int, shift: int, outgoing: int, delta: int
    ) -> int:
        """Relay a late packet once; duplicates and strays are dropped.

        One outgoing number never carries two different payloads: under AES counter
        mode that would show both (RFC 3711 section 9.1).
        """
        sequence = self.highest + delta - (_MASK16 + 1)
        if delta == 0 or sequence not in self._missing:
            self.late += 1
            return DROPPED
        del self._missing[sequence]
        self.source_lost -= 1
        self.octets += length - shift
        first, _, _, timestamp, _ = _unpack(packet)
        _pack(
            packet,
            shift,
            first & 0xA0,
            outgoing,
            (sequence + self.sequence_offset) & _MASK16,
            (timestamp + self.timestamp_offset) & _MASK32,
            self.ssrc,
        )
        return shift

    def _timestamp_jump(self, timestamp: int, now: float) -> None:
        """Tell a wrapped or late clock (go on) from a restarted one (rebase)."""
        previous = (self.last_timestamp - self.timestamp_offset) & _MASK32
        advance = (timestamp - previous) & _MASK32
        limit = (now - self.last_arrival) * self.clock_rate + self.jump_ticks
        if advance >= _HALF32 or advance > limit:
            self.source_report = None
            self._rebase_timestamp(timestamp, now)

    def _exceptional(
        self, packet: memoryview, length: int, shift: int, entry: int, now: float
    ) -> int:
        """A packet whose payload type has no plain entry in the table."""
        _, _, sequence, timestamp, ssrc = _unpack(packet)
        if entry == UNKNOWN:
            self.unknown_payload += 1
            if ssrc != self.source_ssrc:
                return DROPPED
        if ssrc != self.source_ssrc:
            self._adopt(ssrc, sequence, timestamp, now)
        delta = (sequence - self.highest) & _MASK16
        if delta != 1 and not self._advance(delta, sequence, timestamp, now):
            self.late += 1
            return DROPPED
        self.highest += delta
        relayed = self._relay_special(packet, length, shift, entry, now)
        if relayed == DROPPED:
            # Numbers below are taken now; a late packet must not take them again.
            self._missing.clear()
            self.sequence_offset -= delta
            self.withheld += 1
        return relayed

    def _relay_special(
        self, packet: memoryview, length: int, shift: int, entry: int, now: float
    ) -> int:
        """Relay such a packet, already numbered, if its medium can."""
        return DROPPED

    # Reports

    def timestamp_at(self, now: float, wall: float) -> int:
        """The outgoing timestamp that belongs to ``now``, for our sender reports.

        By the source's own report where there is one, so that what it captured
        together is shown together (RFC 3550 section 6.4.1); else by arrival.
        """
        if not self.started:
            return self.last_timestamp
        elapsed = round((now - self.last_arrival) * self.clock_rate)
        by_arrival = (self.last_timestamp + max(elapsed, 0)) & _MASK32
        report = self.source_report
        if report is None or report.ssrc != self.source_ssrc or self._mutes:
            return by_arrival
        since = round((wall - report.wall) * self.clock_rate)
        reported = (report.timestamp + self.timestamp_offset + since) & _MASK32
        skew = (reported - by_arrival + _HALF32 & _MASK32) - _HALF32
        too_far = abs(skew) > MAX_REPORT_SKEW_S * self.clock_rate
        return by_arrival if too_far else reported

    # Statistics

    @property
    def heard_ssrc(self) -> int | None:
        """Source of the packets received last, for report blocks."""
        return self._heard_ssrc

    @property
    def received(self) -> int:
        """Packets received of the present source."""
        if self._heard_ssrc is None:
            return 0
        return self.highest - self.first_sequence + 1 - self.source_lost

    @property
    def total_received(self) -> int:
        """Packets received over all sources."""
        return self._received_before + self.received

    @property
    def total_lost(self) -> int:
        """Packets lost over all sources, never negative."""
        return max(0, self._lost_before + self.source_lost)

    @property
    def total_sent(self) -> int:
        """Packets that went out: relayed and injected."""
        return self.total_received - self.withheld + self.injected

    @property
    def sent_payload_octets(self) -> int:
        """Payload octets that went out (RFC 3550 section 6.4.1)."""
        return max(0, self.octets - HEADER_BYTES * self.total_sent)

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter in milliseconds."""
        return 1000.0 * self.jitter / self.clock_rate
