"""Hands one message to a mail server, and says truly what became of it.

The one moment in which nobody can know is between the message's last byte and the
server's answer: whatever breaks there is :class:`MailUncertain`.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

import aiosmtplib

from gateway.invites.text import one_line

COMMAND_TIMEOUT_S = 30.0
# RFC 5321 4.5.3.2.6: servers may think long about a whole message.
DATA_TIMEOUT_S = 120.0
MAX_WORDS = 200

# A server that quotes the message would show the guest's link.
_LINK = re.compile(r"/join/\S+")


class MailFailure(Exception):
    """Root of what can happen; the text is for the rep and holds no link."""


class MailRefused(MailFailure):
    """This message to this address: never (5xx)."""


class MailDelayed(MailFailure):
    """Not now. ``is_setup``: it is our account or our connection, and no mail to
    anybody gets out."""

    def __init__(self, message: str, *, is_setup: bool = False) -> None:
        super().__init__(message)
        self.is_setup = is_setup


class MailUncertain(MailFailure):
    """It left us, and no answer came."""


class MailTransport(Protocol):
    """One tenant's way out."""

    async def deliver(
        self,
        message: bytes,
        *,
        sender: str,
        recipient: str,
        leaving: Callable[[], Awaitable[bool]],
    ) -> bool:
        """Hand the message over; ``sender`` is where reports go. ``leaving`` is asked
        when the server has taken the addresses and waits for the message; if it says
        no, nothing is sent.

        Returns whether the server has it.

        Raises:
            MailFailure: by its class.
        """


@dataclass(frozen=True, slots=True)
class SmtpConfig:
    """As ``config.MailSection``; ``helo`` is how we greet."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    helo: str
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""


class SmtpTransport:
    """A :class:`MailTransport` by SMTP submission; a connection per message."""

    def __init__(
        self,
        config: SmtpConfig,
        *,
        command_timeout_s: float = COMMAND_TIMEOUT_S,
        data_timeout_s: float = DATA_TIMEOUT_S,
    ) -> None:
        self._config = config
        self._command_timeout_s = command_timeout_s
        self._data_timeout_s = data_timeout_s
        self._tls: ssl.SSLContext | None = None

    async def deliver(
        self,
        message: bytes,
        *,
        sender: str,
        recipient: str,
        leaving: Callable[[], Awaitable[bool]],
    ) -> bool:
        client = await self._connect()
        try:
            try:
                await client.mail(sender)
                await client.rcpt(recipient)
            except (aiosmtplib.SMTPException, OSError) as error:
                raise _before(error) from None
            if not await leaving():
                return False
            try:
                await client.data(message, timeout=self._data_timeout_s)
            except aiosmtplib.SMTPResponseException as error:
                raise _answered(error) from None
            except (aiosmtplib.SMTPException, OSError):
                client.close()
                raise MailUncertain(
                    "The connection broke before the mail server had answered."
                ) from None
            return True
        except asyncio.CancelledError:
            client.close()
            raise
        finally:
            await _leave(client)

    async def _connect(self) -> aiosmtplib.SMTP:
        config = self._config
        try:
            client = aiosmtplib.SMTP(
                hostname=config.host,
                port=config.port,
                local_hostname=config.helo,
                timeout=self._command_timeout_s,
                use_tls=config.security == "tls",
                start_tls=config.security == "starttls",
                tls_context=await self._tls_context(),
                username=config.username or None,
                password=config.password or None,
            )
            await client.connect()
        except aiosmtplib.SMTPAuthenticationError as error:
            raise MailDelayed(
                f"The mail server does not accept our account: {_words(error)}",
                is_setup=True,
            ) from None
        except ssl.SSLError as error:
            raise MailDelayed(
                f"No safe connection to the mail server: {error.reason}",
                is_setup=True,
            ) from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise MailDelayed(
                f"The mail server cannot be reached: {sanitised(str(error))}",
                is_setup=True,
            ) from None
        return client

    async def _tls_context(self) -> ssl.SSLContext | None:
        if self._config.security == "none":
            return None
        if self._tls is None:
            # Reads files: once, and not in the event loop.
            self._tls = await asyncio.to_thread(
                ssl.create_default_context, cafile=self._config.ca_file or None
            )
        return self._tls


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Say QUIT; how that goes changes nothing."""
    try:
        if client.is_connected:
            await client.quit(timeout=5)
    except (aiosmtplib.SMTPException, OSError):
        pass
    finally:
        client.close()


def _before(error: Exception) -> MailFailure:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _answered(error)
    return MailDelayed(
        f"The connection to the mail server broke: {sanitised(str(error))}"
    )


def _answered(error: aiosmtplib.SMTPResponseException) -> MailFailure:
    if 500 <= error.code < 600:
        return MailRefused(f"The mail server refused it: {_words(error)}")
    return MailDelayed(f"The mail server asks to wait: {_words(error)}")


def _words(error: aiosmtplib.SMTPResponseException) -> str:
    return sanitised(f"{error.code} {error.message}")


def sanitised(words: str) -> str:
    """A server's words, fit to be shown: one line, no control characters, no link."""
    return _LINK.sub("/join/…", one_line(words))[:MAX_WORDS]
