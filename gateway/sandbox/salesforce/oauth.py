"""The token endpoint: grants in, tokens out; introspection and revocation.

Verified against published clients: the claims of an assertion, ``invalid_grant`` with
"user hasn't approved this consumer", ``invalid_app_access`` with "user is not admin
approved to access this app", that client credentials are refused on the login hosts.
The words of the other refusals are assumed (facts, 3.1).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import random
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote_plus, urlsplit

import jwt

from gateway.sandbox.salesforce import openid
from gateway.sandbox.salesforce.assumptions import (
    CLOCK_SKEW_S,
    MAX_ASSERTION_LIFE_S,
    REFRESH_GIVES_ID_TOKEN,
)
from gateway.sandbox.salesforce.authorize import Authorizer
from gateway.sandbox.salesforce.config import ConnectedApp
from gateway.sandbox.salesforce.errors import OAuthError
from gateway.sandbox.salesforce.keys import KeyRing
from gateway.sandbox.salesforce.record import Record
from gateway.sandbox.salesforce.sessions import Grant, Session, Sessions
from gateway.sandbox.salesforce.store import Store

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LOGIN_HOSTS = frozenset({"login.salesforce.com", "test.salesforce.com"})


class TokenService:
    """Issues, checks and revokes tokens.

    Args:
        audiences: values of an assertion's ``aud`` that are taken.
        lifetime_s: life of an access token from its last use, in seconds.
        clock: epoch seconds.
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
        self._clock = clock
        self.sessions = Sessions(
            organization_id=organization_id,
            lifetime_s=lifetime_s,
            clock=clock,
            rng=rng,
        )
        self.authorizer = Authorizer(self._apps, clock=clock, rng=rng)
        self.keys = KeyRing(rng=rng)

    def register(self, app: ConnectedApp) -> None:
        """Add a connected app, or replace the one with its key."""
        self._apps[app.consumer_key] = app

    def exchange(
        self, form: Mapping[str, str], *, authorization: str = "", own_url: str
    ) -> dict[str, str]:
        """The token endpoint's reply.

        Args:
            authorization: the request's header of that name.
            own_url: scheme and host that were asked; taken as audience too.

        Raises:
            OAuthError: as the org refuses.
        """
        match form.get("grant_type"):
            case "authorization_code":
                return self._by_code(form, authorization, own_url)
            case "refresh_token":
                return self._by_refresh_token(form, authorization, own_url)
            case "client_credentials":
                return self._by_client_credentials(form, authorization, own_url)
            case value if value == JWT_BEARER:
                return self._by_assertion(form, own_url)
            case _:
                raise OAuthError("unsupported_grant_type", "grant type not supported")

    def session_of(self, token: str) -> tuple[Session, Record] | None:
        """A live access token and its user; using it keeps it alive."""
        session = self.sessions.find(token)
        user = self._store.find(session.user_id) if session else None
        if session is None or user is None or not user.values.get("IsActive"):
            return None
        return session, user

    def introspect(
        self, form: Mapping[str, str], *, authorization: str = "", own_url: str
    ) -> dict[str, object]:
        """RFC 7662 2.2; a token of another app is inactive.

        Raises:
            OAuthError: the client is not known.
        """
        app = self._client(form, authorization, secret_required=True)
        token = form.get("token", "")
        session = self.sessions.find(token, touch=False)
        found: Session | Grant | None = session or self.sessions.refresh_owner(token)
        user = self._store.find(found.user_id) if found else None
        if found is None or user is None or found.consumer_key != app.consumer_key:
            return {"active": False}
        answer: dict[str, object] = {
            "active": True,
            "scope": found.scope,
            "client_id": app.consumer_key,
            "username": user.values.get("Username"),
            "sub": openid.identity_url(own_url, self._organization_id, user.id),
            "token_type": "access_token" if session else "refresh_token",
            "iat": int(found.issued_at),
            "nbf": int(found.issued_at),
        }
        return answer | ({"exp": int(session.expires_at)} if session else {})

    def user_named(self, username: str) -> Record | None:
        for user in self._store.records("User"):
            if str(user.values.get("Username")).lower() == username.lower():
                return user
        return None

    def dump(self) -> dict[str, object]:
        return {
            **self.sessions.dump(),
            "keys": self.keys.dump(),
            "consents": self.authorizer.dump(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Replace everything by what :meth:`dump` gave."""
        self.sessions.load(state["sessions"], state["grants"])
        self.keys.load(state["keys"])
        self.authorizer.load(state["consents"])

    # -- grants

    def _by_code(
        self, form: Mapping[str, str], authorization: str, own_url: str
    ) -> dict[str, str]:
        app = self._client(form, authorization)
        redeemed = self.authorizer.redeem(app, form)
        user = self._active(redeemed.user_id)
        scope = redeemed.request.scope
        grant = (
            self.sessions.grant(app, user.id, scope)
            if "refresh_token" in scope.split()
            else None
        )
        return self._tokens(
            app,
            user,
            scope,
            own_url=own_url,
            grant=grant,
            nonce=redeemed.request.nonce,
        )

    def _by_refresh_token(
        self, form: Mapping[str, str], authorization: str, own_url: str
    ) -> dict[str, str]:
        app = self._client(form, authorization)
        grant = self.sessions.use(app, form.get("refresh_token", ""))
        if grant is None:
            raise OAuthError("invalid_grant", "expired access/refresh token")
        user = self._active(grant.user_id)
        reply = self._tokens(
            app,
            user,
            grant.scope,
            own_url=own_url,
            grant=grant,
            with_id_token=REFRESH_GIVES_ID_TOKEN,
        )
        if not app.rotates_refresh_tokens:
            del reply["refresh_token"]
        return reply

    def _by_client_credentials(
        self, form: Mapping[str, str], authorization: str, own_url: str
    ) -> dict[str, str]:
        if urlsplit(own_url).hostname in LOGIN_HOSTS:
            raise OAuthError("invalid_grant", "request not supported on this domain")
        app = self._client(form, authorization, secret_required=True)
        user = self.user_named(app.run_as) if app.run_as else None
        if user is None:
            raise OAuthError("invalid_grant", "no client credentials user enabled")
        return self._tokens(
            app, self._active(user.id), app.scope, own_url=own_url, with_id_token=False
        )

    def _by_assertion(self, form: Mapping[str, str], own_url: str) -> dict[str, str]:
        app, claims = self._verified(form.get("assertion", ""), own_url=own_url)
        user = self.user_named(str(claims.get("sub", "")))
        if user is None:
            raise OAuthError("invalid_grant", "user hasn't approved this consumer")
        self._active(user.id)
        username = str(user.values.get("Username"))
        if app.users and username not in app.users:
            raise OAuthError(
                "invalid_app_access",
                "user is not admin approved to access this app",
            )
        if not self.authorizer.has_consented(app, user.id):
            raise OAuthError("invalid_grant", "user hasn't approved this consumer")
        return self._tokens(app, user, app.scope, own_url=own_url, with_id_token=False)

    def _tokens(
        self,
        app: ConnectedApp,
        user: Record,
        scope: str,
        *,
        own_url: str,
        grant: Grant | None = None,
        nonce: str = "",
        with_id_token: bool = True,
    ) -> dict[str, str]:
        session = self.sessions.open(
            user.id, app=app, scope=scope, grant=grant.id if grant else ""
        )
        identity = openid.identity_url(own_url, self._organization_id, user.id)
        issued_at = str(int(self._clock() * 1000))
        signature = hmac.new(
            app.consumer_secret.encode(),
            (identity + issued_at).encode(),
            hashlib.sha256,
        )
        reply = {
            "access_token": session.token,
            "signature": base64.b64encode(signature.digest()).decode(),
            "scope": scope,
            "instance_url": own_url,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued_at,
        }
        if grant is not None:
            reply["refresh_token"] = grant.refresh_token
        if with_id_token and "openid" in scope.split():
            reply["id_token"] = self.keys.sign(
                openid.id_token_claims(
                    user,
                    own_url=own_url,
                    organization_id=self._organization_id,
                    audience=app.consumer_key,
                    access_token=session.token,
                    nonce=nonce,
                    now=self._clock(),
                    lifetime_s=app.id_token_lifetime_s,
                )
            )
        return reply

    # -- proofs

    def _client(
        self,
        form: Mapping[str, str],
        authorization: str,
        *,
        secret_required: bool = False,
    ) -> ConnectedApp:
        """Who asks, by the form or by HTTP Basic (RFC 6749 2.3.1)."""
        key, secret = form.get("client_id", ""), form.get("client_secret", "")
        if authorization[:6].lower() == "basic ":
            key, secret = _basic(authorization[6:])
        app = self._apps.get(key)
        if app is None:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        needed = secret_required or app.secret_required
        if (needed or secret) and not hmac.compare_digest(
            secret.encode(), app.consumer_secret.encode()
        ):
            raise OAuthError("invalid_client", "invalid client credentials")
        return app

    def _active(self, user_id: str) -> Record:
        user = self._store.find(user_id)
        if user is None or not user.values.get("IsActive"):
            raise OAuthError("inactive_user", "user is inactive")
        return user

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
        if app is None or not app.public_key_pem:
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
        if exp > now + MAX_ASSERTION_LIFE_S + CLOCK_SKEW_S:
            raise OAuthError(
                "invalid_grant", "assertion expiration is too far in the future"
            )


def _basic(encoded: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise OAuthError("invalid_client", "invalid client credentials") from None
    key, _, secret = text.partition(":")
    return unquote_plus(key), unquote_plus(secret)
