"""Messages out of a TCP or TLS byte stream (RFC 3261 18.3, RFC 5626 4.4.1).

The caller hands in what it read, and asks for events until there are none::

    parser.receive_data(data)
    while not isinstance(event := parser.next_event(), NeedData):
        ...

An event that is a :class:`ParseError` with ``is_fatal`` means that the next message
cannot be found: answer it if it has a ``request``, then close. Whatever arrives
afterwards is ignored. The caller also closes a connection whose
:attr:`StreamParser.pending_bytes` does not reach zero in time: a peer may send a
message as slowly as it likes, and a parser has no clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from sip.errors import BodyTooLarge, MessageTooLarge, ParseError
from sip.message import Request, Response
from sip.parser import (
    DEFAULT_LIMITS,
    Limits,
    answerable,
    check,
    content_length,
    parse_head,
)


@dataclass(frozen=True, slots=True)
class Ping:
    """The peer's keepalive, CRLF CRLF: answer with CRLF."""


@dataclass(frozen=True, slots=True)
class Pong:
    """A single CRLF: the answer to our keepalive."""


@dataclass(frozen=True, slots=True)
class NeedData:
    """Nothing more to report until more bytes arrive."""


StreamEvent = Request | Response | Ping | Pong | ParseError | NeedData


class StreamParser:
    """Cuts one connection's bytes into messages and keepalives.

    A CRLF that arrives with nothing behind it is a Pong, for only then can the
    answer to our own ping be seen. A peer's ping that the network cut in the middle
    is therefore reported as two Pongs and not answered; it asks again.
    """

    def __init__(self, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._buffer = bytearray()
        # Where the search for the end of the headers goes on.
        self._searched = 0
        # The head of a message whose body has not arrived yet.
        self._head: Request | Response | None = None
        # The error that head has; it is reported when its body has been skipped.
        self._head_error: ParseError | None = None
        self._body_bytes = 0
        self._is_broken = False

    @property
    def pending_bytes(self) -> int:
        """Bytes of an incomplete message; zero between messages."""
        return len(self._buffer) if self._head is None else len(self._buffer) + 1

    def receive_data(self, data: bytes) -> None:
        """Take what was read; call :meth:`next_event` until it needs more."""
        if not self._is_broken:
            self._buffer += data

    def next_event(self) -> StreamEvent:
        """The next message, keepalive or error of the stream."""
        if self._is_broken:
            return NeedData()
        try:
            if self._head is None:
                keepalive = self._next_keepalive()
                if keepalive is not None:
                    return keepalive
                if not self._read_head():
                    return NeedData()
            return self._read_body()
        except ParseError as error:
            if error.is_fatal:
                self._break()
            return error

    def _next_keepalive(self) -> Ping | Pong | NeedData | None:
        if not self._buffer or self._buffer[0] not in b"\r\n":
            return None
        if self._buffer.startswith(b"\r\n\r\n"):
            del self._buffer[:4]
            return Ping()
        if self._buffer.startswith(b"\r\n"):
            if self._buffer[2:] == b"\r":
                return NeedData()
            del self._buffer[:2]
            return Pong()
        if self._buffer == b"\r":
            return NeedData()
        raise ParseError("a line break that is not CRLF", is_fatal=True)

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n", self._searched)
        size = len(self._buffer) if end < 0 else end
        if size > self._limits.message_bytes:
            raise MessageTooLarge("headers exceed the limit", is_fatal=True)
        if end < 0:
            self._searched = max(0, len(self._buffer) - 3)
            return False
        head = bytes(self._buffer[:end])
        del self._buffer[: end + 4]
        self._searched = 0
        self._begin_message(head)
        return True

    def _begin_message(self, head: bytes) -> None:
        self._head_error = None
        try:
            message = parse_head(head, limits=self._limits)
        except ParseError as error:
            # Without the headers there is no telling where the body ends.
            if error.request is None:
                error.is_fatal = True
                raise
            self._head_error = error
            message = error.request
        try:
            length = content_length(message)
        except ParseError as error:
            error.is_fatal = True
            raise
        if length is None:
            missing = self._head_error or ParseError("Content-Length is missing")
            raise answerable(message, missing, is_fatal=True)
        if length > self._limits.body_bytes:
            too_large = BodyTooLarge("body exceeds the limit")
            raise answerable(message, too_large, is_fatal=True)
        self._head = message
        self._body_bytes = length

    def _read_body(self) -> StreamEvent:
        message = self._head
        if message is None or len(self._buffer) < self._body_bytes:
            return NeedData()
        message.body = bytes(self._buffer[: self._body_bytes])
        del self._buffer[: self._body_bytes]
        self._head = None
        if self._head_error is not None:
            raise self._head_error
        check(message)
        return message

    def _break(self) -> None:
        self._is_broken = True
        self._buffer.clear()
        self._head = None
