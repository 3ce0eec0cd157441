"""Where messages come from and go to, and what the layers above ask of a transport."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Literal, Protocol

from sip.errors import ParseError
from sip.headers import Via
from sip.message import Request, Response

Protocols = Literal["udp", "tcp"]

# RFC 3261 18: default for both; TLS, which has its own, is a later transport.
DEFAULT_PORT = 5060
# RFC 3261 18.1.1: a larger request goes over a congestion-controlled transport.
MAX_UDP_REQUEST_BYTES = 1300


@dataclass(frozen=True, slots=True)
class Target:
    """A numeric address a message is sent to, or came from.

    ``connection`` names one connection of a stream transport; without it, any open
    one to this address will do and a new one is made when there is none.
    """

    transport: Protocols
    host: str
    port: int
    connection: int | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport}:{host}:{self.port}"


Source = Target


class Wire(Protocol):
    """The transports, as the transaction layer sees them."""

    def send(self, data: bytes, target: Target) -> int | None:
        """Send, or queue until the connection stands; never calls back from inside.

        Returns:
            the connection that carries it; ``connection_lost`` of the layer is
            called with this number if it fails. None for datagrams.

        Raises:
            OSError: it certainly cannot be sent.
        """

    def sent_by(self, transport: Protocols) -> tuple[str, int]:
        """Host and port of our own Via on that transport (the advertised ones)."""

    def is_open(self, connection: int) -> bool:
        """Whether the connection can still carry something."""

    def supports(self, transport: Protocols) -> bool:
        """Whether this transport was started."""

    def hold(self, target: Target) -> None:
        """Keep the way back from a UDP target open until ``release``."""

    def release(self, target: Target) -> None:
        """Undo one ``hold``."""


class Receiver(Protocol):
    """What the transports call; the transaction layer is one."""

    def receive(self, message: Request | Response, source: Source) -> None:
        """Take a well-formed message."""

    def receive_malformed(self, error: ParseError, source: Source) -> None:
        """Answer what can be answered of a message that could not be read."""

    def connection_lost(self, connection: int) -> None:
        """Fail what waited for this connection."""


def is_reliable(transport: Protocols) -> bool:
    """Whether the transport retransmits and keeps order by itself."""
    return transport != "udp"


def response_target(via: Via, source: Source, *, is_open: bool) -> Target:
    """Where the response to a request goes (RFC 3261 18.2.2, RFC 3581 4).

    Args:
        via: topmost Via of the request, with what its receiver wrote in.
        source: where the request came from.
        is_open: whether the connection it came on still stands.
    """
    if is_reliable(source.transport):
        if is_open:
            return source
        host = via.received or via.host
        return Target(source.transport, host, via.port or DEFAULT_PORT)
    if via.maddr is not None:
        return Target("udp", via.maddr, via.port or DEFAULT_PORT)
    if via.rport is not None:
        return Target("udp", via.received or source.host, via.rport)
    if via.received is not None:
        return Target("udp", via.received, via.port or DEFAULT_PORT)
    # sent-by equals the source address here, or received would be there
    return Target("udp", source.host, via.port or DEFAULT_PORT)


def is_numeric(host: str) -> bool:
    """Whether the host is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
