"""The SIP side of one call: plain RTP and RTCP on a port pair."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gateway.media.relay.aiortc_internals import new_length, srtp_protect
from gateway.media.relay.browser_transport import BrowserTransport
from gateway.media.relay.datagrams import MAX_DATAGRAM, Sender, connected_twin
from gateway.media.relay.port_pairs import PortPair
from gateway.media.relay.readiness import OnReady, ReadinessGroup
from gateway.media.relay.rtcp import FIRST_TYPE, LAST_TYPE
from gateway.media.relay.source_filter import Address, SourceFilter
from gateway.media.relay.stream import HEADER_BYTES, RelayedStream

Attach = Callable[[BrowserTransport, Callable[[memoryview], object]], None]


class SipPortOwner(Protocol):
    """The call, or its video, behind a SIP port."""

    def sip_media_started(self) -> None:
        """First accepted RTP packet."""

    def sip_reports(self, data: bytes, now: float) -> None:
        """RTCP from the peer."""


@dataclass(slots=True)
class SipPortCounters:
    """Datagrams that were dropped, by reason."""

    foreign: int = 0
    malformed: int = 0
    errors: int = 0


class SipPort:
    """Receives from the peer, sends to it.

    Args:
        pair: the two sockets; the caller gives them back after :meth:`close`.
        downlink: stream towards the browser that incoming packets feed.
        sender: the worker's batch towards browsers.
        attach: tells a browser transport how its packets come here.
        burst: datagrams taken per wake-up of the socket; what is left wakes it again.

    Attributes:
        transport: live browser transport, None while there is none.
    """

    __slots__ = (
        "_accepted",
        "_attach",
        "_burst",
        "_downlink",
        "_expected",
        "_filter",
        "_group",
        "_has_started",
        "_length",
        "_owner",
        "_pair",
        "_rtcp_destination",
        "_sender",
        "_twin",
        "counters",
        "destination",
        "transport",
    )

    def __init__(
        self,
        owner: SipPortOwner,
        *,
        pair: PortPair,
        source_filter: SourceFilter,
        downlink: RelayedStream,
        sender: Sender,
        group: ReadinessGroup,
        attach: Attach,
        burst: int = 1,
    ) -> None:
        self._owner = owner
        self._attach = attach
        self._burst = burst
        self._pair = pair
        self._filter = source_filter
        self._downlink = downlink
        self._sender = sender
        self._group = group
        self._length = new_length()
        self._accepted: tuple[object, ...] = ()
        self._has_started = False
        self._expected: Address | None = None
        self._rtcp_destination: Address | None = None
        self._twin: socket.socket | None = None
        self.destination: Address | None = None
        self.transport: BrowserTransport | None = None
        self.counters = SipPortCounters()
        group.add(pair.rtp.fileno(), self._taking_bursts(self._receive_rtp))
        group.add(pair.rtcp.fileno(), self._receive_rtcp)

    @property
    def port(self) -> int:
        """The RTP port that our SDP tells; RTCP is the next one."""
        return self._pair.port

    def expect(self, rtp: Address, rtcp: Address, now: float) -> None:
        """The peer's SDP named these addresses."""
        if rtp != self._expected:
            self._expected = rtp
            self._drop_twin()
        self._filter.expect(rtp, now)
        self._accepted = ()
        self._rtcp_destination = rtcp
        self.destination = self._filter.destination

    def forget(self) -> None:
        """The peer is gone: nothing is sent to it or taken from it any more."""
        self._drop_twin()
        self._filter.forget()
        self._accepted = ()
        self._expected = self._rtcp_destination = self.destination = None

    def settle(self, now: float) -> None:
        """Give a fixed source a socket of its own; called now and then."""
        if (
            self._twin is not None
            or not self._accepted
            or self.destination is None
            or not self._filter.is_settled(now)
        ):
            return
        twin = connected_twin(self._pair.rtp, self.destination)
        if twin is not None:
            self._twin = twin
            receiver = self._connected_receiver(twin)
            self._group.add(twin.fileno(), self._taking_bursts(receiver))
            self._set_forward()

    def _drop_twin(self) -> None:
        if self._twin is not None:
            self._group.remove(self._twin.fileno())
            self._twin.close()
            self._twin = None
            self._set_forward()

    def connect_browser(self, transport: BrowserTransport | None) -> None:
        """Relay to and from this transport from now on."""
        self.transport = transport
        self._set_forward()

    def _set_forward(self) -> None:
        if self.transport is not None:
            twin = self._twin
            self._attach(self.transport, self.send if twin is None else twin.send)

    def close(self) -> PortPair:
        """Stop receiving; the sockets stay open and are the caller's."""
        self._drop_twin()
        self._group.remove(self._pair.rtp.fileno())
        self._group.remove(self._pair.rtcp.fileno())
        self.transport = None
        self.destination = None
        return self._pair

    # Towards the peer

    def send(self, packet: memoryview | bytes) -> None:
        """Send one RTP packet to the peer."""
        twin = self._twin
        try:
            if twin is not None:
                twin.send(packet)
            elif self.destination is not None:
                self._pair.rtp.sendto(packet, self.destination)
        except OSError:
            # ICMP errors of earlier packets and full buffers: media goes on.
            self.counters.errors += 1

    def send_reports(self, data: bytes) -> None:
        """Send RTCP to the peer."""
        if self._rtcp_destination is None:
            return
        try:
            self._pair.rtcp.sendto(data, self._rtcp_destination)
        except OSError:
            self.counters.errors += 1

    # From the peer

    def _taking_bursts(self, receive: Callable[[float], bool]) -> OnReady:
        """``receive`` until nothing is there, at most a burst."""
        if self._burst == 1:
            return receive
        burst = self._burst

        def receive_burst(now: float) -> None:
            for _ in range(burst):
                if not receive(now):
                    return

        return receive_burst

    def _receive_rtp(self, now: float) -> bool:
        """Take one datagram; False when there was none."""
        sender = self._sender
        slot = sender.count
        view = sender.views[slot]
        try:
            length, source = self._pair.rtp.recvfrom_into(view, MAX_DATAGRAM)
        except BlockingIOError:
            return False
        except OSError:
            self.counters.errors += 1
            return True
        if source != self._accepted and not self._admit(source, now):
            self.counters.foreign += 1
        else:
            self._relay(view, slot, length, now)
        return True

    def _connected_receiver(self, twin: socket.socket) -> Callable[[float], bool]:
        """The packet path of a settled peer, everything it needs at hand."""
        sender, counters, owner = self._sender, self.counters, self._owner
        views, pointers, commit = sender.views, sender.pointers, sender.commit
        receive_into, rewrite = twin.recv_into, self._downlink.rewrite
        size = self._length

        def receive_connected(now: float) -> bool:
            slot = sender.count
            view = views[slot]
            try:
                length = receive_into(view, MAX_DATAGRAM)
            except BlockingIOError:
                return False
            except OSError:
                counters.errors += 1
                return True
            if not HEADER_BYTES <= length < MAX_DATAGRAM or not 128 <= view[0] < 192:
                counters.malformed += 1
                return True
            if FIRST_TYPE <= view[1] <= LAST_TYPE:
                owner.sip_reports(bytes(view[:length]), now)
                return True
            start = rewrite(view, length, now)
            transport = self.transport
            if start < 0 or transport is None:
                return True
            pointer = pointers[slot]
            size[0] = length - start
            if srtp_protect(
                transport.send_context, pointer + start if start else pointer, size
            ):
                counters.errors += 1
                return True
            commit(start, size[0], transport.destination)
            return True

        return receive_connected

    def _relay(self, view: memoryview, slot: int, length: int, now: float) -> None:
        """Send one packet of the peer on to the browser."""
        if not HEADER_BYTES <= length < MAX_DATAGRAM or not 128 <= view[0] < 192:
            self.counters.malformed += 1
            return
        if FIRST_TYPE <= view[1] <= LAST_TYPE:
            self._owner.sip_reports(bytes(view[:length]), now)
            return
        if not self._has_started:
            self._has_started = True
            self._owner.sip_media_started()
        start = self._downlink.rewrite(view, length, now)
        if start < 0:
            return
        transport = self.transport
        if transport is None:
            return
        sender = self._sender
        pointer = sender.pointers[slot]
        size = self._length
        size[0] = length - start
        if srtp_protect(
            transport.send_context, pointer + start if start else pointer, size
        ):
            self.counters.errors += 1
            return
        sender.commit(start, size[0], transport.destination)

    def _admit(self, source: tuple[object, ...], now: float) -> bool:
        host, port = source[0], source[1]
        assert isinstance(host, str)
        assert isinstance(port, int)
        if not self._filter.admits((host, port), now):
            return False
        self._accepted = source
        self.destination = self._filter.destination
        return True

    def _receive_rtcp(self, now: float) -> None:
        scratch = self._sender.views[self._sender.count]
        try:
            length, source = self._pair.rtcp.recvfrom_into(scratch, MAX_DATAGRAM)
        except OSError:
            self.counters.errors += 1
            return
        if not self._is_reporter((source[0], source[1])):
            self.counters.foreign += 1
            return
        self._owner.sip_reports(bytes(scratch[:length]), now)

    def _is_reporter(self, source: Address) -> bool:
        """RTCP must come from the SDP's address or from the host that sends RTP."""
        if source == self._rtcp_destination:
            return True
        learned = self._accepted
        return bool(learned) and source[0] == learned[0]
