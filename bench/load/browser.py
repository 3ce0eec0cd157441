"""A page's peer connection, reduced to what the wire sees: one socket.

Connectivity checks with nomination (RFC 8445), consent checks (RFC 7675) and a DTLS
handshake, as Chromium does them; RTP is the business of :mod:`bench.load.traffic`,
which takes the socket and the keys over.
"""

from __future__ import annotations

import asyncio
import secrets
import socket

from aioice import stun

from gateway.media.relay.aiortc_internals import (
    Certificate,
    DtlsEndpoint,
    Fingerprint,
    SrtpContexts,
)
from sip.sdp import SessionDescription

CHECK_INTERVAL_S = 0.1
CONNECT_TIMEOUT_S = 20.0
# Of a host candidate (RFC 8445 5.1.2.1).
PRIORITY = 2_130_706_431
PCMU = 0


class BrowserMedia:
    """One peer connection; :meth:`offer`, :meth:`connect`, later :meth:`close`.

    Attributes:
        fd: of the socket that packets go through.
        remote: the gateway's address.
        contexts: the keys.
    """

    def __init__(self, certificate: Certificate) -> None:
        self._certificate = certificate
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", 0))
        self._ufrag = secrets.token_hex(4)
        self._password = secrets.token_hex(16)
        self._tie_breaker = secrets.randbits(63)
        self._remote_ufrag = ""
        self._remote_password = b""
        self._checked = asyncio.Event()
        self._dtls: DtlsEndpoint | None = None
        self.fd = self._socket.fileno()
        self.remote = ("", 0)
        self.contexts: SrtpContexts | None = None

    def offer(self) -> str:
        """Audio as Chromium offers it."""
        return "\r\n".join(
            (
                "v=0",
                f"o=- {secrets.randbits(62)} 2 IN IP4 127.0.0.1",
                "s=-",
                "t=0 0",
                "a=group:BUNDLE 0",
                "a=msid-semantic: WMS",
                "m=audio 9 UDP/TLS/RTP/SAVPF 111 9 0 8 126",
                "c=IN IP4 0.0.0.0",
                "a=rtcp:9 IN IP4 0.0.0.0",
                f"a=ice-ufrag:{self._ufrag}",
                f"a=ice-pwd:{self._password}",
                "a=ice-options:trickle",
                f"a=fingerprint:sha-256 {self._certificate.sha256}",
                "a=setup:actpass",
                "a=mid:0",
                "a=sendrecv",
                "a=rtcp-mux",
                "a=rtpmap:111 opus/48000/2",
                "a=rtpmap:9 G722/8000",
                "a=rtpmap:0 PCMU/8000",
                "a=rtpmap:8 PCMA/8000",
                "a=rtpmap:126 telephone-event/8000",
                "",
            )
        )

    async def connect(self, answer: str) -> None:
        """ICE and DTLS to the end.

        Raises:
            TimeoutError: not in time.
            ValueError: the answer is not what we can work with.
        """
        fingerprint, is_server = self._read(answer)
        self._dtls = DtlsEndpoint(
            self._certificate,
            is_server=is_server,
            fingerprints=(fingerprint,),
            send=self._send,
            on_closed=lambda: None,
        )
        self._loop.add_reader(self.fd, self._receive)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._nominate()
                self.contexts = await self._dtls.handshake()
        finally:
            self._loop.remove_reader(self.fd)

    def check(self) -> None:
        """Send a connectivity check: later ones say that we still agree."""
        message = stun.Message(
            message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST
        )
        message.attributes["USERNAME"] = f"{self._remote_ufrag}:{self._ufrag}"
        message.attributes["PRIORITY"] = PRIORITY
        message.attributes["ICE-CONTROLLING"] = self._tie_breaker
        message.attributes["USE-CANDIDATE"] = None
        message.add_message_integrity(self._remote_password)
        message.add_fingerprint()
        self._send(bytes(message))

    async def close(self) -> None:
        """Close as a page does; nobody else may use the socket any more."""
        if self._dtls is not None:
            await self._dtls.close()
        self.contexts = None
        self._socket.close()

    async def _nominate(self) -> None:
        while not self._checked.is_set():
            self.check()
            try:
                await asyncio.wait_for(self._checked.wait(), CHECK_INTERVAL_S)
            except TimeoutError:
                continue

    def _read(self, answer: str) -> tuple[Fingerprint, bool]:
        session = SessionDescription.parse(answer)
        media = session.first("audio")
        if media is None or media.codecs[0].payload_type != PCMU:
            raise ValueError(f"PCMU is not the first codec of:\n{answer}")
        found = {
            name: media.attribute(name) or session.attribute(name) or ""
            for name in ("ice-ufrag", "ice-pwd", "fingerprint", "setup", "candidate")
        }
        self._remote_ufrag = found["ice-ufrag"]
        self._remote_password = found["ice-pwd"].encode()
        candidate = found["candidate"].split()
        self.remote = (candidate[4], int(candidate[5]))
        algorithm, _, value = found["fingerprint"].partition(" ")
        return Fingerprint(algorithm, value.upper()), found["setup"] == "active"

    def _send(self, datagram: bytes) -> None:
        self._socket.sendto(datagram, self.remote)

    def _receive(self) -> None:
        while True:
            try:
                datagram, source = self._socket.recvfrom(2048)
            except BlockingIOError:
                return
            if source != self.remote:
                continue
            if 20 <= datagram[0] < 64:
                if self._dtls is not None:
                    self._dtls.receive(datagram)
            elif datagram[0] < 4:
                message = stun.parse_message(datagram)
                if message.message_class is stun.Class.RESPONSE:
                    self._checked.set()
