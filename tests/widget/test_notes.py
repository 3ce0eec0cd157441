"""What a rep writes down about a call, and what becomes of it."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from gateway.sessions import wire
from gateway.sessions.wire import ActivityState, EndReason, WorkState, WorkView
from tests.widget.browser import Widget
from tests.widget.conftest import OpenWidget
from tests.widget.fake_gateway import FakeGateway, Refused, now_ms, peer, record
from tests.widget.test_accessibility import serious_findings
from tests.widget.test_calls import answer

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

OPEN = WorkView(state=WorkState.OPEN)
CASE = record("Broken pump", id="500000000000001AAA", kind="Case", company="")


async def in_call(widget: Widget, gateway: FakeGateway, work: WorkView = OPEN) -> str:
    call_id = await gateway.ring(work=work)
    await answer(widget)
    return call_id


async def in_wrap_up(
    widget: Widget, gateway: FakeGateway, *, in_seconds: float | None = 30
) -> str:
    call_id = await in_call(widget, gateway)
    saves_at = None if in_seconds is None else now_ms() + int(in_seconds * 1000)
    work = WorkView(state=WorkState.WRAP_UP, saves_at=saves_at)
    await gateway.update(call_id, work=work)
    await gateway.end(call_id, EndReason.HUNG_UP_THERE)
    await widget.shows("call", "ended")
    return call_id


async def test_notes_are_kept_as_they_are_typed(
    widget: Widget, gateway: FakeGateway
) -> None:
    await gateway.ring(work=OPEN)
    await widget.shows("call", "ringing")
    await expect(widget.page.get_by_label("Notes")).to_be_hidden()
    await answer(widget)
    await widget.page.get_by_label("Notes").press_sequentially("Wants two 1", delay=5)
    await gateway.until_sent("work.change")
    await gateway.until(lambda: gateway.sent("work.change")[-1].notes == "Wants two 1")
    assert gateway.sent("call.dtmf") == [], "digits in notes are no tones"
    await widget.page.reload()
    await widget.shows("call", "active")
    await expect(widget.page.get_by_label("Notes")).to_have_value("Wants two 1")


async def test_what_is_typed_is_not_overwritten_by_news(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await in_call(widget, gateway)
    notes = widget.page.get_by_label("Notes")
    await notes.fill("mine")
    await gateway.update(call_id, match=wire.Match(state=wire.MatchState.NONE))
    await widget.until("client.state.calls[0].match.state === 'none'")
    await expect(notes).to_have_value("mine")


async def test_how_a_transfer_goes_is_in_sight(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await in_call(widget, gateway)
    await widget.page.set_viewport_size({"width": 340, "height": 360})
    await expect(widget.page.get_by_label("Notes")).to_be_visible()
    scroll = widget.page.locator("ringbridge-call .rb-scroll")
    assert await scroll.evaluate("(it) => (it.scrollTop = 9999, it.scrollTop)") > 0
    view = wire.TransferView(
        state=wire.TransferState.RINGING, to=peer("1004", "1004", "Ben Adler")
    )
    await gateway.update(call_id, transfer=view)
    await expect(widget.button("Take back")).to_be_visible()
    assert await scroll.evaluate("(it) => it.scrollTop") == 0
    await widget.page.get_by_label("Notes").focus()
    far = await scroll.evaluate("(it) => (it.scrollTop = 9999, it.scrollTop)")
    view = view.model_copy(update={"state": wire.TransferState.FAILED})
    await gateway.update(call_id, transfer=view)
    await expect(widget.text("The transfer to Ben Adler failed")).to_be_visible()
    assert await scroll.evaluate("(it) => it.scrollTop") >= far, "who types stays"


async def test_a_gateway_that_is_away_gets_them_later(
    widget: Widget, gateway: FakeGateway
) -> None:
    await in_call(widget, gateway)

    async def refuse(params: wire.WorkChange) -> wire.Wire:
        raise Refused(wire.ErrorKind.INTERNAL, retryable=True)

    gateway.overrides["work.change"] = refuse
    await widget.page.get_by_label("Notes").fill("do not lose me")
    await expect(widget.text("Not saved yet.")).to_be_visible()
    del gateway.overrides["work.change"]
    await gateway.until(
        lambda: (
            gateway.calls
            and next(iter(gateway.calls.values())).work.notes == "do not lose me"
        )
    )
    await expect(widget.text("Not saved yet.")).to_be_hidden()


async def test_wrap_up_counts_down_and_is_ended_by_hand(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    gateway.rules = wire.WidgetRules(dispositions=("Sold", "No interest"), wrap_up_s=30)
    widget = await open_page()
    call_id = await in_wrap_up(widget, gateway)
    await expect(widget.text("Saves in 0:")).to_be_visible()
    await widget.page.get_by_label("Disposition").select_option("Sold")
    await gateway.until_sent("work.change")
    assert gateway.sent("work.change")[-1].disposition == "Sold"
    await widget.button("Keep editing").click()
    await gateway.until(
        lambda: any(each.keep_open for each in gateway.sent("work.change"))
    )
    await expect(widget.text("Saves when you are done")).to_be_visible()
    await widget.past_guard()
    await widget.button("Save now").click()
    saved = await gateway.until_sent("work.save")
    assert saved.call_id == call_id
    await widget.shows("idle")


async def test_wrap_up_is_there_again_after_a_reload(
    widget: Widget, gateway: FakeGateway
) -> None:
    await in_wrap_up(widget, gateway)
    await widget.page.reload()
    await widget.shows("call", "ended")
    await expect(widget.text("Saves in 0:")).to_be_visible()


async def test_wrap_up_that_has_ended_by_itself_makes_room(
    widget: Widget, gateway: FakeGateway
) -> None:
    await in_wrap_up(widget, gateway)
    (ended,) = gateway.history
    saved = ended.model_copy(update={"work": WorkView(state=WorkState.SAVED)})
    gateway.history = [saved]
    await gateway.publish(wire.CallUpdatedEvent, call=saved)
    await expect(widget.text("Waiting to be saved")).to_be_visible()
    await widget.past_guard()
    await widget.button("Done").click()
    await widget.shows("idle")
    assert gateway.sent("work.save") == []


async def test_a_disposition_that_is_needed_is_asked_for(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    gateway.rules = wire.WidgetRules(
        dispositions=("Sold",), disposition_required=True, wrap_up_s=30
    )
    widget = await open_page()
    await in_wrap_up(widget, gateway)

    async def refuse(params: wire.WorkSave) -> wire.Wire:
        raise Refused(wire.ErrorKind.BAD_REQUEST, field="disposition")

    gateway.overrides["work.save"] = refuse
    await widget.past_guard()
    await widget.button("Save now").click()
    await expect(widget.text("Choose a disposition first.")).to_be_visible()
    await expect(widget.page.get_by_label("Disposition (needed)")).to_be_focused()
    await widget.shows("call", "ended")


async def test_what_the_call_is_about_and_the_next_step(
    widget: Widget, gateway: FakeGateway
) -> None:
    work = WorkView(state=WorkState.OPEN, visited=(record(), CASE))
    await in_call(widget, gateway, work)
    about = widget.page.get_by_label("Related to")
    # People are no such thing.
    await expect(about.locator("option")).to_have_text(
        ["Last record opened", "Case: Broken pump"]
    )
    await about.select_option("Case: Broken pump")
    change = await gateway.until_sent("work.change")
    assert change.about.id == CASE.id
    await about.select_option("Last record opened")
    await gateway.until(lambda: gateway.sent("work.change")[-1].clear == ("about",))
    await widget.page.get_by_text("Next step").click()
    await widget.page.get_by_label("What").fill("Call back")
    await widget.page.get_by_label("When").fill("2026-12-01")
    await gateway.until(
        lambda: (
            gateway.sent("work.change")[-1].next_step
            == wire.NextStep(subject="Call back", on="2026-12-01")
        )
    )


async def test_one_that_failed_is_tried_again(
    widget: Widget, gateway: FakeGateway
) -> None:
    call_id = await in_call(widget, gateway, WorkView(state=WorkState.OPEN))
    await gateway.update(call_id, work=WorkView(state=WorkState.SAVED))
    ended = await gateway.end(
        call_id, EndReason.HUNG_UP_THERE, activity=ActivityState.FAILED
    )
    failed = wire.ActivityView(
        state=ActivityState.FAILED, problem="Amount is required."
    )
    gateway.history = [ended.model_copy(update={"activity": failed})]
    await gateway.publish(wire.CallUpdatedEvent, call=gateway.history[0])
    await expect(widget.text("Amount is required.")).to_be_visible()
    await widget.button("Try again").click()
    retried = await gateway.until_sent("activity.retry")
    assert retried.call_id == call_id
    await expect(widget.text("Waiting to be saved")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [240, 340])
async def test_wrap_up_can_be_used_by_everybody(
    open_page: OpenWidget, gateway: FakeGateway, scheme: str, width: int
) -> None:
    gateway.rules = wire.WidgetRules(dispositions=("Sold",), wrap_up_s=30)
    widget = await open_page(
        viewport={"width": width, "height": 480}, color_scheme=scheme
    )
    await in_wrap_up(widget, gateway)
    assert await serious_findings(widget.page) == []
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not await widget.page.evaluate(wide)
    await expect(widget.page.locator(".rb-notes-state")).to_have_text(
        re.compile(r"^Saves in 0:\d\d$")
    )
