"""Real peers for the media engine: a scripted browser, a scripted phone, a watcher.

The browser does real ICE, DTLS and SRTP through aiortc's transports, but writes its
own SDP and its own RTP packets, so that a test can say exactly what it sends.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aioice.ice
import pytest
from aiortc import (
    RTCCertificate,
    RTCDtlsTransport,
    RTCIceCandidate,
    RTCIceGatherer,
    RTCIceTransport,
)
from aiortc import sdp as aiortc_sdp

from gateway.media.engine import (
    Leg,
    MediaCallId,
    MediaEngine,
    MediaEvent,
    Negotiated,
)

WAIT_S = 8.0

RTPMAPS = {
    "PCMU": (0, "PCMU/8000"),
    "PCMA": (8, "PCMA/8000"),
    "G722": (9, "G722/8000"),
    "opus": (111, "opus/48000/2"),
    "te8": (126, "telephone-event/8000"),
    "te48": (110, "telephone-event/48000"),
}
# As Chromium numbers and configures them: payload type, encoding, parameters.
_H264 = "level-asymmetry-allowed=1;packetization-mode={};profile-level-id={}"
VIDEO_FORMATS = {
    "VP8": (96, "VP8", ""),
    "VP9": (98, "VP9", "profile-id=0"),
    "H264": (102, "H264", _H264.format(1, "42e01f")),
    "H264-single": (108, "H264", _H264.format(0, "42e01f")),
    "H264-main": (127, "H264", _H264.format(1, "4d001f")),
    "rtx": (97, "rtx", "apt=96"),
}
BROWSER_VIDEO = ("VP8", "rtx", "VP9", "H264", "H264-single")
BROWSER_FEEDBACK = ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")
BROWSER_CODECS = ("opus", "G722", "PCMU", "PCMA", "te48", "te8")

_TRANSPORT_LINES = ("a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=setup")

EventT = TypeVar("EventT")

_certificate = RTCCertificate.generateCertificate()
_call_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Rtp:
    """One packet as it was received."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    first: int

    @classmethod
    def parse(cls, data: bytes) -> Rtp:
        first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
        return cls(
            second & 0x7F,
            bool(second & 0x80),
            sequence,
            timestamp,
            ssrc,
            data[12:],
            first,
        )


def build_rtp(
    payload_type: int,
    sequence: int,
    timestamp: int,
    ssrc: int,
    payload: bytes,
    *,
    marker: bool = False,
    extension: bytes = b"",
) -> bytes:
    first = 0x90 if extension else 0x80
    header = struct.pack(
        "!BBHII",
        first,
        payload_type | (0x80 if marker else 0),
        sequence & 0xFFFF,
        timestamp & 0xFFFFFFFF,
        ssrc,
    )
    return header + extension + payload


