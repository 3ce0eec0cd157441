"""SIP, SIPS, tel and other URIs, and the name-addr around them (RFC 3261 19, 20.10).

A :class:`Uri` holds the text as it is on the wire, escapes included, so that nothing
is lost by reading and writing it. ``decoded_user``, :meth:`Uri.param` and
:meth:`Uri.header` give the meaning of it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from sip.errors import InvalidValue, ParseError
from sip.lexical import (
    QUOTED,
    UNQUOTED_DISPLAY_NAME,
    Param,
    Params,
    encode,
    find_param,
    format_host_port,
    format_params,
    parse_host,
    parse_params,
    parse_port,
    percent_decode,
    percent_encode,
    quote,
    remove_params,
    replace_param,
    same_host,
    unquote,
)

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
# Wider than RFC 3261's user: phones send "#" and raw UTF-8. What could end the URI,
# the header or the line is refused.
_USER = re.compile(r'[^\x00-\x20\x7f<>"@:]+')
_PASSWORD = re.compile(r'[^\x00-\x20\x7f<>"@]*')
_PARAMETER = re.compile(r'[^\x00-\x20\x7f<>"@;?=,]+(?:=[^\x00-\x20\x7f<>"@;?,]*)?')
_HEADER = re.compile(r'[^\x00-\x20\x7f<>"&=]+=[^\x00-\x20\x7f<>"&]*')
_OPAQUE = re.compile(r'[^\x00-\x20\x7f<>"]+')
_NAME_ADDR = re.compile(
    rf"\s*(?P<name>{QUOTED}|{UNQUOTED_DISPLAY_NAME})"
    r"\s*<(?P<uri>[^<>]*)>\s*(?P<params>;.*)?",
    re.DOTALL,
)
#: What RFC 3261 25.1 allows unescaped in a user, beside letters, digits and "_.-~".
_USER_SAFE = "!*'()&=+$,;?/"
_PARAM_SAFE = "!*'()[]/:&+$"
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
# RFC 3261 19.1.4: one of these in only one of two URIs makes them different.
_DECISIVE_PARAMS = ("user", "ttl", "method", "maddr", "transport")


def escape_user(text: str) -> str:
    """Plain text as the user part of a SIP URI: ``"a b@c"`` gives ``"a%20b%40c"``."""
    return percent_encode(text, safe=_USER_SAFE)


@dataclass(frozen=True, slots=True)
class Uri:
    """A URI. ``str()`` gives it as on the wire.

    Attributes:
        scheme: in lower case, ``sip``, ``sips``, ``tel`` or any other.
        user: as escaped on the wire (build it with :func:`escape_user`); the number
            of a ``tel`` URI.
        host: without brackets; empty unless ``sip`` or ``sips``.
        port: None when not written, which is not the same as 5060 (19.1.4).
        params: ``;name=value`` after the host, values None when there was no ``=``.
        headers: ``?name=value&...``.
        opaque: what follows the colon of any other scheme.

    Raises:
        InvalidValue: a part contains what cannot stand there.
    """

    scheme: str
    user: str | None = None
    host: str = ""
    port: int | None = None
    params: Params = ()
    headers: tuple[tuple[str, str], ...] = ()
    password: str | None = None
    opaque: str = ""

    def __post_init__(self) -> None:
        if _SCHEME.fullmatch(self.scheme) is None:
            raise InvalidValue("not a URI scheme")
        object.__setattr__(self, "scheme", self.scheme.lower())
        try:
            self._check_parts()
        except ParseError as error:
            raise InvalidValue(error.detail) from None

    def _check_parts(self) -> None:
        if self.is_sip:
            if self.user is not None and _USER.fullmatch(self.user) is None:
                raise ParseError("malformed user in a URI")
            if self.password is not None and (
                self.user is None or _PASSWORD.fullmatch(self.password) is None
            ):
                raise ParseError("malformed password in a URI")
            parse_host(format_host_port(self.host, None))
            if self.port is not None and not 1 <= self.port <= 65535:
                raise ParseError("port out of range")
            for name, value in self.headers:
                if _HEADER.fullmatch(f"{name}={value}") is None:
                    raise ParseError("malformed header in a URI")
        elif self.scheme == "tel":
            if self.user is None or _USER.fullmatch(self.user) is None:
                raise ParseError("malformed telephone number")
        elif _OPAQUE.fullmatch(self.opaque) is None:
            raise ParseError("malformed URI")
        for name, param in self.params:
            text = name if param is None else f"{name}={param}"
            if _PARAMETER.fullmatch(text) is None:
                raise ParseError("malformed parameter in a URI")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URI that stands alone or between angle brackets.

        Raises:
            ParseError: it is none, or has spaces around it.
        """
        scheme, colon, rest = text.partition(":")
        if not colon or _SCHEME.fullmatch(scheme) is None:
            raise ParseError("not a URI")
        scheme = scheme.lower()
        try:
            encode(text)
            if scheme in ("sip", "sips"):
                return cls._parse_sip(scheme, rest)
            if scheme == "tel":
                number, *params = rest.split(";")
                return cls(scheme, number, params=_parse_uri_params(params))
            return cls(scheme, opaque=rest)
        except InvalidValue as error:
            raise ParseError(str(error)) from None

    @classmethod
    def _parse_sip(cls, scheme: str, rest: str) -> Self:
        # Neither host, parameters nor headers may hold an unescaped "@", the user may
        # hold ";" and "?": so the "@" is looked for first.
        user: str | None = None
        password: str | None = None
        userinfo, at, location = rest.partition("@")
        if at:
            user, colon, secret = userinfo.partition(":")
            password = secret if colon else None
        else:
            location = rest
        location, question, header_text = location.partition("?")
        host_port, *params = location.split(";")
        host, port = _parse_host_port(host_port)
        headers: list[tuple[str, str]] = []
        if question:
            for part in header_text.split("&"):
                name, equals, value = part.partition("=")
                if not equals:
                    raise ParseError("malformed header in a URI")
                headers.append((name, value))
        return cls(
            scheme,
            user,
            host,
            port,
            _parse_uri_params(params),
            tuple(headers),
            password,
        )

    def __str__(self) -> str:
        if not self.is_sip:
            if self.scheme == "tel":
                return f"tel:{self.user}{format_params(self.params)}"
            return f"{self.scheme}:{self.opaque}"
        userinfo = ""
        if self.user is not None:
            secret = "" if self.password is None else f":{self.password}"
            userinfo = f"{self.user}{secret}@"
        headers = "&".join(f"{name}={value}" for name, value in self.headers)
        return (
            f"{self.scheme}:{userinfo}{format_host_port(self.host, self.port)}"
            f"{format_params(self.params)}{'?' if headers else ''}{headers}"
        )

    def __repr__(self) -> str:
        hidden = None if self.password is None else "***"
        return f"Uri({str(dataclasses.replace(self, password=hidden))!r})"

    @property
    def is_sip(self) -> bool:
        """Whether the scheme is ``sip`` or ``sips``."""
        return self.scheme in ("sip", "sips")

    @property
    def decoded_user(self) -> str | None:
        """The user with its escapes resolved; may hold any character, even NUL."""
        return None if self.user is None else percent_decode(self.user)

    def param(self, name: str) -> str | None:
        """The decoded parameter; ``""`` when it has no value, None when absent."""
        name = name.lower()
        for key, value in self.params:
            if percent_decode(key).lower() == name:
                return "" if value is None else percent_decode(value)
        return None

    def has_param(self, name: str) -> bool:
        """Whether the parameter is there, with a value or without."""
        return self.param(name) is not None

    def header(self, name: str) -> str | None:
        """The decoded value of a ``?name=value`` header, None when absent."""
        name = name.lower()
        for key, value in self.headers:
            if percent_decode(key).lower() == name:
                return percent_decode(value)
        return None

    def with_params(self, params: Mapping[str, str | None]) -> Self:
        """A copy with these (plain) parameters set; None sets one without a value."""
        result = self.params
        for name, value in params.items():
            escaped = None if value is None else percent_encode(value, safe=_PARAM_SAFE)
            result = replace_param(result, name, escaped)
        return dataclasses.replace(self, params=result)

    def without_params(self, *names: str) -> Self:
        """A copy without the named parameters."""
        return dataclasses.replace(self, params=remove_params(self.params, *names))

    def without_headers(self) -> Self:
        """A copy fit for a Request-URI or Contact, where headers must not be sent."""
        return dataclasses.replace(self, headers=())

    def equivalent(self, other: Uri) -> bool:
        """Compare as RFC 3261 19.1.4 says; not the same as ``==``."""
        if self.scheme != other.scheme:
            return False
        if not self.is_sip and self.scheme != "tel":
            return self.opaque == other.opaque
        return (
            _same_escaped(self.user, other.user)
            and _same_escaped(self.password, other.password)
            and same_host(self.host, other.host)
            and self.port == other.port
            and self._same_params(other)
            and _header_set(self) == _header_set(other)
        )

    def _same_params(self, other: Uri) -> bool:
        mine, theirs = _param_map(self), _param_map(other)
        if any(mine[name] != theirs[name] for name in mine.keys() & theirs.keys()):
            return False
        one_sided = mine.keys() ^ theirs.keys()
        return not any(name in one_sided for name in _DECISIVE_PARAMS)


