"""The HTTP endpoints beside the socket: sign-in and its end, tickets, TURN, a test.

Pages of allowed origins only (CORS); no cookies, so nothing rides on a visitor's
browser. Every error is ``{"error": {"kind", "message"}}``. Secrets travel in bodies
and headers, never in URLs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import hdrs, web
from pydantic import ValidationError

from gateway.identity.attempts import AttemptLimit, Attempts
from gateway.identity.directory import UserDirectory
from gateway.identity.passwords import hash_password, verify_password
from gateway.identity.phone_users import (
    PhoneSystemAwayError,
    PhoneUsers,
    ProofsExhaustedError,
)
from gateway.identity.salesforce import SalesforceSignIn
from gateway.identity.sign_ins import Issued, Method, SignIns, SignInsAwayError
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

logger = logging.getLogger(__name__)

FAILURES_PER_USER = AttemptLimit(count=10, per_s=900.0)
FAILURES_PER_ADDRESS = AttemptLimit(count=50, per_s=900.0)
TICKETS_PER_USER = AttemptLimit(count=30, per_s=60.0)
TURN_PER_USER = AttemptLimit(count=10, per_s=60.0)
SIGN_OUTS_PER_ADDRESS = AttemptLimit(count=60, per_s=60.0)

# scrypt takes a core and 16 MiB each; more at once only makes all of them slower.
PASSWORD_CHECKS_AT_ONCE = 2
PASSWORD_CHECKS_WAITING = 50

_T = TypeVar("_T")
_B = TypeVar("_B", wire.SignInRefresh, wire.SignOut)
_Proof = (
    wire.SignInByAssertion
    | wire.SignInByCode
    | wire.SignInByPhone
    | wire.SignInByPassword
)
_PROOFS = (
    wire.SignInByAssertion,
    wire.SignInByCode,
    wire.SignInByPhone,
    wire.SignInByPassword,
)


@dataclass(frozen=True, slots=True)
class HttpServices:
    """What the endpoints use, handed in by the composition root.

    Attributes:
        phones: sign-in with the phone account, None where no tenant has it.
        salesforce: likewise with Salesforce.
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
    sign_ins: SignIns
    phones: PhoneUsers | None = None
    salesforce: SalesforceSignIn | None = None


