"""What sessions count, for metrics. Every number only grows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class SessionCounters:
    """One for the whole service."""

    sockets: int = 0
    # Upgrades refused: subprotocol, origin, too many without hello.
    sockets_refused: int = 0
    sockets_without_hello: int = 0
    hellos: int = 0
    hellos_refused: int = 0
    resumes_replayed: int = 0
    resumes_by_snapshot: int = 0
    resumes_refused: int = 0
    # Of the refused: the token was presented by another page load.
    resume_tokens_stolen: int = 0
    takeovers: int = 0
    # An observer became the owner, because that was gone.
    elections: int = 0
    # Observers closed to make room for another.
    observers_evicted: int = 0
    # Of the slow clients: they were observers.
    slow_observers: int = 0
    detached: int = 0
    sessions_opened: int = 0
    sessions_expired: int = 0
    sessions_signed_out: int = 0
    frames: int = 0
    frames_refused: int = 0
    frames_over_rate: int = 0
    requests: int = 0
    ops_replayed: int = 0
    ops_in_conflict: int = 0
    requests_refused: int = 0
    internal_errors: int = 0
    events: int = 0
    # Published for a user without a session.
    events_without_session: int = 0
    slow_clients: int = 0
    silent_clients: int = 0
