"""Sign-in, reconnection, takeover: one session over many sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import expect

from gateway.sessions import wire
from gateway.sessions.wire import RegistrationProblem, RegistrationState
from tests.widget.browser import Widget
from tests.widget.conftest import OpenWidget
from tests.widget.fake_gateway import FakeGateway

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def on_call(widget: Widget) -> str:
    call_id = await widget.gateway.ring()
    await widget.past_guard()
    await widget.button("Answer").click()
    await widget.shows("call", "active")
    await widget.until(f"client.localState('{call_id}').isConnected")
    return call_id


async def test_sign_in_by_form(open_page: OpenWidget, gateway: FakeGateway) -> None:
    widget = await open_page(signed_in=False)
    await widget.shows("signed-out")
    await widget.page.get_by_label("Company").first.fill("acme")
    await widget.page.get_by_label("User name").fill("sam")
    await widget.button("Sign in").click()
    await expect(widget.text("Fill in every field.")).to_be_visible()
    await expect(widget.page.get_by_label("Password")).to_be_focused()
    await widget.page.keyboard.type("wrong")
    await widget.page.keyboard.press("Enter")
    await expect(widget.text("The user name or password is not right.")).to_be_visible()
    await widget.page.get_by_label("Password").fill("secret")
    await widget.page.keyboard.press("Enter")
    await widget.shows("idle")
    await widget.says("Available")
    assert gateway.sign_ins[-1] == {
        "tenant": "acme",
        "username": "sam",
        "password": "secret",
    }


async def test_the_address_may_name_the_tenant(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    gateway.config = {"tenant": "acme"}
    widget = await open_page(signed_in=False)
    await expect(widget.page.get_by_label("Company").first).to_be_hidden()
    await widget.page.get_by_label("User name").fill("sam")
    await widget.page.get_by_label("Password").fill("secret")
    await widget.page.keyboard.press("Enter")
    await widget.shows("idle")
    assert gateway.sign_ins[-1]["tenant"] == "acme"


async def test_a_reload_stays_signed_in_and_says_hello_again(
    widget: Widget, gateway: FakeGateway
) -> None:
    await widget.page.reload()
    await widget.shows("idle")
    hellos = gateway.sent("session.hello")
    assert len(hellos) == 2
    assert hellos[0].client.instance_id != hellos[1].client.instance_id
    assert hellos[0].ticket != hellos[1].ticket


async def test_storage_that_is_blocked_only_costs_the_reload(
    open_page: OpenWidget,
) -> None:
    widget = await open_page(
        signed_in=False,
        init="Object.defineProperty(window, 'sessionStorage',"
        " { get() { throw new DOMException('no', 'SecurityError'); } });",
    )
    await widget.shows("signed-out")
    await widget.page.get_by_label("Company").first.fill("acme")
    await widget.page.get_by_label("User name").fill("sam")
    await widget.page.get_by_label("Password").fill("secret")
    await widget.page.keyboard.press("Enter")
    await widget.shows("idle")


async def test_an_expired_token_asks_for_sign_in(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    gateway.accepts_token = False
    widget = await open_page()
    await widget.shows("signed-out")
    await expect(widget.text("Your sign-in has expired.")).to_be_visible()


async def test_sign_out_closes_the_session(
    widget: Widget, gateway: FakeGateway
) -> None:
    await widget.button("Menu").click()
    await widget.button("Sign out").click()
    await gateway.until_sent("session.close")
    await widget.shows("signed-out")
    await widget.page.reload()
    # The init script of these tests signs every load in; the page itself forgot.
    await widget.shows("idle")


async def test_sign_out_in_a_call_wants_a_second_press(
    widget: Widget, gateway: FakeGateway
) -> None:
    await on_call(widget)
    await widget.button("Menu").click()
    await widget.button("Sign out").click()
    assert gateway.sent("session.close") == []
    await widget.button("End the call and sign out?").click()
    await gateway.until_sent("session.close")


async def test_a_killed_socket_is_resumed_and_missed_events_come(
    widget: Widget, gateway: FakeGateway
) -> None:
    gateway.drop_sockets()
    call_id = await gateway.ring()
    await gateway.until_sent("session.resume")
    await widget.shows("call", "ringing")
    assert len(gateway.sent("session.hello")) == 1
    assert call_id in gateway.calls


async def test_a_snapshot_replaces_everything_when_events_were_lost(
    widget: Widget, gateway: FakeGateway
) -> None:
    gateway.forgets_events = True
    await gateway.ring()
    await widget.shows("call", "ringing")
    gateway.calls.clear()
    gateway.drop_sockets()
    await gateway.until_sent("session.resume")
    await widget.until("client.state.calls.length === 0")
    await expect(widget.button("Answer")).not_to_be_visible()


async def test_a_session_that_is_forgotten_begins_anew(
    widget: Widget, gateway: FakeGateway
) -> None:
    gateway.sessions.clear()
    for socket in list(gateway.sockets):
        socket.close(1012, "")
    await gateway.until_sent("session.hello", 2)
    await widget.says("Available")


async def test_a_call_survives_a_lost_connection_with_its_media(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await on_call(widget)
    gateway.answers_sockets = False
    gateway.drop_sockets()
    await widget.says("Reconnecting…")
    await expect(widget.text("Reconnecting. The call goes on")).to_be_visible()
    gateway.answers_sockets = True
    await widget.says("On call")
    assert gateway.is_media_up(call_id, 1)
    assert len(gateway.sent("call.media")) == 1, "nothing was wrong with the media"


async def test_a_request_without_answer_is_repeated_with_its_op_id(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await on_call(widget)
    never = asyncio.Event()

    async def hang(params: Any) -> wire.Wire:
        await never.wait()
        return wire.Empty()

    gateway.overrides["call.hangup"] = hang
    await widget.past_guard()
    await widget.button("End").click()
    await gateway.until_sent("call.hangup")
    del gateway.overrides["call.hangup"]
    never.set()
    gateway.drop_sockets()
    await gateway.until_sent("call.hangup", 2)
    first, again = gateway.sent("call.hangup")
    assert first == again
    assert first.call_id == call_id


async def test_events_are_acknowledged(widget: Widget, gateway: FakeGateway) -> None:
    session = await gateway.until_connected()
    for _ in range(17):
        await gateway.register(gateway.registration)
    assert (await gateway.until_sent("session.ack")).seq == 16
    assert (await gateway.until_sent("session.ack", 2)).seq == 17
    assert session.acknowledged == 17


async def test_a_gap_in_the_numbers_is_resumed_from_the_last_good_one(
    widget: Widget, gateway: FakeGateway
) -> None:
    session = await gateway.until_connected()
    await gateway.register(gateway.registration)
    lost_socket, session.socket = session.socket, None
    await gateway.ring()
    session.socket = lost_socket
    await gateway.register(gateway.registration)
    resumed = await gateway.until_sent("session.resume")
    assert resumed.last_seq == 1
    await widget.shows("call", "ringing")


async def test_a_silent_connection_is_given_up(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    gateway.heartbeat_s = 1
    widget = await open_page()
    await widget.says("Available")
    gateway.is_deaf = True
    await gateway.until(lambda: gateway.accepted > 1)
    gateway.is_deaf = False
    await gateway.until_sent("session.resume")


async def test_superseded_and_taken_back(widget: Widget, gateway: FakeGateway) -> None:
    gateway.supersede()
    await widget.shows("superseded")
    await expect(
        widget.page.get_by_role("heading", name="Open in another tab")
    ).to_be_visible()
    assert not gateway.is_attached, "if it asked to resume, it was refused"
    await widget.button("Use it here").click()
    await gateway.until(lambda: len(gateway.sent("session.hello")) == 2)
    await widget.shows("idle")


async def test_superseded_while_the_network_was_away(
    widget: Widget, gateway: FakeGateway
) -> None:
    gateway.supersede(is_heard=False)
    await gateway.until_sent("session.resume")
    await widget.shows("superseded")
    assert not gateway.is_attached


async def test_a_reload_in_a_call_brings_the_audio_back(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await on_call(widget)
    await widget.page.reload()
    await widget.shows("call", "active")
    await widget.until(f"client.localState('{call_id}').isConnected")
    renewal = gateway.sent("call.media")[-1]
    assert renewal.generation == 2
    assert renewal.reason is wire.MediaReason.RELOAD
    assert gateway.is_media_up(call_id, 2)
    await widget.until(f"client.localState('{call_id}').isMicrophoneOpen")


async def test_the_gateway_may_ask_for_new_media(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await on_call(widget)
    await gateway.publish(
        wire.CallMediaEvent,
        call_id=call_id,
        action=wire.MediaAction.RENEW,
        generation=1,
    )
    await gateway.until_sent("call.media", 2)
    renewal = gateway.sent("call.media")[1]
    assert renewal.generation == 2
    await gateway.until_media(call_id, 2)


async def test_the_gateway_may_ask_for_another_negotiation(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await on_call(widget)
    await gateway.publish(
        wire.CallMediaEvent,
        call_id=call_id,
        action=wire.MediaAction.RENEGOTIATE,
        generation=1,
    )
    await gateway.until_sent("call.media", 2)
    first, again = gateway.sent("call.media")
    assert again.generation == 1
    assert again.reason is wire.MediaReason.RENEGOTIATE

    def ufrag(offer: str) -> str:
        return offer.partition("a=ice-ufrag:")[2].splitlines()[0]

    assert ufrag(first.offer) == ufrag(again.offer), "the same ICE"


async def test_media_that_fails_is_built_again(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await on_call(widget)
    await gateway.kill_media(call_id, 1)
    await gateway.until_sent("call.media", 2)
    assert gateway.sent("call.media")[1].generation == 2
    await gateway.until_media(call_id, 2)


async def test_a_network_that_comes_back_renews_the_media(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await on_call(widget)
    await widget.page.context.set_offline(True)
    await widget.page.context.set_offline(False)
    await gateway.until_sent("call.media", 2)
    assert gateway.sent("call.media")[1].reason is wire.MediaReason.NETWORK
    await gateway.until_media(call_id, 2)


@pytest.mark.parametrize("problem", list(RegistrationProblem))
async def test_every_registration_problem_says_what_to_do(
    widget: Widget, gateway: FakeGateway, problem: RegistrationProblem
) -> None:
    await gateway.register(
        wire.Registration(state=RegistrationState.FAILED, problem=problem, sip_code=403)
    )
    await widget.says("Phone not connected")
    card = widget.page.locator("ringbridge-idle ringbridge-problem")
    await expect(card).to_contain_text(f"{problem.value}, SIP 403")
    await card.get_by_role("button", name="Try again").click()
    await gateway.until_sent("registration.retry")
    await gateway.register(wire.Registration(state=RegistrationState.REGISTERED))
    await widget.says("Available")
    await expect(card).to_be_hidden()


async def test_draining_waits_as_long_as_it_is_told(
    widget: Widget, gateway: FakeGateway
) -> None:
    started = asyncio.get_running_loop().time()
    gateway.drop_sockets(wire.CLOSE_DRAIN, '{"retry_after": 1}')
    await gateway.until_sent("session.resume")
    assert asyncio.get_running_loop().time() - started >= 0.95
    await widget.says("Available")
