"""UDP and TCP over real loopback sockets, against peers that speak raw bytes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

import sip
import sip.transport_tcp
from sip.errors import ParseError
from sip.headers import Via
from sip.message import Request, Response
from sip.transport import Source, Target, response_target
from sip.transports import Transports

OPTIONS = (
    "OPTIONS sip:rep@example.com SIP/2.0\r\n"
    "Via: SIP/2.0/{transport} {sent_by};branch=z9hG4bK{branch}{rport}\r\n"
    "From: <sip:x@example.net>;tag=1\r\n"
    "To: <sip:rep@example.com>\r\n"
    "Call-ID: {branch}\r\n"
    "CSeq: 1 OPTIONS\r\n"
    "Max-Forwards: 70\r\n"
    "Content-Length: 0\r\n"
    "\r\n"
)


def options(
    branch: str = "one",
    *,
    transport: str = "UDP",
    sent_by: str = "192.0.2.9:5999",
    rport: str = ";rport",
) -> bytes:
    return OPTIONS.format(
        branch=branch, transport=transport, sent_by=sent_by, rport=rport
    ).encode()


@asynccontextmanager
async def agent() -> AsyncIterator[sip.UserAgent]:
    each = sip.UserAgent(sip.AgentConfig(bind_host="127.0.0.1", t1_s=0.05))
    await each.start()
    try:
        yield each
    finally:
        await each.close()


class UdpPeer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        self.port: int = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.received.put_nowait(data)

    async def next(self) -> bytes:
        return await asyncio.wait_for(self.received.get(), 5)


@asynccontextmanager
async def udp_peer(address: tuple[str, int] | None = None) -> AsyncIterator[UdpPeer]:
    loop = asyncio.get_running_loop()
    transport, peer = await loop.create_datagram_endpoint(
        UdpPeer, local_addr=("127.0.0.1", 0), remote_addr=address
    )
    try:
        yield peer
    finally:
        transport.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def tcp_peer(
    address: tuple[str, int],
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield reader, writer
    finally:
        writer.close()
        try:
            await writer.wait_closed()
        except ConnectionError:
            pass


async def read_message(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)


# -- UDP -------------------------------------------------------------------------------


async def test_udp_answers_to_where_the_request_came_from() -> None:
    """RFC 3581 4: received and rport, from the socket it came to."""
    async with agent() as each, udp_peer(each.local_address("udp")) as peer:
        peer.transport.sendto(options())
        answer = (await peer.next()).decode()
        assert answer.startswith("SIP/2.0 200 ")
        assert f"rport={peer.port}" in answer
        assert "received=127.0.0.1" in answer


async def test_udp_without_rport_answers_to_the_port_of_the_via() -> None:
    async with agent() as each, udp_peer() as peer, udp_peer() as other:
        peer.transport.sendto(
            options(sent_by=f"127.0.0.1:{other.port}", rport=""),
            each.local_address("udp"),
        )
        assert (await other.next()).startswith(b"SIP/2.0 200 ")


async def test_udp_malformed_input_is_counted_and_answered_where_allowed() -> None:
    async with agent() as each, udp_peer(each.local_address("udp")) as peer:
        for garbage in (b"\x00\xff", b"nonsense\r\n\r\n", b"SIP/2.0 999999\r\n\r\n"):
            peer.transport.sendto(garbage)
        peer.transport.sendto(options("bad").replace(b"CSeq: 1", b"CSeq: x"))
        assert (await peer.next()).startswith(b"SIP/2.0 400 ")
        peer.transport.sendto(options("good"))
        assert (await peer.next()).startswith(b"SIP/2.0 200 ")
        assert each.counters["datagrams_malformed"] == 4


async def test_udp_keepalives_are_counted_only() -> None:
    async with agent() as each, udp_peer(each.local_address("udp")) as peer:
        peer.transport.sendto(b"\r\n\r\n")
        peer.transport.sendto(options())
        await peer.next()
        assert each.counters["pings_received"] == 1
        assert each.counters["datagrams_malformed"] == 0


async def test_udp_keepalives_are_sent_while_a_target_is_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sip.transports.UDP_KEEPALIVE_S", 0.02)
    async with agent() as each, udp_peer() as peer:
        target = Target("udp", "127.0.0.1", peer.port)
        assert each._transports is not None
        each._transports.hold(target)
        each._transports.hold(target)
        each._transports.release(target)
        assert await peer.next() == b"\r\n\r\n"
        each._transports.release(target)
        assert not each._transports._held


# -- TCP -------------------------------------------------------------------------------


async def test_tcp_messages_split_and_glued() -> None:
    async with agent() as each, tcp_peer(each.local_address("tcp")) as (read, write):
        first = options("a", transport="TCP")
        for byte in range(0, len(first), 7):
            write.write(first[byte : byte + 7])
            await write.drain()
        assert b"branch=z9hG4bKa" in await read_message(read)
        write.write(
            b"\r\n\r\n"
            + options("b", transport="TCP")
            + options("c", transport="TCP")
            + options("d", transport="TCP")[:40]
        )
        for branch in (b"b", b"c"):
            answer = await read_message(read)
            assert b"branch=z9hG4bK" + branch in answer
        write.write(options("d", transport="TCP")[40:])
        assert b"branch=z9hG4bKd" in await read_message(read)


async def test_tcp_ping_is_answered_with_pong() -> None:
    """RFC 5626 4.4.1."""
    async with agent() as each, tcp_peer(each.local_address("tcp")) as (read, write):
        write.write(b"\r\n\r\n")
        assert await asyncio.wait_for(read.readexactly(2), 5) == b"\r\n"
        assert each.counters["pings_received"] == 1


@pytest.mark.parametrize(
    "bad",
    [
        options(transport="TCP").replace(b"Content-Length: 0\r\n", b""),
        options(transport="TCP").replace(b"Content-Length: 0", b"Content-Length: -1"),
        options(transport="TCP").replace(
            b"Content-Length: 0", b"Content-Length: 99999999"
        ),
        b"x" * 200_000,
    ],
)
async def test_tcp_closes_when_the_next_message_cannot_be_found(bad: bytes) -> None:
    async with agent() as each:
        async with tcp_peer(each.local_address("tcp")) as (read, write):
            write.write(bad)
            try:
                rest = await asyncio.wait_for(read.read(), 5)
            except ConnectionError:
                rest = b""
            assert rest == b"" or rest.startswith(b"SIP/2.0 4")
        async with tcp_peer(each.local_address("tcp")) as (read, write):
            write.write(options(transport="TCP"))
            assert (await read_message(read)).startswith(b"SIP/2.0 200 ")
        assert each.counters["stream_malformed"] == 1


async def test_tcp_half_a_message_does_not_hold_a_connection_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Security test 20: slow loris."""
    monkeypatch.setattr("sip.transport_tcp.SWEEP_S", 0.02)
    monkeypatch.setattr("sip.transport_tcp.PARTIAL_TIMEOUT_S", 0.05)
    async with agent() as each, tcp_peer(each.local_address("tcp")) as (read, write):
        write.write(options(transport="TCP")[:50])
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(read.readexactly(1), 5)
        assert each.counters["connections_idle_closed"] == 1


