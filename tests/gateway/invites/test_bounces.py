"""The reader of reports where the mailbox or the database fails, or takes its time."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import pytest

from gateway.invites import bounces
from gateway.invites.bounces import BounceBox, BounceReader
from gateway.invites.delivery_report import DeliveryReport
from gateway.invites.mailbox import Found, MailboxError, News, Position, Reading
from gateway.invites.model import MailDraft, MailKind
from gateway.invites.return_path import ReturnPaths
from gateway.sessions.wire import MailState
from gateway.storage import Database, StorageError
from gateway.storage.invites import InviteStore
from gateway.storage.mailbox_positions import MailboxPositions
from gateway.storage.mails import MailRowState, MailStore
from tests.gateway.invites import reports
from tests.gateway.invites.samples import SECRET, T0, a_guest, an_invite, content
from tests.gateway.sessions.fakes import eventually
from tests.gateway.storage.samples import eventually as eventually_kept

PATHS = ReturnPaths(SECRET, tenant="acme", address="invites@acme.example")


class FakeMailbox:
    """``failures`` are raised by the next visits; ``held``: answers wait for it."""

    name = "invites@mail.example:993/INBOX"

    def __init__(self, *messages: bytes) -> None:
        self.messages = list(messages)
        self.failures: list[str] = []
        self.aside: list[int] = []
        self.opened = self.closed = 0
        self.held: threading.Event | None = None
        self.waits = threading.Event()

    def open(self) -> Reading:
        self.opened += 1
        if self.failures:
            raise MailboxError(self.failures.pop(0))
        return self

    def close(self) -> None:
        self.closed += 1

    def interrupt(self) -> None:
        if self.held is not None:
            self.held.set()

    def news(self, since: Position) -> News:
        if self.held is not None:
            self.waits.set()
            self.held.wait(10)
            raise MailboxError("interrupted")
        new = list(enumerate(self.messages, 1))[since.last_uid :]
        found = tuple(Found(uid, data) for uid, data in new)
        return News(Position(1, len(self.messages)), found)

    def put_aside(self, uids: Iterable[int]) -> None:
        self.aside += uids


@asynccontextmanager
async def reading(
    database: Database, boxes: dict[str, FakeMailbox]
) -> AsyncIterator[BounceReader]:
    reader = BounceReader(
        {tenant: BounceBox(box, PATHS, 0.01) for tenant, box in boxes.items()},
        MailStore(database, owner="main"),
        MailboxPositions(database),
        on_news=lambda _: None,
        rng=random.Random(1),
    )
    task = asyncio.create_task(reader.run())
    try:
        yield reader
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait({task})
    assert task.cancelled()


async def send_one(database: Database) -> str:
    """A mail that has left; where its reports go."""
    mails = MailStore(database, owner="main")
    guest = a_guest(1)
    draft = MailDraft(guest.guest_id, 1, MailKind.INVITATION, content())
    invite = an_invite(guests=(guest,))
    assert await InviteStore(database).add(invite, mails=[draft], links={}, now=T0)
    (mail,) = await mails.due(T0, limit=1)
    assert await mails.begin(mail)
    assert await mails.settle(mail, MailRowState.SENT)
    return PATHS.address(mail.id, guest.guest_id)


async def until_bounced(database: Database) -> None:
    async def is_so() -> bool:
        counts = await MailStore(database, owner="main").counts()
        return counts.get(MailRowState.BOUNCED) == 1

    await eventually_kept(is_so)


async def test_a_mailbox_that_fails_is_tried_again_and_holds_up_no_other(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    address = await send_one(database)
    bad, good = FakeMailbox(), FakeMailbox(reports.postfix(address))
    bad.failures = ["no safe connection", "still none"]
    async with reading(database, {"evil": bad, "acme": good}) as reader:
        await until_bounced(database)
        await eventually(lambda: bad.opened > 3)
        assert reader.counters.visits_failed == 2
        assert reader.counters.bounced == 1
    assert good.aside == [1]
    assert bad.closed == bad.opened
    assert "bounces of evil: no safe connection" in caplog.text


@pytest.mark.parametrize("where", ["bounced", "guest_of", "put"])
async def test_a_database_that_is_away_loses_no_report(
    database: Database, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    address = await send_one(database)
    owner = MailboxPositions if where == "put" else MailStore
    failures = [StorageError("away"), StorageError("away")]
    real: Callable[..., object] = getattr(owner, where)

    async def fails(*arguments: object, **options: object) -> object:
        if failures:
            raise failures.pop()
        return await real(*arguments, **options)  # type: ignore[misc]

    monkeypatch.setattr(owner, where, fails)
    mailbox = FakeMailbox(reports.postfix(address))
    async with reading(database, {"acme": mailbox}) as reader:
        await until_bounced(database)
        await eventually(lambda: reader.counters.visits > 2)
        assert reader.counters.visits_failed == 2
        assert reader.counters.bounced == 1
    assert mailbox.aside[-1] == 1
    assert mailbox.opened == mailbox.closed


async def test_a_message_that_breaks_the_parser_holds_up_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = await send_one(database)

    def breaks(data: bytes) -> DeliveryReport:
        if data == b"bad":
            raise ZeroDivisionError
        return real(data)

    real = bounces.read_report
    monkeypatch.setattr(bounces, "read_report", breaks)
    mailbox = FakeMailbox(b"bad", reports.postfix(address))
    async with reading(database, {"acme": mailbox}) as reader:
        await until_bounced(database)
        await eventually(lambda: reader.counters.visits > 0)
        assert reader.counters.unreadable == 1
    assert mailbox.aside == [2]


async def test_the_end_of_the_service_ends_what_waits(database: Database) -> None:
    mailbox = FakeMailbox()
    mailbox.held = threading.Event()
    async with reading(database, {"acme": mailbox}):
        await asyncio.to_thread(mailbox.waits.wait, 10)
    assert mailbox.held.is_set()
    assert mailbox.closed == 1


# What the rows say ------------------------------------------------------------------


async def test_only_what_left_can_bounce_and_only_once(database: Database) -> None:
    mails = MailStore(database, owner="main")
    store = InviteStore(database)
    guest = a_guest(1)
    draft = MailDraft(guest.guest_id, 1, MailKind.INVITATION, content())
    invite = an_invite(guests=(guest,))
    assert await store.add(invite, mails=[draft], links={}, now=T0)
    (mail,) = await mails.due(T0, limit=1)
    assert await mails.bounced("acme", mail.id, "no") is None
    assert await mails.begin(mail)
    assert await mails.bounced("evil", mail.id, "no") is None
    # The report was faster than the answer to DATA.
    owners = await mails.bounced("acme", mail.id, "no such user")
    assert owners == (invite.host, invite.key)
    assert not await mails.settle(mail, MailRowState.SENT)
    assert await mails.bounced("acme", mail.id, "again") is None
    assert await mails.delayed("acme", mail.id, "late") is None
    kept = await store.get(invite.key)
    assert kept is not None
    assert kept.guests[0].mail is MailState.BOUNCED
    assert kept.guests[0].mail_problem == "no such user"
    # Nobody has heard of it: what follows is an invitation, not a change.
    change = MailDraft(guest.guest_id, 1, MailKind.CHANGE, content())
    assert await store.save(kept, mails=[change], now=T0)
    (next_mail,) = await mails.due(T0, limit=9)
    assert next_mail.kind is MailKind.INVITATION


async def test_a_delay_is_said_and_taken_back(database: Database) -> None:
    await send_one(database)
    mails, store = MailStore(database, owner="main"), InviteStore(database)

    async def problem() -> tuple[MailState, str]:
        invite = await store.get(an_invite().key)
        assert invite is not None
        return invite.guests[0].mail, invite.guests[0].mail_problem

    assert await mails.arrived("acme", 1) is None
    assert await mails.delayed("acme", 1, "late") is not None
    assert await mails.delayed("acme", 1, "later") is None
    assert await problem() == (MailState.SENT, "late")
    assert await mails.arrived("acme", 1) is not None
    assert await problem() == (MailState.SENT, "")
