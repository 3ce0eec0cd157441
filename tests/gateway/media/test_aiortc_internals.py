"""The private names of dependencies mean what aiortc_internals assumes."""

from __future__ import annotations

import asyncio
import datetime
import importlib.metadata
import inspect

import pytest
from aiortc import RTCDtlsTransport
from pylibsrtp import Policy, Session

from gateway.media.relay import aiortc_internals as internals
from gateway.media.relay.aiortc_internals import (
    INBOX_DATAGRAMS,
    Certificate,
    DtlsEndpoint,
    DtlsError,
    Fingerprint,
)

KEY = bytes(range(30))


def test_versions_are_the_pinned_ones() -> None:
    for name, version in internals.PINNED_VERSIONS.items():
        assert importlib.metadata.version(name) == version


def test_dtls_transport_uses_only_three_names_of_ice() -> None:
    source = inspect.getsource(RTCDtlsTransport)
    used = {
        part.split("(")[0].split(".")[0].split(")")[0].split(",")[0].split(" ")[0]
        for part in source.split("self.transport.")[1:]
    }
    assert {name.strip(":\n") for name in used} == {"role", "_recv", "_send"}


def new_session(kind: int) -> Session:
    return Session(Policy(key=KEY, ssrc_type=kind))


def test_srtp_functions_work_in_place_on_session_contexts() -> None:
    sender = new_session(Policy.SSRC_ANY_OUTBOUND)
    receiver = new_session(Policy.SSRC_ANY_INBOUND)
    packet = b"\x80\x00" + bytes(10) + b"payload"
    buffer = bytearray(2048)
    buffer[: len(packet)] = packet
    pointer = internals.packet_pointer(_address(buffer))
    length = internals.new_length()
    length[0] = len(packet)
    assert internals.srtp_protect(sender._srtp[0], pointer, length) == 0
    assert len(packet) < length[0] <= len(packet) + internals.SRTP_TRAILER_BYTES
    assert b"payload" not in buffer
    assert internals.srtp_unprotect(receiver._srtp[0], pointer, length) == 0
    assert bytes(buffer[: length[0]]) == packet
    # The same again is a replay.
    assert internals.srtp_unprotect(receiver._srtp[0], pointer, length) != 0


def test_srtcp_functions_too() -> None:
    sender = new_session(Policy.SSRC_ANY_OUTBOUND)
    receiver = new_session(Policy.SSRC_ANY_INBOUND)
    packet = b"\x80\xc9\x00\x01" + bytes(4)
    buffer = bytearray(2048)
    buffer[: len(packet)] = packet
    pointer, length = internals.packet_pointer(_address(buffer)), internals.new_length()
    length[0] = len(packet)
    assert internals.srtp_protect_rtcp(sender._srtp[0], pointer, length) == 0
    assert length[0] <= len(packet) + internals.SRTP_TRAILER_BYTES
    assert internals.srtp_unprotect_rtcp(receiver._srtp[0], pointer, length) == 0
    assert bytes(buffer[: length[0]]) == packet


def _address(buffer: bytearray) -> int:
    return int(internals.ffi.cast("uintptr_t", internals.ffi.from_buffer(buffer)))


def test_certificates_share_their_context_and_age() -> None:
    certificate = Certificate.generateCertificate()
    assert isinstance(certificate, Certificate)
    profiles = RTCDtlsTransport(_NoIce(), [certificate])._srtp_profiles
    first = certificate._create_ssl_context(srtp_profiles=profiles)
    assert certificate._create_ssl_context(srtp_profiles=profiles) is first
    assert len(certificate.sha256.split(":")) == 32
    now = datetime.datetime.now(tz=datetime.UTC)
    assert not certificate.is_stale(now)
    assert certificate.is_stale(now + datetime.timedelta(days=10))


class _NoIce:
    role = "controlled"


class Pipe:
    """Two endpoints joined in memory."""

    def __init__(self, *, fingerprints: list[str] | None = None) -> None:
        certificates = [Certificate.generateCertificate() for _ in range(2)]
        told = fingerprints or [certificate.sha256 for certificate in certificates]
        self.closed: list[int] = []
        self.was_closed = asyncio.Event()
        self.server = DtlsEndpoint(
            certificates[0],
            is_server=True,
            fingerprints=[Fingerprint("sha-256", told[1])],
            send=lambda data: self.client.receive(data),
            on_closed=lambda: self._closed(0),
        )
        self.client = DtlsEndpoint(
            certificates[1],
            is_server=False,
            fingerprints=[Fingerprint("sha-256", told[0])],
            send=lambda data: self.server.receive(data),
            on_closed=lambda: self._closed(1),
        )

    def _closed(self, side: int) -> None:
        self.closed.append(side)
        self.was_closed.set()


async def test_handshake_gives_matching_keys_and_close_is_told() -> None:
    pipe = Pipe()
    server, client = await asyncio.gather(
        pipe.server.handshake(), pipe.client.handshake()
    )
    buffer = bytearray(2048)
    packet = b"\x80\x00" + bytes(10) + b"payload"
    buffer[: len(packet)] = packet
    pointer, length = internals.packet_pointer(_address(buffer)), internals.new_length()
    length[0] = len(packet)
    assert internals.srtp_protect(client.send, pointer, length) == 0
    assert internals.srtp_unprotect(server.receive, pointer, length) == 0
    assert bytes(buffer[: length[0]]) == packet
    await pipe.client.close()
    async with asyncio.timeout(2):
        await pipe.was_closed.wait()
    assert pipe.closed == [0]
    await pipe.server.close()


async def test_wrong_fingerprint_fails() -> None:
    pipe = Pipe(fingerprints=[":".join(["00"] * 32)] * 2)
    results = await asyncio.gather(
        pipe.server.handshake(), pipe.client.handshake(), return_exceptions=True
    )
    assert all(isinstance(result, DtlsError) for result in results)
    await pipe.client.close()
    await pipe.server.close()


async def test_inbox_is_bounded_and_plain_alerts_are_dropped() -> None:
    pipe = Pipe()
    for _ in range(INBOX_DATAGRAMS + 10):
        pipe.server.receive(b"\x16\xfe\xfd" + bytes(20))
    assert pipe.server.overflows == 10
    pipe.server.receive(b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28")
    assert pipe.server.forged_alerts == 1
    assert pipe.server.overflows == 10


@pytest.mark.parametrize("garbage", [b"\x16" * 1500, b"\x16\xfe\xfd" + bytes(1497)])
async def test_garbage_from_the_bound_address_does_not_end_the_handshake(
    garbage: bytes,
) -> None:
    pipe = Pipe()
    pipe.server.receive(garbage)
    server, _ = await asyncio.gather(pipe.server.handshake(), pipe.client.handshake())
    assert server.send is not None
    await pipe.client.close()
    await pipe.server.close()