class _Endpoints:
    def __init__(self, services: HttpServices) -> None:
        self._services = services
        clock = services.clock
        self._user_failures = Attempts(FAILURES_PER_USER, clock=clock)
        # Apart from the passwords': a lock-out of the one is none of the other.
        self._phone_failures = Attempts(FAILURES_PER_USER, clock=clock)
        self._address_failures = Attempts(FAILURES_PER_ADDRESS, clock=clock)
        self._ticket_requests = Attempts(TICKETS_PER_USER, clock=clock)
        self._turn_requests = Attempts(TURN_PER_USER, clock=clock)
        self._sign_outs = Attempts(SIGN_OUTS_PER_ADDRESS, clock=clock)
        self._checks = asyncio.Semaphore(PASSWORD_CHECKS_AT_ONCE)
        self._checks_waiting = 0
        # Of no password: what an unknown user's is checked against, so that it takes
        # as long. Made at first need, in the worker thread.
        self._decoy = ""

    async def sign_in(self, request: web.Request) -> Wire:
        address = self._services.client_address(request)
        if not self._address_failures.take(address):
            raise too_many()
        body = await _body(request)
        method, user = await self._prove(body)
        self._address_failures.give_back(address)
        self._check_origin(request, user.key.tenant)
        issued = await self._kept(self._services.sign_ins.begin(user, method))
        if method is Method.PHONE and self._services.phones is not None:
            self._services.phones.began(user.key, issued.sign_in_id)
        return _result(issued)

    async def refresh(self, request: web.Request) -> Wire:
        address = self._services.client_address(request)
        if not self._address_failures.take(address):
            raise too_many()
        body = await _only(request, wire.SignInRefresh)
        try:
            issued = await self._kept(
                self._services.sign_ins.refresh(body.refresh_token)
            )
        except TokenError as error:
            if error.is_expired:
                # It was ours once: that is no guess.
                self._address_failures.give_back(address)
            raise _denied(error) from None
        self._address_failures.give_back(address)
        self._check_origin(request, issued.user.key.tenant)
        return _result(issued)

    async def sign_out(self, request: web.Request) -> Wire:
        address = self._services.client_address(request)
        if not self._sign_outs.take(address):
            raise too_many()
        body = await _only(request, wire.SignOut)
        await self._kept(self._services.sign_ins.sign_out(body.refresh_token))
        return wire.Empty()

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

    async def _prove(self, body: _Proof) -> tuple[Method, User]:
        match body:
            case wire.SignInByPassword():
                return Method.PASSWORD, await self._by_password(body)
            case wire.SignInByPhone():
                return Method.PHONE, await self._by_phone(body)
            case wire.SignInByCode():
                return Method.SALESFORCE, self._by_code(body)
            case _:
                return Method.ASSERTION, self._by_assertion(body)

    async def _kept(self, work: Awaitable[_T]) -> _T:
        try:
            return await work
        except SignInsAwayError as error:
            logger.warning("nobody can sign in: %s", error)
            raise HttpError(
                503,
                ErrorKind.INTERNAL,
                "Signing in does not work just now; try again in a minute.",
                retry_after_s=5,
            ) from None

    def _by_code(self, body: wire.SignInByCode) -> User:
        salesforce = self._services.salesforce
        user = salesforce.redeem(body.code, body.secret) if salesforce else None
        if user is None:
            raise HttpError(
                401, ErrorKind.AUTH_DENIED, "The sign-in was not finished here."
            )
        return user

    async def _by_phone(self, body: wire.SignInByPhone) -> User:
        name = (body.tenant, body.sip_username.casefold())
        if not self._phone_failures.take(name):
            raise too_many()
        phones = self._services.phones
        try:
            user = (
                await phones.prove(body.tenant, body.sip_username, body.sip_password)
                if phones is not None
                else None
            )
        except ProofsExhaustedError:
            raise too_many() from None
        except PhoneSystemAwayError:
            raise HttpError(
                503,
                ErrorKind.REGISTRAR_DOWN,
                "The phone system does not answer; try again in a minute.",
                retry_after_s=10,
            ) from None
        if user is None:
            raise _wrong()
        self._phone_failures.give_back(name)
        return user

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
            raise _wrong()
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
    """Serve ``/v1/sign-in``, ``/v1/sign-out``, ``/v1/sessions``, ``/v1/turn`` and
    ``/v1/ice-test``."""
    endpoints = _Endpoints(services)
    answers: dict[tuple[str, str], Answer] = {
        ("POST", "/v1/sign-in"): endpoints.sign_in,
        ("POST", "/v1/sign-in/refresh"): endpoints.refresh,
        ("POST", "/v1/sign-out"): endpoints.sign_out,
        ("POST", "/v1/sessions"): endpoints.ticket,
        ("POST", "/v1/turn"): endpoints.turn,
        ("GET", "/v1/ice-test"): endpoints.ice_test,
    }
    add_endpoints(app, answers, services.origins)


async def _body(request: web.Request) -> _Proof:
    data = await json_body(request)
    for kind in _PROOFS:
        try:
            return kind.model_validate_json(data, strict=True)
        except ValidationError:
            continue
    raise HttpError(
        400,
        ErrorKind.BAD_REQUEST,
        "Send an assertion; or code and secret; or tenant, sip_username and "
        "sip_password; or tenant, username and password.",
    )


async def _only(request: web.Request, kind: type[_B]) -> _B:
    try:
        return kind.model_validate_json(await json_body(request), strict=True)
    except ValidationError:
        raise HttpError(400, ErrorKind.BAD_REQUEST, "Send the refresh_token.") from None


def _result(issued: Issued) -> wire.SignInResult:
    user = issued.user
    return wire.SignInResult(
        access_token=issued.access_token,
        expires_in=issued.expires_in,
        refresh_token=issued.refresh_token,
        user=wire.UserView(
            id=user.key.user,
            name=user.name,
            number=user.number,
            tenant=user.key.tenant,
            company=user.company,
        ),
    )


def _wrong() -> HttpError:
    return HttpError(401, ErrorKind.AUTH_DENIED, "The user name or password is wrong.")


def _denied(error: TokenError) -> HttpError:
    kind = ErrorKind.AUTH_EXPIRED if error.is_expired else ErrorKind.AUTH_DENIED
    return HttpError(401, kind, str(error))
