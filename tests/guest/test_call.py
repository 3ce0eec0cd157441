"""The call: ringing, in it, through every loss of it, and how it ends."""

from __future__ import annotations

import time

import pytest
from playwright.async_api import expect

from gateway.sessions import wire
from gateway.sessions.wire import EndReason, JoinState
from tests.guest.conftest import OpenGuest
from tests.guest.fake_invite import FakeInvite
from tests.guest.page import Guest
from tests.widget.fake_gateway import Refused

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

TONES = """
globalThis.tones = [];
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...when) {
  tones.push(this.frequency.value);
  return start.apply(this, when);
};
"""
BACK_WITHIN_S = 3


async def plays(guest: Guest) -> None:
    await guest.page.wait_for_function(
        "() => { const video = document.querySelector('.rb-remote');"
        " return !video.hidden && video.currentTime > 0; }"
    )


async def test_joining_rings_and_is_answered(
    open_page: OpenGuest, gateway: FakeInvite
) -> None:
    guest = await open_page(init=TONES)
    await guest.sees_self()
    await guest.page.get_by_label("Your name").fill("  Ana R.  ")
    call_id = await guest.join()
    assert gateway.entries[0].name == "Ana R."
    await guest.says("Ringing Robin Reyes…")
    await guest.page.wait_for_function("() => tones.includes(440)")
    await gateway.host_answers(call_id)
    await guest.stage("call")
    await plays(guest)
    await expect(guest.page.locator(".g-self")).to_be_visible()
    heard = await guest.page.evaluate("() => tones.length")
    await expect(guest.page.get_by_text("In the call with Robin Reyes")).to_have_count(
        2
    )
    assert await guest.page.evaluate("() => tones.length") == heard


async def test_a_desk_phone_answers_and_video_comes_later(
    guest: Guest, gateway: FakeInvite
) -> None:
    call_id = await guest.connect(has_video=False)
    await expect(guest.text("Sound only")).to_be_visible()
    await expect(guest.text("Robin Reyes", exact=True)).to_be_visible()
    # Nobody sees it: the camera's light goes out.
    await expect(guest.button("Turn camera on")).to_be_visible()
    await expect(guest.page.locator(".g-self")).to_be_hidden()
    await gateway.update(
        call_id,
        video=wire.VideoView(state=wire.VideoState.ACTIVE, sends=True, receives=True),
    )
    await plays(guest)
    await expect(guest.text("Robin Reyes would like to see you.")).to_be_visible()
    await guest.button("Turn camera on").first.click()
    await expect(guest.page.locator(".g-self")).to_be_visible()
    await expect(guest.text("would like to see you")).to_be_hidden()


async def test_nobody_answers_and_one_tries_again(
    guest: Guest, gateway: FakeInvite
) -> None:
    call_id = await guest.join()
    await gateway.end(call_id, EndReason.NO_ANSWER)
    await guest.says("Robin Reyes has not answered yet")
    await expect(guest.text("has been told that you are here")).to_be_visible()
    await guest.button("Try again").click()
    again = await gateway.until_sent("call.join", 2)
    assert again.call_id != call_id
    assert [each.name for each in gateway.entries] == ["Ana Ruiz", "Ana Ruiz"]
    await guest.shows("ringing")


async def test_one_stops_calling(guest: Guest, gateway: FakeInvite) -> None:
    call_id = await guest.join()
    await guest.button("Cancel").click()
    assert (await gateway.until_sent("call.hangup")).call_id == call_id
    await guest.says("You have stopped calling")


async def test_declined_before_the_answer_to_the_request(
    guest: Guest, gateway: FakeInvite
) -> None:
    async def join(params: wire.CallJoin) -> wire.Wire:
        call = gateway.running_call(params.call_id)
        await gateway.end(params.call_id, EndReason.DECLINED_THERE)
        return wire.CallAnswerResult(call=call)

    gateway.overrides["call.join"] = join
    await guest.button("Join").click()
    await guest.says("Robin Reyes cannot take the call right now")
    await expect(guest.button("Try again")).to_be_enabled()


async def test_left_by_mistake(guest: Guest, gateway: FakeInvite) -> None:
    await guest.connect()
    await guest.button("Leave").click()
    await guest.says("You have left the call")
    await gateway.until_sent("session.close")
    await guest.button("Rejoin").click()
    await gateway.until_sent("call.join", 2)
    await guest.shows("ringing")


async def test_leaving_without_a_network(guest: Guest, gateway: FakeInvite) -> None:
    await guest.connect()

    async def deny(params: wire.CallHangup) -> wire.Wire:
        raise Refused(wire.ErrorKind.INTERNAL)

    gateway.overrides["call.hangup"] = deny
    await guest.button("Leave").click()
    await guest.says("You have left the call")


async def test_a_reload_in_the_call(guest: Guest, gateway: FakeInvite) -> None:
    call_id = await guest.connect()
    await plays(guest)
    await guest.button("Turn microphone off").click()
    await guest.page.reload()
    began = time.monotonic()
    await gateway.until_media(call_id, 2)
    await guest.stage("call")
    await plays(guest)
    assert time.monotonic() - began < BACK_WITHIN_S
    assert len(gateway.entries) == 1, "it is the same session"
    await expect(guest.button("Turn microphone on")).to_be_visible()
    await expect(guest.page.locator(".g-self")).to_be_visible()
    await expect(guest.button("Turn camera off")).to_be_visible()
    await guest.button("Camera and sound settings").click()
    await expect(guest.page.get_by_role("combobox", name="Camera")).to_be_focused()


async def test_a_reload_after_the_call_has_ended(
    guest: Guest, gateway: FakeInvite
) -> None:
    call_id = await guest.connect()
    del gateway.calls[call_id]
    await guest.page.reload()
    await guest.shows("lobby", "open")
    await expect(guest.button("Join")).to_be_visible()


