"""Attacks on the media plane; numbers are those of the security test list."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import struct
import threading
from collections.abc import Iterator, Sequence

import pytest
from aioice import stun
from aiortc import sdp as aiortc_sdp

from gateway.media.engine import BrowserConnected, BrowserLost, Leg, SipMediaStarted
from gateway.media.relay import RelayConfig, RelayEngine, SymmetricRtp
from tests.gateway.media.contract import assert_one_stream
from tests.gateway.media.rig import (
    BROWSER_CODECS,
    WAIT_S,
    Browser,
    Events,
    Joined,
    Phone,
    Talker,
    build_rtp,
    exchange_until_connected,
    join,
    joined_call,
    leave,
    new_call,
    offer_sdp,
)

STRANGER = "127.0.0.66"


def dtls_record(kind: int, body: bytes) -> bytes:
    return (
        struct.pack("!BHHIHH", kind, 0xFEFD, 0, 0, 0, len(body))[:11]
        + struct.pack("!H", len(body))
        + body
    )


def handshake(kind: int, body: bytes, *, offset: int = 0, total: int = 0) -> bytes:
    header = struct.pack("!B", kind) + (total or len(body)).to_bytes(3, "big")
    header += b"\0\0" + offset.to_bytes(3, "big") + len(body).to_bytes(3, "big")
    return dtls_record(22, header + body)


# TLS_RSA_WITH_NULL_SHA: the ClientHello that ended handshakes elsewhere.
NULL_CLIENT_HELLO = handshake(
    1, b"\xfe\xfd" + bytes(32) + b"\0\0" + b"\x00\x02\x00\x02" + b"\x01\x00"
)
ATTACKS = (
    NULL_CLIENT_HELLO,
    dtls_record(21, b"\x02\x28"),
    dtls_record(21, b"\x01\x00"),
    handshake(2, b"\xfe\xfd" + bytes(32) + b"\0" + b"\x00\x02" + b"\0"),
    handshake(3, b"\xfe\xff" + b"\x14" + bytes(20)),
    handshake(11, bytes(100), offset=50, total=4000),
    b"\x16" * 1500,
    b"\x16\xfe\xfd" + bytes(1497),
    bytes(1500),
    b"\x80\x00" + bytes(170),
)


class Sprayer:
    """Sends datagrams to one address as fast as told, in its own thread."""

    def __init__(
        self,
        target: tuple[str, int],
        datagrams: Sequence[bytes],
        *,
        pause_s: float,
        host: str = STRANGER,
    ) -> None:
        self.sent = 0
        self.received = 0
        self._target = target
        self._datagrams = datagrams
        self._pause_s = pause_s
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.setblocking(False)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @property
    def address(self) -> tuple[str, int]:
        return self._socket.getsockname()

    def _run(self) -> None:
        while not self._stop.wait(self._pause_s):
            for datagram in self._datagrams:
                with contextlib.suppress(OSError):
                    self._socket.sendto(datagram, self._target)
                    self.sent += 1
            self._drain()

    def _drain(self) -> None:
        with contextlib.suppress(OSError):
            while self._socket.recv(2048):
                self.received += 1

    def __enter__(self) -> Sprayer:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        self._drain()
        self._socket.close()


@contextlib.contextmanager
def stranger_socket(host: str = STRANGER) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        sock.setblocking(False)
        yield sock


async def speak_until_connected(
    browser: Browser, events: Events, event: BrowserConnected
) -> None:
    """The first packet may overtake the end of the handshake and be dropped."""
    waiting = asyncio.create_task(events.wait(event))
    while not waiting.done():
        await browser.send(b"u" * 160)
        await asyncio.wait([waiting], timeout=0.02)
    await waiting


async def browser_target(engine: RelayEngine) -> tuple[str, int]:
    (counters,) = await engine.worker_counters()
    return "127.0.0.1", counters["browser_port"]


async def wait_counter(engine: RelayEngine, name: str, least: int) -> None:
    async with asyncio.timeout(WAIT_S):
        # The counters live in another process.
        while (await engine.worker_counters())[0][name] < least:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("setup", ["actpass", "passive"])
async def test_1_2_twenty_of_twenty_calls_connect_under_spray(
    engine: RelayEngine, events: Events, setup: str
) -> None:
    """1 and 2: NULL-cipher ClientHello, forged alerts, hellos, fragments, garbage
    from a foreign address, before and during the handshake, in both DTLS roles."""

    async def one() -> bool:
        call = new_call()
        await engine.open(call)
        browser = Browser()
        answer = await engine.answer(
            call, Leg.BROWSER, await browser.offer(setup=setup)
        )
        try:
            await browser.connect(answer.sdp)
            await speak_until_connected(browser, events, BrowserConnected(call, 1))
        finally:
            await browser.close()
        await engine.close(call)
        return True

    target = await browser_target(engine)
    with Sprayer(target, ATTACKS, pause_s=0.002) as sprayer:
        connected = 0
        for _ in range(5):
            connected += sum(await asyncio.gather(*(one() for _ in range(4))))
    assert connected == 20
    assert sprayer.sent > 100
    assert sprayer.received == 0


async def test_3_dtls_before_nomination_is_dropped_not_queued(
    engine: RelayEngine, events: Events
) -> None:
    async with joined_call(engine, connect=False) as joined:
        target = await browser_target(engine)
        with stranger_socket() as stranger:
            for _ in range(200):
                stranger.sendto(NULL_CLIENT_HELLO, target)
            await wait_counter(engine, "unbound_datagrams", 200)
        await joined.browser.connect(joined.browser_answer)
        await exchange_until_connected(joined, events)
        statistics = await engine.statistics(joined.call)
        assert statistics.browser.dropped == 0


async def test_4_a_source_whose_check_failed_stays_unbound(
    engine: RelayEngine, events: Events
) -> None:
    async with joined_call(engine) as joined:
        await exchange_until_connected(joined, events)
        assert joined.browser.answer is not None
        ufrag = joined.browser.answer.media[0].ice.usernameFragment
        target = await browser_target(engine)
        with stranger_socket() as stranger:
            message = stun.Message(
                message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST
            )
            message.attributes["USERNAME"] = f"{ufrag}:abcd"
            message.attributes["USE-CANDIDATE"] = None
            message.add_message_integrity(b"guessed")
            stranger.sendto(bytes(message), target)
            await wait_counter(engine, "rejected_checks", 1)
            for attack in ATTACKS:
                stranger.sendto(attack, target)
            await wait_counter(engine, "unbound_datagrams", 5)
            with pytest.raises(BlockingIOError):
                stranger.recv(100)
        count = len(joined.browser.inbox.rtp)
        joined.phone.send(b"d" * 160)
        await joined.browser.inbox.rtp_count(count + 1)


@pytest.mark.parametrize("case", [str.upper, str.lower])
async def test_5_two_fingerprints_in_any_case(
    engine: RelayEngine, events: Events, case: object
) -> None:
    assert callable(case)
    browser = Browser()
    own = [
        f"{each.algorithm} {case(each.value)}"
        for each in browser.dtls.getLocalParameters().fingerprints
        if each.algorithm in ("sha-256", "sha-512")
    ]
    assert len(own) == 2
    call = new_call()
    await engine.open(call)
    answer = await engine.answer(
        call, Leg.BROWSER, await browser.offer(fingerprints=["sha-1 00:11", *own])
    )
    await browser.connect(answer.sdp)
    await speak_until_connected(browser, events, BrowserConnected(call, 1))
    await browser.close()


@pytest.mark.parametrize("when", ["before the peer", "after the peer"])
@pytest.mark.parametrize("policy", [SymmetricRtp.OFF, SymmetricRtp.AUTO])
class TestSipSideStrangers:
    @pytest.fixture
    def relay_config(self, policy: SymmetricRtp) -> RelayConfig:
        return RelayConfig(
            symmetric_rtp=policy, learning_window_s=0.3, port_quarantine_s=0.1
        )

    async def test_6_7_injected_packets_are_not_heard_and_nothing_bleeds(
        self, engine: RelayEngine, events: Events, when: str
    ) -> None:
        """6: never relayed. 7: our media never goes there."""
        async with joined_call(engine) as joined:
            if when == "after the peer":
                await exchange_until_connected(joined, events)
            injected = build_rtp(0, 77, 160, 4242, b"EVIL" * 40)
            target = joined.phone.engine_address
            with Sprayer(target, [injected], pause_s=0.005) as sprayer:
                for _ in range(60):
                    await joined.browser.send(b"u" * 160)
                    if when == "after the peer":
                        joined.phone.send(b"d" * 160)
                    await asyncio.sleep(0.005)
                await exchange_until_connected(joined, events)
            assert sprayer.sent > 10
            assert sprayer.received == 0
            heard = {packet.payload for packet in joined.browser.inbox.rtp}
            assert heard == {b"d" * 160}
            assert_one_stream(joined.browser.inbox.rtp)
            statistics = await engine.statistics(joined.call)
            assert statistics.sip.dropped >= 10


class TestSymmetricOn:
    @pytest.fixture
    def relay_config(self) -> RelayConfig:
        return RelayConfig(symmetric_rtp=SymmetricRtp.ON, learning_window_s=3.0)

    async def test_7_a_sprayer_loses_against_the_peer(
        self, engine: RelayEngine, events: Events
    ) -> None:
        async with joined_call(engine) as joined:
            target = joined.phone.engine_address
            injected = build_rtp(0, 77, 160, 4242, b"EVIL" * 40)
            with Sprayer(target, [injected], pause_s=0.005) as sprayer:
                await exchange_until_connected(joined, events)
            assert sprayer.received == 0
            assert {p.payload for p in joined.browser.inbox.rtp} == {b"d" * 160}

    async def test_a_peer_behind_nat_is_learned(
        self, engine: RelayEngine, events: Events
    ) -> None:
        call = new_call()
        await engine.open(call)
        browser = Browser()
        answer = await engine.answer(call, Leg.BROWSER, await browser.offer())
        phone = await Phone().start("127.0.0.77")
        phone.learn(await engine.offer(call, Leg.SIP))
        await engine.accept(call, Leg.SIP, phone.sdp(host="192.0.2.200"))
        await browser.connect(answer.sdp)
        while not phone.inbox.rtp or not browser.inbox.rtp:
            await browser.send(b"u" * 160)
            phone.send(b"d" * 160)
            await asyncio.sleep(0.02)
        await events.wait(SipMediaStarted(call))
        await browser.close()
        phone.close()


async def spoof(joined: Joined, target: tuple[str, int], data: bytes) -> None:
    """Send from the browser's own, bound address."""
    protocol = joined.browser.ice._connection._nominated[1].protocol
    protocol.transport.sendto(data, target)


