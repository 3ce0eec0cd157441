"""By keyboard alone, and by axe-core's rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from gateway.sessions import wire
from gateway.sessions.wire import EndReason
from tests.widget.browser import Widget
from tests.widget.conftest import OpenWidget
from tests.widget.fake_gateway import NOBODY, FakeGateway, record
from tests.widget.scenes_control import CHECKED, SCENES
from tests.widget.screenshots import STATES, WINDOWS, Shot, call_window, past

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"


async def focused(widget: Widget) -> str:
    name: str = await widget.page.evaluate(
        "(document.activeElement.getAttribute('aria-label')"
        " ?? document.activeElement.textContent).trim()"
    )
    return name


async def tab_to(widget: Widget, name: str) -> None:
    for _ in range(25):
        await widget.page.keyboard.press("Tab")
        if await focused(widget) == name:
            return
    pytest.fail(f"{name} cannot be reached by Tab")


async def test_a_working_day_by_keyboard(widget: Widget, gateway: FakeGateway) -> None:
    keyboard = widget.page.keyboard
    await tab_to(widget, "Name or number")
    await keyboard.type("1001")
    await keyboard.press("Enter")
    created = await gateway.until_sent("call.create")
    await gateway.answered(created.call_id)
    await widget.says("On call")
    await tab_to(widget, "Mute")
    await widget.past_guard()
    await keyboard.press("Space")
    await widget.says("On call, muted")
    await tab_to(widget, "End")
    await keyboard.press("Enter")
    await widget.shows("call", "ended")
    await keyboard.press("Escape")
    await widget.shows("idle")
    assert await focused(widget) == "Name or number"

    both = (record("Ana Ruiz"), record("Ben Ode", id="2"))
    await gateway.ring(match=wire.Match(state=wire.MatchState.FOUND, records=both))
    await widget.shows("call", "ringing")
    await widget.past_guard()
    await tab_to(widget, "Answer")
    await keyboard.press("Enter")
    await widget.shows("call", "active")
    assert await focused(widget) == "End", "the focus is where the next act is"
    await widget.past_guard()
    await keyboard.press("Enter")
    await widget.shows("call", "ended")


async def test_enter_meant_for_the_field_does_not_answer(
    widget: Widget, gateway: FakeGateway
) -> None:
    await widget.page.get_by_label("Name or number").click()
    await widget.page.keyboard.type("100")
    await gateway.ring()
    await widget.shows("call", "ringing")
    await widget.past_guard()
    await widget.page.keyboard.press("Enter")
    await widget.page.keyboard.press("Space")
    await widget.shows("call", "ringing")
    assert gateway.sent("call.answer") == []
    (call_id,) = gateway.calls
    await gateway.end(call_id, EndReason.MISSED)
    await widget.past_guard()
    await widget.page.keyboard.press("Escape")
    await expect(widget.page.get_by_label("Name or number")).to_have_value("100")


async def test_the_menu_by_keyboard(widget: Widget) -> None:
    await tab_to(widget, "Menu")
    await widget.page.keyboard.press("Enter")
    await expect(widget.page.get_by_role("dialog", name="Menu")).to_be_visible()
    await widget.page.keyboard.press("Escape")
    await expect(widget.page.get_by_role("dialog", name="Menu")).to_be_hidden()
    assert await focused(widget) == "Menu"


async def test_what_is_typed_in_a_form_survives_events(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await gateway.ring(match=NOBODY)
    await widget.button("Add contact").click()
    await widget.page.keyboard.type("Doe")
    await gateway.update(call_id, match=NOBODY)
    await widget.page.keyboard.type("rty")
    await expect(widget.page.get_by_label("Last name")).to_have_value("Doerty")


async def test_targets_are_large_enough(widget: Widget, gateway: FakeGateway) -> None:
    await gateway.ring()
    for name in ("Answer", "Decline"):
        box = await widget.button(name).bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert box["width"] >= 44


@pytest.mark.needs_npm("axe-core")
@pytest.mark.parametrize(
    "shot",
    [each for each in STATES if each.name not in SCENES or each.name in CHECKED],
    ids=lambda shot: shot.name,
)
async def test_no_serious_finding(
    open_page: OpenWidget, gateway: FakeGateway, shot: Shot
) -> None:
    gateway.history = past() if shot.has_past else []
    widget = await open_page(**shot.options, reduced_motion="reduce")
    if shot.options.get("signed_in", True):
        await widget.shows("idle")
    await shot.scene(widget)
    assert await serious_findings(widget.page) == []
    await widget.page.emulate_media(color_scheme="dark")
    assert await serious_findings(widget.page) == []


@pytest.mark.needs_npm("axe-core")
@pytest.mark.parametrize(
    "name",
    [each for each in WINDOWS if not each.startswith("meeting")]
    + ["meeting-4-mixed", "meeting-big"],
)
async def test_no_serious_finding_in_the_window(widget: Widget, name: str) -> None:
    window = await call_window(widget)
    await WINDOWS[name](window, widget)
    assert await serious_findings(window) == []


async def serious_findings(page: Page) -> list[str]:
    await page.evaluate(AXE.read_text())
    findings: list[str] = await page.evaluate(
        "async () => (await axe.run()).violations"
        ".filter(({ impact }) => impact === 'serious' || impact === 'critical')"
        ".map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)"
    )
    return findings
