"""Camera, microphone and speaker before the call, and what to do where they fail."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.guest.conftest import OpenGuest
from tests.guest.fake_invite import FakeInvite
from tests.guest.page import ASKS, Guest

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

BUSY = ("NotReadableError", "Could not start video source")
BLOCKED_BY_SYSTEM = ("NotAllowedError", "Permission denied by system")


async def plug_in(guest: Guest, kind: str) -> None:
    await guest.page.evaluate(
        "(kind) => { missing.delete(kind);"
        " navigator.mediaDevices.dispatchEvent(new Event('devicechange')); }",
        kind,
    )


async def test_am_i_seen_and_heard(guest: Guest) -> None:
    await expect(guest.text("Your microphone works.")).to_be_visible()
    meter = guest.page.get_by_role("meter", name="Microphone level")
    await expect(meter).not_to_have_attribute("aria-valuenow", "0")
    await guest.button("Test the speaker").click()
    await expect(guest.text("Did you hear it?")).to_be_visible()


async def test_the_browser_is_made_to_ask_once_and_after_a_click(
    open_page: OpenGuest,
) -> None:
    guest = await open_page(init=ASKS)
    await expect(guest.text("Nobody sees or hears you")).to_be_visible()
    assert await guest.page.evaluate("() => globalThis.questions ?? 0") == 0
    await guest.button("Turn on camera and microphone").click()
    await guest.sees_self()
    await expect(guest.text("Your microphone works.")).to_be_visible()
    assert await guest.page.evaluate("() => globalThis.questions") == 1
    await guest.connect()
    assert await guest.page.evaluate("() => globalThis.questions") == 1


async def test_join_asks_when_nobody_has(open_page: OpenGuest) -> None:
    guest = await open_page(init=ASKS)
    await guest.button("Turn on camera and microphone").wait_for()
    await guest.connect()
    await expect(guest.button("Turn camera off")).to_be_visible()


async def test_join_shows_what_is_wrong_before_it_goes_on(
    open_page: OpenGuest, gateway: FakeInvite
) -> None:
    guest = await open_page(init=ASKS, camera=False, microphone=False)
    await guest.button("Turn on camera and microphone").wait_for()
    await guest.button("Join").click()
    await expect(guest.text("Camera and microphone are blocked")).to_be_visible()
    assert gateway.entries == []
    await guest.connect()


async def test_a_blocked_camera_does_not_keep_the_microphone_away(
    open_page: OpenGuest,
) -> None:
    guest = await open_page(camera=False)
    await expect(guest.text("The camera is blocked")).to_be_visible()
    await expect(guest.text("icon to the left of the address")).to_be_visible()
    await expect(guest.text("Your microphone works.")).to_be_visible()
    await expect(guest.text("You can also join with sound only.")).to_be_visible()
    await guest.connect()
    await expect(guest.page.locator(".g-self")).to_be_hidden()
    await expect(guest.button("Turn camera on")).to_be_visible()


async def test_allowed_after_all(open_page: OpenGuest) -> None:
    guest = await open_page(camera=False, microphone=False)
    await guest.text("Camera and microphone are blocked").wait_for()
    await guest.page.context.grant_permissions(["camera", "microphone"])
    await guest.button("Try again").click()
    await guest.sees_self()
    await expect(guest.page.locator(".g-problem")).to_have_count(0)


async def test_the_system_blocks_it(open_page: OpenGuest) -> None:
    guest = await open_page(
        failing={"video": BLOCKED_BY_SYSTEM, "audio": BLOCKED_BY_SYSTEM},
        user_agent="Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/140.0",
    )
    await expect(guest.text("System Settings")).to_be_visible()


async def test_a_camera_that_another_program_has(open_page: OpenGuest) -> None:
    guest = await open_page(failing={"video": BUSY})
    await expect(guest.text("in use by another program")).to_be_visible()
    await guest.page.evaluate("() => { delete failing.video; }")
    await guest.button("Try again").click()
    await guest.sees_self()


async def test_a_camera_that_is_plugged_in_is_noticed(open_page: OpenGuest) -> None:
    guest = await open_page(missing=("video",))
    await expect(guest.text("No camera found")).to_be_visible()
    await plug_in(guest, "video")
    await guest.sees_self()


async def test_without_a_microphone_one_listens_and_may_get_one_later(
    open_page: OpenGuest,
) -> None:
    guest = await open_page(missing=("audio",))
    await expect(guest.text("No microphone found")).to_be_visible()
    await expect(guest.text("Without one you can watch and listen.")).to_be_visible()
    await guest.connect()
    await expect(guest.text("Nobody hears you")).to_be_visible()
    await plug_in(guest, "audio")
    await guest.button("Connect microphone").first.click()
    await expect(guest.text("Nobody hears you")).to_be_hidden()
    await expect(guest.button("Turn microphone off")).to_be_visible()


async def test_what_was_turned_off_stays_off_in_the_call(
    guest: Guest, gateway: FakeInvite
) -> None:
    await guest.button("Turn camera off").click()
    await guest.button("Turn microphone off").click()
    await expect(guest.text("Your camera is off", exact=True)).to_be_visible()
    await expect(guest.text("Your microphone is off.")).to_be_visible()
    await guest.connect()
    await expect(guest.button("Turn camera on")).to_be_visible()
    await expect(guest.button("Turn microphone on")).to_be_visible()
    await expect(guest.page.locator(".g-self")).to_be_hidden()


async def test_another_device_is_chosen_and_kept(guest: Guest) -> None:
    microphone = guest.page.get_by_role("combobox", name="Microphone")
    await microphone.select_option(label="Fake Audio Input 2")
    speaker = guest.page.get_by_role("combobox", name="Speaker")
    await speaker.select_option(label="Fake Audio Output 2")
    await expect(guest.text("Your microphone works.")).to_be_visible()
    await guest.page.reload()
    await guest.sees_self()
    await expect(microphone.locator("option:checked")).to_have_text(
        "Fake Audio Input 2"
    )
    await expect(speaker.locator("option:checked")).to_have_text("Fake Audio Output 2")


async def test_an_unplugged_camera_is_replaced(guest: Guest) -> None:
    await guest.page.evaluate(
        "() => { const { srcObject } = document.querySelector('.g-preview video');"
        " const [track] = srcObject.getTracks(); track.stop();"
        " globalThis.gone = track; track.dispatchEvent(new Event('ended')); }"
    )
    await guest.page.wait_for_function(
        "() => { const { srcObject } = document.querySelector('.g-preview video');"
        " return srcObject && srcObject.getTracks()[0] !== gone"
        " && srcObject.getTracks()[0].readyState === 'live'; }"
    )
