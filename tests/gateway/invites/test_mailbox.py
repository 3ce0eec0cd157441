"""A real IMAP server's mailbox: what is new, what is ours, what is left alone."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from gateway.invites.bounces import BounceBox, BounceReader
from gateway.invites.delivery_report import MAX_REPORT_BYTES
from gateway.invites.mailbox import (
    HANDLED_FLAG,
    ImapConfig,
    Mailbox,
    MailboxError,
    Position,
)
from gateway.invites.model import MailDraft, MailKind
from gateway.invites.return_path import ReturnPaths
from gateway.invites.sender import MailNews
from gateway.sessions.wire import MailState
from gateway.storage import Database
from gateway.storage.invites import InviteStore
from gateway.storage.mailbox_positions import MailboxPositions
from gateway.storage.mails import MailRowState, MailStore
from tests.gateway.invites import reports
from tests.gateway.invites.dovecot import PASSWORD, Dovecot
from tests.gateway.invites.samples import SECRET, T0, a_guest, an_invite, content

pytestmark = [pytest.mark.system, pytest.mark.needs("dovecot")]

PATHS = ReturnPaths(SECRET, tenant="acme", address="invites@acme.example")


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    """Whose mailbox it is: nobody else's in this run."""
    return f"user{abs(hash(request.node.nodeid))}"


def imap(server: Dovecot, user: str, **changes: Any) -> ImapConfig:
    values: dict[str, Any] = {
        "host": "localhost",
        "port": server.tls_port,
        "security": "tls",
        "username": user,
        "password": PASSWORD,
        "ca_file": str(server.ca_file),
    }
    return ImapConfig(**values | changes)


class Post:
    """Two mails that have left, and the reader of what comes back."""

    def __init__(self, database: Database, mailbox: Mailbox) -> None:
        self.news: list[MailNews] = []
        self.store = InviteStore(database)
        self.mails = MailStore(database, owner="main")
        self.positions = MailboxPositions(database)
        self.mailbox = mailbox
        self.reader = self.another()

    def another(self) -> BounceReader:
        return BounceReader(
            {"acme": BounceBox(self.mailbox, PATHS, 60.0)},
            self.mails,
            self.positions,
            on_news=self.news.append,
            rng=random.Random(1),
        )

    async def send(self) -> None:
        invite = an_invite()
        drafts = [
            MailDraft(guest.guest_id, 1, MailKind.INVITATION, content())
            for guest in invite.guests
        ]
        assert await self.store.add(invite, mails=drafts, links={}, now=T0)
        for mail in await self.mails.due(T0, limit=9):
            assert await self.mails.begin(mail)
            assert await self.mails.settle(mail, MailRowState.SENT)

    def address(self, mail_id: int) -> str:
        return PATHS.address(mail_id, a_guest(mail_id).guest_id)

    async def states(self) -> list[tuple[MailState, str]]:
        invite = await self.store.get(an_invite().key)
        assert invite is not None
        return [(guest.mail, guest.mail_problem) for guest in invite.guests]

    def counted(self) -> dict[str, int]:
        counters = self.reader.counters
        return {
            name: value
            for name in counters.__slots__
            if (value := getattr(counters, name))
        }


@pytest.mark.parametrize("handled_folder", ["", "Ringbridge"])
async def test_reports_reach_their_guests_and_strangers_mail_is_left_alone(
    dovecot: Dovecot, user: str, database: Database, handled_folder: str
) -> None:
    mailbox = Mailbox(imap(dovecot, user, handled_folder=handled_folder))
    post = Post(database, mailbox)
    await post.send()
    stranger = reports.postfix("office@acme.example")
    forged = reports.postfix(PATHS.address(1, "f" * 32))
    dovecot.append(
        user,
        stranger,
        reports.gmail(post.address(1)),
        forged,
        reports.exim_delay(post.address(2)),
        reports.absence(post.address(2)),
        b"\xff\x00 no message at all",
    )
    await post.reader.visit("acme")
    (first, problem), (second, delay) = await post.states()
    assert first is MailState.BOUNCED
    assert problem.startswith("There is no such address. (550")
    assert second is MailState.SENT
    assert delay.startswith("Delivery is delayed")
    assert [each.invite for each in post.news] == [an_invite().key] * 2
    assert post.counted() == {
        "visits": 1,
        "bounced": 1,
        "delayed": 1,
        "answers": 1,
        "forged": 1,
        "strangers": 3,
    }
    left, aside = dovecot.flags(user), dovecot.flags(user, "Ringbridge")
    seen = [flags - {"\\Recent"} for flags in left]
    if handled_folder:
        assert seen == [set()] * 4
        assert [flags - {"\\Recent"} for flags in aside] == [{"\\Seen"}] * 2
    else:
        handled = {"\\Seen", HANDLED_FLAG}
        assert seen == [set(), handled, set(), handled, set(), set()]
        assert aside == []
    # Nothing is read again, also by another process.
    post.reader = post.another()
    await post.reader.visit("acme")
    assert post.counted() == {"visits": 1}
    # Only what came since.
    dovecot.append(user, reports.exchange(post.address(2)))
    await post.reader.visit("acme")
    assert [state for state, _ in await post.states()] == [MailState.BOUNCED] * 2
    assert post.counted() == {"visits": 2, "bounced": 1}


