"""Tokens: JWT bearer in, access tokens out; and the org's own identity tokens.

Verified against published clients: the claims, ``invalid_grant`` with "user hasn't
approved this consumer", ``invalid_app_access`` with "user is not admin approved to
access this app". The words of the other refusals are assumed (facts, 3.1).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.sandbox.salesforce.config import ConnectedApp
from gateway.sandbox.salesforce.errors import OAuthError
from gateway.sandbox.salesforce.store import Record, Store

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"

# The documentation allows three minutes; the allowance for clocks is assumed.
MAX_ASSERTION_LIFE_S = 180
_CLOCK_SKEW_S = 5

IDENTITY_TOKEN_LIFE_S = 180
_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._"
_MAX_SESSIONS = 10_000


@dataclass(frozen=True, slots=True)
class Session:
    """An access token and whose it is; ``expires_at`` in epoch seconds."""

    token: str = field(repr=False)
    user_id: str = ""
    expires_at: float = 0.0


class TokenService:
    """Issues, checks and revokes access tokens.

    Args:
        audiences: values of ``aud`` that are taken.
        lifetime_s: life of a token from its last use, in seconds.
    """

    def __init__(
        self,
        store: Store,
        *,
        apps: tuple[ConnectedApp, ...],
        audiences: frozenset[str],
        organization_id: str,
        lifetime_s: float,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self._store = store
        self._apps = {app.consumer_key: app for app in apps}
        self._audiences = audiences
        self._organization_id = organization_id
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._rng = rng
        self._sessions: dict[str, Session] = {}
        self.issued = 0

    def register(self, app: ConnectedApp) -> None:
        """Add a connected app, or replace the one with its key."""
        self._apps[app.consumer_key] = app

    def exchange(
        self, form: Mapping[str, str], *, own_url: str, instance_url: str
    ) -> dict[str, str]:
        """The token endpoint's reply.

        Args:
            own_url: scheme and host that were asked; taken as audience too.

        Raises:
            OAuthError: as the org refuses.
        """
        if form.get("grant_type") != JWT_BEARER:
            raise OAuthError("unsupported_grant_type", "grant type not supported")
        app, claims = self._verified(form.get("assertion", ""), own_url=own_url)
        user = self.user_named(str(claims.get("sub", "")))
        if user is None:
            raise OAuthError("invalid_grant", "user hasn't approved this consumer")
        if not user.values.get("IsActive"):
            raise OAuthError("inactive_user", "user is inactive")
        username = str(user.values.get("Username"))
        if app.users and username not in app.users:
            raise OAuthError(
                "invalid_app_access",
                "user is not admin approved to access this app",
            )
        session = self.open_session(user.id)
        identity = f"{own_url}/id/{self._organization_id}/{user.id}"
        issued_at = str(int(self._clock() * 1000))
        signature = hmac.new(
            app.consumer_secret.encode(),
            (identity + issued_at).encode(),
            hashlib.sha256,
        )
        return {
            "access_token": session.token,
            "signature": base64.b64encode(signature.digest()).decode(),
            "scope": app.scope,
            "instance_url": instance_url,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued_at,
        }

    def open_session(self, user_id: str) -> Session:
        """A new access token for a user, without any proof."""
        secret = "".join(self._rng.choice(_CHARACTERS) for _ in range(96))
        session = Session(
            f"{self._organization_id[:15]}!{secret}",
            user_id,
            self._clock() + self._lifetime_s,
        )
        while len(self._sessions) >= _MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[session.token] = session
        self.issued += 1
        return session

    def user_of(self, token: str) -> Record | None:
        """The user of a live token; using it keeps it alive."""
        session = self._sessions.get(token)
        if session is None:
            return None
        if session.expires_at <= self._clock():
            del self._sessions[token]
            return None
        self._sessions[token] = Session(
            token, session.user_id, self._clock() + self._lifetime_s
        )
        return self._store.find(session.user_id)

    def revoke(self, token: str) -> bool:
        return self._sessions.pop(token, None) is not None

    def expire_all(self) -> int:
        """End every session; the number of them."""
        count = len(self._sessions)
        self._sessions.clear()
        return count

    def user_named(self, username: str) -> Record | None:
        for user in self._store.records("User"):
            if str(user.values.get("Username")).lower() == username.lower():
                return user
        return None

    def dump(self) -> list[dict[str, object]]:
        return [
            {"token": s.token, "user_id": s.user_id, "expires_at": s.expires_at}
            for s in self._sessions.values()
        ]

    def load(self, rows: list[dict[str, object]]) -> None:
        self._sessions = {
            str(row["token"]): Session(
                str(row["token"]),
                str(row["user_id"]),
                float(str(row["expires_at"])),
            )
            for row in rows
        }

    def _verified(
        self, assertion: str, *, own_url: str
    ) -> tuple[ConnectedApp, Mapping[str, object]]:
        if not assertion:
            raise OAuthError("invalid_grant", "invalid assertion")
        try:
            unverified = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            raise OAuthError("invalid_grant", "invalid assertion") from None
        app = self._apps.get(str(unverified.get("iss", "")))
        if app is None:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        try:
            # exp is checked below, against the simulator's own clock.
            claims = jwt.decode(
                assertion,
                app.public_key_pem,
                algorithms=["RS256"],
                options={"verify_exp": False, "verify_aud": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            raise OAuthError("invalid_grant", "invalid assertion") from None
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if not any(a in self._audiences or a == own_url for a in audiences):
            raise OAuthError("invalid_grant", "audience is invalid")
        self._check_expiry(claims.get("exp"))
        return app, claims

    def _check_expiry(self, exp: object) -> None:
        now = self._clock()
        if isinstance(exp, bool) or not isinstance(exp, int | float):
            raise OAuthError("invalid_grant", "invalid assertion")
        if exp <= now:
            raise OAuthError("invalid_grant", "expired assertion")
        if exp > now + MAX_ASSERTION_LIFE_S + _CLOCK_SKEW_S:
            raise OAuthError(
                "invalid_grant", "assertion expiration is too far in the future"
            )


class IdentitySigner:
    """What the Apex class ``RingbridgeIdentity`` does: sign who the user is.

    Args:
        key_pem: RSA private key, made at random if "".
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
        if key_pem:
            key = serialization.load_pem_private_key(key_pem.encode(), password=None)
            if not isinstance(key, rsa.RSAPrivateKey):
                raise ValueError("the identity key must be an RSA key")
            self._key = key
        else:
            self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._issuer = issuer
        self.audience = audience
        self._clock = clock
        self._rng = rng

    @property
    def public_key_pem(self) -> str:
        return (
            self._key.public_key()
            .public_bytes(
                serialization.Encoding.PEM,
                serialization.PublicFormat.SubjectPublicKeyInfo,
            )
            .decode()
        )

    @property
    def private_key_pem(self) -> str:
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

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
        return jwt.encode(claims, self._key, algorithm="RS256")
