"""A rep's Salesforce page with the softphone in its utility bar.

Everything is done and read as a person does: by the words on the buttons and on the
screen, inside the frame that the page holds.
"""

from __future__ import annotations

import asyncio

from playwright.async_api import Error, Frame, FrameLocator, Locator, Page

from tests.system.browser import Visitor, hears, wait_hears
from tests.system.tones import Sound
from tests.system.waiting import until, until_true

# The softphone ignores a press so soon after its buttons changed places: it was
# meant for the button that was there before.
GUARD_S = 0.45
READY_TIMEOUT_S = 15.0


class RepPage:
    """One page of the org, opened by :meth:`tests.system.world.World.rep_page`."""

    def __init__(self, visitor: Visitor, page: Page, widget_url: str) -> None:
        self.visitor = visitor
        self.page = page
        self._widget_url = widget_url

    @property
    def widget(self) -> FrameLocator:
        """The softphone's frame, to find things in."""
        return self.page.frame_locator(f'iframe[src^="{self._widget_url}"]')

    @property
    def phone(self) -> Locator:
        """The softphone itself; its data attributes name what is on the screen."""
        return self.widget.locator("ringbridge-softphone")

    @property
    def frame(self) -> Frame:
        """The softphone's frame, to run scripts in.

        Raises:
            AssertionError: the page has none (yet).
        """
        frame = self._find_frame()
        assert frame is not None, [frame.url for frame in self.page.frames]
        return frame

    def _find_frame(self) -> Frame | None:
        for frame in self.page.frames:
            if frame.url.startswith(self._widget_url):
                return frame
        return None

    # The screen -----------------------------------------------------------------------

    async def screen(self) -> str:
        """``idle``, ``ringing``, ``up``, ``ended``, ``signed-out``, ... or ""."""
        try:
            return await self.phone.get_attribute("data-screen", timeout=1000) or ""
        except Error:
            # Between two documents.
            return ""

    async def wait_screen(self, screen: str, *, timeout_s: float = 10.0) -> None:
        """Wait until the softphone shows that screen."""
        last = ""

        async def is_there() -> bool:
            nonlocal last
            last = await self.screen()
            return last == screen

        try:
            await until(is_there, f"screen {screen}", timeout_s=timeout_s)
        except AssertionError:
            text = await self.text() if last else ""
            raise AssertionError(f"not {screen} but {last}: {text}") from None

    async def wait_status(self, words: str, *, timeout_s: float = 10.0) -> None:
        """Wait for the words of the top line (``Available``, ``On call``)."""
        await self.wait_text(words, within=".rb-state", timeout_s=timeout_s)

    async def wait_text(
        self, words: str, *, within: str = "main", timeout_s: float = 10.0
    ) -> None:
        """Wait until these words are to be seen in a part of the softphone."""
        place = self.widget.locator(within).get_by_text(words).locator("visible=true")
        try:
            await place.first.wait_for(timeout=timeout_s * 1000)
        except Error:
            raise AssertionError(
                f"{words!r} is not on the screen: {await self.text()}"
            ) from None

    async def text(self) -> str:
        """All visible words of the softphone, in one line."""
        return " ".join((await self.phone.inner_text(timeout=2000)).split())

    async def wait_ready(self) -> None:
        """Wait until the phone account is registered."""
        await self.wait_status("Available", timeout_s=READY_TIMEOUT_S)

    # What a rep does ------------------------------------------------------------------

    async def open_panel(self) -> None:
        """Open the softphone's panel in the utility bar, if it is closed."""
        panel = self.page.locator("#panel")
        if not await panel.is_visible():
            await self.page.locator("#utility").click()
            await panel.wait_for()

    def button(self, label: str) -> Locator:
        """The visible button of that name."""
        return self.widget.get_by_role("button", name=label, exact=True).locator(
            "visible=true"
        )

    async def press(self, label: str) -> None:
        """Press a button that has just come up, as soon as a person could."""
        await self.button(label).wait_for()
        await asyncio.sleep(GUARD_S)
        await self.button(label).click()

    async def answer(self) -> None:
        """Take the call that rings."""
        await self.wait_screen("ringing")
        await self.press("Answer")
        await self.wait_status("On call")

    async def decline(self) -> None:
        await self.wait_screen("ringing")
        await self.press("Decline")

    async def end(self) -> None:
        """Hang up, or cancel."""
        await self.press("End")
        await self.wait_screen("ended")

    async def dial(self, number: str) -> None:
        """Type a number and press Call."""
        await self.open_panel()
        if await self.screen() == "ended":
            await self.press("Done")
        await self.wait_screen("idle")
        field = self.widget.get_by_label("Name or number")
        await field.fill(number)
        await self.button("Call").click()

        async def is_placed() -> bool:
            return await self.screen() in ("up", "ended")

        await until(is_placed, "the call placed")

    async def type_digits(self, digits: str) -> None:
        """Press keys of the keypad during a call."""
        await self.press("Keypad")
        keypad = self.widget.locator("ringbridge-call ringbridge-keypad")
        for digit in digits:
            await keypad.get_by_role("button", name=digit, exact=True).click()

    async def click_to_dial(self, contact_id: str) -> None:
        """Open a contact's page and click on its phone number."""
        await self.open_contact(contact_id)
        await self.page.locator("main [data-field=Phone] button").click()

    async def open_contact(self, contact_id: str) -> None:
        """Go to a contact's page as by a link in Salesforce: without a new document."""
        await self.page.get_by_role("link", name="Contacts").first.click()
        await self.page.locator(f"main a[href*='{contact_id}']").first.click()
        await self.page.wait_for_url(f"**/{contact_id}/**")

    # What a rep hears -----------------------------------------------------------------

    async def wait_hears(self, hz: float, *, timeout_s: float = 5.0) -> Sound:
        """Wait until a tone is heard from the far end."""
        frame = await until_true(self._find_frame, "the softphone's frame")
        assert frame is not None
        return await wait_hears(frame, hz, timeout_s=timeout_s)

    async def hears(self) -> Sound:
        """What is heard now."""
        return await hears(self.frame)

    async def generations(self) -> int:
        """How many peer connections this document has made."""
        count: int = await self.frame.evaluate("ringbridgeEars.peers.length")
        return count