async def test_a_position_that_was_lost_does_nothing_twice(
    dovecot: Dovecot, user: str, database: Database
) -> None:
    post = Post(database, Mailbox(imap(dovecot, user), max_per_poll=2))
    await post.send()
    dovecot.append(user, *[reports.exim(post.address(1))] * 5)
    await post.reader.visit("acme")
    assert post.counted() == {"visits": 1, "bounced": 1, "repeated": 4}
    validity, last = await post.positions.get("acme", post.mailbox.name)
    assert (validity > 0, last) == (True, 5)
    await post.positions.put(
        "acme", post.mailbox.name, uid_validity=validity - 1, last_uid=3
    )
    await post.reader.visit("acme")
    assert post.counted() == {"visits": 2, "bounced": 1, "repeated": 9}
    assert len(post.news) == 1


async def test_a_tenants_report_means_nothing_in_another_tenants_mailbox(
    dovecot: Dovecot, user: str, database: Database
) -> None:
    post = Post(database, Mailbox(imap(dovecot, user)))
    await post.send()
    dovecot.append(user, reports.postfix(post.address(1)))
    evil = ReturnPaths(SECRET, tenant="evil", address="invites@acme.example")
    post.reader = BounceReader(
        {"evil": BounceBox(post.mailbox, evil, 60.0)},
        post.mails,
        post.positions,
        on_news=post.news.append,
        rng=random.Random(1),
    )
    await post.reader.visit("evil")
    assert post.counted() == {"visits": 1, "strangers": 1, "forged": 1}
    assert [state for state, _ in await post.states()] == [MailState.SENT] * 2
    assert post.news == []


async def test_starttls_and_a_huge_message(
    dovecot: Dovecot, user: str, database: Database
) -> None:
    plain = imap(dovecot, user, security="starttls", port=dovecot.port)
    post = Post(database, Mailbox(plain))
    await post.send()
    line = b"x" * 76 + b"\r\n"
    dovecot.append(
        user,
        reports.postfix(post.address(1)) + line * 40_000,
        reports.postfix(post.address(2)),
    )
    mailbox = post.mailbox.open()
    news = await asyncio.to_thread(mailbox.news, Position())
    assert [len(found.data) for found in news.messages] == [
        MAX_REPORT_BYTES,
        len(reports.postfix(post.address(2))),
    ]
    mailbox.close()
    await post.reader.visit("acme")
    assert [state for state, _ in await post.states()] == [MailState.BOUNCED] * 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "wrong-horse"}, "AUTHENTICATIONFAILED"),
        ({"ca_file": ""}, "no safe connection"),
        ({"host": "127.0.0.2"}, "refused"),
        ({"folder": "Nowhere"}, "SELECT"),
        ({"folder": 'IN"BOX'}, "plain ASCII"),
        ({"port": 9}, "refused"),
    ],
)
async def test_what_is_wrong_is_said_without_the_password(
    dovecot: Dovecot, user: str, changes: dict[str, Any], words: str
) -> None:
    config = imap(dovecot, user, **changes)
    mailbox = Mailbox(config)
    with pytest.raises(MailboxError, match=words) as caught:
        await asyncio.to_thread(mailbox.open)
    assert config.password not in str(caught.value) + repr(config)
    with pytest.raises(MailboxError, match="not connected"):
        mailbox.news(Position())


async def test_a_folder_that_cannot_be_made_loses_no_report(
    dovecot: Dovecot, user: str, database: Database
) -> None:
    # Maildir's separator at the beginning: no such name is allowed.
    post = Post(database, Mailbox(imap(dovecot, user, handled_folder=".")))
    await post.send()
    dovecot.append(user, reports.postfix(post.address(1)))
    await post.reader.visit("acme")
    assert post.counted() == {"visits": 1, "bounced": 1, "left_behind": 1}
    await post.reader.visit("acme")
    assert post.counted() == {"visits": 2, "bounced": 1, "left_behind": 1}
