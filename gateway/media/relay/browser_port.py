"""The one UDP port of a worker that all its browsers share.

A source address belongs to nobody until a connectivity check with the right integrity
has come from it. From then on its DTLS and SRTP packets are that transport's; bytes
from any other address are counted and dropped before anything parses them.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

from gateway.media.relay.aiortc_internals import (
    new_length,
    srtp_protect,
    srtp_protect_rtcp,
    srtp_unprotect,
    srtp_unprotect_rtcp,
)
from gateway.media.relay.browser_transport import MAX_PATHS, BrowserTransport
from gateway.media.relay.datagrams import (
    BATCH,
    MAX_DATAGRAM,
    address_key,
    key_address,
    open_batches,
)
from gateway.media.relay.ice_lite import (
    Address,
    IceCredentials,
    StunRejectedError,
    answer_check,
)
from gateway.media.relay.rtcp import FIRST_TYPE, LAST_TYPE
from gateway.media.relay.stream import ELSEWHERE, HEADER_BYTES

RECEIVE_BUFFER_BYTES = 4 << 20
# Keyframes of several calls at once; what the kernel refuses is lost.
SEND_BUFFER_BYTES = 1 << 20

# Batches taken before the loop gets a turn; what is left wakes it again.
MAX_BATCHES = 4


@dataclass(slots=True)
class BrowserPortCounters:
    """Datagrams that were dropped, by reason."""

    unbound: int = 0
    malformed: int = 0
    stun_rejected: int = 0
    path_conflicts: int = 0
    srtp_rejected: int = 0
    not_ready: int = 0
    send_failed: int = 0


class BrowserPort:
    """Receives for all transports of a worker; see the module's docstring.

    Args:
        sock: bound and non-blocking; owned from now on.
        consent_timeout_s: a path of another call may be taken over after that.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        consent_timeout_s: float,
    ) -> None:
        self._sock = sock
        self._consent_timeout_s = consent_timeout_s
        self._receiver, self.sender = open_batches(sock)
        self._transports: dict[str, BrowserTransport] = {}
        self._credentials: dict[str, IceCredentials] = {}
        self._paths: dict[bytes, BrowserTransport] = {}
        self._length = new_length()
        self.counters = BrowserPortCounters()

    @property
    def port(self) -> int:
        """The UDP port that answers tell."""
        return int(self._sock.getsockname()[1])

    def fileno(self) -> int:
        """For the loop's watcher."""
        return self._sock.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    # Transports

    def add_credentials(
        self, transport: BrowserTransport, credentials: IceCredentials
    ) -> None:
        """Checks for these credentials are this transport's."""
        self._transports[credentials.ufrag] = transport
        self._credentials[credentials.ufrag] = credentials

    def remove(self, transport: BrowserTransport) -> None:
        """Forget a transport's credentials and paths."""
        for credentials in transport.credentials:
            self._transports.pop(credentials.ufrag, None)
            self._credentials.pop(credentials.ufrag, None)
        for path in transport.paths:
            if self._paths.get(path) is transport:
                del self._paths[path]
        transport.paths.clear()

    @property
    def bound_paths(self) -> int:
        """Source addresses that are bound now."""
        return len(self._paths)

    def send(self, datagram: bytes, address: Address) -> None:
        """Send one datagram (STUN, DTLS) at once."""
        try:
            self._sock.sendto(datagram, address)
        except OSError:
            self.counters.send_failed += 1

    def send_packet(self, transport: BrowserTransport, packet: bytes) -> None:
        """Encrypt and send one RTP packet; nothing happens before DTLS is up."""
        self._send_encrypted(transport, packet, srtp_protect)

    def send_reports(self, transport: BrowserTransport, data: bytes) -> None:
        """Encrypt and send RTCP; nothing happens before DTLS is up."""
        self._send_encrypted(transport, data, srtp_protect_rtcp)

    def _send_encrypted(
        self, transport: BrowserTransport, data: bytes, protect: Callable[..., int]
    ) -> None:
        context = transport.send_context
        if context is None:
            return
        sender = self.sender
        slot = sender.count
        sender.views[slot][: len(data)] = data
        self._length[0] = len(data)
        if protect(context, sender.pointers[slot], self._length):
            self.counters.send_failed += 1
            return
        sender.commit(0, self._length[0], transport.destination)
        sender.flush()

    # Packets

    def receive(self, now: float) -> None:
        """Take what has arrived at ``now``; called when the socket is readable."""
        for _ in range(MAX_BATCHES):
            lengths = self._receiver.receive()
            self._handle(lengths, now)
            if len(lengths) < BATCH:
                return

    def _handle(self, lengths: list[int], now: float) -> None:
        paths = self._paths
        counters = self.counters
        size = self._length
        for length, view, source, pointer in zip(
            lengths,
            self._receiver.views,
            self._receiver.sources,
            self._receiver.pointers,
            strict=False,
        ):
            if not HEADER_BYTES <= length < MAX_DATAGRAM:
                counters.malformed += 1
                continue
            first = view[0]
            if not 128 <= first < 192:
                self._handle_control(bytes(view[:length]), bytes(source), now)
                continue
            transport = paths.get(bytes(source))
            if transport is None:
                counters.unbound += 1
                continue
            context = transport.receive_context
            if context is None:
                counters.not_ready += 1
                continue
            size[0] = length
            if FIRST_TYPE <= view[1] <= LAST_TYPE:
                self._handle_reports(transport, view, pointer, now)
                continue
            if srtp_unprotect(context, pointer, size):
                counters.srtp_rejected += 1
                transport.rejected += 1
                continue
            uplink = transport.uplink
            if uplink is None:
                transport.owner.browser_verified(transport, now)
                uplink = transport.uplink
                if uplink is None:
                    counters.not_ready += 1
                    continue
            length = size[0]
            start = uplink.rewrite(view, length, now)
            if start >= 0:
                try:
                    transport.forward(view[start:length])
                except OSError:
                    # ICMP errors of earlier packets and full buffers.
                    counters.send_failed += 1
            elif start == ELSEWHERE:
                self._handle_video(transport, view, length, now)

    def _handle_video(
        self, transport: BrowserTransport, view: memoryview, length: int, now: float
    ) -> None:
        """A verified packet whose payload type is video's."""
        uplink = transport.video_uplink
        if uplink is None:
            self.counters.not_ready += 1
            return
        start = uplink.rewrite(view, length, now)
        if start >= 0:
            try:
                transport.video_forward(view[start:length])
            except OSError:
                self.counters.send_failed += 1

    def _handle_reports(
        self, transport: BrowserTransport, view: memoryview, pointer: object, now: float
    ) -> None:
        if srtp_unprotect_rtcp(transport.receive_context, pointer, self._length):
            self.counters.srtp_rejected += 1
            transport.rejected += 1
            return
        if transport.uplink is None:
            transport.owner.browser_verified(transport, now)
        if transport.uplink is not None:
            data = bytes(view[: self._length[0]])
            transport.owner.browser_reports(data, now)

    def _handle_control(self, data: bytes, path: bytes, now: float) -> None:
        """STUN (0 to 3) and DTLS (20 to 63); RFC 7983 section 7."""
        if data[0] < 4:
            self._handle_check(data, path, now)
            return
        if not 20 <= data[0] < 64:
            self.counters.malformed += 1
            return
        transport = self._paths.get(path)
        if transport is None or not transport.is_nominated:
            self.counters.unbound += 1
            return
        transport.receive_dtls(data)

    def _handle_check(self, data: bytes, path: bytes, now: float) -> None:
        source = key_address(path)
        try:
            check = answer_check(data, source, self._credentials.get)
        except StunRejectedError:
            self.counters.stun_rejected += 1
            return
        transport = self._transports[check.ufrag]
        if check.is_success and not self._bind(path, transport, now):
            self.counters.path_conflicts += 1
            return
        self.send(check.response, source)
        if not check.is_success:
            return
        transport.checked(now)
        if check.nominated and transport.address != source:
            transport.nominate(source, self.sender.destination(source), now)

    def _bind(self, path: bytes, transport: BrowserTransport, now: float) -> bool:
        """Give a path to a transport, unless a live one of another call has it."""
        holder = self._paths.get(path)
        if holder is transport:
            return True
        if holder is not None:
            if holder.owner is not transport.owner and holder.has_consent(
                now, self._consent_timeout_s
            ):
                return False
            holder.paths.pop(path, None)
        if len(transport.paths) >= MAX_PATHS:
            current = address_key(transport.address) if transport.address else b""
            oldest = next(each for each in transport.paths if each != current)
            del transport.paths[oldest]
            del self._paths[oldest]
        transport.paths[path] = None
        self._paths[path] = transport
        return True
