"""The two seams of a session: what stands behind it, and how it is told things."""

from __future__ import annotations

from typing import Any, Protocol

from gateway.identity.users import User, UserKey
from gateway.sessions.wire import ErrorKind, Event, Record, Snapshot, Wire


class RequestError(Exception):
    """A request failed in a way that the client is told; becomes a JSON-RPC error."""

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        retryable: bool = False,
        sip_code: int | None = None,
        records: tuple[Record, ...] = (),
        trace_id: str | None = None,
        field: str = "",
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.retryable = retryable
        self.sip_code = sip_code
        self.records = records
        self.trace_id = trace_id
        self.field = field


class Backend(Protocol):
    """What a session stands for. Called in the event loop; must not block it."""

    async def session_opened(self, user: User) -> None:
        """A user without a session said hello: bring up the phone account."""

    async def session_closed(self, user: User, *, signed_out: bool) -> None:
        """Signed out, or nobody came back within the resume window."""

    def session_attached(self, user: User) -> None:
        """A socket is there (again)."""

    def session_detached(self, user: User) -> None:
        """The socket is gone; the window runs."""

    def snapshot(self, user: User) -> Snapshot:
        """The user's whole state, now."""

    async def perform(self, user: User, method: str, params: Wire) -> Wire:
        """Any method of ``wire.METHODS`` but ``session.*`` and ``ping``.

        Raises:
            RequestError: told to the client.
        """


class Publisher(Protocol):
    """How the backend tells a user's session what happened."""

    def publish(self, user: UserKey, event: type[Event], **fields: Any) -> None:
        """Append to the user's event log with the next ``seq``; no session: dropped."""
