"""Time as the library sees it, handed in so that tests may run it by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class TimerHandle(Protocol):
    """A promise to call back that may be withdrawn."""

    def cancel(self) -> None:
        """Withdraw it; nothing happens when it already fired."""


class Clock(Protocol):
    """A monotonic time in seconds and timers on it."""

    def now(self) -> float:
        """Seconds since some fixed moment; never goes backwards."""

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Call back once ``now() >= when``, never from inside this call."""


class LoopClock:
    """The clock of the running asyncio loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now(self) -> float:
        """Return the loop's time."""
        return self._loop.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Call back from the loop."""
        return self._loop.call_at(when, callback)


class Alarm:
    """The one timer of a machine that says by ``get_timer()`` when it is due."""

    def __init__(self, clock: Clock, callback: Callable[[], None]) -> None:
        self._clock = clock
        self._callback = callback
        self._timer: TimerHandle | None = None

    def set(self, when: float | None) -> None:
        """Call back at that time instead of the time set before; None: never."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if when is not None:
            self._timer = self._clock.call_at(when, self._fired)

    def _fired(self) -> None:
        self._timer = None
        self._callback()