async def test_9_bad_srtp_does_not_end_the_call(
    engine: RelayEngine, events: Events
) -> None:
    async with joined_call(engine) as joined:
        await exchange_until_connected(joined, events)
        target = await browser_target(engine)
        count = len(joined.phone.inbox.rtp)
        for number in range(300):
            await spoof(joined, target, build_rtp(0, number, 0, 9, os.urandom(170)))
            await spoof(joined, target, b"\x80\xc9\x00\x01" + os.urandom(40))
        await wait_counter(engine, "rejected_srtp", 600)
        await joined.browser.send(b"u" * 160)
        await joined.phone.inbox.rtp_count(count + 1)
        assert events.of(BrowserLost) == []
        assert (await engine.statistics(joined.call)).browser.dropped >= 600


async def test_9_replayed_srtp_is_not_relayed_twice(
    engine: RelayEngine, events: Events
) -> None:
    async with joined_call(engine) as joined:
        await exchange_until_connected(joined, events)
        target = await browser_target(engine)
        packet = joined.browser.talker.packet(0, b"once" * 40)
        protected = joined.browser.dtls._tx_srtp.protect(packet)
        for _ in range(20):
            await spoof(joined, target, protected)
        await wait_counter(engine, "rejected_srtp", 19)
        await joined.browser.send(b"u" * 160)
        await joined.phone.inbox.until(
            lambda: joined.phone.inbox.rtp[-1].payload == b"u" * 160
        )
        payloads = [each.payload for each in joined.phone.inbox.rtp]
        assert payloads.count(b"once" * 40) == 1
        assert_one_stream(joined.phone.inbox.rtp)


