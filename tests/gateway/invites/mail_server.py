"""A real SMTP server (aiosmtpd) in the test's own loop, which does as it is told."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.gateway.sessions.fakes import eventually


@dataclass
class Received:
    """One message as it came in."""

    sender: str
    recipients: list[str]
    data: bytes

    @property
    def message(self) -> EmailMessage:
        message = email.message_from_bytes(self.data, policy=email.policy.SMTP)
        assert isinstance(message, EmailMessage)
        return message


@dataclass
class MailServer:
    """``replies`` to DATA are used up one by one, ``rcpt`` answers every RCPT; a
    reply may be a coroutine that decides when."""

    port: int = 0
    inbox: list[Received] = field(default_factory=list)
    replies: list[Any] = field(default_factory=list)
    rcpt: str | None = None
    accounts: dict[str, str] = field(default_factory=dict)
    at_once: int = 0
    most_at_once: int = 0
    # Waited for before the answer to a message, and after it was taken.
    gate: asyncio.Event | None = None
    is_tls: list[bool] = field(default_factory=list)
    drop_data: int = 0

    async def handle_RCPT(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if self.rcpt is not None:
            return self.rcpt
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            reply = self.replies.pop(0) if self.replies else "250 OK"
            if reply.startswith("250"):
                assert isinstance(envelope.content, bytes)
                self.inbox.append(
                    Received(
                        envelope.mail_from or "", envelope.rcpt_tos, envelope.content
                    )
                )
                assert server.transport is not None
                self.is_tls.append(
                    server.transport.get_extra_info("ssl_object") is not None
                )
            if self.gate is not None:
                await self.gate.wait()
            if self.drop_data:
                self.drop_data -= 1
                assert server.transport is not None
                server.transport.abort()
            return str(reply)
        finally:
            self.at_once -= 1

    def authenticate(
        self, server: SMTP, session: Session, _: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        name = data.login.decode()
        is_right = self.accounts.get(name) == data.password.decode()
        return AuthResult(success=is_right, handled=is_right)

    async def until(self, is_so: Callable[[MailServer], bool]) -> None:
        await eventually(lambda: is_so(self))


@asynccontextmanager
async def mail_server(
    server: MailServer | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    implicit_tls: bool = False,
    accounts: dict[str, str] | None = None,
) -> AsyncIterator[MailServer]:
    """``tls``: offered by STARTTLS, or spoken from the first byte."""
    server = server or MailServer(accounts=accounts or {})
    loop = asyncio.get_running_loop()
    protocols: list[SMTP] = []

    def factory() -> SMTP:
        with warnings.catch_warnings():
            # It does not count TLS from the first byte as TLS.
            warnings.simplefilter("ignore", UserWarning)
            protocol = SMTP(
                server,
                hostname="mail.test",
                tls_context=None if implicit_tls else tls,
                authenticator=server.authenticate if accounts else None,
                auth_required=bool(accounts),
                auth_require_tls=False,
                loop=loop,
            )
        protocols.append(protocol)
        return protocol

    listener = await loop.create_server(
        factory, "127.0.0.1", 0, ssl=tls if implicit_tls else None
    )
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for protocol in protocols:
            if protocol.transport is not None:
                protocol.transport.abort()
            task = protocol._handler_coroutine
            if task is not None:
                task.cancel()
                await asyncio.wait({task})
        await listener.wait_closed()
