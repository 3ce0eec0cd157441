"""RTCP of one leg, ended here: our own reports out, the remote's reports in.

Sender and receiver reports with one report block and a CNAME (RFC 3550 section 6).
Feedback messages are parsed along with them; only video does something with those.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.media.relay.feedback import (
    PAYLOAD_FEEDBACK,
    TRANSPORT_FEEDBACK,
    Feedback,
    parse_feedback,
)
from gateway.media.relay.source_clock import SourceClock, SourceReport
from gateway.media.relay.stream import RelayedStream

SENDER_REPORT = 200
RECEIVER_REPORT = 201
SOURCE_DESCRIPTION = 202
FIRST_TYPE = 192
LAST_TYPE = 223

# What fits into one datagram we ever accept; a compound of more is garbage.
MAX_PACKETS = 16

_HEADER = struct.Struct("!BBH")
_BLOCK = struct.Struct("!IIIIII")
_NTP_EPOCH_S = 2208988800  # 1900 to 1970
_MASK32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """RFC 3550 section 6.4.1; ``jitter`` in clock ticks, ``lost`` cumulative."""

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int
    last_sender_report: int
    delay_since: int


@dataclass(frozen=True, slots=True)
class Report:
    """A sender report (``ntp`` set) or a receiver report of the remote."""

    ssrc: int
    ntp: int | None
    blocks: tuple[ReportBlock, ...]
    timestamp: int = 0


@dataclass(frozen=True, slots=True)
class Compound:
    """What of a compound packet is of use here."""

    reports: tuple[Report, ...]
    feedback: tuple[Feedback, ...]


def parse_compound(data: bytes) -> Compound:
    """Read a compound packet; raises ValueError if its structure is malformed."""
    reports: list[Report] = []
    feedback: list[Feedback] = []
    at = packets = 0
    while at < len(data):
        packets += 1
        if packets > MAX_PACKETS or len(data) - at < _HEADER.size:
            raise ValueError("RTCP packet is cut off or too many")
        first, kind, words = _HEADER.unpack_from(data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            raise ValueError("RTCP version or length is wrong")
        body = data[at + 4 : end]
        if kind in (SENDER_REPORT, RECEIVER_REPORT):
            reports.append(_parse_report(body, kind, first & 0x1F))
        elif kind in (TRANSPORT_FEEDBACK, PAYLOAD_FEEDBACK):
            feedback += parse_feedback(kind, first & 0x1F, body)
        at = end
    if packets == 0:
        raise ValueError("RTCP packet is empty")
    return Compound(tuple(reports), tuple(feedback))


def parse_reports(data: bytes) -> tuple[Report, ...]:
    """Reports in a compound packet; raises ValueError if any part is malformed."""
    return parse_compound(data).reports


def _parse_report(body: bytes, kind: int, count: int) -> Report:
    fixed = 24 if kind == SENDER_REPORT else 4
    if len(body) < fixed + count * _BLOCK.size:
        raise ValueError("RTCP report is shorter than its block count")
    (ssrc,) = struct.unpack_from("!I", body)
    ntp, timestamp = None, 0
    if kind == SENDER_REPORT:
        ntp, timestamp = struct.unpack_from("!QI", body, 4)
    blocks = []
    for index in range(count):
        about, loss, highest, jitter, last, delay = _BLOCK.unpack_from(
            body, fixed + index * _BLOCK.size
        )
        lost = loss & 0xFFFFFF
        if lost & 0x800000:
            lost -= 0x1000000
        blocks.append(
            ReportBlock(about, loss >> 24, lost, highest, jitter, last, delay)
        )
    return Report(ssrc, ntp, tuple(blocks), timestamp)


def ntp_timestamp(wall_s: float) -> int:
    """64-bit NTP timestamp of seconds since 1970."""
    return int((wall_s + _NTP_EPOCH_S) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def source_report(report: Report, clock: SourceClock) -> SourceReport | None:
    """What a sender report says of its source; None: it has no clock.

    That is an NTP time of 0 (RFC 3550 section 6.4.1).
    """
    if not report.ntp:
        return None
    ntp_s = report.ntp / (1 << 32) - _NTP_EPOCH_S
    return SourceReport(report.ssrc, report.timestamp, ntp_s, clock)


class ReportSession:
    """Reports of one leg.

    Args:
        outgoing: the stream we send on this leg.
        incoming: the stream that the leg's remote sends; None: none that belongs to
            the outgoing one.
        cname: canonical name, random per call (RFC 7022).
        clock: of the leg's remote; audio and video of one leg share it.
    """

    __slots__ = (
        "_clock",
        "_cname",
        "_expected_prior",
        "_incoming",
        "_last_report",
        "_last_report_at",
        "_outgoing",
        "_received_prior",
        "_sent_prior",
        "_source_prior",
        "malformed",
        "remote_lost",
        "round_trip_s",
    )

    def __init__(
        self,
        *,
        outgoing: RelayedStream,
        incoming: RelayedStream | None,
        cname: bytes,
        clock: SourceClock | None = None,
    ) -> None:
        self._clock = clock or SourceClock()
        self._outgoing = outgoing
        self._incoming = incoming
        self._cname = cname
        self._last_report = 0
        self._last_report_at = 0.0
        self._expected_prior = 0
        self._received_prior = 0
        self._source_prior: int | None = None
        self._sent_prior = 0
        self.remote_lost = 0
        self.round_trip_s: float | None = None
        self.malformed = 0

    def restart(self) -> None:
        """The leg's remote changed: its old sender reports mean nothing now."""
        self._last_report = 0
        if self._incoming is not None:
            self._incoming.source_report = None

    def receive(self, data: bytes, *, now: float, wall: float) -> bool:
        """Take a compound packet in; False when it is malformed.

        ``now`` is monotonic, ``wall`` the time that our own reports carry.
        """
        try:
            compound = parse_compound(data)
        except ValueError:
            self.malformed += 1
            return False
        self.take(compound.reports, now=now, wall=wall)
        return True

    def take(self, reports: Iterable[Report], *, now: float, wall: float) -> None:
        """Take what of these reports is about the two streams of this session."""
        incoming = self._incoming
        for report in reports:
            if (
                incoming is not None
                and report.ntp is not None
                and report.ssrc == incoming.heard_ssrc
            ):
                self._last_report = report.ntp >> 16 & _MASK32
                self._last_report_at = now
                incoming.source_report = source_report(report, self._clock)
                if incoming.source_report is not None:
                    self._clock.observe(incoming.source_report.ntp_s, wall)
            for block in report.blocks:
                if block.ssrc == self._outgoing.ssrc:
                    self._take_block(block, wall)

    def _take_block(self, block: ReportBlock, wall: float) -> None:
        self.remote_lost = max(0, block.lost)
        if block.last_sender_report == 0:
            return
        middle = ntp_timestamp(wall) >> 16 & _MASK32
        ticks = (middle - block.last_sender_report - block.delay_since) & _MASK32
        # A remote that miscounts the delay shows as a span just below 2**32.
        if ticks < 0x80000000:
            self.round_trip_s = ticks / 65536

    def report(self, *, now: float, wall: float) -> bytes:
        """Our compound packet: SR if we sent since the last one, else RR; then SDES."""
        block = self._report_block(now)
        sent = self._outgoing.total_sent
        ssrc = self._outgoing.ssrc
        if sent != self._sent_prior:
            self._sent_prior = sent
            ntp = ntp_timestamp(wall)
            body = struct.pack("!IQ", ssrc, ntp) + struct.pack(
                "!III",
                self._outgoing.timestamp_at(now, wall),
                sent & _MASK32,
                self._outgoing.sent_payload_octets & _MASK32,
            )
            kind = SENDER_REPORT
        else:
            body = struct.pack("!I", ssrc)
            kind = RECEIVER_REPORT
        return _packet(kind, 1 if block else 0, body + block) + self._description()

    def sender_report(self, *, now: float, wall: float) -> bytes:
        """:meth:`report` if something was sent since the last one, else nothing."""
        if self._outgoing.total_sent == self._sent_prior:
            return b""
        return self.report(now=now, wall=wall)

    def covered(self, feedback: bytes) -> bytes:
        """A feedback packet as the compound it has to travel in (RFC 4585 3.1).

        The report in it is empty: those with blocks have their own interval.
        """
        report = _packet(RECEIVER_REPORT, 0, struct.pack("!I", self._outgoing.ssrc))
        return report + self._description() + feedback

    def _report_block(self, now: float) -> bytes:
        incoming = self._incoming
        source = None if incoming is None else incoming.heard_ssrc
        if incoming is None or source is None:
            return b""
        expected = incoming.received + incoming.source_lost
        received = incoming.received
        if source != self._source_prior:
            self._source_prior = source
            self._expected_prior = self._received_prior = 0
        interval = expected - self._expected_prior
        lost_interval = interval - (received - self._received_prior)
        self._expected_prior, self._received_prior = expected, received
        fraction = 0
        if interval > 0 and lost_interval > 0:
            fraction = min(255, (lost_interval << 8) // interval)
        lost = min(max(incoming.source_lost, -0x800000), 0x7FFFFF)
        delay = 0
        if self._last_report:
            delay = round((now - self._last_report_at) * 65536) & _MASK32
        return _BLOCK.pack(
            source,
            fraction << 24 | lost & 0xFFFFFF,
            incoming.highest & _MASK32,
            round(incoming.jitter) & _MASK32,
            self._last_report,
            delay,
        )

    def _description(self) -> bytes:
        chunk = struct.pack("!IBB", self._outgoing.ssrc, 1, len(self._cname))
        chunk += self._cname + b"\0"
        chunk += bytes(-len(chunk) % 4)
        return _packet(SOURCE_DESCRIPTION, 1, chunk)


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(0x80 | count, kind, len(body) // 4) + body
