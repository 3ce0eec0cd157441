"""Video with a SIP device: called with video, raised to it, and back to sound."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, expect

from tests.system.browser import wait_hears, wait_sees
from tests.system.conftest import BROWSER_SAYS, BROWSER_SHOWS
from tests.system.rep import GUARD_S, RepPage
from tests.system.world import PHONE_SAYS, World

pytestmark = [
    pytest.mark.system,
    pytest.mark.needs("kamailio", "kamcmd", "baresip", "chromium"),
]


async def press_for_window(rep: RepPage, label: str) -> Page:
    """Press what opens the window of the call; gives the window."""
    await rep.button(label).wait_for()
    await asyncio.sleep(GUARD_S)
    async with rep.page.expect_popup() as popup:
        await rep.button(label).click()
    return await popup.value


async def test_a_call_is_raised_to_video_and_lowered_again(world: World) -> None:
    """The device shows the rep its own pictures; without them the sound goes on."""
    logged = len(await world.salesforce.tasks())
    async with (
        await world.callee("+12025550181", answer="auto", has_video=True) as device,
        world.rep_page(has_camera=True) as rep,
    ):
        await device.wait_registered()
        await rep.dial(device.user)
        await rep.wait_status("On call")
        await rep.wait_hears(PHONE_SAYS)
        window = await press_for_window(rep, "Video")
        await wait_sees(window, BROWSER_SHOWS, timeout_s=15)
        await wait_hears(window, PHONE_SAYS, timeout_s=8)
        await device.wait_hears(BROWSER_SAYS)

        # Closing the window goes back to sound, in the phone's page.
        await window.close()
        await rep.wait_hears(PHONE_SAYS, timeout_s=10)
        await device.wait_hears(BROWSER_SAYS, timeout_s=10)
        await rep.end()
        await device.wait_event("CALL_CLOSED")
        assert len(device.requests("INVITE")) >= 2
        assert not [message for message in device.requests("BYE") if message.sent]
        [task] = await world.salesforce.wait_tasks(1, after=logged)
        assert task.outcome == "Answered"


async def test_a_device_without_video_is_heard(world: World) -> None:
    """Asked for video, it answers with sound alone; the window says so, and waits."""
    async with (
        await world.callee("+12025550182", answer="auto") as phone,
        world.rep_page(has_camera=True) as rep,
    ):
        await phone.wait_registered()
        await rep.dial(phone.user)
        await rep.wait_status("On call")
        window = await press_for_window(rep, "Video")
        await expect(window.get_by_text("to turn on video").first).to_be_visible(
            timeout=15_000
        )
        await wait_hears(window, PHONE_SAYS, timeout_s=8)
        await phone.wait_hears(BROWSER_SAYS)
        await window.get_by_role("button", name="End call").click()
        await phone.wait_event("CALL_CLOSED")