async def test_a_reload_when_the_token_is_no_good_any_more(
    guest: Guest, gateway: FakeInvite
) -> None:
    await guest.connect()
    gateway.accepts_token = False
    gateway.shows(state=JoinState.OVER)
    await guest.page.reload()
    await guest.shows("notice", "over")


async def test_the_network_changes(guest: Guest, gateway: FakeInvite) -> None:
    call_id = await guest.connect()
    await plays(guest)
    gateway.answers_sockets = False
    gateway.drop_sockets()
    await guest.stage("reconnecting")
    await expect(guest.text("Stay here, the call goes on.")).to_be_visible()
    gateway.answers_sockets = True
    await guest.stage("call")
    await gateway.publish(
        wire.CallMediaEvent,
        call_id=call_id,
        action=wire.MediaAction.LOST,
        generation=1,
    )
    await gateway.until_media(call_id, 2)
    await guest.stage("call")


async def test_warned_and_ended_politely(guest: Guest, gateway: FakeInvite) -> None:
    call_id = await guest.connect()
    await gateway.ends(call_id, 290)
    await expect(guest.text("5 minutes left")).to_be_visible()
    await guest.button("Close this message").click()
    await expect(guest.text("5 minutes left")).to_be_hidden()
    await gateway.ends(call_id, 50)
    await expect(guest.text("One minute left")).to_be_visible()
    await guest.page.reload()
    await expect(guest.text("One minute left")).to_be_visible()
    await gateway.ends(call_id, 900)
    await expect(guest.text("One minute left")).to_be_hidden()
    await gateway.end(call_id, EndReason.INVITE_OVER)
    gateway.shows(state=JoinState.OVER)
    await guest.says("The time of this call is over")
    await expect(guest.page.get_by_role("button")).to_have_count(0)


async def test_no_warning_when_the_host_has_extended(
    guest: Guest, gateway: FakeInvite
) -> None:
    extended = gateway.view.ends_at
    gateway.ends_in(299)
    joined = gateway.snapshot().join
    assert joined is not None

    def snapshot() -> wire.Snapshot:
        return original().model_copy(update={"join": joined})

    original, gateway.snapshot = gateway.snapshot, snapshot  # type: ignore[method-assign]
    gateway.shows(ends_at=extended)
    looks = len(gateway.looks)
    await guest.connect()
    await gateway.until(lambda: len(gateway.looks) > looks)
    await plays(guest)
    await expect(guest.page.locator(".g-warning >> visible=true")).to_have_count(0)


async def test_a_warning_without_the_event(guest: Guest, gateway: FakeInvite) -> None:
    gateway.ends_in(290)
    await guest.connect()
    await expect(guest.text("5 minutes left")).to_be_visible()


async def test_in_another_tab(guest: Guest, gateway: FakeInvite) -> None:
    await guest.connect()
    gateway.drop_sockets(wire.CLOSE_SUPERSEDED)
    await guest.says("The call is open in another tab")
    await guest.button("Use this tab").click()
    await guest.stage("call")


async def test_the_link_is_closed_at_the_last_moment(
    guest: Guest, gateway: FakeInvite
) -> None:
    async def deny(params: wire.CallJoin) -> wire.Wire:
        gateway.shows(state=JoinState.CANCELLED)
        raise Refused(wire.ErrorKind.INVITE_CLOSED)

    gateway.overrides["call.join"] = deny
    await guest.button("Join").click()
    await guest.says("This call was cancelled")


async def test_a_join_that_fails_is_tried_again(
    guest: Guest, gateway: FakeInvite
) -> None:
    async def deny(params: wire.CallJoin) -> wire.Wire:
        raise Refused(wire.ErrorKind.RATE_LIMITED)

    gateway.overrides["call.join"] = deny
    await guest.button("Join").click()
    await expect(guest.text("Wait a minute")).to_be_visible()
    await guest.shows("lobby")
    del gateway.overrides["call.join"]
    await guest.connect()


async def test_the_bar_fades_and_comes_back(guest: Guest) -> None:
    await guest.connect()
    await plays(guest)
    await guest.page.mouse.move(200, 300)
    lower = guest.page.locator(".g-lower")
    await expect(lower).to_have_css("opacity", "0", timeout=8_000)
    await guest.page.mouse.move(210, 320)
    await expect(lower).to_have_css("opacity", "1")
    await guest.button("Camera and sound settings").click()
    await expect(guest.page.get_by_role("dialog")).to_be_visible()


async def test_the_own_picture_is_dragged(guest: Guest) -> None:
    await guest.connect()
    own = guest.page.locator(".g-self")
    box = await own.bounding_box()
    assert box is not None
    mouse = guest.page.mouse
    await mouse.move(box["x"] + 20, box["y"] + 20)
    await mouse.down()
    await mouse.move(60, 100, steps=3)
    await mouse.up()
    await expect(own).to_have_attribute("data-corner", "start-top")
    await own.click()
    await expect(own).to_have_attribute("data-corner", "start-bottom")


async def test_camera_off_and_on(guest: Guest) -> None:
    await guest.connect()
    await guest.button("Turn camera off").click()
    await expect(guest.page.locator(".g-self")).to_be_hidden()
    await guest.button("Turn camera on").click()
    await expect(guest.page.locator(".g-self")).to_be_visible()


async def test_full_screen(guest: Guest) -> None:
    await guest.connect()
    await guest.button("Full screen").click()
    await expect(guest.button("Leave full screen")).to_be_visible()
    await guest.button("Leave", exact=True).click()
    await guest.says("You have left the call")
    await guest.page.wait_for_function("() => document.fullscreenElement === null")
