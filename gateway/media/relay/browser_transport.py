"""One generation of a browser's media transport: ICE binding, DTLS, SRTP keys."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.media.relay.aiortc_internals import (
    Certificate,
    DtlsEndpoint,
    DtlsError,
    Fingerprint,
    SrtpContext,
)
from gateway.media.relay.ice_lite import IceCredentials
from gateway.media.relay.video_stream import VideoStream

Address = tuple[str, int]

logger = logging.getLogger(__name__)

# Paths that one browser may use at once (interfaces and families).
MAX_PATHS = 8


class TransportOwner(Protocol):
    """The call behind a transport; every method runs in the loop."""

    def browser_verified(self, transport: BrowserTransport, now: float) -> None:
        """First packet that SRTP verified: the transport may go live."""

    def browser_failed(self, transport: BrowserTransport, reason: str) -> None:
        """It will not come up, or is gone: ``ice_timeout``, ``dtls``, ``consent``
        or ``closed``."""

    def browser_reports(self, data: bytes, now: float) -> None:
        """Verified RTCP of the live transport."""


class Uplink(Protocol):
    """A stream, or what stands before one."""

    def rewrite(self, packet: memoryview, length: int, now: float) -> int:
        """See :meth:`~gateway.media.relay.stream.RelayedStream.rewrite`."""


class BrowserTransport:
    """State of one generation; packets reach it through the worker's browser port.

    Attributes:
        receive_context: libsrtp context of incoming packets, None before DTLS is up.
        send_context: the same of outgoing ones.
        uplink: where verified packets go, None while this is not the live transport.
        forward: puts a rewritten packet on the SIP side; may raise OSError.
        video_uplink, video_forward: the same of video, while the call has any.
        destination: nominated address in the sender's form, b"" before.
        rejected: packets whose SRTP authentication or replay check failed.
    """

    __slots__ = (
        "_answered_at",
        "_certificate",
        "_checked_at",
        "_dtls",
        "_nominated",
        "_nominated_at",
        "_send",
        "_task",
        "_timeout_s",
        "address",
        "credentials",
        "destination",
        "failed",
        "fingerprints",
        "forward",
        "generation",
        "is_server",
        "owner",
        "paths",
        "receive_context",
        "rejected",
        "send_context",
        "uplink",
        "video_forward",
        "video_uplink",
    )

    def __init__(
        self,
        owner: TransportOwner,
        *,
        generation: int,
        credentials: IceCredentials,
        certificate: Certificate,
        fingerprints: Sequence[Fingerprint],
        is_server: bool,
        send: Callable[[bytes, Address], None],
        dtls_timeout_s: float,
        now: float,
    ) -> None:
        self.owner = owner
        self.generation = generation
        self.credentials = [credentials]
        self.fingerprints = tuple(fingerprints)
        self.is_server = is_server
        self.receive_context: SrtpContext | None = None
        self.send_context: SrtpContext | None = None
        self.uplink: Uplink | None = None
        self.forward: Callable[[memoryview], object] = _discard
        self.video_uplink: VideoStream | None = None
        self.video_forward: Callable[[memoryview], object] = _discard
        self.destination = b""
        self.address: Address | None = None
        self.paths: dict[bytes, None] = {}
        self.rejected = 0
        self.failed = False
        self._certificate = certificate
        self._send = send
        self._timeout_s = dtls_timeout_s
        self._answered_at = now
        self._checked_at: float | None = None
        self._nominated_at: float | None = None
        self._nominated = asyncio.Event()
        self._dtls = DtlsEndpoint(
            certificate,
            is_server=is_server,
            fingerprints=fingerprints,
            send=self._send_datagram,
            on_closed=self._closed_by_remote,
        )
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def sha256(self) -> str:
        """Fingerprint of our certificate, for the answer."""
        return self._certificate.sha256

    @property
    def is_nominated(self) -> bool:
        """Whether the browser chose a path."""
        return self.address is not None

    @property
    def dropped(self) -> int:
        """Datagrams of this transport that were thrown away."""
        return self.rejected + self._dtls.overflows + self._dtls.forged_alerts

    def checked(self, now: float) -> None:
        """A verified connectivity check came: consent is fresh (RFC 7675)."""
        self._checked_at = now

    def has_consent(self, now: float, timeout_s: float) -> bool:
        """Whether a check came within the time-out."""
        return self._checked_at is not None and now - self._checked_at < timeout_s

    def nominate(self, address: Address, destination: bytes, now: float) -> None:
        """The browser uses this path from now on; the latest nomination counts."""
        self.address, self.destination = address, destination
        if self._nominated_at is None:
            self._nominated_at = now
        self._nominated.set()

    def expiry(
        self, now: float, *, ice_timeout_s: float, consent_timeout_s: float
    ) -> str | None:
        """Why this transport is over, None while it is not."""
        if self._nominated_at is None:
            late = now - self._answered_at >= ice_timeout_s
            return "ice_timeout" if late else None
        return None if self.has_consent(now, consent_timeout_s) else "consent"

    def receive_dtls(self, datagram: bytes) -> None:
        """A DTLS datagram from a bound path."""
        self._dtls.receive(datagram)

    async def _run(self) -> None:
        await self._nominated.wait()
        try:
            async with asyncio.timeout(self._timeout_s):
                contexts = await self._dtls.handshake()
        except (DtlsError, TimeoutError):
            self.fail("dtls")
            return
        except Exception:
            # Root of the task: whatever it was, the browser must learn of it.
            logger.exception("DTLS handshake broke off")
            self.fail("dtls")
            return
        self.receive_context = contexts.receive
        self.send_context = contexts.send

    def fail(self, reason: str) -> None:
        """Tell the owner, once."""
        if not self.failed:
            self.failed = True
            self.owner.browser_failed(self, reason)

    def _send_datagram(self, datagram: bytes) -> None:
        if self.address is not None:
            self._send(datagram, self.address)

    def _closed_by_remote(self) -> None:
        self.fail("closed")

    async def close(self) -> None:
        """Free everything; the browser gets a close_notify."""
        self.failed = True
        self.receive_context = self.send_context = None
        self.uplink = self.video_uplink = None
        self.forward = self.video_forward = _discard
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._dtls.close()


def _discard(packet: memoryview) -> None:
    """A transport that is not live forwards nothing."""
