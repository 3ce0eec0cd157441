"""From the table to a real mail server: once each, whatever the server does."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.invites.model import MailDraft, MailKind
from gateway.invites.sender import MailNews, MailSender
from gateway.invites.smtp import SmtpConfig, SmtpTransport, sanitised
from gateway.sandbox.salesforce.certificates import make_certificate
from gateway.sessions.wire import MailState
from gateway.storage import Database, StorageError
from gateway.storage.invites import InviteStore
from gateway.storage.mails import MailRowState, MailStore
from tests.gateway.invites.mail_server import MailServer, mail_server
from tests.gateway.invites.samples import T0, TOKEN, a_guest, an_invite, message_of
from tests.gateway.invites.samples import content as mail_content
from tests.gateway.sessions.fakes import eventually
from tests.gateway.storage.samples import eventually as eventually_kept

NOW = T0 - 3600


def smtp(server: MailServer, **changes: Any) -> SmtpConfig:
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": server.port,
        "security": "none",
        "helo": "calls.acme.example",
    }
    return SmtpConfig(**values | changes)


class Time:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Office:
    """A sender at work."""

    def __init__(
        self, store: InviteStore, mails: MailStore, sender: MailSender
    ) -> None:
        self.store = store
        self.mails = mails
        self.sender = sender

    async def invite(
        self, *guests: int, name: str = "invite-1", **changes: Any
    ) -> None:
        """Keep an invite and a mail to each of the guests."""
        invite = an_invite(
            invite_id=name, guests=tuple(a_guest(number) for number in guests)
        )
        drafts = [
            MailDraft(
                f"{number:032x}",
                1,
                MailKind.INVITATION,
                mail_content(guest_email=f"guest{number}@customer.example", **changes),
            )
            for number in guests
        ]
        assert await self.store.add(invite, mails=drafts, links={}, now=NOW)
        self.sender.wake()

    async def again(self, guest: int, kind: MailKind = MailKind.CHANGE) -> None:
        invite = await self.store.get(an_invite().key)
        assert invite is not None
        email = f"guest{guest}@customer.example"
        draft = MailDraft(f"{guest:032x}", 1, kind, mail_content(guest_email=email))
        assert await self.store.save(invite, mails=[draft], now=NOW)
        self.sender.wake()

    async def states(self) -> list[tuple[MailState, str]]:
        invite = await self.store.get(an_invite().key)
        assert invite is not None
        return [(guest.mail, guest.mail_problem) for guest in invite.guests]

    async def until(self, state: MailRowState, count: int = 1) -> None:
        async def is_so() -> bool:
            return (await self.mails.counts()).get(state) == count

        await eventually_kept(is_so)


@asynccontextmanager
async def office(
    store: InviteStore,
    mails: MailStore,
    transports: dict[str, Any],
    *,
    now: Callable[[], float] = lambda: NOW,
    news: list[MailNews] | None = None,
    **options: Any,
) -> AsyncIterator[Office]:
    sender = MailSender(
        mails,
        transports,
        compose=message_of,
        return_path=lambda mail: "invites@acme.example",
        on_news=(news if news is not None else []).append,
        now=now,
        rng=random.Random(1),
        **options,
    )
    task = asyncio.create_task(sender.run())
    try:
        yield Office(store, mails, sender)
    finally:
        await sender.close()
        await task


async def test_each_guest_gets_one_mail_with_no_other_guest_in_it(
    store: InviteStore, mails: MailStore
) -> None:
    news: list[MailNews] = []
    async with mail_server() as server:
        transports = {"acme": SmtpTransport(smtp(server))}
        async with office(store, mails, transports, news=news) as at_work:
            await at_work.invite(1, 2, 3)
            await at_work.until(MailRowState.SENT, 3)
            assert await at_work.states() == [(MailState.SENT, "")] * 3
            assert at_work.sender.counters.sent == 3
    recipients = sorted(r for mail in server.inbox for r in mail.recipients)
    assert recipients == [f"guest{n}@customer.example" for n in (1, 2, 3)]
    for mail in server.inbox:
        assert mail.sender == "invites@acme.example"
        (own,) = mail.recipients
        text = mail.message.as_string()
        assert all(f"guest{n}@" not in text or f"guest{n}@" in own for n in (1, 2, 3))
    ids = [mail.message["Message-ID"] for mail in server.inbox]
    assert len(set(ids)) == 3
    assert {each.invite for each in news} == {an_invite().key}


@pytest.mark.parametrize("reply", ["451 4.7.1 Greylisted", "452 4.2.2 Later"])
async def test_what_the_server_puts_off_is_tried_again(
    store: InviteStore, mails: MailStore, reply: str
) -> None:
    time = Time()
    async with mail_server() as server:
        server.replies = [reply, reply]
        transports = {"acme": SmtpTransport(smtp(server))}
        async with office(store, mails, transports, now=time) as at_work:
            await at_work.invite(1)
            for count in (1, 2):
                await server.until(
                    lambda _, count=count: at_work.sender.counters.retried == count
                )
                await at_work.until(MailRowState.WAITING)
                ((state, problem),) = await at_work.states()
                assert state is MailState.WAITING
                time.now += 3600 / 4
                at_work.sender.wake()
            await at_work.until(MailRowState.SENT)
            assert await at_work.states() == [(MailState.SENT, "")]
            assert at_work.sender.counters.retried == 2
    assert problem == f"The mail server asks to wait: {reply}"
    assert len(server.inbox) == 1


async def test_a_refusal_is_shown_in_the_servers_words(
    store: InviteStore, mails: MailStore
) -> None:
    async with mail_server() as server:
        server.rcpt = "550 5.1.1 No such \x1b[31muser"
        transports = {"acme": SmtpTransport(smtp(server))}
        async with office(store, mails, transports) as at_work:
            await at_work.invite(1)
            await at_work.until(MailRowState.FAILED)
            ((state, problem),) = await at_work.states()
    assert state is MailState.FAILED
    assert problem == "The mail server refused it: 550 5.1.1 No such [31muser"
    assert server.inbox == []


async def test_a_refusal_of_the_message_does_not_show_the_link(
    store: InviteStore, mails: MailStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="gateway")
    async with mail_server() as server:
        server.replies = [f"554 5.7.1 Spam: https://calls.acme.example/join/{TOKEN} !"]
        transports = {"acme": SmtpTransport(smtp(server))}
        async with office(store, mails, transports) as at_work:
            await at_work.invite(1)
            await at_work.until(MailRowState.FAILED)
            ((_, problem),) = await at_work.states()
    assert problem.endswith("Spam: https://calls.acme.example/join/… !")
    assert TOKEN not in caplog.text
    assert "customer.example" not in caplog.text


def test_a_servers_words_are_one_short_line() -> None:
    assert sanitised("550 a\r\nb\x00c\u202e" + "x" * 999) == "550 a bc" + "x" * 192


async def test_a_connection_that_breaks_after_the_message_is_uncertain(
    store: InviteStore, mails: MailStore
) -> None:
    async with mail_server() as server:
        server.drop_data = 1
        transports = {"acme": SmtpTransport(smtp(server))}
        async with office(store, mails, transports) as at_work:
            await at_work.invite(1)
            await at_work.until(MailRowState.UNCERTAIN)
            ((state, problem),) = await at_work.states()
            assert state is MailState.UNCERTAIN
            assert "before the mail server had answered" in problem
            # The rep decides to send it again.
            await at_work.again(1)
            await at_work.until(MailRowState.SENT)
    assert [mail.message["Subject"] for mail in server.inbox] == [
        "Video call: Your offer",
        "Changed: Your offer",
    ]


async def test_a_server_that_thinks_too_long_is_uncertain(
    store: InviteStore, mails: MailStore
) -> None:
    async with mail_server() as server:
        server.gate = asyncio.Event()
        transports = {"acme": SmtpTransport(smtp(server), data_timeout_s=0.2)}
        async with office(store, mails, transports) as at_work:
            await at_work.invite(1)
            await at_work.until(MailRowState.UNCERTAIN)
        server.gate.set()


async def test_a_server_that_is_away_loses_nothing(
    store: InviteStore, mails: MailStore
) -> None:
    time = Time()
    async with mail_server() as server:
        pass
    transports = {"acme": SmtpTransport(smtp(server))}
    async with office(store, mails, transports, now=time) as at_work:
        await at_work.invite(1)
        await eventually(lambda: at_work.sender.counters.retried == 1)
        ((state, problem),) = await at_work.states()
        assert state is MailState.WAITING
        assert problem.startswith("The mail server cannot be reached: ")
        # The call was over before the server came back: that is said, not sent.
        time.now = T0 + 1800
        at_work.sender.wake()
        await at_work.until(MailRowState.FAILED)


async def test_give_up_before_the_call_is_over(
    store: InviteStore, mails: MailStore
) -> None:
    async with mail_server() as server:
        server.rcpt = "451 Later"
        transports = {"acme": SmtpTransport(smtp(server))}
        # A second before its end no try is worth planning.
        now = T0 + 1800 - 1
        async with office(store, mails, transports, now=lambda: now) as at_work:
            await at_work.invite(1)
            await at_work.until(MailRowState.FAILED)
            ((_, problem),) = await at_work.states()
    assert problem == "The mail server asks to wait: 451 Later"


async def test_newer_wins_over_what_has_not_left(
    store: InviteStore, mails: MailStore
) -> None:
    class Slow(SmtpTransport):
        async def deliver(self, message: bytes, **options: Any) -> bool:
            connected.set()
            await go_on.wait()
            return await super().deliver(message, **options)

    connected, go_on = asyncio.Event(), asyncio.Event()
    async with (
        mail_server() as server,
        office(store, mails, {"acme": Slow(smtp(server))}) as at_work,
    ):
        await at_work.invite(1)
        await connected.wait()
        await at_work.again(1)
        go_on.set()
        await at_work.until(MailRowState.SENT)
        await eventually(lambda: at_work.sender.counters.replaced == 1)
        counts = await mails.counts()
    assert counts == {MailRowState.SENT: 1, MailRowState.REPLACED: 1}
    assert len(server.inbox) == 1


async def test_a_second_mail_waits_for_the_first_to_the_same_guest(
    store: InviteStore, mails: MailStore
) -> None:
    async with mail_server() as server:
        server.gate = asyncio.Event()
        transports = {"acme": SmtpTransport(smtp(server))}
        async with office(store, mails, transports) as at_work:
            await at_work.invite(1)
            await server.until(lambda s: len(s.inbox) == 1)
            await at_work.again(1)
            await at_work.until(MailRowState.WAITING)
            assert server.most_at_once == 1
            server.gate.set()
            await at_work.until(MailRowState.SENT, 2)
    assert server.most_at_once == 1
    assert [m.message["Subject"] for m in server.inbox] == [
        "Video call: Your offer",
        "Changed: Your offer",
    ]


async def test_not_more_at_once_than_allowed(
    store: InviteStore, mails: MailStore
) -> None:
    async with mail_server() as server:
        server.gate = asyncio.Event()
        transports = {"acme": SmtpTransport(smtp(server))}
        async with office(store, mails, transports, max_per_tenant=3) as at_work:
            for number in range(9):
                await at_work.invite(number, name=f"i{number}")
            await server.until(lambda s: s.at_once == 3)
            server.gate.set()
            await at_work.until(MailRowState.SENT, 9)
    assert server.most_at_once == 3
    assert len({mail.message["Message-ID"] for mail in server.inbox}) == 9


async def test_a_tenant_without_mail_is_told_so(
    store: InviteStore, mails: MailStore
) -> None:
    async with office(store, mails, {}) as at_work:
        await at_work.invite(1)
        await at_work.until(MailRowState.FAILED)
        ((_, problem),) = await at_work.states()
    assert "not set up" in problem


async def test_a_database_that_is_away_does_not_send_twice(
    store: InviteStore, mails: MailStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.invites.sender.STORAGE_PAUSE_S", 0.01)
    failures = 3
    settle = mails.settle

    async def fails(*arguments: Any, **options: Any) -> bool:
        nonlocal failures
        if failures:
            failures -= 1
            raise StorageError("away")
        return await settle(*arguments, **options)

    monkeypatch.setattr(mails, "settle", fails)
    async with mail_server() as server:
        transports = {"acme": SmtpTransport(smtp(server))}
        async with office(store, mails, transports) as at_work:
            await at_work.invite(1)
            await at_work.until(MailRowState.SENT)
    assert failures == 0
    assert len(server.inbox) == 1


async def test_one_that_cannot_be_composed_holds_up_nobody(
    store: InviteStore, mails: MailStore, caplog: pytest.LogCaptureFixture
) -> None:
    async with mail_server() as server:
        transports = {"acme": SmtpTransport(smtp(server))}
        async with office(store, mails, transports) as at_work:
            await at_work.invite(1, language="xx")
            await at_work.invite(2, name="good")
            await at_work.until(MailRowState.SENT)
            await eventually(lambda: at_work.sender.counters.retried == 1)
            ((state, problem),) = await at_work.states()
    assert (state, problem) == (MailState.WAITING, "Internal error")
    assert "KeyError" in caplog.text


async def test_closing_lets_a_message_under_way_arrive(
    store: InviteStore, mails: MailStore
) -> None:
    async with mail_server() as server:
        server.gate = asyncio.Event()
        transports = {"acme": SmtpTransport(smtp(server))}
        async with office(store, mails, transports) as at_work:
            await at_work.invite(1)
            await server.until(lambda s: len(s.inbox) == 1)
            asyncio.get_running_loop().call_later(0.1, server.gate.set)
        assert await mails.counts() == {MailRowState.SENT: 1}


async def test_closing_does_not_wait_for_ever(
    store: InviteStore, mails: MailStore
) -> None:
    async with mail_server() as server:
        server.gate = asyncio.Event()
        transports = {"acme": SmtpTransport(smtp(server))}
        async with office(store, mails, transports, finish_within_s=0.1) as at_work:
            await at_work.invite(1)
            await server.until(lambda s: len(s.inbox) == 1)
        assert await mails.counts() == {MailRowState.SENDING: 1}
        server.gate.set()
        # The next start cannot know.
        async with office(store, mails, transports) as at_work:
            await at_work.until(MailRowState.UNCERTAIN)
    assert len(server.inbox) == 1


# TLS and accounts -----------------------------------------------------------------


@pytest.fixture
def certificates(tmp_path: Path) -> tuple[ssl.SSLContext, str]:
    context = make_certificate().server_context(tmp_path)
    return context, str(tmp_path / "certificate.pem")


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_tls_with_a_certificate_that_is_trusted(
    store: InviteStore,
    mails: MailStore,
    certificates: tuple[ssl.SSLContext, str],
    security: str,
) -> None:
    context, ca_file = certificates
    async with mail_server(
        tls=context, implicit_tls=security == "tls", accounts={"gateway": "geheim"}
    ) as server:
        config = smtp(
            server,
            security=security,
            ca_file=ca_file,
            username="gateway",
            password="geheim",
        )
        async with office(store, mails, {"acme": SmtpTransport(config)}) as at_work:
            await at_work.invite(1)
            await at_work.until(MailRowState.SENT)
    assert server.is_tls == [True]


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_stranger_in_the_middle_gets_neither_password_nor_mail(
    store: InviteStore,
    mails: MailStore,
    certificates: tuple[ssl.SSLContext, str],
    security: str,
) -> None:
    context, _ = certificates
    async with mail_server(tls=context, implicit_tls=security == "tls") as server:
        config = smtp(server, security=security, username="gateway", password="geheim")
        async with office(store, mails, {"acme": SmtpTransport(config)}) as at_work:
            await at_work.invite(1)
            await eventually(lambda: at_work.sender.counters.retried == 1)
            ((_, problem),) = await at_work.states()
    assert "certificate" in problem.casefold()
    assert server.inbox == []


async def test_a_server_without_starttls_gets_nothing_in_the_clear(
    store: InviteStore, mails: MailStore
) -> None:
    async with mail_server() as server:
        transports = {"acme": SmtpTransport(smtp(server, security="starttls"))}
        async with office(store, mails, transports) as at_work:
            await at_work.invite(1)
            await eventually(lambda: at_work.sender.counters.retried == 1)
            ((_, problem),) = await at_work.states()
    assert "STARTTLS" in problem
    assert server.inbox == []


async def test_a_wrong_password_is_said_and_not_shown(
    store: InviteStore,
    mails: MailStore,
    certificates: tuple[ssl.SSLContext, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    context, ca_file = certificates
    async with mail_server(tls=context, accounts={"gateway": "geheim"}) as server:
        config = smtp(
            server,
            security="starttls",
            ca_file=ca_file,
            username="gateway",
            password="hunter2",
        )
        async with office(store, mails, {"acme": SmtpTransport(config)}) as at_work:
            await at_work.invite(1)
            await eventually(lambda: at_work.sender.counters.retried == 1)
            ((state, problem),) = await at_work.states()
    assert state is MailState.WAITING
    assert "does not accept our account" in problem
    assert "hunter2" not in problem + caplog.text


async def test_what_becomes_due_while_it_is_looked_for_is_sent_at_once(
    database: Database, store: InviteStore
) -> None:
    now = T0

    class Slow(MailStore):
        async def next_due(self, *arguments: Any, **options: Any) -> float | None:
            nonlocal now
            # Since it looked for what is due, the moment has come.
            now = T0 + 1
            return await super().next_due(*arguments, **options)

    async with mail_server() as server:
        draft = MailDraft(
            f"{1:032x}",
            1,
            MailKind.INVITATION,
            mail_content(guest_email=a_guest(1).email),
        )
        assert await store.add(an_invite(), mails=[draft], links={}, now=T0 + 0.5)
        sender = MailSender(
            Slow(database, owner="node-1"),
            {"acme": SmtpTransport(smtp(server))},
            compose=message_of,
            return_path=lambda _: "invites@acme.example",
            on_news=lambda _: None,
            now=lambda: now,
            rng=random.Random(1),
        )
        task = asyncio.create_task(sender.run())
        await server.until(lambda it: len(it.inbox) == 1)
        await sender.close()
        await task
