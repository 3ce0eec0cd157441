"""The customers' mailbox: an SMTP server on loopback that keeps what it is handed.

It takes mail for anybody, sends none on, and forgets everything at its end.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiosmtpd.smtp import SMTP, Envelope, Session

from gateway.sandbox.mail_reading import Letter, read_letter

MAX_MAILS = 200
MAX_MAIL_BYTES = 256 * 1024
IDLE_S = 60.0
MAX_CONNECTIONS = 20


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail. ``number`` counts from 1; ``at`` is Unix seconds; ``recipients`` as
    the envelope has them, whatever the headers say."""

    number: int
    at: float
    recipients: tuple[str, ...]
    letter: Letter
    source: bytes


class Mailbox:
    """:meth:`start`, hand mail to :attr:`address`, read :attr:`mails`, :meth:`close`.

    ``on_change`` is called when there is a new mail; ``now`` gives Unix seconds.
    """

    def __init__(
        self, *, now: Callable[[], float], on_change: Callable[[], None] = lambda: None
    ) -> None:
        self.on_change = on_change
        self._now = now
        self._mails: deque[Mail] = deque(maxlen=MAX_MAILS)
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    @property
    def mails(self) -> Sequence[Mail]:
        """The newest first."""
        return tuple(reversed(self._mails))

    def mail(self, number: int) -> Mail | None:
        return next((mail for mail in self._mails if mail.number == number), None)

    @property
    def address(self) -> tuple[str, int]:
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self, self._connections, loop), host, port
        )

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for connection in tuple(self._connections):
            connection.abort()
        await self._server.wait_closed()

    async def handle_DATA(
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """A mail has come (aiosmtpd)."""
        source = envelope.content or b""
        if isinstance(source, str):
            source = source.encode("utf-8", "surrogateescape")
        mail = Mail(
            number=next(self._numbers),
            at=self._now(),
            recipients=tuple(envelope.rcpt_tos),
            letter=read_letter(source),
            source=source,
        )
        self._mails.append(mail)
        self.on_change()
        return f"250 OK, kept as {mail.number}"


class _Connection(SMTP):
    """One client; it is in ``all_`` as long as it is there."""

    def __init__(
        self,
        mailbox: Mailbox,
        all_: set[_Connection],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(
            mailbox,
            data_size_limit=MAX_MAIL_BYTES,
            enable_SMTPUTF8=True,
            hostname="mailbox.sandbox.example",
            ident="Ringbridge sandbox",
            timeout=IDLE_S,
            loop=loop,
        )
        self._all = all_

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._all.add(self)
        if len(self._all) > MAX_CONNECTIONS:
            self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._all.discard(self)
        super().connection_lost(error)

    def abort(self) -> None:
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()
