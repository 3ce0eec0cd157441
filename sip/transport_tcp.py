"""SIP over TCP: a listener and the connections, accepted and made.

* A connection is used both ways and for everything to its peer's address (18).
* Messages wait while a connection is being made, up to ``MAX_QUEUED_BYTES``.
* A double CRLF is answered with CRLF (RFC 5626 4.4.1). Ours is sent on the
  connections we made; a peer that has answered once must go on answering within
  ``PONG_TIMEOUT_S``.
* A peer that leaves a message half sent for ``PARTIAL_TIMEOUT_S``, and an accepted
  connection that is silent for ``IDLE_TIMEOUT_S``, are closed.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Self, cast

from sip.counters import Counters
from sip.errors import ParseError
from sip.stream_parser import NeedData, Ping, Pong, StreamParser
from sip.transport import Receiver, Source

_log = logging.getLogger("sip.transport")

MAX_CONNECTIONS = 4096
MAX_QUEUED_BYTES = 256 * 1024
# A peer that reads so slowly gets no more.
MAX_SEND_BUFFER_BYTES = 1024 * 1024
CONNECT_TIMEOUT_S = 4.0
PARTIAL_TIMEOUT_S = 30.0
IDLE_TIMEOUT_S = 900.0
# RFC 5626 4.4.1: ping after 80-100 % of this, pong within 10 s.
KEEPALIVE_S = 25.0
PONG_TIMEOUT_S = 10.0
SWEEP_S = 5.0


class TcpConnection(asyncio.Protocol):
    """One connection, accepted or made."""

    def __init__(
        self, owner: TcpTransport, number: int, peer: tuple[str, int] | None
    ) -> None:
        self.number = number
        # Known from the start when we make it.
        self.peer = peer
        self.is_ours = peer is not None
        # When the last byte came; of an unfinished message: when it began.
        self.active_at = owner.now()
        self.partial_since: float | None = None
        # When our next ping is due, and since when a pong is awaited.
        self.ping_at = owner.next_ping_at()
        self.pinged_at: float | None = None
        self.has_ponged = False
        self._owner = owner
        self._parser = StreamParser()
        self._transport: asyncio.Transport | None = None
        self._queue: list[bytes] = []
        self._queued_bytes = 0

    @property
    def is_open(self) -> bool:
        """Whether it can carry something, be it later."""
        return self._transport is None or not self._transport.is_closing()

    def send(self, data: bytes) -> None:
        """Send, or keep until it stands.

        Raises:
            OSError: it is closed, or too much waits already.
        """
        if self._transport is None:
            if self._queued_bytes + len(data) > MAX_QUEUED_BYTES:
                raise self._owner.dropped("too much waits for the connection")
            self._queue.append(data)
            self._queued_bytes += len(data)
            return
        if self._transport.is_closing():
            raise OSError("the connection is closed")
        if self._transport.get_write_buffer_size() > MAX_SEND_BUFFER_BYTES:
            raise self._owner.dropped("the peer does not read")
        self._transport.write(data)

    def close(self) -> None:
        """Close after what is written; sends nothing more."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close without waiting for the peer to read."""
        if self._transport is not None:
            self._transport.abort()

    def ping(self, now: float) -> None:
        """Send our keepalive."""
        self.ping_at = self._owner.next_ping_at()
        if self._transport is not None and not self._transport.is_closing():
            if self.pinged_at is None:
                self.pinged_at = now
            self._transport.write(b"\r\n\r\n")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio's protocol."""
        self._transport = cast(asyncio.Transport, transport)
        if self.peer is None:
            name = transport.get_extra_info("peername") or ("", 0)
            self.peer = (str(name[0]), int(name[1]))
        self._owner.connected(self)
        for data in self._queue:
            self._transport.write(data)
        self._queue.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio's protocol."""
        self._owner.lost(self)

    def eof_received(self) -> None:
        """Part of asyncio's protocol: the peer's half close ends the connection."""

    def data_received(self, data: bytes) -> None:
        """Part of asyncio's protocol."""
        assert self.peer is not None
        self.active_at = self._owner.now()
        self._parser.receive_data(data)
        source = Source("tcp", self.peer[0], self.peer[1], self.number)
        while self.is_open:
            match self._parser.next_event():
                case NeedData():
                    break
                case Ping():
                    self._owner.counters.count("pings_received")
                    self._write_pong()
                case Pong():
                    self.pinged_at, self.has_ponged = None, True
                case ParseError() as error:
                    self._malformed(error, source)
                case message:
                    self._owner.received(message, source)
        if self._parser.pending_bytes == 0:
            self.partial_since = None
        elif self.partial_since is None:
            self.partial_since = self.active_at

    def _write_pong(self) -> None:
        transport = self._transport
        if transport is not None and (
            transport.get_write_buffer_size() <= MAX_SEND_BUFFER_BYTES
        ):
            transport.write(b"\r\n")

    def _malformed(self, error: ParseError, source: Source) -> None:
        self._owner.malformed(error, source)
        if error.is_fatal:
            self.close()


