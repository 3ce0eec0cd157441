"""The window of a call: opened, taken over, mirrored, reloaded, closed."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from gateway.sessions import wire
from tests.widget.browser import Widget
from tests.widget.conftest import OpenWidget
from tests.widget.fake_gateway import FakeGateway, peer
from tests.widget.fake_media import video_of

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

ACTIVE = wire.VideoView(state=wire.VideoState.ACTIVE, sends=True, receives=True)
OFFERED = wire.VideoView(state=wire.VideoState.OFFERED)
INVITE = wire.InviteRef(invite_id="i1", subject="Renewal", guest="Ana Ruiz")
CLIENT = "document.querySelector('ringbridge-call-page').client"


async def answer_with_video(widget: Widget) -> Page:
    call_id = await widget.gateway.ring(video=OFFERED, invite=INVITE)
    await widget.shows("call", "ringing")
    await widget.past_guard()
    async with widget.page.expect_popup() as popup:
        await widget.button("Answer with video").click()
    window = await popup.value
    await sees(window, call_id)
    return window


async def raise_call(widget: Widget) -> tuple[str, Page]:
    call_id = await widget.gateway.ring()
    await widget.past_guard()
    await widget.button("Answer").click()
    await widget.until(f"client.localState('{call_id}').isConnected")
    await widget.past_guard()
    async with widget.page.expect_popup() as popup:
        await widget.button("Video").click()
    window = await popup.value
    await sees(window, call_id)
    return call_id, window


async def sees(window: Page, call_id: str) -> None:
    await window.wait_for_function(
        """async (id) => {
          const client = document.querySelector('ringbridge-call-page')?.client;
          if (!client?.localState(id).remotes[0]?.video) return false;
          const stats = await client.stats(id);
          return [...stats.values()].some(({ type, kind, framesDecoded }) =>
            type === 'inbound-rtp' && kind === 'video' && framesDecoded > 0);
        }""",
        arg=call_id,
    )
    await expect(window.locator(".rb-remote")).to_be_visible()


async def local(window: Page, call_id: str) -> dict[str, Any]:
    found: dict[str, Any] = await window.evaluate(
        f"(id) => {{ const {{ localVideo, remoteVideo, ...rest }} ="
        f" {CLIENT}.localState(id); return rest; }}",
        call_id,
    )
    return found


async def test_an_invites_call_is_answered_with_video_in_the_window(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await gateway.ring(video=OFFERED, invite=INVITE)
    await widget.says("Incoming video call")
    await expect(widget.text("Invite: Renewal")).to_be_visible()
    await expect(widget.page.locator("[aria-live=assertive]")).to_have_text(
        "Ana Ruiz wants a video call"
    )
    await widget.past_guard()
    async with widget.page.expect_popup() as popup:
        await widget.button("Answer with video").click()
    window = await popup.value
    assert "access" not in window.url
    assert window.url.endswith("/widget/call.html")
    await sees(window, call_id)
    (answer,) = gateway.sent("call.answer")
    assert video_of(answer.offer)
    assert (await local(window, call_id))["isCameraOn"]
    await expect(window.locator(".rb-stage-name")).to_have_text("Ana Ruiz")
    await expect(window.locator(".rb-stage-status")).to_have_text("On call")
    # The phone's page shows the same call, and ends it from there.
    await widget.says("On call")
    await expect(widget.text("The video is in its own window.")).to_be_visible()
    await widget.past_guard()
    async with window.expect_event("close"):
        await widget.button("End").click()
        await gateway.until_sent("call.hangup")
        heading = window.get_by_role("heading", name="You ended the call")
        await expect(heading).to_be_visible()
    await widget.shows("call", "ended")
    await widget.until("client.state.status === 'ready' && !client.callWindow.mirror")
    assert len(gateway.sent("session.hello")) == 3


async def test_a_sound_call_is_raised_and_its_mute_goes_along(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await gateway.ring()
    await widget.past_guard()
    await widget.button("Answer").click()
    await widget.until(f"client.localState('{call_id}').isConnected")
    await widget.past_guard()
    await widget.button("Mute").click()
    async with widget.page.expect_popup() as popup:
        await widget.button("Video").click()
    window = await popup.value
    await sees(window, call_id)
    assert (await local(window, call_id))["isMuted"]
    assert gateway.sent("call.media")[-2].generation == 2
    await widget.says("On call, muted")
    await widget.button("Mute").click()
    await window.wait_for_function(f"() => !{CLIENT}.localState('{call_id}').isMuted")
    await widget.says("On call")
    await window.get_by_role("button", name="Mute").click()
    await widget.says("On call, muted")


async def test_a_video_call_is_dialled_in_the_window(
    widget: Widget, gateway: FakeGateway
) -> None:
    await widget.page.get_by_label("Name or number").fill("1001")
    async with widget.page.expect_popup() as popup:
        await widget.button("Video call").click()
    window = await popup.value
    created = await gateway.until_sent("call.create")
    assert created.to == "1001"
    assert video_of(created.offer)
    await gateway.alerting(created.call_id)
    await widget.says("Ringing…")
    await gateway.answered(created.call_id)
    await gateway.update(created.call_id, video=ACTIVE)
    await sees(window, created.call_id)
    await widget.says("On call")


async def test_the_window_is_reloaded_and_its_video_is_back(
    widget: Widget, gateway: FakeGateway
) -> None:
    window = await answer_with_video(widget)
    (call_id,) = gateway.calls
    await window.reload()
    await sees(window, call_id)
    await window.wait_for_function(f"() => {CLIENT}.localState('{call_id}').isCameraOn")
    renewal = gateway.sent("call.media")[-1]
    assert renewal.reason is wire.MediaReason.RELOAD
    assert video_of(renewal.offer)
    await widget.says("On call")
    assert await widget.state("client.callWindow.mirror !== null")
    assert len(gateway.sent("session.hello")) == 3


async def test_the_phones_page_is_reloaded_and_leaves_the_call_to_the_window(
    widget: Widget, gateway: FakeGateway
) -> None:
    window = await answer_with_video(widget)
    (call_id,) = gateway.calls
    offers = len(gateway.sent("call.media"))
    await widget.page.reload()
    await widget.shows("superseded")
    await expect(widget.text("Your call is in the video window")).to_be_visible()
    assert len(gateway.sent("call.media")) == offers, "the call was not touched"
    assert (await local(window, call_id))["isConnected"]
    await widget.button("Show the window").click()
    await widget.shows("call", "active")
    await expect(widget.text("The video is in its own window.")).to_be_visible()
    await widget.past_guard()
    await widget.button("End").click()
    await gateway.until_sent("call.hangup")


async def test_after_a_reload_the_phone_comes_back_when_the_window_is_gone(
    widget: Widget, gateway: FakeGateway
) -> None:
    window = await answer_with_video(widget)
    (call_id,) = gateway.calls
    await widget.page.reload()
    await widget.shows("superseded")
    gateway.window_grace_s = 0
    await window.close()
    await widget.shows("call", "active")
    await widget.until(f"client.localState('{call_id}').isConnected")


async def test_a_window_that_is_closed_gives_the_call_back_as_sound(
    widget: Widget, gateway: FakeGateway
) -> None:
    window = await answer_with_video(widget)
    (call_id,) = gateway.calls
    await window.close()
    await widget.until("client.state.status === 'ready' && !client.callWindow.mirror")
    await widget.until(f"client.localState('{call_id}').isConnected")
    renewal = gateway.sent("call.media")[-1]
    assert not video_of(renewal.offer)
    await widget.says("On call")
    # And up again.
    await widget.past_guard()
    async with widget.page.expect_popup() as popup:
        await widget.button("Video").click()
    await sees(await popup.value, call_id)


async def test_the_call_can_be_fetched_from_a_window_that_hangs(
    widget: Widget, gateway: FakeGateway
) -> None:
    window = await answer_with_video(widget)
    (call_id,) = gateway.calls
    await widget.button("Bring the call back here").click()
    await widget.until(f"client.localState('{call_id}').isConnected")
    await expect(window.get_by_text("Your phone is in use on another")).to_be_visible()
    async with window.expect_event("close"):
        await window.get_by_role("button", name="Close").click()
    await widget.says("On call")


async def test_a_window_that_is_held_back_is_said_and_the_call_rings_on(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(init="window.open = () => null;")
    await gateway.ring(video=OFFERED)
    await widget.past_guard()
    await widget.button("Answer with video").click()
    await expect(widget.text("The browser held back the video window")).to_be_visible()
    await widget.button("Answer with audio only").click()
    await gateway.until_sent("call.answer")
    await widget.says("On call")


async def test_without_a_camera_there_is_a_choice(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(camera=False)
    await widget.page.context.grant_permissions(["microphone"])
    call_id = await gateway.ring(video=OFFERED)
    await widget.past_guard()
    async with widget.page.expect_popup() as popup:
        await widget.button("Answer with video").click()
    window = await popup.value
    await expect(window.get_by_text("The camera is blocked in")).to_be_visible()
    assert gateway.sent("call.answer") == []
    await window.get_by_role("button", name="Answer without camera").click()
    await sees(window, call_id)
    assert not (await local(window, call_id))["isCameraOn"]


async def test_a_second_caller_is_seen_in_both(
    widget: Widget, gateway: FakeGateway
) -> None:
    window = await answer_with_video(widget)
    (first,) = gateway.calls
    second = await gateway.ring(who=peer("+4989123456", "+49 89 123456"))
    await expect(window.get_by_text("Ana Ruiz is calling too")).to_be_visible()
    await expect(widget.text("Ana Ruiz is calling too")).to_be_visible()
    await window.get_by_role("button", name="End and answer").click()
    assert (await gateway.until_sent("call.hangup")).call_id == first
    assert (await gateway.until_sent("call.answer", 2)).call_id == second


async def test_the_end_of_an_invite_is_announced_and_put_off(
    widget: Widget, gateway: FakeGateway
) -> None:
    window = await answer_with_video(widget)
    (call_id,) = gateway.calls
    await gateway.ends(call_id, 300)
    await expect(window.get_by_text("The invite ends in 5 minutes.")).to_be_visible()
    await expect(widget.text("The invite ends in 5 minutes.")).to_be_visible()
    await widget.button("Extend by 15 minutes").click()
    extended = await gateway.until_sent("invite.extend")
    assert (extended.invite_id, extended.minutes) == ("i1", 15)
    await window.reload()
    banner = "The invite ends in 5 minutes."
    await expect(window.get_by_text(banner)).to_be_visible()
    await gateway.ends(call_id, 1_200)
    await expect(window.get_by_text(banner)).to_be_hidden()
    await expect(widget.text(banner)).to_be_hidden()


async def test_what_is_not_ours_is_not_obeyed(
    widget: Widget, gateway: FakeGateway
) -> None:
    window = await answer_with_video(widget)
    (call_id,) = gateway.calls
    await window.evaluate(
        """(id) => {
          const stranger = document.createElement('iframe');
          document.body.append(stranger);
          const say = (origin, source) => dispatchEvent(new MessageEvent('message', {
            origin, source, data: { ringbridge: 'call-window', type: 'call', id: 1,
              name: 'hangup', args: [id] } }));
          say('https://evil.example', window.opener);
          say(location.origin, stranger.contentWindow);
        }""",
        call_id,
    )
    await widget.page.evaluate(
        """(id) => {
          const { callWindow } = document.querySelector('ringbridge-softphone').client;
          return callWindow.call('useToken', ['stolen']).then(
            () => { throw new Error('obeyed'); }, () => callWindow.show());
        }""",
        call_id,
    )
    assert gateway.sent("call.hangup") == []
    assert (await local(window, call_id))["isConnected"]


async def test_without_a_page_that_opened_it_the_window_says_what_it_is_for(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(signed_in=False)
    page = await widget.page.context.new_page()
    await page.goto(gateway.url + "/widget/call.html")
    await expect(page.get_by_text("There is no call in this window.")).to_be_visible(
        timeout=12_000
    )


async def test_ones_own_picture_moves_by_keyboard_and_the_bar_fades(
    widget: Widget,
) -> None:
    window = await answer_with_video(widget)
    own = window.locator(".rb-preview")
    stage = window.locator("ringbridge-stage")
    await own.focus()
    await window.keyboard.press("ArrowUp")
    await expect(stage).to_have_attribute("data-corner", "block-start inline-end")
    await window.keyboard.press("ArrowLeft")
    await expect(stage).to_have_attribute("data-corner", "block-start inline-start")
    await own.evaluate("(element) => element.blur()")
    await window.mouse.move(300, 300)
    await expect(stage).to_have_class("rb-stage rb-faded", timeout=8000)
    await window.mouse.move(310, 310)
    await expect(stage).to_have_class("rb-stage")
    await window.get_by_role("button", name="Mute").focus()
    await window.keyboard.press("ArrowRight")
    await expect(window.get_by_role("button", name="Turn camera off")).to_be_focused()


async def test_devices_are_chosen_in_mid_call(
    widget: Widget, gateway: FakeGateway
) -> None:
    window = await answer_with_video(widget)
    (call_id,) = gateway.calls
    await window.get_by_role("button", name="Devices").click()
    camera = window.get_by_role("combobox", name="Camera")
    await expect(camera).to_be_focused()
    await camera.select_option(index=1)
    await window.keyboard.press("Escape")
    await expect(window.get_by_role("button", name="Devices")).to_be_focused()
    assert (await local(window, call_id))["isCameraOn"]
