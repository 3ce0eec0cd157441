"""The Apex class ``RingbridgeIdentity``: signs who is signed in to the page."""

from __future__ import annotations

import random
from collections.abc import Callable

import jwt

from gateway.sandbox.salesforce.keys import SigningKey

IDENTITY_TOKEN_LIFE_S = 180


class IdentitySigner:
    """Signs with the org's own key.

    Args:
        key_pem: RSA private key, made at random when it is first needed if "".
        issuer: the org's 18-character id.
        audience: public URL of the gateway.
    """

    def __init__(
        self,
        *,
        key_pem: str,
        issuer: str,
        audience: str,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self._key = SigningKey(key_pem)
        self._issuer = issuer
        self.audience = audience
        self._clock = clock
        self._rng = rng

    @property
    def public_key_pem(self) -> str:
        return self._key.public_key_pem

    @property
    def private_key_pem(self) -> str:
        return self._key.private_key_pem

    def token_for(self, user_id: str) -> str:
        """An RS256 JWT: iss, sub, aud, iat, exp in 3 min, jti."""
        now = int(self._clock())
        claims = {
            "iss": self._issuer,
            "sub": user_id,
            "aud": self.audience,
            "iat": now,
            "exp": now + IDENTITY_TOKEN_LIFE_S,
            "jti": f"{self._rng.getrandbits(128):032x}",
        }
        return jwt.encode(claims, self._key.private, algorithm="RS256")
