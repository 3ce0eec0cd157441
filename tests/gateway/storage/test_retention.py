"""What is old goes in small steps; what is open, unsent or not in the CRM stays."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, func, select, text

from gateway import storage
from gateway.activities.meetings import InviteFacts, meeting_of
from gateway.invites.model import Invite, InviteKey, MailDraft, MailKind
from gateway.sessions.wire import InviteState, MailState
from gateway.storage import (
    CallJournal,
    Database,
    Outbox,
    OutboxState,
    StorageError,
    put_meeting,
)
from gateway.storage.housekeeping import DAY_S, EVERY_S, Housekeeping, KeepFor
from gateway.storage.invites import InviteStore
from gateway.storage.mails import MailRowState, MailStore
from gateway.storage.models import Base, InviteMailRow
from gateway.storage.retention import Retention
from tests.gateway.invites.samples import ROBIN, a_guest, an_invite
from tests.gateway.invites.samples import T0 as INVITE_T0
from tests.gateway.invites.samples import content as mail_content
from tests.gateway.storage.samples import ALEX, T0, ended, started

OVER = INVITE_T0 + 1800


@pytest.fixture
def retention(database: Database) -> Retention:
    return Retention(database)


@pytest.fixture
def store(database: Database) -> InviteStore:
    return InviteStore(database)


@pytest.fixture
def mails(database: Database) -> MailStore:
    return MailStore(database, owner="node-1")


async def write_all(outbox: Outbox, *, fail: Sequence[str] = ()) -> None:
    """The CRM has everything but the activities of these calls."""
    for entry in await outbox.claim("acme", now=INVITE_T0 * 2, limit=99, lease_s=60):
        if entry.call_id in fail:
            await outbox.mark_failed(entry, problem="no", code="NO")
        else:
            await outbox.mark_written(entry, record_id="00T", url="")


async def row_counts(database: Database) -> dict[str, int]:
    counts = {}
    async with database.reading() as connection:
        for name, table in Base.metadata.tables.items():
            query = select(func.count()).select_from(table)
            counts[name] = (await connection.execute(query)).scalar_one()
    return {name: count for name, count in counts.items() if count}


# Calls ----------------------------------------------------------------------------


async def test_old_calls_go_with_what_was_written_of_them(
    database: Database, journal: CallJournal, outbox: Outbox, retention: Retention
) -> None:
    for name in ("written", "dead letter"):
        await journal.ended(*ended(name))
    await write_all(outbox, fail=["dead letter"])
    await journal.ended(*ended("waiting", at=T0 + 1))
    await journal.started(started("open"))
    await journal.ended(*ended("recent", at=T0 + 5000))
    await journal.ended(ended("without activity")[0], None)
    assert await retention.forget_calls(T0 + 60, limit=10) == 0
    assert await retention.forget_calls(T0 + 1000, limit=10) == 2
    left = [item.call.call_id for item in await journal.history(ALEX.key)]
    assert sorted(left) == ["dead letter", "recent", "waiting"]
    assert [c.call.call_id for c in await journal.open_calls()] == ["open"]
    assert await row_counts(database) == {"calls": 4, "outbox": 3}
    # A person has seen to the dead letter: now it may go too.
    await outbox.retry("acme", now=T0)
    await write_all(outbox)
    assert await retention.forget_calls(T0 + 1000, limit=10) == 2
    assert await retention.forget_calls(T0 + 1000, limit=10) == 0


async def test_oldest_first_and_not_more_than_asked(
    journal: CallJournal, retention: Retention
) -> None:
    for number in range(5):
        await journal.ended(ended(f"c{number}", at=T0 - number)[0], None)
    assert await retention.forget_calls(T0 + 1000, limit=2) == 2
    left = [item.call.call_id for item in await journal.history(ALEX.key)]
    assert left == ["c0", "c1", "c2"]


async def test_a_call_that_is_written_again_keeps_its_activity(
    journal: CallJournal, outbox: Outbox, retention: Retention
) -> None:
    """Chosen anew between the search and the deletion."""
    await journal.ended(*ended())
    await write_all(outbox)
    real = retention._database.writing

    def late() -> Any:
        retention._database.writing = real  # type: ignore[method-assign]

        class Late:
            async def __aenter__(self) -> Any:
                await outbox_changed()
                self.own = real()
                return await self.own.__aenter__()

            async def __aexit__(self, *error: Any) -> Any:
                return await self.own.__aexit__(*error)

        return Late()

    async def outbox_changed() -> None:
        async with real() as connection:
            await connection.execute(text("UPDATE outbox SET state = 'waiting'"))

    retention._database.writing = late  # type: ignore[method-assign]
    assert await retention.forget_calls(T0 + 1000, limit=10) == 0
    assert len(await outbox.listing(state=OutboxState.WAITING)) == 1
    assert await journal.count("acme") == 1


# Invites --------------------------------------------------------------------------


async def add(
    store: InviteStore,
    name: str,
    *,
    mails: bool = False,
    closed: bool = True,
    **changes: Any,
) -> Invite:
    number = int.from_bytes(name.encode(), "big") % 10**9
    guest = a_guest(number)
    invite = an_invite(invite_id=name, guests=(guest,), **changes)
    drafts = [
        MailDraft(guest.guest_id, 1, MailKind.INVITATION, mail_content())
        for _ in range(1 if mails else 0)
    ]
    hashes = {guest.guest_id: f"hash of {invite.tenant} {name}"}
    kept = await store.add(invite, mails=drafts, links=hashes, now=INVITE_T0 - 3600)
    assert kept is not None
    if closed:
        kept = await store.save(replace(kept, ended_at=kept.ends_at), now=OVER)
        assert kept is not None
    return kept


async def send_all(mails: MailStore) -> None:
    for mail in await mails.due(OVER, limit=99):
        assert await mails.begin(mail)
        await mails.settle(mail, MailRowState.SENT)


async def test_old_invites_go_with_all_that_is_theirs(
    database: Database,
    store: InviteStore,
    mails: MailStore,
    outbox: Outbox,
    retention: Retention,
) -> None:
    async def event(invite: Invite) -> None:
        facts = InviteFacts(
            invite_id=invite.invite_id,
            state=InviteState.OVER,
            subject="Your offer",
            starts_at=invite.starts_at,
            ends_at=invite.ends_at,
            invitees=(),
            text="",
            location="",
        )
        async with database.writing() as connection:
            await put_meeting(
                connection,
                database,
                invite.host,
                invite.invite_id,
                meeting_of(facts, ROBIN),
                now=OVER,
            )

    await event(await add(store, "old", mails=True))
    await send_all(mails)
    await write_all(outbox)
    await add(store, "unsent", mails=True)
    await event(await add(store, "not in the CRM"))
    await add(store, "open", closed=False)
    await add(store, "recent", starts_at=OVER + 5000, ends_at=OVER + 6800)
    await add(store, "evil", tenant="evil", host=replace(ROBIN.key, tenant="evil"))
    # Cancelled long ago, for a day that is to come.
    cancelled = await add(
        store,
        "cancelled",
        closed=False,
        starts_at=OVER + 9000,
        ends_at=OVER + 9900,
    )
    await store.save(replace(cancelled, cancelled_at=OVER - 9000), now=OVER)
    # Its end was dealt with only now: the service was away.
    late = await add(store, "late", closed=False)
    await store.save(replace(late, ended_at=OVER + 3000), now=OVER + 3000)

    assert await retention.forget_invites(OVER, limit=10) == 0
    assert await retention.forget_invites(OVER + 1000, limit=10) == 2
    for name, tenant in (("old", "acme"), ("evil", "evil")):
        assert await store.get(InviteKey(tenant, name)) is None
        assert await store.by_link(f"hash of {tenant} {name}") is None
    stay = ("unsent", "not in the CRM", "open", "recent", "cancelled", "late")
    for name in stay:
        kept = await store.get(InviteKey("acme", name))
        assert kept is not None
        assert await store.by_link(f"hash of acme {name}") is not None
    assert await row_counts(database) == {
        "invites": len(stay),
        "invite_guests": len(stay),
        "invite_links": len(stay),
        "invite_mails": 1,
        "outbox": 1,
    }
    # What held them is over.
    await send_all(mails)
    await write_all(outbox)
    assert await retention.forget_invites(OVER + 20_000, limit=2) == 2
    assert await retention.forget_invites(OVER + 20_000, limit=9) == 3
    assert await row_counts(database) == {
        "invites": 1,
        "invite_guests": 1,
        "invite_links": 1,
    }


async def test_what_old_mails_said_is_forgotten_and_that_they_were_sent_is_not(
    database: Database, store: InviteStore, mails: MailStore, retention: Retention
) -> None:
    await add(store, "sent", mails=True, closed=False)
    await send_all(mails)
    await add(store, "waiting", mails=True, closed=False)
    made = INVITE_T0 - 3600
    assert await retention.forget_mail_bodies(made, limit=9) == 0
    assert await retention.forget_mail_bodies(made + 1, limit=9) == 1
    assert await retention.forget_mail_bodies(made + 1, limit=9) == 0
    async with database.reading() as connection:
        query = select(InviteMailRow.content).order_by(InviteMailRow.id)
        first, second = (await connection.execute(query)).scalars().all()
    assert first == {}
    assert second["guest_email"] == "ana@customer.example"
    sent = await store.get(InviteKey("acme", "sent"))
    assert sent is not None
    assert sent.guests[0].mail is MailState.SENT
    (waiting,) = await mails.due(made, limit=9)
    assert waiting.content == mail_content()


async def test_mails_of_an_older_version_have_their_bodies(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    config = Config()
    folder = Path(storage.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    engine = create_engine(f"sqlite:///{path}")

    def fill(connection: Connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        connection.execute(
            text(
                "INSERT INTO invite_mails (tenant, user_id, invite_id, guest_id,"
                " generation, kind, content, state, attempts, created_at, due_at,"
                " owner, problem) VALUES ('acme', 'robin', 'i', 'g', 1, 'invitation',"
                " '{\"a\": 1}', 'sent', 1, 1.0, 1.0, '', '')"
            )
        )

    with engine.begin() as connection:
        fill(connection)
    engine.dispose()
    database = Database(f"sqlite:///{path}")
    await database.open()
    assert await Retention(database).forget_mail_bodies(2.0, limit=9) == 1
    await database.close()


# The task -------------------------------------------------------------------------


class Clock:
    """Sleeps end at once; what slept is told."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.slept: list[float] = []
        self.until = asyncio.Event()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if self.now > T0 + 92 * DAY_S:
            self.until.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)


