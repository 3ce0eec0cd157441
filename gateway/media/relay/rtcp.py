"""RTCP of one leg, ended here: our own reports out, the remote's reports in.

Sender and receiver reports with one report block and a CNAME (RFC 3550 section 6);
feedback messages are valid and ignored, because nothing of them is negotiated.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

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


def parse_reports(data: bytes) -> list[Report]:
    """Reports in a compound packet; raises ValueError if any part is malformed."""
    reports: list[Report] = []
    at = packets = 0
    while at < len(data):
        packets += 1
        if packets > MAX_PACKETS or len(data) - at < _HEADER.size:
            raise ValueError("RTCP packet is cut off or too many")
        first, kind, words = _HEADER.unpack_from(data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            raise ValueError("RTCP version or length is wrong")
        if kind in (SENDER_REPORT, RECEIVER_REPORT):
            reports.append(_parse_report(data[at + 4 : end], kind, first & 0x1F))
        at = end
    if packets == 0:
        raise ValueError("RTCP packet is empty")
    return reports


def _parse_report(body: bytes, kind: int, count: int) -> Report:
    fixed = 24 if kind == SENDER_REPORT else 4
    if len(body) < fixed + count * _BLOCK.size:
        raise ValueError("RTCP report is shorter than its block count")
    (ssrc,) = struct.unpack_from("!I", body)
    ntp = None
    if kind == SENDER_REPORT:
        (ntp,) = struct.unpack_from("!Q", body, 4)
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
    return Report(ssrc, ntp, tuple(blocks))


def ntp_timestamp(wall_s: float) -> int:
    """64-bit NTP timestamp of seconds since 1970."""
    return int((wall_s + _NTP_EPOCH_S) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


class ReportSession:
    """Reports of one leg.

    Args:
        outgoing: the stream we send on this leg.
        incoming: the stream that the leg's remote sends.
        cname: canonical name, random per call (RFC 7022).
    """

    __slots__ = (
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
        self, *, outgoing: RelayedStream, incoming: RelayedStream, cname: bytes
    ) -> None:
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

    def receive(self, data: bytes, *, now: float, wall: float) -> bool:
        """Take a compound packet in; False when it is malformed.

        ``now`` is monotonic, ``wall`` the time that our own reports carry.
        """
        try:
            reports = parse_reports(data)
        except ValueError:
            self.malformed += 1
            return False
        for report in reports:
            if report.ntp is not None:
                self._last_report = report.ntp >> 16 & _MASK32
                self._last_report_at = now
            for block in report.blocks:
                if block.ssrc == self._outgoing.ssrc:
                    self._take_block(block, wall)
        return True

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
                self._outgoing.timestamp_at(now),
                sent & _MASK32,
                self._outgoing.sent_payload_octets & _MASK32,
            )
            kind = SENDER_REPORT
        else:
            body = struct.pack("!I", ssrc)
            kind = RECEIVER_REPORT
        return _packet(kind, 1 if block else 0, body + block) + self._description()

    def _report_block(self, now: float) -> bytes:
        incoming = self._incoming
        source = incoming.heard_ssrc
        if source is None:
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
