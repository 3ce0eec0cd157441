"""When a remote is asked for a keyframe: at once, but not again and again.

A keyframe costs its sender a burst of packets, and everybody who needs one asks: the
receiver several times, the relay itself after a hold or a loss. Wishes that come too
soon after the last one are kept and asked for together.
"""

from __future__ import annotations

from collections.abc import Callable

INTERVAL_S = 0.5
# Of a request that is a SIP transaction.
SLOW_INTERVAL_S = 2.0


class KeyframeAsker:
    """Towards one remote.

    Args:
        ask: asks now; gives the seconds until it may be asked again.
    """

    __slots__ = ("_ask", "_is_wanted", "_next_at")

    def __init__(self, ask: Callable[[], float]) -> None:
        self._ask = ask
        self._is_wanted = False
        self._next_at = 0.0

    def want(self, now: float) -> None:
        """Somebody needs a keyframe."""
        self._is_wanted = True
        self.run(now)

    def run(self, now: float) -> None:
        """Ask if there is a wish and it is time; called now and then."""
        if self._is_wanted and now >= self._next_at:
            self._is_wanted = False
            self._next_at = now + self._ask()
