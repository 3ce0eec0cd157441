"""Datagrams in batches: recvmmsg and sendmmsg where the kernel has them.

One batch owns its buffers for the life of the worker; packets are verified, rewritten
and encrypted in place. Addresses stay what the kernel wrote: the bytes behind the
family field of ``sockaddr``, which serve as dictionary keys. Other systems get the
same two interfaces over ``recvfrom_into`` and ``sendto``.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cffi

from gateway.media.relay.aiortc_internals import SRTP_TRAILER_BYTES, packet_pointer

Address = tuple[str, int]

BATCH = 32
BUFFER_BYTES = 2048
# What one received datagram may hold; encrypting needs the rest.
MAX_DATAGRAM = 1600
assert MAX_DATAGRAM + SRTP_TRAILER_BYTES <= BUFFER_BYTES

_NAME_BYTES = 28  # sizeof(struct sockaddr_in6)
_KEY_OFFSET = 2
_KEY_BYTES = {socket.AF_INET: 6, socket.AF_INET6: 22}
_NAME_LENGTH = {socket.AF_INET: 16, socket.AF_INET6: 28}

_DECLARATIONS = """
struct iovec { void *base; size_t length; };
struct msghdr {
    void *name; unsigned int name_length;
    struct iovec *iov; size_t iov_length;
    void *control; size_t control_length; int flags;
};
struct mmsghdr { struct msghdr header; unsigned int length; };
int recvmmsg(int, struct mmsghdr *, unsigned int, int, void *);
int sendmmsg(int, struct mmsghdr *, unsigned int, int);
"""


def family_of(host: str) -> socket.AddressFamily:
    """AF_INET or AF_INET6 of a literal address."""
    return (
        socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    )


def address_key(address: Address) -> bytes:
    """The dictionary key of an address: port, (flow,) host, as in ``sockaddr``."""
    host = ipaddress.ip_address(address[0])
    flow = b"" if host.version == 4 else bytes(4)
    return struct.pack("!H", address[1]) + flow + host.packed


def key_address(key: bytes) -> Address:
    """The inverse of :func:`address_key`."""
    host = key[2:] if len(key) == 6 else key[6:22]
    return str(ipaddress.ip_address(host)), struct.unpack_from("!H", key)[0]


def open_udp_socket(
    host: str, port: int, *, receive_buffer: int, send_buffer: int | None = None
) -> socket.socket:
    """A bound, non-blocking UDP socket; raises OSError if the port is taken."""
    sock = socket.socket(family_of(host), socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if send_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def connected_twin(sock: socket.socket, peer: Address) -> socket.socket | None:
    """A second socket on the same port that gets what ``peer`` sends; Linux only.

    The kernel gives a datagram to the socket that matches it best, so everybody
    else's still arrives at ``sock``. A connected socket is cheaper both ways: no
    address to write, to parse, or to look up a route for. Sharing the port is allowed
    for that moment only. What came between bind and connect may be anybody's and is
    thrown away.
    """
    if sys.platform != "linux":
        return None
    twin = socket.socket(sock.family, socket.SOCK_DGRAM)
    option = (socket.SOL_SOCKET, socket.SO_REUSEPORT)
    try:
        twin.setblocking(False)
        buffer = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
        twin.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.setsockopt(*option, 1)
        twin.setsockopt(*option, 1)
        twin.bind(sock.getsockname())
        twin.connect(peer)
        twin.setsockopt(*option, 0)
    except OSError:
        twin.close()
        return None
    finally:
        sock.setsockopt(*option, 0)
    with contextlib.suppress(BlockingIOError):
        while True:
            twin.recv(1)
    return twin


@dataclass(frozen=True, slots=True)
class _Buffers:
    """Memory for :data:`BATCH` datagrams, seen from Python and from libsrtp."""

    ffi: Any
    owner: Any
    names: Any
    views: Sequence[memoryview]
    pointers: Sequence[Any]
    name_views: Sequence[memoryview]

    @classmethod
    def allocate(cls, ffi: Any) -> _Buffers:
        owner = ffi.new(f"unsigned char[{BATCH * BUFFER_BYTES}]")
        names = ffi.new(f"unsigned char[{BATCH * _NAME_BYTES}]")
        starts = [owner + index * BUFFER_BYTES for index in range(BATCH)]
        return cls(
            ffi=ffi,
            owner=owner,
            names=names,
            views=[memoryview(ffi.buffer(start, BUFFER_BYTES)) for start in starts],
            pointers=[
                packet_pointer(int(ffi.cast("uintptr_t", start))) for start in starts
            ],
            name_views=[
                memoryview(ffi.buffer(names + index * _NAME_BYTES, _NAME_BYTES))
                for index in range(BATCH)
            ],
        )

    def message_headers(self, name_length: int) -> Any:
        """A ``struct mmsghdr`` per datagram; returns (headers, iovecs)."""
        ffi = self.ffi
        vectors = ffi.new(f"struct iovec[{BATCH}]")
        headers = ffi.new(f"struct mmsghdr[{BATCH}]")
        for index in range(BATCH):
            vectors[index].base = self.owner + index * BUFFER_BYTES
            vectors[index].length = MAX_DATAGRAM
            headers[index].header.iov = vectors + index
            headers[index].header.iov_length = 1
            headers[index].header.name = self.names + index * _NAME_BYTES
            headers[index].header.name_length = name_length
        return headers, vectors


class Receiver(Protocol):
    """Receives into fixed slots.

    After :meth:`receive`, slot i holds ``views[i][:lengths[i]]``, readable by libsrtp
    at ``pointers[i]``, from the address whose key is ``bytes(sources[i])``.
    """

    @property
    def views(self) -> Sequence[memoryview]:
        """The slots."""

    @property
    def pointers(self) -> Sequence[Any]:
        """The slots for libsrtp."""

    @property
    def sources(self) -> Sequence[memoryview]:
        """Address key of each slot."""

    def receive(self) -> list[int]:
        """Lengths of the datagrams that were waiting, at most :data:`BATCH`."""


class Sender(Protocol):
    """Collects datagrams in slots and sends them together.

    Fill ``views[count]`` (libsrtp: ``pointers[count]``), then :meth:`commit`.
    """

    count: int
    failed: int

    @property
    def views(self) -> Sequence[memoryview]:
        """The slots."""

    @property
    def pointers(self) -> Sequence[Any]:
        """The slots for libsrtp."""

    def commit(self, start: int, length: int, destination: bytes) -> None:
        """Keep slot ``count`` (``length`` bytes from ``start``) for
        ``destination``, made by :meth:`destination`; flushes when all are full."""

    def flush(self) -> None:
        """Send what was committed; what the kernel refuses is counted and dropped."""

    def destination(self, address: Address) -> bytes:
        """An address in the form that :meth:`commit` takes."""


class MultiReceiver:
    """:class:`Receiver` over recvmmsg."""

    def __init__(self, sock: socket.socket, ffi: Any, libc: Any) -> None:
        buffers = _Buffers.allocate(ffi)
        length = _KEY_BYTES[sock.family]
        self._buffers = buffers
        self._headers, self._vectors = buffers.message_headers(
            _NAME_LENGTH[sock.family]
        )
        self._call = libc.recvmmsg
        self._fileno = sock.fileno()
        self._null = ffi.NULL
        words = memoryview(ffi.buffer(self._headers)).cast("I")
        stride = ffi.sizeof("struct mmsghdr") // 4
        self._lengths = words[ffi.offsetof("struct mmsghdr", "length") // 4 :: stride]
        self.views = buffers.views
        self.pointers = buffers.pointers
        self.sources = [
            view[_KEY_OFFSET : _KEY_OFFSET + length] for view in buffers.name_views
        ]

    def receive(self) -> list[int]:
        count = self._call(
            self._fileno, self._headers, BATCH, socket.MSG_DONTWAIT, self._null
        )
        return self._lengths[:count].tolist() if count > 0 else []


class MultiSender:
    """:class:`Sender` over sendmmsg."""

    def __init__(self, sock: socket.socket, ffi: Any, libc: Any) -> None:
        buffers = _Buffers.allocate(ffi)
        self._family = sock.family
        self._ffi = ffi
        self._buffers = buffers
        name_length = _NAME_LENGTH[sock.family]
        self._headers, self._vectors = buffers.message_headers(name_length)
        self._call = libc.sendmmsg
        self._fileno = sock.fileno()
        self._names = [view[:name_length] for view in buffers.name_views]
        # Base addresses and lengths of the iovecs as plain integers.
        self._words = memoryview(ffi.buffer(self._vectors)).cast("Q")
        self._bases = self._words[::2].tolist()
        self.views = buffers.views
        self.pointers = buffers.pointers
        self.count = 0
        self.failed = 0

    def destination(self, address: Address) -> bytes:
        name = struct.pack("H", self._family) + address_key(address)
        return name.ljust(_NAME_LENGTH[self._family], b"\0")

    def commit(self, start: int, length: int, destination: bytes) -> None:
        slot = self.count
        self._names[slot][:] = destination
        words = self._words
        words[2 * slot] = self._bases[slot] + start
        words[2 * slot + 1] = length
        self.count = slot + 1
        if slot + 1 == BATCH:
            self.flush()

    def flush(self) -> None:
        sent, count = 0, self.count
        self.count = 0
        while sent < count:
            done = self._call(
                self._fileno, self._headers + sent, count - sent, socket.MSG_DONTWAIT
            )
            if done < 0:
                # The first datagram of the rest failed; EAGAIN means all would.
                if self._ffi.errno in (errno.EAGAIN, errno.ENOBUFS):
                    self.failed += count - sent
                    return
                self.failed += 1
                done = 1
            sent += done


class PlainReceiver:
    """:class:`Receiver` over recvfrom_into."""

    def __init__(self, sock: socket.socket, ffi: Any) -> None:
        buffers = _Buffers.allocate(ffi)
        length = _KEY_BYTES[sock.family]
        self._buffers = buffers
        self._sock = sock
        self.views = buffers.views
        self.pointers = buffers.pointers
        self.sources = [
            view[_KEY_OFFSET : _KEY_OFFSET + length] for view in buffers.name_views
        ]

    def receive(self) -> list[int]:
        lengths: list[int] = []
        for view, source in zip(self.views, self.sources, strict=True):
            try:
                length, address = self._sock.recvfrom_into(view, MAX_DATAGRAM)
            except OSError:
                break
            source[:] = address_key(address[:2])
            lengths.append(length)
        return lengths


class PlainSender:
    """:class:`Sender` over sendto."""

    def __init__(self, sock: socket.socket, ffi: Any) -> None:
        buffers = _Buffers.allocate(ffi)
        self._buffers = buffers
        self._sock = sock
        self._slots: list[tuple[int, int, bytes]] = []
        self.views = buffers.views
        self.pointers = buffers.pointers
        self.count = 0
        self.failed = 0

    def destination(self, address: Address) -> bytes:
        return address_key(address)

    def commit(self, start: int, length: int, destination: bytes) -> None:
        self._slots.append((start, length, destination))
        self.count += 1
        if self.count == BATCH:
            self.flush()

    def flush(self) -> None:
        for view, (start, length, key) in zip(self.views, self._slots, strict=False):
            try:
                self._sock.sendto(view[start : start + length], key_address(key))
            except OSError:
                self.failed += 1
        self._slots.clear()
        self.count = 0


def open_batches(
    sock: socket.socket, *, plain: bool | None = None
) -> tuple[Receiver, Sender]:
    """The batches of one socket; ``plain`` forces the portable pair."""
    ffi = cffi.FFI()
    ffi.cdef(_DECLARATIONS)
    if plain is None:
        plain = sys.platform != "linux" or struct.calcsize("P") != 8
    if plain:
        return PlainReceiver(sock, ffi), PlainSender(sock, ffi)
    libc = ffi.dlopen(None)
    return MultiReceiver(sock, ffi, libc), MultiSender(sock, ffi, libc)
