"""Ways to sign in over real HTTP: Salesforce's window against the simulator, the phone
account, what prolongs a sign-in, and its end."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import sip
from gateway.identity.directory import InMemoryUserDirectory, TenantIdentity
from gateway.identity.phone_users import PROOFS_AT_ONCE, PhoneTenant, PhoneUsers
from gateway.identity.provider_http import ProviderHttp
from gateway.identity.salesforce import Provider, SalesforceSignIn
from gateway.identity.tokens import SigningKey
from gateway.identity.users import User, UserKey
from gateway.sandbox.salesforce import (
    ConnectedApp,
    FaultKind,
    SalesforceSimulator,
    SimulatorConfig,
)
from gateway.sessions import http as http_module
from gateway.sessions.oauth import CALLBACK, START
from gateway.sessions.routes import Door, add_routes, new_events, new_http_services
from gateway.sessions.wire import ErrorKind
from tests.gateway.sessions.client import HttpFailure, WireClient, WireError
from tests.gateway.sessions.fakes import FakeBackend

PUBLIC_URL = "https://phone.example.com"
REDIRECT = f"{PUBLIC_URL}{CALLBACK}"
SECRET = "a-signing-key-for-tests-of-32-bytes!"
APP = ConnectedApp(
    "sign-in-app",
    scope="openid",
    redirect_uris=(REDIRECT,),
    pkce_required=True,
    secret_required=False,
)


@dataclass
class Phones:
    """The application server: passwords by username."""

    passwords: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    answer: sip.Proof | None = None
    gate: asyncio.Event | None = None
    most_at_once: int = 0
    _now: int = 0

    async def prove(self, account: sip.Account) -> sip.Proof:
        user = account.aor.user or ""
        self.asked.append(user)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            if self.gate is not None:
                await self.gate.wait()
        finally:
            self._now -= 1
        if self.answer is not None:
            return self.answer
        is_right = self.passwords.get(user) == account.password.reveal()
        return sip.Proof.ACCEPTED if is_right else sip.Proof.REFUSED


class Desk:
    """A service with all ways to sign in, and an org."""

    def __init__(self, simulator: SalesforceSimulator) -> None:
        self.simulator = simulator
        self.phones = Phones({"1001": "right", "1042": "also right"})
        robin = simulator.user("robin.reyes@acme.example")
        self.robin = User(
            UserKey("acme", "robin"), "Robin Reyes", "1001", crm_user_id=robin.id
        )
        # SIP usernames whose users an administrator has disabled.
        self.barred: set[str] = set()
        self.ask = ProviderHttp()
        self.url = ""
        self.directory = InMemoryUserDirectory(
            [
                TenantIdentity(
                    "acme", allowed_origins=frozenset({"https://a.example"})
                ),
                TenantIdentity(
                    "other", allowed_origins=frozenset({"https://o.example"})
                ),
            ],
            [self.robin],
        )
        self.phone_users = PhoneUsers(
            self.directory,
            {
                "acme": PhoneTenant(
                    "Acme",
                    "US",
                    self._account,
                    lambda name: self.robin if name == "1001" else None,
                    lambda name: name in self.barred,
                )
            },
            self.phones.prove,
        )
        door = Door(
            users=self.phone_users,
            public_url=PUBLIC_URL,
            signing_keys=(SigningKey("k1", "HS256", SECRET),),
            phones=self.phone_users,
            salesforce=SalesforceSignIn(
                {
                    "acme": Provider(
                        tenant="acme",
                        my_domain=simulator.url,
                        client_id=APP.consumer_key,
                        organizations=frozenset({simulator.organization_id}),
                        redirect_uri=REDIRECT,
                    )
                },
                {"acme": self.ask},
                users=self.phone_users,
                provisioner=None,
                clock=asyncio.get_running_loop().time,
                wall_clock=time.time,
                random_bytes=random.Random(7).randbytes,
            ),
        )
        events = new_events(door)
        services = new_http_services(door)
        self.sign_ins = services.sign_ins
        services.sign_ins.on_end = self.phone_users.ended
        app = web.Application()
        self.sessions = add_routes(
            app, FakeBackend(events), door, events=events, services=services
        )
        self.server = TestServer(app)

    @staticmethod
    def _account(username: str, password: sip.Secret) -> sip.Account:
        return sip.Account(
            aor=sip.Uri("sip", user=username, host="acme.example"),
            username=username,
            password=password,
        )


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with SalesforceSimulator(
        SimulatorConfig(apps=(APP,)), rng=random.Random(3)
    ) as simulator:
        desk = Desk(simulator)
        await desk.server.start_server()
        desk.url = str(desk.server.make_url("")).rstrip("/")
        yield desk
        await desk.server.close()
        await desk.ask.close()


@pytest.fixture
async def browser(desk: Desk) -> AsyncIterator[aiohttp.ClientSession]:
    # The cookies are Salesforce's.
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.CookieJar(unsafe=True)
    ) as session:
        yield session


@pytest.fixture
async def page(desk: Desk, browser: aiohttp.ClientSession) -> AsyncIterator[WireClient]:
    async with WireClient(browser, desk.url) as client:
        yield client


def hash_of(secret: str) -> str:
    digest = hashlib.sha256(secret.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@dataclass
class Window:
    """The document at the end: what its script hands to its opener, and to whom."""

    status: int
    origin: str
    problem: str
    code: str
    headers: Any


async def shown(response: aiohttp.ClientResponse) -> Window:
    text = await response.text()
    data = dict(re.findall(r'data-(\w+)="([^"]*)"', text))
    return Window(response.status, **data, headers=response.headers)


class Visitor:
    """Goes the window's way."""

    def __init__(self, desk: Desk, browser: aiohttp.ClientSession) -> None:
        self.desk = desk
        self.browser = browser

    async def start(self, secret: str = "secret") -> str:
        """Where the window is sent."""
        async with self.browser.get(
            self.desk.url + START,
            params={"tenant": "acme", "page": hash_of(secret)},
            headers={"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "document"},
            allow_redirects=False,
        ) as response:
            assert response.status == 302
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert "Set-Cookie" not in response.headers
            return response.headers["Location"]

    async def approve(self, url: str, user: str = "robin.reyes@acme.example") -> str:
        """Sign in at Salesforce; where it sends the window back to."""
        async with self.browser.get(url, allow_redirects=False) as response:
            if response.status == 302:
                return response.headers["Location"]
            found = re.search(r'name="request" value="(\w+)"', await response.text())
        assert found
        async with self.browser.post(
            f"{self.desk.simulator.url}/services/oauth2/authorize",
            data={"request": found[1], "user": self.desk.simulator.user(user).id},
            allow_redirects=False,
        ) as response:
            assert response.status == 302
            return response.headers["Location"]

    async def back(self, location: str) -> Window:
        """Follow Salesforce's redirect."""
        parts = urlsplit(location)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == REDIRECT
        async with self.browser.get(
            f"{self.desk.url}{CALLBACK}?{parts.query}", allow_redirects=False
        ) as response:
            return await shown(response)

    async def sign_in(self, secret: str = "secret", **options: Any) -> Window:
        return await self.back(await self.approve(await self.start(secret), **options))


@pytest.fixture
def visitor(desk: Desk, browser: aiohttp.ClientSession) -> Visitor:
    return Visitor(desk, browser)


async def refused(page: WireClient, path: str, body: object) -> HttpFailure:
    with pytest.raises(HttpFailure) as caught:
        await page.post(path, body)
    return caught.value


# Salesforce ---------------------------------------------------------------------------


async def test_the_whole_way_to_a_session(
    desk: Desk, visitor: Visitor, page: WireClient
) -> None:
    window = await visitor.sign_in()
    assert (window.status, window.problem) == (200, "")
    # The opener must be a page of ours: the script names no other origin.
    assert window.origin == PUBLIC_URL
    answer = await page.post("/v1/sign-in", {"code": window.code, "secret": "secret"})
    assert answer["user"]["id"] == "robin"
    assert answer["expires_in"] == 3600
    page.access_token = answer["access_token"]
    await page.hello()
    again = await refused(
        page, "/v1/sign-in", {"code": window.code, "secret": "secret"}
    )
    assert (again.status, again.kind) == (401, ErrorKind.AUTH_DENIED)
    # Salesforce has no token of the gateway's left.
    used = [e.path for e in desk.simulator.journal.requests("", "oauth2")]
    assert any(path.endswith("/revoke") for path in used)


async def test_the_document_gives_nothing_to_anybody_else(visitor: Visitor) -> None:
    window = await visitor.sign_in()
    policy = window.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert window.headers["X-Frame-Options"] == "DENY"
    assert window.headers["Referrer-Policy"] == "no-referrer"
    assert window.headers["Cache-Control"] == "no-store"
    assert window.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in window.headers
    # Cross-Origin-Opener-Policy would cut it from its opener.
    assert "Cross-Origin-Opener-Policy" not in window.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "image"},
    ],
    ids=str,
)
async def test_a_link_or_a_frame_begins_nothing(
    desk: Desk, browser: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    async with browser.get(
        desk.url + START,
        params={"tenant": "acme", "page": hash_of("theirs")},
        headers=headers,
        allow_redirects=False,
    ) as response:
        assert (await shown(response)).problem
        assert response.status == 400


async def test_nothing_in_the_address_says_where_to_go(
    desk: Desk, browser: aiohttp.ClientSession, visitor: Visitor
) -> None:
    """Open redirects: every target is of the configuration."""
    extra = dict.fromkeys(
        ("redirect_uri", "origin", "return", "next", "my_domain", "iss"),
        "https://evil.example/",
    )
    async with browser.get(
        desk.url + START,
        params={"tenant": "acme", "page": hash_of("secret")} | extra,
        allow_redirects=False,
    ) as response:
        location = response.headers["Location"]
    assert location.startswith(f"{desk.simulator.url}/services/oauth2/authorize?")
    assert "evil" not in location
    back = await visitor.approve(location)
    async with browser.get(
        f"{desk.url}{CALLBACK}?{urlsplit(back).query}", params=extra
    ) as response:
        window = await shown(response)
        assert "evil" not in await response.text()
    assert (window.origin, window.problem) == (PUBLIC_URL, "")


async def test_a_replayed_answer_and_a_made_up_one(visitor: Visitor) -> None:
    back = await visitor.approve(await visitor.start())
    assert (await visitor.back(back)).problem == ""
    assert (await visitor.back(back)).problem == "expired"
    made_up = f"{REDIRECT}?state=%22%3E%3Cscript%3E&code=x"
    window = await visitor.back(made_up)
    assert (window.problem, window.code) == ("expired", "")
    assert (await visitor.back(f"{REDIRECT}?code={'x' * 5000}")).problem == "failed"


async def test_an_injected_code_is_stopped_by_pkce(visitor: Visitor) -> None:
    mine = await visitor.approve(await visitor.start("mine"))
    theirs = await visitor.approve(await visitor.start("theirs"))
    code = parse_qs(urlsplit(theirs).query)["code"][0]
    state = parse_qs(urlsplit(mine).query)["state"][0]
    window = await visitor.back(f"{REDIRECT}?state={state}&code={code}")
    assert (window.problem, window.code) == ("failed", "")


async def test_the_code_of_another_page_is_worth_nothing(
    visitor: Visitor, page: WireClient
) -> None:
    window = await visitor.sign_in("theirs")
    no = await refused(page, "/v1/sign-in", {"code": window.code, "secret": "mine"})
    assert no.status == 401


async def test_a_user_whom_nobody_knows_is_told_so(visitor: Visitor) -> None:
    window = await visitor.sign_in(user="sam.okafor@acme.example")
    assert (window.problem, window.code) == ("unknown_user", "")


async def test_declined(
    desk: Desk, visitor: Visitor, browser: aiohttp.ClientSession
) -> None:
    url = await visitor.start()
    state = parse_qs(urlsplit(url).query)["state"][0]
    window = await visitor.back(
        f"{REDIRECT}?error=access_denied&error_description=x&state={state}"
    )
    assert window.problem == "declined"


async def test_keys_may_change_at_any_time(desk: Desk, visitor: Visitor) -> None:
    assert (await visitor.sign_in()).problem == ""
    desk.simulator.rotate_keys(keep_old=False)
    assert (await visitor.sign_in()).problem == ""


async def test_a_salesforce_that_is_away_is_said(desk: Desk, visitor: Visitor) -> None:
    back = await visitor.approve(await visitor.start())
    desk.simulator.add_fault(FaultKind.MAINTENANCE, path="/oauth2/token")
    assert (await visitor.back(back)).problem == "unreachable"


async def test_starts_are_limited(desk: Desk, browser: aiohttp.ClientSession) -> None:
    problems = set()
    for _ in range(70):
        async with browser.get(
            desk.url + START,
            params={"tenant": "acme", "page": hash_of("x")},
            allow_redirects=False,
        ) as response:
            problems.add(response.status)
    assert problems == {302, 429}


# The phone account --------------------------------------------------------------------


def by_phone(name: str, password: str, tenant: str = "acme") -> dict[str, str]:
    return {"tenant": tenant, "sip_username": name, "sip_password": password}


async def test_the_owner_of_an_account_is_who_they_are(page: WireClient) -> None:
    answer = await page.post("/v1/sign-in", by_phone("1001", "right"))
    assert answer["user"]["id"] == "robin"


async def test_others_are_here_as_long_as_their_sign_in(
    desk: Desk, page: WireClient
) -> None:
    answer = await page.post("/v1/sign-in", by_phone("1042", "also right"))
    key = UserKey("acme", answer["user"]["id"])
    assert answer["user"]["number"] == "1042"
    account = desk.phone_users.account(key)
    assert account is not None
    assert account.password.reveal() == "also right"
    assert "also right" not in repr(account)
    page.access_token = answer["access_token"]
    await page.hello()
    second = await page.post("/v1/sign-in", by_phone("1042", "also right"))
    for token in (answer, second):
        assert desk.phone_users.user(key) is not None
        await page.post("/v1/sign-out", {"refresh_token": token["refresh_token"]})
    assert desk.phone_users.user(key) is None
    assert desk.phone_users.account(key) is None
    assert (await page.closed()) == 4401


async def test_who_is_disabled_does_not_come_in_by_the_phone(
    desk: Desk, page: WireClient
) -> None:
    desk.barred.add("1042")
    no = await refused(page, "/v1/sign-in", by_phone("1042", "also right"))
    assert "The user name or password is wrong." in str(no)
    assert len(desk.phone_users) == 0
    desk.barred.clear()
    answer = await page.post("/v1/sign-in", by_phone("1042", "also right"))
    page.access_token = answer["access_token"]
    await page.hello()
    # And is out when it is done while they are here.
    desk.barred.add("1042")
    await desk.sign_ins.sweep()
    assert await page.closed() == 4401
    assert len(desk.phone_users) == 0
    body = {"refresh_token": answer["refresh_token"]}
    assert (await refused(page, "/v1/sign-in/refresh", body)).status == 401


async def test_wrong_is_wrong_whatever_it_is(desk: Desk, page: WireClient) -> None:
    texts = set()
    for body in (
        by_phone("1001", "wrong"),
        by_phone("1999", "right"),
        by_phone("1001", "right", tenant="other"),
        by_phone("1001", "right", tenant="nobody"),
    ):
        no = await refused(page, "/v1/sign-in", body)
        assert (no.status, no.kind) == (401, ErrorKind.AUTH_DENIED)
        texts.add(str(no))
    assert len(texts) == 1
    # A registrar that does not ask for it has not looked at the password.
    desk.phones.answer = sip.Proof.UNASKED
    assert (await refused(page, "/v1/sign-in", by_phone("1001", "x"))).status == 401


async def test_a_phone_system_that_is_away_is_no_wrong_password(
    desk: Desk, page: WireClient
) -> None:
    desk.phones.answer = sip.Proof.UNAVAILABLE
    no = await refused(page, "/v1/sign-in", by_phone("1001", "right"))
    assert (no.status, no.kind) == (503, ErrorKind.REGISTRAR_DOWN)


@pytest.mark.parametrize(
    "name", ["", "a b", "a@b", "a;b", "a\r\nb", "<a>", "a" * 65, "ä"]
)
async def test_a_name_that_is_none_is_not_asked_for(
    desk: Desk, page: WireClient, name: str
) -> None:
    assert (await refused(page, "/v1/sign-in", by_phone(name, "x"))).status == 400
    assert desk.phones.asked == []


async def test_guessing_is_limited_by_name_and_by_address(
    desk: Desk, page: WireClient
) -> None:
    limit = http_module.FAILURES_PER_USER.count
    statuses = [
        (await refused(page, "/v1/sign-in", by_phone("1001", f"guess {n}"))).status
        for n in range(limit + 3)
    ]
    assert statuses == [401] * limit + [429] * 3
    # The right one does not help any more, and the application server is spared.
    assert (await refused(page, "/v1/sign-in", by_phone("1001", "right"))).status == 429
    assert len(desk.phones.asked) == limit
    total = http_module.FAILURES_PER_ADDRESS.count
    for n in range(total):
        await refused(page, "/v1/sign-in", by_phone(f"2{n:03}", "x"))
    assert len(desk.phones.asked) < total


async def test_few_are_asked_for_at_once(
    desk: Desk, page: WireClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.phones.gate = asyncio.Event()
    tasks = [
        asyncio.create_task(refused(page, "/v1/sign-in", by_phone(f"3{n:03}", "x")))
        for n in range(PROOFS_AT_ONCE + 5)
    ]
    async with asyncio.timeout(10):
        while len(desk.phones.asked) < PROOFS_AT_ONCE:  # noqa: ASYNC110
            await asyncio.sleep(0)
    desk.phones.gate.set()
    assert {(await task).status for task in tasks} == {401}
    assert desk.phones.most_at_once == PROOFS_AT_ONCE


# Prolonging and ending ----------------------------------------------------------------


async def signed_in(page: WireClient) -> dict[str, Any]:
    answer = await page.post("/v1/sign-in", by_phone("1001", "right"))
    page.access_token = answer["access_token"]
    return answer


async def test_a_page_prolongs_its_sign_in(page: WireClient) -> None:
    first = await signed_in(page)
    await page.hello()
    second = await page.post(
        "/v1/sign-in/refresh", {"refresh_token": first["refresh_token"]}
    )
    assert second["user"] == first["user"]
    page.access_token = second["access_token"]
    await page.ticket()


async def test_a_copied_refresh_token_ends_the_session(page: WireClient) -> None:
    first = await signed_in(page)
    await page.hello()
    body = {"refresh_token": first["refresh_token"]}
    second = await page.post("/v1/sign-in/refresh", body)
    await page.post("/v1/sign-in/refresh", {"refresh_token": second["refresh_token"]})
    no = await refused(page, "/v1/sign-in/refresh", body)
    assert (no.status, no.kind) == (401, ErrorKind.AUTH_EXPIRED)
    assert await page.closed() == 4401
    with pytest.raises(HttpFailure):
        await page.ticket()
    with pytest.raises(WireError):
        await page.resume()


async def test_sign_out_ends_tokens_tickets_and_the_session(page: WireClient) -> None:
    first = await signed_in(page)
    await page.hello()
    ticket = await page.ticket()
    await page.post("/v1/sign-out", {"refresh_token": first["refresh_token"]})
    assert await page.closed() == 4401
    with pytest.raises(HttpFailure) as caught:
        await page.ticket()
    assert caught.value.kind is ErrorKind.AUTH_EXPIRED
    with pytest.raises(WireError):
        await page.hello(ticket=ticket)
    no = await refused(
        page, "/v1/sign-in/refresh", {"refresh_token": first["refresh_token"]}
    )
    assert no.status == 401
    # Again: nothing, and nobody learns whether a token was one.
    await page.post("/v1/sign-out", {"refresh_token": first["refresh_token"]})
    await page.post("/v1/sign-out", {"refresh_token": "x"})


async def test_a_session_goes_on_while_one_of_its_sign_ins_does(
    desk: Desk, browser: aiohttp.ClientSession, page: WireClient
) -> None:
    first = await signed_in(page)
    await page.hello()
    async with WireClient(browser, desk.url) as other:
        second = await signed_in(other)
        await other.hello()
        await page.post("/v1/sign-out", {"refresh_token": first["refresh_token"]})
        await other.ticket()
        await page.post("/v1/sign-out", {"refresh_token": second["refresh_token"]})
        assert await other.closed() == 4401


async def test_closing_the_session_ends_the_sign_in(page: WireClient) -> None:
    first = await signed_in(page)
    await page.hello()
    await page.request("session.close")
    assert await page.closed() == 1000
    no = await refused(
        page, "/v1/sign-in/refresh", {"refresh_token": first["refresh_token"]}
    )
    assert no.status == 401


async def test_a_page_of_another_tenant_prolongs_nothing(
    desk: Desk, browser: aiohttp.ClientSession, page: WireClient
) -> None:
    first = await signed_in(page)
    body = {"refresh_token": first["refresh_token"]}
    async with WireClient(browser, desk.url, origin="https://o.example") as foreign:
        no = await refused(foreign, "/v1/sign-in/refresh", body)
    assert (no.status, no.kind) == (403, ErrorKind.POLICY_DENIED)


async def test_guessed_refresh_tokens_are_limited(page: WireClient) -> None:
    statuses = [
        (await refused(page, "/v1/sign-in/refresh", {"refresh_token": f"{n}"})).status
        for n in range(http_module.FAILURES_PER_ADDRESS.count + 2)
    ]
    assert statuses[-1] == 429
    assert set(statuses[:50]) == {401}
