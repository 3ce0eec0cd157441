"""Puts invites together from the configuration, for the composition root."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from gateway.config import BounceSection, Config, MailSection, TenantSection
from gateway.identity.users import User, UserKey
from gateway.invites import http
from gateway.invites.admission import Admission
from gateway.invites.backend import InviteBackend
from gateway.invites.board import Board, InviteCounters, TenantInvites
from gateway.invites.bounces import BounceBox, BounceCounters, BounceReader
from gateway.invites.clock import Alarm
from gateway.invites.design import Design, read_logo
from gateway.invites.guests import GuestBook
from gateway.invites.links import Links
from gateway.invites.mail import Envelope, compose
from gateway.invites.mailbox import ImapConfig, Mailbox
from gateway.invites.model import InviteKey, Mail
from gateway.invites.ports import (
    EndCalls,
    EventViews,
    MoveCalls,
    no_calls,
    no_events,
    nothing_to_move,
)
from gateway.invites.return_path import ReturnPaths
from gateway.invites.sender import MailCounters, MailNews, MailSender
from gateway.invites.service import InviteService
from gateway.invites.smtp import SmtpConfig, SmtpTransport
from gateway.invites.templates import read_templates
from gateway.sessions.backend import Backend, Publisher
from gateway.sessions.directory import SessionDirectory
from gateway.sessions.http import HttpServices
from gateway.sessions.owned_tasks import OwnedTasks
from gateway.storage.database import Database
from gateway.storage.invites import InviteStore, MeetingChanged, nobody_else
from gateway.storage.mailbox_positions import MailboxPositions
from gateway.storage.mails import MailStore


class Invites:
    """All parts of invites. :meth:`start` once :meth:`serve` was called and before
    anybody comes in; ``sender`` and ``bounces`` run in tasks that the caller owns.

    Args:
        book: the directory that everything else uses too.
        node: names this process in the database across restarts.
        end_calls: ends the calls of an invite; ``move_calls``: has them show when
            it ends now.
        meeting_changed: keeps an invite's CRM event, in the invite's transaction;
            ``on_committed``: that is done.
        event_views: how those events stand.
        later: calls back once after so many seconds.
    """

    def __init__(
        self,
        config: Config,
        database: Database,
        book: GuestBook,
        publisher: Publisher,
        *,
        node: str,
        now: Callable[[], float],
        later: Callable[[float, Callable[[], None]], Alarm],
        rng: random.Random,
        end_calls: EndCalls = no_calls,
        move_calls: MoveCalls = nothing_to_move,
        meeting_changed: MeetingChanged = nobody_else,
        on_committed: Callable[[], None] = lambda: None,
        event_views: EventViews = no_events,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        tenants = {t.id: t for t in config.tenants if t.invites is not None}
        self._senders = {
            tenant.id: tenant.invites.mail.sender
            for tenant in tenants.values()
            if tenant.invites is not None and tenant.invites.mail is not None
        }
        self._domains = {
            tenant.id: tenant.application_server.domain for tenant in tenants.values()
        }
        self._host = urlsplit(config.http.public_url).hostname or "localhost"
        self._links = Links(config.link_secret, public_url=config.http.public_url)
        self._sessions: SessionDirectory | None = None
        self._tasks = OwnedTasks()
        self.board = Board(
            InviteStore(
                database, meeting_changed=meeting_changed, on_committed=on_committed
            ),
            book,
            publisher,
            {name: _settings(tenant) for name, tenant in tenants.items()},
            now=now,
            event_views=event_views,
        )
        sections = {
            tenant.id: tenant.invites.mail
            for tenant in tenants.values()
            if tenant.invites is not None and tenant.invites.mail is not None
        }
        self._designs = {tenant: _design(mail) for tenant, mail in sections.items()}
        secret = config.link_secret
        self._paths = {
            tenant: _paths(secret, tenant, mail, mail.bounces)
            for tenant, mail in sections.items()
            if mail.bounces is not None
        }
        mails = MailStore(database, owner=node)
        self.bounces = BounceReader(
            {
                tenant: BounceBox(
                    Mailbox(_imap(mail.bounces)),
                    self._paths[tenant],
                    mail.bounces.every_s,
                )
                for tenant, mail in sections.items()
                if mail.bounces is not None
            },
            mails,
            MailboxPositions(database),
            on_news=self._mail_news,
            rng=rng,
        )
        self.sender = MailSender(
            mails,
            {
                tenant: SmtpTransport(_smtp(mail, self._host))
                for tenant, mail in sections.items()
            },
            compose=self._compose,
            return_path=self._return_path,
            on_news=self._mail_news,
            now=now,
            rng=rng,
        )
        self.service = InviteService(
            self.board,
            self._links,
            end_calls=end_calls,
            move_calls=move_calls,
            expel=self._expel,
            wake_mails=self.sender.wake,
            later=later,
            random_bytes=random_bytes,
        )
        self.admission = Admission(self.board, self._links, uid_host=self._host)

    def backend(self, calls: Backend) -> InviteBackend:
        """What stands behind the sessions: invites before ``calls``."""
        return InviteBackend(
            calls,
            self.service,
            self.admission,
            self.board,
            invites_from=self._invites_from,
        )

    def serve(
        self, app: web.Application, services: HttpServices, sessions: SessionDirectory
    ) -> None:
        """Add the endpoints of links; ``sessions`` are where guests are put out."""
        self._sessions = sessions
        http.add_routes(app, self.admission, self.board, services)

    async def start(self) -> None:
        await self.service.start()

    async def close(self) -> None:
        """After the sessions, before the database; the sender ends by itself."""
        await self.service.close()
        await self.admission.close()
        await self._tasks.close()

    def event_changed(self, tenant: str, invite_id: str) -> None:
        """The invite's CRM event is in another state: its host is told."""
        key = InviteKey(tenant, invite_id)
        self._tasks.spawn(self.board.publish_current(key), name=f"event of {key}")

    # For metrics ----------------------------------------------------------------------

    @property
    def counters(self) -> InviteCounters:
        return self.board.counters

    @property
    def mail_counters(self) -> MailCounters:
        return self.sender.counters

    @property
    def bounce_counters(self) -> BounceCounters:
        return self.bounces.counters

    @property
    def waiting_count(self) -> int:
        return self.service.waiting_count

    @property
    def guest_count(self) -> int:
        return len(self.board.book)

    @property
    def guests_in_call(self) -> int:
        return self.board.book.in_call_count

    # ----------------------------------------------------------------------------------

    def _compose(self, mail: Mail) -> bytes:
        tenant = mail.invite.tenant
        token = self._links.token(tenant, mail.guest_id, mail.generation)
        envelope = Envelope(
            sender=self._senders[tenant],
            host=self._host,
            uid=mail.guest_id,
            mail_id=f"{mail.guest_id}.{mail.id}",
            link=self._links.url(token),
            made_at=mail.created_at,
        )
        return compose(mail.kind, mail.content, envelope, self._designs[tenant])

    def _return_path(self, mail: Mail) -> str:
        paths = self._paths.get(mail.invite.tenant)
        if paths is None:
            return self._senders[mail.invite.tenant]
        return paths.address(mail.id, mail.guest_id)

    def _mail_news(self, news: MailNews) -> None:
        self._tasks.spawn(
            self.board.publish_current(news.invite), name=f"mail news {news.invite}"
        )

    def _expel(self, user: UserKey) -> None:
        if self._sessions is not None:
            self._sessions.expel(user)

    def _invites_from(self, user: User) -> str:
        # Without mail it is the rep who hands the links over.
        tenant = user.key.tenant
        own = user.email or f"{user.number}@{self._domains[tenant]}"
        return self._senders.get(tenant, own)


