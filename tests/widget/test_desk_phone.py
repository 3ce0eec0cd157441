"""Calls that the rep has on the desk phone: followed, and dialled by it."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from gateway.sessions import wire
from gateway.sessions.wire import CallDevice, EndReason, WorkState, WorkView
from tests.widget.browser import Widget
from tests.widget.conftest import OpenWidget
from tests.widget.fake_gateway import FakeGateway
from tests.widget.test_accessibility import serious_findings
from tests.widget.test_calls import answer, dial

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

BUTTONS = ("Answer", "Decline", "End", "Mute", "Keypad", "Video")


async def at_the_desk(gateway: FakeGateway) -> str:
    return await gateway.ring(
        device=CallDevice.DESK_PHONE, work=WorkView(state=WorkState.OPEN)
    )


async def test_it_is_followed_and_written_on(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await at_the_desk(gateway)
    await widget.shows("call", "ringing")
    await widget.says("Ringing on the desk phone")
    await expect(widget.text("Pick up your desk phone.")).to_be_visible()
    await gateway.answered(call_id)
    await widget.says("On desk phone")
    for name in BUTTONS:
        await expect(widget.button(name)).to_have_count(0)
    await widget.page.get_by_label("Notes").fill("by hand")
    await gateway.until_sent("work.change")
    assert await serious_findings(widget.page) == []
    await gateway.end(call_id, EndReason.HUNG_UP_THERE)
    await widget.shows("call", "ended")
    assert gateway.sent("call.media") == [], "it has no sound here"


async def test_a_call_here_comes_first(widget: Widget, gateway: FakeGateway) -> None:
    desk = await at_the_desk(gateway)
    await gateway.answered(desk)
    await widget.says("On desk phone")
    await gateway.ring()
    await answer(widget)
    await widget.says("On call")


async def test_dialled_by_the_desk_phone(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    gateway.rules = wire.WidgetRules(desk_phone=True)
    widget = await open_page()
    here = widget.page.get_by_role("radio", name="This browser")
    await expect(here).to_be_checked()
    await here.press("ArrowRight")
    await expect(widget.page.get_by_role("radio", name="Desk phone")).to_be_checked()
    await dial(widget)
    (created,) = gateway.sent("call.create")
    assert (created.device, created.offer) == (CallDevice.DESK_PHONE, None)
    await widget.says("Calling by the desk phone…")
    await expect(widget.text("Pick up your desk phone.")).to_be_visible()


async def test_nobody_is_offered_a_desk_phone_that_cannot_be_used(
    widget: Widget, gateway: FakeGateway
) -> None:
    await expect(widget.page.get_by_role("radio", name="Desk phone")).to_be_hidden()
