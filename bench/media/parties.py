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


PAYLOAD_TYPES = {"audio": 0, "video": 96}
FORMATS = {
    "audio": ["a=rtpmap:0 PCMU/8000"],
    "video": [
        "a=rtpmap:96 VP8/90000",
        "a=rtcp-fb:96 nack",
        "a=rtcp-fb:96 nack pli",
    ],
}


class LoadBrowser:
    """A browser up to the point where its keys and socket can be handed over."""

    def __init__(self, certificate: RTCCertificate, *, kind: str = "audio") -> None:
        self.kind = kind
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

    async def offer(self, *, alone: bool = False) -> str:
        """An offer of PCMU, or of VP8: in a bundle with PCMU, or ``alone``."""
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
        kinds = [self.kind] if self.kind == "audio" or alone else ["audio", self.kind]
        lines = [
            "v=0",
            f"o=- {random.getrandbits(31)} 1 IN IP4 {first.ip}",
            "s=-",
            "t=0 0",
            f"a=group:BUNDLE {' '.join(str(mid) for mid in range(len(kinds)))}",
            "a=msid-semantic:WMS *",
        ]
        for mid, kind in enumerate(kinds):
            lines += [
                f"m={kind} {first.port} UDP/TLS/RTP/SAVPF {PAYLOAD_TYPES[kind]}",
                f"c=IN IP4 {first.ip}",
                "a=sendrecv",
                f"a=mid:{mid}",
                f"a=msid:load {self.ssrc + mid}",
                "a=rtcp-mux",
                f"a=ssrc:{self.ssrc - (kind != self.kind) & 0xFFFFFFFF} cname:load",
                *FORMATS[kind],
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
        (measured,) = (each for each in description.media if each.kind == self.kind)
        self.payload_type = measured.rtp.codecs[0].payloadType
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

    def answer(self, kind: str = "audio", *, alone: bool = False) -> str:
        """PCMU at our address, or VP8: after an audio that is not, or ``alone``."""
        port = self.rtp.getsockname()[1]
        lines = [
            "v=0",
            f"o=- 1 1 IN IP4 {self.host}",
            "s=-",
            f"c=IN IP4 {self.host}",
            "t=0 0",
        ]
        if kind != "audio" and not alone:
            lines += ["m=audio 9 RTP/AVP 0", "a=inactive"]
        lines += [
            f"m={kind} {port} RTP/AVP {PAYLOAD_TYPES[kind]}",
            FORMATS[kind][0],
            "a=sendrecv",
        ]
        return "\r\n".join(lines) + "\r\n"

    def close(self) -> None:
        """Close both."""
        self.rtp.close()
        self.rtcp.close()


def media_port(sdp: str, kind: str = "audio") -> int:
    """Port of the first m-line of that kind."""
    line = next(line for line in sdp.splitlines() if line.startswith(f"m={kind}"))
    return int(line.split()[1])
