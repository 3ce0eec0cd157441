"""Invites, guests, links and mails in both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.identity.users import UserKey
from gateway.invites.model import Invite, InviteKey, Mail, MailDraft, MailKind
from gateway.sessions.wire import MailState, Record
from gateway.storage import Database, StorageError
from gateway.storage.invites import InviteStore, Made
from gateway.storage.mails import MailRowState, MailStore
from tests.gateway.invites.samples import EVE, ROBIN, SAM, T0, a_guest, an_invite
from tests.gateway.invites.samples import content as mail_content

NOW = T0 - 3600
NEVER = T0 + 1e9


@pytest.fixture
def store(database: Database) -> InviteStore:
    return InviteStore(database)


@pytest.fixture
def mails(database: Database) -> MailStore:
    return MailStore(database, owner="node-1")


def a_mail(
    guest: int = 1, kind: MailKind = MailKind.INVITATION, **changes: Any
) -> MailDraft:
    content = mail_content(guest_email=f"guest{guest}@customer.example", **changes)
    return MailDraft(f"{guest:032x}", 1, kind, content)


def links(invite: Invite) -> dict[str, str]:
    return {
        guest.guest_id: f"{invite.tenant}:{guest.guest_id}:{guest.generation}"
        for guest in invite.present
    }


async def add(store: InviteStore, invite: Invite, *mails: MailDraft) -> Invite:
    kept = await store.add(invite, mails=mails, links=links(invite), now=NOW)
    assert kept is not None
    return kept


async def only_due(mails: MailStore, now: float = NOW) -> Mail:
    (mail,) = await mails.due(now, limit=10)
    return mail


async def test_what_is_kept_comes_back(store: InviteStore) -> None:
    record = Record(id="003", kind="Contact", name="Ana Ruiz", url="https://x.example")
    invite = an_invite(
        subject="Ünïcödé ☎",
        contact=record,
        about=replace_kind(record, "Case"),
        guests=(
            a_guest(2, browsers=("b1",), joined_at=T0),
            a_guest(1, email="", time_zone="Asia/Tokyo"),
        ),
        ops=("op-1",),
        draft_hash="h" * 64,
    )
    kept = await add(store, invite)
    assert kept == invite
    assert await store.get(invite.key) == invite
    assert await store.unclosed() == (invite,)


def replace_kind(record: Record, kind: str) -> Record:
    return record.model_copy(update={"kind": kind})


async def test_an_id_is_used_once_per_tenant(store: InviteStore) -> None:
    await add(store, an_invite(), a_mail())
    again = an_invite(host=SAM.key, subject="Mine")
    assert await store.add(again, mails=[a_mail(2)], links={}, now=NOW) is None
    kept = await store.get(again.key)
    assert kept is not None
    assert kept.host == ROBIN.key
    assert [guest.mail for guest in kept.guests] == [MailState.WAITING, MailState.NONE]


async def test_tenants_with_the_same_ids_do_not_meet(store: InviteStore) -> None:
    ours = an_invite()
    theirs = an_invite(tenant="evil", host=EVE.key, subject="Theirs")
    await add(store, ours, a_mail())
    await add(store, theirs)
    changed = await store.save(replace(ours, subject="Changed"), now=NOW)
    assert changed is not None
    assert await store.get(theirs.key) == theirs
    # Also the guests, whose ids are the same here as they never are.
    await store.guest_joined(ours.key, a_guest(1).guest_id, T0)
    assert await store.bind_browser(
        "acme", a_guest(1).guest_id, generation=1, browser="b"
    )
    assert await store.get(theirs.key) == theirs
    assert await store.listing(EVE.key, past=False, now=NOW, limit=9) == (theirs,)
    assert await store.made_since(EVE.key, 0) == Made(1, 0)
    assert await store.made_since(ROBIN.key, 0) == Made(1, 1)


async def test_of_two_writers_with_one_revision_one_wins(store: InviteStore) -> None:
    invite = await add(store, an_invite())
    first = await store.save(
        replace(invite, subject="First"), mails=[a_mail(1)], now=NOW
    )
    assert first is not None
    assert first.revision == 1
    second = await store.save(
        replace(invite, subject="Second"), mails=[a_mail(2)], now=NOW
    )
    assert second is None
    assert await store.get(invite.key) == first
    assert [guest.mail for guest in first.guests] == [
        MailState.WAITING,
        MailState.NONE,
    ]


async def test_a_writer_does_not_undo_that_a_guest_came(store: InviteStore) -> None:
    invite = await add(store, an_invite())
    guest = invite.guests[0]
    await store.guest_joined(invite.key, guest.guest_id, T0)
    await store.guest_joined(invite.key, guest.guest_id, T0 + 9)
    assert await store.bind_browser("acme", guest.guest_id, generation=1, browser="b1")
    kept = await store.save(replace(invite, subject="Changed"), now=NOW)
    assert kept is not None
    assert kept.guests[0].joined_at == T0
    assert kept.guests[0].browsers == ("b1",)


async def test_three_browsers_of_each_generation(store: InviteStore) -> None:
    invite = await add(store, an_invite())
    guest = invite.guests[0]

    async def bind(browser: str, generation: int = 1) -> bool:
        return await store.bind_browser(
            "acme", guest.guest_id, generation=generation, browser=browser
        )

    found = await asyncio.gather(*(bind(f"b{n}") for n in range(6)))
    assert sorted(found) == [False] * 3 + [True] * 3
    kept = await store.get(invite.key)
    assert kept is not None
    known = kept.guests[0].browsers
    assert len(known) == 3
    assert await bind(known[1])
    renewed = kept.with_guest(replace(kept.guests[0], generation=2, browsers=()))
    assert await store.save(renewed, links=links(renewed), now=NOW) is not None
    assert not await bind(known[1], generation=1)
    assert await bind(known[1], generation=2)
    assert not await store.bind_browser(
        "evil", guest.guest_id, generation=2, browser="x"
    )


async def test_links_of_old_generations_stay_known(store: InviteStore) -> None:
    invite = await add(store, an_invite())
    old = links(invite)[invite.guests[0].guest_id]
    renewed = invite.with_guest(replace(invite.guests[0], generation=2))
    kept = await store.save(renewed, links=links(renewed), now=NOW)
    assert kept is not None
    found = await store.by_link(old)
    assert found is not None
    assert (found.generation, found.guest.generation) == (1, 2)
    new = await store.by_link(links(renewed)[invite.guests[0].guest_id])
    assert new is not None
    assert new.generation == 2
    assert await store.by_link("nothing") is None


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    engine = database._engine
    assert engine is not None
    event.listen(engine.sync_engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine.sync_engine, "before_cursor_execute", note)


async def test_an_unknown_link_costs_what_a_known_one_does(
    database: Database, store: InviteStore
) -> None:
    invite = await add(store, an_invite())
    known = links(invite)[invite.guests[0].guest_id]
    with counted(database) as for_known:
        assert await store.by_link(known) is not None
    with counted(database) as for_unknown:
        assert await store.by_link("0" * 64) is None
    assert for_known == for_unknown
    assert len(for_known) >= 4


async def test_listing_pages_without_gaps(store: InviteStore) -> None:
    for number in range(7):
        # Two at each time, so that pages break between equals.
        at = T0 + (number // 2) * 7200
        await add(
            store,
            an_invite(invite_id=f"i{number}", starts_at=at, ends_at=at + 60, guests=()),
        )
    await add(store, an_invite(invite_id="gone", cancelled_at=NOW, guests=()))
    await add(store, an_invite(invite_id="sams", host=SAM.key, guests=()))
    now = T0 + 7200 + 60

    async def pages(past: bool) -> list[str]:
        names: list[str] = []
        after = None
        while True:
            page = await store.listing(
                ROBIN.key, past=past, now=now, limit=2, after=after
            )
            if not page:
                return names
            names += [invite.invite_id for invite in page]
            after = page[-1]

    assert await pages(past=False) == ["i4", "i5", "i6"]
    assert await pages(past=True) == ["i3", "i2", "i1", "i0", "gone"]


async def test_closed_ones_are_not_taken_up(store: InviteStore) -> None:
    await add(store, an_invite(invite_id="over", ended_at=T0, guests=()))
    await add(store, an_invite(invite_id="gone", cancelled_at=T0, guests=()))
    await add(store, an_invite(invite_id="late", ends_at=T0 - 9, guests=()))
    await add(
        store, an_invite(tenant="evil", host=EVE.key, invite_id="theirs", guests=())
    )
    found = {str(invite.key) for invite in await store.unclosed()}
    assert found == {"acme/late", "evil/theirs"}


async def test_the_meeting_is_kept_in_the_same_transaction(database: Database) -> None:
    told: list[tuple[str, int, bool]] = []
    fails = False

    async def meeting_changed(connection: AsyncConnection, invite: Invite) -> None:
        if fails:
            await connection.execute(text("SELECT * FROM no_such_table"))
        told.append((invite.subject, invite.sequence, invite.has_been_joined))

    store = InviteStore(database, meeting_changed=meeting_changed)
    invite = await add(store, an_invite())
    changed = await store.save(replace(invite, subject="Changed", sequence=1), now=NOW)
    assert changed is not None
    await store.guest_joined(invite.key, invite.guests[0].guest_id, T0)
    await store.guest_joined(invite.key, invite.guests[0].guest_id, T0)
    assert told == [
        ("Your offer", 0, False),
        ("Changed", 1, False),
        ("Changed", 1, True),
    ]
    fails = True
    with pytest.raises(StorageError):
        await store.save(replace(changed, subject="Lost"), mails=[a_mail()], now=NOW)
    kept = await store.get(invite.key)
    assert kept is not None
    assert kept.subject == "Changed"
    assert await MailStore(database, owner="x").counts() == {}


# Mails ----------------------------------------------------------------------------


async def test_a_mail_goes_from_waiting_to_sent(
    store: InviteStore, mails: MailStore
) -> None:
    invite = await add(store, an_invite(), a_mail(1), a_mail(2))
    first, second = await mails.due(NOW, limit=10)
    assert (first.guest_id, second.guest_id) == tuple(g.guest_id for g in invite.guests)
    assert first.content.guest_email == "guest1@customer.example"
    assert first.host == ROBIN.key
    assert await mails.due(NOW, limit=10, exclude=[first.id]) == (second,)
    assert await mails.next_due() == NOW
    assert await mails.begin(first)
    assert not await mails.begin(first)
    assert await mails.due(NOW, limit=10) == (second,)
    assert await mails.settle(first, MailRowState.SENT)
    assert await mails.settle(second, MailRowState.FAILED, problem="x" * 999)
    kept = await store.get(invite.key)
    assert kept is not None
    assert [g.mail for g in kept.guests] == [MailState.SENT, MailState.FAILED]
    assert kept.guests[1].mail_problem == "x" * 255
    assert await mails.next_due() is None
    assert await mails.due(NEVER, limit=10) == ()
    # What is settled is settled.
    assert not await mails.settle(first, MailRowState.FAILED)
    assert not await mails.again(second, due_at=NOW, problem="")


async def test_newer_replaces_what_waits(store: InviteStore, mails: MailStore) -> None:
    invite = await add(store, an_invite(), a_mail())
    old = await only_due(mails)
    changed = await store.save(
        replace(invite, sequence=1), mails=[a_mail(kind=MailKind.CHANGE)], now=NOW
    )
    assert changed is not None
    new = await only_due(mails)
    # Nobody is told of a change of what they have not heard of.
    assert (new.id > old.id, new.kind) == (True, MailKind.INVITATION)
    assert not await mails.begin(old)
    assert not await mails.settle(old, MailRowState.FAILED)
    assert (await mails.counts()) == {
        MailRowState.REPLACED: 1,
        MailRowState.WAITING: 1,
    }
    gone = await store.save(
        replace(changed, cancelled_at=NOW),
        mails=[a_mail(kind=MailKind.CANCELLATION)],
        now=NOW,
    )
    assert gone is not None
    # Nor of its end.
    assert await mails.due(NEVER, limit=9) == ()
    assert gone.guests[0].mail is MailState.NONE


@pytest.mark.parametrize(
    "heard", [MailRowState.SENT, MailRowState.UNCERTAIN, MailRowState.SENDING]
)
async def test_who_may_have_heard_is_told_of_change_and_end(
    store: InviteStore, mails: MailStore, heard: MailRowState
) -> None:
    invite = await add(store, an_invite(), a_mail())
    first = await only_due(mails)
    assert await mails.begin(first)
    if heard is not MailRowState.SENDING:
        assert await mails.settle(first, heard)
    changed = await store.save(invite, mails=[a_mail(kind=MailKind.CHANGE)], now=NOW)
    assert changed is not None
    if heard is MailRowState.SENDING:
        # One after the other: they must not arrive in the wrong order.
        assert await mails.due(NOW, limit=9) == ()
        assert await mails.settle(first, MailRowState.SENT)
    second = await only_due(mails)
    assert second.kind is MailKind.CHANGE
    assert await store.save(
        changed, mails=[a_mail(kind=MailKind.CANCELLATION)], now=NOW
    )
    assert (await only_due(mails)).kind is MailKind.CANCELLATION


async def test_put_off_waits_unless_there_is_a_newer_one(
    store: InviteStore, mails: MailStore
) -> None:
    invite = await add(store, an_invite(), a_mail())
    mail = await only_due(mails)
    assert await mails.begin(mail)
    assert await mails.again(mail, due_at=NOW + 60, problem="later")
    assert await mails.due(NOW, limit=9) == ()
    assert await mails.next_due() == NOW + 60
    again = await only_due(mails, NOW + 60)
    assert (again.id, again.attempts) == (mail.id, 1)
    kept = await store.get(invite.key)
    assert kept is not None
    assert kept.guests[0].mail is MailState.WAITING
    assert kept.guests[0].mail_problem == "later"
    assert await mails.begin(again)
    assert await store.save(invite, mails=[a_mail(kind=MailKind.CHANGE)], now=NOW)
    assert await mails.again(again, due_at=NOW, problem="later")
    newer = await only_due(mails)
    assert newer.id != mail.id


async def test_what_a_dead_node_was_sending_is_uncertain(
    database: Database, store: InviteStore, mails: MailStore
) -> None:
    invite = await add(store, an_invite(), a_mail(1), a_mail(2))
    first, second = await mails.due(NOW, limit=9)
    other = MailStore(database, owner="node-2")
    assert await mails.begin(first)
    assert await other.begin(second)
    found = await mails.recover()
    assert found == ((ROBIN.key, invite.key),)
    kept = await store.get(invite.key)
    assert kept is not None
    assert [g.mail for g in kept.guests] == [MailState.UNCERTAIN, MailState.WAITING]
    assert kept.guests[0].mail_problem
    assert await mails.recover() == ()
    assert await mails.due(NEVER, limit=9) == ()


async def test_keys_name_their_tenant(store: InviteStore) -> None:
    assert await store.get(InviteKey("evil", "invite-1")) is None
    await add(store, an_invite())
    assert await store.get(InviteKey("evil", "invite-1")) is None
    assert (
        await store.listing(UserKey("evil", "robin"), past=False, now=0, limit=9) == ()
    )
