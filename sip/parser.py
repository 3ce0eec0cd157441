"""From bytes to messages, strict where leniency would let two readers differ.

A request that breaks the grammar is read as far as it goes, so that it can be
answered (RFC 4475): the :class:`ParseError` carries what was understood. Lines end
with CRLF and nothing else; a lone CR or LF is an error, never a line break.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType

from sip.errors import (
    BodyTooLarge,
    LineTooLong,
    MessageTooLarge,
    ParseError,
    TooManyHeaders,
    UnsupportedVersion,
)
from sip.headers import Headers, canonical_name
from sip.lexical import TOKEN, has_forbidden_characters, is_token
from sip.message import Request, Response
from sip.uri import Uri


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message may cost. The defaults are far above honest traffic."""

    message_bytes: int = 65_536
    body_bytes: int = 60_000
    line_bytes: int = 8_192
    headers: int = 256


DEFAULT_LIMITS = Limits()

_VERSION = re.compile(r"SIP/(\d+\.\d+)", re.IGNORECASE | re.ASCII)
# The space before an empty phrase is forgotten by some senders.
_STATUS_LINE = re.compile(r"SIP/2\.0 (\d{3})(?: (.*))?", re.IGNORECASE | re.ASCII)
_WEEKDAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_SIP_DATE = re.compile(
    rf"{_WEEKDAY}, \d\d? {_MONTH} \d{{4}} \d\d:\d\d:\d\d GMT", re.ASCII
)
_LENGTH = re.compile(r"\d{1,9}", re.ASCII)
#: Fields that may stand once only (RFC 3261 7.3.1 and table 2).
_SINGLE = MappingProxyType(
    {
        name.lower(): name
        for name in (
            "Call-ID",
            "Content-Length",
            "Content-Type",
            "CSeq",
            "Date",
            "Expires",
            "From",
            "Max-Forwards",
            "To",
        )
    }
)
_TOKEN_LISTS = (
    "Accept",
    "Allow",
    "Proxy-Require",
    "Require",
    "Supported",
    "Unsupported",
)
_CALL_ID = re.compile(r"\S+")
# Stands in for a Request-URI that could not be read; only ever in error.request.
_UNREADABLE_URI = Uri("sip", host="unreadable.invalid")


def is_keepalive(datagram: bytes) -> bool:
    """Whether a datagram is a CRLF (or NUL) keepalive and no message at all."""
    return not datagram.strip(b"\r\n\0 ")


def parse_datagram(
    data: bytes, *, limits: Limits = DEFAULT_LIMITS
) -> Request | Response:
    """Read the one message of a UDP datagram (RFC 3261 18.3).

    Bytes beyond Content-Length are dropped; without Content-Length the body reaches
    to the end of the datagram.

    Raises:
        ParseError: see its attributes for what to answer.
    """
    if len(data) > limits.message_bytes:
        raise MessageTooLarge("datagram exceeds the limit")
    head, separator, rest = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    message = parse_head(head.removesuffix(b"\r\n"), limits=limits)
    if not separator:
        raise answerable(message, ParseError("no empty line after the headers"))
    length = content_length(message)
    if length is None:
        length = len(rest)
    if length > limits.body_bytes:
        raise answerable(message, BodyTooLarge("body exceeds the limit"))
    if length > len(rest):
        raise answerable(message, ParseError("Content-Length exceeds the datagram"))
    message.body = rest[:length]
    check(message)
    return message


