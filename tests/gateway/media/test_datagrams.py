"""Datagrams in batches, over both implementations."""

from __future__ import annotations

import socket
import sys

import pytest

from gateway.media.relay.datagrams import (
    BATCH,
    address_key,
    key_address,
    open_batches,
    open_udp_socket,
)


@pytest.fixture(params=[False, True], ids=["mmsg", "plain"])
def plain(request: pytest.FixtureRequest) -> bool:
    if not request.param and sys.platform != "linux":
        pytest.skip("recvmmsg is Linux only")
    return bool(request.param)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_batches_in_and_out(host: str, plain: bool) -> None:
    with (
        open_udp_socket(host, 0, receive_buffer=1 << 20) as near,
        open_udp_socket(host, 0, receive_buffer=1 << 20) as far,
    ):
        address = (host, far.getsockname()[1])
        _, sender = open_batches(near, plain=plain)
        receiver, _ = open_batches(far, plain=plain)
        assert receiver.receive() == []
        destination = sender.destination(address)
        for index in range(BATCH + 3):
            text = f"xx{index}".encode()
            sender.views[sender.count][: len(text)] = text
            sender.commit(2, len(text) - 2, destination)
        sender.flush()
        assert sender.failed == 0
        got = []
        while lengths := receiver.receive():
            for length, view, source in zip(
                lengths, receiver.views, receiver.sources, strict=False
            ):
                got.append(bytes(view[:length]))
                assert key_address(bytes(source)) == (host, near.getsockname()[1])
        assert got == [str(index).encode() for index in range(BATCH + 3)]


def test_a_refused_destination_costs_only_its_datagram(plain: bool) -> None:
    with (
        open_udp_socket("127.0.0.1", 0, receive_buffer=1 << 16) as near,
        open_udp_socket("127.0.0.1", 0, receive_buffer=1 << 16) as far,
    ):
        _, sender = open_batches(near, plain=plain)
        good = sender.destination(("127.0.0.1", far.getsockname()[1]))
        # Broadcast without permission: EACCES.
        bad = sender.destination(("255.255.255.255", 9))
        for destination in (good, bad, good):
            sender.views[sender.count][:2] = b"ok"
            sender.commit(0, 2, destination)
        sender.flush()
        assert sender.failed == 1
        assert far.recv(10) == far.recv(10) == b"ok"


@pytest.mark.parametrize("address", [("192.0.2.1", 65535), ("2001:db8::1", 1)])
def test_address_keys(address: tuple[str, int]) -> None:
    assert key_address(address_key(address)) == address


def test_a_taken_port_is_an_error_without_a_leak() -> None:
    with open_udp_socket("127.0.0.1", 0, receive_buffer=1 << 16) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            open_udp_socket("127.0.0.1", port, receive_buffer=1 << 16)
    assert sock.family is socket.AF_INET
