"""Access tokens and refresh tokens: whose they are, how long, and what ends them.

An access token lives from its last use; it is one session of the org. A refresh token
belongs to a grant: what one user allowed one app at one time. With rotation a grant
gets a new refresh token at each use, and remembers the ones before.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from gateway.sandbox.salesforce.assumptions import (
    MAX_GRANTS_OF_A_USER,
    REUSE_REVOKES_FAMILY,
)
from gateway.sandbox.salesforce.config import ConnectedApp

_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._"
_REFRESH_PREFIX = "5Aep861"
_MAX_SESSIONS = 10_000
_MAX_GRANTS = 10_000
_MAX_SPENT = 20


@dataclass(frozen=True, slots=True)
class Session:
    """An access token; ``expires_at`` in epoch seconds.

    ``consumer_key`` and ``scope`` are empty for a session of the page itself, which
    may do everything. ``grant`` is the id of the grant it came from, "" if none.
    """

    token: str = field(repr=False)
    user_id: str = ""
    issued_at: float = 0.0
    expires_at: float = 0.0
    consumer_key: str = ""
    scope: str = ""
    grant: str = ""
    life_s: float = 0.0

    def allows(self, word: str) -> bool:
        """Whether the scope has ``word``."""
        return not self.consumer_key or bool({word, "full"} & set(self.scope.split()))


@dataclass(frozen=True, slots=True)
class Grant:
    """What a user allowed an app, and the refresh token that stands for it.

    ``spent`` are refresh tokens that were rotated away, the latest last.
    """

    id: str
    user_id: str
    consumer_key: str
    scope: str
    issued_at: float
    refresh_token: str = field(repr=False)
    spent: tuple[str, ...] = field(default=(), repr=False)


class Sessions:
    """All tokens of one org.

    Args:
        lifetime_s: life of an access token from its last use, where its app has none.
    """

    def __init__(
        self,
        *,
        organization_id: str,
        lifetime_s: float,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self._organization_id = organization_id
        self.lifetime_s = lifetime_s
        self._clock = clock
        self._rng = rng
        self._sessions: dict[str, Session] = {}
        self._grants: dict[str, Grant] = {}
        # Counts every change, so that a shell can see whether to save.
        self.version = 0

    def secret(self, length: int = 96) -> str:
        return "".join(self._rng.choice(_CHARACTERS) for _ in range(length))

    # -- access tokens

    def open(
        self,
        user_id: str,
        *,
        app: ConnectedApp | None = None,
        scope: str = "",
        grant: str = "",
    ) -> Session:
        """A new access token."""
        own = app.session_lifetime_s if app else None
        life_s = self.lifetime_s if own is None else own
        now = self._clock()
        session = Session(
            f"{self._organization_id[:15]}!{self.secret()}",
            user_id,
            now,
            now + life_s,
            app.consumer_key if app else "",
            scope,
            grant,
            life_s,
        )
        while len(self._sessions) >= _MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[session.token] = session
        self.version += 1
        return session

    def find(self, token: str, *, touch: bool = True) -> Session | None:
        """The live session of a token; using it keeps it alive."""
        session = self._sessions.get(token)
        if session is None:
            return None
        now = self._clock()
        if session.expires_at <= now:
            del self._sessions[token]
            return None
        if touch:
            session = replace(session, expires_at=now + session.life_s)
            self._sessions[token] = session
        return session

    def expire_all(self) -> int:
        """End every session, not what refreshes them; the number of them."""
        count = len(self._sessions)
        self._sessions.clear()
        self.version += 1
        return count

    # -- grants

    def grant(self, app: ConnectedApp, user_id: str, scope: str) -> Grant:
        """A new grant with its first refresh token."""
        mine = [
            g
            for g in self._grants.values()
            if (g.user_id, g.consumer_key) == (user_id, app.consumer_key)
        ]
        for old in mine[: max(0, len(mine) - MAX_GRANTS_OF_A_USER + 1)]:
            self._end(old)
        while len(self._grants) >= _MAX_GRANTS:
            self._end(next(iter(self._grants.values())))
        made = Grant(
            f"{self._rng.getrandbits(128):032x}",
            user_id,
            app.consumer_key,
            scope,
            self._clock(),
            self._refresh_token(),
        )
        self._grants[made.id] = made
        self.version += 1
        return made

    def use(self, app: ConnectedApp, refresh_token: str) -> Grant | None:
        """The grant of a refresh token, with its next one if the app rotates them.

        None if it is unknown, too old, another app's, or was used before.
        """
        found = self._grant_of(refresh_token)
        if found is None or found.consumer_key != app.consumer_key:
            return None
        if refresh_token in found.spent:
            if REUSE_REVOKES_FAMILY:
                self._end(found)
            return None
        life = app.refresh_token_lifetime_s
        if life is not None and found.issued_at + life <= self._clock():
            self._end(found)
            return None
        if app.rotates_refresh_tokens:
            found = replace(
                found,
                refresh_token=self._refresh_token(),
                spent=(*found.spent, refresh_token)[-_MAX_SPENT:],
            )
            self._grants[found.id] = found
            self.version += 1
        return found

    def revoke(self, token: str) -> bool:
        """End an access token, or a refresh token and all that came from it."""
        if self._sessions.pop(token, None) is not None:
            self.version += 1
            return True
        found = self._grant_of(token)
        if found is None:
            return False
        self._end(found)
        return True

    def revoke_all(self) -> int:
        """End every grant and every session; the number of grants."""
        count = len(self._grants)
        self._grants.clear()
        self.expire_all()
        return count

    def refresh_owner(self, token: str) -> Grant | None:
        """The grant whose refresh token this is at the moment."""
        found = self._grant_of(token)
        return found if found and found.refresh_token == token else None

    def has_grant(self, user_id: str, consumer_key: str) -> bool:
        return any(
            (g.user_id, g.consumer_key) == (user_id, consumer_key)
            for g in self._grants.values()
        )

    # -- keeping

    def dump(self) -> dict[str, object]:
        return {
            "sessions": [asdict(s) for s in self._sessions.values()],
            "grants": [asdict(g) for g in self._grants.values()],
        }

    def load(
        self, sessions: list[dict[str, Any]], grants: list[dict[str, Any]]
    ) -> None:
        """Replace everything by what :meth:`dump` gave."""
        self._sessions = {row["token"]: Session(**row) for row in sessions}
        self._grants = {
            row["id"]: Grant(**{**row, "spent": tuple(row["spent"])}) for row in grants
        }

    # -- inner

    def _refresh_token(self) -> str:
        return _REFRESH_PREFIX + self.secret(72)

    def _grant_of(self, token: str) -> Grant | None:
        for found in self._grants.values():
            if token == found.refresh_token or token in found.spent:
                return found
        return None

    def _end(self, grant: Grant) -> None:
        self._grants.pop(grant.id, None)
        for session in list(self._sessions.values()):
            if session.grant == grant.id:
                del self._sessions[session.token]
        self.version += 1
