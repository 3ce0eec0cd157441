"""How many frames a second one socket may send."""

from __future__ import annotations

import enum

from gateway.sessions.wire import MAX_MESSAGES_PER_S


class RateVerdict(enum.Enum):
    ACCEPT = enum.auto()
    # Answer with rate.limited.
    REFUSE = enum.auto()
    # The client does not heed refusals.
    CLOSE = enum.auto()


class MessageRate:
    """A token bucket of one second's worth.

    A second's worth of refusals on top closes the socket: whoever sends on after a
    hundred refusals is broken or hostile, and each refusal costs us a reply.
    """

    def __init__(self, *, per_s: int = MAX_MESSAGES_PER_S) -> None:
        self._per_s = per_s
        self._level = float(per_s)
        self._at: float | None = None

    def receive(self, now: float) -> RateVerdict:
        """Judge a frame that came at ``now`` (monotonic seconds)."""
        if self._at is not None:
            regained = max(0.0, now - self._at) * self._per_s
            self._level = min(float(self._per_s), self._level + regained)
        self._at = now
        self._level -= 1
        if self._level >= 0:
            return RateVerdict.ACCEPT
        return RateVerdict.REFUSE if self._level >= -self._per_s else RateVerdict.CLOSE
