"""Loopback ports that are free just now."""

from __future__ import annotations

import random
import socket


def free_port() -> int:
    """One that is free for TCP and for UDP."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of ``count`` neighbours, each free for TCP and for UDP.

    They lie below the range that the system gives out by itself, so that nobody
    gets one by chance between the look and the bind.
    """
    for _ in range(200):
        first = random.SystemRandom().randrange(15_000, 30_000)
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise RuntimeError(f"no {count} free ports in a row")


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