class Talker:
    """Numbers packets like a source of 20 ms frames."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)
        self.ssrc = rng.getrandbits(32)
        self.sequence = rng.getrandbits(16)
        self.timestamp = rng.getrandbits(32)

    def packet(
        self,
        payload_type: int,
        payload: bytes,
        *,
        ticks: int = 160,
        marker: bool = False,
        extension: bytes = b"",
    ) -> bytes:
        self.sequence += 1
        self.timestamp += ticks
        return build_rtp(
            payload_type,
            self.sequence,
            self.timestamp,
            self.ssrc,
            payload,
            marker=marker,
            extension=extension,
        )


class Inbox:
    """Packets of one receiver, and a way to wait for them."""

    def __init__(self) -> None:
        self.rtp: list[Rtp] = []
        self.rtcp: list[bytes] = []
        self._changed = asyncio.Event()

    def put_rtp(self, data: bytes) -> None:
        self.rtp.append(Rtp.parse(data))
        self._changed.set()

    def put_rtcp(self, data: bytes) -> None:
        self.rtcp.append(data)
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def rtp_count(self, count: int) -> list[Rtp]:
        await self.until(lambda: len(self.rtp) >= count)
        return self.rtp


class _Dtls(RTCDtlsTransport):
    """Gives the decrypted packets to the test instead of parsing them."""

    inbox: Inbox

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        self.inbox.put_rtp(data)

    async def _handle_rtcp_data(self, data: bytes) -> None:
        self.inbox.put_rtcp(data)


def video_lines(
    formats: Sequence[str],
    *,
    port: int = 9,
    protocol: str = "UDP/TLS/RTP/SAVPF",
    direction: str = "sendrecv",
    feedback: Sequence[str] = BROWSER_FEEDBACK,
    types: dict[str, int] | None = None,
    parameters: dict[str, str] | None = None,
    bandwidth: Sequence[str] = (),
    extra: Sequence[str] = (),
) -> str:
    """An m-line of video with all its lines."""
    numbers = {name: VIDEO_FORMATS[name][0] for name in formats} | (types or {})
    lines = [
        f"m=video {port} {protocol} {' '.join(str(numbers[n]) for n in formats)}",
        *(f"b={each}" for each in bandwidth),
        *extra,
        f"a={direction}",
    ]
    for name in formats:
        _, encoding, fmtp = VIDEO_FORMATS[name]
        fmtp = (parameters or {}).get(name, fmtp)
        lines.append(f"a=rtpmap:{numbers[name]} {encoding}/90000")
        if name != "rtx":
            lines += [f"a=rtcp-fb:{numbers[name]} {each}" for each in feedback]
        if fmtp:
            lines.append(f"a=fmtp:{numbers[name]} {fmtp}")
    return "\r\n".join(lines) + "\r\n"


def offer_sdp(
    *,
    ufrag: str = "abcd",
    password: str = "p" * 24,
    fingerprints: Sequence[str] = ("sha-256 " + ":".join(["AA"] * 32),),
    codecs: Sequence[str] = BROWSER_CODECS,
    direction: str = "sendrecv",
    setup: str = "actpass",
    session: int = 4711,
    version: int = 1,
    extra: str = "",
    video: Sequence[str] = (),
    video_direction: str = "sendrecv",
    receiving: Sequence[str] = (),
    receiving_video: Sequence[str] = BROWSER_VIDEO,
    **video_options: Any,
) -> str:
    """A browser-like offer; ``video`` formats in the bundle, ``extra`` m-lines.

    ``receiving``: kinds of further lines for others of a room, called r0, r1...
    """
    types = " ".join(str(RTPMAPS[name][0]) for name in codecs)
    lines = [
        "v=0",
        f"o=- {session} {version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        " ".join(
            [
                "a=group:BUNDLE 0",
                *(["1"] if video else []),
                *(f"r{index}" for index in range(len(receiving))),
            ]
        ),
        "a=extmap-allow-mixed",
        f"m=audio 9 UDP/TLS/RTP/SAVPF {types}",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        f"a=ice-ufrag:{ufrag}",
        f"a=ice-pwd:{password}",
        "a=ice-options:trickle",
        *(f"a=fingerprint:{each}" for each in fingerprints),
        f"a=setup:{setup}",
        "a=mid:0",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        f"a={direction}",
        "a=rtcp-mux",
        *(f"a=rtpmap:{RTPMAPS[name][0]} {RTPMAPS[name][1]}" for name in codecs),
    ]
    if video:
        transport = [line for line in lines if line.startswith(_TRANSPORT_LINES)]
        extra += video_lines(
            video,
            extra=["c=IN IP4 0.0.0.0", "a=mid:1", "a=rtcp-mux", *transport],
            direction=video_direction,
            **video_options,
        )
    for index, kind in enumerate(receiving):
        line = receiving_line(f"r{index}", kind, codecs, receiving_video)
        extra += "\r\n".join(line) + "\r\n"
    return "\r\n".join(lines) + "\r\n" + extra


def receiving_line(
    mid: str,
    kind: str,
    codecs: Sequence[str] = BROWSER_CODECS,
    video: Sequence[str] = BROWSER_VIDEO,
    direction: str = "recvonly",
) -> list[str]:
    """A line of an offer for somebody else's stream."""
    head = ["c=IN IP4 0.0.0.0", f"a=mid:{mid}", "a=rtcp-mux"]
    if kind == "video":
        text = video_lines(video, extra=head, direction=direction)
        return text.splitlines()
    types = " ".join(str(RTPMAPS[name][0]) for name in codecs)
    return [
        f"m=audio 9 UDP/TLS/RTP/SAVPF {types}",
        *head,
        f"a={direction}",
        *(f"a=rtpmap:{RTPMAPS[name][0]} {RTPMAPS[name][1]}" for name in codecs),
    ]


