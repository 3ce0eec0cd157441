"""Many sockets, one wake-up: which SIP-side ports have a packet.

The event loop's own watchers cost more per packet than the packet. On Linux all
SIP-side sockets sit in one epoll object of ours; its descriptor becomes readable when
any of them is, and that is the only one the loop watches.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import Protocol

OnReady = Callable[[float], None]

MAX_EVENTS = 128


class ReadinessGroup(Protocol):
    """A set of sockets with one handler each; handlers get the wake-up's time."""

    def add(self, fileno: int, on_ready: OnReady) -> None:
        """Watch a descriptor; level-triggered, the handler takes one packet."""

    def remove(self, fileno: int) -> None:
        """Forget a descriptor; call it before closing."""

    def close(self) -> None:
        """Stop watching."""


class EpollGroup:
    """Linux: an epoll inside the loop's.

    Args:
        after_batch: called once after the handlers of one wake-up.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        clock: Callable[[], float],
        after_batch: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._after_batch = after_batch
        self._epoll = select.epoll()
        self._handlers: dict[int, OnReady] = {}
        loop.add_reader(self._epoll.fileno(), self._ready)

    def add(self, fileno: int, on_ready: OnReady) -> None:
        self._handlers[fileno] = on_ready
        self._epoll.register(fileno, select.EPOLLIN)

    def remove(self, fileno: int) -> None:
        if self._handlers.pop(fileno, None) is not None:
            self._epoll.unregister(fileno)

    def close(self) -> None:
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _ready(self) -> None:
        handlers = self._handlers
        ready = self._epoll.poll(0, MAX_EVENTS)
        now = self._clock()
        for fileno, _ in ready:
            # A handler may have removed a later one.
            handler = handlers.get(fileno)
            if handler is not None:
                handler(now)
        self._after_batch()


class LoopGroup:
    """Elsewhere: one loop watcher per socket."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        clock: Callable[[], float],
        after_batch: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._after_batch = after_batch
        self._watched: set[int] = set()

    def add(self, fileno: int, on_ready: OnReady) -> None:
        self._watched.add(fileno)
        self._loop.add_reader(fileno, self._ready, on_ready)

    def remove(self, fileno: int) -> None:
        if fileno in self._watched:
            self._watched.remove(fileno)
            self._loop.remove_reader(fileno)

    def close(self) -> None:
        for fileno in list(self._watched):
            self.remove(fileno)

    def _ready(self, on_ready: OnReady) -> None:
        on_ready(self._clock())
        self._after_batch()


def open_group(
    loop: asyncio.AbstractEventLoop,
    *,
    clock: Callable[[], float],
    after_batch: Callable[[], None],
) -> ReadinessGroup:
    """The fastest group of this system."""
    kind = EpollGroup if hasattr(select, "epoll") else LoopGroup
    return kind(loop, clock=clock, after_batch=after_batch)
