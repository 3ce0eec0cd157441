"""Scenes of call control, for pictures and for axe-core."""

from __future__ import annotations

from typing import Any

from playwright.async_api import expect

from gateway.sessions import wire
from gateway.sessions.wire import EndReason
from tests.widget.browser import Widget
from tests.widget.fake_gateway import (
    NOBODY,
    colleague,
    in_crm,
    now_ms,
    peer,
    record,
)

LONG = "Wolfeschlegelsteinhausenbergerdorff-Freifrau von Oberndorff-K"
BEN = wire.Match(
    state=wire.MatchState.FOUND,
    records=(record("Ben Okafor", id="2", company="Initech"),),
)
LONG_MATCH = wire.Match(
    state=wire.MatchState.FOUND, records=(record(LONG, id="3", company=LONG),)
)
STATES_OF_PHONES = wire.EntryState


def people() -> list[wire.DirectoryEntry]:
    busy, away = STATES_OF_PHONES.BUSY, STATES_OF_PHONES.AWAY
    return [
        colleague("Benedikt Aßmann", "1003", is_favourite=True),
        colleague("Ben Adler", "1004", busy),
        colleague("Benita Ortiz", "1005", away),
        colleague("Ruben Sato", "1006", STATES_OF_PHONES.UNKNOWN),
        in_crm("Ben Okafor", "+16465550188"),
        in_crm(f"Ben {LONG}", "+442079460123"),
        in_crm("Ana Ruiz", "+16465550175", is_favourite=True),
    ]


async def take_call(
    widget: Widget, *, minutes: float = 12.5, **call: Any
) -> wire.CallView:
    """Rings and is answered; it has lasted for a while."""
    gateway = widget.gateway
    call_id = await gateway.ring(**call)
    # With the phone otherwise free; else the way of a second call.
    if len(gateway.calls) == 1:
        await widget.shows("call", "ringing")
        await widget.past_guard()
        await widget.page.locator("[data-action=answer]").click()
    else:
        card = widget.page.locator(".rb-second .rb-answer")
        await card.wait_for()
        await widget.past_guard()
        await card.click()
    await widget.until(f"client.localState('{call_id}').isConnected")
    await widget.until(f"client.state.focus === '{call_id}'")
    made = await gateway.update(call_id, answered_at=now_ms() - int(minutes * 60_000))
    await widget.past_guard()
    return made


async def held(widget: Widget) -> wire.CallView:
    call = await take_call(widget)
    await widget.page.get_by_role("button", name="Hold", exact=True).click()
    await widget.says("On hold")
    return call


async def two_calls(
    widget: Widget, *, match: wire.Match = BEN
) -> tuple[wire.CallView, wire.CallView]:
    """The second talks, the first waits."""
    first = await take_call(widget)
    second = await take_call(
        widget, minutes=1, match=match, who=peer("+16465550188", "+1 (646) 555-0188")
    )
    await widget.page.locator(".rb-other").wait_for()
    return first, second


async def two_long(widget: Widget) -> None:
    await take_call(widget, match=LONG_MATCH)
    await take_call(widget, minutes=1, match=LONG_MATCH)


async def waiting(widget: Widget, *, match: wire.Match = BEN) -> None:
    await take_call(widget)
    await widget.gateway.ring(match=match)
    await widget.page.locator(".rb-second").wait_for()


async def waiting_long(widget: Widget) -> None:
    await waiting(widget, match=LONG_MATCH)


async def open_tool(widget: Widget, name: str) -> None:
    await widget.page.locator(f"[data-tool={name}]").click()


async def transfer_open(widget: Widget) -> None:
    widget.gateway.directory = people()
    await take_call(widget)
    await open_tool(widget, "transfer")
    await widget.page.locator(".rb-target-panel .rb-person-row").first.wait_for()


async def transfer_search(widget: Widget) -> None:
    await transfer_open(widget)
    await widget.page.get_by_label("Who gets the call").fill("ben")
    rows = widget.page.locator(".rb-target-panel .rb-person-row")
    await expect(rows).to_have_count(6)
    await widget.page.keyboard.press("ArrowDown")


