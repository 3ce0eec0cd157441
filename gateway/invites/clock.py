"""One timer for the moments of all invites. Nothing is asked of anybody meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from gateway.invites.model import InviteKey
from gateway.invites.window import Deadlines

# The clock may be set while the timer runs: look at it again after this.
MAX_SLEEP_S = 60.0


class Alarm(Protocol):
    def cancel(self) -> None: ...


class WindowClock:
    """Calls ``on_due`` with each invite whose moment has come.

    Args:
        now: Unix seconds.
        later: calls back once after so many seconds.
    """

    def __init__(
        self,
        on_due: Callable[[InviteKey], None],
        *,
        now: Callable[[], float],
        later: Callable[[float, Callable[[], None]], Alarm],
    ) -> None:
        self._on_due = on_due
        self._now = now
        self._later = later
        self._deadlines: Deadlines[InviteKey] = Deadlines()
        self._alarm: Alarm | None = None
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._deadlines)

    def set(self, key: InviteKey, at: float | None) -> None:
        """The invite's next moment; None: it has none any more."""
        self._deadlines.set(key, at)
        self._arm()

    def set_all(self, moments: Iterable[tuple[InviteKey, float | None]]) -> None:
        for key, at in moments:
            self._deadlines.set(key, at)
        self._arm()

    def close(self) -> None:
        self._is_closed = True
        self._disarm()

    def _arm(self) -> None:
        self._disarm()
        at = self._deadlines.next()
        if at is not None and not self._is_closed:
            delay = min(MAX_SLEEP_S, max(0.0, at - self._now()))
            self._alarm = self._later(delay, self._ring)

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _ring(self) -> None:
        self._alarm = None
        for key in self._deadlines.take_due(self._now()):
            self._on_due(key)
        self._arm()
