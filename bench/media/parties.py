"""Browsers and phones of the load: real ICE and DTLS, then bare sockets and keys."""

from __future__ import annotations

import asyncio
import random
import socket
from dataclasses import dataclass

import aioice.ice
from aiortc import (
    RTCCertificate,
    RTCDtlsTransport,
    RTCIceGatherer,
    RTCIceTransport,
)
from aiortc import sdp as aiortc_sdp

SRTP_PROFILE = b"SRTP_AES128_CM_SHA1_80"
CONNECT_TIMEOUT_S = 30.0


def host_address() -> str:
    """An address of this host that every engine can use; Janus refuses loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def use_only(host: str) -> None:
    """Make aioice gather this address and no other, for the life of the process."""
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [host]


class LoadBrowser:
    """A browser up to the point where its keys and socket can be handed over."""

    def __init__(self, certificate: RTCCertificate) -> None:
        self.gatherer = RTCIceGatherer(iceServers=[])
        self.ice = RTCIceTransport(self.gatherer)
        self.ice._connection.ice_controlling = True
        self.dtls = RTCDtlsTransport(self.ice, [certificate])
        self.dtls._srtp_profiles = [
            profile
            for profile in self.dtls._srtp_profiles
            if profile.openssl_profile == SRTP_PROFILE
        ]
        self.ssrc = random.getrandbits(32)
        self.payload_type = 0

    async def offer(self) -> str:
        """An audio offer with PCMU only."""
        await self.gatherer.gather()
        parameters = self.gatherer.getLocalParameters()
        fingerprint = next(
            each.value
            for each in self.dtls.getLocalParameters().fingerprints
            if each.algorithm == "sha-256"
        )
        candidates = [
            f"a=candidate:{aiortc_sdp.candidate_to_sdp(each)}"
            for each in self.gatherer.getLocalCandidates()
        ]
        first = self.gatherer.getLocalCandidates()[0]
        lines = [
            "v=0",
            f"o=- {random.getrandbits(31)} 1 IN IP4 {first.ip}",
            "s=-",
            "t=0 0",
            "a=group:BUNDLE 0",
            "a=msid-semantic:WMS *",
            f"m=audio {first.port} UDP/TLS/RTP/SAVPF 0",
            f"c=IN IP4 {first.ip}",
            "a=sendrecv",
            "a=mid:0",
            f"a=msid:load {self.ssrc}",
            "a=rtcp-mux",
            f"a=ssrc:{self.ssrc} cname:load",
            "a=rtpmap:0 PCMU/8000",
            *candidates,
            "a=end-of-candidates",
            f"a=ice-ufrag:{parameters.usernameFragment}",
            f"a=ice-pwd:{parameters.password}",
            f"a=fingerprint:sha-256 {fingerprint}",
            "a=setup:actpass",
        ]
        return "\r\n".join(lines) + "\r\n"

    async def connect(self, answer: str) -> None:
        """ICE and DTLS with whoever wrote the answer."""
        description = aiortc_sdp.SessionDescription.parse(answer)
        media = description.media[0]
        self.payload_type = media.rtp.codecs[0].payloadType
        for candidate in media.ice_candidates:
            await self.ice.addRemoteCandidate(candidate)
        await self.ice.addRemoteCandidate(None)
        self.dtls._set_role("client" if media.dtls.role == "server" else "server")
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await self.ice.start(media.ice)
            await self.dtls.start(media.dtls)
        if self.dtls.state != "connected":
            raise RuntimeError(f"DTLS is {self.dtls.state}")

    @property
    def fileno(self) -> int:
        """The socket of the nominated pair."""
        pair = self.ice._connection._nominated[1]
        return int(pair.protocol.transport.get_extra_info("socket").fileno())

    @property
    def remote(self) -> tuple[str, int]:
        """The engine's side of the nominated pair."""
        host, port = self.ice._connection._nominated[1].remote_addr
        return str(host), int(port)

    @property
    def contexts(self) -> tuple[object, object]:
        """libsrtp contexts: (send, receive)."""
        return self.dtls._tx_srtp._srtp[0], self.dtls._rx_srtp._srtp[0]

    async def close(self) -> None:
        """Hang up."""
        await self.dtls.stop()
        await self.ice.stop()


@dataclass(slots=True)
class LoadPhone:
    """Two bare sockets, RTP even and RTCP next to it."""

    host: str
    rtp: socket.socket
    rtcp: socket.socket
    ssrc: int

    @classmethod
    def open(cls, host: str) -> LoadPhone:
        """Bind a pair."""
        while True:
            rtp, rtcp = (
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)
            )
            rtp.bind((host, 0))
            port = rtp.getsockname()[1]
            try:
                if port % 2 == 0:
                    rtcp.bind((host, port + 1))
                    break
            except OSError:
                pass
            rtp.close()
            rtcp.close()
        for sock in (rtp, rtcp):
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        return cls(host, rtp, rtcp, random.getrandbits(32))

    def answer(self, payload_type: int = 0) -> str:
        """PCMU at our address."""
        port = self.rtp.getsockname()[1]
        return (
            f"v=0\r\no=- 1 1 IN IP4 {self.host}\r\ns=-\r\nc=IN IP4 {self.host}\r\n"
            f"t=0 0\r\nm=audio {port} RTP/AVP {payload_type}\r\n"
            f"a=rtpmap:{payload_type} PCMU/8000\r\na=sendrecv\r\n"
        )

    def close(self) -> None:
        """Close both."""
        self.rtp.close()
        self.rtcp.close()


def media_port(sdp: str) -> int:
    """Port of the first m-line."""
    line = next(line for line in sdp.splitlines() if line.startswith("m="))
    return int(line.split()[1])