async def test_10_a_flood_costs_no_audio(engine: RelayEngine, events: Events) -> None:
    """Nonsense at 10 kpps to both ports for four seconds costs at most 1 % of audio."""
    async with joined_call(engine) as joined:
        await exchange_until_connected(joined, events)
        up, down = len(joined.phone.inbox.rtp), len(joined.browser.inbox.rtp)
        nonsense = [b"\x80\x00" + bytes(170)] * 10
        targets = [await browser_target(engine), joined.phone.engine_address]
        with (
            Sprayer(targets[0], nonsense, pause_s=0.002) as first,
            Sprayer(targets[1], nonsense, pause_s=0.002) as second,
        ):
            for _ in range(200):
                await joined.browser.send(b"u" * 160)
                joined.phone.send(b"d" * 160)
                await asyncio.sleep(0.02)
            await joined.phone.inbox.rtp_count(up + 198)
            await joined.browser.inbox.rtp_count(down + 198)
        assert first.sent + second.sent > 8000


MALFORMED_RTP = {
    "empty": b"",
    "one byte": b"\x80",
    "cut header": b"\x80\x00" + bytes(9),
    "csrc count lies": b"\x8f\x00" + bytes(10),
    "extension cut": b"\x90\x00" + bytes(10),
    "extension length lies": b"\x90\x00" + bytes(10) + b"\xbe\xde\xff\xff",
    "padding exceeds payload": b"\xa0\x00" + bytes(10) + b"\x01\x63",
    "version 1": b"\x40\x00" + bytes(20),
    "version 3": b"\xc0\x00" + bytes(20),
    "oversize": b"\x80\x00" + bytes(3000),
    "rtcp cut": b"\x80\xc8\x00",
    "rtcp length lies": b"\x80\xc8\xff\xff" + bytes(20),
    "rtcp count lies": b"\x9f\xc9\x00\x01" + bytes(8),
}


