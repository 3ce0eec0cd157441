"""The real HTTP and WebSocket shells on a loopback port, with the fake backend."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.identity.directory import InMemoryUserDirectory, TenantIdentity
from gateway.identity.passwords import hash_password
from gateway.identity.tokens import SigningKey
from gateway.identity.turn import TurnConfig
from gateway.identity.users import User, UserKey
from gateway.sessions.directory import SessionDirectory, SessionLimits
from gateway.sessions.routes import Door, add_routes, new_events
from tests.gateway.sessions.client import WireClient
from tests.gateway.sessions.fakes import FakeBackend

PUBLIC_URL = "https://phone.example.com"
SECRET = "a-signing-key-for-tests-of-32-bytes!"
PASSWORDS = {"ana": "correct horse", "eve": "battery staple"}

_QUICK = {"log2_n": 4, "r": 1, "p": 1}

ANA = User(
    UserKey("acme", "ana"),
    "Ana Ruiz",
    "1001",
    company="Acme Corp",
    crm_user_id="005000000000001AAA",
    password_hash=hash_password(PASSWORDS["ana"], **_QUICK),
)
EVE = User(
    UserKey("evil", "eve"),
    "Eve",
    "1001",
    crm_user_id="005000000000001AAA",
    password_hash=hash_password(PASSWORDS["eve"], **_QUICK),
)


@dataclass
class Service:
    """A running service; ``client()`` makes pages of it."""

    url: str
    http: aiohttp.ClientSession
    directory: SessionDirectory
    backend: FakeBackend
    clients: list[WireClient] = field(default_factory=list)

    def client(
        self, *, instance_id: str | None = None, origin: str | None = None
    ) -> WireClient:
        client = WireClient(self.http, self.url, instance_id=instance_id, origin=origin)
        self.clients.append(client)
        return client

    async def signed_in(
        self, user: User = ANA, *, instance_id: str | None = None
    ) -> WireClient:
        client = self.client(instance_id=instance_id)
        key = user.key
        await client.sign_in_by_password(key.tenant, key.user, PASSWORDS[key.user])
        return client

    async def attached(
        self, user: User = ANA, *, instance_id: str | None = None
    ) -> WireClient:
        client = await self.signed_in(user, instance_id=instance_id)
        await client.hello()
        return client


@asynccontextmanager
async def running_service(
    *,
    tenants: tuple[TenantIdentity, ...] = (
        TenantIdentity("acme", allowed_origins=frozenset({"https://acme.example"})),
        TenantIdentity("evil", allowed_origins=frozenset({"https://evil.example"})),
    ),
    limits: SessionLimits | None = None,
    turn: TurnConfig | None = None,
    max_without_hello: int = 1024,
    ping_interval_s: float = 20.0,
) -> AsyncIterator[Service]:
    door = Door(
        users=InMemoryUserDirectory(tenants, [ANA, EVE]),
        public_url=PUBLIC_URL,
        signing_keys=(SigningKey("k1", "HS256", SECRET),),
        limits=limits or SessionLimits(),
        turn=turn or TurnConfig(),
        max_without_hello=max_without_hello,
        ping_interval_s=ping_interval_s,
    )
    events = new_events(door)
    backend = FakeBackend(events)
    app = web.Application()
    directory = add_routes(app, backend, door, events=events)
    server = TestServer(app)
    await server.start_server()
    try:
        async with aiohttp.ClientSession() as http:
            service = Service(str(server.make_url("")), http, directory, backend)
            try:
                yield service
            finally:
                for client in service.clients:
                    await client.close()
    finally:
        await server.close()
