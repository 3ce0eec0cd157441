"""The errors of the SIP library.

::

    SipError
    ├── ParseError                what came from outside is malformed; has a status
    │   ├── MessageTooLarge       513
    │   ├── BodyTooLarge          413
    │   ├── TooManyHeaders        400
    │   ├── LineTooLong           400
    │   ├── UnsupportedVersion    505
    │   ├── DialogInfoError       400 (sip.dialog_info)
    │   └── SdpError              400
    │       ├── SdpTooLarge
    │       ├── TooManyMedia
    │       └── BadPayloadType
    └── LocalProtocolError        our own code asked for what the protocol forbids
        └── InvalidValue          a value that must never reach the wire

A :class:`ParseError` is the peer's fault and an ordinary event of the day. A
:class:`LocalProtocolError` is a defect of the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sip.message import Request


class SipError(Exception):
    """Root of every error this library raises."""


class ParseError(SipError):
    """What was received breaks the grammar or a limit.

    Attributes:
        status: the final response that tells the sender so, e.g. 400.
        detail: what is wrong, fit for a log and for a reason phrase; holds no
            received text.
        request: what could be read of the request, enough for
            :func:`sip.message.create_response`; None when nothing may be answered
            (responses, ACK, no Via to send the answer along).
        is_fatal: on a stream, where the next message begins is unknown: answer if
            ``request`` is there, then close the connection.
    """

    default_status = 400

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        request: Request | None = None,
        is_fatal: bool = False,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = self.default_status if status is None else status
        self.request = request
        self.is_fatal = is_fatal


class MessageTooLarge(ParseError):
    """Start line and headers, or the whole message, exceed the limit."""

    default_status = 513


class BodyTooLarge(ParseError):
    """The announced body exceeds the limit."""

    default_status = 413


class TooManyHeaders(ParseError):
    """More header field lines than any honest message has."""


class LineTooLong(ParseError):
    """One (unfolded) line exceeds the limit."""


class UnsupportedVersion(ParseError):
    """The start line names another version than SIP/2.0."""

    default_status = 505


class SdpError(ParseError):
    """A session description that cannot be understood (RFC 8866)."""


class SdpTooLarge(SdpError):
    """More bytes or lines than the limit."""


class TooManyMedia(SdpError):
    """More m-lines than the limit."""


class BadPayloadType(SdpError):
    """An RTP payload type that is no number from 0 to 127."""


class LocalProtocolError(SipError):
    """The calling code asked for something the protocol does not allow now."""


class InvalidValue(LocalProtocolError, ValueError):
    """A value contains what must never be sent, such as a line break in a header."""
