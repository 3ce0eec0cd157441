"""Bodies of several parts (RFC 2046 5.1, RFC 5621): finding the SDP among them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sip.errors import ParseError
from sip.headers import Headers
from sip.lexical import find_param
from sip.message import Message

MAX_PARTS = 32
#: A multipart in a multipart in a multipart; no deeper.
MAX_DEPTH = 3

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")


@dataclass(frozen=True, slots=True)
class BodyPart:
    """One part; ``content_type`` in lower case without parameters."""

    content: Message

    @property
    def content_type(self) -> str:
        """Its media type; ``text/plain`` when the part does not say."""
        return self.content.content_type or "text/plain"

    @property
    def body(self) -> bytes:
        """Its bytes, as they are."""
        return self.content.body


def parse_multipart(message: Message) -> tuple[BodyPart, ...]:
    """The parts of a ``multipart/*`` body, in order.

    Raises:
        ParseError: no or a malformed boundary, no closing delimiter, too many parts.
    """
    boundary = find_param(message.content_type_params, "boundary") or ""
    if _BOUNDARY.fullmatch(boundary) is None:
        raise ParseError("multipart without a valid boundary")
    # The CRLF before a delimiter belongs to it, also before the first.
    data = b"\r\n" + message.body
    delimiter = re.compile(
        rb"\r\n--" + re.escape(boundary.encode()) + rb"(--)?[ \t]*(?=\r\n|\Z)"
    )
    parts: list[BodyPart] = []
    start: int | None = None
    for match in delimiter.finditer(data):
        if start is not None:
            parts.append(_parse_part(data[start : match.start()]))
        if match[1]:
            return tuple(parts)
        if len(parts) >= MAX_PARTS:
            raise ParseError("too many parts in a multipart body")
        start = match.end()
    raise ParseError("multipart without its closing delimiter")


def find_body(message: Message, media_type: str) -> bytes | None:
    """The body of this type, alone or in a multipart; None when there is none.

    In ``multipart/alternative`` the last that fits is the best (RFC 2046 5.1.4).

    Raises:
        ParseError: a malformed or too deeply nested multipart.
    """
    return _find(message, media_type, MAX_DEPTH)


def _find(message: Message, media_type: str, depth: int) -> bytes | None:
    content_type = message.content_type or ""
    if content_type == media_type:
        return message.body
    if not content_type.startswith("multipart/"):
        return None
    if depth == 0:
        raise ParseError("multipart nested too deeply")
    parts = parse_multipart(message)
    if content_type == "multipart/alternative":
        parts = parts[::-1]
    for part in parts:
        found = _find(part.content, media_type, depth - 1)
        if found is not None:
            return found
    return None


def _parse_part(data: bytes) -> BodyPart:
    """``data`` begins with the CRLF that ended the delimiter's line."""
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator:
        raise ParseError("a part without an empty line after its headers")
    headers = Headers()
    for line in head.decode("utf-8", "surrogateescape").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise ParseError("malformed header in a part")
        headers.add(name.strip(), value.strip())
    return BodyPart(Message(headers, body))
