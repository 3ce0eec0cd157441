"""The token with which a page resumes its session after a lost socket.

Single use: every hello and resume issues the next one. Only hashes are kept, each
bound to the session, the user and the page load (``instance_id``). A token that was
presented by another page load is burnt: somebody has it who should not.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac
from collections import deque
from collections.abc import Callable

TOKEN_BYTES = 32
# Enough to tell a page that lost its session to another from a stranger.
REMEMBERED_SUPERSEDED = 8


class TokenVerdict(enum.StrEnum):
    """What a presented token is."""

    VALID = "valid"
    SUPERSEDED = "superseded"
    WRONG_INSTANCE = "wrong_instance"
    UNKNOWN = "unknown"


class ResumeToken:
    """The current token of one session."""

    def __init__(
        self, session_id: str, user: str, *, random_bytes: Callable[[int], bytes]
    ) -> None:
        self._bound_to = f"{session_id}\n{user}"
        self._random_bytes = random_bytes
        self._current: bytes | None = None
        # Of the current token alone, to notice it under another instance_id.
        self._token_only = b""
        self._owner: bytes | None = None
        self._superseded: deque[bytes] = deque(maxlen=REMEMBERED_SUPERSEDED)

    def rotate(self, instance_id: str) -> str:
        """Issue the next token to a page load; the last one ends.

        When the page load is another, its predecessor's token is remembered as
        superseded.
        """
        owner = self._digest("", instance_id)
        if self._current is not None and self._owner != owner:
            self._superseded.append(self._current)
        secret = self._random_bytes(TOKEN_BYTES)
        token = base64.urlsafe_b64encode(secret).decode("ascii").rstrip("=")
        self._current = self._digest(token, instance_id)
        self._token_only = self._digest(token, "")
        self._owner = owner
        return token

    def present(self, token: str, instance_id: str) -> TokenVerdict:
        """Check a token; a valid one, or one in wrong hands, is used up by this."""
        digest = self._digest(token, instance_id)
        if self._current is not None:
            if hmac.compare_digest(digest, self._current):
                self.revoke()
                return TokenVerdict.VALID
            if hmac.compare_digest(self._digest(token, ""), self._token_only):
                self.revoke()
                return TokenVerdict.WRONG_INSTANCE
        if digest in self._superseded:
            return TokenVerdict.SUPERSEDED
        return TokenVerdict.UNKNOWN

    def revoke(self) -> None:
        """Accept no token until the next one is issued."""
        self._current = None

    def _digest(self, token: str, instance_id: str) -> bytes:
        text = f"{self._bound_to}\n{instance_id}\n{token}"
        return hashlib.sha256(text.encode("utf-8")).digest()
