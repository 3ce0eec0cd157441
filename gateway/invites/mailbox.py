"""A mailbox by IMAP4rev1 (RFC 3501): read what is new, put aside what was ours.

Blocking, by the standard library: every method runs in a worker thread, one at a time.
:meth:`Mailbox.interrupt` may be called from anywhere and ends what waits.
"""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self, TypeVar

from gateway.invites.delivery_report import MAX_REPORT_BYTES

TIMEOUT_S = 15.0
# Of what is read in one go; the rest is read in the next.
MAX_PER_POLL = 50
# No answer of a server to our commands is larger: the beginning of a message, or the
# numbers of all messages in a mailbox.
MAX_LITERAL_BYTES = 4 * MAX_REPORT_BYTES
# What lies further back when a mailbox is read for the first time is history.
MAX_AT_FIRST = 500
# What we have dealt with, where no folder is named for it.
HANDLED_FLAG = "$RingbridgeHandled"
_T = TypeVar("_T")
_SAFE_NAME = re.compile(r"[^\x00-\x1f\x7f\"\\&]*")


class MailboxError(Exception):
    """The mailbox cannot be read now; the words are for the log, without secrets."""


@dataclass(frozen=True, slots=True)
class ImapConfig:
    """As ``config.BounceSection``."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    username: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    handled_folder: str = ""
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where a mailbox has been read: UIDs mean nothing under another validity."""

    uid_validity: int = 0
    last_uid: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """A message; ``data`` is its beginning, at most ``MAX_REPORT_BYTES``."""

    uid: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class News:
    """What is new. ``position``: where the next look begins; ``has_more``: now."""

    position: Position
    messages: tuple[Found, ...]
    has_more: bool = False


class Reading(Protocol):
    """A mailbox that is open."""

    def news(self, since: Position) -> News: ...
    def put_aside(self, uids: Iterable[int]) -> None: ...


