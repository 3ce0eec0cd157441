"""Meetings and notes in the outbox: a row per key, and the newest state in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

import gateway.storage
from gateway.crm.connector import Activity, CrmUser, Meeting
from gateway.identity.users import UserKey
from gateway.sessions.wire import ActivityState, ActivityView
from gateway.storage import (
    CallJournal,
    Database,
    Outbox,
    OutboxKind,
    put_activity,
    put_meeting,
)
from tests.gateway.storage.samples import ALEX, T0, ended

NOW = T0 + 1000.0
SAM = UserKey("acme", "sam")
START = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
MEETING = Meeting(
    key="meet:i1",
    user=CrmUser("acme", ALEX.crm_user_id, ALEX.crm_username),
    subject="Video call: 電話 \U0001f4de",
    description="Invited: Ana",
    starts_at=START,
    ends_at=START + timedelta(minutes=30),
    location="https://gw.example/widget/",
    who_id="003000000000001AAA",
)
MOVED = replace(MEETING, starts_at=START + timedelta(hours=1))


def note() -> Activity:
    _, activity = ended()
    return replace(activity, key="noshow:i1", is_call=False)


async def put(
    database: Database,
    meeting: Meeting = MEETING,
    *,
    user: UserKey = ALEX.key,
    at: float = NOW,
) -> ActivityView:
    async with database.writing() as connection:
        return await put_meeting(connection, database, user, "i1", meeting, now=at)


async def test_the_newest_state_is_what_is_written(
    database: Database, outbox: Outbox
) -> None:
    assert (await put(database)).state is ActivityState.WAITING
    (entry,) = await outbox.claim("acme", now=NOW, limit=9, lease_s=60)
    assert (entry.kind, entry.invite_id, entry.call_id) == (
        OutboxKind.MEETING,
        "i1",
        "",
    )
    assert (entry.activity, entry.revision) == (MEETING, 1)
    assert await outbox.mark_written(entry, record_id="00U1", url="https://x/00U1")

    await put(database, MOVED, at=NOW + 5)
    changed = await put(database, replace(MOVED, is_cancelled=True), at=NOW + 9)
    assert changed == ActivityView(
        state=ActivityState.WAITING, record_id="00U1", url="https://x/00U1"
    )
    (again,) = await outbox.claim("acme", now=NOW + 9, limit=9, lease_s=60)
    assert (again.activity, again.revision) == (replace(MOVED, is_cancelled=True), 3)
    assert again.queued_at == NOW + 9


async def test_an_older_write_settles_nothing(
    database: Database, outbox: Outbox
) -> None:
    await put(database)
    (old,) = await outbox.claim("acme", now=NOW, limit=1, lease_s=60)
    await put(database, MOVED)
    # Not before the older write is done with: the order is kept.
    assert await outbox.claim("acme", now=NOW + 1, limit=1, lease_s=60) == ()
    assert not await outbox.mark_written(old, record_id="00U1", url="")
    (new,) = await outbox.claim("acme", now=NOW + 1, limit=1, lease_s=60)
    assert new.activity == MOVED
    # What became of the older one says nothing about this one.
    await outbox.mark_failed(old, problem="too late", code="")
    await outbox.mark_retry(old, due_at=NOW + 99, problem="too late", code="")
    assert await outbox.mark_written(new, record_id="00U1", url="")
    views = await outbox.meeting_views(ALEX.key, ["i1"])
    assert views["i1"].state is ActivityState.WRITTEN


async def test_the_same_state_again_changes_nothing(
    database: Database, outbox: Outbox
) -> None:
    await put(database)
    (entry,) = await outbox.claim("acme", now=NOW, limit=1, lease_s=60)
    await outbox.mark_written(entry, record_id="00U1", url="https://x/00U1")
    elsewhere = MEETING.starts_at.astimezone()
    view = await put(database, replace(MEETING, starts_at=elsewhere), at=NOW + 5)
    assert view == ActivityView(
        state=ActivityState.WRITTEN, record_id="00U1", url="https://x/00U1"
    )
    assert await outbox.next_due() is None


async def test_a_change_after_a_refusal_is_tried(
    database: Database, outbox: Outbox
) -> None:
    await put(database)
    (entry,) = await outbox.claim("acme", now=NOW, limit=1, lease_s=60)
    await outbox.mark_failed(entry, problem="No such contact", code="INVALID")
    same = await put(database, at=NOW + 5)
    assert (same.state, same.problem) == (ActivityState.FAILED, "No such contact")
    assert (await put(database, MOVED, at=NOW + 6)).state is ActivityState.WAITING
    (again,) = await outbox.claim("acme", now=NOW + 6, limit=1, lease_s=60)
    assert (again.attempts, again.problem, again.code) == (0, "", "")


async def test_what_the_caller_takes_back_was_never_there(
    database: Database, outbox: Outbox
) -> None:
    async def fail() -> None:
        async with database.writing() as connection:
            await put_meeting(connection, database, ALEX.key, "i1", MEETING, now=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await outbox.next_due() is None


async def test_a_colleagues_invite_of_the_same_id_is_another(
    database: Database, outbox: Outbox
) -> None:
    zeta = UserKey("zeta", "alex")
    await put(database)
    for _ in range(2):
        await put(database, MOVED, user=SAM)
    await put(database, MOVED, user=zeta)
    claimed = await outbox.claim("acme", now=NOW, limit=9, lease_s=60)
    assert {(entry.user.user, entry.activity.key) for entry in claimed} == {
        ("alex", "meet:i1"),
        ("sam", "meet:i1:sam"),
    }
    assert {entry.activity.key for entry in claimed if entry.activity == MEETING}
    (theirs,) = await outbox.claim("zeta", now=NOW, limit=9, lease_s=60)
    assert theirs.activity == MOVED
    await outbox.mark_failed(theirs, problem="x", code="")
    for user, state in ((ALEX.key, "waiting"), (SAM, "waiting"), (zeta, "failed")):
        views = await outbox.meeting_views(user, ["i1", "i2"])
        assert {key: view.state.value for key, view in views.items()} == {"i1": state}


async def test_a_note_is_put_in_once(database: Database, outbox: Outbox) -> None:
    for user, is_new in (
        (ALEX.key, True),
        (ALEX.key, False),
        (SAM, True),
        (SAM, False),
    ):
        async with database.writing() as connection:
            put_in = await put_activity(
                connection, database, user, "i1", note(), now=NOW
            )
        assert put_in is is_new
    entries = await outbox.claim("acme", now=NOW, limit=9, lease_s=60)
    assert [entry.activity.key for entry in entries] == ["noshow:i1", "noshow:i1:sam"]
    assert entries[0].activity == note()
    assert (entries[0].kind, entries[0].invite_id) == (OutboxKind.ACTIVITY, "i1")
    # A note is no Event.
    assert await outbox.meeting_views(ALEX.key, ["i1"]) == {}


async def test_dead_letters_of_an_invite_can_go_on(
    database: Database, outbox: Outbox, journal: CallJournal
) -> None:
    await put(database)
    await journal.ended(*ended())
    for entry in await outbox.claim("acme", now=NOW, limit=9, lease_s=60):
        await outbox.mark_failed(entry, problem="no", code="NO")
    assert await outbox.retry("acme", now=NOW, invite_id="other") == 0
    assert await outbox.retry("acme", now=NOW, invite_id="i1") == 1
    (left,) = await outbox.listing(tenant="acme")
    assert left.call_id == "call-1"


async def test_an_invites_rows_are_no_calls(
    database: Database, outbox: Outbox, journal: CallJournal
) -> None:
    await journal.ended(*ended())
    await put(database)
    (entry,) = await journal.history(ALEX.key)
    assert entry.activity.state is ActivityState.WAITING


async def test_what_an_older_version_left_is_still_there(database_url: str) -> None:
    """Rows from before meetings are activities of calls, and go on being written."""
    database = Database(database_url)
    await database.open()
    journal, outbox = CallJournal(database), Outbox(database, owner="x")
    await journal.ended(*ended())
    await put(database)

    def move(connection: Connection, to: str) -> None:
        config = Config()
        folder = Path(gateway.storage.__file__).parent / "migrations"
        config.set_main_option("script_location", str(folder))
        config.attributes["connection"] = connection
        (command.downgrade if to == "0001" else command.upgrade)(config, to)

    async with database.writing() as connection:
        await connection.run_sync(move, "0001")
        count = await connection.execute(text("SELECT count(*) FROM outbox"))
        assert count.scalar_one() == 1
        await connection.run_sync(move, "head")
    (entry,) = await outbox.claim("acme", now=NOW, limit=9, lease_s=60)
    _, activity = ended()
    assert (entry.activity, entry.kind) == (activity, OutboxKind.ACTIVITY)
    assert (entry.call_id, entry.invite_id) == ("call-1", "")
    await database.close()
