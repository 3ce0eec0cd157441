"""Several calls: hold, swap, transfer, conference, and what the other side does."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import expect

from gateway.sessions import wire
from gateway.sessions.wire import EndReason
from tests.widget.browser import Widget
from tests.widget.conftest import OpenWidget
from tests.widget.fake_gateway import FakeGateway, Refused, colleague, now_ms, peer
from tests.widget.scenes_control import (
    BEN,
    conferring,
    consulting,
    held,
    open_tool,
    people,
    take_call,
    two_calls,
    waiting,
)

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

# Of each connection that has an open microphone: what it sends, and what is played.
HEARD = """() => {
  const { connections, tracks, elements } = globalThis.sounds;
  const alive = connections.filter((each) => each.connectionState !== 'closed');
  const playing = new Set(elements.flatMap(
    ({ srcObject }) => srcObject?.getTracks().map(({ id }) => id) ?? []));
  return alive.map((each) => ({
    speaks: each.getSenders().some(({ track }) => track?.enabled),
    isHeard: each.getReceivers().some(({ track }) => playing.has(track.id)),
  }));
}"""
LISTEN = """
globalThis.sounds = { connections: [], elements: [] };
const Made = RTCPeerConnection;
globalThis.RTCPeerConnection = class extends Made {
  constructor(...args) { super(...args); sounds.connections.push(this); }
};
const create = document.createElement.bind(document);
document.createElement = (name, ...rest) => {
  const made = create(name, ...rest);
  if (name === 'audio') sounds.elements.push(made);
  return made;
};
"""
HEARD_FULLY = [{"speaks": True, "isHeard": True}]
SILENT = [{"speaks": False, "isHeard": False}]


async def sound(widget: Widget) -> list[dict[str, bool]]:
    """Of each call, oldest first."""
    found: list[dict[str, bool]] = await widget.page.evaluate(HEARD)
    return found


async def listening(open_page: OpenWidget) -> Widget:
    widget = await open_page(init=LISTEN)
    await widget.says("Available")
    return widget


# Hold -----------------------------------------------------------------------------


async def test_hold_is_silent_both_ways_at_once_and_comes_back(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await listening(open_page)
    await take_call(widget)
    assert await sound(widget) == HEARD_FULLY
    during: list[Any] = []

    async def hold(params: wire.CallHold) -> wire.Wire:
        during.extend(await sound(widget))
        return wire.CallResult(
            call=await gateway.update(params.call_id, held_here=True)
        )

    gateway.overrides["call.hold"] = hold
    await widget.button("Hold").click()
    await widget.says("On hold")
    assert during == SILENT, "silent before the gateway has done it"
    assert await sound(widget) == SILENT
    await expect(widget.button("Hold")).to_have_attribute("aria-pressed", "true")
    await expect(widget.page.get_by_role("timer").first).to_have_text(
        re.compile(r"^0:0\d$")
    )
    await widget.button("Hold").click()
    await widget.says("On call")
    assert await sound(widget) == HEARD_FULLY


async def test_a_refused_hold_is_heard_again_and_said(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    async def refuse(params: wire.CallHold) -> wire.Wire:
        raise Refused(wire.ErrorKind.CALL_WRONG_STATE)

    widget = await listening(open_page)
    await take_call(widget)
    gateway.overrides["call.hold"] = refuse
    await widget.button("Hold").click()
    await expect(widget.text("Not possible now")).to_be_visible()
    await widget.says("On call")
    assert await sound(widget) == HEARD_FULLY


async def test_hold_survives_a_reload_with_its_time(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await listening(open_page)
    call = await held(widget)
    since = await widget.state(f"client.state.heldSince['{call.call_id}']")
    await widget.page.reload()
    await widget.says("On hold")
    await gateway.until_media(call.call_id, 2)
    await widget.until(f"client.localState('{call.call_id}').isConnected")
    assert await sound(widget) == SILENT
    assert await widget.state(f"client.state.heldSince['{call.call_id}']") == since, (
        "the rep sees how long they have been waiting"
    )


async def test_what_the_other_side_does_is_said(
    widget: Widget, gateway: FakeGateway
) -> None:
    call = await take_call(widget)
    by = peer("1004", "1004", "Ben Adler")
    await gateway.update(call.call_id, held_there=True, transferred_by=by)
    await expect(widget.text("Put on hold by Ana Ruiz")).to_be_visible()
    await expect(widget.text("Transferred by Ben Adler")).to_be_visible()
    await gateway.update(call.call_id, held_there=False)
    await expect(widget.text("Put on hold by Ana Ruiz")).to_have_count(0)


async def test_a_call_that_is_handed_to_the_rep_shows_who_it_is_now(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await listening(open_page)
    call = await take_call(widget)
    page = widget.page
    await expect(page.get_by_role("heading", level=1)).to_have_text("Ana Ruiz")
    since = await page.get_by_role("timer").first.inner_text()
    await gateway.update(
        call.call_id,
        peer=peer("+12025550143", "(202) 555-0143", "Carol Lee"),
        transferred_by=call.peer,
        match=wire.Match(state=wire.MatchState.NONE),
    )
    await expect(page.get_by_role("heading", level=1)).to_have_text("Carol Lee")
    # Said, too, to whoever does not look.
    said = page.get_by_role("status").filter(has_text="Transferred by")
    await expect(said).to_have_text("Transferred by +1 (646) 555-0175")
    await expect(widget.text("(202) 555-0143")).to_be_visible()
    # The same call: its clock, its sound.
    assert await page.get_by_role("timer").first.inner_text() >= since
    assert await sound(widget) == HEARD_FULLY


# Several calls ----------------------------------------------------------------------


async def test_a_second_call_holds_the_first_and_one_press_swaps(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await listening(open_page)
    first, second = await two_calls(widget)
    await expect(widget.page.get_by_role("heading", name="Ben Okafor")).to_be_visible()
    row = widget.page.locator(".rb-other")
    await expect(row).to_contain_text(re.compile(r"Ana Ruiz.*On hold \d:\d\d", re.S))
    assert await sound(widget) == [*SILENT, *HEARD_FULLY]
    await row.get_by_role("button", name="Swap to Ana Ruiz").click()
    assert (await gateway.until_sent("call.retrieve")).call_id == first.call_id
    await expect(widget.page.get_by_role("heading", name="Ana Ruiz")).to_be_visible()
    await expect(row).to_contain_text("Ben Okafor")
    assert await sound(widget) == [*HEARD_FULLY, *SILENT]
    await gateway.end(second.call_id, EndReason.HUNG_UP_THERE)
    await expect(row).to_have_count(0)
    await widget.shows("call", "active")


async def test_a_call_waits_with_a_quiet_tone(
    widget: Widget, gateway: FakeGateway
) -> None:
    await waiting(widget)
    await widget.until("phone.sounds.playing === 'waiting'")
    await widget.says("On call")
    await widget.past_guard()
    await widget.button("Hold and answer").click()
    await gateway.until_sent("call.answer", 2)
    await expect(widget.page.get_by_role("heading", name="Ben Okafor")).to_be_visible()
    await widget.until("phone.sounds.playing === null")
    assert gateway.sent("call.hangup") == []


@pytest.mark.parametrize(
    ("name", "reason"), [("Decline", "declined"), ("Busy", "busy")]
)
async def test_a_waiting_call_is_turned_away(
    widget: Widget, gateway: FakeGateway, name: str, reason: str
) -> None:
    await waiting(widget)
    await widget.past_guard()
    await widget.button(name).click()
    assert (await gateway.until_sent("call.reject")).reason == reason
    await expect(widget.page.locator(".rb-second")).to_be_hidden()
    await widget.says("On call")


async def test_a_waiting_call_does_not_take_a_press_meant_for_what_was_there(
    widget: Widget, gateway: FakeGateway
) -> None:
    await take_call(widget)
    await widget.page.evaluate(
        """() => new MutationObserver((_, observer) => {
          const answer = document.querySelector('.rb-second .rb-answer');
          if (answer?.checkVisibility()) { observer.disconnect(); answer.click(); }
        }).observe(document, { subtree: true, attributes: true, childList: true })"""
    )
    await gateway.ring(match=BEN)
    await expect(widget.page.locator(".rb-second")).to_be_visible()
    await widget.past_guard()
    assert len(gateway.sent("call.answer")) == 1


async def test_dialling_in_a_call_places_a_second_one(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await listening(open_page)
    first = await take_call(widget)
    await open_tool(widget, "add")
    await widget.page.get_by_label("Who to add").fill("1004")
    await widget.page.keyboard.press("Enter")
    created = await gateway.until_sent("call.create")
    assert (created.to, created.consults_for) == ("1004", None)
    await widget.says("Calling…")
    assert gateway.calls[first.call_id].held_here
    assert (await sound(widget))[0] == SILENT[0]
    await gateway.end(created.call_id, EndReason.BUSY)
    await widget.says("On hold")
    await expect(widget.page.get_by_role("heading", name="Ana Ruiz")).to_be_visible()


async def test_a_refused_second_call_leaves_the_first_as_it_was(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    async def refuse(params: wire.CallCreate) -> wire.Wire:
        raise Refused(wire.ErrorKind.CALL_LIMIT)

    widget = await listening(open_page)
    await take_call(widget)
    gateway.overrides["call.create"] = refuse
    await widget.state("phone.dial('1004')")
    await expect(widget.text("Too many calls at once")).to_be_visible()
    await widget.says("On call")
    assert (await sound(widget))[0] == HEARD_FULLY[0]


# Transfer ---------------------------------------------------------------------------


async def test_a_blind_transfer_to_a_colleague(
    widget: Widget, gateway: FakeGateway
) -> None:
    gateway.directory = people()
    call = await take_call(widget)
    await open_tool(widget, "transfer")
    field = widget.page.get_by_label("Who gets the call")
    await expect(field).to_be_focused()
    await expect(widget.button("Transfer now")).to_be_disabled()
    await field.fill("ben a")
    row = widget.page.locator(".rb-target-panel .rb-person-row")
    await expect(row).to_have_count(1)
    await expect(row).to_contain_text("On a call")
    await field.press("ArrowDown")
    await field.press("Enter")
    await expect(widget.button("Transfer now")).to_be_focused()
    await widget.page.keyboard.press("Enter")
    asked = await gateway.until_sent("call.transfer")
    assert (asked.call_id, asked.to, asked.to_call) == (call.call_id, "1004", None)
    await widget.says("Transferring…")
    to = peer("1004", "1004", "Ben Adler")
    ringing = wire.TransferView(state=wire.TransferState.RINGING, to=to)
    await gateway.update(call.call_id, transfer=ringing)
    await expect(widget.text("It rings at Ben Adler.")).to_be_visible()
    await gateway.end(call.call_id, EndReason.TRANSFERRED)
    await expect(widget.text("Call transferred")).to_be_visible()


async def test_a_typed_number_is_transferred_to_as_it_is(
    widget: Widget, gateway: FakeGateway
) -> None:
    await take_call(widget)
    await open_tool(widget, "transfer")
    await widget.page.get_by_label("Who gets the call").fill("+49 (89) 123456")
    await widget.button("Transfer now").click()
    assert (await gateway.until_sent("call.transfer")).to == "+4989123456"


async def test_a_transfer_under_way_is_taken_back(
    widget: Widget, gateway: FakeGateway
) -> None:
    call = await take_call(widget)
    await widget.state(f"client.transfer('{call.call_id}', {{ to: '1004' }})")
    await widget.button("Take back").click()
    assert (await gateway.until_sent("call.retrieve")).call_id == call.call_id
    await widget.says("On call")


async def test_a_failed_transfer_says_why_and_that_the_call_is_still_there(
    widget: Widget, gateway: FakeGateway
) -> None:
    call = await take_call(widget)
    view = wire.TransferView(
        state=wire.TransferState.FAILED,
        to=peer("1004", "1004", "Ben Adler"),
        sip_code=486,
    )
    await gateway.update(call.call_id, transfer=view)
    await expect(widget.text("The transfer to Ben Adler failed")).to_be_visible()
    await expect(widget.text("The line is busy. You still have Ana")).to_be_visible()
    await expect(widget.text("SIP 486")).to_be_visible()
    await widget.says("On call")
    await widget.button("Close").click()
    await gateway.update(call.call_id, held_there=True)
    await expect(widget.text("Put on hold by Ana Ruiz")).to_be_visible()
    await expect(widget.text("The transfer to Ben Adler failed")).to_have_count(0)


async def test_asking_first_and_completing(
    widget: Widget, gateway: FakeGateway
) -> None:
    about, asked = await consulting(widget)
    await expect(widget.text("You ask Ben Adler about Ana Ruiz.")).to_be_visible()
    (created,) = gateway.sent("call.create")
    assert created.consults_for == about
    assert gateway.calls[about].held_here
    await widget.button("Complete transfer").click()
    done = await gateway.until_sent("call.transfer")
    assert (done.call_id, done.to_call, done.to) == (about, asked, None)


async def test_asking_first_and_coming_back(
    widget: Widget, gateway: FakeGateway
) -> None:
    about, asked = await consulting(widget)
    await widget.button("Come back").click()
    assert (await gateway.until_sent("call.hangup")).call_id == asked
    assert (await gateway.until_sent("call.retrieve")).call_id == about
    await widget.says("On call")
    await expect(widget.page.get_by_role("heading", name="Ana Ruiz")).to_be_visible()


async def test_who_was_asked_declines(widget: Widget, gateway: FakeGateway) -> None:
    _, asked = await consulting(widget)
    await gateway.end(asked, EndReason.DECLINED_THERE)
    said = "Ben Adler: They declined the call. Ana Ruiz is still on hold."
    await expect(widget.text(said)).to_be_visible()
    await widget.says("On hold")


async def test_who_waits_is_put_through_to_the_active_one(
    widget: Widget, gateway: FakeGateway
) -> None:
    first, second = await two_calls(widget)
    await open_tool(widget, "transfer")
    await widget.page.locator(".rb-target-panel .rb-record").click()
    done = await gateway.until_sent("call.transfer")
    assert (done.call_id, done.to_call) == (second.call_id, first.call_id)


# Conference ---------------------------------------------------------------------------


async def test_a_conference_is_heard_and_muted_as_one(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await listening(open_page)
    first, second = await conferring(widget)
    (merged,) = gateway.sent("call.merge")
    assert set(merged.call_ids) == {first.call_id, second.call_id}
    assert await sound(widget) == HEARD_FULLY * 2
    name = "Ana Ruiz and Ben Okafor"
    await expect(widget.page.get_by_role("heading", name=name)).to_be_visible()
    await widget.button("Mute").click()
    await widget.says("Conference, muted")
    assert await sound(widget) == [{"speaks": False, "isHeard": True}] * 2
    await widget.page.reload()
    await widget.says("Conference, muted")
    await widget.past_guard()
    await widget.button("Mute").click()
    await widget.says("Conference")
    await widget.button("Hold").click()
    await widget.says("On hold")
    await gateway.until_media(second.call_id, 2)
    assert await sound(widget) == SILENT * 2


async def test_one_is_split_off_and_one_dropped(
    widget: Widget, gateway: FakeGateway
) -> None:
    first, second = await conferring(widget)
    row = widget.page.locator(".rb-participant").filter(has_text="Ana Ruiz")
    await row.get_by_role("button", name="Drop Ana Ruiz").click()
    await expect(row).to_contain_text("Drop?")
    assert gateway.sent("call.hangup") == [], "the first press only asks"
    await row.get_by_role("button", name="Talk without Ana Ruiz").click()
    assert (await gateway.until_sent("call.split")).call_id == first.call_id
    await widget.says("On call")
    await expect(widget.page.locator(".rb-other")).to_contain_text("Ana Ruiz")
    await widget.button("Merge with Ana Ruiz").first.click()
    await widget.says("Conference")
    drop = row.get_by_role("button", name="Drop Ana Ruiz")
    await drop.click()
    await drop.click()
    assert (await gateway.until_sent("call.hangup")).call_id == first.call_id
    await expect(widget.page.get_by_role("heading", name="Ben Okafor")).to_be_visible()
    assert second.call_id in gateway.calls


async def test_ending_a_conference_takes_two_presses(
    widget: Widget, gateway: FakeGateway
) -> None:
    pair = await conferring(widget)
    await widget.button("End").click()
    await expect(widget.button("End for all?")).to_be_visible()
    assert gateway.sent("call.hangup") == []
    await widget.button("End for all?").click()
    await gateway.until_sent("call.hangup", 2)
    ended = {each.call_id for each in gateway.sent("call.hangup")}
    assert ended == {each.call_id for each in pair}


# The desk phone, presence -------------------------------------------------------------


async def test_a_call_on_the_desk_phone_is_only_looked_at(
    widget: Widget, gateway: FakeGateway
) -> None:
    """It rang here as well, and goes on there under the same id."""
    call_id = await gateway.ring()
    await widget.shows("call", "ringing")
    call = gateway.calls[call_id]
    await gateway.end(call_id, EndReason.ANSWERED_ELSEWHERE)
    await widget.shows("call", "ended")
    offers = len(gateway.sent("call.media"))
    at_desk = call.model_copy(
        update={
            "state": wire.CallState.ACTIVE,
            "device": wire.CallDevice.DESK_PHONE,
            "answered_at": now_ms(),
        }
    )
    gateway.calls[call_id] = at_desk
    await gateway.publish(wire.CallAnsweredEvent, call=at_desk)
    await widget.says("On desk phone")
    await expect(
        widget.text("This call is on your desk phone: use its buttons.")
    ).to_be_visible()
    for name in ("Mute", "Hold", "End"):
        await expect(widget.button(name)).to_be_hidden()
    await widget.page.reload()
    await widget.says("On desk phone")
    assert len(gateway.sent("call.media")) == offers, "it has no media here"
    await gateway.end(call_id, EndReason.HUNG_UP_THERE)
    await expect(widget.text("They hung up")).to_be_visible()


async def test_do_not_disturb_is_one_press(
    widget: Widget, gateway: FakeGateway
) -> None:
    switch = widget.button("Do not disturb")
    await switch.click()
    state = (await gateway.until_sent("presence.set")).state
    assert state is wire.PresenceState.DO_NOT_DISTURB
    await widget.says("Do not disturb")
    await expect(switch).to_have_attribute("aria-pressed", "true")
    refused = gateway.make_call()
    gateway.calls[refused.call_id] = refused
    await gateway.end(refused.call_id, EndReason.DO_NOT_DISTURB)
    await expect(widget.page.locator(".rb-recent")).to_have_count(1)
    await widget.shows("idle")
    await switch.click()
    await widget.says("Available")
    await gateway.publish(
        wire.PresenceChangedEvent, state=wire.PresenceState.DO_NOT_DISTURB
    )
    await widget.says("Do not disturb")


# The dial field -----------------------------------------------------------------------


async def test_people_are_found_as_one_types(
    widget: Widget, gateway: FakeGateway
) -> None:
    gateway.directory = people()
    field = widget.page.get_by_role("combobox", name="Name or number")
    await field.press_sequentially("ben", delay=10)
    rows = widget.page.locator(".rb-idle").get_by_role("row")
    await expect(rows).to_have_count(6)
    await expect(field).to_have_attribute("aria-expanded", "true")
    await expect(rows.first).to_contain_text("Benedikt Aßmann")
    searches = [each.text for each in gateway.sent("directory.search")]
    assert searches[-1] == "ben"
    await field.press("ArrowDown")
    await field.press("ArrowDown")
    marked = await field.get_attribute("aria-activedescendant")
    await expect(widget.page.locator(f"#{marked}")).to_contain_text("Ben Adler")
    await expect(field).to_be_focused()
    await field.press("Enter")
    created = await gateway.until_sent("call.create")
    assert created.to == "1004"
    await gateway.alerting(created.call_id)
    await widget.says("Ringing…")
    await expect(widget.page.get_by_role("heading", name="Ben Adler")).to_be_visible()


async def test_a_star_by_keyboard_and_the_favourites(
    widget: Widget, gateway: FakeGateway
) -> None:
    gateway.directory = [colleague("Ben Adler", "1004")]
    field = widget.page.get_by_role("combobox", name="Name or number")
    await field.fill("ben")
    await expect(widget.page.locator(".rb-idle .rb-person-row")).to_have_count(1)
    await field.press("ArrowDown")
    await field.press("ArrowRight")
    await field.press("Enter")
    starred = await gateway.until_sent("favourite.set")
    assert (starred.entry.number, starred.is_favourite) == ("1004", True)
    star = widget.page.locator(".rb-idle .rb-person-row .rb-star")
    await expect(star).to_have_attribute("data-on", "")
    await field.fill("")
    await widget.page.get_by_role("tab", name="Favourites").click()
    await widget.button("Remove Ben Adler from favourites").click()
    assert not (await gateway.until_sent("favourite.set", 2)).is_favourite
    await expect(widget.text("No favourites yet")).to_be_visible()


async def test_a_directory_that_is_late_or_gone_does_not_hinder(
    widget: Widget, gateway: FakeGateway
) -> None:
    gateway.directory = [colleague("Ben Adler", "1004")]
    gateway.is_directory_complete = False
    field = widget.page.get_by_label("Name or number")
    await field.fill("ben")
    note = widget.page.locator(".rb-idle .rb-people-note")
    await expect(note).to_contain_text("Salesforce did not answer in time")

    async def refuse(params: wire.DirectorySearch) -> wire.Wire:
        raise Refused(wire.ErrorKind.INTERNAL)

    gateway.overrides["directory.search"] = refuse
    await field.fill("1004")
    await expect(note).to_contain_text("The directory could not be searched.")
    await field.press("Enter")
    assert (await gateway.until_sent("call.create")).to == "1004"


async def test_the_last_number_is_dialled_by_two_presses(
    widget: Widget, gateway: FakeGateway
) -> None:
    field = widget.page.get_by_label("Name or number")
    await field.fill("+16465550175")
    await field.press("Enter")
    created = await gateway.until_sent("call.create")
    await gateway.end(created.call_id, EndReason.NO_ANSWER)
    await widget.past_guard()
    await widget.button("Done").click()
    await field.press("Enter")
    await expect(field).to_have_value("+16465550175")
    assert len(gateway.sent("call.create")) == 1, "the first press only shows it"
    await field.press("Enter")
    assert (await gateway.until_sent("call.create", 2)).to == "+16465550175"


# Shortcuts, places ------------------------------------------------------------------


async def test_shortcuts_are_for_who_asks_for_them(
    widget: Widget, gateway: FakeGateway
) -> None:
    await gateway.ring()
    await widget.shows("call", "ringing")
    await widget.page.keyboard.press("Alt+Shift+KeyA")
    await widget.button("Menu").click()
    await widget.page.get_by_label("Keyboard shortcuts").check()
    assert gateway.sent("call.answer") == [], "they are off at first"
    await widget.page.keyboard.press("Escape")
    await widget.page.keyboard.press("Alt+Shift+KeyA")
    await widget.says("On call")
    await widget.page.keyboard.press("Alt+Shift+KeyM")
    await widget.says("On call, muted")
    await widget.page.keyboard.press("Alt+Shift+KeyH")
    await widget.says("On hold")
    second = await gateway.ring(match=BEN)
    await expect(widget.page.locator(".rb-second")).to_be_visible()
    await widget.page.keyboard.press("Alt+Shift+KeyD")
    assert (await gateway.until_sent("call.reject")).call_id == second


@pytest.mark.parametrize("size", [(240, 200), (240, 400), (340, 480), (400, 600)])
async def test_nothing_jumps_and_nothing_is_cut_off(
    open_page: OpenWidget, gateway: FakeGateway, size: tuple[int, int]
) -> None:
    viewport = {"width": size[0], "height": size[1]}
    widget = await open_page(viewport=viewport)
    await widget.shows("idle")
    await take_call(widget)
    names = ("Mute", "Hold", "Keypad", "Transfer", "Add", "More", "End")

    async def places() -> list[Any]:
        return [await widget.button(name).bounding_box() for name in names]

    before = await places()
    for place in before:
        assert place["height"] >= 32
        assert place["width"] >= 32
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= size[0]
        assert place["y"] + place["height"] <= size[1]
    await widget.button("Hold").click()
    await widget.says("On hold")
    await open_tool(widget, "keypad")
    await gateway.ring(match=BEN)
    await expect(widget.page.locator(".rb-second")).to_be_visible()
    assert await places() == before
