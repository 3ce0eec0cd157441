from __future__ import annotations

from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa


@dataclass(frozen=True)
class KeyPair:
    private: str
    public: str


def _pair(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> KeyPair:
    return KeyPair(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
        key.public_key()
        .public_bytes(
            serialization.Encoding.PEM,
            serialization.PublicFormat.SubjectPublicKeyInfo,
        )
        .decode(),
    )


@pytest.fixture(scope="session")
def acme_key() -> KeyPair:
    return _pair(rsa.generate_private_key(65537, 2048))


@pytest.fixture(scope="session")
def evil_key() -> KeyPair:
    return _pair(rsa.generate_private_key(65537, 2048))


@pytest.fixture(scope="session")
def short_key() -> KeyPair:
    return _pair(rsa.generate_private_key(65537, 1024))


@pytest.fixture(scope="session")
def ed_key() -> KeyPair:
    return _pair(ed25519.Ed25519PrivateKey.generate())
