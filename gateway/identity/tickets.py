"""One-use tickets that open a session; only their hashes are kept."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gateway.identity.tokens import AccessGrant
from gateway.identity.users import UserKey

TICKET_LIFETIME_S = 30
TICKET_BYTES = 32
MAX_TICKETS = 10_000
MAX_TICKETS_PER_USER = 16


class TicketsExhaustedError(Exception):
    """Too many tickets are out; ask again in a moment."""


@dataclass(frozen=True, slots=True)
class _Ticket:
    grant: AccessGrant
    expires_at: float


class Tickets:
    """Issues and redeems tickets. Time is handed in (monotonic seconds)."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        lifetime_s: int = TICKET_LIFETIME_S,
        limit: int = MAX_TICKETS,
        limit_per_user: int = MAX_TICKETS_PER_USER,
    ) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self.lifetime_s = lifetime_s
        self._limit = limit
        self._limit_per_user = limit_per_user
        # In order of expiry: every ticket lasts equally long.
        self._tickets: OrderedDict[bytes, _Ticket] = OrderedDict()
        self._per_user: Counter[UserKey] = Counter()

    def __len__(self) -> int:
        return len(self._tickets)

    def issue(self, grant: AccessGrant) -> str:
        """A ticket for the grant's user.

        Raises:
            TicketsExhaustedError: the user, or everybody, has too many unused ones.
        """
        self._forget_expired()
        if (
            self._per_user[grant.user] >= self._limit_per_user
            or len(self._tickets) >= self._limit
        ):
            raise TicketsExhaustedError("Too many sessions are being opened.")
        secret = self._random_bytes(TICKET_BYTES)
        ticket = base64.urlsafe_b64encode(secret).decode("ascii").rstrip("=")
        expires_at = self._clock() + self.lifetime_s
        self._tickets[_digest(ticket)] = _Ticket(grant, expires_at)
        self._per_user[grant.user] += 1
        return ticket

    def redeem(self, ticket: str) -> AccessGrant | None:
        """What the ticket grants, once; None when unknown, used or expired."""
        self._forget_expired()
        digest = _digest(ticket)
        return self._forget(digest).grant if digest in self._tickets else None

    def revoke(self, user: UserKey) -> None:
        """Forget the user's unused tickets."""
        for digest in [
            digest
            for digest, ticket in self._tickets.items()
            if ticket.grant.user == user
        ]:
            self._forget(digest)

    def _forget_expired(self) -> None:
        now = self._clock()
        while self._tickets:
            digest, ticket = next(iter(self._tickets.items()))
            if ticket.expires_at > now:
                return
            self._forget(digest)

    def _forget(self, digest: bytes) -> _Ticket:
        ticket = self._tickets.pop(digest)
        user = ticket.grant.user
        self._per_user[user] -= 1
        if not self._per_user[user]:
            del self._per_user[user]
        return ticket


def _digest(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode("utf-8", "surrogatepass")).digest()
