"""What one browser of a room sends, copied to another: see ``room``.

A packet is copied after decryption and before its own call rewrites it. For each
receiver it becomes a packet of a stream of its own (``stream``), encrypted with that
browser's keys and sent with the worker's batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from gateway.media.relay.aiortc_internals import new_length, srtp_protect
from gateway.media.relay.audio_stream import AudioStream
from gateway.media.relay.browser_transport import BrowserTransport, Uplink
from gateway.media.relay.datagrams import Sender
from gateway.media.relay.rtcp import Report, ReportSession, source_report
from gateway.media.relay.source_clock import SourceClock
from gateway.media.relay.video_stream import VideoStream

StreamT = TypeVar("StreamT", AudioStream, VideoStream)

Feed = Callable[[memoryview, int, float], None]
Wish = Callable[[float], None]


class Fan:
    """Stands before a browser's uplink and copies its packets.

    What the streams want meanwhile of the sender (a keyframe) waits until all copies
    are made: asking for it needs the place in the batch where a copy is being made.
    """

    __slots__ = ("_feeds", "_uplink", "_wishes")

    def __init__(self, uplink: Uplink) -> None:
        self._uplink = uplink
        # By the second byte of the packet: marker bit and payload type.
        self._feeds: list[Sequence[Feed]] = [()] * 256
        self._wishes: list[Wish] = []

    def set_feeds(self, *feeds: tuple[Iterable[int], Sequence[Feed]]) -> None:
        """From now on these payload types go there, and others nowhere."""
        table: list[Sequence[Feed]] = [()] * 256
        for payload_types, targets in feeds:
            for number in payload_types:
                table[number & 0x7F] = table[number | 0x80] = targets
        self._feeds = table

    def wish(self, wish: Wish) -> None:
        """Call this after the present packet."""
        self._wishes.append(wish)

    def rewrite(self, packet: memoryview, length: int, now: float) -> int:
        """Copy one packet, then let the call have it."""
        for feed in self._feeds[packet[1]]:
            feed(packet, length, now)
        if self._wishes:
            wishes, self._wishes = self._wishes, []
            for wish in wishes:
                wish(now)
        return self._uplink.rewrite(packet, length, now)


class ForwardedStream(Generic[StreamT]):
    """One medium of one sender to one receiver.

    Args:
        batch: the worker's, towards browsers.
        cname: the sender's; its streams are in step (RFC 3550 section 6.5.1).
        clock: of the sender's browser.

    Attributes:
        transport: the receiver's live one while the stream flows, else None.
        failed: packets that could not be encrypted.
    """

    __slots__ = (
        "_batch",
        "_clock",
        "_length",
        "failed",
        "reports",
        "stream",
        "transport",
    )

    def __init__(
        self, stream: StreamT, *, batch: Sender, cname: str, clock: SourceClock
    ) -> None:
        self.stream: StreamT = stream
        self.transport: BrowserTransport | None = None
        self.reports = ReportSession(
            outgoing=stream, incoming=None, cname=cname.encode()
        )
        self.failed = 0
        self._batch = batch
        self._clock = clock
        self._length = new_length()

    @property
    def is_flowing(self) -> bool:
        """Whether packets are copied into it now."""
        return self.transport is not None

    def connect(self, transport: BrowserTransport | None) -> bool:
        """Flow to this transport, None: stop. Whether another receiver begins."""
        former, self.transport = self.transport, transport
        if former is None and transport is not None:
            # What went by meanwhile was neither seen nor lost.
            self.stream.new_source()
        return transport is not None and transport is not former

    def feed(self, packet: memoryview, length: int, now: float) -> None:
        """Copy one packet, rewrite, encrypt, and leave it in the batch."""
        transport = self.transport
        if transport is None:
            return
        batch = self._batch
        slot = batch.count
        view = batch.views[slot]
        view[:length] = packet[:length]
        start = self.stream.rewrite(view, length, now)
        if start < 0:
            return
        size = self._length
        size[0] = length - start
        pointer = batch.pointers[slot]
        if srtp_protect(
            transport.send_context, pointer + start if start else pointer, size
        ):
            self.failed += 1
            return
        batch.commit(start, size[0], transport.destination)

    def take_source_report(self, report: Report) -> None:
        """A sender report of the sender's browser."""
        if report.ntp is not None and report.ssrc == self.stream.heard_ssrc:
            self.stream.source_report = source_report(report, self._clock)