async def transfer_chosen(widget: Widget) -> None:
    await transfer_search(widget)
    await widget.page.keyboard.press("Enter")


async def transfer_number(widget: Widget) -> None:
    await transfer_open(widget)
    await widget.page.get_by_label("Who gets the call").fill("+49 89 123456")
    await widget.page.get_by_text("Dial +4989123456").wait_for()


async def transferring(widget: Widget) -> None:
    call = await take_call(widget)
    view = wire.TransferView(
        state=wire.TransferState.RINGING, to=peer("1004", "1004", "Ben Adler")
    )
    await widget.gateway.update(call.call_id, transfer=view, held_here=True)
    await widget.says("Transferring…")


async def transfer_failed(widget: Widget) -> None:
    call = await take_call(widget)
    view = wire.TransferView(
        state=wire.TransferState.FAILED,
        to=peer("1004", "1004", "Ben Adler"),
        sip_code=486,
    )
    await widget.gateway.update(call.call_id, transfer=view)
    await widget.text("The transfer to Ben Adler failed").wait_for()


async def consulting(widget: Widget) -> tuple[str, str]:
    """Ben is asked about Ana."""
    widget.gateway.directory = people()
    first = await take_call(widget)
    await open_tool(widget, "transfer")
    await widget.page.get_by_label("Who gets the call").fill("Ben Ad")
    await widget.page.locator(".rb-target-panel .rb-person-row").first.wait_for()
    await widget.page.keyboard.press("ArrowDown")
    await widget.page.keyboard.press("Enter")
    await widget.page.locator(".rb-target-panel .rb-neutral >> visible=true").click()
    created = await widget.gateway.until_sent("call.create")
    await widget.gateway.update(
        created.call_id, peer=peer("1004", "1004", "Ben Adler"), match=NOBODY
    )
    await widget.gateway.answered(created.call_id)
    await widget.until(f"client.localState('{created.call_id}').isConnected")
    await widget.page.locator(".rb-handover .rb-brand").wait_for()
    return first.call_id, created.call_id


async def consult(widget: Widget) -> None:
    await consulting(widget)


async def conferring(widget: Widget) -> tuple[wire.CallView, wire.CallView]:
    pair = await two_calls(widget)
    await widget.button("Merge with Ana Ruiz").first.click()
    await widget.says("Conference")
    await widget.past_guard()
    return pair


async def conference(widget: Widget) -> None:
    await conferring(widget)


async def conference_held(widget: Widget) -> None:
    await conferring(widget)
    await widget.button("Hold").click()
    await widget.says("On hold")


async def conference_end(widget: Widget) -> None:
    await conferring(widget)
    await widget.button("End").click()
    await widget.text("End for all?").wait_for()
    await widget.page.locator(".rb-drop").first.click()


async def conference_and_another(widget: Widget) -> None:
    await conferring(widget)
    await take_call(widget, minutes=0.2, match=LONG_MATCH)


async def held_by_them(widget: Widget) -> None:
    call = await take_call(widget)
    await widget.gateway.update(
        call.call_id, held_there=True, transferred_by=peer("1004", "1004", "Ben Adler")
    )
    await widget.text("Put on hold by Ana Ruiz").wait_for()


async def handed_over(widget: Widget) -> None:
    call = await take_call(widget)
    await widget.gateway.update(
        call.call_id,
        peer=peer("+12025550143", "(202) 555-0143", "Carol Lee"),
        transferred_by=peer("1004", "1004", "Ben Adler"),
        match=wire.Match(state=wire.MatchState.NONE),
    )
    await widget.text("Transferred by Ben Adler").wait_for()


async def more(widget: Widget) -> None:
    await two_calls(widget)
    await open_tool(widget, "more")
    await widget.button("Copy the number").wait_for()


async def do_not_disturb(widget: Widget) -> None:
    await widget.button("Do not disturb").click()
    await widget.says("Do not disturb")


