"""Notes, dispositions and records of calls, as the rep's page asks for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import sip
from gateway.activities.logging_rules import LoggingRules
from gateway.activities.record import CallRecord
from gateway.activities.work import Work
from gateway.calls.work import KEEP_WITHIN_S, WorkRules
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import (
    ActivityState,
    ActivityView,
    CallDirection,
    CallState,
    CallView,
    EndReason,
    ErrorKind,
    WorkState,
)
from gateway.storage.journal_writer import KeptCall
from tests.gateway.calls.fakes import ELSE, ROBIN, SAM, FakeLeg, World, settle

DEAL = wire.Record(id="006A", kind="Opportunity", name="A big deal")
CASE = wire.Record(id="500A", kind="Case", name="It is broken")
RULES = WorkRules(is_logged=True, wrap_up_s=30)


async def dial(world: World, call_id: str = "c1") -> FakeLeg:
    await world.service.perform(
        ROBIN,
        "call.create",
        wire.CallCreate(op_id="1", call_id=call_id, to="1001", offer="offer"),
    )
    leg: FakeLeg = world.telephony.legs[-1]
    leg.on_event(sip.Answered(sdp="answer"))
    await settle()
    return leg


async def ask(world: World, method: str, **fields: Any) -> CallView:
    params = wire.METHODS[method][0](op_id="o", **{"call_id": "c1", **fields})
    result = await world.service.perform(ROBIN, method, params)
    assert isinstance(result, wire.CallResult)
    return result.call


async def visit(world: World, record: wire.Record) -> None:
    params = wire.WorkVisit(op_id="o", record=record)
    await world.service.perform(ROBIN, "work.visit", params)


async def hang_up(world: World, call_id: str = "c1") -> None:
    params = wire.CallHangup(op_id="2", call_id=call_id)
    await world.service.perform(ROBIN, "call.hangup", params)
    await settle()


async def test_notes_are_told_at_once_and_kept_soon(world: World) -> None:
    await dial(world)
    view = await ask(world, "work.change", notes="h", disposition="Sold", about=DEAL)
    assert view.work.state is WorkState.OPEN
    assert (view.work.notes, view.work.about) == ("h", DEAL)
    assert world.last("call.updated")["call"] == view == world.call()
    await ask(world, "work.change", notes="hello")
    assert world.journal.worked_on == []
    world.clock.advance(KEEP_WITHIN_S)
    assert [record.work.notes for record in world.journal.worked_on] == ["hello"]
    events = len(world.events)
    await ask(world, "work.change", notes="hello")
    assert len(world.events) == events
    await ask(world, "work.change", clear=("notes",))
    assert world.call().work.notes == ""
    await hang_up(world)
    # The end has it all: nothing is kept twice.
    assert len(world.journal.worked_on) == 1
    assert world.journal.over[0].work.disposition == "Sold"


async def test_a_call_ends_in_wrap_up_which_ends_by_itself(world: World) -> None:
    world.work = RULES
    await dial(world)
    await ask(world, "work.change", notes="before")
    await hang_up(world)
    ended = world.last("call.ended")["call"]
    assert ended.work.state is WorkState.WRAP_UP
    assert ended.work.saves_at == (world.clock.time + 30) * 1000
    # A page that comes now still has it before it.
    (waiting,) = world.service.snapshot(ROBIN).calls
    assert (waiting.state, waiting.work) == (CallState.ENDED, ended.work)
    view = await ask(world, "work.change", notes="after")
    assert view.work.saves_at == ended.work.saves_at
    world.clock.advance(30)
    assert world.last("call.updated")["call"].work.state is WorkState.SAVED
    assert world.service.snapshot(ROBIN).calls == ()
    last = world.journal.worked_on[-1].work
    assert (last.notes, last.write_at) == ("after", world.clock.time)


async def test_saving_ends_it_and_keeping_open_puts_it_off(world: World) -> None:
    world.work = RULES
    await dial(world)
    with pytest.raises(RequestError) as caught:
        await ask(world, "work.save")
    assert caught.value.kind is ErrorKind.CALL_WRONG_STATE
    await hang_up(world)
    kept = await ask(world, "work.change", keep_open=True)
    assert (kept.work.state, kept.work.saves_at) == (WorkState.WRAP_UP, None)
    world.clock.advance(600)
    assert world.call().work.state is WorkState.WRAP_UP
    saved = await ask(world, "work.save")
    assert saved.work.state is WorkState.SAVED
    # At once, and with what was changed last.
    assert world.journal.worked_on[-1].work.write_at == world.clock.time
    assert world.clock.waiting == 0


async def test_without_a_disposition_only_the_countdown_saves(world: World) -> None:
    world.work = replace(
        RULES, dispositions=("Sold", "Lost"), disposition_required=True
    )
    rules = world.service.snapshot(ROBIN).rules
    assert (rules.dispositions, rules.disposition_required) == (("Sold", "Lost"), True)
    assert rules.wrap_up_s == 30
    await dial(world)
    await hang_up(world)
    with pytest.raises(RequestError) as caught:
        await ask(world, "work.save")
    assert caught.value.field == "disposition"
    with pytest.raises(RequestError) as caught:
        await ask(world, "work.change", disposition="Maybe")
    assert caught.value.field == "disposition"
    await ask(world, "work.change", disposition="Lost")
    assert (await ask(world, "work.save")).work.state is WorkState.SAVED
    await dial(world, "c2")
    await hang_up(world, "c2")
    world.clock.advance(30)
    assert world.last("call.updated")["call"].work.state is WorkState.SAVED


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"about": wire.Record(id="x", kind="Dashboard", name="x")}, "about"),
        ({"clear": ("visited",)}, "clear"),
    ],
)
async def test_what_cannot_be(world: World, fields: Any, field: str) -> None:
    await dial(world)
    with pytest.raises(RequestError) as caught:
        await ask(world, "work.change", **fields)
    assert (caught.value.kind, caught.value.field) == (ErrorKind.BAD_REQUEST, field)
    assert world.call().work == wire.WorkView(state=WorkState.OPEN)


async def test_records_belong_to_what_the_rep_is_in(world: World) -> None:
    await visit(world, DEAL)
    await dial(world)
    world.service.on_invite(FakeLeg(world.accounts[ROBIN.key]))
    await settle()
    await visit(world, DEAL)
    await visit(world, CASE)
    await visit(world, CASE)
    first, ringing = world.service.snapshot(ROBIN).calls
    assert first.work.visited == (DEAL, CASE)
    assert first.work.about == CASE
    assert ringing.work.visited == ()
    await hang_up(world)
    # Now there is nothing but what rings.
    await visit(world, DEAL)
    assert world.call().work.visited == (DEAL,)


async def test_what_is_not_logged_asks_for_nothing(world: World) -> None:
    world.work = WorkRules()
    await dial(world)
    assert world.call().work.state is WorkState.NONE
    mailbox = LoggingRules(voicemail=frozenset({"1001"}))
    world.work = replace(RULES, logging=mailbox)
    assert world.call().work.state is WorkState.NONE
    world.work = RULES
    assert world.call().work.state is WorkState.OPEN


async def test_a_call_that_never_reached_the_rep_waits_for_nothing(
    world: World,
) -> None:
    world.work = RULES
    leg = FakeLeg(world.accounts[ROBIN.key])
    world.service.on_invite(leg)
    await settle()
    leg.on_event(sip.Cancelled(()))
    await settle()
    ended = world.last("call.ended")["call"]
    assert ended.end_reason is EndReason.MISSED
    assert ended.work.state is WorkState.SAVED


def old_call(
    world: World, state: ActivityState, *, due_at: float = 0.0, problem: str = ""
) -> None:
    record = CallRecord(
        call_id="old",
        user=ROBIN.key,
        direction=CallDirection.OUTBOUND,
        number="1001",
        e164="",
        display_name="",
        record=None,
        started_at=1.0,
        ended_at=2.0,
        reason=EndReason.BUSY,
        work=Work(revision=7, notes="as it was", due_at=due_at),
    )
    view = CallView(
        call_id="old",
        direction=record.direction,
        state=CallState.ENDED,
        peer=wire.Peer(number="1001"),
        match=wire.Match(state=wire.MatchState.NONE),
        started_at=1000,
        activity=ActivityView(state=state, record_id="00T1", problem=problem),
        work=wire.WorkView(
            state=WorkState.WRAP_UP if due_at > world.clock.time else WorkState.SAVED
        ),
    )
    world.journal.old[ROBIN.key, "old"] = KeptCall(record, view)


async def test_a_call_of_the_history_is_corrected(world: World) -> None:
    old_call(world, ActivityState.WRITTEN)
    view = await ask(world, "work.change", call_id="old", notes="better")
    assert (view.work.state, view.work.notes) == (WorkState.SAVED, "better")
    await ask(world, "work.save", call_id="old")
    (kept,) = world.journal.worked_on
    assert (kept.call_id, kept.work.revision) == ("old", 9)
    assert kept.work.write_at == world.clock.time
    # What becomes of it is told, too.
    news = ActivityView(state=ActivityState.FAILED, problem="somebody has changed it")
    world.service.activity_changed(ROBIN.key, "old", news)
    assert world.last("call.updated")["call"].activity == news
    for stranger in (SAM, ELSE):
        await world.service.session_opened(stranger)
        with pytest.raises(RequestError) as caught:
            await world.service.perform(
                stranger, "work.save", wire.WorkSave(op_id="1", call_id="old")
            )
        assert caught.value.kind is ErrorKind.CALL_UNKNOWN


async def test_wrap_up_survives_the_gateway(world: World) -> None:
    await world.service.session_closed(ROBIN, signed_out=False)
    old_call(world, ActivityState.WAITING, due_at=world.clock.time + 20)
    await world.service.session_opened(ROBIN)
    assert world.call().work.notes == "as it was"
    world.clock.advance(20)
    assert world.last("call.updated")["call"].work.state is WorkState.SAVED
    assert world.service.snapshot(ROBIN).calls == ()


async def test_a_page_that_goes_loses_no_notes(world: World) -> None:
    await dial(world)
    await hang_up(world)
    await ask(world, "work.change", notes="last words")
    await world.service.session_closed(ROBIN, signed_out=False)
    assert world.journal.worked_on[-1].work.notes == "last words"
    assert world.clock.waiting == 0


async def test_a_refused_activity_is_tried_again(world: World) -> None:
    old_call(world, ActivityState.FAILED, problem="A field is missing")
    world.journal.refused.add((ROBIN.key, "old"))
    view = await ask(world, "activity.retry", call_id="old")
    assert view.activity.state is ActivityState.WAITING
    assert (view.activity.problem, view.activity.record_id) == ("", "00T1")
    assert world.journal.refused == set()
    with pytest.raises(RequestError) as caught:
        await ask(world, "activity.retry", call_id="old")
    assert caught.value.kind is ErrorKind.CALL_WRONG_STATE


async def test_a_refused_task_for_later_shows_at_the_call(world: World) -> None:
    await dial(world)
    await hang_up(world)
    written = ActivityView(
        state=ActivityState.WRITTEN, record_id="00T1", url="https://x"
    )
    refused = ActivityView(state=ActivityState.FAILED, problem="No access")
    world.service.activity_changed(ROBIN.key, "c1", written)
    world.service.next_step_changed(ROBIN.key, "c1", refused)
    shown = world.last("call.updated")["call"].activity
    assert (shown.state, shown.problem) == (
        ActivityState.FAILED,
        "Next step: No access",
    )
    assert shown.record_id == "00T1"
    world.journal.refused.add((ROBIN.key, "c1"))
    assert (await ask(world, "activity.retry")).activity.state is ActivityState.WAITING
    done = ActivityView(state=ActivityState.WRITTEN, record_id="00T2")
    world.service.next_step_changed(ROBIN.key, "c1", done)
    assert world.last("call.updated")["call"].activity == written


async def test_a_guest_may_not_and_sees_nothing(world: World) -> None:
    guest = replace(ROBIN, key=replace(ROBIN.key, user="guest:x"), invite_id="inv1")
    await world.service.session_opened(guest)
    for method in ("work.change", "work.save", "activity.retry"):
        params = wire.METHODS[method][0](op_id="1", call_id="c1")
        with pytest.raises(RequestError) as caught:
            await world.service.perform(guest, method, params)
        assert caught.value.kind is ErrorKind.POLICY_DENIED
    assert world.service.snapshot(guest).rules == wire.WidgetRules()
    await world.service.session_closed(guest, signed_out=True)
