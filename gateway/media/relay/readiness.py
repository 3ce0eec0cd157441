"""Many sockets, one wake-up: which of a worker's ports have a packet.

The event loop's own watchers cost more per packet than the packet. On Linux all
sockets sit in one epoll object of ours; its descriptor becomes readable when any of
them is, and that is the only one the loop watches.

A wake-up costs as much as several packets. When the previous one ended only
:data:`BUSY_S` ago, packets come faster than that and the next ones are about to
arrive: the worker then sleeps for :data:`PAUSE_S` and takes them all at once, as a
network card moderates its interrupts. An idle worker never pauses, a loaded one adds
half a millisecond at most and saves the wake-ups in between.
"""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import Callable
from typing import Protocol

OnReady = Callable[[float], object]

MAX_EVENTS = 128

BUSY_S = 0.0005
PAUSE_S = 0.0005

# Rounds of one wake-up before the loop gets a turn.
MAX_ROUNDS = 4
# A round with fewer events than this has emptied the sockets.
FULL_ROUND = 16


class ReadinessGroup(Protocol):
    """A set of sockets with one handler each; handlers get the wake-up's time."""

    def add(self, fileno: int, on_ready: OnReady) -> None:
        """Watch a descriptor; level-triggered, the handler may leave packets."""

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
        self._ended = 0.0
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
        if self._clock() - self._ended < BUSY_S:
            time.sleep(PAUSE_S)
        handlers = self._handlers
        poll = self._epoll.poll
        for _ in range(MAX_ROUNDS):
            ready = poll(0, MAX_EVENTS)
            now = self._clock()
            for fileno, _ in ready:
                # A handler may have removed a later one.
                handler = handlers.get(fileno)
                if handler is not None:
                    handler(now)
            self._after_batch()
            if len(ready) < FULL_ROUND:
                self._ended = self._clock()
                return
        # Packets are left over: no pause before the next turn.
        self._ended = 0.0


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