class Browser:
    """One peer connection of a scripted browser."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = next(_call_numbers) if seed is None else seed
        self.gatherer = RTCIceGatherer(iceServers=[])
        self.ice = RTCIceTransport(self.gatherer)
        self.ice._connection.ice_controlling = True
        self.dtls = _Dtls(self.ice, [_certificate])
        self.dtls.inbox = self.inbox = Inbox()
        self.talker = Talker(self.seed)
        # The same transport, another source.
        self.camera = Talker(self.seed + 100_000)
        # Whether the network loses a datagram on its way here.
        self.loses: Callable[[bytes], bool] = lambda data: False
        self._receive, self.ice._recv = self.ice._recv, self._receive_some
        self.version = 0
        self.answer: aiortc_sdp.SessionDescription | None = None

    async def _receive_some(self) -> bytes:
        while True:
            data: bytes = await self._receive()
            if not self.loses(data):
                return data

    async def offer(self, **options: Any) -> str:
        await self.gatherer.gather()
        self.version += 1
        parameters = self.gatherer.getLocalParameters()
        options.setdefault(
            "fingerprints",
            [
                f"{each.algorithm} {each.value}"
                for each in self.dtls.getLocalParameters().fingerprints
                if each.algorithm == "sha-256"
            ],
        )
        return offer_sdp(
            ufrag=parameters.usernameFragment,
            password=parameters.password,
            session=1000 + self.seed,
            version=self.version,
            **options,
        )

    async def connect(self, answer: str) -> None:
        """ICE and DTLS to the end."""
        await self.connect_ice(answer)
        assert self.answer is not None
        await self.dtls.start(self.answer.media[0].dtls)
        assert self.dtls.state == "connected", self.dtls.state

    async def connect_ice(self, answer: str) -> None:
        self.answer = aiortc_sdp.SessionDescription.parse(answer)
        media = self.answer.media[0]
        for candidate in media.ice_candidates:
            assert isinstance(candidate, RTCIceCandidate)
            await self.ice.addRemoteCandidate(candidate)
        await self.ice.addRemoteCandidate(None)
        self.dtls._set_role("client" if media.dtls.role == "server" else "server")
        await self.ice.start(media.ice)

    async def send(
        self, payload: bytes, *, payload_type: int = 0, **options: Any
    ) -> None:
        await self.send_raw(self.talker.packet(payload_type, payload, **options))

    async def send_video(
        self, payload: bytes, *, payload_type: int = 96, **options: Any
    ) -> None:
        options.setdefault("ticks", 3000)
        await self.send_raw(self.camera.packet(payload_type, payload, **options))

    async def send_raw(self, packet: bytes) -> None:
        """Encrypt and send RTP or RTCP."""
        await self.dtls._send_rtp(packet)

    @property
    def local_address(self) -> tuple[str, int]:
        pair = self.ice._connection._nominated[1]
        return pair.local_addr

    async def close(self) -> None:
        pump = self.dtls._task
        await self.dtls.stop()
        await self.ice.stop()
        if pump is not None:
            await asyncio.wait([pump])


class _PhoneProtocol(asyncio.DatagramProtocol):
    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.sources: list[tuple[str, int]] = []

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.sources.append(addr)
        if len(data) >= 8 and 192 <= data[1] <= 223:
            self.inbox.put_rtcp(data)
        elif len(data) >= 12:
            self.inbox.put_rtp(data)

    def error_received(self, exc: Exception) -> None:
        """ICMP of a closed port: the engine's side is gone already."""


