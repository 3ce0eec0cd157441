"""Access tokens by the JWT bearer flow (RFC 7523), one per user, kept in memory.

Single flight: callers that need the same user's token at the same time share one
request. A failure is remembered for a while, so that an app that is not approved is
not asked for with every call. Nothing here prints or raises a token, an assertion,
or the key.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.crm.connector import CrmError, CrmSignInFailed
from gateway.crm.salesforce.assumptions import ASSERTION_LIFETIME_S
from gateway.crm.salesforce.config import SalesforceConfig
from gateway.crm.salesforce.errors import of_token_response, unreadable

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
FAILURE_MEMORY_S = 30.0
MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Token:
    """``good_until``: monotonic seconds after which another is fetched first."""

    value: str = field(repr=False)
    good_until: float


class Exchange(Protocol):
    """Posts a form in a worker thread: (status, body, headers)."""

    def __call__(
        self, url: str, form: dict[str, str]
    ) -> Awaitable[tuple[int, bytes, Any]]: ...


class TokenProvider:
    """Tokens of one organisation's users. ``clock`` monotonic, ``wall`` Unix."""

    def __init__(
        self,
        config: SalesforceConfig,
        exchange: Exchange,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        """Read the key.

        Raises:
            ValueError: it is no RSA private key in PEM.
        """
        self._config = config
        self._exchange = exchange
        self._clock = clock
        self._wall = wall
        self._key = _load_key(config.private_key)
        self._tokens: dict[str, Token] = {}
        self._failures: dict[str, tuple[float, str, str]] = {}
        self._flights: dict[str, asyncio.Task[Token]] = {}

    async def get(self, username: str) -> Token:
        """A token that is believed to be good.

        Raises:
            CrmSignInFailed: there is none for this user.
            CrmUnavailable: Salesforce cannot be asked.
        """
        token = self._tokens.get(username)
        if token is not None and self._clock() < token.good_until:
            return token
        failure = self._failures.get(username)
        if failure is not None and self._clock() < failure[0]:
            raise CrmSignInFailed(
                failure[1], code=failure[2], retry_after_s=failure[0] - self._clock()
            )
        flight = self._flights.get(username)
        if flight is None:
            flight = asyncio.create_task(self._fetch(username))
            self._flights[username] = flight
            flight.add_done_callback(lambda _: self._flights.pop(username, None))
        # One caller's cancellation is not the others'.
        return await asyncio.shield(flight)

    def refuse(self, username: str, token: Token) -> None:
        """Salesforce does not take this token (any more)."""
        if self._tokens.get(username) is token:
            del self._tokens[username]

    async def close(self) -> None:
        """Forget all tokens, end what is under way."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        self._tokens.clear()

    async def _fetch(self, username: str) -> Token:
        form = {"grant_type": GRANT_TYPE, "assertion": self._assertion(username)}
        endpoint = self._config.token_endpoint
        status, body, headers = await self._exchange(endpoint, form)
        if status != 200:
            error: CrmError = of_token_response(status, body, headers)
            if isinstance(error, CrmSignInFailed):
                _bound(self._failures)
                until = self._clock() + FAILURE_MEMORY_S
                self._failures[username] = (until, str(error), error.code)
            raise error
        token = Token(
            _access_token(body), self._clock() + self._config.token_lifetime_s
        )
        self._failures.pop(username, None)
        _bound(self._tokens)
        self._tokens[username] = token
        return token

    def _assertion(self, username: str) -> str:
        claims = {
            "iss": self._config.consumer_key,
            "sub": username,
            "aud": self._config.login_url.rstrip("/"),
            "exp": int(self._wall() + ASSERTION_LIFETIME_S),
        }
        return jwt.encode(claims, self._key, algorithm="RS256")


def _access_token(body: bytes) -> str:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    token = value.get("access_token") if isinstance(value, dict) else None
    # It becomes a header's value: visible ASCII or nothing.
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise unreadable("no access token")
    if not token or " " in token:
        raise unreadable("no access token")
    return token


def _load_key(pem: str) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("private_key is no unencrypted RSA private key in PEM")
    return key


def _bound(table: dict[str, Any]) -> None:
    while len(table) >= MAX_REMEMBERED:
        del table[next(iter(table))]
