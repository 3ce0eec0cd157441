"""After a crash: every open call ends, once, with what is known of it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from gateway.activities import compose, recover
from gateway.activities.record import CallRecord
from gateway.crm.connector import Activity
from gateway.sessions.wire import EndReason
from gateway.storage import CallJournal, Database, Outbox, OutboxState
from tests.gateway.storage.samples import (
    ALEX,
    ANA,
    DEAL,
    GUEST,
    HOSTS_SIDE,
    T0,
    attempt,
    ended,
    started,
)


async def test_open_calls_are_finalised_once(
    journal: CallJournal, outbox: Outbox
) -> None:
    await journal.started(started("ringing", at=T0))
    await journal.started(started("talking", at=T0 + 1))
    await journal.answered(ALEX.key, "talking", T0 + 11)
    await journal.seen(T0 + 41)
    await journal.ended(*ended("over", at=T0 + 2))
    with_user = partial(compose, user=ALEX)
    assert await recover(journal, with_user, T0 + 999) == 2
    assert await recover(journal, with_user, T0 + 9999) == 0

    calls = {
        entry.call.call_id: entry.call for entry in await journal.history(ALEX.key)
    }
    assert calls["talking"].reason is EndReason.GATEWAY_RESTARTED
    assert calls["talking"].ended_at == T0 + 41
    assert calls["over"].reason is EndReason.HUNG_UP_THERE
    rows = {
        row.call_id: row.activity
        for row in await outbox.listing(state=OutboxState.WAITING)
    }
    assert set(rows) == {"ringing", "talking", "over"}
    assert (rows["talking"].outcome, rows["talking"].duration_s) == ("Interrupted", 30)
    assert (rows["ringing"].outcome, rows["ringing"].duration_s) == ("Interrupted", 0)


async def test_a_guests_attempt_has_one_task_and_it_is_the_hosts(
    journal: CallJournal, outbox: Outbox
) -> None:
    await journal.started(attempt())
    await journal.started(replace(started("hosts-side"), invite=HOSTS_SIDE))
    await journal.answered(GUEST, "attempt-1", T0 + 5)
    await journal.seen(T0 + 35)
    users = {ALEX.key: ALEX}

    def of_owner(call: CallRecord) -> Activity | None:
        return compose(call, users[call.owner])

    for _ in range(2):
        await recover(journal, of_owner, T0 + 999)
    (row,) = await outbox.listing(state=OutboxState.WAITING)
    task = row.activity
    assert (row.user, row.call_id) == (GUEST, "attempt-1")
    assert (task.outcome, task.duration_s) == ("Interrupted", 30)
    assert task.user.id == ALEX.crm_user_id
    assert (task.who_id, task.what_id) == (ANA.id, DEAL.id)
    assert task.subject == (
        "Video call from Ana Ruiz (invite: The contract), interrupted"
    )
    (entry,) = await journal.history(ALEX.key)
    assert entry.call.call_id == "hosts-side"


async def test_a_clock_that_went_back_gives_no_end_before_the_start(
    journal: CallJournal,
) -> None:
    await journal.started(started(at=T0))
    await journal.seen(T0 + 50)
    await recover(journal, partial(compose, user=ALEX), T0 - 3600)
    (entry,) = await journal.history(ALEX.key)
    assert entry.call.ended_at == T0


async def test_unlogged_calls_end_too(journal: CallJournal, outbox: Outbox) -> None:
    def nothing(_: CallRecord) -> Activity | None:
        return None

    await journal.started(started())
    assert await recover(journal, nothing, T0 + 9) == 1
    assert await outbox.listing(state=OutboxState.WAITING) == ()


async def test_another_nodes_calls_are_left_alone(
    database: Database, journal: CallJournal
) -> None:
    await CallJournal(database, node="node-2").started(started())
    assert await recover(journal, partial(compose, user=ALEX), T0 + 9) == 0
