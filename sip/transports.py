"""All transports of a user agent behind one ``Wire``."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence

from sip.counters import Counters
from sip.transport import Protocols, Receiver, Target
from sip.transport_tcp import TcpTransport
from sip.transport_udp import KEEPALIVE, UdpTransport

_log = logging.getLogger("sip.transport")

# A NAT forgets a UDP binding after 30 s and more (RFC 4787 REQ-5 asks for 120).
UDP_KEEPALIVE_S = 25.0
# How often a free port is looked for that UDP and TCP can share.
BIND_ATTEMPTS = 20


class Transports:
    """UDP and TCP on one address.

    ``start`` must be called before anything else, ``close`` at the end.
    """

    def __init__(
        self,
        *,
        receiver: Receiver,
        counters: Counters,
        rng: random.Random,
        bind_host: str,
        bind_port: int,
        advertised_host: str | None,
        advertised_port: int | None,
        names: Sequence[Protocols],
    ) -> None:
        self._receiver = receiver
        self._counters = counters
        self._rng = rng
        self._bind = (bind_host, bind_port)
        self._advertised = (advertised_host, advertised_port)
        self._names = tuple(names)
        self._udp: UdpTransport | None = None
        self._tcp: TcpTransport | None = None
        # UDP targets whose way back is kept open, with the number of their holders.
        self._held: dict[Target, int] = {}
        self._keepalive_timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Bind all.

        Raises:
            OSError: an address cannot be bound.
        """
        host, port = self._bind
        attempts = BIND_ATTEMPTS if port == 0 and len(self._names) > 1 else 1
        for attempt in range(attempts):
            try:
                await self._start_once(host, port)
            except OSError:
                await self.close()
                if attempt == attempts - 1:
                    raise
            else:
                break
        self._keepalive()

    async def _start_once(self, host: str, port: int) -> None:
        if "udp" in self._names:
            self._udp = await UdpTransport.open(
                self._receiver, self._counters, host=host, port=port
            )
            port = self._udp.address[1]
        if "tcp" in self._names:
            self._tcp = await TcpTransport.open(
                self._receiver, self._counters, self._rng, host=host, port=port
            )

    async def close(self) -> None:
        """Close all and wait until the sockets are gone."""
        if self._keepalive_timer is not None:
            self._keepalive_timer.cancel()
            self._keepalive_timer = None
        if self._udp is not None:
            await self._udp.close()
            self._udp = None
        if self._tcp is not None:
            await self._tcp.close()
            self._tcp = None

    def local_address(self, transport: Protocols) -> tuple[str, int]:
        """Host and port a transport is bound to.

        Raises:
            OSError: it was not started.
        """
        bound = self._udp if transport == "udp" else self._tcp
        if bound is None:
            raise OSError(f"{transport} was not started")
        return bound.address

    def sent_by(self, transport: Protocols) -> tuple[str, int]:
        """What our Via and Contact say; see ``Wire``."""
        host, port = self.local_address(transport)
        advertised_host, advertised_port = self._advertised
        return advertised_host or host, advertised_port or port

    def supports(self, transport: Protocols) -> bool:
        """See ``Wire``."""
        return (self._udp if transport == "udp" else self._tcp) is not None

    def is_open(self, connection: int) -> bool:
        """See ``Wire``."""
        return self._tcp is not None and self._tcp.is_open(connection)

    def send(self, data: bytes, target: Target) -> int | None:
        """See ``Wire``."""
        if target.transport == "udp":
            if self._udp is None:
                raise OSError("UDP was not started")
            self._udp.send(data, target.host, target.port)
            return None
        if self._tcp is None:
            raise OSError("TCP was not started")
        return self._tcp.send(data, target.host, target.port, target.connection)

    def hold(self, target: Target) -> None:
        """Keep the way back from a UDP target open until ``release``."""
        if target.transport == "udp":
            self._held[target] = self._held.get(target, 0) + 1

    def release(self, target: Target) -> None:
        """Undo one ``hold``."""
        count = self._held.get(target, 0) - 1
        if count > 0:
            self._held[target] = count
        else:
            self._held.pop(target, None)

    def _keepalive(self) -> None:
        for target in self._held:
            try:
                self.send(KEEPALIVE, target)
            except OSError as error:
                _log.debug("no keepalive to %s: %s", target, error)
        delay = UDP_KEEPALIVE_S * self._rng.uniform(0.8, 1.0)
        loop = asyncio.get_running_loop()
        self._keepalive_timer = loop.call_later(delay, self._keepalive)