async def test_every_hour_in_batches_what_is_older_than_wanted(
    journal: CallJournal, retention: Retention, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gateway.storage.housekeeping")
    for number in range(5):
        await journal.ended(ended(f"c{number}")[0], None)
    await journal.ended(ended("later", at=T0 + 10 * DAY_S)[0], None)
    clock = Clock(T0 + 90 * DAY_S - 3 * EVERY_S)
    keeper = Housekeeping(
        retention, KeepFor(90, 0, 0), now=clock, sleep=clock.sleep, batch=2
    )
    task = asyncio.create_task(keeper.run())
    await clock.until.wait()
    task.cancel()
    await asyncio.wait({task})
    assert keeper.counters.calls == 5
    (entry,) = await journal.history(ALEX.key)
    assert entry.call.call_id == "later"
    assert clock.slept.count(EVERY_S) >= 48
    (line,) = caplog.messages
    assert line.startswith("forgot 5 calls of before 2026-")


async def test_nothing_is_forgotten_that_is_to_be_kept_for_ever(
    journal: CallJournal, store: InviteStore, retention: Retention
) -> None:
    await journal.ended(ended()[0], None)
    await add(store, "old")
    clock = Clock(T0 + 1e9)
    await Housekeeping(retention, KeepFor(0, 0, 0), now=clock).sweep()
    assert await journal.count("acme") == 1
    assert await store.get(InviteKey("acme", "old")) is not None


async def test_a_database_that_is_away_is_asked_again_in_an_hour(
    retention: Retention,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def away(at: float, *, limit: int) -> int:
        raise StorageError("away")

    monkeypatch.setattr(retention, "forget_calls", away)
    clock = Clock(T0 + 92 * DAY_S - EVERY_S - 61)
    keeper = Housekeeping(retention, KeepFor(90, 90, 30), now=clock, sleep=clock.sleep)
    task = asyncio.create_task(keeper.run())
    await clock.until.wait()
    task.cancel()
    await asyncio.wait({task})
    assert keeper.counters.sweeps_failed == 2
    assert clock.slept == [60.0, EVERY_S, EVERY_S]
    assert "could not be forgotten: away" in caplog.text
