"""Signing in, in the real page within Salesforce's: by its window, by the phone.

Browsers that block third parties' cookies are the normal case, and so it is here.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from gateway.sessions.oauth import CALLBACK
from tests.system.browser import Chromium
from tests.system.conftest import BROWSER_SAYS, HOSTS
from tests.system.kamailio import Kamailio
from tests.system.ports import free_port
from tests.system.program import LogBook
from tests.system.rep import RepPage
from tests.system.salesforce import Salesforce
from tests.system.service import Rep, Service
from tests.system.tls_front import TlsFront

pytestmark = [
    pytest.mark.system,
    pytest.mark.needs("kamailio", "kamcmd", "chromium"),
]

ROBIN, NEWCOMER = "1201", "1242"
PASSWORD = "correct-horse"
ROBIN_USERNAME = "robin.reyes@acme.example"
SIGN_IN_APP = "ringbridge-sign-in"
BLOCK_COOKIES = "--test-third-party-cookie-phaseout"


@dataclass
class Place:
    """A service whose Salesforce vouches for nobody by itself."""

    salesforce: Salesforce
    service: Service
    chromium: Chromium
    widget_url: str

    @asynccontextmanager
    async def rep_page(self, user: str = "robin") -> AsyncIterator[RepPage]:
        # Whoever consented in an earlier test is asked again.
        await self.salesforce.control("DELETE", "grants?consents=forgotten")
        async with self.chromium.visitor(user) as visitor:
            page = await visitor.open(
                f"{self.salesforce.lightning}/sandbox/login?user={user}"
            )
            rep = RepPage(visitor, page, self.widget_url)
            await rep.open_panel()
            await rep.wait_screen("signed-out")
            yield rep


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(
    proxy: Kamailio, logs: LogBook, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    folder: Path = tmp_path_factory.mktemp("sign-in")
    port = free_port()
    front = TlsFront(target_port=port, directory=folder / "front")
    widget_url = f"{front.url}/widget/salesforce"
    for number in (ROBIN, NEWCOMER):
        await proxy.add_user(number, PASSWORD)
    async with (
        front,
        Salesforce(
            directory=folder / "salesforce",
            logs=logs,
            widget_url=widget_url,
            gateway_url=front.url,
        ) as salesforce,
    ):
        await salesforce.control(
            "POST",
            "apps",
            {
                "consumer_key": SIGN_IN_APP,
                "scope": "openid",
                "redirect_uris": [f"{front.url}{CALLBACK}"],
                "pkce_required": True,
                "secret_required": False,
                "pre_authorised": False,
            },
        )
        section = salesforce.configuration() | {
            "sign_in": {
                "consumer_key": SIGN_IN_APP,
                "organizations": [salesforce.organization_id],
            }
        }
        del section["identity_issuer"], section["identity_key"]
        async with (
            Service(
                directory=folder / "service",
                logs=logs,
                server=proxy,
                reps=(
                    Rep(
                        id=ROBIN,
                        sip_password=PASSWORD,
                        salesforce_user_id=salesforce.users[ROBIN_USERNAME],
                        salesforce_username=ROBIN_USERNAME,
                    ),
                ),
                salesforce=section,
                http_port=port,
                members={"phone_sign_in": True},
                sections={"http": {"public_url": front.url}},
            ) as service,
            Chromium(
                directory=folder / "chromium",
                says=BROWSER_SAYS,
                logs=logs,
                hosts=dict.fromkeys(HOSTS, "127.0.0.1"),
                arguments=(BLOCK_COOKIES,),
            ) as chromium,
        ):
            yield Place(salesforce, service, chromium, widget_url)


async def window_of(rep: RepPage) -> Page:
    """Press the button; what opens."""
    async with rep.page.expect_popup() as opened:
        await rep.button("Sign in with Salesforce").click()
    return await opened.value


async def say_who(window: Page, name: str = "Robin Reyes") -> None:
    await window.get_by_role("button", name=name).click()
    await window.get_by_role("button", name="Allow").click()


async def sign_out(rep: RepPage) -> None:
    await rep.button("Menu").click()
    await rep.button("Sign out").click()
    await rep.wait_screen("signed-out")


async def test_sign_in_by_salesforces_window_without_any_cookie(place: Place) -> None:
    async with place.rep_page() as rep:
        await rep.frame.evaluate(
            "document.cookie = 'third=party; SameSite=None; Secure'"
        )
        assert await rep.frame.evaluate("document.cookie") == "", "cookies are blocked"
        window = await window_of(rep)
        addresses: list[str] = []
        window.on("framenavigated", lambda frame: addresses.append(frame.url))
        async with (
            rep.page.expect_response("**/v1/sign-in") as traded,
            window.expect_event("close"),
        ):
            await say_who(window)
        await rep.wait_ready()
        assert "Robin" in await rep.text()
        tokens = await (await traded.value).json()
        for url in addresses:
            assert tokens["access_token"] not in url
            names = {name for name, _ in parse_qsl(urlsplit(url).query)}
            assert not names & {"token", "secret", "code_verifier"}

        # Nothing could be stored: a reload costs a click, and no more, since
        # Salesforce knows who this is.
        await rep.page.reload()
        await rep.open_panel()
        await rep.wait_screen("signed-out")
        await rep.button("Sign in with Salesforce").click()
        await rep.wait_ready()

        await sign_out(rep)
        body = json.dumps({"refresh_token": tokens["refresh_token"]})
        status = await rep.frame.evaluate(
            """async (body) => (await fetch('/v1/sign-in/refresh', {
              method: 'POST', headers: {'Content-Type': 'application/json'}, body,
            })).status""",
            body,
        )
        # That one was of the page before the reload, which is over too: it had the
        # same session.
        assert status == 401


async def test_what_does_not_work_is_said_with_a_way_on(place: Place) -> None:
    async with place.rep_page() as rep:
        window = await window_of(rep)
        await rep.wait_text("Continue in the window that has opened.")
        await window.close()
        await rep.wait_text("The sign-in window was closed before")

        window = await window_of(rep)
        await rep.press("Cancel")
        assert window.is_closed()
        await expect(rep.button("Sign in with Salesforce")).to_be_enabled()

        window = await window_of(rep)
        await window.get_by_role("button", name="Sam Okafor").click()
        await window.get_by_role("button", name="Deny").click()
        await rep.wait_text("You did not allow Ringbridge in Salesforce.")

        window = await window_of(rep)
        await window.get_by_role("button", name="Not you?").click()
        await say_who(window, "Sam Okafor")
        await rep.wait_text("Your Salesforce user has no phone here yet.")

        await rep.frame.evaluate("window.open = () => null")
        await rep.button("Sign in with Salesforce").click()
        await rep.wait_text("The browser held back the sign-in window.")
        await rep.button("Sign in with your phone account").click()
        await expect(rep.widget.get_by_label("Phone password")).to_be_visible()


async def test_a_strangers_page_gets_nothing(place: Place) -> None:
    """The window that a foreign page opens shows no sign-in, and tells it nothing."""
    origin = place.widget_url.removesuffix("/widget/salesforce")
    start = f"{origin}/v1/oauth/salesforce/start?tenant=acme&page={'A' * 43}"
    async with place.chromium.visitor("stranger") as visitor:
        page = await visitor.open(f"{place.salesforce.url}/sandbox/login?user=robin")
        await page.evaluate(
            "heard = []; addEventListener('message', (event) => heard.push(event.data))"
        )
        async with page.expect_popup() as opened:
            await page.evaluate("(url) => { open(url) }", start)
        window = await opened.value
        await expect(window.get_by_role("heading")).to_have_text(
            "You are not signed in"
        )
        assert window.url.startswith(origin), "it never came to Salesforce"
        assert await page.evaluate("heard") == []


async def phone_sign_in(rep: RepPage, number: str, password: str) -> None:
    fields = rep.widget
    if not await fields.get_by_label("Phone user name").is_visible():
        await rep.button("Sign in with your phone account").click()
    await fields.get_by_label("Phone user name").fill(number)
    await fields.get_by_label("Phone password").fill(password)
    await rep.button("Sign in").click()


async def test_sign_in_by_the_phone_account(place: Place, proxy: Kamailio) -> None:
    async with place.rep_page() as rep:
        for number, password in ((ROBIN, "wrong"), ("1299", PASSWORD)):
            await phone_sign_in(rep, number, password)
            await rep.wait_text("The user name or password is not right.")
        assert f"sip:{ROBIN}@" not in await proxy.contacts()
        # Nobody here knows this one; the application server does.
        await phone_sign_in(rep, NEWCOMER, PASSWORD)
        await rep.wait_ready()
        assert NEWCOMER in await proxy.contacts()
        await sign_out(rep)
        # One whom the configuration knows is that user.
        await phone_sign_in(rep, ROBIN, PASSWORD)
        await rep.wait_ready()
        assert "Robin" in await rep.text()
        await sign_out(rep)
