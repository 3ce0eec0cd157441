"""RSA keys of the org, and the ring of them that signs ID tokens (JWKS)."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cached_property

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

_MAX_KEYS = 10


class SigningKey:
    """One RSA key, made at random when it is first needed if ``pem`` is "".

    Raises:
        ValueError: at once, if it is no RSA private key in PEM.
    """

    def __init__(self, pem: str = "", *, kid: str = "") -> None:
        self.kid = kid
        if pem:
            key = serialization.load_pem_private_key(pem.encode(), password=None)
            if not isinstance(key, rsa.RSAPrivateKey):
                raise ValueError("a key of the org must be an RSA key")
            self.private = key

    @cached_property
    def private(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def public_key_pem(self) -> str:
        return (
            self.private.public_key()
            .public_bytes(
                serialization.Encoding.PEM,
                serialization.PublicFormat.SubjectPublicKeyInfo,
            )
            .decode()
        )

    @property
    def private_key_pem(self) -> str:
        return self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    def as_jwk(self) -> dict[str, object]:
        jwk = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {
            "kty": "RSA",
            "n": jwk["n"],
            "e": jwk["e"],
            "alg": "RS256",
            "use": "sig",
            "kid": self.kid,
        }


class KeyRing:
    """Keys that are published; the last one signs."""

    def __init__(self, *, rng: random.Random) -> None:
        self._rng = rng
        self._keys = [self._fresh()]
        # Counts every change, so that a shell can see whether to save.
        self.version = 0

    def rotate(self, *, keep_old: bool = True) -> str:
        """Sign with a new key; its kid. Without ``keep_old`` only it is published."""
        kept = self._keys[-_MAX_KEYS + 1 :] if keep_old else []
        self._keys = [*kept, self._fresh()]
        self.version += 1
        return self._keys[-1].kid

    def sign(self, claims: Mapping[str, object]) -> str:
        """A JWT with RS256 and the key's kid."""
        key = self._keys[-1]
        self.version = max(self.version, 1)
        return jwt.encode(
            dict(claims), key.private, algorithm="RS256", headers={"kid": key.kid}
        )

    def jwks(self) -> dict[str, object]:
        self.version = max(self.version, 1)
        return {"keys": [key.as_jwk() for key in self._keys]}

    def dump(self) -> list[dict[str, str]]:
        """Private keys in PEM; empty while none was needed."""
        if not self.version:
            return []
        return [{"kid": k.kid, "pem": k.private_key_pem} for k in self._keys]

    def load(self, rows: list[dict[str, str]]) -> None:
        if rows:
            self._keys = [SigningKey(row["pem"], kid=row["kid"]) for row in rows]
            self.version = 1

    def _fresh(self) -> SigningKey:
        return SigningKey(kid=str(self._rng.randrange(200, 999_999)))
