"""The invites: dialog, list, what becomes of them; and the way in from the host."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.async_api import Locator, expect

from gateway.sessions import wire
from gateway.sessions.wire import InviteState, MailState
from tests.widget.browser import Widget
from tests.widget.conftest import OpenWidget
from tests.widget.fake_gateway import (
    FakeGateway,
    Refused,
    guest,
    invite,
    now_ms,
)

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

MINUTE = 60_000


async def open_list(widget: Widget) -> None:
    await widget.page.get_by_role("tab", name="Invites").click()
    await expect(widget.button("New invite")).to_be_visible()


async def open_form(widget: Widget) -> Locator:
    await open_list(widget)
    await widget.button("New invite").click()
    dialog = widget.page.get_by_role("dialog", name="New video invite")
    await expect(dialog).to_be_visible()
    return dialog


async def fill_guest(
    widget: Widget, name: str = "Jo Doe", email: str = "jo@example.com"
) -> None:
    await widget.page.get_by_label("Name", exact=True).first.fill(name)
    await widget.page.get_by_label("E-mail").first.fill(email)


def row(widget: Widget, invite_id: str) -> Locator:
    return widget.page.locator(f"[data-invite='{invite_id}']")


# Making one ---------------------------------------------------------------------


async def test_somebody_is_searched_invited_and_listed(
    widget: Widget, gateway: FakeGateway
) -> None:
    await open_form(widget)
    name = widget.page.get_by_role("combobox", name="Name", exact=True)
    await expect(name).to_be_focused()
    await widget.page.keyboard.type("ana")
    await expect(widget.page.locator(".rb-option")).to_have_count(1)
    await widget.page.keyboard.press("ArrowDown")
    await widget.page.keyboard.press("Enter")
    await expect(name).to_have_value("Ana Ruiz")
    email = widget.page.get_by_label("E-mail")
    await expect(email).to_have_value("ana@example.com")
    await expect(email).to_be_focused()
    await widget.page.get_by_label("Subject").fill("Renewal")
    await widget.page.get_by_label("A line to go with it").fill("See you there")
    before = now_ms()
    await widget.button("In 15 min").click()
    await widget.button("Send invite").click()
    made = await gateway.until_sent("invite.create")
    draft = made.invite
    assert (draft.subject, draft.text) == ("Renewal", "See you there")
    assert draft.send_mail
    assert draft.contact is not None
    assert draft.contact.id == "003000000000001AAA"
    (only,) = draft.guests
    assert (only.name, only.email) == ("Ana Ruiz", "ana@example.com")
    assert 14 * MINUTE < draft.starts_at - before < 17 * MINUTE
    assert draft.ends_at - draft.starts_at == 30 * MINUTE
    assert draft.time_zone == await widget.page.evaluate(
        "Intl.DateTimeFormat().resolvedOptions().timeZone"
    )
    await expect(widget.page.get_by_role("dialog")).to_be_hidden()
    entry = row(widget, made.invite_id)
    await expect(entry).to_contain_text("Ana Ruiz")
    await expect(entry).to_contain_text("Mail is being sent")
    await expect(entry.get_by_role("button", expanded=True)).to_be_focused()


async def test_what_is_wrong_is_said_at_the_field(
    widget: Widget, gateway: FakeGateway
) -> None:
    await open_form(widget)
    await widget.page.get_by_label("Subject").fill(" ")
    await widget.button("Send invite").click()
    dialog = widget.page.get_by_role("dialog")
    for text in ("Enter a name.", "Enter the e-mail address.", "Enter a subject."):
        await expect(dialog.get_by_text(text)).to_be_visible()
    await expect(dialog.get_by_text("3 fields are not right.")).to_be_visible()
    name = widget.page.get_by_role("combobox", name="Name", exact=True)
    await expect(name).to_be_focused()
    await expect(name).to_have_attribute("aria-invalid", "true")
    await expect(name).to_have_accessible_description("Enter a name.")
    await fill_guest(widget, email="jo@example")
    await widget.page.get_by_label("Subject").fill("Hello")
    await widget.page.get_by_label("Start", exact=True).fill("2020-01-01T10:00")
    await widget.button("Send invite").click()
    await expect(dialog.get_by_text("That is not an e-mail address.")).to_be_visible()
    await expect(dialog.get_by_text("That is in the past.")).to_be_visible()
    await widget.page.get_by_label("End", exact=True).fill("2019-01-01T10:00")
    await widget.button("Send invite").click()
    await expect(dialog.get_by_text("The end must be after the start.")).to_be_visible()
    await widget.page.get_by_label("End", exact=True).fill("2020-01-03T10:00")
    await widget.button("Send invite").click()
    await expect(dialog.get_by_text("An invite is for a day at most.")).to_be_visible()
    assert gateway.sent("invite.create") == []


@pytest.mark.parametrize(
    ("field", "label"),
    [
        ("invite.guests.0.email", "E-mail"),
        ("guests.0.name", "Name"),
        ("ends_at", "End"),
        ("subject", "Subject"),
    ],
)
async def test_what_the_gateway_refuses_is_said_at_the_field_and_is_sent_once(
    widget: Widget, gateway: FakeGateway, field: str, label: str
) -> None:
    async def refuse(params: Any) -> wire.Wire:
        raise Refused(wire.ErrorKind.INVITE_INVALID, field=field)

    gateway.overrides["invite.create"] = refuse
    await open_form(widget)
    await fill_guest(widget)
    await widget.button("Send invite").click()
    wrong = widget.page.get_by_label(label, exact=True).first
    await expect(wrong).to_have_attribute("aria-invalid", "true")
    await expect(wrong).to_have_accessible_description("Refused.")
    await expect(wrong).to_be_focused()
    del gateway.overrides["invite.create"]
    await widget.button("Send invite").click()
    first, again = (
        await gateway.until_sent("invite.create"),
        await gateway.until_sent("invite.create", 2),
    )
    assert first.invite_id == again.invite_id
    assert first.op_id != again.op_id


async def test_a_failure_without_a_field_is_said_and_nothing_is_lost(
    widget: Widget, gateway: FakeGateway
) -> None:
    async def refuse(params: Any) -> wire.Wire:
        raise Refused(wire.ErrorKind.RATE_LIMITED)

    gateway.overrides["invite.create"] = refuse
    dialog = await open_form(widget)
    await fill_guest(widget)
    await widget.button("Send invite").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Too many requests")
    await expect(widget.page.get_by_label("E-mail")).to_have_value("jo@example.com")


async def test_the_length_stays_when_the_start_moves(widget: Widget) -> None:
    await open_form(widget)
    start = widget.page.get_by_label("Start", exact=True)
    end = widget.page.get_by_label("End", exact=True)
    await start.fill("2035-03-01T10:00")
    await end.fill("2035-03-01T11:15")
    await start.fill("2035-03-02T09:00")
    await expect(end).to_have_value("2035-03-02T10:15")


async def test_further_guests_come_and_go(widget: Widget, gateway: FakeGateway) -> None:
    await open_form(widget)
    await fill_guest(widget)
    for _ in range(3):
        await widget.button("Add a guest").click()
    await expect(widget.button("Add a guest")).to_be_hidden()
    further = widget.page.locator(".rb-further ringbridge-guest-fields")
    await further.nth(2).get_by_role("button", name="Remove Guest").click()
    await further.nth(1).get_by_role("button", name="Remove Guest").click()
    await further.nth(0).get_by_label("Name").fill("Eve Expert")
    await further.nth(0).get_by_label("E-mail").fill("JO@example.com")
    await widget.button("Send invite").click()
    await expect(
        widget.page.get_by_text("Two guests have this address.")
    ).to_be_visible()
    await further.nth(0).get_by_label("E-mail").fill("eve@example.com")
    await widget.button("Send invite").click()
    made = await gateway.until_sent("invite.create")
    assert [(each.name, each.role.value) for each in made.invite.guests] == [
        ("Jo Doe", "customer"),
        ("Eve Expert", "colleague"),
    ]


ZONE = "Their time zone"


async def test_where_a_guest_is_is_searched_and_both_times_are_shown(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(timezone_id="Europe/Berlin", locale="en-GB")
    dialog = await open_form(widget)
    zone = widget.page.get_by_role("combobox", name=ZONE)
    await expect(zone).to_have_attribute("placeholder", re.compile("^As mine: Berlin"))
    await expect(dialog).to_contain_text("Salesforce does not know it")
    await fill_guest(widget)
    start = widget.page.get_by_label("Start", exact=True)
    await start.fill("2035-12-03T16:00")
    times = dialog.locator(".rb-both-times")
    await expect(times).to_be_hidden()
    # All of it by keyboard.
    await zone.focus()
    await widget.page.keyboard.type("new y")
    await expect(widget.page.get_by_text("1 time zone found")).to_be_attached()
    await widget.page.keyboard.press("ArrowDown")
    option = widget.page.get_by_role("option", name="New York")
    await expect(option).to_have_attribute("aria-selected", "true")
    await expect(zone).to_have_attribute(
        "aria-activedescendant", await option.get_attribute("id") or ""
    )
    # The list alone is left, not the dialog.
    await widget.page.keyboard.press("Escape")
    await expect(option).to_be_hidden()
    await expect(dialog).to_be_visible()
    await widget.page.keyboard.press("End")
    await widget.page.keyboard.type("o")
    await widget.page.keyboard.press("Enter")
    await expect(zone).to_have_value(re.compile(r"^New York \((GMT-5|EST)\)$"))
    await expect(times).to_have_text("16:00 for you, 10:00 in New York")
    # Three weeks in which only one side has changed its clocks.
    await start.fill("2035-03-20T16:00")
    await expect(times).to_have_text("16:00 for you, 11:00 in New York")
    await expect(zone).to_have_value(re.compile(r"^New York \((GMT-4|EDT)\)$"))
    await start.fill("2035-03-20T02:00")
    night = re.compile("^0?2:00 for you, Mon 21:00 in New York$")
    await expect(times).to_have_text(night)
    # A second guest, where the clocks are as here.
    await widget.button("Add a guest").click()
    await widget.page.get_by_label("Name", exact=True).nth(1).fill("Eve")
    await widget.page.get_by_label("E-mail").nth(1).fill("eve@example.com")
    second = widget.page.get_by_role("combobox", name=ZONE).nth(1)
    await second.fill("paris")
    await second.press("Tab")
    await expect(second).to_have_value(re.compile("^Paris"))
    await expect(times.locator("p")).to_have_count(1)
    await widget.button("Send invite").click()
    made = (await gateway.until_sent("invite.create")).invite
    assert made.time_zone == "Europe/Berlin"
    assert [each.time_zone for each in made.guests] == [
        "America/New_York",
        "Europe/Paris",
    ]


async def test_what_is_no_time_zone_is_said_at_the_field(
    widget: Widget, gateway: FakeGateway
) -> None:
    await open_form(widget)
    await fill_guest(widget)
    zone = widget.page.get_by_role("combobox", name=ZONE)
    await zone.fill("Olympus Mons")
    await widget.button("Send invite").click()
    await expect(zone).to_have_accessible_description(
        "Choose a time zone from the list."
    )
    await expect(zone).to_be_focused()
    assert gateway.sent("invite.create") == []

    async def refuse(params: Any) -> wire.Wire:
        raise Refused(wire.ErrorKind.INVITE_INVALID, field="guests.0.time_zone")

    gateway.overrides["invite.create"] = refuse
    await zone.fill("tokyo")
    await widget.button("Send invite").click()
    await expect(zone).to_have_accessible_description("Refused.")
    del gateway.overrides["invite.create"]
    await zone.fill("")
    await widget.button("Send invite").click()
    made = (await gateway.until_sent("invite.create", 2)).invite
    assert made.guests[0].time_zone == ""


async def test_a_guests_zone_is_in_the_list_and_stays_with_a_change(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(timezone_id="Europe/Berlin", locale="en-GB")
    there = guest(time_zone="Asia/Tokyo")
    gateway.invites["i1"] = invite(guests=(there, guest("Eve", "eve@example.com")))
    await open_list(widget)
    entry = row(widget, "i1")
    await entry.get_by_role("button").click()
    await expect(entry.get_by_text("in Tokyo")).to_have_text(
        re.compile(r"^Starts (\w+ )?\d\d:\d\d in Tokyo$")
    )
    await widget.button("Change").click()
    zone = widget.page.get_by_role("combobox", name=ZONE).first
    await expect(zone).to_have_value("Tokyo (GMT+9)")
    await widget.button("Save and tell guests").click()
    changed = (await gateway.until_sent("invite.change")).invite
    assert [each.time_zone for each in changed.guests] == ["Asia/Tokyo", ""]


async def test_start_now_makes_a_link_to_paste(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page()
    await widget.page.context.grant_permissions(
        ["clipboard-read", "clipboard-write"], origin=gateway.url
    )
    await open_list(widget)
    await widget.button("Start now").click()
    await widget.button("Make the link").click()
    made = await gateway.until_sent("invite.create")
    assert not made.invite.send_mail
    assert made.invite.starts_at <= now_ms()
    assert made.invite.guests[0].name == "Guest"
    link = widget.page.get_by_label("Link")
    await expect(link).to_have_value("https://phone.example.com/join/token-of-guest-0")
    copy = widget.page.get_by_role("button", name="Copy link", exact=True)
    await expect(copy).to_be_focused()
    await copy.click()
    await expect(widget.page.get_by_text("Link copied").first).to_be_visible()
    assert "token-of-guest-0" in await widget.page.evaluate(
        "navigator.clipboard.readText()"
    )
    await widget.button("Done").click()
    await expect(link).to_be_hidden()
    assert await link.input_value() == "", "no link is kept on the page"


async def test_from_a_call_the_dialog_knows_whom(
    widget: Widget, gateway: FakeGateway
) -> None:
    await gateway.ring()
    await widget.past_guard()
    await widget.button("Answer").click()
    await widget.shows("call", "active")
    await widget.past_guard()
    await widget.button("More").click()
    await widget.button("Invite Ana Ruiz to a video call").click()
    dialog = widget.page.get_by_role("dialog", name="New video invite")
    await expect(dialog).to_be_visible()
    await expect(widget.page.get_by_label("E-mail")).to_have_value("ana@example.com")
    await widget.page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(widget.button("More")).to_be_focused()


async def test_a_call_passes_through_what_is_typed(
    widget: Widget, gateway: FakeGateway
) -> None:
    dialog = await open_form(widget)
    await fill_guest(widget)
    call_id = await gateway.ring()
    await widget.shows("call", "ringing")
    await expect(dialog).to_be_hidden()
    await gateway.end(call_id, wire.EndReason.MISSED)
    await expect(dialog).to_be_visible()
    await expect(widget.page.get_by_label("E-mail")).to_have_value("jo@example.com")


async def test_who_may_not_invite_has_no_invites(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    gateway.user = gateway.user.model_copy(update={"invites_from": ""})
    widget = await open_page()
    await widget.shows("idle")
    await expect(widget.page.get_by_role("tab")).to_have_count(2)
    await gateway.ring()
    await widget.past_guard()
    await widget.button("Answer").click()
    await widget.shows("call", "active")
    await expect(widget.button("Invite Ana", exact=False)).to_be_hidden()


# The list -----------------------------------------------------------------------


async def test_none_yet_and_a_failure_that_is_tried_again(
    widget: Widget, gateway: FakeGateway
) -> None:
    async def refuse(params: Any) -> wire.Wire:
        raise Refused(wire.ErrorKind.INTERNAL)

    gateway.overrides["invite.list"] = refuse
    await open_list(widget)
    await expect(widget.text("The invites could not be loaded.")).to_be_visible()
    del gateway.overrides["invite.list"]
    await widget.button("Try again").click()
    await expect(widget.text("No invites to come")).to_be_visible()


async def test_what_became_of_an_invite_is_told_as_it_happens(
    widget: Widget, gateway: FakeGateway
) -> None:
    gateway.invites["i1"] = invite(guests=(guest(mail_problem=""),))
    await open_list(widget)
    entry = row(widget, "i1")
    await expect(entry).to_contain_text("Planned")
    await entry.get_by_role("button").click()
    await expect(entry).to_contain_text("Mail sent")
    await expect(entry).to_contain_text("Has not joined")
    bounced = guest().model_copy(
        update={"mail": MailState.BOUNCED, "mail_problem": "550 no such user"}
    )
    await gateway.change_invite("i1", guests=(bounced,))
    await expect(entry).to_contain_text("Mail came back: 550 no such user")
    await entry.get_by_role("button", name="Send the mail to Ana Ruiz again").click()
    assert (await gateway.until_sent("invite.resend")).guest_id == bounced.guest_id
    here = guest(is_in_call=True, joined_at=now_ms())
    await gateway.change_invite("i1", state=InviteState.OPEN, guests=(here,))
    await expect(entry).to_contain_text("Open now")
    await expect(entry).to_contain_text("In the call")
    await entry.get_by_role("button", name="Extend by 15 minutes").click()
    assert (await gateway.until_sent("invite.extend")).minutes == 15
    await gateway.change_invite("i1", state=InviteState.NO_SHOW)
    await expect(entry).to_contain_text("Nobody came")


@pytest.mark.parametrize(
    ("state", "problem", "said", "is_corrected"),
    [
        (MailState.BOUNCED, "No such address. (550)", "Mail came back: No such", True),
        (MailState.FAILED, "550 no", "Mail not delivered: 550 no", True),
        (MailState.SENT, "Delivery is delayed.", "Mail sent: Delivery is", False),
        (MailState.UNCERTAIN, "", "Mail perhaps not sent.", False),
    ],
)
async def test_an_address_that_takes_no_mail_is_corrected_at_its_field(
    widget: Widget,
    gateway: FakeGateway,
    state: MailState,
    problem: str,
    said: str,
    is_corrected: bool,
) -> None:
    wrong = guest("Eve", "eve@exmaple.com").model_copy(
        update={"guest_id": "g-eve", "mail": state, "mail_problem": problem}
    )
    gateway.invites["i1"] = invite(guests=(guest(), wrong))
    await open_list(widget)
    entry = row(widget, "i1")
    await entry.get_by_role("button").click()
    await expect(entry).to_contain_text(said)
    correct = widget.button("Correct the address of Eve")
    if not is_corrected:
        await expect(correct).to_have_count(0)
        return
    await correct.click()
    email = widget.page.get_by_label("E-mail").nth(1)
    await expect(email).to_be_focused()
    await email.fill("eve@example.com")
    await widget.button("Save and tell guests").click()
    changed = await gateway.until_sent("invite.change")
    assert changed.invite.guests[1].email == "eve@example.com"


async def test_cancelling_wants_a_second_press(
    widget: Widget, gateway: FakeGateway
) -> None:
    gateway.invites["i1"] = invite()
    await open_list(widget)
    entry = row(widget, "i1")
    await entry.get_by_role("button").click()
    await entry.get_by_role("button", name="Cancel invite").click()
    assert gateway.sent("invite.cancel") == []
    sure = entry.get_by_role("button", name="Really cancel? Guests are told.")
    await expect(sure).to_be_focused()
    await sure.click()
    await gateway.until_sent("invite.cancel")
    await expect(entry).to_contain_text("Cancelled")


async def test_a_change_keeps_the_guests_and_says_the_rest_anew(
    widget: Widget, gateway: FakeGateway
) -> None:
    known = invite(guests=(guest(), guest("Eve", "eve@example.com")))
    gateway.invites["i1"] = known
    await open_list(widget)
    await row(widget, "i1").get_by_role("button").click()
    await widget.button("Change").click()
    await widget.page.get_by_label("Subject").fill("Another")
    await widget.button("Save and tell guests").click()
    changed = await gateway.until_sent("invite.change")
    assert changed.invite_id == "i1"
    assert changed.invite.subject == "Another"
    assert changed.invite.starts_at == known.starts_at
    assert [each.guest_id for each in changed.invite.guests] == [
        each.guest_id for each in known.guests
    ]


async def test_past_invites_come_by_pages(widget: Widget, gateway: FakeGateway) -> None:
    for number in range(25):
        gateway.invites[f"p{number}"] = invite(
            f"p{number}", in_minutes=-60 * number - 60, state=InviteState.OVER
        )
    await open_list(widget)
    await widget.button("Show past invites").click()
    rows = widget.page.locator("[data-invite]")
    await expect(rows).to_have_count(20)
    await widget.button("Show more").click()
    await expect(rows).to_have_count(25)
    await expect(widget.button("Show more")).to_be_hidden()
    assert (await gateway.until_sent("invite.list", 3)).after == "p19"


async def test_a_link_is_shown_where_it_cannot_be_copied(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(
        init="navigator.clipboard.writeText = async () => { throw new Error(); };"
    )
    gateway.invites["i1"] = invite()
    await open_list(widget)
    await row(widget, "i1").get_by_role("button").click()
    await widget.button("Copy the link of Ana Ruiz").click()
    link = widget.page.get_by_role("textbox", name="Link")
    await expect(link).to_be_focused()
    assert "/join/" in await link.input_value()


async def test_the_missed_call_of_an_invite_says_so(
    widget: Widget, gateway: FakeGateway
) -> None:
    ref = wire.InviteRef(invite_id="i1", subject="Renewal", guest="Ana Ruiz")
    call_id = await gateway.ring(invite=ref)
    await gateway.end(call_id, wire.EndReason.MISSED)
    await widget.past_guard()
    await widget.button("Done").click()
    await expect(widget.page.locator(".rb-recent")).to_contain_text("Missed: Renewal")


async def test_all_of_it_by_keyboard(widget: Widget, gateway: FakeGateway) -> None:
    gateway.invites["i1"] = invite("i1")
    gateway.invites["i2"] = invite("i2", in_minutes=90)
    keyboard = widget.page.keyboard
    await widget.page.get_by_role("tab", name="Recents").focus()
    await keyboard.press("ArrowRight")
    await keyboard.press("ArrowRight")
    await expect(widget.page.get_by_role("tab", name="Invites")).to_be_focused()
    await expect(row(widget, "i2")).to_be_visible()
    await row(widget, "i1").get_by_role("button").focus()
    await keyboard.press("ArrowDown")
    await expect(row(widget, "i2").get_by_role("button")).to_be_focused()
    await keyboard.press("Enter")
    await expect(row(widget, "i2").get_by_role("button", expanded=True)).to_be_focused()
    await widget.button("New invite").focus()
    await keyboard.press("Enter")
    await keyboard.type("Jo Doe")
    await keyboard.press("Tab")
    await keyboard.type("jo@example.com")
    await keyboard.press("Enter")
    made = await gateway.until_sent("invite.create")
    assert made.invite.guests[0].name == "Jo Doe"
    assert made.invite.contact is None


async def test_an_address_that_says_whom_to_invite(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    """As the icon on a record's page does for who has no number; once."""
    wanted = urlencode(
        {
            "record": "003XX0000000001",
            "kind": "Contact",
            "name": "Ana\nRuiz <b>",
            "email": "ana@example.com",
        }
    )
    widget = await open_page(path=f"/widget/#invite?{wanted}")
    dialog = widget.page.get_by_role("dialog", name="New video invite")
    await expect(dialog).to_be_visible()
    name = widget.page.get_by_role("combobox", name="Name", exact=True)
    await expect(name).to_have_value("Ana Ruiz <b>")
    await expect(widget.page.get_by_label("E-mail")).to_have_value("ana@example.com")
    assert "#" not in widget.page.url
    await widget.page.reload()
    await widget.shows("idle")
    await widget.says("Available")
    await expect(dialog).not_to_be_visible()
    assert gateway.sent("invite.create") == []


@pytest.mark.parametrize("address", ["#invite", "#Invite?name=Ana", "#x"])
async def test_an_address_that_says_nothing_of_it(
    open_page: OpenWidget, address: str
) -> None:
    widget = await open_page(path=f"/widget/{address}")
    await widget.shows("idle")
    await widget.says("Available")
    dialog = widget.page.get_by_role("dialog", name="New video invite")
    await expect(dialog).not_to_be_visible()
