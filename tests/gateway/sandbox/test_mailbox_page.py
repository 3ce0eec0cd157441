"""The mailbox's page in a browser: read, click, and nothing that a mail could do."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Page, Request, async_playwright, expect

from gateway.sandbox.console_server import Console
from gateway.sandbox.mailbox import Mailbox
from tests.gateway.sandbox.mails import LINK, invitation
from tests.gateway.sandbox.test_mailbox import send
from tests.widget.browser import ARGUMENTS, EXECUTABLE
from tests.widget.test_accessibility import AXE

pytestmark = pytest.mark.system

LONG = "Maximiliana-Theodora_Featherstonehaugh-Cholmondeley_von_Berg " * 2


@dataclass
class Desk:
    page: Page
    mailbox: Mailbox
    url: str
    asked: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def failed(self, request: Request) -> None:
        (self.blocked if request.failure == "csp" else self.asked).append(request.url)

    async def axe(self) -> list[str]:
        await self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = await self.page.evaluate(
            "axe.run(document, {iframes: false}).then((r) => r.violations.map((v) =>"
            " `${v.id}: ${v.nodes.map((n) => n.target).join(' ')}`))"
        )
        assert isinstance(found, list)
        return found


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    mailbox = Mailbox(now=lambda: 1_795_000_000.0)
    await mailbox.start()
    console = Console({}, {}, mailbox=mailbox, now=lambda: 0.0)
    mailbox.on_change = console.mails_changed
    runner = web.AppRunner(console.application(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=EXECUTABLE, args=ARGUMENTS
        )
        context = await browser.new_context(
            timezone_id="America/New_York", locale="en-US"
        )
        page = await context.new_page()
        desk = Desk(page, mailbox, url)
        page.on("pageerror", lambda error: desk.errors.append(str(error)))
        page.on("requestfinished", lambda request: desk.asked.append(request.url))
        page.on("requestfailed", desk.failed)
        await page.goto(f"{url}mailbox")
        yield desk
        assert desk.errors == []
        await browser.close()
    await runner.cleanup()
    await mailbox.close()


async def test_an_invitation_arrives_and_its_link_is_clicked(desk: Desk) -> None:
    page = desk.page
    await expect(page.get_by_text("Nothing yet")).to_be_visible()
    await send(desk.mailbox, invitation())
    await expect(page.get_by_role("button", name="Video call")).to_have_count(1)
    mail = page.locator("#mail")
    await expect(mail.get_by_role("heading", level=2)).to_have_text(
        "Video call: Renewal quote"
    )
    entry = mail.locator(".entry")
    await expect(entry.get_by_role("heading")).to_have_text("Invitation: Renewal quote")
    words = (await entry.inner_text()).replace("\u202f", " ").replace("\u2009", " ")
    assert "Wednesday, November 25, 2026" in words
    assert "9:00 – 9:30 AM" in words
    assert "robin.reyes@acme.example" in words
    link = mail.get_by_role("link", name="Open the link")
    assert await link.get_attribute("href") == LINK
    assert await link.get_attribute("rel") == "noopener noreferrer"
    # Both forms, and the link in the HTML opens elsewhere.
    frame = mail.frame_locator("iframe")
    await expect(frame.get_by_role("link", name="Join the call")).to_be_visible()
    await page.context.route(
        "https://gw.example/**", lambda route: route.fulfill(body="joined")
    )
    async with page.context.expect_page() as opened:
        await frame.get_by_role("link", name="Join the call").click()
    assert (await opened.value).url == LINK
    assert page.url == f"{desk.url}mailbox"
    await mail.get_by_role("button", name="Text").click()
    await expect(mail.get_by_text("Help: https://gw.example/help")).to_be_visible()
    await expect(mail.locator("iframe")).to_be_hidden()


async def test_a_mail_cannot_do_anything(desk: Desk) -> None:
    """Its script, its picture from elsewhere, its subject."""
    await send(desk.mailbox, invitation("<img src=x onerror=alert(1)> & co"))
    frame = desk.page.frame_locator("#mail iframe")
    await expect(frame.get_by_role("heading")).to_have_text("Renewal quote")
    await expect(desk.page.locator("#mail h2")).to_have_text(
        "<img src=x onerror=alert(1)> & co"
    )
    assert await desk.page.locator("#mail img, #mails img").count() == 0
    assert desk.page.url == f"{desk.url}mailbox"
    assert [url for url in desk.asked if not url.startswith(desk.url)] == []
    assert desk.blocked == ["http://tracker.invalid/pixel.png"]
    (inner,) = desk.page.main_frame.child_frames
    assert await inner.title() == "x"


async def test_changes_and_cancellations_are_told_apart(desk: Desk) -> None:
    page = desk.page
    await send(desk.mailbox, invitation())
    await expect(page.locator("#mails button")).to_have_count(1)
    await send(desk.mailbox, invitation("Changed", sequence=1))
    await send(desk.mailbox, invitation("Cancelled", method="CANCEL", sequence=2))
    await expect(page.locator("#mails .subject")).to_have_text(
        ["Cancelled", "Changed", "Video call: Renewal quote"]
    )
    await expect(page.get_by_role("status")).to_have_text("New mail: Cancelled")
    # What is being read stays on show.
    await expect(page.locator("#mail h2")).to_have_text("Video call: Renewal quote")
    for name, words in (
        ("Changed", "Changed invitation: Renewal quote"),
        ("Cancelled", "Cancellation: Renewal quote"),
    ):
        await page.locator("#mails").get_by_role("button", name=name).press("Enter")
        await expect(page.locator(".entry h3")).to_have_text(words)
        assert await page.evaluate("document.activeElement.id") == "mail"
    await expect(page.locator(".entry")).to_contain_text("cancelled, version 2")


async def test_pictures_and_accessibility(desk: Desk, tmp_path: Path) -> None:
    """Light, dark and narrow; ``SCREENSHOTS=folder`` keeps the pictures."""
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    page = desk.page
    await page.screenshot(path=folder / "mailbox-empty.png")
    await send(desk.mailbox, invitation(LONG))
    await send(
        desk.mailbox,
        invitation("عرض التجديد", html=None),
        LONG.split()[0] + "@x.example",
    )
    await send(desk.mailbox, invitation())
    await expect(page.locator("#mails button")).to_have_count(3)
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        for width in (1280, 320):
            await page.set_viewport_size({"width": width, "height": 900})
            for place, name in enumerate(("html", "text", "long")):
                button = page.locator("#mails button").nth(place)
                await button.click()
                subject = await button.locator(".subject").inner_text()
                await expect(page.locator("#mail h2")).to_have_text(subject)
                if name != "text":
                    inside = page.frame_locator("#mail iframe")
                    await expect(inside.get_by_role("heading")).to_be_visible()
                await page.screenshot(
                    path=folder / f"mailbox-{scheme}-{width}-{name}.png",
                    full_page=True,
                )
                assert await page.evaluate(
                    "document.documentElement.scrollWidth <= innerWidth"
                )
                assert await desk.axe() == []
    await page.goto(desk.url)
    await page.set_viewport_size({"width": 1280, "height": 500})
    await page.screenshot(path=folder / "telephones.png")
    assert await desk.axe() == []
