"""A session's events: numbered without gaps, kept until they are acknowledged.

The client names the last event that it has; :meth:`EventLog.since` gives what
followed, or None when some of that is gone and only a snapshot helps. Pure: frames
are text, time is handed in (monotonic seconds).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from gateway.sessions.wire import (
    HEARTBEAT_S,
    RESUME_WINDOW_S,
    RING_BYTES,
    RING_EVENTS,
)

# A socket's death is found at most two heartbeats after its last acknowledgement.
MAX_AGE_S = RESUME_WINDOW_S + 2.0 * HEARTBEAT_S


@dataclass(frozen=True, slots=True)
class _Entry:
    seq: int
    at: float
    size: int
    frame: str


class EventLog:
    """A ring bounded by count, bytes and age, whichever is reached first."""

    def __init__(
        self,
        *,
        max_events: int = RING_EVENTS,
        max_bytes: int = RING_BYTES,
        max_age_s: float = MAX_AGE_S,
    ) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._entries: deque[_Entry] = deque()
        self._bytes = 0
        self._head = 0
        # Events that left the ring without an acknowledgement.
        self.dropped = 0

    @property
    def head(self) -> int:
        """``seq`` of the newest event, 0 before the first."""
        return self._head

    @property
    def size_bytes(self) -> int:
        return self._bytes

    def __len__(self) -> int:
        return len(self._entries)

    def append(self, frame: str, *, now: float) -> int:
        """Keep the frame of event ``head + 1``; returns its ``seq``."""
        self._head += 1
        entry = _Entry(self._head, now, len(frame.encode("utf-8")), frame)
        self._entries.append(entry)
        self._bytes += entry.size
        self._trim(now)
        return self._head

    def acknowledge(self, seq: int) -> None:
        """Forget every event up to ``seq``.

        Raises:
            ValueError: there is no such event yet.
        """
        if seq > self._head:
            raise ValueError(f"there is no event {seq} yet")
        while self._entries and self._entries[0].seq <= seq:
            self._bytes -= self._entries.popleft().size

    def since(self, seq: int, *, now: float) -> tuple[str, ...] | None:
        """Frames after ``seq`` in order; None if one of them is not kept."""
        self._trim(now)
        if seq > self._head:
            return None
        first_kept = self._entries[0].seq if self._entries else self._head + 1
        if seq + 1 < first_kept:
            return None
        return tuple(entry.frame for entry in self._entries if entry.seq > seq)

    def _trim(self, now: float) -> None:
        while self._entries and (
            len(self._entries) > self._max_events
            or self._bytes > self._max_bytes
            or self._entries[0].at < now - self._max_age_s
        ):
            self._bytes -= self._entries.popleft().size
            self.dropped += 1
