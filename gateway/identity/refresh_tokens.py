"""Refresh tokens: ``id.generation.mac``, which nobody can make who lacks the key.

The database keeps the generation and not the token, so that what it holds signs nobody
in, and the token of a generation can be said again when its answer was lost. A forged
one is refused without asking the database.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_TOKEN = re.compile(r"([0-9a-f]{32})\.(0|[1-9]\d{0,8})\.([A-Za-z0-9_-]{43})")
_PURPOSE = b"ringbridge refresh token 1"


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """What a good token says."""

    sign_in_id: str
    generation: int


@dataclass(frozen=True, slots=True)
class RefreshKeys:
    """Made from the secrets of access tokens; the first makes, all read."""

    _keys: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def of(cls, secrets: Sequence[str]) -> RefreshKeys:
        """Raises ValueError when there is none."""
        if not secrets:
            raise ValueError("at least one secret is needed")
        return cls(
            tuple(
                hmac.digest(secret.encode("utf-8"), _PURPOSE, "sha256")
                for secret in secrets
            )
        )

    def write(self, token: RefreshToken) -> str:
        body = f"{token.sign_in_id}.{token.generation}"
        return f"{body}.{_mac(self._keys[0], body)}"

    def read(self, text: str) -> RefreshToken | None:
        """None for what no key of ours has made."""
        parts = _TOKEN.fullmatch(text)
        if parts is None:
            return None
        body, _, mac = text.rpartition(".")
        good = [hmac.compare_digest(_mac(key, body), mac) for key in self._keys]
        return RefreshToken(parts[1], int(parts[2])) if any(good) else None


def _mac(key: bytes, body: str) -> str:
    digest = hmac.digest(key, body.encode("ascii"), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
