"""Several tabs of one rep: one has the phone, the others show it and can take it."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from gateway.sessions import wire
from tests.widget.browser import SIGNED_IN, WATCH, Widget
from tests.widget.conftest import OpenWidget
from tests.widget.fake_gateway import FOUND, FakeGateway

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

IDLE = "Your phone is in another tab. Calls ring there."
RINGING = "It rings in another tab. Answer, and the call is here."
IN_CALL = "You are talking in another tab."
PLAYS = "phone.sounds.playing"


async def tab(beside: Widget, says: str = IDLE) -> Widget:
    """One more of the same browser; it looks on."""
    page = await beside.page.context.new_page()
    await page.add_init_script(WATCH)
    await page.add_init_script(SIGNED_IN)
    opened = Widget(page, beside.gateway, beside.errors)
    await page.goto(beside.page.url)
    await looks_on(opened, says)
    return opened


async def hears(widget: Widget, call_id: str) -> None:
    await widget.until(f"client.localState('{call_id}').isConnected")
    await widget.until("client.state.isObserver === false")


async def looks_on(widget: Widget, text: str) -> None:
    await expect(widget.text(text)).to_be_visible()
    await widget.until("client.state.isObserver === true")


async def talk(widget: Widget) -> str:
    call_id = await widget.gateway.ring(match=FOUND)
    await widget.past_guard()
    await widget.button("Answer").click()
    await hears(widget, call_id)
    return call_id


async def test_it_rings_in_one_tab_and_is_answered_in_the_other(
    widget: Widget, gateway: FakeGateway
) -> None:
    other = await tab(widget)
    call_id = await gateway.ring(match=FOUND)
    await widget.shows("call", "ringing")
    await other.shows("call", "ringing")
    await looks_on(other, RINGING)
    assert await widget.state(PLAYS) == "ringtone"
    assert await other.state(PLAYS) is None
    await gateway.until_sent("call.media")
    await expect(other.page.locator("[aria-live=assertive]")).to_have_text("")
    await expect(other.page.locator("[aria-live=polite]").first).to_have_text(
        "Incoming call"
    )
    await other.past_guard()
    await other.button("Answer").click()
    await hears(other, call_id)
    await looks_on(widget, IN_CALL)
    assert await widget.state(PLAYS) is None
    assert not await widget.state(f"client.localState('{call_id}').isMicrophoneOpen")
    methods = [each.method for each in gateway.requests]
    assert methods.index("session.take") < methods.index("call.answer")
    assert len(gateway.sent("call.answer")) == 1


async def test_a_tab_that_looks_on_controls_the_call(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await talk(widget)
    other = await tab(widget, IN_CALL)
    offers = len(gateway.sent("call.media"))
    await expect(other.button("Mute")).to_be_disabled()
    await widget.button("Mute").click()
    await other.says("On call, muted")
    await widget.button("Mute").click()
    await other.says("On call")
    await other.past_guard()
    await other.button("Hold").click()
    await widget.says("On hold")
    await other.says("On hold")
    await other.button("Hold").click()
    await widget.says("On call")
    await other.past_guard()
    await other.button("End").click()
    assert (await gateway.until_sent("call.hangup")).call_id == call_id
    for each in (widget, other):
        await each.shows("call", "ended")
        assert len(await each.state("client.state.recent")) == 1
    assert len(gateway.sent("call.media")) == offers
    assert gateway.sent("session.take") == []


async def test_the_call_is_moved_by_one_click_and_back(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await talk(widget)
    other = await tab(widget, IN_CALL)
    await other.button("Move the call here").click()
    await hears(other, call_id)
    await looks_on(widget, IN_CALL)
    renewal = gateway.sent("call.media")[-1]
    assert (renewal.generation, renewal.reason) == (2, wire.MediaReason.RELOAD)
    await widget.button("Move the call here").click()
    await hears(widget, call_id)
    await looks_on(other, IN_CALL)
    assert gateway.is_media_up(call_id, 3)


async def test_when_its_tab_is_closed_one_of_the_others_has_the_call(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await talk(widget)
    others = [await tab(widget, IN_CALL), await tab(widget, IN_CALL)]
    await widget.button("Mute").click()
    for each in others:
        await each.says("On call, muted")
    await widget.page.close()
    await gateway.until_media(call_id, 2)
    is_observer = "client.state.isObserver"
    roles = [await each.state(is_observer) for each in others]
    assert sorted(roles) == [False, True]
    heir = others[roles.index(False)]
    await hears(heir, call_id)
    assert len(gateway.sent("call.media")) == 2
    # Whoever was muted is not heard because a tab was closed.
    await heir.says("On call, muted")
    assert await heir.state(f"client.localState('{call_id}').isMicrophoneOpen")


async def test_a_reload_keeps_the_phone_from_the_others(
    widget: Widget, gateway: FakeGateway
) -> None:
    other = await tab(widget)
    # Not known to be gone: the old socket stays open.
    await widget.page.reload()
    await widget.says("Available")
    assert not await widget.state("client.state.isObserver")
    assert await other.state("client.state.isObserver")
    first, _, again = gateway.sent("session.hello")
    assert again.instead_of == first.client.instance_id
    assert first.role is wire.SessionRole.OBSERVER


async def test_signing_out_is_for_all_tabs(
    widget: Widget, gateway: FakeGateway
) -> None:
    other = await tab(widget)
    await gateway.until_connected()
    for socket in list(gateway.sockets):
        if socket is not gateway.pages.owner.outlet:
            socket.close(wire.CLOSE_SIGNED_OUT, "")
    await other.shows("signed-out")
    assert (
        await other.page.evaluate("sessionStorage.getItem('ringbridge.access_token')")
        is None
    )
    await widget.says("Available")


async def test_a_tab_that_is_frozen_lets_go_and_looks_on_afterwards(
    widget: Widget, gateway: FakeGateway
) -> None:
    other = await tab(widget)
    # The browser of these tests takes every page for visible, and freezes none.
    await widget.page.evaluate("() => { document.dispatchEvent(new Event('freeze')); }")
    await other.until("client.state.isObserver === false")
    await gateway.ring()
    await other.until(f"{PLAYS} === 'ringtone'")
    await widget.page.evaluate("() => { document.dispatchEvent(new Event('resume')); }")
    await looks_on(widget, RINGING)
    assert await widget.state(PLAYS) is None


async def test_after_sleep_a_dead_connection_is_found_at_once(
    widget: Widget, gateway: FakeGateway
) -> None:
    gateway.is_deaf = True
    accepted = gateway.accepted
    await widget.page.evaluate(
        "() => { const now = Date.now; Date.now = () => now() + 3_600_000; }"
    )
    await gateway.until(lambda: gateway.accepted > accepted)
    gateway.is_deaf = False
    await gateway.until_sent("session.resume")
    await widget.says("Available")


@pytest.mark.parametrize(
    "hint",
    ["window, new Event('online')", "window, new PageTransitionEvent('pageshow')"],
)
async def test_no_back_off_is_waited_for_when_the_network_is_back(
    open_page: OpenWidget, gateway: FakeGateway, hint: str
) -> None:
    # The longest wait there is.
    widget = await open_page(init="Math.random = () => 0.9999;")
    await widget.says("Available")
    gateway.answers_sockets = False
    gateway.drop_sockets()
    await widget.says("Reconnecting…")
    await widget.page.clock.pause_at(2_000_000_000_000)
    gateway.answers_sockets = True
    target, event = hint.split(", ")
    await widget.page.evaluate(f"() => {{ {target}.dispatchEvent({event}); }}")
    await gateway.until_sent("session.resume")


async def test_offline_is_said_at_once_and_taken_back_with_a_word_from_there(
    widget: Widget, gateway: FakeGateway
) -> None:
    gateway.is_deaf = True
    await widget.page.context.set_offline(True)
    await widget.says("Offline")
    await expect(widget.text("No network.")).to_be_visible()
    gateway.is_deaf = False
    await widget.page.context.set_offline(False)
    await widget.says("Available")
    await expect(widget.text("No network.")).to_be_hidden()
