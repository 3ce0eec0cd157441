"""Chromium, and the widget in it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from tests.widget.fake_gateway import TOKEN, FakeGateway

EXECUTABLE = "/usr/bin/chromium"
SIZE = {"width": 340, "height": 480}
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]
SIGNED_IN = f"sessionStorage.setItem('ringbridge.access_token', '{TOKEN}')"
WATCH = """
globalThis.violations = [];
document.addEventListener('securitypolicyviolation', (event) =>
  violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


# The screen has been the same for as long as its buttons do not react.
STEADY = """async () => {
  const phone = document.querySelector('ringbridge-softphone');
  let [seen, since] = ['', performance.now()];
  while (performance.now() - since < 450) {
    const now = `${phone.dataset.screen} ${phone.querySelector('.rb-second')?.hidden}`;
    if (now !== seen) [seen, since] = [now, performance.now()];
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}"""


@contextlib.asynccontextmanager
async def chromium(*extra: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=EXECUTABLE,
            headless=True,
            args=[*ARGUMENTS, *extra],
        )
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Widget:
    """A page with the widget, and what happened in it."""

    page: Page
    gateway: FakeGateway
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    @property
    def root(self) -> Locator:
        return self.page.locator("ringbridge-softphone")

    def button(self, name: str, *, exact: bool = True) -> Locator:
        return self.page.get_by_role("button", name=name, exact=exact)

    def text(self, text: str) -> Locator:
        """What is to be seen; screens that are not on show keep their words."""
        parts = self.page.locator("main, .rb-second, .rb-banner")
        return parts.get_by_text(text).locator("visible=true")

    async def shows(self, view: str, state: str | None = None) -> None:
        await expect(self.root).to_have_attribute("data-view", view)
        if state is not None:
            await expect(self.root).to_have_attribute("data-state", state)

    async def says(self, text: str) -> None:
        await expect(self.page.locator(".rb-state")).to_have_text(text)

    async def state(self, expression: str) -> Any:
        return await self.page.evaluate(
            "(code) => { const phone = document.querySelector('ringbridge-softphone');"
            " return new Function('phone', 'client', `return ${code}`)"
            "(phone, phone.client); }",
            expression,
        )

    async def until(self, expression: str) -> None:
        await self.page.wait_for_function(
            "() => { const phone = document.querySelector('ringbridge-softphone');"
            f" const client = phone?.client; return {expression}; }}"
        )

    async def past_guard(self) -> None:
        """Buttons that have just changed ignore presses for a moment."""
        if self.gateway.calls:
            await self.until("!['idle', 'connecting'].includes(phone.dataset.view)")
        await self.page.evaluate(STEADY)

    async def violations(self) -> list[str]:
        found: list[str] = await self.page.evaluate("globalThis.violations")
        return found


async def open_widget(
    browser: Browser,
    gateway: FakeGateway,
    *,
    path: str = "/widget/",
    signed_in: bool = True,
    microphone: bool = True,
    camera: bool = True,
    init: str = "",
    **context: Any,
) -> Widget:
    made = await browser.new_context(
        viewport=context.pop("viewport", SIZE),
        permissions=[
            *(["microphone"] if microphone else []),
            *(["camera"] if camera else []),
        ],
        bypass_csp=False,
        **context,
    )
    page = await made.new_page()
    await page.add_init_script(WATCH)
    if signed_in:
        await page.add_init_script(SIGNED_IN)
    if init:
        await page.add_init_script(init)
    widget = Widget(page, gateway)
    await page.goto(gateway.url + path)
    await expect(widget.root).to_be_visible()
    return widget
