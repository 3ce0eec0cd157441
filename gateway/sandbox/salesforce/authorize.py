"""The authorization endpoint of the web server flow, without HTTP.

A request is checked, waits for a person to sign in and to consent, and ends in a code
or in an error that goes to the app. Two things are never told to the redirect URI that
was asked for: that the app is unknown, and that this URI is not the app's.

Verified: nothing beyond RFC 6749 4.1, RFC 7636 and OpenID Connect Core 3.1. The words
of Salesforce's own refusals are assumed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit, urlunsplit

from gateway.sandbox.salesforce.assumptions import (
    AUTHORIZATION_CODE_LIFE_S,
    LOGIN_PAGE_LIFE_S,
)
from gateway.sandbox.salesforce.config import ConnectedApp
from gateway.sandbox.salesforce.errors import OAuthError

_MAX_WAITING = 1000
_MAX_STATE_LENGTH = 4096
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
# RFC 7636 has 128 characters at most, but Salesforce's documentation wants 128 bytes
# in base64, and jsforce does so.
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,256}")
_CODE_PREFIX = "aPrx"

# Words of scope that say the same, or less than another.
_SAME = {"offline_access": "refresh_token"}
_IMPLIED = {
    "openid": frozenset({"profile", "email", "address", "phone"}),
    "id": frozenset({"profile", "email", "address", "phone", "openid"}),
    "full": frozenset({"api", "id", "openid", "profile", "email", "web"}),
}


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """One checked request that waits for a person."""

    id: str
    app: ConnectedApp
    redirect_uri: str
    scope: str
    state: str
    nonce: str
    code_challenge: str
    prompt: frozenset[str]
    login_hint: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Authorization:
    """What a code stands for."""

    request: AuthorizationRequest
    user_id: str
    expires_at: float
    code: str = field(repr=False)


class AuthorizationRefused(Exception):
    """``redirect`` is where the browser goes with the error; "" to show it here."""

    def __init__(self, error: str, description: str, *, redirect: str = "") -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.redirect = redirect


def with_parameters(url: str, parameters: Mapping[str, str]) -> str:
    """``url`` with more in its query; what is empty is left out."""
    parts = urlsplit(url)
    more = urlencode({k: v for k, v in parameters.items() if v})
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, more)))))


def granted_scope(app: ConnectedApp, asked: str) -> str | None:
    """What an app gets that asks for ``asked``; None if it may not have it.

    Nothing asked for means all that the app may have.
    """
    allowed = app.scope.split()
    words = list(dict.fromkeys(_SAME.get(w, w) for w in (asked.split() or allowed)))
    known = {_SAME.get(w, w) for w in allowed}
    for word in tuple(known):
        known |= _IMPLIED.get(word, frozenset())
    return " ".join(words) if set(words) <= known else None


class Authorizer:
    """Requests under way, codes not yet used, and who consented to what.

    Args:
        clock: epoch seconds.
    """

    def __init__(
        self,
        apps: Mapping[str, ConnectedApp],
        *,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self._apps = apps
        self._clock = clock
        self._rng = rng
        self._waiting: dict[str, AuthorizationRequest] = {}
        self._codes: dict[str, Authorization] = {}
        self._consents: set[tuple[str, str]] = set()

    # -- requests

    def begin(self, asked: Mapping[str, str]) -> AuthorizationRequest:
        """Check a request and keep it.

        Raises:
            AuthorizationRefused: with the redirect once app and URI are known.
        """
        app = self._apps.get(asked.get("client_id", ""))
        if app is None:
            raise AuthorizationRefused("invalid_client_id", "client identifier invalid")
        redirect_uri = asked.get("redirect_uri", "")
        if redirect_uri not in app.redirect_uris:
            raise AuthorizationRefused(
                "redirect_uri_mismatch", "redirect_uri must match configuration"
            )
        state = asked.get("state", "")

        def refused(error: str, description: str) -> AuthorizationRefused:
            return _refusal(redirect_uri, state, error, description)

        if asked.get("response_type") != "code":
            raise refused("unsupported_response_type", "response type not supported")
        if len(state) > _MAX_STATE_LENGTH:
            raise refused("invalid_request", "state is too long")
        scope = granted_scope(app, asked.get("scope", ""))
        if scope is None:
            raise refused("invalid_scope", "the requested scope is not allowed")
        challenge = asked.get("code_challenge", "")
        if not challenge and app.pkce_required:
            raise refused("invalid_request", "missing required code challenge")
        if challenge and asked.get("code_challenge_method", "S256") != "S256":
            raise refused("invalid_request", "code challenge method not supported")
        if challenge and not _CHALLENGE.fullmatch(challenge):
            raise refused("invalid_request", "invalid code challenge")
        prompt = frozenset(asked.get("prompt", "").split())
        if asked.get("immediate") == "true":
            prompt |= {"none"}
        request = AuthorizationRequest(
            f"{self._rng.getrandbits(160):040x}",
            app,
            redirect_uri,
            scope,
            state,
            asked.get("nonce", ""),
            challenge,
            prompt,
            asked.get("login_hint", ""),
            self._clock(),
        )
        while len(self._waiting) >= _MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[request.id] = request
        return request

    def waiting(self, request_id: str) -> AuthorizationRequest | None:
        """A request that a page was shown for and that is not too old."""
        request = self._waiting.get(request_id)
        if request and request.created_at + LOGIN_PAGE_LIFE_S > self._clock():
            return request
        self._waiting.pop(request_id, None)
        return None

    def needs_consent(self, request: AuthorizationRequest, user_id: str) -> bool:
        if "consent" in request.prompt:
            return True
        return not (
            request.app.pre_authorised
            or (user_id, request.app.consumer_key) in self._consents
        )

    def has_consented(self, app: ConnectedApp, user_id: str) -> bool:
        return app.pre_authorised or (user_id, app.consumer_key) in self._consents

    def forget_consents(self) -> None:
        self._consents.clear()

    def dump(self) -> list[list[str]]:
        """Who consented, as JSON-able values; the inverse of :meth:`load`."""
        return [list(pair) for pair in sorted(self._consents)]

    def load(self, rows: list[list[str]]) -> None:
        self._consents = {(user_id, key) for user_id, key in rows}

    # -- ends

    def approve(
        self, request: AuthorizationRequest, user_id: str, username: str
    ) -> str:
        """Where the browser goes with a code.

        Raises:
            AuthorizationRefused: an administrator has not approved the user.
        """
        self._waiting.pop(request.id, None)
        if request.app.users and username not in request.app.users:
            raise _refusal(
                request.redirect_uri,
                request.state,
                "OAUTH_APP_ACCESS_DENIED",
                "user is not admin approved to access this app",
            )
        self._consents.add((user_id, request.app.consumer_key))
        code = f"{_CODE_PREFIX}{self._rng.getrandbits(320):080x}"
        while len(self._codes) >= _MAX_WAITING:
            del self._codes[next(iter(self._codes))]
        self._codes[code] = Authorization(
            request, user_id, self._clock() + AUTHORIZATION_CODE_LIFE_S, code
        )
        return with_parameters(
            request.redirect_uri, {"code": code, "state": request.state}
        )

    def deny(self, request: AuthorizationRequest) -> str:
        """Where the browser goes after "Deny"."""
        self._waiting.pop(request.id, None)
        return _refusal(
            request.redirect_uri,
            request.state,
            "access_denied",
            "end-user denied authorization",
        ).redirect

    def cannot_ask(self, request: AuthorizationRequest) -> str:
        """Where the browser goes if a person is needed and must not be asked."""
        self._waiting.pop(request.id, None)
        return _refusal(
            request.redirect_uri,
            request.state,
            "immediate_unsuccessful",
            "",
        ).redirect

    def redeem(self, app: ConnectedApp, form: Mapping[str, str]) -> Authorization:
        """What the code of a token request stands for; it is used up.

        Raises:
            OAuthError: it stands for nothing, or this is not who asked for it.
        """
        found = self._codes.pop(form.get("code", ""), None)
        if found is None or found.request.app.consumer_key != app.consumer_key:
            raise OAuthError("invalid_grant", "invalid authorization code")
        if found.expires_at <= self._clock():
            raise OAuthError("invalid_grant", "expired authorization code")
        if form.get("redirect_uri", "") != found.request.redirect_uri:
            raise OAuthError(
                "redirect_uri_mismatch", "redirect_uri must match configuration"
            )
        verifier = form.get("code_verifier", "")
        if found.request.code_challenge:
            if not verifier:
                raise OAuthError("invalid_request", "missing required code verifier")
            challenge = _challenge_of(verifier)
            if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(
                challenge, found.request.code_challenge
            ):
                raise OAuthError("invalid_grant", "invalid code verifier")
        return found


def _challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode("utf-8", "replace")).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _refusal(
    redirect_uri: str, state: str, error: str, description: str
) -> AuthorizationRefused:
    parameters = {"error": error, "error_description": description, "state": state}
    return AuthorizationRefused(
        error, description, redirect=with_parameters(redirect_uri, parameters)
    )
