"""Every state by axe-core, light and dark, within 320 px; and by keyboard."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from gateway.sessions import wire
from gateway.sessions.wire import EndReason, JoinState
from tests.guest.conftest import OpenGuest
from tests.guest.fake_invite import FakeInvite
from tests.guest.page import Guest
from tests.guest.scenes import (
    HOST,
    PHONE,
    SCREEN,
    STATES,
    UNSEEN,
    State,
    long_names,
)
from tests.widget.seats import seat

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
FINDINGS = """async () => (await axe.run()).violations
  .filter(({ impact }) => impact === 'serious' || impact === 'critical')
  .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)"""
# What is cut off at the side, and what a finger would miss.
WIDE = """() => document.documentElement.scrollWidth > innerWidth
  ? [`${document.documentElement.scrollWidth} px wide`] : []"""
SMALL = """() => [...document.querySelectorAll('button, select, input, a')]
  .filter((each) => each.checkVisibility())
  .map((each) => [each.outerHTML.slice(0, 80), each.getBoundingClientRect()])
  .filter(([, { width, height }]) => width < 44 || height < 44)
  .map(([html, { width, height }]) => `${html} is ${width} by ${height}`)"""


async def check(guest: Guest, state: str) -> None:
    page = guest.page
    if not await page.evaluate("() => 'axe' in globalThis"):
        await page.evaluate(AXE.read_text())
    findings = []
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        findings += await page.evaluate(FINDINGS)
    size = page.viewport_size
    assert size is not None
    await page.set_viewport_size({"width": 320, "height": 568})
    findings += await page.evaluate(WIDE)
    findings += await page.evaluate(SMALL)
    await page.set_viewport_size(size)
    assert findings == [], state


@pytest.mark.needs_npm("axe-core")
async def test_notices(open_page: OpenGuest, gateway: FakeInvite) -> None:
    long_names(gateway)
    guest = await open_page()
    for state, heading in (
        (JoinState.OVER, "The time of this call is over"),
        (JoinState.CANCELLED, "This call was cancelled"),
        (JoinState.REVOKED, "This link is no longer valid"),
        (JoinState.IN_USE, "This link is in use right now"),
        (JoinState.USED_UP, "This link was opened in too many browsers"),
        (JoinState.UNKNOWN, "This link does not work"),
    ):
        gateway.shows(state=state)
        await guest.look_again()
        await guest.says(heading)
        reach = guest.page.get_by_role("link", name="robin.reyes@acme.example")
        await expect(reach).to_have_attribute("href", "mailto:robin.reyes@acme.example")
        await check(guest, state)


@pytest.mark.needs_npm("axe-core")
@pytest.mark.parametrize(
    "state",
    [
        each
        for each in STATES
        if each.name in {"early-zones", "early-days", "asking", "blocked"}
        or each.name in {"camera-busy", "no-devices", "nameless", "not-joined"}
        or each.name in {"unreachable", "unsupported"}
    ],
    ids=lambda state: state.name,
)
async def test_before_the_call(
    open_page: OpenGuest, gateway: FakeInvite, state: State
) -> None:
    state.prepare(gateway)
    guest = await open_page(**state.options)
    await state.scene(guest)
    await check(guest, state.name)


@pytest.mark.needs_npm("axe-core")
async def test_in_the_call(guest: Guest, gateway: FakeInvite) -> None:
    await check(guest, "lobby")
    call_id = await guest.join()
    await check(guest, "ringing")
    await gateway.host_answers(call_id)
    await guest.stage("call")
    await check(guest, "call")
    await guest.button("Camera and sound settings").click()
    await check(guest, "settings")
    await guest.page.keyboard.press("Escape")
    await guest.button("Turn microphone off").click()
    await gateway.ends(call_id, 55)
    await guest.text("One minute left").wait_for()
    await check(guest, "muted, ending")
    gateway.answers_sockets = False
    gateway.drop_sockets()
    await guest.stage("reconnecting")
    await check(guest, "reconnecting")
    gateway.answers_sockets = True
    await guest.stage("call")
    none = wire.VideoView(state=wire.VideoState.NONE)
    await gateway.update(call_id, video=none)
    await guest.text("Sound only").wait_for()
    await check(guest, "sound only")
    offered = wire.VideoView(state=wire.VideoState.OFFERED)
    await gateway.update(call_id, video=offered)
    await guest.text("would like to see you").wait_for()
    await check(guest, "offered")
    gateway.answers_sockets = False
    await guest.page.reload()
    await guest.stage("returning")
    await check(guest, "returning")


@pytest.mark.needs_npm("axe-core")
async def test_in_a_meeting(guest: Guest) -> None:
    await guest.connect()
    await seat(guest.page, HOST, SCREEN, PHONE, UNSEEN)
    await check(guest, "meeting")
    await guest.button("Make Ben Okafor big").click()
    await check(guest, "one of them big")


@pytest.mark.needs_npm("axe-core")
async def test_how_it_ends(guest: Guest, gateway: FakeInvite) -> None:
    press = "Join"
    for count, (reason, heading, again) in enumerate(
        (
            (EndReason.NO_ANSWER, "Robin Reyes has not answered yet", "Try again"),
            (EndReason.BUSY, "Robin Reyes is in another call", "Try again"),
            (
                EndReason.DECLINED_THERE,
                "Robin Reyes cannot take the call right now",
                "Try again",
            ),
            (EndReason.HUNG_UP_THERE, "The call has ended", "Rejoin"),
            (EndReason.HUNG_UP_HERE, "You have left the call", "Rejoin"),
            (EndReason.INVITE_OVER, "The time of this call is over", ""),
        ),
        start=1,
    ):
        await guest.button(press).click()
        call_id = (await gateway.until_sent("call.join", count)).call_id
        await gateway.until_media_answered(call_id)
        await gateway.end(call_id, reason)
        await guest.says(heading)
        await check(guest, reason)
        press = again
        if again:
            await expect(guest.button(again)).to_be_enabled()
    await expect(guest.page.get_by_role("button")).to_have_count(0)


async def focused(guest: Guest) -> str:
    name: str = await guest.page.evaluate(
        "() => (document.activeElement.getAttribute('aria-label')"
        " ?? document.activeElement.innerText).trim()"
    )
    return name


async def tab_to(guest: Guest, name: str) -> None:
    for _ in range(20):
        await guest.page.keyboard.press("Tab")
        if await focused(guest) == name:
            return
    pytest.fail(f"{name} cannot be reached by Tab")


async def test_all_by_keyboard(guest: Guest, gateway: FakeInvite) -> None:
    keyboard = guest.page.keyboard
    await tab_to(guest, "Turn microphone off")
    await keyboard.press("Space")
    assert await focused(guest) == "Turn microphone on"
    await tab_to(guest, "Join")
    await keyboard.press("Enter")
    call_id = await gateway.ringing()
    await guest.says("Ringing Robin Reyes…")
    assert await focused(guest) == "Ringing Robin Reyes…", "it is read out"
    await gateway.host_answers(call_id)
    await guest.stage("call")
    own = "Your own picture. Press to move it to another corner."
    await tab_to(guest, own)
    corner = guest.page.locator(".g-self")
    await expect(corner).to_have_attribute("data-corner", "end-bottom")
    await keyboard.press("ArrowUp")
    await keyboard.press("ArrowLeft")
    await expect(corner).to_have_attribute("data-corner", "start-top")
    await keyboard.press("Enter")
    await expect(corner).to_have_attribute("data-corner", "start-bottom")
    await tab_to(guest, "Turn microphone on")
    await keyboard.press("Enter")
    await expect(guest.page.get_by_text("Your microphone is on")).to_have_count(1)
    await tab_to(guest, "Camera and sound settings")
    await keyboard.press("Enter")
    camera = guest.page.get_by_role("combobox", name="Camera")
    await expect(camera).to_be_focused()
    await keyboard.press("Escape")
    assert await focused(guest) == "Camera and sound settings"
    await tab_to(guest, "Leave")
    await keyboard.press("Enter")
    await guest.says("You have left the call")
    await tab_to(guest, "Rejoin")