async def test_13_malformed_rtp_on_the_sip_side(
    engine: RelayEngine, events: Events
) -> None:
    async with joined_call(engine) as joined:
        await exchange_until_connected(joined, events)
        count = len(joined.browser.inbox.rtp)
        rng = random.Random(13)
        for data in MALFORMED_RTP.values():
            joined.phone.send_raw(data)
            joined.phone.send_rtcp(data)
        for _ in range(300):
            joined.phone.send_raw(rng.randbytes(rng.randrange(60)))
            joined.phone.send_rtcp(rng.randbytes(rng.randrange(60)))
        joined.phone.send(b"d" * 160)
        await joined.browser.inbox.until(
            lambda: (
                joined.browser.inbox.rtp[-1].payload == b"d" * 160
                and len(joined.browser.inbox.rtp) > count
            )
        )
        assert (await engine.statistics(joined.call)).sip.dropped > 5
        assert len(engine.worker_pids()) == 1


async def test_13_malformed_rtp_inside_srtp(
    engine: RelayEngine, events: Events
) -> None:
    async with joined_call(engine) as joined:
        await exchange_until_connected(joined, events)
        count = len(joined.phone.inbox.rtp)
        talker = Talker(99)
        # Lies about CSRCs and extensions are refused by libsrtp at the sender.
        for first in (0xA0, 0xA0, 0xA0):
            packet = bytearray(talker.packet(0, bytes(60)))
            packet[0], packet[-1] = first, 0xFF
            await joined.browser.send_raw(bytes(packet))
        for name in ("rtcp length lies", "rtcp count lies"):
            await joined.browser.send_raw(MALFORMED_RTP[name])
        await joined.browser.send(b"u" * 160)
        packets = await joined.phone.inbox.rtp_count(count + 1)
        assert len(packets) == count + 1
        assert packets[-1].payload == b"u" * 160


