"""The small pieces all SIP header fields are made of (RFC 3261 25.1).

Text is what UTF-8 decoding with ``surrogateescape`` gives, so that bytes that are no
UTF-8 survive a round trip.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import quote_from_bytes, unquote_to_bytes

from sip.errors import InvalidValue, ParseError

#: ``(name, value)`` as received; None: there was no ``=``. Quotes are kept in values.
Param = tuple[str, str | None]
Params = tuple[Param, ...]

_WORD_CHARS = r"A-Za-z0-9\-.!%*_+`'~"
TOKEN = re.compile(rf"[{_WORD_CHARS}]+")
QUOTED = r'"(?:[^"\\]|\\.)*"'
#: Tokens and white space; letters beyond ASCII are let through although RFC 3261
#: wants them quoted, because phones send them.
UNQUOTED_DISPLAY_NAME = rf"[{_WORD_CHARS}\s\u0080-\U0010ffff]*"

_PIECE = re.compile(rf'{QUOTED}|<[^<>]*>|[^",;<>]+|[,;]', re.DOTALL)
_PARAM_VALUE = re.compile(rf'{QUOTED}|[^\s",;<>\x00-\x1f\x7f]*', re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_HOSTNAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?")
# A backslash before NUL makes it a quoted-pair, which RFC 3261 25.1 allows; CR and LF
# are never allowed, not even so.
_FORBIDDEN_IN_LINE = re.compile(r"[\r\n]|(?<!\\)\0")

#: delta-seconds beyond this are read as this (RFC 3261 20.19, RFC 4475 3.1.2.4).
MAX_DELTA_SECONDS = 2**32 - 1


def is_token(text: str) -> bool:
    """Whether ``text`` is a non-empty ``token``."""
    return TOKEN.fullmatch(text) is not None


def has_forbidden_characters(text: str) -> bool:
    """Whether ``text`` holds what would end or corrupt a header line."""
    return _FORBIDDEN_IN_LINE.search(text) is not None


def encode(text: str) -> bytes:
    """``text`` as it goes over the wire.

    Raises:
        InvalidValue: it holds half of a surrogate pair, as JSON may, and is no text.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise InvalidValue("half of a surrogate pair") from None


def check_line(text: str, what: str) -> str:
    """Return ``text``, or raise :class:`InvalidValue` if it cannot be in one line."""
    if has_forbidden_characters(text):
        raise InvalidValue(f"{what} contains CR, LF or NUL")
    return text


def split(text: str, separator: str) -> list[str]:
    """Split at ``,`` or ``;`` outside quoted strings and angle brackets.

    Raises:
        ParseError: a quote or bracket is not closed.
    """
    if '"' not in text and "<" not in text and ">" not in text:
        return text.split(separator)
    parts: list[str] = []
    start = position = 0
    while position < len(text):
        piece = _PIECE.match(text, position)
        if piece is None:
            raise ParseError("unbalanced quote or angle bracket")
        if piece[0] == separator:
            parts.append(text[start:position])
            start = piece.end()
        position = piece.end()
    parts.append(text[start:])
    return parts


def split_list(value: str) -> list[str]:
    """The stripped, non-empty elements of a comma-separated header value."""
    return [part for part in map(str.strip, split(value, ",")) if part]


def parse_params(text: str) -> Params:
    """Read ``;name=value;flag``; an empty parameter is an error (RFC 4475 3.1.2.1)."""
    if not text.strip():
        return ()
    head, *rest = split(text, ";")
    if head.strip():
        raise ParseError("text where a parameter should begin")
    params: list[Param] = []
    for part in rest:
        name, equals, value = part.partition("=")
        name, value = name.strip(), value.strip()
        if not is_token(name):
            raise ParseError("malformed parameter name")
        if _PARAM_VALUE.fullmatch(value) is None:
            raise ParseError("malformed parameter value")
        params.append((name, value if equals else None))
    return tuple(params)


def format_params(params: Iterable[Param]) -> str:
    """The inverse of :func:`parse_params`."""
    return "".join(
        f";{name}" if value is None else f";{name}={value}" for name, value in params
    )


def find_param(params: Params, name: str) -> str | None:
    """The unquoted value; ``""`` for a parameter without one, None when absent."""
    name = name.lower()
    for key, value in params:
        if key.lower() == name:
            return "" if value is None else unquote(value)
    return None


def replace_param(params: Params, name: str, value: str | None) -> Params:
    """``params`` with ``name`` set in its place, or added at the end."""
    lowered = name.lower()
    replaced: list[Param] = []
    done = False
    for param in params:
        if param[0].lower() != lowered:
            replaced.append(param)
        elif not done:
            replaced.append((param[0], value))
            done = True
    if not done:
        replaced.append((name, value))
    return tuple(replaced)


def remove_params(params: Params, *names: str) -> Params:
    """``params`` without those called ``names``."""
    lowered = {name.lower() for name in names}
    return tuple(param for param in params if param[0].lower() not in lowered)


def quote(text: str) -> str:
    """``text`` as a quoted-string.

    Raises:
        InvalidValue: it contains CR or LF, which no quoted-string can carry.
    """
    if "\r" in text or "\n" in text:
        raise InvalidValue("a quoted string cannot hold CR or LF")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\0", "\\\0")
    return f'"{escaped}"'


def unquote(text: str) -> str:
    """The content of a quoted-string; other text as it is."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return _QUOTED_PAIR.sub(r"\1", text[1:-1])
    return text


def percent_decode(text: str) -> str:
    """Resolve ``%HH``; what is no valid escape stays as it is (RFC 3261 19.1.2)."""
    if "%" not in text:
        return text
    raw = unquote_to_bytes(encode(text))
    return raw.decode("utf-8", "surrogateescape")


def percent_encode(text: str, *, safe: str) -> str:
    """Escape all but letters, digits, ``_.-~`` and ``safe``."""
    return quote_from_bytes(encode(text), safe=safe)


def parse_host(text: str) -> str:
    """A host name, IPv4 address or bracketed IPv6 reference, without its brackets.

    Raises:
        ParseError: none of these; an IPv6 zone is refused too.
    """
    if text.startswith("["):
        address = text[1:-1]
        try:
            if not text.endswith("]") or "%" in address:
                raise ParseError("malformed IPv6 reference")
            IPv6Address(address)
        except AddressValueError:
            raise ParseError("malformed IPv6 reference") from None
        return address
    if _HOSTNAME.fullmatch(text) is None:
        raise ParseError("malformed host")
    return text


def parse_port(text: str) -> int:
    """A port from 1 to 65535."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        raise ParseError("malformed port")
    port = int(text)
    if not 1 <= port <= 65535:
        raise ParseError("port out of range")
    return port


def format_host_port(host: str, port: int | None) -> str:
    """``host[:port]`` with brackets around IPv6."""
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port is None else f"{bracketed}:{port}"


def same_host(one: str, other: str) -> bool:
    """Whether two hosts are the same text; IPv6 in any spelling."""
    if one.lower() == other.lower():
        return True
    if ":" not in one or ":" not in other:
        return False
    try:
        return IPv6Address(one) == IPv6Address(other)
    except AddressValueError:
        return False


def parse_delta_seconds(text: str) -> int | None:
    """Seconds, at most :data:`MAX_DELTA_SECONDS`; None when it is no number."""
    text = text.strip()
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0") or "0"
    if len(digits) > 10:
        return MAX_DELTA_SECONDS
    return min(int(digits), MAX_DELTA_SECONDS)
