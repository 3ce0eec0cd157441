"""Password hashes: scrypt (RFC 7914), with its parameters beside the hash.

``$scrypt$ln=14,r=8,p=5$SALT$HASH``, base64 without padding. Both functions take
about 0.2 s of one core: call them in a worker thread.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets

# 16 MiB and five passes: OWASP's equivalent of N=2^17, r=8, p=1 at an eighth of the
# memory, so that a burst of sign-ins does not swap out the media workers.
LOG2_N = 14
R = 8
P = 5
SALT_BYTES = 16
HASH_BYTES = 32
# Parameters above these are a mistake in the configuration or an attack with one.
MAX_LOG2_N = 17
MAX_R = 16
MAX_P = 16

_ENCODED = re.compile(
    r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})"
    r"\$([A-Za-z0-9+/]{8,172})\$([A-Za-z0-9+/]{22,172})"
)


def hash_password(
    password: str,
    *,
    log2_n: int = LOG2_N,
    r: int = R,
    p: int = P,
    salt: bytes | None = None,
) -> str:
    """The encoded hash of ``password``, with a random salt unless one is given."""
    salt = secrets.token_bytes(SALT_BYTES) if salt is None else salt
    digest = _scrypt(password, salt, log2_n, r, p, HASH_BYTES)
    return f"$scrypt$ln={log2_n},r={r},p={p}${_encode(salt)}${_encode(digest)}"


def verify_password(password: str, encoded: str) -> bool:
    """True if ``encoded`` is a hash of ``password``; compares in constant time.

    An ``encoded`` that is not of :func:`hash_password`'s form never matches.
    """
    parts = _ENCODED.fullmatch(encoded)
    if parts is None:
        return False
    log2_n, r, p = (int(parts[index]) for index in (1, 2, 3))
    if not (1 <= log2_n <= MAX_LOG2_N and 1 <= r <= MAX_R and 1 <= p <= MAX_P):
        return False
    try:
        salt, expected = _decode(parts[4]), _decode(parts[5])
    except binascii.Error:
        return False
    digest = _scrypt(password, salt, log2_n, r, p, len(expected))
    return hmac.compare_digest(digest, expected)


def _scrypt(
    password: str, salt: bytes, log2_n: int, r: int, p: int, length: int
) -> bytes:
    n = 1 << log2_n
    return hashlib.scrypt(
        # A lone surrogate cannot be typed, but JSON can carry one.
        password.encode("utf-8", "surrogatepass"),
        salt=salt,
        n=n,
        r=r,
        p=p,
        maxmem=128 * r * (n + p + 2) + 1024 * 1024,
        dklen=length,
    )


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii").rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
