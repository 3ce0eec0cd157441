"""The rep's work in the database: with the call, and in what is to be written of it."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from functools import partial

import pytest

from gateway.activities import compose, compose_next_step, links, recover
from gateway.activities.record import CallRecord
from gateway.activities.work import NextStep, Work
from gateway.crm.connector import Activity
from gateway.sessions.wire import (
    ActivityState,
    CallDevice,
    CallType,
    EndReason,
    WorkState,
)
from gateway.storage import (
    CallJournal,
    Database,
    JournalWriter,
    Outbox,
    OutboxEntry,
    OutboxKind,
    OutboxState,
    Spool,
)
from gateway.storage.serial import call_from_json, call_to_json
from tests.gateway.storage.samples import (
    ALEX,
    ANA,
    ATTEMPT,
    BEN,
    DEAL,
    GUEST,
    HOSTS_SIDE,
    T0,
    attempt,
    started,
)

END = T0 + 65.0
STEP = NextStep("Send the offer", "2026-12-01")
WORK = Work(
    revision=2,
    notes="電話 \U0001f4de",
    disposition="Sold",
    about=DEAL,
    next_step=STEP,
    next_id="n1",
    visited=(BEN, DEAL),
    due_at=END + 30,
    latest_at=END + 3600,
)


def call(work: Work = WORK, call_id: str = "call-1") -> CallRecord:
    return replace(
        started(call_id),
        answered_at=T0 + 5,
        ended_at=END,
        reason=EndReason.HUNG_UP_THERE,
        type=CallType.INTERNAL,
        device=CallDevice.DESK_PHONE,
        work=work,
    )


async def end(journal: CallJournal, ended: CallRecord) -> bool:
    return await journal.ended(
        ended, compose(ended, ALEX), compose_next_step(ended, ALEX)
    )


async def work_on(journal: CallJournal, on: CallRecord, *, now: float) -> bool:
    activity = compose(on, ALEX) if on.ended_at else None
    return await journal.worked(on, activity, compose_next_step(on, ALEX), now=now)


async def rows(outbox: Outbox, state: OutboxState) -> dict[OutboxKind, OutboxEntry]:
    return {row.kind: row for row in await outbox.listing(state=state)}


async def claim(outbox: Outbox, now: float) -> tuple[OutboxEntry, ...]:
    return await outbox.claim("acme", now=now, limit=9, lease_s=60)


def test_a_call_with_its_work_goes_through_the_spool() -> None:
    assert call_from_json(call_to_json(call())) == call()


async def test_it_is_due_when_wrap_up_ends(
    journal: CallJournal, outbox: Outbox
) -> None:
    await end(journal, call())
    assert await claim(outbox, END + 29) == ()
    assert await outbox.next_due() == END + 30
    # Whoever asks for what has failed to be tried again does not cut it short.
    assert await outbox.retry("acme", now=END) == 0
    found = await claim(outbox, END + 30)
    assert [entry.kind for entry in found] == ["activity", "next_step"]
    (entry,) = await journal.history(ALEX.key)
    assert entry.call == call()
    assert entry.activity.state is ActivityState.WAITING


async def test_what_is_written_meanwhile_is_what_goes_out_once(
    journal: CallJournal, outbox: Outbox
) -> None:
    await journal.started(started())
    typed = replace(started(), work=Work(revision=1, notes="half"))
    assert await work_on(journal, typed, now=T0 + 10)
    (open_call,) = await journal.open_calls()
    assert open_call.call.work.notes == "half"
    await end(journal, call())
    newer = replace(WORK, revision=3, notes="all of it")
    assert await work_on(journal, call(newer), now=END + 10)
    # Said again, or later than what is newer: nothing changes.
    assert not await work_on(journal, call(newer), now=END + 11)
    assert not await work_on(journal, typed, now=END + 12)
    assert await claim(outbox, END + 29) == ()
    entry, _ = await claim(outbox, END + 30)
    assert "all of it" in entry.activity.description
    assert await outbox.mark_written(entry, record_id="00T1", url="")
    assert await outbox.next_due() is not None


async def test_saved_it_is_due_now_and_kept_open_it_waits(
    journal: CallJournal, outbox: Outbox
) -> None:
    await end(journal, call())
    kept = replace(WORK, revision=3, due_at=END + 3600, is_kept_open=True)
    await work_on(journal, call(kept), now=END + 1)
    assert await outbox.next_due() == END + 3600
    await work_on(
        journal, call(replace(kept, revision=4, due_at=END + 90)), now=END + 90
    )
    assert len(await claim(outbox, END + 90)) == 2


async def test_a_record_chosen_in_wrap_up_does_not_cut_it_short(
    journal: CallJournal, outbox: Outbox
) -> None:
    await end(journal, call())
    await journal.record_chosen(
        ALEX.key, "call-1", BEN, who_id=BEN.id, what_id="", now=END + 5
    )
    assert await outbox.next_due() == END + 30
    assert {entry.activity.who_id for entry in await claim(outbox, END + 30)} == {
        BEN.id
    }


async def test_a_correction_is_written_again_and_knows_what_was_there(
    journal: CallJournal, outbox: Outbox
) -> None:
    await end(journal, call())
    entry, _ = await claim(outbox, END + 30)
    assert entry.earlier == ()
    await outbox.mark_written(entry, record_id="00T1", url="https://x/1")
    better = replace(WORK, revision=3, notes="better", corrected_at=END + 65)
    await work_on(journal, call(better), now=END + 60)
    assert await claim(outbox, END + 64) == ()
    (again,) = await claim(outbox, END + 65)
    assert again.earlier == (entry.activity,)
    assert (again.record_id, "better" in again.activity.description) == ("00T1", True)


async def test_what_a_dead_worker_may_have_written_is_not_forgotten(
    database: Database, journal: CallJournal
) -> None:
    await end(journal, call(replace(WORK, next_step=None)))
    dead, alive = Outbox(database, owner="dead"), Outbox(database, owner="alive")
    (first,) = await dead.claim("acme", now=END + 30, limit=1, lease_s=60)
    newer = replace(WORK, revision=3, notes="newer", next_step=None)
    await work_on(journal, call(newer), now=END + 40)
    (second,) = await alive.claim("acme", now=END + 99, limit=1, lease_s=60)
    assert second.earlier == (first.activity,)
    assert isinstance(second.activity, Activity)
    resolved = replace(second.activity, who_id=BEN.id)
    await alive.sending(second, resolved)
    (third,) = await dead.claim("acme", now=END + 199, limit=1, lease_s=60)
    assert third.earlier == (first.activity, second.activity, resolved)


async def test_a_task_for_later_is_taken_back_while_nobody_has_tried_it(
    journal: CallJournal, outbox: Outbox
) -> None:
    await end(journal, call())
    without = replace(WORK, revision=3, next_step=None)
    await work_on(journal, call(without), now=END + 5)
    assert set(await rows(outbox, OutboxState.WAITING)) == {OutboxKind.ACTIVITY}
    again = replace(WORK, revision=4, next_step=replace(STEP, subject="Another"))
    await work_on(journal, call(again), now=END + 6)
    _, step = await claim(outbox, END + 30)
    assert (step.activity.key, step.activity.subject) == ("next:n1", "Another")
    await outbox.mark_written(step, record_id="00T2", url="")
    # What is in the CRM stays there.
    await work_on(journal, call(replace(without, revision=5)), now=END + 40)
    assert set(await rows(outbox, OutboxState.WRITTEN)) == {OutboxKind.NEXT_STEP}


async def test_a_refused_activity_is_tried_again_when_asked_or_corrected(
    journal: CallJournal, outbox: Outbox
) -> None:
    await end(journal, call())
    for entry in await claim(outbox, END + 30):
        if entry.kind is OutboxKind.NEXT_STEP:
            await outbox.mark_failed(entry, problem="no such user", code="X")
        else:
            await outbox.mark_written(entry, record_id="00T1", url="https://x")
    (shown,) = await journal.history(ALEX.key)
    assert shown.activity.state is ActivityState.FAILED
    assert shown.activity.problem == "Next step: no such user"
    assert shown.activity.record_id == "00T1"
    stranger = replace(ALEX.key, user="sam")
    assert not await journal.retry_activity(stranger, "call-1", now=END + 40)
    assert await journal.retry_activity(ALEX.key, "call-1", now=END + 40)
    assert not await journal.retry_activity(ALEX.key, "call-1", now=END + 40)
    (step,) = await claim(outbox, END + 40)
    await outbox.mark_failed(step, problem="still not", code="X")
    other = replace(
        WORK,
        revision=3,
        next_step=replace(STEP, subject="Other"),
        corrected_at=END + 55,
    )
    await work_on(journal, call(other), now=END + 50)
    (step,) = await claim(outbox, END + 55)
    assert (step.activity.subject, step.problem) == ("Other", "")


async def test_a_call_without_activity_has_no_task_for_later(
    journal: CallJournal, outbox: Outbox
) -> None:
    await journal.ended(call(), None, compose_next_step(call(), ALEX))
    assert await outbox.next_due() is None
    (entry,) = await journal.history(ALEX.key)
    assert entry.activity.state is ActivityState.NONE
    assert entry.call.work == WORK


async def test_a_crash_keeps_the_notes_and_wrap_up_begins_anew(
    journal: CallJournal, outbox: Outbox
) -> None:
    await journal.started(started())
    await journal.answered(ALEX.key, "call-1", T0 + 5)
    typed = Work(revision=4, notes="half a sent", next_step=STEP, next_id="n1")
    await work_on(journal, replace(started(), work=typed), now=T0 + 9)
    back = T0 + 500.0
    for _ in range(2):
        await recover(
            journal,
            partial(compose, user=ALEX),
            back,
            compose_next_step=partial(compose_next_step, user=ALEX),
            wrap_up_s=lambda tenant: 30.0 if tenant == "acme" else 0.0,
        )
    assert await outbox.next_due() == back + 30
    entry, step = await claim(outbox, back + 30)
    assert entry.activity.description.startswith("half a sent\n\n")
    assert step.activity.key == "next:n1"


@pytest.fixture
def writer(
    journal: CallJournal, tmp_path_factory: pytest.TempPathFactory
) -> JournalWriter:
    return JournalWriter(
        journal,
        spool=Spool(tmp_path_factory.mktemp("spool") / "spool"),
        compose=compose,
        links=links,
        number_to_show=lambda _user, number, _e164: number,
        on_committed=lambda: None,
        now=lambda: END + 10,
        rng=random.Random(1),
    )


async def test_the_history_shows_it_and_knows_what_waits(
    journal: CallJournal, writer: JournalWriter
) -> None:
    await end(journal, call())
    await end(journal, call(replace(WORK, due_at=END), "call-2"))
    first, second = await writer.history(ALEX.key, limit=9, before=None)
    assert first.work.state is WorkState.WRAP_UP
    assert first.work.saves_at == (END + 30) * 1000
    assert (first.work.notes, first.work.disposition) == (WORK.notes, "Sold")
    assert first.work.about is not None
    assert (first.type, first.device) == ("internal", "desk_phone")
    assert second.work.state is WorkState.SAVED
    assert second.work.saves_at is None
    (waiting,) = await writer.in_wrap_up(ALEX.key)
    assert waiting.view == first
    found = await writer.find(ALEX.key, "call-2")
    assert found is not None
    assert found.call == call(replace(WORK, due_at=END), "call-2")
    assert await writer.find(replace(ALEX.key, user="sam"), "call-2") is None
    assert await writer.find(replace(ALEX.key, tenant="zeta"), "call-2") is None


async def test_what_calls_say_of_it_goes_through_the_writer(
    journal: CallJournal, writer: JournalWriter, outbox: Outbox
) -> None:
    writer.started(started())
    writer.worked(ALEX, replace(started(), work=Work(revision=1, notes="a")))
    writer.ended(ALEX, call())
    writer.worked(ALEX, call(replace(WORK, revision=3, notes="b", due_at=END + 12)))
    await writer.close()
    assert len(await claim(outbox, END + 12)) == 2
    (entry,) = await journal.history(ALEX.key)
    assert entry.call.work.notes == "b"


async def test_a_guests_attempt_carries_its_hosts_work(
    journal: CallJournal, outbox: Outbox
) -> None:
    whole = replace(call(), invite=ATTEMPT, user=GUEST, call_id="attempt-1")
    hosts = replace(call(), invite=HOSTS_SIDE, call_id="hosts")
    await journal.started(attempt())
    await end(journal, whole)
    await end(journal, hosts)
    assert [entry.call_id for entry in await claim(outbox, END + 30)] == [
        "attempt-1",
        "attempt-1",
    ]
    newer = replace(WORK, revision=3, notes="newer")
    for each in (hosts, whole):
        await work_on(journal, replace(each, work=newer), now=END + 40)
    found = await journal.find(ALEX.key, "hosts")
    assert found is not None
    assert found.call.work.notes == "newer"
    assert found.activity.state is ActivityState.WAITING
    assert found.call.record == ANA


async def test_two_who_write_at_once_leave_the_newer(
    journal: CallJournal, outbox: Outbox
) -> None:
    await end(journal, call())
    versions = [replace(WORK, revision=n, notes=f"v{n}") for n in range(3, 11)]
    random.Random(3).shuffle(versions)
    await asyncio.gather(
        *(work_on(journal, call(version), now=END + 5) for version in versions)
    )
    entry, _ = await claim(outbox, END + 30)
    assert entry.activity.description.startswith("v10\n")
