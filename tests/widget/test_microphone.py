"""A microphone that cannot be had: named, with its fix; the call goes on ringing."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.widget.conftest import OpenWidget
from tests.widget.fake_gateway import FakeGateway

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

PERMISSION = """
navigator.permissions.query = async () => ({{ state: '{state}' }});
"""
FAILS = """
navigator.mediaDevices.getUserMedia = async () => {{
  if (globalThis.isMicrophoneFixed) return realGetUserMedia({{ audio: true }});
  throw new DOMException('{text}', '{name}');
}};
"""
REAL = """
globalThis.realGetUserMedia =
  navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
"""


def failing(name: str, *, text: str = "no", state: str = "granted") -> str:
    return REAL + PERMISSION.format(state=state) + FAILS.format(name=name, text=text)


CASES = [
    ("NotAllowedError", "Permission denied", "The microphone is blocked in your"),
    (
        "NotAllowedError",
        "Permission denied by permissions policy",
        "The page around the phone blocks the microphone",
    ),
    ("NotFoundError", "Requested device not found", "No microphone found"),
    ("NotReadableError", "Could not start", "The microphone does not start"),
    ("AbortError", "Hardware", "The microphone does not start"),
]


@pytest.mark.parametrize(("name", "text", "title"), CASES)
async def test_why_it_fails_is_said_and_can_be_tried_again(
    open_page: OpenWidget, gateway: FakeGateway, name: str, text: str, title: str
) -> None:
    widget = await open_page(init=failing(name, text=text, state="prompt"))
    await widget.says("Available")
    await gateway.ring()
    await widget.shows("call", "ringing")
    await widget.past_guard()
    await widget.button("Answer").click()
    card = widget.page.locator("ringbridge-call ringbridge-problem")
    await expect(card).to_contain_text(title)
    assert gateway.sent("call.answer") == [], "it still rings"
    await widget.shows("call", "ringing")
    await widget.page.evaluate("globalThis.isMicrophoneFixed = true")
    await card.get_by_role("button", name="Try again").click()
    await gateway.until_sent("call.answer")
    await widget.shows("call", "active")
    await expect(card).to_be_hidden()


async def test_a_call_answered_in_good_faith_goes_on_without(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    """Granted and present, so the answer does not wait; then it fails all the same."""
    widget = await open_page(init=failing("NotReadableError"))
    await widget.says("Available")
    call_id = await gateway.ring()
    await widget.past_guard()
    await widget.button("Answer").click()
    await widget.shows("call", "active")
    card = widget.page.locator("ringbridge-call ringbridge-problem")
    await expect(card).to_contain_text("The microphone does not start")
    await widget.until(f"client.localState('{call_id}').isConnected")
    await widget.page.evaluate("globalThis.isMicrophoneFixed = true")
    await card.get_by_role("button", name="Try again").click()
    await widget.until(f"client.localState('{call_id}').isMicrophoneOpen")


async def test_dialling_without_a_microphone_sends_nothing(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(init=failing("NotFoundError"))
    await widget.says("Available")
    field = widget.page.get_by_label("Name or number")
    await field.fill("1001")
    await field.press("Enter")
    await expect(
        widget.page.get_by_role("heading", name="No microphone found")
    ).to_be_visible()
    await widget.shows("idle")
    await expect(field).to_have_value("1001")
    assert gateway.sent("call.create") == []


async def test_a_denied_microphone_is_said_before_the_first_call(
    open_page: OpenWidget,
) -> None:
    widget = await open_page(init=PERMISSION.format(state="denied"))
    await expect(widget.text("The microphone is blocked in your")).to_be_visible()


async def test_a_page_that_does_not_delegate_is_said_before_the_first_call(
    open_page: OpenWidget,
) -> None:
    widget = await open_page(
        init="Object.defineProperty(document, 'permissionsPolicy',"
        " { value: { allowsFeature: (name) => name !== 'microphone' } });"
    )
    await expect(widget.text("The page around the phone blocks")).to_be_visible()


async def test_a_page_without_webrtc_says_so(open_page: OpenWidget) -> None:
    widget = await open_page(init="delete globalThis.RTCPeerConnection;")
    await expect(widget.text("This browser cannot make calls")).to_be_visible()


async def test_the_first_question_is_asked_before_the_first_call(
    open_page: OpenWidget,
) -> None:
    widget = await open_page(
        init=REAL
        + """
        let state = 'prompt';
        navigator.permissions.query = async () => ({ state });
        navigator.mediaDevices.getUserMedia = async (wanted) => {
          state = 'granted';
          return realGetUserMedia(wanted);
        };
        """
    )
    await widget.button("Allow microphone").click()
    await expect(widget.button("Allow microphone")).to_be_hidden()
    assert await widget.state("client.state.microphoneProblem") is None


async def test_a_cancelled_dial_never_reaches_the_gateway(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    """The browser's question stands; the rep hangs up instead of answering it."""
    widget = await open_page(
        init=REAL
        + """
        navigator.mediaDevices.getUserMedia = (wanted) =>
          new Promise((resolve) => { globalThis.allow = () =>
            resolve(realGetUserMedia(wanted)); });
        """
    )
    await widget.says("Available")
    await widget.page.get_by_label("Name or number").fill("1001")
    await widget.page.keyboard.press("Enter")
    await widget.shows("call", "calling")
    await widget.past_guard()
    await widget.button("End").click()
    await widget.shows("idle")
    await widget.page.evaluate("globalThis.allow()")
    await widget.until("client.state.calls.length === 0")
    await gateway.ring()
    await widget.shows("call", "ringing")
    assert gateway.sent("call.create") == []


async def test_the_microphone_is_closed_after_the_call(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(
        init=REAL
        + """
        globalThis.captured = [];
        navigator.mediaDevices.getUserMedia = async (wanted) => {
          const stream = await realGetUserMedia(wanted);
          captured.push(...stream.getTracks());
          return stream;
        };
        """
    )
    await widget.says("Available")
    await gateway.ring()
    await widget.past_guard()
    await widget.button("Answer").click()
    await widget.shows("call", "active")
    await widget.until("captured.some((track) => track.readyState === 'live')")
    await widget.past_guard()
    await widget.button("End").click()
    await widget.until("captured.every((track) => track.readyState === 'ended')")