class TestStun:
    """14: short, long, wrong, foreign checks; amplification; path takeover."""

    async def test_malformed_and_foreign_checks_get_no_answer(
        self, engine: RelayEngine, events: Events
    ) -> None:
        async with joined_call(engine) as joined:
            await exchange_until_connected(joined, events)
            target = await browser_target(engine)
            rng = random.Random(14)
            header = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)
            many = b"".join(b"\xc0\x01\x00\x00" for _ in range(300))
            bad = [
                b"\x00",
                header[:19],
                header,
                b"\x00\x01" + struct.pack("!H", len(many)) + header[4:] + many,
                b"\x00\x01\xff\xff" + header[4:],
                *(
                    b"\x00\x01" + rng.randbytes(rng.randrange(1, 200))
                    for _ in range(100)
                ),
            ]
            with stranger_socket() as stranger:
                for data in bad:
                    stranger.sendto(data, target)
                await asyncio.sleep(0)
                await wait_counter(engine, "malformed_datagrams", 1)
                await wait_counter(engine, "rejected_checks", 50)
                with pytest.raises(BlockingIOError):
                    stranger.recv(100)
            count = len(joined.phone.inbox.rtp)
            await joined.browser.send(b"u" * 160)
            await joined.phone.inbox.rtp_count(count + 1)

    async def test_another_call_cannot_take_a_live_path(
        self, engine: RelayEngine, events: Events
    ) -> None:
        async with joined_call(engine) as joined:
            await exchange_until_connected(joined, events)
            attacker = new_call()
            await engine.open(attacker)
            answer = await engine.answer(attacker, Leg.BROWSER, offer_sdp())
            ice = aiortc_ice(answer.sdp)
            message = stun.Message(
                message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST
            )
            message.attributes["USERNAME"] = f"{ice[0]}:abcd"
            message.attributes["ICE-CONTROLLING"] = 1
            message.attributes["USE-CANDIDATE"] = None
            message.add_message_integrity(ice[1].encode())
            target = await browser_target(engine)
            await spoof(joined, target, bytes(message))
            await wait_counter(engine, "path_conflicts", 1)
            count = len(joined.phone.inbox.rtp)
            await joined.browser.send(b"u" * 160)
            await joined.phone.inbox.rtp_count(count + 1)

    async def test_one_answer_per_check_and_not_longer(
        self, engine: RelayEngine, events: Events
    ) -> None:
        call = new_call()
        await engine.open(call)
        browser = Browser()
        answer = await engine.answer(call, Leg.BROWSER, await browser.offer())
        ice = aiortc_ice(answer.sdp)
        target = await browser_target(engine)
        with stranger_socket() as stranger:
            for role in ("ICE-CONTROLLING", *["ICE-CONTROLLED"] * 50):
                message = stun.Message(
                    message_method=stun.Method.BINDING,
                    message_class=stun.Class.REQUEST,
                )
                message.attributes["USERNAME"] = f"{ice[0]}:abcd"
                message.attributes["PRIORITY"] = 1
                message.attributes[role] = 1
                message.add_message_integrity(ice[1].encode())
                request = bytes(message)
                stranger.sendto(request, target)
                loop = asyncio.get_running_loop()
                async with asyncio.timeout(WAIT_S):
                    response = await loop.sock_recv(stranger, 2048)
                assert len(response) <= len(request)
        await browser.close()


def aiortc_ice(sdp: str) -> tuple[str, str]:
    """User fragment and password of an answer."""
    media = aiortc_sdp.SessionDescription.parse(sdp).media[0]
    return media.ice.usernameFragment, media.ice.password


async def test_15_candidates_never_make_us_send(
    engine: RelayEngine, events: Events
) -> None:
    with stranger_socket() as stranger:
        host, port = stranger.getsockname()
        candidates = (
            f"a=candidate:1 1 udp 2130706431 {host} {port} typ host\r\n"
            "a=candidate:2 1 udp 2130706430 169.254.169.254 80 typ host\r\n"
            "a=candidate:3 1 udp 2130706429 secret.local 9 typ host\r\n"
        )
        call = new_call()
        await engine.open(call)
        await engine.answer(call, Leg.BROWSER, offer_sdp(extra=candidates))
        await engine.open(other := new_call())
        joined = await join(engine, browser_codecs=BROWSER_CODECS)
        await exchange_until_connected(joined, events)
        with pytest.raises(BlockingIOError):
            stranger.recv(100)
        await engine.close(other)
        await leave(joined)
