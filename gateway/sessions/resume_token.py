"""The tokens with which pages resume their session after a lost socket.

Single use: every hello and resume issues the page's next one. Only hashes are kept,
each bound to the session, the user and the page load (``instance_id``). A token that
was presented by another page load is burnt: somebody has it who should not.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac
import math
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace

TOKEN_BYTES = 32
# Pages that may come back; those that are gone for longest are forgotten first.
MAX_TOKENS = 16
# Enough to tell a page that lost its session to another from a stranger.
REMEMBERED_SUPERSEDED = 8


class TokenVerdict(enum.StrEnum):
    """What a presented token is."""

    VALID = "valid"
    SUPERSEDED = "superseded"
    WRONG_INSTANCE = "wrong_instance"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class _Kept:
    digest: bytes
    # Of the token alone, to notice it under another instance_id.
    token_only: bytes
    # Monotonic seconds.
    good_until: float = math.inf


class ResumeTokens:
    """The current tokens of one session's pages."""

    def __init__(
        self, session_id: str, user: str, *, random_bytes: Callable[[int], bytes]
    ) -> None:
        self._bound_to = f"{session_id}\n{user}"
        self._random_bytes = random_bytes
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._superseded: deque[bytes] = deque(maxlen=REMEMBERED_SUPERSEDED)

    def rotate(self, instance_id: str) -> str:
        """Issue the next token to a page load; its last one ends."""
        secret = self._random_bytes(TOKEN_BYTES)
        token = base64.urlsafe_b64encode(secret).decode("ascii").rstrip("=")
        self._kept.pop(instance_id, None)
        self._kept[instance_id] = _Kept(
            self._digest(token, instance_id), self._digest(token, "")
        )
        if len(self._kept) > MAX_TOKENS:
            self._kept.popitem(last=False)
        return token

    def present(self, token: str, instance_id: str, now: float) -> TokenVerdict:
        """Check a token; a valid one, or one in wrong hands, is used up by this."""
        digest = self._digest(token, instance_id)
        self._forget_stale(now)
        kept = self._kept.get(instance_id)
        if kept is not None and hmac.compare_digest(digest, kept.digest):
            self.revoke(instance_id)
            return TokenVerdict.VALID
        token_only = self._digest(token, "")
        for owner, other in self._kept.items():
            if hmac.compare_digest(token_only, other.token_only):
                self.revoke(owner)
                return TokenVerdict.WRONG_INSTANCE
        if digest in self._superseded:
            return TokenVerdict.SUPERSEDED
        return TokenVerdict.UNKNOWN

    def limit(self, instance_id: str, good_until: float) -> None:
        """The page is gone; it has until then to come back."""
        kept = self._kept.get(instance_id)
        if kept is not None:
            self._kept[instance_id] = replace(kept, good_until=good_until)

    def supersede(self, instance_id: str) -> None:
        """Another page has taken the session from this one: its token says so."""
        kept = self._kept.pop(instance_id, None)
        if kept is not None:
            self._superseded.append(kept.digest)

    def revoke(self, instance_id: str) -> None:
        """Accept no token of the page until the next one is issued."""
        self._kept.pop(instance_id, None)

    def _forget_stale(self, now: float) -> None:
        stale = [name for name, kept in self._kept.items() if kept.good_until < now]
        for name in stale:
            del self._kept[name]

    def _digest(self, token: str, instance_id: str) -> bytes:
        text = f"{self._bound_to}\n{instance_id}\n{token}"
        return hashlib.sha256(text.encode("utf-8")).digest()
