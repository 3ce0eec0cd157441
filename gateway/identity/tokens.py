"""Access tokens that the gateway signs, and sign-in assertions that a CRM signs.

Both are JWTs (RFC 7519), read as RFC 8725 asks: the algorithm comes from the key,
never from the token; issuer, audience and expiry are always checked. Time is handed
in (Unix seconds).
"""

from __future__ import annotations

import base64
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.identity.directory import UserDirectory
from gateway.identity.users import User, UserKey

# Of guests, who have no sign-in to prolong; those of sign-ins say theirs.
ACCESS_TOKEN_LIFETIME_S = 8 * 3600
ASSERTION_MAX_LIFETIME_S = 300
LEEWAY_S = 60
MAX_TOKEN_CHARS = 8192
# One-use and revoked ids are remembered until they expire. At this many the oldest
# may not be forgotten early, so no more are accepted.
MAX_REMEMBERED_IDS = 100_000
MIN_HMAC_KEY_BYTES = 32  # RFC 7518 section 3.2

_PRINTABLE = re.compile(r"[\x21-\x7e]{1,128}")


class TokenError(Exception):
    """A token or assertion is not accepted; the text never quotes it.

    Attributes:
        is_expired: it was good once; signing in again helps.
    """

    def __init__(self, message: str, *, is_expired: bool = False) -> None:
        super().__init__(message)
        self.is_expired = is_expired


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key of our access tokens.

    Attributes:
        kid: names the key in the token's header.
        algorithm: pinned: a token with this kid and another algorithm is refused.
        secret: the HMAC secret (32 bytes or more), or a PEM private key for EdDSA.
        not_before: Unix seconds from which it may sign; it verifies from the start.
    """

    kid: str
    algorithm: Literal["HS256", "EdDSA"]
    secret: str = field(repr=False)
    not_before: float = 0.0

    def __post_init__(self) -> None:
        """Raises ValueError when the secret is not what the algorithm needs."""
        if self.algorithm == "EdDSA":
            _private_key(self.secret)
        if (
            self.algorithm == "HS256"
            and len(self.secret.encode("utf-8")) < MIN_HMAC_KEY_BYTES
        ):
            raise ValueError("an HS256 key needs at least 32 bytes")


@dataclass(frozen=True, slots=True)
class AccessGrant:
    """What a valid access token says; ``sign_in_id``: "" for guests of invites."""

    user: UserKey
    token_id: str
    expires_at: float
    sign_in_id: str = ""


class RememberedIds:
    """Ids that must not be accepted (again) before they expire; bounded."""

    def __init__(self, *, limit: int = MAX_REMEMBERED_IDS) -> None:
        self._limit = limit
        self._expiry: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._expiry)

    def __contains__(self, token_id: str) -> bool:
        return token_id in self._expiry

    def add(self, token_id: str, *, expires_at: float, now: float) -> bool:
        """Remember the id; False if it is known already or there is no room."""
        if token_id in self._expiry and self._expiry[token_id] >= now:
            return False
        if len(self._expiry) >= self._limit:
            for known in [k for k, expiry in self._expiry.items() if expiry < now]:
                del self._expiry[known]
            if len(self._expiry) >= self._limit:
                return False
        # Mostly in order of expiry, so that the front is worth a look each time.
        while self._expiry and next(iter(self._expiry.values())) < now:
            self._expiry.popitem(last=False)
        self._expiry[token_id] = expires_at
        return True


class AccessTokens:
    """Issues and verifies the gateway's own access tokens.

    The first key whose time has come signs; every key verifies, so that keys can be
    changed while tokens of the old one are about, and be known before they are used.
    """

    def __init__(
        self,
        keys: Sequence[SigningKey],
        *,
        public_url: str,
        clock: Callable[[], float],
        random_id: Callable[[], str],
        lifetime_s: int = ACCESS_TOKEN_LIFETIME_S,
    ) -> None:
        if not keys:
            raise ValueError("at least one signing key is needed")
        self._keys = {key.kid: key for key in keys}
        if len(self._keys) != len(keys):
            raise ValueError("two signing keys have the same kid")
        if all(key.not_before > 0 for key in keys):
            raise ValueError("one signing key must be good at any time")
        self._verifying = {key.kid: _verifying_key(key) for key in keys}
        self._public_url = public_url
        self._clock = clock
        self._random_id = random_id
        self.lifetime_s = lifetime_s
        self._revoked = RememberedIds()

    def issue(
        self, user: UserKey, *, sign_in_id: str = "", lifetime_s: int | None = None
    ) -> str:
        """A token with which ``user`` may do everything for its lifetime."""
        now = int(self._clock())
        claims = {
            "iss": self._public_url,
            "aud": self._public_url,
            "tenant": user.tenant,
            "sub": user.user,
            "jti": self._random_id(),
            "iat": now,
            "exp": now + (self.lifetime_s if lifetime_s is None else lifetime_s),
        }
        key = next(key for key in self._keys.values() if key.not_before <= now)
        if sign_in_id:
            claims["sid"] = sign_in_id
        return jwt.encode(
            claims, key.secret, algorithm=key.algorithm, headers={"kid": key.kid}
        )

    def public_keys(self) -> list[dict[str, str]]:
        """What others verify our tokens with (RFC 7517, RFC 8037); of HS256 keys
        nothing, since who verifies with one can sign with it."""
        return [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": _base64url(self._verifying[key.kid].public_bytes_raw()),
                "kid": key.kid,
                "use": "sig",
                "alg": key.algorithm,
            }
            for key in self._keys.values()
            if key.algorithm == "EdDSA"
        ]

    def verify(self, token: str) -> AccessGrant:
        """What the token grants.

        Raises:
            TokenError: forged, foreign, expired or revoked.
        """
        key = self._keys.get(_text(_header(token), "kid"))
        if key is None:
            raise TokenError("The access token was signed with an unknown key.")
        claims = _decode(
            token,
            self._verifying[key.kid],
            algorithm=key.algorithm,
            issuer=self._public_url,
            audience=self._public_url,
        )
        now = self._clock()
        expires_at = _check_times(claims, now)
        grant = AccessGrant(
            UserKey(_text(claims, "tenant"), _text(claims, "sub")),
            _text(claims, "jti"),
            expires_at,
            _text(claims, "sid") if "sid" in claims else "",
        )
        if grant.token_id in self._revoked or grant.sign_in_id in self._revoked:
            raise TokenError("The access token was signed out.", is_expired=True)
        return grant

    def revoke(self, token_id: str, *, expires_at: float) -> None:
        """Accept no token with this ``jti`` any more."""
        self._revoked.add(token_id, expires_at=expires_at + LEEWAY_S, now=self._clock())

    def end_sign_in(self, sign_in_id: str, *, longest_s: float) -> None:
        """Accept no token of that sign-in any more; each lasts ``longest_s`` at most.

        Ids of sign-ins and of tokens are random, so that one table holds both.
        """
        now = self._clock()
        self._revoked.add(sign_in_id, expires_at=now + longest_s + LEEWAY_S, now=now)


class Assertions:
    """Verifies what a tenant's CRM says about who is in front of the page.

    An assertion is an RS256 JWT: ``iss`` the tenant's issuer, ``sub`` the CRM's user
    id, ``aud`` the gateway's public URL, ``exp`` at most five minutes ahead, ``jti``
    good for one use.
    """

    def __init__(
        self,
        directory: UserDirectory,
        *,
        public_url: str,
        clock: Callable[[], float],
        max_remembered: int = MAX_REMEMBERED_IDS,
    ) -> None:
        self._directory = directory
        self._public_url = public_url
        self._clock = clock
        self._used = RememberedIds(limit=max_remembered)

    def redeem(self, assertion: str) -> User:
        """The user whom the assertion names; a second use is refused.

        Raises:
            TokenError: not valid, or the user is not known here.
        """
        _header(assertion)
        issuer = _unverified_issuer(assertion)
        tenant = self._directory.by_issuer(issuer)
        if tenant is None or not tenant.assertion_key:
            raise TokenError("The sign-in assertion comes from an unknown issuer.")
        claims = _decode(
            assertion,
            tenant.assertion_key,
            algorithm="RS256",
            issuer=tenant.assertion_issuer,
            audience=self._public_url,
        )
        now = self._clock()
        expires_at = _check_times(claims, now)
        if expires_at > now + ASSERTION_MAX_LIFETIME_S + LEEWAY_S:
            raise TokenError("The sign-in assertion is valid for too long.")
        used = f"{tenant.tenant} {_text(claims, 'jti')}"
        if not self._used.add(used, expires_at=expires_at + LEEWAY_S, now=now):
            raise TokenError("The sign-in assertion was used before.")
        user = self._directory.by_crm_user(tenant.tenant, _text(claims, "sub"))
        if user is None:
            raise TokenError("The CRM user has no phone account here.")
        return user


def _verifying_key(key: SigningKey) -> Any:
    if key.algorithm == "HS256":
        return key.secret
    return _private_key(key.secret).public_key()


def _private_key(pem: str) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem.encode("utf-8"), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("is no unencrypted Ed25519 private key in PEM")
    return key


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _header(token: str) -> dict[str, Any]:
    if len(token) > MAX_TOKEN_CHARS:
        raise TokenError("The token is too long.")
    try:
        return jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise TokenError("This is no token.") from None


def _unverified_issuer(token: str) -> str:
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise TokenError("This is no token.") from None
    return _text(claims, "iss")


def _decode(
    token: str, key: Any, *, algorithm: str, issuer: str, audience: str
) -> dict[str, Any]:
    try:
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            issuer=issuer,
            audience=audience,
            # Times are checked against the clock that was handed in.
            options={
                "require": ["iss", "aud", "sub", "exp", "jti"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise TokenError(f"The token is not valid ({type(error).__name__}).") from None


def _check_times(claims: dict[str, Any], now: float) -> float:
    expires_at = _time(claims, "exp")
    if expires_at + LEEWAY_S <= now:
        raise TokenError("The token has expired.", is_expired=True)
    for name in ("nbf", "iat"):
        if name in claims and _time(claims, name) - LEEWAY_S > now:
            raise TokenError("The token is not valid yet; check the clocks.")
    return expires_at


def _time(claims: dict[str, Any], name: str) -> float:
    value = claims[name]
    # bool is an int in Python; 2**53 keeps the float exact.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenError(f"The token's {name} is no time.")
    if not 0 <= value <= 2**53:
        raise TokenError(f"The token's {name} is no time.")
    return float(value)


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not _PRINTABLE.fullmatch(value):
        raise TokenError(f"The token's {name} is missing or malformed.")
    return value
