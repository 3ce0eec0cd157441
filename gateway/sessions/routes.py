"""Everything that browsers reach of sessions and identity, added to one application."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from gateway.identity.directory import UserDirectory
from gateway.identity.phone_users import PhoneUsers
from gateway.identity.refresh_tokens import RefreshKeys
from gateway.identity.salesforce import SalesforceSignIn
from gateway.identity.sign_in_memory import InMemorySignIns
from gateway.identity.sign_ins import Lifetimes, SignIns, SignInStore
from gateway.identity.tickets import Tickets
from gateway.identity.tokens import AccessGrant, AccessTokens, Assertions, SigningKey
from gateway.identity.turn import TurnConfig, TurnServer
from gateway.sessions import http, jwks, oauth, websocket
from gateway.sessions.backend import Backend
from gateway.sessions.directory import SessionDirectory, SessionLimits
from gateway.sessions.origins import AllowedOrigins
from gateway.sessions.session import SessionEvents

SESSIONS: web.AppKey[SessionDirectory] = web.AppKey("sessions", SessionDirectory)


@dataclass(frozen=True, slots=True)
class Door:
    """How browsers come in: who may, under which address, with which keys.

    Attributes:
        public_url: the gateway's URL as browsers see it, without a final slash;
            audience and issuer of tokens, and an allowed origin.
        signing_keys: of access tokens; the first whose time has come signs.
        max_without_hello: sockets that may wait for their greeting at once.
        ping_interval_s: between WebSocket pings; under any proxy's idle limit.
        sign_ins: where they are kept, and how long each of a tenant's lasts.
        phones, salesforce: ways to sign in, where there are any.
        client_address: of a request; behind a trusted proxy not ``request.remote``.
    """

    users: UserDirectory
    public_url: str
    signing_keys: tuple[SigningKey, ...]
    turn: TurnConfig = field(default_factory=TurnConfig)
    limits: SessionLimits = field(default_factory=SessionLimits)
    max_without_hello: int = websocket.MAX_SOCKETS_WITHOUT_HELLO
    ping_interval_s: float = websocket.PING_INTERVAL_S
    client_address: Callable[[web.Request], str] = lambda request: request.remote or ""
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time
    random_bytes: Callable[[int], bytes] = secrets.token_bytes
    sign_ins: SignInStore = field(default_factory=InMemorySignIns)
    lifetimes: Callable[[str], Lifetimes] = lambda _: Lifetimes()
    phones: PhoneUsers | None = None
    salesforce: SalesforceSignIn | None = None


def new_events(door: Door) -> SessionEvents:
    """The publisher that a backend needs before its sessions can exist."""
    return SessionEvents(clock=door.clock, wall_clock=door.wall_clock)


def new_http_services(door: Door) -> http.HttpServices:
    """What the HTTP endpoints share, for one who adds endpoints of their own."""

    def random_id() -> str:
        return door.random_bytes(16).hex()

    access_tokens = AccessTokens(
        door.signing_keys,
        public_url=door.public_url,
        clock=door.wall_clock,
        random_id=random_id,
    )
    return http.HttpServices(
        users=door.users,
        origins=AllowedOrigins(door.users, public_url=door.public_url),
        access_tokens=access_tokens,
        sign_ins=SignIns(
            door.sign_ins,
            users=door.users,
            tokens=access_tokens,
            keys=RefreshKeys.of([key.secret for key in door.signing_keys]),
            lifetimes=door.lifetimes,
            clock=door.wall_clock,
            random_id=random_id,
        ),
        phones=door.phones,
        salesforce=door.salesforce,
        assertions=Assertions(
            door.users, public_url=door.public_url, clock=door.wall_clock
        ),
        tickets=Tickets(clock=door.clock, random_bytes=door.random_bytes),
        turn=TurnServer(door.turn, clock=door.wall_clock),
        clock=door.clock,
        wall_clock=door.wall_clock,
        client_address=door.client_address,
    )


def add_routes(
    app: web.Application,
    backend: Backend,
    door: Door,
    *,
    events: SessionEvents | None = None,
    services: http.HttpServices | None = None,
) -> SessionDirectory:
    """Serve sign-in, tickets, TURN and the WebSocket; returns the sessions.

    The directory is also ``app[SESSIONS]``. It is closed (clients told, sessions
    ended) on the application's shutdown. ``services``: of :func:`new_http_services`,
    where others use them too.
    """
    services = services or new_http_services(door)
    access_tokens, sign_ins = services.access_tokens, services.sign_ins

    def revoke(grant: AccessGrant) -> None:
        access_tokens.revoke(grant.token_id, expires_at=grant.expires_at)
        sign_ins.end(grant.user, grant.sign_in_id)

    directory = SessionDirectory(
        backend,
        users=door.users,
        tickets=services.tickets,
        events=events,
        clock=door.clock,
        wall_clock=door.wall_clock,
        random_bytes=door.random_bytes,
        limits=door.limits,
        revoke=revoke,
    )
    sign_ins.use_sessions(directory.lapse)
    http.add_routes(app, services)
    jwks.add_routes(app, access_tokens)
    if services.salesforce is not None:
        oauth.add_routes(
            app,
            services.salesforce,
            public_url=door.public_url,
            client_address=door.client_address,
            clock=door.clock,
        )
    websocket.add_routes(
        app,
        directory,
        services.origins,
        clock=door.clock,
        max_without_hello=door.max_without_hello,
        ping_interval_s=door.ping_interval_s,
    )
    app[SESSIONS] = directory

    async def close(_: web.Application) -> None:
        await directory.close()

    app.on_shutdown.append(close)
    return directory
