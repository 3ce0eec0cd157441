"""The HTTP endpoints beside the socket: sign-in, tickets, TURN, a test.

Pages of allowed origins only (CORS); no cookies, so nothing rides on a visitor's
browser. Every error is ``{"error": {"kind", "message"}}``. Secrets travel in bodies
and headers, never in URLs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import hdrs, web
from pydantic import ValidationError

from gateway.identity.attempts import AttemptLimit, Attempts
from gateway.identity.directory import UserDirectory
from gateway.identity.passwords import hash_password, verify_password
from gateway.identity.tickets import Tickets, TicketsExhaustedError
from gateway.identity.tokens import (
    AccessGrant,
    AccessTokens,
    Assertions,
    TokenError,
)
from gateway.identity.turn import TurnServer
from gateway.identity.users import User
from gateway.sessions import wire
from gateway.sessions.endpoints import (
    Answer,
    HttpError,
    add_endpoints,
    json_body,
    too_many,
)
from gateway.sessions.origins import AllowedOrigins
from gateway.sessions.wire import ErrorKind, Wire

FAILURES_PER_USER = AttemptLimit(count=10, per_s=900.0)
FAILURES_PER_ADDRESS = AttemptLimit(count=50, per_s=900.0)
TICKETS_PER_USER = AttemptLimit(count=30, per_s=60.0)
TURN_PER_USER = AttemptLimit(count=10, per_s=60.0)

# scrypt takes a core and 16 MiB each; more at once only makes all of them slower.
PASSWORD_CHECKS_AT_ONCE = 2
PASSWORD_CHECKS_WAITING = 50


@dataclass(frozen=True, slots=True)
class HttpServices:
    """What the endpoints use, handed in by the composition root.

    Attributes:
        clock: monotonic seconds.
        wall_clock: Unix seconds.
        client_address: who is asking; replace it behind a trusted proxy.
    """

    users: UserDirectory
    origins: AllowedOrigins
    access_tokens: AccessTokens
    assertions: Assertions
    tickets: Tickets
    turn: TurnServer
    clock: Callable[[], float]
    wall_clock: Callable[[], float]
    client_address: Callable[[web.Request], str]


class _Endpoints:
    def __init__(self, services: HttpServices) -> None:
        self._services = services
        clock = services.clock
        self._user_failures = Attempts(FAILURES_PER_USER, clock=clock)
        self._address_failures = Attempts(FAILURES_PER_ADDRESS, clock=clock)
        self._ticket_requests = Attempts(TICKETS_PER_USER, clock=clock)
        self._turn_requests = Attempts(TURN_PER_USER, clock=clock)
        self._checks = asyncio.Semaphore(PASSWORD_CHECKS_AT_ONCE)
        self._checks_waiting = 0
        # Of no password: what an unknown user's is checked against, so that it takes
        # as long. Made at first need, in the worker thread.
        self._decoy = ""

    async def sign_in(self, request: web.Request) -> Wire:
        address = self._services.client_address(request)
        if not self._address_failures.take(address):
            raise too_many()
        body = await _body(request, wire.SignInByAssertion, wire.SignInByPassword)
        match body:
            case wire.SignInByPassword():
                user = await self._by_password(body)
            case _:
                user = self._by_assertion(body)
        self._address_failures.give_back(address)
        self._check_origin(request, user.key.tenant)
        tokens = self._services.access_tokens
        return wire.SignInResult(
            access_token=tokens.issue(user.key),
            expires_in=tokens.lifetime_s,
            user=wire.UserView(
                id=user.key.user,
                name=user.name,
                number=user.number,
                tenant=user.key.tenant,
                company=user.company,
            ),
        )

    async def ticket(self, request: web.Request) -> Wire:
        grant = self._bearer(request)
        if not self._ticket_requests.take(grant.user):
            raise too_many()
        tickets = self._services.tickets
        try:
            ticket = tickets.issue(grant)
        except TicketsExhaustedError as error:
            raise HttpError(
                429,
                ErrorKind.RATE_LIMITED,
                str(error),
                retry_after_s=tickets.lifetime_s,
            ) from None
        return wire.TicketResult(ticket=ticket, expires_in=tickets.lifetime_s)

    async def turn(self, request: web.Request) -> Wire:
        grant = self._bearer(request)
        if not self._turn_requests.take(grant.user):
            raise too_many()
        turn = self._services.turn
        credentials = turn.mint(grant.user)
        if credentials is None:
            urls = turn.config.urls
            return wire.TurnResult(
                ice_servers=(wire.IceServer(urls=urls),) if urls else ()
            )
        return wire.TurnResult(
            ice_servers=(
                wire.IceServer(
                    urls=credentials.urls,
                    username=credentials.username,
                    credential=credentials.credential,
                ),
            ),
            expires_in=credentials.ttl_s,
        )

    async def ice_test(self, request: web.Request) -> Wire:
        return wire.IceTestResult(
            ok=True,
            server_time=int(self._services.wall_clock() * 1000),
            turn=bool(self._services.turn.config.urls),
        )

    def _by_assertion(self, body: wire.SignInByAssertion) -> User:
        try:
            return self._services.assertions.redeem(body.assertion)
        except TokenError as error:
            raise _denied(error) from None

    async def _by_password(self, body: wire.SignInByPassword) -> User:
        name = (body.tenant, body.username.casefold())
        if not self._user_failures.take(name):
            raise too_many()
        user = self._services.users.by_username(body.tenant, body.username)
        if self._checks_waiting >= PASSWORD_CHECKS_WAITING:
            raise too_many()
        self._checks_waiting += 1
        try:
            async with self._checks:
                is_right = await asyncio.to_thread(
                    self._check, body.password, user.password_hash if user else ""
                )
        finally:
            self._checks_waiting -= 1
        if user is None or not is_right:
            raise HttpError(
                401, ErrorKind.AUTH_DENIED, "The user name or password is wrong."
            )
        self._user_failures.give_back(name)
        return user

    def _check(self, password: str, encoded: str) -> bool:
        if encoded:
            return verify_password(password, encoded)
        if not self._decoy:
            self._decoy = hash_password("")
        verify_password(password, self._decoy)
        return False

    def _bearer(self, request: web.Request) -> AccessGrant:
        scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.casefold() != "bearer" or not token:
            raise HttpError(401, ErrorKind.AUTH_DENIED, "Sign in first.")
        try:
            grant = self._services.access_tokens.verify(token.strip())
        except TokenError as error:
            raise _denied(error) from None
        if self._services.users.user(grant.user) is None:
            raise HttpError(401, ErrorKind.AUTH_DENIED, "There is no such user.")
        self._check_origin(request, grant.user.tenant)
        return grant

    def _check_origin(self, request: web.Request, tenant: str) -> None:
        origin = request.headers.get(hdrs.ORIGIN)
        if not self._services.origins.is_allowed(origin, tenant):
            raise HttpError(
                403, ErrorKind.POLICY_DENIED, "This web site may not use the gateway."
            )


def add_routes(app: web.Application, services: HttpServices) -> None:
    """Serve ``/v1/sign-in``, ``/v1/sessions``, ``/v1/turn`` and ``/v1/ice-test``."""
    endpoints = _Endpoints(services)
    answers: dict[tuple[str, str], Answer] = {
        ("POST", "/v1/sign-in"): endpoints.sign_in,
        ("POST", "/v1/sessions"): endpoints.ticket,
        ("POST", "/v1/turn"): endpoints.turn,
        ("GET", "/v1/ice-test"): endpoints.ice_test,
    }
    add_endpoints(app, answers, services.origins)


async def _body(
    request: web.Request,
    by_assertion: type[wire.SignInByAssertion],
    by_password: type[wire.SignInByPassword],
) -> wire.SignInByAssertion | wire.SignInByPassword:
    data = await json_body(request)
    try:
        return by_assertion.model_validate_json(data, strict=True)
    except ValidationError:
        pass
    try:
        return by_password.model_validate_json(data, strict=True)
    except ValidationError:
        raise HttpError(
            400,
            ErrorKind.BAD_REQUEST,
            "Send either an assertion, or tenant, username and password.",
        ) from None


def _denied(error: TokenError) -> HttpError:
    kind = ErrorKind.AUTH_EXPIRED if error.is_expired else ErrorKind.AUTH_DENIED
    return HttpError(401, kind, str(error))
