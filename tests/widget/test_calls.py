"""Calls in and out, as a rep sees them."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from gateway.sessions import wire
from gateway.sessions.wire import ActivityState, EndReason
from tests.widget.browser import Widget
from tests.widget.conftest import OpenWidget
from tests.widget.fake_gateway import (
    NOBODY,
    SEARCHING,
    FakeGateway,
    Refused,
    peer,
    record,
)

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def dial(widget: Widget, number: str = "+16465550175") -> str:
    await widget.page.get_by_label("Name or number").fill(number)
    await widget.page.keyboard.press("Enter")
    created: wire.CallCreate = await widget.gateway.until_sent("call.create")
    return created.call_id


async def answer(widget: Widget) -> None:
    await widget.shows("call", "ringing")
    await widget.past_guard()
    await widget.button("Answer").click()
    await widget.shows("call", "active")


async def test_incoming_is_answered_talked_in_and_hung_up(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await gateway.ring()
    await widget.shows("call", "ringing")
    await widget.says("Incoming call")
    await expect(widget.page.get_by_role("heading", name="Ana Ruiz")).to_be_visible()
    await expect(widget.text("+1 (646) 555-0175")).to_be_visible()
    await expect(widget.page.locator("[aria-live=assertive]")).to_have_text(
        "Incoming call from Ana Ruiz"
    )
    await gateway.until_sent("call.media")
    assert not (await widget.state(f"client.localState('{call_id}')"))[
        "isMicrophoneOpen"
    ], "the microphone stays closed while it rings"

    await answer(widget)
    await widget.says("On call")
    (answered,) = gateway.sent("call.answer")
    assert answered.offer is None, "media was offered while it rang"
    assert answered.generation == 1
    await widget.until(f"client.localState('{call_id}').isConnected")
    assert gateway.is_media_up(call_id, 1)
    assert (await widget.state(f"client.localState('{call_id}')"))["isMicrophoneOpen"]
    await expect(widget.page.get_by_role("timer")).to_have_text(re.compile(r"^0:\d\d$"))

    await widget.past_guard()
    await widget.button("End").click()
    await widget.shows("call", "ended")
    await expect(widget.text("You ended the call")).to_be_visible()
    await widget.past_guard()
    await widget.button("Done").click()
    await widget.shows("idle")


async def test_a_call_that_could_not_be_offered_early_is_offered_with_the_answer(
    widget: Widget, gateway: FakeGateway
) -> None:
    async def refuse(params: wire.CallMedia) -> wire.Wire:
        raise Refused(wire.ErrorKind.MEDIA_UNAVAILABLE)

    gateway.overrides["call.media"] = refuse
    call_id = await gateway.ring()
    await gateway.until_sent("call.media")
    await answer(widget)
    (answered,) = gateway.sent("call.answer")
    assert answered.offer is not None
    await widget.until(f"client.localState('{call_id}').isConnected")


async def test_decline(widget: Widget, gateway: FakeGateway) -> None:
    await gateway.ring()
    await widget.shows("call", "ringing")
    await widget.past_guard()
    await widget.button("Decline").click()
    assert (await gateway.until_sent("call.reject")).reason == "declined"
    await expect(widget.text("You declined the call")).to_be_visible()


async def test_answered_elsewhere_is_not_missed(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await gateway.ring()
    await widget.shows("call", "ringing")
    await gateway.end(
        call_id, EndReason.ANSWERED_ELSEWHERE, activity=ActivityState.NONE
    )
    await expect(
        widget.page.get_by_role("heading", name="Answered on another device")
    ).to_be_visible()
    await expect(widget.button("Call back")).to_be_hidden()
    await widget.past_guard()
    await widget.button("Done").click()
    row = widget.page.locator(".rb-recent")
    await expect(row).to_have_attribute("data-kind", "elsewhere")


async def test_outgoing_from_dialling_to_the_end(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await dial(widget, "(646) 555-0175")
    assert gateway.sent("call.create")[0].to == "6465550175"
    await widget.says("Calling…")
    await gateway.alerting(call_id)
    await widget.says("Ringing…")
    await widget.until("phone.sounds.playing === 'ringback'")
    await gateway.answered(call_id)
    await widget.says("On call")
    await widget.until("phone.sounds.playing === null")
    await widget.until(f"client.localState('{call_id}').isConnected")
    await gateway.end(call_id, EndReason.HUNG_UP_THERE)
    await expect(widget.text("They hung up")).to_be_visible()
    await expect(widget.text("Waiting to be saved to Salesforce")).to_be_visible()
    await gateway.logged(gateway.history[0])
    await expect(widget.text("Saved to Salesforce")).to_be_visible()


async def test_early_media_silences_the_local_ringback(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await dial(widget)
    await gateway.alerting(call_id)
    await widget.until("phone.sounds.playing === 'ringback'")
    await gateway.early_media(call_id)
    await widget.until("phone.sounds.playing === null")
    await widget.says("Ringing…")


async def test_cancelled_while_it_rings(widget: Widget, gateway: FakeGateway) -> None:
    call_id = await dial(widget)
    await gateway.alerting(call_id)
    await widget.past_guard()
    await widget.button("End").click()
    await gateway.until_sent("call.hangup")
    await expect(widget.text("You cancelled the call")).to_be_visible()


@pytest.mark.parametrize("reason", list(EndReason))
async def test_every_end_is_said_in_words(
    widget: Widget, gateway: FakeGateway, reason: EndReason
) -> None:
    call_id = await gateway.ring()
    await widget.shows("call", "ringing")
    await gateway.end(call_id, reason, sip_code=480)
    words = await widget.page.evaluate(
        "async (reason) => (await import('/widget/softphone/strings.js'))"
        ".words.endReason[reason]",
        reason.value,
    )
    outcome = widget.page.locator(".rb-outcome")
    await expect(outcome).to_contain_text(words["title"])
    await expect(outcome).to_contain_text(words["text"])
    await widget.says("Call ended")


async def test_an_unknown_end_reason_is_a_failed_call(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await gateway.ring()
    call = gateway.calls.pop(call_id).model_copy(
        update={"state": wire.CallState.ENDED, "ended_at": 1, "end_reason": None}
    )
    await gateway.publish(wire.CallEndedEvent, call=call)
    await expect(widget.text("The call failed")).to_be_visible()


async def test_a_refused_dial_says_why_and_keeps_the_number(
    widget: Widget, gateway: FakeGateway
) -> None:
    async def refuse(params: wire.CallCreate) -> wire.Wire:
        raise Refused(wire.ErrorKind.POLICY_DENIED, trace_id="abc123")

    gateway.overrides["call.create"] = refuse
    field = widget.page.get_by_label("Name or number")
    await field.fill("+19005550100")
    await field.press("Enter")
    await expect(widget.text("This is not allowed")).to_be_visible()
    await expect(widget.text("policy.denied, abc123")).to_be_visible()
    await expect(field).to_have_value("+19005550100")


async def test_what_is_no_number_is_not_sent(
    widget: Widget, gateway: FakeGateway
) -> None:
    field = widget.page.get_by_label("Name or number")
    await field.fill("hello?")
    await field.press("Enter")
    await expect(
        widget.page.get_by_role("alert").filter(has_text="not a phone")
    ).to_be_visible()
    assert gateway.sent("call.create") == []


async def test_mute_is_local_and_said(widget: Widget, gateway: FakeGateway) -> None:
    await gateway.ring()
    await answer(widget)
    await widget.past_guard()
    mute = widget.button("Mute")
    await expect(mute).to_have_attribute("aria-pressed", "false")
    await mute.click()
    await widget.says("On call, muted")
    await expect(mute).to_have_attribute("aria-pressed", "true")
    await mute.click()
    await widget.says("On call")
    await expect(mute).to_have_attribute("aria-pressed", "false")


async def test_keypad_in_a_call_by_mouse_and_keyboard(
    widget: Widget, gateway: FakeGateway
) -> None:
    await gateway.ring()
    await answer(widget)
    await widget.past_guard()
    await widget.button("Keypad").click()
    await widget.button("5").click()
    await widget.page.keyboard.press("#")
    await gateway.until_sent("call.dtmf", 2)
    assert [each.digits for each in gateway.sent("call.dtmf")] == ["5", "#"]
    await expect(widget.page.get_by_label("Tones sent")).to_have_text("5#")
    await widget.page.keyboard.press("Escape")
    await expect(widget.button("5")).to_be_hidden()
    await expect(widget.button("Keypad")).to_be_focused()


async def test_keypad_when_idle_fills_the_field(
    widget: Widget, gateway: FakeGateway
) -> None:
    await widget.button("Show keypad").click()
    for digit in "100":
        await widget.button(digit).click()
    await widget.button("Call").click()
    assert (await gateway.until_sent("call.create")).to == "100"


async def test_match_arrives_while_it_rings(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await gateway.ring(match=SEARCHING)
    await expect(widget.text("Searching Salesforce…")).to_be_visible()
    await gateway.update(
        call_id, match=wire.Match(state=wire.MatchState.FOUND, records=(record(),))
    )
    await expect(widget.button("Open in Salesforce")).to_be_visible()
    await gateway.update(call_id, match=wire.Match(state=wire.MatchState.FAILED))
    await expect(widget.text("Salesforce could not be searched")).to_be_visible()


async def test_several_matches_are_a_choice(
    widget: Widget, gateway: FakeGateway
) -> None:
    both = (record("Ana Ruiz"), record("Ben Ode", id="003000000000002AAA"))
    await gateway.ring(match=wire.Match(state=wire.MatchState.FOUND, records=both))
    await expect(widget.text("2 records have this number. Who is it?")).to_be_visible()
    await widget.button("Ben Ode", exact=False).click()
    chosen = await gateway.until_sent("call.choose_record")
    assert chosen.record_id == "003000000000002AAA"
    await expect(widget.page.get_by_role("heading", name="Ben Ode")).to_be_visible()


async def test_a_caller_with_a_name_is_added_by_one_click(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await gateway.ring(who=peer(display_name="Jane Maria Doe"), match=NOBODY)
    await widget.button("Add Jane Maria Doe as a contact").click()
    made = await gateway.until_sent("contact.create")
    assert (made.first_name, made.last_name) == ("Jane Maria", "Doe")
    assert (made.phone, made.call_id) == ("+16465550175", call_id)
    await expect(widget.button("Open in Salesforce")).to_be_visible()


async def test_a_caller_without_a_name_is_asked_for(
    widget: Widget, gateway: FakeGateway
) -> None:
    await gateway.ring(match=NOBODY)
    await widget.button("Add contact").click()
    await expect(widget.page.get_by_label("Last name")).to_be_focused()
    await widget.button("Save contact").click()
    await expect(widget.text("Enter a last name.")).to_be_visible()
    await widget.page.keyboard.type("Doe")
    await widget.page.get_by_role("textbox", name="Company").fill("Initech")
    await widget.page.keyboard.press("Enter")
    made = await gateway.until_sent("contact.create")
    assert (made.first_name, made.last_name, made.company) == ("", "Doe", "Initech")


async def test_a_duplicate_offers_the_records_that_exist(
    widget: Widget, gateway: FakeGateway
) -> None:
    async def refuse(params: wire.ContactCreate) -> wire.Wire:
        raise Refused(wire.ErrorKind.CRM_DUPLICATE, records=(record("Jane Doe"),))

    gateway.overrides["contact.create"] = refuse
    await gateway.ring(who=peer(display_name="Jane Doe"), match=NOBODY)
    await widget.button("Add Jane Doe as a contact").click()
    await expect(widget.text("This contact may exist already.")).to_be_visible()
    await expect(widget.button("Jane Doe", exact=False)).to_be_visible()


async def test_history_is_listed_searched_and_dialled(
    widget: Widget, gateway: FakeGateway
) -> None:
    for name, reason in (("Ana Ruiz", EndReason.MISSED), ("Ben Ode", EndReason.BUSY)):
        call_id = await gateway.ring(
            who=peer(display_name=name, number=f"+1646555{len(name):04}"), match=NOBODY
        )
        await gateway.end(call_id, reason)
    await expect(widget.page.get_by_role("heading", name="Ben Ode")).to_be_visible()
    await widget.shows("call", "ended")
    await widget.past_guard()
    await widget.button("Done").click()
    rows = widget.page.locator(".rb-recent")
    await expect(rows).to_have_count(2)
    await expect(rows.filter(has_text="Ana Ruiz")).to_have_attribute(
        "data-kind", "missed"
    )
    await widget.page.get_by_label("Name or number").fill("ben")
    await expect(rows).to_have_count(1)
    await widget.page.keyboard.press("Enter")
    assert (await gateway.until_sent("call.create")).to == "+16465550007"


async def test_first_use_says_what_will_be_here(widget: Widget) -> None:
    await expect(widget.text("No calls yet")).to_be_visible()


async def test_a_second_caller_can_be_taken_instead(
    widget: Widget, gateway: FakeGateway
) -> None:
    first = await gateway.ring()
    await answer(widget)
    second = await gateway.ring(who=peer("+4989123456", "+49 89 123456"), match=NOBODY)
    await expect(widget.text("+49 89 123456 is calling too")).to_be_visible()
    await widget.past_guard()
    await widget.button("End and answer").click()
    assert (await gateway.until_sent("call.hangup")).call_id == first
    assert (await gateway.until_sent("call.answer", 2)).call_id == second
    await expect(widget.page.get_by_role("heading", name="+49 89")).to_be_visible()


async def test_a_double_click_on_answer_does_not_mute_or_end(
    widget: Widget, gateway: FakeGateway
) -> None:
    await gateway.ring()
    await widget.shows("call", "ringing")
    await widget.past_guard()
    box = await widget.button("Answer").bounding_box()
    assert box is not None
    await widget.page.mouse.dblclick(box["x"] + 20, box["y"] + 20)
    await widget.shows("call", "active")
    await widget.says("On call")
    assert gateway.sent("call.hangup") == []


async def test_the_ended_call_leaves_by_itself(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await gateway.ring()
    await gateway.end(call_id, EndReason.HUNG_UP_THERE)
    await widget.shows("call", "ended")
    await expect(widget.root).to_have_attribute("data-view", "idle", timeout=12_000)


async def test_muted_before_there_is_any_media(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    """Who is muted stays muted, however late the connection is made."""
    gateway.turn_is_up.clear()
    widget = await open_page()
    await widget.says("Available")
    call_id = await gateway.ring()
    await widget.shows("call", "ringing")
    await widget.state(f"client.mute('{call_id}', true)")
    gateway.turn_is_up.set()
    await widget.past_guard()
    await widget.button("Answer").click()
    await widget.until(f"client.localState('{call_id}').isConnected")
    assert await widget.state(f"client.localState('{call_id}').isMuted")


async def test_who_comes_by_an_invite_withholds_no_number(
    widget: Widget, gateway: FakeGateway
) -> None:
    invite = wire.InviteRef(invite_id="i1", subject="Renewal", guest="Ana Ruiz")
    call_id = await gateway.ring(who=peer("", ""), match=NOBODY, invite=invite)
    await widget.shows("call", "ringing")
    await expect(widget.page.get_by_role("heading", name="Ana Ruiz")).to_be_visible()
    await expect(widget.text("Video invite: Renewal")).to_be_visible()
    await expect(widget.text("Number withheld")).to_have_count(0)
    await answer(widget)
    people = [
        wire.Participant(id=name, name=name, is_host=False) for name in ("Ben", "Cleo")
    ]
    ana = wire.Participant(id="", name="Ana Ruiz", is_host=False)
    await gateway.update(call_id, participants=(ana, *people))
    everybody = widget.page.get_by_role("heading", name="Ana Ruiz and 2 others")
    await expect(everybody).to_be_visible()
    await gateway.update(call_id, participants=tuple(people[:1]))
    await expect(widget.page.get_by_role("heading", name="Ben")).to_be_visible()


@pytest.mark.parametrize("field", ["allow_duplicate", ""])
async def test_somebody_else_can_be_added_where_the_crm_only_warns(
    widget: Widget, gateway: FakeGateway, field: str
) -> None:
    async def refuse(params: wire.ContactCreate) -> wire.Wire:
        if params.allow_duplicate:
            return wire.ContactCreateResult(record=record("Jo March", id="003J"))
        raise Refused(
            wire.ErrorKind.CRM_DUPLICATE, records=(record("Jo Marsh"),), field=field
        )

    gateway.overrides["contact.create"] = refuse
    await gateway.ring(match=NOBODY)
    await answer(widget)
    await widget.button("Add contact").click()
    await widget.page.get_by_label("First name").fill("Jo")
    await widget.page.get_by_label("Last name").fill("March")
    await widget.page.get_by_role("textbox", name="Company").fill("Little Ltd")
    await widget.page.get_by_role("textbox", name="Company").press("Enter")
    await expect(widget.text("Jo Marsh")).to_be_visible()
    anyway = widget.button("Add anyway")
    if not field:
        await expect(anyway).to_be_hidden()
        return
    await anyway.click()
    await gateway.until(lambda: len(gateway.sent("contact.create")) == 2)
    first, second = gateway.sent("contact.create")
    assert second.allow_duplicate
    assert not first.allow_duplicate
    for each in (first, second):
        assert (each.first_name, each.last_name) == ("Jo", "March")
        assert each.company == "Little Ltd"


async def test_what_the_caller_typed_is_shown(
    widget: Widget, gateway: FakeGateway
) -> None:
    await gateway.ring(caller_key="4711")
    await widget.shows("call", "ringing")
    await expect(widget.text("Typed by the caller: 4711")).to_be_visible()
