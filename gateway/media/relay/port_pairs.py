"""SIP-side port pairs: even for RTP, the next for RTCP, never reused while warm.

A finished call's peer may go on sending for a while. Its ports stay bound, and what
arrives is thrown away, until nothing has come for the quarantine; so a late packet is
never heard in the next call.
"""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass

from gateway.media.relay.datagrams import BUFFER_BYTES, open_udp_socket

RTP_RECEIVE_BUFFER_BYTES = 128 << 10
# A keyframe is a hundred packets at once; the kernel counts each as two kilobytes.
VIDEO_RECEIVE_BUFFER_BYTES = 512 << 10

# Ephemeral pairs: how often the kernel may give a port whose neighbour is taken.
_EPHEMERAL_ATTEMPTS = 64

# Reads per sweep of a quarantined socket; a flood keeps the port warm anyway.
_DRAIN_READS = 64


class NoPortsError(Exception):
    """Every pair of the range is in use or in quarantine."""


@dataclass(slots=True, eq=False)
class PortPair:
    """Two bound sockets; ``port`` is the RTP one."""

    rtp: socket.socket
    rtcp: socket.socket
    port: int

    def close(self) -> None:
        """Close both."""
        self.rtp.close()
        self.rtcp.close()


class PortPairs:
    """Allocator of one worker.

    Args:
        host: literal address to bind.
        first: first port (even), 0 for ephemeral ones.
        last: last port, inclusive.
        quarantine_s: how long a released pair must be quiet.
        rng: where the search begins, so that ports are not predictable.
    """

    def __init__(
        self,
        *,
        host: str,
        first: int,
        last: int,
        quarantine_s: float,
        rng: random.Random,
    ) -> None:
        self._host = host
        self._first = first
        self._pairs = (last - first + 1) // 2
        self._quarantine_s = quarantine_s
        self._rng = rng
        self._used: set[int] = set()
        self._quarantined: dict[PortPair, float] = {}
        self._scratch = bytearray(BUFFER_BYTES)
        self.late_packets = 0

    @property
    def in_use(self) -> int:
        """Pairs that calls hold."""
        return len(self._used) - len(self._quarantined)

    @property
    def in_quarantine(self) -> int:
        """Pairs that wait to be quiet."""
        return len(self._quarantined)

    def acquire(self, *, receive_buffer: int = RTP_RECEIVE_BUFFER_BYTES) -> PortPair:
        """Bind a pair; raises :class:`NoPortsError`."""
        pair = self._acquire_from_range() if self._first else self._acquire_any()
        self._used.add(pair.port)
        if receive_buffer != RTP_RECEIVE_BUFFER_BYTES:
            pair.rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        return pair

    def _acquire_from_range(self) -> PortPair:
        start = self._rng.randrange(self._pairs)
        for step in range(self._pairs):
            port = self._first + 2 * ((start + step) % self._pairs)
            if port not in self._used and (pair := self._bind(port)) is not None:
                return pair
        raise NoPortsError

    def _acquire_any(self) -> PortPair:
        for _ in range(_EPHEMERAL_ATTEMPTS):
            probe = open_udp_socket(
                self._host, 0, receive_buffer=RTP_RECEIVE_BUFFER_BYTES
            )
            port = probe.getsockname()[1] & ~1
            probe.close()
            if port not in self._used and (pair := self._bind(port)) is not None:
                return pair
        raise NoPortsError

    def _bind(self, port: int) -> PortPair | None:
        try:
            rtp = open_udp_socket(
                self._host, port, receive_buffer=RTP_RECEIVE_BUFFER_BYTES
            )
        except OSError:
            return None
        try:
            rtcp = open_udp_socket(
                self._host, port + 1, receive_buffer=RTP_RECEIVE_BUFFER_BYTES
            )
        except OSError:
            rtp.close()
            return None
        return PortPair(rtp, rtcp, port)

    def release(self, pair: PortPair, now: float) -> None:
        """Give a pair back; it is closed once it has been quiet."""
        self._quarantined[pair] = now
        self.sweep(now)

    def sweep(self, now: float) -> None:
        """Close quiet pairs; call it about once a second."""
        for pair, quiet_since in list(self._quarantined.items()):
            if self._drain(pair.rtp) + self._drain(pair.rtcp):
                self._quarantined[pair] = now
            elif now - quiet_since >= self._quarantine_s:
                self._discard(pair)

    def close(self) -> None:
        """Close what is in quarantine, warm or not."""
        for pair in list(self._quarantined):
            self._discard(pair)

    def _discard(self, pair: PortPair) -> None:
        del self._quarantined[pair]
        self._used.discard(pair.port)
        pair.close()

    def _drain(self, sock: socket.socket) -> int:
        for reads in range(_DRAIN_READS):
            try:
                sock.recv_into(self._scratch)
            except BlockingIOError:
                return reads
            except OSError:
                continue
            self.late_packets += 1
        return _DRAIN_READS