def parse_head(head: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Request | Response:
    """Read start line and header lines, without the empty line after them.

    The values of headers are not looked at; that is :func:`check`'s.

    Raises:
        ParseError: see its attributes for what to answer.
    """
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    start_line = lines[0]
    headers, error = _read_headers(lines[1:], limits)
    if _too_long(start_line, limits):
        error = LineTooLong("start line exceeds the limit")
    if start_line[:4].upper() == "SIP/":
        response = _read_status_line(start_line, headers)
        if error is not None:
            raise error
        return response
    method = TOKEN.match(start_line)
    if method is None:
        raise ParseError("not a SIP message")
    request = Request(method[0], _UNREADABLE_URI, headers)
    try:
        _read_request_line(start_line, request)
        if error is not None:
            raise error
    except ParseError as reason:
        raise answerable(request, reason) from None
    return request


def content_length(message: Request | Response) -> int | None:
    """The body's length in bytes as announced, None when it is not.

    Raises:
        ParseError: negative, not a number, or several of them (RFC 4475 3.3.9).
    """
    values = message.headers.get_all("Content-Length")
    if not values:
        return None
    if len(values) > 1:
        raise answerable(message, ParseError("several Content-Length"))
    text = values[0].strip().lstrip("0") or "0"
    if not values[0].strip() or _LENGTH.fullmatch(text) is None:
        raise answerable(message, ParseError("malformed Content-Length"))
    return int(text)


def check(message: Request | Response) -> None:
    """Make sure that every typed accessor of the message will work.

    Raises:
        ParseError: a field is missing, malformed, or there more than once.
    """
    try:
        seen: set[str] = set()
        for name, _ in message.headers:
            key = canonical_name(name)
            if key in seen and key in _SINGLE:
                raise ParseError(f"several {_SINGLE[key]}")
            seen.add(key)
        _check_fields(message)
    except ParseError as error:
        raise answerable(message, error) from None


def answerable(
    message: Request | Response, error: ParseError, *, is_fatal: bool = False
) -> ParseError:
    """``error`` with the request to answer, if it may be answered.

    Never an answer to an ACK or a response (RFC 3261 8.2, 17.1.1.3), and none without
    a Via to send it along.
    """
    error.is_fatal = error.is_fatal or is_fatal
    if (
        isinstance(message, Request)
        and message.method != "ACK"
        and "Via" in message.headers
    ):
        error.request = Request(message.method, message.uri, message.headers)
    return error


def _too_long(line: str, limits: Limits) -> bool:
    # Every character is at least one byte: count bytes only when it could matter.
    if len(line) * 4 <= limits.line_bytes:
        return False
    return len(line.encode("utf-8", "surrogateescape")) > limits.line_bytes


def _read_headers(
    lines: list[str], limits: Limits
) -> tuple[Headers, ParseError | None]:
    """The headers that could be read, and the first thing wrong with the rest."""
    error: ParseError | None = None
    fields: list[tuple[str, list[str]]] = []
    for line in lines:
        if line[:1] in (" ", "\t"):
            if fields:
                fields[-1][1].append(line.strip(" \t"))
            else:
                error = error or ParseError("a continuation line before any header")
            continue
        name, colon, value = line.partition(":")
        name = name.rstrip(" \t")
        if not colon or not is_token(name):
            error = error or ParseError("malformed header line")
        elif len(fields) >= limits.headers:
            error = TooManyHeaders("more header lines than the limit")
            break
        else:
            fields.append((name, [value.strip(" \t")]))
    headers = Headers()
    for name, parts in fields:
        value = " ".join(parts).strip(" ") if len(parts) > 1 else parts[0]
        if has_forbidden_characters(value):
            error = error or ParseError("CR, LF or NUL in a header value")
        elif _too_long(value, limits):
            error = error or LineTooLong("header line exceeds the limit")
        else:
            headers.add(name, value)
    return headers, error


def _read_status_line(line: str, headers: Headers) -> Response:
    match = _STATUS_LINE.fullmatch(line)
    if match is None or has_forbidden_characters(line):
        raise ParseError("malformed status line")
    status = int(match[1])
    if not 100 <= status <= 699:
        raise ParseError("status out of range")
    return Response(status, match[2] or "", headers)


def _read_request_line(line: str, request: Request) -> None:
    parts = line.split(" ")
    version = _VERSION.fullmatch(parts[-1])
    if version is not None and version[1] != "2.0":
        raise UnsupportedVersion("not SIP/2.0")
    if len(parts) != 3 or version is None or parts[0] != request.method:
        raise ParseError("malformed request line")
    uri = Uri.parse(parts[1])
    if uri.headers:
        raise ParseError("headers in the Request-URI")
    request.uri = uri


def _check_fields(message: Request | Response) -> None:
    # The topmost on its own as well: its line may be empty and others follow.
    _ = message.via, message.vias
    if _CALL_ID.fullmatch(message.call_id) is None:
        raise ParseError("malformed Call-ID")
    cseq = message.cseq
    _ = message.from_, message.to, message.routes, message.record_routes
    _ = message.content_type_params, message.contacts
    for name in _TOKEN_LISTS:
        message.headers.get_list(name)
    if isinstance(message, Request):
        if cseq.method != message.method:
            raise ParseError("CSeq names another method")
        _ = message.max_forwards
        date = message.headers.get("Date")
        if date is not None and _SIP_DATE.fullmatch(date) is None:
            raise ParseError("malformed Date")