async def dial_search(widget: Widget) -> None:
    widget.gateway.directory = people()
    widget.gateway.is_directory_complete = False
    await widget.page.locator(".rb-recent").first.wait_for()
    await widget.page.locator(".rb-dial-field").first.fill("ben")
    await widget.page.locator(".rb-idle .rb-person-row").first.wait_for()
    await widget.page.keyboard.press("ArrowDown")
    await widget.page.keyboard.press("ArrowDown")


async def favourites(widget: Widget) -> None:
    widget.gateway.directory = people()
    await widget.page.reload()
    await widget.page.get_by_role("tab", name="Favourites").click()
    await widget.page.locator("#rb-panel-favourites .rb-recent").first.wait_for()


async def no_favourites(widget: Widget) -> None:
    await widget.page.get_by_role("tab", name="Favourites").click()
    await widget.text("No favourites yet").wait_for()


async def desk_choice(widget: Widget) -> None:
    widget.gateway.rules = wire.WidgetRules(desk_phone=True)
    await widget.page.reload()
    await widget.page.locator("[data-device=desk_phone][role=radio]").click()


async def desk_rings(widget: Widget) -> None:
    await desk_choice(widget)
    await widget.page.locator(".rb-dial-field").first.fill("+442079460123")
    await widget.page.keyboard.press("Enter")
    await widget.says("Calling by the desk phone…")


async def desk_call(widget: Widget) -> None:
    gateway = widget.gateway
    call = gateway.make_call(
        state=wire.CallState.ACTIVE,
        device=wire.CallDevice.DESK_PHONE,
        answered_at=now_ms() - 130_000,
    )
    gateway.calls[call.call_id] = call
    await gateway.publish(wire.CallAnsweredEvent, call=call)
    await widget.says("On desk phone")


async def desk_and_here(widget: Widget) -> None:
    await desk_call(widget)
    await widget.gateway.ring(match=BEN)
    await widget.shows("call", "ringing")


async def shortcuts(widget: Widget) -> None:
    await widget.button("Menu").click()
    await widget.page.get_by_label("Keyboard shortcuts").check()


async def transferred(widget: Widget) -> None:
    call = await take_call(widget)
    await widget.gateway.end(call.call_id, EndReason.TRANSFERRED)
    await widget.shows("call", "ended")


async def asked_declined(widget: Widget) -> None:
    _, asked = await consulting(widget)
    await widget.gateway.end(asked, EndReason.DECLINED_THERE)
    await widget.text("is still on hold").wait_for()


SCENES = {
    "held": held,
    "two-calls": two_calls,
    "two-long": two_long,
    "waiting": waiting,
    "waiting-long": waiting_long,
    "transfer": transfer_open,
    "transfer-search": transfer_search,
    "transfer-chosen": transfer_chosen,
    "transfer-number": transfer_number,
    "transferring": transferring,
    "transfer-failed": transfer_failed,
    "consult": consult,
    "asked-declined": asked_declined,
    "conference": conference,
    "conference-held": conference_held,
    "conference-end": conference_end,
    "conference-and-another": conference_and_another,
    "held-by-them": held_by_them,
    "handed-over": handed_over,
    "more": more,
    "do-not-disturb": do_not_disturb,
    "dial-search": dial_search,
    "favourites": favourites,
    "no-favourites": no_favourites,
    "desk-choice": desk_choice,
    "desk-rings": desk_rings,
    "desk-call": desk_call,
    "desk-and-here": desk_and_here,
    "shortcuts": shortcuts,
    "transferred": transferred,
}
# By axe-core in each run; the rest are the same parts in other words.
CHECKED = frozenset(
    {
        "waiting",
        "transfer-search",
        "consult",
        "conference-end",
        "more",
        "dial-search",
        "favourites",
        "desk-choice",
        "shortcuts",
    }
)
VARIED = (
    "two-calls",
    "waiting",
    "transfer-search",
    "consult",
    "conference",
    "dial-search",
    "desk-choice",
)
