"""SIP over UDP: one socket, from which requests and responses both leave.

Answers leave from the socket the request came to, as RFC 3581 4 wants. Nothing is
queued here: a datagram is handled when it arrives, and one that the kernel does not
take is dropped and counted.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol, Self, cast

from sip.counters import Counters
from sip.errors import ParseError
from sip.parser import is_keepalive, parse_datagram
from sip.transport import Receiver, Source

_log = logging.getLogger("sip.transport")

# asyncio keeps what the kernel refuses; more than this is dropped instead.
MAX_SEND_BUFFER_BYTES = 256 * 1024
# RFC 5626 4.4 leaves UDP to STUN; a double CRLF is what most servers take too.
KEEPALIVE = b"\r\n\r\n"


class _Datagrams(Protocol):
    """What both event loops' datagram transports have, and typeshed forgets."""

    def get_extra_info(self, name: str) -> tuple[str, int]: ...

    def get_write_buffer_size(self) -> int: ...

    def sendto(self, data: bytes, addr: tuple[str, int]) -> None: ...

    def is_closing(self) -> bool: ...

    def close(self) -> None: ...


class UdpTransport(asyncio.DatagramProtocol):
    """One bound UDP socket."""

    def __init__(self, receiver: Receiver, counters: Counters) -> None:
        self._receiver = receiver
        self._counters = counters
        self._transport: _Datagrams | None = None
        self._closed = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(
        cls, receiver: Receiver, counters: Counters, *, host: str, port: int
    ) -> Self:
        """Bind; port 0 takes a free one.

        Raises:
            OSError: the address cannot be bound.
        """
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_datagram_endpoint(
            lambda: cls(receiver, counters), local_addr=(host, port)
        )
        return protocol

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it is bound to."""
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")[:2]
        return str(host), int(port)

    def send(self, data: bytes, host: str, port: int) -> None:
        """Send one datagram.

        Raises:
            OSError: closed, or too much is waiting to be sent.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            raise OSError("the UDP socket is closed")
        if transport.get_write_buffer_size() > MAX_SEND_BUFFER_BYTES:
            self._counters.count("datagrams_dropped")
            raise OSError("too many datagrams wait to be sent")
        transport.sendto(data, (host, port))
        self._counters.count("datagrams_sent")

    async def close(self) -> None:
        """Close and wait until the socket is gone."""
        if self._transport is not None:
            self._transport.close()
            await self._closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio's protocol."""
        self._transport = cast(_Datagrams, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio's protocol."""
        if not self._closed.done():
            self._closed.set_result(None)

    def error_received(self, exc: Exception) -> None:
        """Part of asyncio's protocol; which peer it was is not told."""
        self._counters.count("datagrams_unreachable")

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Part of asyncio's protocol."""
        self._counters.count("datagrams_received")
        if is_keepalive(data):
            self._counters.count("pings_received")
            return
        source = Source("udp", addr[0], addr[1])
        try:
            message = parse_datagram(data)
        except ParseError as error:
            self._counters.count("datagrams_malformed")
            _log.debug("malformed datagram from %s: %s", source, error.detail)
            self._receiver.receive_malformed(error, source)
            return
        try:
            self._receiver.receive(message, source)
        except Exception:
            # One message that breaks us must not break the next; this is the root.
            self._counters.count("callback_errors")
            _log.exception("%r from %s was not handled", message, source)
