"""When a remote's packets were captured, told by its own clock in sender reports."""

from __future__ import annotations

from dataclasses import dataclass

# An offset that grows beyond this is a clock that was set, not a slower network.
MAX_DRIFT_S = 1.0


class SourceClock:
    """The clock of one remote, which all its streams share.

    Its offset from ours is that of the quickest report; what remains is the same for
    audio and video and so does not part them.
    """

    __slots__ = ("offset",)

    def __init__(self) -> None:
        self.offset: float | None = None

    def observe(self, ntp_s: float, wall: float) -> None:
        """A report of ``ntp_s`` (seconds since 1970, its clock) came at ``wall``."""
        offset = wall - ntp_s
        known = self.offset
        if known is None or offset < known or offset - known > MAX_DRIFT_S:
            self.offset = offset

    def restart(self) -> None:
        """Another remote."""
        self.offset = None


@dataclass(frozen=True, slots=True)
class SourceReport:
    """The pair of a sender report: RTP ``timestamp`` was ``ntp_s`` on ``clock``."""

    ssrc: int
    timestamp: int
    ntp_s: float
    clock: SourceClock

    @property
    def wall(self) -> float:
        """That moment on our clock, seconds since 1970."""
        return self.ntp_s + (self.clock.offset or 0.0)
