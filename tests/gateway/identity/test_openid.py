"""ID tokens: what is refused, and how the provider's keys are kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity.openid import (
    KEEP_KEYS_AT_MOST_S,
    KEEP_KEYS_S,
    LEEWAY_S,
    MAX_TOKEN_CHARS,
    REFETCH_AFTER_S,
    Expected,
    IdTokenError,
    ProviderAwayError,
    ProviderKeys,
    key_id,
    read_keys,
    verify,
)

NOW = 1_800_000_000.0
ISSUER = "https://acme.my.salesforce.com"
EXPECTED = Expected(ISSUER, "client", "nonce-1")
SUBJECT = f"{ISSUER}/id/00D000000000001AAA/005000000000001AAA"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def other_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def claims(**changed: Any) -> dict[str, Any]:
    good = {
        "iss": ISSUER,
        "aud": "client",
        "sub": SUBJECT,
        "nonce": "nonce-1",
        "iat": NOW,
        "exp": NOW + 120,
    }
    return {k: v for k, v in (good | changed).items() if v is not None}


def token(key: rsa.RSAPrivateKey, kid: str = "k1", **changed: Any) -> str:
    return jwt.encode(claims(**changed), key, "RS256", headers={"kid": kid})


def checked(text: str, key: rsa.RSAPrivateKey, access_token: str = "at") -> Any:
    key_id(text)
    return verify(text, key.public_key(), EXPECTED, now=NOW, access_token=access_token)


def jwks(**keys: rsa.RSAPrivateKey) -> bytes:
    items = [
        json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(each.public_key()))
        | {"kid": kid, "use": "sig", "alg": "RS256"}
        for kid, each in keys.items()
    ]
    return json.dumps({"keys": items}).encode()


def encoded(value: object) -> str:
    data = json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


# Tokens -------------------------------------------------------------------------------


def test_a_good_one_says_who_it_is(key: rsa.RSAPrivateKey) -> None:
    half = hashlib.sha256(b"at").digest()[:16]
    at_hash = base64.urlsafe_b64encode(half).decode().rstrip("=")
    assert checked(token(key, at_hash=at_hash), key)["sub"] == SUBJECT
    assert checked(token(key, aud=["client"]), key)["sub"] == SUBJECT


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.my.salesforce.com"},
        {"iss": f"{ISSUER}/"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": ["client", "another-client"]},
        {"aud": []},
        {"aud": None},
        {"nonce": "nonce-2"},
        {"nonce": ""},
        {"nonce": ["nonce-1"]},
        {"nonce": None},
        {"exp": NOW - LEEWAY_S},
        {"exp": True},
        {"exp": "tomorrow"},
        {"exp": None},
        {"iat": NOW + LEEWAY_S + 1},
        {"iat": None},
        {"sub": None},
        {"at_hash": "of-another-access-token"},
        {"at_hash": 5},
    ],
    ids=str,
)
def test_anything_wrong_in_it_is_refused(
    key: rsa.RSAPrivateKey, changed: dict[str, Any]
) -> None:
    with pytest.raises(IdTokenError):
        checked(token(key, **changed), key)


def test_a_token_of_another_key_is_refused(
    key: rsa.RSAPrivateKey, other_key: rsa.RSAPrivateKey
) -> None:
    with pytest.raises(IdTokenError):
        checked(token(other_key), key)


def test_no_algorithm_but_rs256(key: rsa.RSAPrivateKey) -> None:
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    forged = []
    for algorithm in ("none", "None", "nOnE"):
        header = {"alg": algorithm, "kid": "k1", "typ": "JWT"}
        forged.append(f"{encoded(header)}.{encoded(claims())}.")
    # The public key as the secret of an HMAC (RFC 8725 2.1).
    body = f"{encoded({'alg': 'HS256', 'kid': 'k1'})}.{encoded(claims())}"
    mac = hmac.digest(public, body.encode(), "sha256")
    forged.append(f"{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}")
    forged.append(jwt.encode(claims(), key, "RS384", headers={"kid": "k1"}))
    forged.append(jwt.encode(claims(), key, "PS256", headers={"kid": "k1"}))
    # The attacker's own key, named in the header, or brought along.
    forged.append(jwt.encode(claims(), key, "RS256"))
    for text in forged:
        with pytest.raises(IdTokenError):
            checked(text, key)
        with pytest.raises(IdTokenError):
            verify(
                text if "." in text else "",
                rsa.generate_private_key(65537, 2048).public_key(),
                EXPECTED,
                now=NOW,
                access_token="at",
            )


def test_a_key_in_the_header_counts_for_nothing(
    key: rsa.RSAPrivateKey, other_key: rsa.RSAPrivateKey
) -> None:
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(other_key.public_key()))
    text = jwt.encode(
        claims(),
        other_key,
        "RS256",
        headers={"kid": "k1", "jwk": jwk, "jku": "https://evil.example/keys"},
    )
    with pytest.raises(IdTokenError):
        checked(text, key)


def test_what_it_cannot_read_it_does_not_quote(key: rsa.RSAPrivateKey) -> None:
    for text in ("", "a.b.c", "x" * (MAX_TOKEN_CHARS + 1), token(key) + "secret"):
        with pytest.raises(IdTokenError) as caught:
            checked(text, key)
        assert "secret" not in str(caught.value)


@given(st.text(max_size=200) | st.binary(max_size=200).map(bytes.hex))
def test_no_text_breaks_it(text: str) -> None:
    with pytest.raises(IdTokenError):
        key_id(text)


# Keys ---------------------------------------------------------------------------------


class Provider:
    def __init__(self, body: bytes) -> None:
        self.now = 1000.0
        self.body = body
        self.is_away = False
        self.fetched = 0
        self.keys = ProviderKeys(self._fetch, clock=lambda: self.now)

    async def _fetch(self) -> bytes:
        self.fetched += 1
        if self.is_away:
            raise ProviderAwayError("away")
        return self.body


async def test_keys_are_kept_for_an_hour(key: rsa.RSAPrivateKey) -> None:
    provider = Provider(jwks(k1=key))
    for _ in range(5):
        await provider.keys.get("k1")
    assert provider.fetched == 1
    provider.now += KEEP_KEYS_S
    await provider.keys.get("k1")
    assert provider.fetched == 2


async def test_a_changed_key_is_found_and_the_old_one_is_gone(
    key: rsa.RSAPrivateKey, other_key: rsa.RSAPrivateKey
) -> None:
    provider = Provider(jwks(k1=key))
    await provider.keys.get("k1")
    provider.body = jwks(k2=other_key)
    provider.now += REFETCH_AFTER_S
    found = await provider.keys.get("k2")
    assert found.public_numbers() == other_key.public_key().public_numbers()
    with pytest.raises(IdTokenError):
        await provider.keys.get("k1")


async def test_unknown_names_do_not_have_the_provider_asked_each_time(
    key: rsa.RSAPrivateKey,
) -> None:
    provider = Provider(jwks(k1=key))
    for number in range(100):
        with pytest.raises(IdTokenError):
            await provider.keys.get(f"no-{number}")
    assert provider.fetched == 2


async def test_a_provider_that_is_away_is_believed_for_a_day(
    key: rsa.RSAPrivateKey,
) -> None:
    provider = Provider(jwks(k1=key))
    provider.is_away = True
    for _ in range(2):
        with pytest.raises(ProviderAwayError):
            await provider.keys.get("k1")
    provider.is_away = False
    await provider.keys.get("k1")
    provider.is_away = True
    provider.now += KEEP_KEYS_AT_MOST_S - 1
    await provider.keys.get("k1")
    provider.now += REFETCH_AFTER_S + 1
    with pytest.raises(ProviderAwayError):
        await provider.keys.get("k1")


def test_keys_that_are_not_for_this_are_left_out(key: rsa.RSAPrivateKey) -> None:
    good = json.loads(jwks(k1=key))["keys"][0]
    weak = json.loads(
        jwt.algorithms.RSAAlgorithm.to_jwk(
            rsa.generate_private_key(65537, 1024).public_key()
        )
    )
    bad: list[object] = [
        good | {"kid": "enc", "use": "enc"},
        good | {"kid": "alg", "alg": "RS512"},
        good | {"kid": 5},
        weak | {"kid": "weak"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "oct"},
        {"kty": "RSA", "kid": "broken"},
        "text",
    ]
    assert set(read_keys(json.dumps({"keys": [*bad, good]}).encode())) == {"k1"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"keys": 5}', b"\xff"])
def test_no_key_set(body: bytes) -> None:
    with pytest.raises(ProviderAwayError):
        read_keys(body)
