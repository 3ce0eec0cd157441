"""The links: made from a key, known by their hashes.

A token is worth its guest's seat, so the table has only its SHA-256; whoever holds
the key can make it again, to mail it once more or to show it to the rep. Looking one
up by its hash tells nothing through time, because nobody can choose the hash's bytes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

TOKEN_BYTES = 24
PATH = "/join/"
_PURPOSE = b"ringbridge invite links 1"


class Links:
    """Makes tokens and links; ``secret`` is the service's signing key."""

    def __init__(self, secret: str, *, public_url: str) -> None:
        # Not the signing key itself: what leaks of one use is no use to another.
        self._key = hmac.digest(secret.encode("utf-8"), _PURPOSE, "sha256")
        self._public_url = public_url.rstrip("/")

    def token(self, tenant: str, guest_id: str, generation: int) -> str:
        """192 bits that only the key's holder can find."""
        message = "\0".join((tenant, guest_id, str(generation)))
        digest = hmac.digest(self._key, message.encode("utf-8"), "sha256")
        return base64.urlsafe_b64encode(digest[:TOKEN_BYTES]).decode("ascii")

    def url(self, token: str) -> str:
        return f"{self._public_url}{PATH}{token}"


def hash_of(secret: str) -> str:
    """What is kept of a token, or of a browser's secret: 64 hexadecimal digits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