@dataclass(frozen=True, slots=True)
class NameAddr:
    """A URI with a display name and header parameters: From, To, Contact, Route…

    ``display_name`` is plain text without quotes. ``str()`` always writes the angle
    brackets, so that parameters can never change sides (RFC 3261 20.10).

    Raises:
        InvalidValue: from ``str()``, when the name holds a line break.
    """

    uri: Uri
    display_name: str = ""
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read name-addr or addr-spec; without ``<>``, params belong to the header.

        Raises:
            ParseError: neither of both.
        """
        match = _NAME_ADDR.fullmatch(text)
        if match is not None:
            name = match["name"].strip()
            return cls(
                Uri.parse(match["uri"]),
                unquote(name),
                parse_params(match["params"] or ""),
            )
        uri_text, semicolon, params = text.strip().partition(";")
        uri_text = uri_text.rstrip()
        if "?" in uri_text or "," in uri_text:
            raise ParseError("a URI with ? or , must stand in angle brackets")
        return cls(Uri.parse(uri_text), params=parse_params(semicolon + params))

    def __str__(self) -> str:
        name = f"{quote(self.display_name)} " if self.display_name else ""
        return f"{name}<{self.uri}>{format_params(self.params)}"

    @property
    def tag(self) -> str | None:
        """The ``tag`` parameter, None when absent or empty."""
        return self.param("tag") or None

    def param(self, name: str) -> str | None:
        """The unquoted parameter; ``""`` when it has no value, None when absent."""
        return find_param(self.params, name)

    def with_tag(self, tag: str) -> Self:
        """A copy with this tag."""
        return self.with_param("tag", tag)

    def with_param(self, name: str, value: str | None) -> Self:
        """A copy with a parameter set to a token or an already quoted string.

        Raises:
            InvalidValue: the parameter could not be written so.
        """
        try:
            (param,) = parse_params(format_params([(name, value)]))
        except (ParseError, ValueError):
            raise InvalidValue("malformed header parameter") from None
        if param != (name, value):
            raise InvalidValue("white space around a header parameter")
        return dataclasses.replace(self, params=replace_param(self.params, name, value))

    def without_params(self, *names: str) -> Self:
        """A copy without the named parameters."""
        return dataclasses.replace(self, params=remove_params(self.params, *names))


def _parse_host_port(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        host += bracket
        if rest and not rest.startswith(":"):
            raise ParseError("malformed IPv6 reference")
        port_text = rest[1:] if rest else None
    else:
        host, colon, after = text.partition(":")
        port_text = after if colon else None
    return parse_host(host), None if port_text is None else parse_port(port_text)


def _parse_uri_params(parts: list[str]) -> Params:
    params: list[Param] = []
    for part in parts:
        name, equals, value = part.partition("=")
        params.append((name, value if equals else None))
    return tuple(params)


def _canonical_escapes(text: str) -> str:
    """Resolve escapes of characters that mean the same escaped or not (19.1.4)."""

    def resolve(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        if character.isascii() and (character.isalnum() or character in "-_.!~*'()"):
            return character
        return match[0].upper()

    return _ESCAPE.sub(resolve, text)


def _same_escaped(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return one is other
    return _canonical_escapes(one) == _canonical_escapes(other)


def _param_map(uri: Uri) -> dict[str, str]:
    return {
        _canonical_escapes(name).lower(): _canonical_escapes(value or "").lower()
        for name, value in uri.params
    }


def _header_set(uri: Uri) -> set[tuple[str, str]]:
    return {
        (percent_decode(name).lower(), percent_decode(value))
        for name, value in uri.headers
    }