async def test_tcp_connections_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sip.transport_tcp.MAX_CONNECTIONS", 1)
    async with agent() as each, tcp_peer(each.local_address("tcp")) as (read, write):
        write.write(b"\r\n\r\n")
        await asyncio.wait_for(read.readexactly(2), 5)
        async with tcp_peer(each.local_address("tcp")) as (read, write):
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await asyncio.wait_for(read.readexactly(1), 5)
        assert each.counters["connections_refused"] == 1


class TcpServer:
    """A scripted server: the connections made to it."""

    def __init__(self) -> None:
        self.connections: asyncio.Queue[
            tuple[asyncio.StreamReader, asyncio.StreamWriter]
        ] = asyncio.Queue()
        self.writers: list[asyncio.StreamWriter] = []

    def accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.writers.append(writer)
        self.connections.put_nowait((reader, writer))

    async def next(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.wait_for(self.connections.get(), 5)


@asynccontextmanager
async def tcp_server() -> AsyncIterator[tuple[TcpServer, int]]:
    script = TcpServer()
    server = await asyncio.start_server(script.accept, "127.0.0.1", 0)
    try:
        yield script, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in script.writers:
            writer.close()
        await server.wait_closed()


def tcp_account(port: int) -> sip.Account:
    return sip.Account(
        aor=sip.Uri.parse("sip:rep@example.com"),
        username="rep",
        password=sip.Secret("x"),
        outbound_proxies=(sip.Uri.parse(f"sip:127.0.0.1:{port};transport=tcp"),),
    )


async def test_tcp_closed_in_mid_transaction_is_503() -> None:
    async with tcp_server() as (server, port), agent() as each:
        events: asyncio.Queue[sip.CallEvent] = asyncio.Queue()
        each.call(
            tcp_account(port),
            sip.Uri.parse("sip:bob@example.com"),
            "v=0\r\n",
            events.put_nowait,
        )
        reader, writer = await server.next()
        assert (await read_message(reader)).startswith(b"INVITE ")
        writer.close()
        event = await asyncio.wait_for(events.get(), 5)
        assert event == sip.Rejected(503, "Service Unavailable", local=True)


async def test_tcp_one_connection_for_several_calls() -> None:
    async with tcp_server() as (server, port), agent() as each:
        for number in range(3):
            each.call(
                tcp_account(port),
                sip.Uri.parse(f"sip:{number}@example.com"),
                None,
                lambda event: None,
            )
        reader, _ = await server.next()
        for number in range(3):
            line = (await read_message(reader)).partition(b"\r\n")[0]
            assert line == f"INVITE sip:{number}@example.com SIP/2.0".encode()
        assert server.connections.empty()
        assert each.counters["connections_opened"] == 1


async def test_tcp_a_peer_that_stopped_ponging_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sip.transport_tcp.SWEEP_S", 0.02)
    monkeypatch.setattr("sip.transport_tcp.KEEPALIVE_S", 0.05)
    monkeypatch.setattr("sip.transport_tcp.PONG_TIMEOUT_S", 0.1)
    async with tcp_server() as (server, port), agent() as each:
        states: asyncio.Queue[sip.RegistrationState] = asyncio.Queue()
        each.registration(tcp_account(port), states.put_nowait).start()
        reader, writer = await server.next()
        await read_message(reader)
        assert await asyncio.wait_for(reader.readexactly(4), 5) == b"\r\n\r\n"
        writer.write(b"\r\n")
        # and never again: the connection is given up, and the request with it
        while (await asyncio.wait_for(states.get(), 5)).status != "failed":
            pass
        assert each.counters["connections_idle_closed"] == 1


async def test_tcp_nobody_listens() -> None:
    async with tcp_server() as (_, port):
        pass
    async with agent() as each:
        events: asyncio.Queue[sip.CallEvent] = asyncio.Queue()
        each.call(
            tcp_account(port), sip.Uri.parse("sip:b@c.d"), None, events.put_nowait
        )
        event = await asyncio.wait_for(events.get(), 5)
        assert event == sip.Rejected(503, "Service Unavailable", local=True)


async def test_large_invite_falls_back_to_udp_when_tcp_is_refused() -> None:
    async with udp_peer() as peer, agent() as each:
        account = sip.Account(
            aor=sip.Uri.parse("sip:rep@example.com"),
            username="rep",
            password=sip.Secret("x"),
            outbound_proxies=(sip.Uri.parse(f"sip:127.0.0.1:{peer.port}"),),
        )
        each.call(
            account,
            sip.Uri.parse("sip:bob@example.com"),
            "v=0\r\n" + "a=x\r\n" * 300,
            lambda event: None,
        )
        assert b"Via: SIP/2.0/UDP" in await peer.next()


class Sink:
    def __init__(self) -> None:
        self.lost: list[int] = []

    def receive(self, message: Request | Response, source: Source) -> None:
        raise RuntimeError("mistake")

    def receive_malformed(self, error: ParseError, source: Source) -> None: ...

    def connection_lost(self, connection: int) -> None:
        self.lost.append(connection)


def transports(receiver: Sink, counters: sip.Counters) -> Transports:
    return Transports(
        receiver=receiver,
        counters=counters,
        rng=random.Random(1),
        bind_host="127.0.0.1",
        bind_port=0,
        advertised_host=None,
        advertised_port=None,
        names=("udp", "tcp"),
    )


async def test_a_mistake_in_handling_a_message_stays_with_it() -> None:
    counters = sip.Counters()
    each = transports(Sink(), counters)
    await each.start()
    async with udp_peer(each.local_address("udp")) as peer:
        peer.transport.sendto(options())
        async with tcp_peer(each.local_address("tcp")) as (read, write):
            write.write(options(transport="TCP") + b"\r\n\r\n")
            assert await asyncio.wait_for(read.readexactly(2), 5) == b"\r\n"
    assert counters["callback_errors"] == 2
    await each.close()


async def test_what_waits_for_a_connection_is_bounded() -> None:
    counters, sink = sip.Counters(), Sink()
    each = transports(sink, counters)
    await each.start()
    async with tcp_server() as (_, port):
        target = Target("tcp", "127.0.0.1", port)
        chunk = b"x" * 60_000
        for _ in range(4):
            each.send(chunk, target)
        with pytest.raises(OSError, match="waits"):
            each.send(chunk, target)
        assert counters["stream_dropped"] == 1
        await each.close()
    with pytest.raises(OSError, match="not started"):
        each.send(b"x", target)


async def test_a_peer_that_does_not_read_gets_no_more() -> None:
    counters = sip.Counters()
    each = transports(Sink(), counters)
    await each.start()
    async with tcp_server() as (server, port):
        target = Target("tcp", "127.0.0.1", port)
        number = each.send(b"\r\n\r\n", target)
        assert number is not None
        await server.next()
        for _ in range(1000):
            try:
                each.send(b"x" * 60_000, target)
            except OSError:
                break
        assert counters["stream_dropped"] == 1
        assert each.is_open(number)
        assert each.supports("tcp")
    await each.close()


# -- routing of responses --------------------------------------------------------------

UDP = Source("udp", "203.0.113.5", 40000)
TCP = Source("tcp", "203.0.113.5", 40000, 3)


@pytest.mark.parametrize(
    ("via", "source", "is_open", "expected"),
    [
        ("UDP 192.0.2.9:5999;rport", UDP, False, Target("udp", "203.0.113.5", 40000)),
        ("UDP 192.0.2.9:5999", UDP, False, Target("udp", "203.0.113.5", 5999)),
        ("UDP 192.0.2.9", UDP, False, Target("udp", "203.0.113.5", 5060)),
        ("UDP 203.0.113.5:5999", UDP, False, Target("udp", "203.0.113.5", 5999)),
        (
            "UDP 192.0.2.9:5999;maddr=198.51.100.1",
            UDP,
            False,
            Target("udp", "198.51.100.1", 5999),
        ),
        ("TCP 192.0.2.9:5999;rport", TCP, True, TCP),
        ("TCP 192.0.2.9:5999;rport", TCP, False, Target("tcp", "203.0.113.5", 5999)),
        ("TCP pc.example.com", TCP, False, Target("tcp", "203.0.113.5", 5060)),
    ],
)
def test_where_a_response_goes(
    via: str, source: Source, is_open: bool, expected: Target
) -> None:
    """RFC 3261 18.2.2, RFC 3581 4."""
    received = Via.parse(f"SIP/2.0/{via}").with_source(source.host, source.port)
    assert response_target(received, source, is_open=is_open) == expected