class TcpTransport:
    """The listener and all connections."""

    def __init__(
        self, receiver: Receiver, counters: Counters, rng: random.Random
    ) -> None:
        self.counters = counters
        self._receiver = receiver
        self._rng = rng
        self._loop = asyncio.get_running_loop()
        self._server: asyncio.Server | None = None
        self._connections: dict[int, TcpConnection] = {}
        self._by_peer: dict[tuple[str, int], TcpConnection] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._next_number = 1
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._local_host = ""
        self._is_closed = False
        # Set whenever a connection has gone.
        self._gone = asyncio.Event()

    @classmethod
    async def open(
        cls,
        receiver: Receiver,
        counters: Counters,
        rng: random.Random,
        *,
        host: str,
        port: int,
    ) -> Self:
        """Listen; port 0 takes a free one.

        Raises:
            OSError: the address cannot be bound.
        """
        self = cls(receiver, counters, rng)
        self._local_host = host
        self._server = await self._loop.create_server(self._accept, host, port)
        self._sweep()
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    def __len__(self) -> int:
        return len(self._connections)

    def is_open(self, number: int) -> bool:
        """Whether that connection can still carry something."""
        connection = self._connections.get(number)
        return connection is not None and connection.is_open

    def send(self, data: bytes, host: str, port: int, number: int | None) -> int:
        """Send on that connection, else on one to the address; returns which.

        Raises:
            OSError: closed, too many connections, or too much waits.
        """
        if self._is_closed:
            raise OSError("the TCP transport is closed")
        connection = self._by_peer.get((host, port))
        if number is not None:
            connection = self._connections.get(number)
            if connection is None:
                raise OSError("the connection is gone")
        if connection is None or not connection.is_open:
            connection = self._connect(host, port)
        connection.send(data)
        self.counters.count("stream_messages_sent")
        return connection.number

    async def close(self) -> None:
        """Close the listener and every connection; wait until they are gone."""
        self._is_closed = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        if self._server is not None:
            self._server.close()
        for task in self._connecting:
            task.cancel()
        if self._connecting:
            await asyncio.wait(self._connecting)
        for connection in list(self._connections.values()):
            connection.close()
        try:
            async with asyncio.timeout(1.0):
                await self._all_gone()
        except TimeoutError:
            for connection in list(self._connections.values()):
                connection.abort()
            await self._all_gone()

    async def _all_gone(self) -> None:
        while self._connections:
            self._gone.clear()
            await self._gone.wait()

    # -- for the connections -------------------------------------------------------

    def now(self) -> float:
        """The loop's time."""
        return self._loop.time()

    def next_ping_at(self) -> float:
        """When a ping sent next is due (RFC 5626 4.4.1: 80-100 %)."""
        return self.now() + KEEPALIVE_S * self._rng.uniform(0.8, 1.0)

    def dropped(self, why: str) -> OSError:
        """Count a message that is not sent."""
        self.counters.count("stream_dropped")
        return OSError(why)

    def connected(self, connection: TcpConnection) -> None:
        """Note a connection that stands."""
        assert connection.peer is not None
        if connection.is_ours:
            self.counters.count("connections_opened")
        elif len(self._connections) >= MAX_CONNECTIONS or self._is_closed:
            self.counters.count("connections_refused")
            connection.abort()
            return
        else:
            self.counters.count("connections_accepted")
            self._connections[connection.number] = connection
            self._by_peer.setdefault(connection.peer, connection)

    def lost(self, connection: TcpConnection) -> None:
        """Note a connection that is gone, or could not be made."""
        if self._connections.pop(connection.number, None) is None:
            return
        peer = connection.peer
        if peer is not None and self._by_peer.get(peer) is connection:
            del self._by_peer[peer]
        self.counters.count("connections_lost")
        self._gone.set()
        if not self._is_closed:
            self._receiver.connection_lost(connection.number)

    def received(self, message: object, source: Source) -> None:
        """Pass a message on."""
        self.counters.count("stream_messages_received")
        try:
            self._receiver.receive(message, source)  # type: ignore[arg-type]
        except Exception:
            # One message that breaks us must not break the next; this is the root.
            self.counters.count("callback_errors")
            _log.exception("%r from %s was not handled", message, source)

    def malformed(self, error: ParseError, source: Source) -> None:
        """Count a message that cannot be read, and pass it on to be answered."""
        self.counters.count("stream_malformed")
        _log.debug("malformed message from %s: %s", source, error.detail)
        self._receiver.receive_malformed(error, source)

    # -- connections ---------------------------------------------------------------

    def _accept(self) -> TcpConnection:
        return TcpConnection(self, self._number(), None)

    def _number(self) -> int:
        number, self._next_number = self._next_number, self._next_number + 1
        return number

    def _connect(self, host: str, port: int) -> TcpConnection:
        if len(self._connections) >= MAX_CONNECTIONS:
            raise self.dropped("too many connections")
        connection = TcpConnection(self, self._number(), (host, port))
        self._connections[connection.number] = connection
        self._by_peer[(host, port)] = connection
        task = self._loop.create_task(self._make(connection, host, port))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return connection

    async def _make(self, connection: TcpConnection, host: str, port: int) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._loop.create_connection(lambda: connection, host, port)
        except OSError as error:
            _log.info("no connection to %s:%s: %s", host, port, error)
            self.lost(connection)
        except asyncio.CancelledError:
            self.lost(connection)
            raise

    def _sweep(self) -> None:
        now = self.now()
        for connection in list(self._connections.values()):
            if self._is_overdue(connection, now):
                self.counters.count("connections_idle_closed")
                connection.abort()
            elif connection.is_ours and now >= connection.ping_at:
                connection.ping(now)
        self._sweep_timer = self._loop.call_later(SWEEP_S, self._sweep)

    def _is_overdue(self, connection: TcpConnection, now: float) -> bool:
        if connection.partial_since is not None:
            return now - connection.partial_since > PARTIAL_TIMEOUT_S
        if connection.is_ours:
            return (
                connection.has_ponged
                and connection.pinged_at is not None
                and now - connection.pinged_at > PONG_TIMEOUT_S
            )
        return now - connection.active_at > IDLE_TIMEOUT_S