class Phone:
    """A SIP-side peer with an RTP port pair."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = next(_call_numbers) if seed is None else seed
        self.inbox = Inbox()
        self.talker = Talker(self.seed)
        self.engine_address = ("127.0.0.1", 0)
        self.video: Phone | None = None
        self._rtp: asyncio.DatagramTransport | None = None
        self._rtcp: asyncio.DatagramTransport | None = None

    async def start(self, host: str = "127.0.0.1") -> Phone:
        loop = asyncio.get_running_loop()
        rtp, rtcp = bind_pair(host)
        self._rtp, self.protocol = await loop.create_datagram_endpoint(
            lambda: _PhoneProtocol(self.inbox), sock=rtp
        )
        self._rtcp, _ = await loop.create_datagram_endpoint(
            lambda: _PhoneProtocol(self.inbox), sock=rtcp
        )
        return self

    @property
    def address(self) -> tuple[str, int]:
        assert self._rtp is not None
        return self._rtp.get_extra_info("sockname")

    def sdp(
        self,
        codecs: Sequence[str] = ("PCMU", "te8"),
        *,
        direction: str = "sendrecv",
        host: str | None = None,
        types: dict[str, int] | None = None,
        version: int = 1,
        video: Sequence[str] = (),
        protocol: str = "RTP/AVP",
        **video_options: Any,
    ) -> str:
        numbers = {name: RTPMAPS[name][0] for name in codecs} | (types or {})
        own_host, port = self.address
        host = host or own_host
        lines = [
            "v=0",
            f"o=phone 77 {version} IN IP4 {host}",
            "s=-",
            f"c=IN IP4 {host}",
            "t=0 0",
            f"m=audio {port} RTP/AVP {' '.join(str(numbers[n]) for n in codecs)}",
            *(f"a=rtpmap:{numbers[n]} {RTPMAPS[n][1]}" for n in codecs),
            f"a={direction}",
        ]
        text = "\r\n".join(lines) + "\r\n"
        if video:
            assert self.video is not None
            video_options.setdefault("feedback", ())
            video_options.setdefault("direction", direction)
            port = self.video.address[1]
            text += video_lines(video, port=port, protocol=protocol, **video_options)
        return text

    def learn(self, engine_sdp: str) -> None:
        """Remember where the engine wants its packets."""
        for line in engine_sdp.splitlines():
            if line.startswith("m=audio"):
                self.engine_address = ("127.0.0.1", int(line.split()[1]))
            elif line.startswith("m=video") and self.video is not None:
                self.video.engine_address = ("127.0.0.1", int(line.split()[1]))

    def send(self, payload: bytes, *, payload_type: int = 0, **options: Any) -> None:
        self.send_raw(self.talker.packet(payload_type, payload, **options))

    def send_raw(self, packet: bytes) -> None:
        assert self._rtp is not None
        self._rtp.sendto(packet, self.engine_address)

    def send_rtcp(self, packet: bytes) -> None:
        assert self._rtcp is not None
        host, port = self.engine_address
        self._rtcp.sendto(packet, (host, port + 1))

    async def start_video(self) -> Phone:
        """Ports for video; they are a phone of their own, called ``video``."""
        self.video = await Phone().start(self.address[0])
        return self.video

    def close(self) -> None:
        for transport in (self._rtp, self._rtcp):
            if transport is not None:
                transport.close()
        if self.video is not None:
            self.video.close()


def bind_pair(host: str = "127.0.0.1") -> tuple[socket.socket, socket.socket]:
    """An even port and the next one."""
    while True:
        first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        second = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            first.bind((host, 0))
            port = first.getsockname()[1]
            if port % 2 == 0:
                second.bind((host, port + 1))
                first.setblocking(False)
                second.setblocking(False)
                return first, second
        except OSError:
            pass
        first.close()
        second.close()


class Events:
    """Everything the engine reported."""

    def __init__(self, engine: MediaEngine) -> None:
        self.all: list[MediaEvent] = []
        self._changed = asyncio.Event()
        engine.subscribe(self._take)

    def _take(self, event: MediaEvent) -> None:
        self.all.append(event)
        self._changed.set()

    async def wait(self, event: MediaEvent) -> None:
        """Until exactly this event has come."""
        try:
            async with asyncio.timeout(WAIT_S):
                while event not in self.all:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pytest.fail(f"{event} did not come, but {self.all}")

    def of(self, kind: type[EventT]) -> list[EventT]:
        return [event for event in self.all if isinstance(event, kind)]


@dataclass
class Joined:
    """A call with both legs up."""

    call: MediaCallId
    browser: Browser
    phone: Phone
    sip_offer: str
    browser_answer: str
    accepted: Negotiated
    closers: list[Any] = field(default_factory=list)


def new_call() -> MediaCallId:
    return MediaCallId(f"call-{next(_call_numbers)}")


async def join(
    engine: MediaEngine,
    *,
    browser_codecs: Sequence[str] = BROWSER_CODECS,
    phone_codecs: Sequence[str] = ("PCMU", "te8"),
    connect: bool = True,
    types: dict[str, int] | None = None,
    browser_video: Sequence[str] = (),
    phone_video: Sequence[str] = (),
    room: str = "",
    beside: str = "",
    **phone_options: Any,
) -> Joined:
    """An outgoing call: browser answered at once, phone answers our offer."""
    call = new_call()
    await engine.open(call, room=room, beside=beside)
    browser = Browser()
    answered = await engine.answer(
        call,
        Leg.BROWSER,
        await browser.offer(codecs=browser_codecs, video=browser_video),
    )
    phone = await Phone().start()
    await phone.start_video()
    offer = await engine.offer(call, Leg.SIP)
    phone.learn(offer)
    accepted = await engine.accept(
        call,
        Leg.SIP,
        phone.sdp(phone_codecs, types=types, video=phone_video, **phone_options),
    )
    if connect:
        await browser.connect(answered.sdp)
    return Joined(call, browser, phone, offer, answered.sdp, accepted)


async def leave(joined: Joined) -> None:
    await joined.browser.close()
    joined.phone.close()


@contextlib.contextmanager
def loopback_ice() -> Iterator[None]:
    """aioice leaves loopback addresses out; the tests have no other."""
    original = aioice.ice.get_host_addresses
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
    try:
        yield
    finally:
        aioice.ice.get_host_addresses = original


@contextlib.asynccontextmanager
async def joined_call(engine: MediaEngine, **options: Any) -> AsyncIterator[Joined]:
    joined = await join(engine, **options)
    try:
        yield joined
    finally:
        await leave(joined)


async def exchange_until_connected(joined: Joined, events: Events) -> None:
    """First packets in both directions; afterwards both inboxes hold some."""
    browser, phone = joined.browser, joined.phone
    while not browser.inbox.rtp or not phone.inbox.rtp:
        await browser.send(b"u" * 160)
        phone.send(b"d" * 160)
        await asyncio.sleep(0.01)
