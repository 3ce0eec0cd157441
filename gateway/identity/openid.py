"""ID tokens of an OpenID Connect provider, and the keys that verify them.

Pure checks (OpenID Connect Core 3.1.3.7, RFC 8725): the algorithm is RS256 whatever the
token says, the key is the provider's by ``kid`` and never one that the token brings,
``iss``, ``aud``, ``exp``, ``iat`` and ``nonce`` are what they must be. The keys are
fetched, kept for an hour, and fetched again for a ``kid`` that is not among them, but
not more often than once in :data:`REFETCH_AFTER_S` whoever asks.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from gateway.identity.directory import MIN_RSA_BITS

LEEWAY_S = 60
MAX_TOKEN_CHARS = 16_384
MAX_KEYS = 20
KEEP_KEYS_S = 3600.0
# While the provider cannot be reached, what it published is believed for a day.
KEEP_KEYS_AT_MOST_S = 86400.0
REFETCH_AFTER_S = 60.0


class IdTokenError(Exception):
    """The provider's word is not good; the text quotes nothing of it."""


class ProviderAwayError(Exception):
    """The provider cannot be asked, or answers nothing that can be read."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What an ID token must say; ``nonce`` that of this sign-in."""

    issuer: str
    client_id: str
    nonce: str


class ProviderKeys:
    """The public keys of one provider.

    Args:
        fetch: the body of its JWKS (RFC 7517); raises ProviderAwayError.
        clock: monotonic seconds.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[bytes]], *, clock: Callable[[], float]
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, RSAPublicKey] = {}
        self._fetched_at = float("-inf")
        self._failed_at = float("-inf")
        # When a key was last asked for that is not there.
        self._missed_at = float("-inf")
        self._one_at_a_time = asyncio.Lock()

    async def get(self, kid: str) -> RSAPublicKey:
        """The key of that name.

        Raises:
            IdTokenError: the provider has none.
            ProviderAwayError: it cannot be asked.
        """
        async with self._one_at_a_time:
            await self._look(kid, self._clock())
            key = self._keys.get(kid)
        if key is None:
            raise IdTokenError("it is signed with an unknown key")
        return key

    async def _look(self, kid: str, now: float) -> None:
        age_s = now - self._fetched_at
        is_lost = age_s >= KEEP_KEYS_AT_MOST_S
        if age_s >= KEEP_KEYS_S:
            if not is_lost and now - self._failed_at < REFETCH_AFTER_S:
                return
        elif kid in self._keys or now - self._missed_at < REFETCH_AFTER_S:
            return
        else:
            self._missed_at = now
        try:
            self._keys = read_keys(await self._fetch())
        except ProviderAwayError:
            self._failed_at = now
            if is_lost:
                raise
        else:
            self._fetched_at = now


def read_keys(body: bytes) -> dict[str, RSAPublicKey]:
    """RSA keys for signatures by their ``kid``; others are left out.

    Raises:
        ProviderAwayError: this is no JWKS.
    """
    try:
        items = json.loads(body)["keys"]
        assert isinstance(items, list)
    except (ValueError, KeyError, TypeError, AssertionError, RecursionError):
        raise ProviderAwayError("its keys cannot be read") from None
    keys: dict[str, RSAPublicKey] = {}
    for item in items[:MAX_KEYS]:
        if not isinstance(item, dict) or item.get("kty") != "RSA":
            continue
        if item.get("use", "sig") != "sig" or item.get("alg", "RS256") != "RS256":
            continue
        kid = item.get("kid")
        try:
            key = jwt.PyJWK(item, "RS256").key
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        if (
            isinstance(kid, str)
            and isinstance(key, RSAPublicKey)
            and key.key_size >= MIN_RSA_BITS
        ):
            keys[kid] = key
    return keys


def key_id(token: str) -> str:
    """Which key an ID token says it is signed with.

    Raises:
        IdTokenError: it says none, or this is no RS256 token.
    """
    if len(token) > MAX_TOKEN_CHARS:
        raise IdTokenError("it is too long")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise IdTokenError("it is no token") from None
    if header.get("alg") != "RS256" or not isinstance(header.get("kid"), str):
        raise IdTokenError("it is not signed by RS256 with a named key")
    kid: str = header["kid"]
    return kid


def verify(
    token: str,
    key: RSAPublicKey,
    expected: Expected,
    *,
    now: float,
    access_token: str,
) -> Mapping[str, Any]:
    """The claims of an ID token that is good at ``now`` (Unix seconds).

    Raises:
        IdTokenError: forged, for another client or sign-in, or out of time.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            issuer=expected.issuer,
            audience=expected.client_id,
            options={
                "require": ["iss", "aud", "sub", "exp", "iat", "nonce"],
                # Times are checked against the clock that was handed in.
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise IdTokenError(f"it is not valid ({type(error).__name__})") from None
    # Several audiences would need azp (3.1.3.7, 3): nobody else's token is ours too.
    if claims["aud"] not in (expected.client_id, [expected.client_id]):
        raise IdTokenError("it is for others as well")
    _same(claims["nonce"], expected.nonce, "it belongs to another sign-in")
    if _time(claims["exp"]) + LEEWAY_S <= now:
        raise IdTokenError("it has expired")
    if _time(claims["iat"]) - LEEWAY_S > now:
        raise IdTokenError("it is not valid yet; check the clocks")
    if "at_hash" in claims:
        _same(claims["at_hash"], _half(access_token), "it is of another access token")
    return claims


def _same(given: object, wanted: str, problem: str) -> None:
    if not isinstance(given, str) or not hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), wanted.encode("utf-8")
    ):
        raise IdTokenError(problem)


def _half(access_token: str) -> str:
    digest = hashlib.sha256(access_token.encode("utf-8")).digest()
    return base64.urlsafe_b64encode(digest[:16]).decode("ascii").rstrip("=")


def _time(value: object) -> float:
    # bool is an int in Python.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise IdTokenError("its times cannot be read")
    if not 0 <= value <= 2**53:
        raise IdTokenError("its times cannot be read")
    return float(value)
