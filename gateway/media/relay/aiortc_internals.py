"""Every name of aiortc, aioice and pylibsrtp that is used beyond their public API.

aiortc does the DTLS handshake, the certificate and the SRTP keys; its ICE, RTP sender
and receiver are not used. :class:`DtlsEndpoint` drives ``RTCDtlsTransport`` through
the three names it needs of an ICE transport (``role``, ``_recv``, ``_send``). libsrtp
is called directly, in place in our own buffers, instead of through
``pylibsrtp.Session``, which copies twice.

The versions are pinned in pyproject.toml; ``tests/gateway/media`` checks that each
name below still means what is assumed here.
"""

from __future__ import annotations

import asyncio
import datetime
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from aiortc.rtcdtlstransport import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)
from pylibsrtp._binding import ffi, lib

PINNED_VERSIONS = {"aioice": "0.13.0", "aiortc": "1.16.0", "pylibsrtp": "1.0.0"}

# int srtp_*(srtp_t context, void *packet, int *length); 0 is success.
srtp_protect = lib.srtp_protect
srtp_unprotect = lib.srtp_unprotect
srtp_protect_rtcp = lib.srtp_protect_rtcp
srtp_unprotect_rtcp = lib.srtp_unprotect_rtcp

# What protecting adds at most: tag and SRTCP index, no MKI (RFC 3711 section 3).
SRTP_TRAILER_BYTES = 20

# The handshake is a handful of datagrams; more than this at once is an attack.
INBOX_DATAGRAMS = 64

FINGERPRINT_ALGORITHMS = ("sha-256", "sha-384", "sha-512")

_CERTIFICATE_LIFE = datetime.timedelta(days=7)
_ALERT = 21
_EPOCH = slice(3, 5)

SrtpContext = Any
"""libsrtp's ``srtp_t`` pointer."""


def packet_pointer(address: int) -> Any:
    """A pointer that the srtp functions take, from a plain address."""
    return ffi.cast("unsigned char *", address)


def new_length() -> Any:
    """An ``int *`` for the length argument of the srtp functions."""
    return ffi.new("int *")


class Certificate(RTCCertificate):
    """A certificate that keeps one TLS context for all its connections."""

    _context: Any = None

    def _create_ssl_context(self, srtp_profiles: Any) -> Any:
        if self._context is None:
            self._context = super()._create_ssl_context(srtp_profiles)
        return self._context

    @property
    def sha256(self) -> str:
        """The fingerprint as SDP shows it (RFC 8122)."""
        for fingerprint in self.getFingerprints():
            if fingerprint.algorithm == "sha-256":
                return str(fingerprint.value)
        raise LookupError("aiortc certificates have no sha-256 fingerprint")

    def is_stale(self, now: datetime.datetime) -> bool:
        """Whether new connections should use a new one; aiortc's live 30 days."""
        return bool(self.expires - now < 3 * _CERTIFICATE_LIFE)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One ``a=fingerprint`` of the remote (RFC 8122)."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class SrtpContexts:
    """libsrtp contexts; valid as long as their :class:`DtlsEndpoint` is referenced."""

    receive: SrtpContext
    send: SrtpContext


class DtlsError(Exception):
    """The handshake failed or the fingerprint does not match."""


class _IceStub:
    """What RTCDtlsTransport needs of an ICE transport."""

    role = "controlled"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send_now = send
        self._inbox: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._is_closed = False
        self.overflows = 0

    def put(self, datagram: bytes) -> None:
        if len(self._inbox) >= INBOX_DATAGRAMS:
            self.overflows += 1
            return
        self._inbox.append(datagram)
        self._wake()

    def close(self) -> None:
        self._is_closed = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _recv(self) -> bytes:
        while not self._inbox:
            if self._is_closed:
                raise ConnectionError
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._inbox.popleft()

    async def _send(self, data: bytes) -> None:
        self._send_now(data)


class DtlsEndpoint:
    """One DTLS association with a browser.

    Args:
        certificate: ours.
        is_server: our role (``setup:passive``).
        fingerprints: the remote certificate must match all supported ones.
        send: puts a datagram on the wire; must not block.
        on_closed: the remote closed the association (close_notify).
    """

    def __init__(
        self,
        certificate: Certificate,
        *,
        is_server: bool,
        fingerprints: Sequence[Fingerprint],
        send: Callable[[bytes], None],
        on_closed: Callable[[], None],
    ) -> None:
        self._ice = _IceStub(send)
        self._on_closed = on_closed
        self._remote = RTCDtlsParameters(
            fingerprints=[
                RTCDtlsFingerprint(algorithm=each.algorithm, value=each.value)
                for each in fingerprints
            ]
        )
        self._dtls = RTCDtlsTransport(cast(Any, self._ice), [certificate])
        self._dtls._set_role("server" if is_server else "client")
        self.forged_alerts = 0

    @property
    def overflows(self) -> int:
        """Datagrams dropped because the inbox was full."""
        return self._ice.overflows

    def receive(self, datagram: bytes) -> None:
        """Take a datagram in that came from the bound browser.

        Alerts that are not encrypted are dropped: anybody can write one, and a real
        failure shows as the handshake's time-out (RFC 6347 section 4.1.2.7).
        """
        if datagram[0] == _ALERT and not any(datagram[_EPOCH]):
            self.forged_alerts += 1
            return
        self._ice.put(datagram)

    async def handshake(self) -> SrtpContexts:
        """Run to the end; raises :class:`DtlsError`. Bound it with a time-out."""
        await self._dtls.start(self._remote)
        if self._dtls.state != "connected":
            raise DtlsError(self._dtls.state)
        self._dtls.on("statechange", self._state_changed)
        return SrtpContexts(
            receive=self._dtls._rx_srtp._srtp[0], send=self._dtls._tx_srtp._srtp[0]
        )

    def _state_changed(self) -> None:
        if self._dtls.state == "closed":
            self._on_closed()

    async def close(self) -> None:
        """Send close_notify if there is an association, and end the pump."""
        self._dtls.remove_all_listeners()
        pump = self._dtls._task
        await self._dtls.stop()
        self._ice.close()
        if pump is not None:
            await asyncio.wait([pump])
