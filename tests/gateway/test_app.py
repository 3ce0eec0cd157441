"""The service as a whole, in process: it comes up, says how it is, and leaves nothing.

Ports are ephemeral, the application server is one that nobody runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from gateway.app import Gateway, _guest_account
from gateway.config import Config, InviteSection, SipAccountSection
from gateway.identity.assembly import secret_box
from gateway.identity.passwords import hash_password
from gateway.identity.stored import StoredUser
from gateway.identity.tokens import AccessTokens
from gateway.identity.users import UserKey
from gateway.storage import Database, StoredUsers
from tests.gateway.sessions.client import HttpFailure, SocketClosed, WireClient

PASSWORD = "correct horse battery staple"


def config(directory: Path, **changes: object) -> Config:
    return Config.model_validate(
        {
            "signing_key": "k" * 32,
            "http": {"port": 0, "public_url": "http://127.0.0.1:1"},
            "sip": {"bind_port": 0},
            "media": {"browser_port": 0, "rtp_port_min": 0, "rtp_port_max": 0},
            "storage": {
                "url": f"sqlite+aiosqlite:///{directory}/calls.db",
                "spool": f"{directory}/calls.spool",
            },
            "tenants": [
                {
                    "id": "acme",
                    "application_server": {
                        "domain": "acme.example",
                        "registrar": "sip:127.0.0.1:9",
                    },
                    "users": [
                        {
                            "id": "robin",
                            "name": "Robin Reyes",
                            "sip": {"username": "1000", "password": "x"},
                            "password_hash": hash_password(PASSWORD),
                        }
                    ],
                }
            ],
            **changes,
        }
    )


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with Gateway(config(tmp_path)) as gateway:
        yield gateway


@pytest.fixture
async def browser(gateway: Gateway) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(gateway.url) as session:
        yield session


async def test_alive_ready_and_measured(browser: aiohttp.ClientSession) -> None:
    async with browser.get("/health/live") as response:
        assert await response.json() == {"status": "live"}
    async with browser.get("/health/ready") as response:
        assert response.status == 200
        assert (await response.json())["problems"] == []
    async with browser.get("/metrics") as response:
        text = await response.text()
    assert "\nringbridge_calls_active 0.0\n" in text
    assert "\nringbridge_media_workers_alive 1.0\n" in text
    assert "\nringbridge_sessions 0.0\n" in text
    assert '\nringbridge_guest_call_events_total{kind="begun"} 0.0\n' in text
    assert '\nringbridge_referral_events_total{kind="granted"} 0.0\n' in text


def test_guests_call_by_an_account_of_their_tenants(tmp_path: Path) -> None:
    tenant = config(tmp_path).tenants[0]
    assert _guest_account(tenant) is None
    server = tenant.application_server.model_copy(
        update={"trusted": ("192.0.2.7",), "transport": "tcp"}
    )
    own = SipAccountSection(username="guests", password="s3cret", auth_username="g")
    for section, user, name, password in (
        (InviteSection(sip=own), "guests", "g", "s3cret"),
        # The server takes such calls from our address.
        (InviteSection(), "guests", "guests", ""),
    ):
        account = _guest_account(
            tenant.model_copy(update={"application_server": server, "invites": section})
        )
        assert account is not None
        assert str(account.aor) == f"sip:{user}@acme.example"
        assert (account.username, account.password.reveal()) == (name, password)
        assert str(account.registrar) == "sip:127.0.0.1:9"
        assert account.outbound_proxies == (account.registrar,)
        assert (account.trusted_sources, account.transport) == (("192.0.2.7",), "tcp")
        assert account.display_name == ""


async def test_not_ready_when_a_part_failed(
    gateway: Gateway, browser: aiohttp.ClientSession
) -> None:
    gateway.broken.set()
    async with browser.get("/health/ready") as response:
        assert response.status == 503
        assert (await response.json())["problems"]
    async with browser.get("/health/live") as response:
        assert response.status == 200


async def test_signing_in_brings_a_session_and_an_honest_registration(
    gateway: Gateway, browser: aiohttp.ClientSession
) -> None:
    client = WireClient(browser, gateway.url)
    await client.sign_in_by_password("acme", "robin", PASSWORD)
    hello = await client.hello()
    assert hello.snapshot.user.name == "Robin Reyes"
    assert hello.snapshot.registration.state == "registering"
    async with browser.get("/metrics") as response:
        text = await response.text()
    assert "\nringbridge_sessions_attached 1.0\n" in text
    assert '\nringbridge_registrations{state="registering"} 1.0\n' in text
    # A company without invites has none.
    assert hello.snapshot.user.invites_from == ""
    answer = await client.raw("invite.list", {})
    assert answer["error"]["data"]["kind"] == "policy.denied"
    link = {"token": "A" * 32, "browser": "b"}
    assert (await client.post("/v1/join", link))["state"] == "unknown"
    await client.close()


async def test_a_links_token_is_in_no_log(
    gateway: Gateway, browser: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    token = "Zm9yLWEtdmlkZW8tY2FsbC13aXRoLVJvYmlu"
    caplog.set_level(logging.DEBUG)
    async with browser.get(f"/join/{token}") as response:
        assert response.status == 200
    async with browser.post(f"/join/{token}") as response:
        assert response.status == 405
    async with browser.get(f"/join/{token}", headers={"Range": "x"}) as response:
        assert response.status == 200
    assert token not in caplog.text
    assert all(token not in str(vars(record)) for record in caplog.records)


async def test_nothing_is_left_behind(tmp_path: Path) -> None:
    def count() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())

    async def once() -> None:
        async with (
            Gateway(config(tmp_path)) as gateway,
            aiohttp.ClientSession() as browser,
        ):
            client = WireClient(browser, gateway.url)
            await client.sign_in_by_password("acme", "robin", PASSWORD)
            await client.hello()
            await client.close()

    await once()
    before = count()
    await once()
    assert count() == before


async def test_a_port_that_is_taken_is_said_and_nothing_stays(
    gateway: Gateway, tmp_path: Path
) -> None:
    taken = int(gateway.url.rpartition(":")[2])
    second = config(tmp_path / "..", http={"port": taken})
    before = asyncio.all_tasks()
    with pytest.raises(OSError, match="address already in use"):
        async with Gateway(second):
            pass
    # The first one's own may have ended meanwhile.
    assert asyncio.all_tasks() <= before


# Users of the database ------------------------------------------------------------


def with_keys(directory: Path) -> Config:
    return config(directory, secrets_keys=["k" * 42 + "A="])


@asynccontextmanager
async def users_of(config: Config) -> AsyncIterator[StoredUsers]:
    """As the command has them: another connection to the same database."""
    database = Database(config.storage.url)
    await database.open()
    try:
        yield StoredUsers(database)
    finally:
        await database.close()


def page_of(
    key: UserKey,
    browser: aiohttp.ClientSession,
    url: str,
    config: Config,
    *,
    token_id: str = "one",
) -> WireClient:
    client = WireClient(browser, url)
    client.access_token = AccessTokens(
        config.token_keys,
        public_url=config.http.public_url,
        clock=time.time,
        random_id=lambda: token_id,
    ).issue(key)
    return client


async def test_a_user_is_disabled_beside_the_service(tmp_path: Path) -> None:
    sam = UserKey("acme", "sam")
    given = with_keys(tmp_path)
    sealed = secret_box(given).seal(sam, "geheim")
    async with users_of(given) as users:
        user = StoredUser(sam, "Sam Okafor", "1001", sealed_secret=sealed)
        assert await users.replace((user,))
    async with (
        Gateway(given) as gateway,
        aiohttp.ClientSession() as browser,
        users_of(given) as users,
    ):
        client = page_of(sam, browser, gateway.url, given)
        hello = await client.hello()
        assert hello.snapshot.user.name == "Sam Okafor"
        assert hello.snapshot.registration.state == "registering"
        (there,) = await users.all()
        assert await users.replace((replace(there, is_disabled=True),))
        async with asyncio.timeout(20):
            with pytest.raises(SocketClosed):
                await client.event("nothing.of.this.name")
        # Neither the token of that session nor one that was never used.
        with pytest.raises(HttpFailure, match="signed out"):
            await client.ticket()
        other = page_of(sam, browser, gateway.url, given, token_id="another")
        with pytest.raises(HttpFailure, match="no such user"):
            await other.ticket()
        await client.close()


async def test_a_sign_in_lasts_over_a_restart_and_ends_with_the_user(
    tmp_path: Path,
) -> None:
    body = {"tenant": "acme", "username": "robin", "password": PASSWORD}

    async def post(
        gateway: Gateway, path: str, body: dict[str, str]
    ) -> tuple[int, dict[str, str]]:
        async with (
            aiohttp.ClientSession() as http,
            http.post(gateway.url + path, json=body) as response,
        ):
            return response.status, await response.json()

    async with Gateway(config(tmp_path)) as gateway:
        _, first = await post(gateway, "/v1/sign-in", body)
        _, other = await post(gateway, "/v1/sign-in", body)
        await post(gateway, "/v1/sign-out", {"refresh_token": other["refresh_token"]})
        # What is over is written by a task.
        database = gateway._config.storage.url.partition("///")[2]
        async with asyncio.timeout(10):
            while not _ended(database):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    async with Gateway(config(tmp_path)) as gateway:
        refresh = {"refresh_token": first["refresh_token"]}
        status, second = await post(gateway, "/v1/sign-in/refresh", refresh)
        assert status == 200
        refresh = {"refresh_token": other["refresh_token"]}
        assert (await post(gateway, "/v1/sign-in/refresh", refresh))[0] == 401
    assert PASSWORD not in Path(database).read_bytes().decode("latin-1")
    assert second["refresh_token"] not in Path(database).read_bytes().decode("latin-1")
    changed = config(tmp_path).model_dump()
    changed["tenants"][0]["users"][0]["id"] = "somebody-else"
    async with Gateway(Config.model_validate(changed)) as gateway:
        refresh = {"refresh_token": second["refresh_token"]}
        assert (await post(gateway, "/v1/sign-in/refresh", refresh))[0] == 401


def _ended(database: str) -> int:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        query = "SELECT count(*) FROM sign_ins WHERE ended_at IS NOT NULL"
        count: int = connection.execute(query).fetchone()[0]
    return count
