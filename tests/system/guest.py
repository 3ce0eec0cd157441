"""A customer with a link and nothing but a browser."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from playwright.async_api import Page, expect

from tests.system.browser import Visitor, wait_hears, wait_sees

# Seconds; two slow cores may be shared by all that is in this world.
PATIENCE_MS = 15_000


@dataclass
class GuestPage:
    """The page of a link; everything is done and read as a person does."""

    visitor: Visitor
    page: Page

    async def shows(self, screen: str, kind: str | None = None) -> None:
        """Wait for a screen: ``lobby``, ``call``, ``notice``, ..."""
        main = self.page.locator("#g-main")
        await expect(main).to_have_attribute("data-screen", screen, timeout=PATIENCE_MS)
        if kind is not None:
            await expect(main).to_have_attribute("data-kind", kind, timeout=PATIENCE_MS)

    async def stage(self, state: str) -> None:
        """Wait for a state of the call: ``ringing``, ``call``, ..."""
        await expect(self.page.locator(".g-stage")).to_have_attribute(
            "data-state", state, timeout=PATIENCE_MS
        )

    async def says(self, words: str) -> None:
        """Wait until these words are to be seen."""
        text = self.page.get_by_text(words).locator("visible=true")
        await expect(text.first).to_be_visible(timeout=PATIENCE_MS)

    async def press_join(self) -> None:
        await self.page.get_by_role("button", name="Join", exact=True).click()

    async def join(self) -> None:
        """Press Join, and wait until it rings at the host."""
        await self.press_join()
        await self.stage("ringing")

    async def leave(self) -> None:
        # The controls have gone if nobody has moved for a while.
        await self.page.mouse.move(200, 200)
        await self.page.mouse.move(220, 220)
        await self.page.get_by_role("button", name="Leave", exact=False).first.click()

    async def meets(self, *, hz: float, who: int | None, timeout_s: float = 8) -> None:
        """Wait until the host is heard and, with ``who``, seen."""
        waits = [wait_hears(self.page, hz, timeout_s=timeout_s)]
        await asyncio.gather(*waits)
        if who is not None:
            await wait_sees(self.page, who, timeout_s=timeout_s)