class Mailbox:
    """One tenant's; between :meth:`open` and :meth:`close` there is a connection.

    Raises:
        MailboxError: by every method but ``close`` and ``interrupt``.
    """

    def __init__(
        self,
        config: ImapConfig,
        *,
        timeout_s: float = TIMEOUT_S,
        max_per_poll: int = MAX_PER_POLL,
    ) -> None:
        self._config = config
        self._timeout_s = timeout_s
        self._max_per_poll = max_per_poll
        self._client: imaplib.IMAP4 | None = None
        # A connection that failed once is not waited for again.
        self._is_broken = False
        self._uid_validity = 0
        self._uid_next = 1
        self._capabilities: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Tells it from every other mailbox: positions are kept under it."""
        config = self._config
        return f"{config.username}@{config.host}:{config.port}/{config.folder}"[:255]

    def open(self) -> Self:
        """Connect, sign in, and choose the folder."""
        config = self._config
        self._is_broken = False
        try:
            client = self._client = self._connect()
            if config.security == "starttls":
                client.starttls(ssl_context=_tls(config))
            _sign_in(client, config)
            # Before the login servers tell half of them.
            told = b" ".join(_ok(client.capability(), "CAPABILITY")).decode("ascii")
            self._capabilities = frozenset(told.upper().split())
            _ok(client.select(_quoted(config.folder)), "SELECT")
            validity = _number(client, "UIDVALIDITY")
            if validity is None:
                raise imaplib.IMAP4.error("the server tells no UIDVALIDITY")
            self._uid_validity = validity
            # A server need not tell it (RFC 3501 7.1): then all that is there is new.
            self._uid_next = _number(client, "UIDNEXT") or 1
        except ssl.SSLError as error:
            self._is_broken = True
            self.close()
            raise MailboxError(f"no safe connection: {error.reason}") from None
        except (imaplib.IMAP4.error, OSError, ValueError) as error:
            self._is_broken = True
            self.close()
            raise MailboxError(_words(error, config)) from None
        return self

    def close(self) -> None:
        """Say goodbye; how that goes changes nothing."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            if client.state != "LOGOUT" and not self._is_broken:
                client.logout()
        except (imaplib.IMAP4.error, OSError):
            pass
        finally:
            try:
                client.shutdown()
            except OSError:
                pass

    def interrupt(self) -> None:
        """End what a thread waits for; its method raises."""
        client = self._client
        if client is not None:
            try:
                client.socket().shutdown(socket.SHUT_RDWR)
            except (OSError, AttributeError):
                pass

    def news(self, since: Position) -> News:
        """Messages that came after ``since``, oldest first. Nothing is changed: not
        even that they are unread."""
        return self._do(lambda client: self._news(client, since))

    def put_aside(self, uids: Iterable[int]) -> None:
        """These are dealt with: seen, and moved where the operator wants them."""
        numbers = ",".join(str(uid) for uid in uids)
        if numbers:
            self._do(lambda client: self._put_aside(client, numbers))

    # ----------------------------------------------------------------------------------

    def _do(self, work: Callable[[imaplib.IMAP4], _T]) -> _T:
        if self._client is None:
            raise MailboxError("not connected")
        try:
            return work(self._client)
        except (imaplib.IMAP4.error, OSError, ValueError) as error:
            self._is_broken = not isinstance(error, ValueError)
            raise MailboxError(_words(error, self._config)) from None

    def _connect(self) -> imaplib.IMAP4:
        config = self._config
        if config.security == "tls":
            return _TlsClient(
                config.host,
                config.port,
                ssl_context=_tls(config),
                timeout=self._timeout_s,
            )
        return _Client(config.host, config.port, timeout=self._timeout_s)

    def _news(self, client: imaplib.IMAP4, since: Position) -> News:
        validity = self._uid_validity
        if since.uid_validity == validity:
            last = since.last_uid
        else:
            last = max(0, self._uid_next - 1 - MAX_AT_FIRST)
        found = _ok(client.uid("SEARCH", f"UID {last + 1}:*"), "SEARCH")
        # "n:*" always names the last message, also when it is before n.
        uids = sorted(
            uid
            for uid in (int(word) for word in b" ".join(found).split())
            if uid > last
        )
        now = uids[: self._max_per_poll]
        messages = [
            Found(uid, data)
            for uid in now
            if (data := self._beginning(client, uid)) is not None
        ]
        return News(
            Position(validity, now[-1] if now else last),
            tuple(messages),
            has_more=len(uids) > len(now),
        )

    def _beginning(self, client: imaplib.IMAP4, uid: int) -> bytes | None:
        """None for one that somebody has taken out meanwhile."""
        answer = _ok(
            client.uid("FETCH", str(uid), f"(BODY.PEEK[]<0.{MAX_REPORT_BYTES}>)"),
            "FETCH",
        )
        for item in answer:
            if isinstance(item, tuple) and len(item) > 1:
                return bytes(item[1])
        return None

    def _put_aside(self, client: imaplib.IMAP4, numbers: str) -> None:
        _ok(client.uid("STORE", numbers, "+FLAGS.SILENT", r"(\Seen)"), "STORE")
        folder = self._config.handled_folder
        if not folder:
            # Not every server lets us have flags of our own; the position is enough.
            client.uid("STORE", numbers, "+FLAGS.SILENT", f"({HANDLED_FLAG})")
            return
        name = _quoted(folder)
        is_move = "MOVE" in self._capabilities
        command = "MOVE" if is_move else "COPY"
        if client.uid(command, numbers, name)[0] != "OK":
            _ok(client.create(name), "CREATE")
            _ok(client.uid(command, numbers, name), command)
        if not is_move:
            _ok(client.uid("STORE", numbers, "+FLAGS.SILENT", r"(\Deleted)"), "STORE")
            if "UIDPLUS" in self._capabilities:
                # Never EXPUNGE alone: what others have marked is not ours to end.
                _ok(client.uid("EXPUNGE", numbers), "EXPUNGE")


class _Limited:
    """A server's literal is as long as it says; ours may not fill the memory."""

    def read(self, size: int) -> bytes:
        if size > MAX_LITERAL_BYTES:
            raise imaplib.IMAP4.abort("an answer is too long")
        data: bytes = super().read(size)  # type: ignore[misc]
        return data


class _Client(_Limited, imaplib.IMAP4):
    pass


class _TlsClient(_Limited, imaplib.IMAP4_SSL):
    pass


def _sign_in(client: imaplib.IMAP4, config: ImapConfig) -> None:
    if "AUTH=PLAIN" in client.capabilities:
        # RFC 4616: takes any characters, and is no part of a command's line.
        secret = f"\0{config.username}\0{config.password}".encode()
        client.authenticate("PLAIN", lambda _: secret)
    else:
        client.login(_quoted(config.username), config.password)


def _tls(config: ImapConfig) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=config.ca_file or None)


def _ok(answer: tuple[str, list[Any]], command: str) -> list[Any]:
    state, data = answer
    if state != "OK":
        raise imaplib.IMAP4.error(f"{command}: {state} {data!r}")
    return [item for item in data if item is not None]


def _number(client: imaplib.IMAP4, name: str) -> int | None:
    """What SELECT told."""
    try:
        return int(client.response(name)[1][0])
    except (TypeError, ValueError, IndexError):
        return None


def _quoted(name: str) -> str:
    """A name in a command's line (RFC 3501 4.3: printable ASCII here)."""
    if not name.isascii() or not _SAFE_NAME.fullmatch(name):
        raise ValueError("names of folders and accounts must be plain ASCII")
    return f'"{name}"'


def _words(error: Exception, config: ImapConfig) -> str:
    words = str(error) or type(error).__name__
    if config.password:
        words = words.replace(config.password, "***")
    return " ".join(words.split())[:200]
