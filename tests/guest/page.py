"""The page of a link, in Chromium."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, Locator, Page, expect

from tests.guest.fake_invite import LINK, FakeInvite
from tests.widget.browser import WATCH

SIZE = {"width": 400, "height": 800}
# Devices that are not there, or not to be had. The rest of the page is the real one.
DEVICES = """
globalThis.missing = new Set(%s);
globalThis.failing = %s;
const media = navigator.mediaDevices;
const open = media.getUserMedia.bind(media);
const list = media.enumerateDevices.bind(media);
media.getUserMedia = async (wanted) => {
  for (const kind of ['video', 'audio']) {
    if (!wanted[kind]) continue;
    const absent = missing.has(kind) && ['NotFoundError', ''];
    const [name, text] = absent || failing[kind] || [];
    if (name) throw new DOMException(text, name);
  }
  return open(wanted);
};
media.enumerateDevices = async () =>
  (await list()).filter(({ kind }) => !missing.has(kind.replace('input', '')));
"""
# The browser has not been asked yet, and will ask; the context's grants answer.
ASKS = """
let isAsked = false;
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = (wanted) => {
  isAsked = true;
  globalThis.questions = (globalThis.questions ?? 0) + 1;
  return open(wanted);
};
const query = navigator.permissions.query.bind(navigator.permissions);
navigator.permissions.query = async (what) =>
  isAsked || !/camera|microphone/.test(what.name) ? query(what) : { state: 'prompt' };
"""


@dataclass
class Guest:
    page: Page
    gateway: FakeInvite
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    @property
    def root(self) -> Locator:
        return self.page.locator("#g-main")

    def button(self, name: str, *, exact: bool = True) -> Locator:
        return self.page.get_by_role("button", name=name, exact=exact)

    def text(self, text: str, *, exact: bool = False) -> Locator:
        return self.page.get_by_text(text, exact=exact).locator("visible=true")

    async def shows(self, screen: str, kind: str | None = None) -> None:
        await expect(self.root).to_have_attribute("data-screen", screen)
        if kind is not None:
            await expect(self.root).to_have_attribute("data-kind", kind)

    async def says(self, heading: str) -> None:
        await expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)

    async def stage(self, state: str) -> None:
        await expect(self.page.locator(".g-stage")).to_have_attribute(
            "data-state", state
        )

    async def sees_self(self) -> None:
        """The camera's picture moves in the preview."""
        await self.page.wait_for_function(
            "() => document.querySelector('.g-preview video')?.currentTime > 0"
        )

    async def join(self) -> str:
        """Joins and rings; returns the call."""
        joins = len(self.gateway.sent("call.join"))
        await self.button("Join").click()
        call_id = await self.gateway.ringing(joins + 1)
        await self.stage("ringing")
        return call_id

    async def connect(self, *, has_video: bool = True) -> str:
        """Joins, and the host answers."""
        call_id = await self.join()
        await self.gateway.host_answers(call_id, has_video=has_video)
        await self.shows("call")
        await self.stage("call")
        return call_id

    async def look_again(self) -> None:
        """As when somebody comes back to the tab."""
        await self.page.evaluate(
            "() => void document.dispatchEvent(new Event('visibilitychange'))"
        )

    async def violations(self) -> list[str]:
        found: list[str] = await self.page.evaluate("() => globalThis.violations ?? []")
        return found


def address(gateway: FakeInvite, token: str = LINK) -> str:
    return f"{gateway.url}/join/{token}"


async def open_guest(
    browser: Browser,
    gateway: FakeInvite,
    *,
    token: str = LINK,
    camera: bool = True,
    microphone: bool = True,
    missing: tuple[str, ...] = (),
    failing: dict[str, tuple[str, str]] | None = None,
    init: str = "",
    **context: Any,
) -> Guest:
    """``missing`` and ``failing`` by kind of track, ``audio`` or ``video``."""
    granted = [
        *(["camera"] if camera else []),
        *(["microphone"] if microphone else []),
    ]
    made = await browser.new_context(
        viewport=context.pop("viewport", SIZE),
        permissions=granted,
        bypass_csp=False,
        locale=context.pop("locale", "en-GB"),
        timezone_id=context.pop("timezone_id", "UTC"),
        **context,
    )
    page = await made.new_page()
    await page.add_init_script(WATCH)
    if missing or failing:
        wrong = {kind: list(error) for kind, error in (failing or {}).items()}
        await page.add_init_script(DEVICES % (list(missing), wrong))
    if init:
        await page.add_init_script(init)
    guest = Guest(page, gateway)
    await page.goto(address(gateway, token))
    return guest