def _settings(tenant: TenantSection) -> TenantInvites:
    section = tenant.invites
    assert section is not None
    return TenantInvites(
        language=section.language,
        open_before_s=section.open_before_s,
        max_per_user_and_day=section.max_per_user_and_day,
        sender=section.mail.sender if section.mail is not None else "",
    )


def _smtp(mail: MailSection, helo: str) -> SmtpConfig:
    return SmtpConfig(
        host=mail.host,
        port=mail.port,
        security=mail.security,
        # An address is written in brackets (RFC 5321 4.1.3).
        helo=_literal(helo),
        username=mail.username,
        password=mail.password.get_secret_value() if mail.password else "",
        ca_file=mail.ca_file,
    )


def _design(mail: MailSection) -> Design:
    return Design(
        accent=mail.accent,
        logo=read_logo(Path(mail.logo)) if mail.logo else None,
        templates=read_templates(Path(mail.templates)) if mail.templates else None,
    )


def _imap(bounces: BounceSection) -> ImapConfig:
    return ImapConfig(
        host=bounces.host,
        port=bounces.port,
        security=bounces.security,
        username=bounces.username,
        password=bounces.password.get_secret_value(),
        folder=bounces.folder,
        handled_folder=bounces.handled_folder,
        ca_file=bounces.ca_file,
    )


def _paths(
    secret: str, tenant: str, mail: MailSection, bounces: BounceSection
) -> ReturnPaths:
    return ReturnPaths(
        secret,
        tenant=tenant,
        address=bounces.address or mail.sender,
        separator=bounces.separator,
    )


def _literal(host: str) -> str:
    if ":" in host:
        return f"[IPv6:{host}]"
    if host.replace(".", "").isdigit():
        return f"[{host}]"
    return host
