"""Header fields: the ordered multimap, and the typed values of Via, CSeq and Reason."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from sip.errors import InvalidValue, ParseError
from sip.lexical import (
    Params,
    check_line,
    find_param,
    format_host_port,
    format_params,
    is_token,
    parse_host,
    parse_params,
    parse_port,
    quote,
    remove_params,
    replace_param,
    same_host,
    split,
    split_list,
)

#: RFC 3261 7.3.3 and the extensions' registrations at IANA.
COMPACT_FORMS = MappingProxyType(
    {
        "a": "accept-contact",
        "b": "referred-by",
        "c": "content-type",
        "d": "request-disposition",
        "e": "content-encoding",
        "f": "from",
        "i": "call-id",
        "j": "reject-contact",
        "k": "supported",
        "l": "content-length",
        "m": "contact",
        "n": "identity-info",
        "o": "event",
        "r": "refer-to",
        "s": "subject",
        "t": "to",
        "u": "allow-events",
        "v": "via",
        "x": "session-expires",
        "y": "identity",
    }
)
#: RFC 3261 8.1.1.7: a branch that begins so is unique in space and time.
MAGIC_COOKIE = "z9hG4bK"
#: RFC 3261 8.1.1.5.
MAX_CSEQ = 2**31 - 1

_VIA = re.compile(
    r"\s*(?P<protocol>[\w.!%*+`'~-]+)\s*/\s*(?P<version>[\w.!%*+`'~-]+)"
    r"\s*/\s*(?P<transport>[\w.!%*+`'~-]+)\s+"
    r"(?P<host>\[[^\]\s]*\]|[^\s:;,\[\]]+)\s*(?::\s*(?P<port>\d+)\s*)?"
    r"(?P<params>;.*)?\s*",
    re.DOTALL | re.ASCII,
)
_CSEQ = re.compile(r"\s*(\d+)\s+(\S+)\s*", re.ASCII)


def canonical_name(name: str) -> str:
    """The key under which a header is kept: lower case, compact form resolved."""
    lowered = name.lower()
    return COMPACT_FORMS.get(lowered, lowered)


class Headers:
    """Header fields in order, found by any spelling of their name.

    Values are one line each, as received but unfolded; several fields of one name and
    comma-separated values mean the same (RFC 3261 7.3.1) and are told apart only by
    :meth:`get_all` against :meth:`get_list`. Values are checked when written by
    ``to_bytes``.
    """

    __slots__ = ("_lines",)

    def __init__(self, lines: Iterable[tuple[str, str]] = ()) -> None:
        self._lines: list[tuple[str, str, str]] = [
            (canonical_name(name), name, value) for name, value in lines
        ]

    def get(self, name: str) -> str | None:
        """The first value, None when there is none."""
        key = canonical_name(name)
        return next((value for k, _, value in self._lines if k == key), None)

    def get_all(self, name: str) -> list[str]:
        """All values, one for each line."""
        key = canonical_name(name)
        return [value for k, _, value in self._lines if k == key]

    def get_list(self, name: str) -> list[str]:
        """All elements, lines split at their commas; not for Authorization and Date.

        Raises:
            ParseError: a quote or bracket is not closed.
        """
        return [part for value in self.get_all(name) for part in split_list(value)]

    def add(self, name: str, value: str) -> None:
        """Append a line."""
        self._lines.append((canonical_name(name), name, value))

    def set(self, name: str, value: str) -> None:
        """Leave exactly one line of that name, in the place of the first."""
        key = canonical_name(name)
        lines: list[tuple[str, str, str]] = []
        done = False
        for line in self._lines:
            if line[0] != key:
                lines.append(line)
            elif not done:
                lines.append((key, name, value))
                done = True
        if not done:
            lines.append((key, name, value))
        self._lines = lines

    def remove(self, name: str) -> None:
        """Remove all lines of that name, if any."""
        key = canonical_name(name)
        self._lines = [line for line in self._lines if line[0] != key]

    def prepend(self, name: str, value: str) -> None:
        """Insert a line before the first of that name, or before all others."""
        key = canonical_name(name)
        keys = [line[0] for line in self._lines]
        position = keys.index(key) if key in keys else 0
        self._lines.insert(position, (key, name, value))

    def pop_first(self, name: str) -> str | None:
        """Remove and return the first element, where a line may hold several.

        Raises:
            ParseError: a quote or bracket is not closed.
        """
        key = canonical_name(name)
        for position, (line_key, spelling, value) in enumerate(self._lines):
            if line_key != key:
                continue
            elements = split_list(value)
            if len(elements) > 1:
                rest = ", ".join(elements[1:])
                self._lines[position] = (key, spelling, rest)
            else:
                del self._lines[position]
            return elements[0] if elements else ""
        return None

    def replace_first(self, name: str, value: str) -> None:
        """Put ``value`` in the place of the first element, e.g. the topmost Via."""
        key = canonical_name(name)
        for position, (line_key, spelling, old) in enumerate(self._lines):
            if line_key == key:
                elements = [value, *split_list(old)[1:]]
                self._lines[position] = (key, spelling, ", ".join(elements))
                return
        self.prepend(name, value)

    def items(self) -> list[tuple[str, str]]:
        """``(name, value)`` of every line, names as received."""
        return [(name, value) for _, name, value in self._lines]

    def copy(self) -> Headers:
        """An independent copy."""
        duplicate = Headers()
        duplicate._lines = list(self._lines)
        return duplicate

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and canonical_name(name) in (
            line[0] for line in self._lines
        )

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.items())

    def __len__(self) -> int:
        return len(self._lines)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return [(k, v) for k, _, v in self._lines] == [
            (k, v) for k, _, v in other._lines
        ]

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        # Values may hold credentials and are none of a log's business.
        return f"Headers({[name for _, name, _ in self._lines]})"


@dataclass(frozen=True, slots=True)
class Via:
    """One hop a request took (RFC 3261 20.42); ``host`` has no IPv6 brackets."""

    transport: str
    host: str
    port: int | None = None
    params: Params = ()
    version: str = "2.0"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one Via element.

        Raises:
            ParseError: it is none.
        """
        match = _VIA.fullmatch(text)
        if match is None or match["protocol"].upper() != "SIP":
            raise ParseError("malformed Via")
        return cls(
            transport=match["transport"].upper(),
            host=parse_host(match["host"]),
            port=None if match["port"] is None else parse_port(match["port"]),
            params=parse_params(match["params"] or ""),
            version=match["version"],
        )

    def __str__(self) -> str:
        return (
            f"SIP/{self.version}/{self.transport} "
            f"{self.sent_by}{format_params(self.params)}"
        )

    @property
    def sent_by(self) -> str:
        """``host[:port]`` as written, IPv6 in brackets."""
        return format_host_port(self.host, self.port)

    @property
    def branch(self) -> str | None:
        """The transaction's identifier, None in RFC 2543 messages."""
        return self.param("branch") or None

    @property
    def has_magic_cookie(self) -> bool:
        """Whether the branch identifies the transaction alone (RFC 3261 17.2.3).

        The bare cookie with nothing behind it does not (RFC 4475 3.2.1).
        """
        branch = self.branch or ""
        return branch.startswith(MAGIC_COOKIE) and len(branch) > len(MAGIC_COOKIE)

    @property
    def received(self) -> str | None:
        """The source address the next hop saw, without IPv6 brackets (RFC 5118 4.5)."""
        value = self.param("received")
        return value.strip("[]") if value else None

    @property
    def wants_rport(self) -> bool:
        """Whether ``rport`` is present, filled in or not (RFC 3581)."""
        return self.param("rport") is not None

    @property
    def rport(self) -> int | None:
        """The source port the next hop saw, None when absent, empty or malformed."""
        value = self.param("rport")
        if not value:
            return None
        try:
            return parse_port(value)
        except ParseError:
            return None

    @property
    def maddr(self) -> str | None:
        """The multicast (or any) address responses go to instead of sent-by."""
        value = self.param("maddr")
        return value.strip("[]") if value else None

    def param(self, name: str) -> str | None:
        """The unquoted parameter; ``""`` when it has no value, None when absent."""
        return find_param(self.params, name)

    def with_param(self, name: str, value: str | None) -> Self:
        """A copy with a parameter set."""
        return dataclasses.replace(self, params=replace_param(self.params, name, value))

    def without_params(self, *names: str) -> Self:
        """A copy without the named parameters."""
        return dataclasses.replace(self, params=remove_params(self.params, *names))

    def with_source(self, address: str, port: int) -> Self:
        """What the receiver writes: ``received`` if needed, ``rport`` if asked for.

        ``received`` is added when sent-by differs from the source (RFC 3261 18.2.1)
        and always beside ``rport`` (RFC 3581 4); a value the sender put there itself
        is dropped.
        """
        via = self.without_params("received")
        if via.wants_rport:
            via = via.with_param("rport", str(port))
        if via.wants_rport or not same_host(self.host, address):
            via = via.with_param("received", address)
        return via


@dataclass(frozen=True, slots=True)
class CSeq:
    """Sequence number and method (RFC 3261 20.16)."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a CSeq value.

        Raises:
            ParseError: malformed, or 2**31 and above (RFC 3261 8.1.1.5).
        """
        match = _CSEQ.fullmatch(text)
        if match is None or not is_token(match[2]):
            raise ParseError("malformed CSeq")
        digits = match[1].lstrip("0") or "0"
        if len(digits) > 10 or int(digits) > MAX_CSEQ:
            raise ParseError("CSeq out of range")
        return cls(int(digits), match[2])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a request was sent (RFC 3326), e.g. ``SIP;cause=200;text="..."``."""

    protocol: str
    cause: int | None = None
    text: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one Reason element.

        Raises:
            ParseError: malformed.
        """
        protocol, *rest = split(text, ";")
        protocol = protocol.strip()
        if not is_token(protocol):
            raise ParseError("malformed Reason")
        params = parse_params("".join(f";{part}" for part in rest))
        cause = find_param(params, "cause")
        if cause is not None and not (
            cause.isascii() and cause.isdigit() and len(cause) <= 9
        ):
            raise ParseError("malformed cause in Reason")
        return cls(
            protocol,
            None if cause is None else int(cause),
            find_param(params, "text") or "",
        )

    def __str__(self) -> str:
        if not is_token(self.protocol):
            raise InvalidValue("the protocol of a Reason must be a token")
        cause = "" if self.cause is None else f";cause={self.cause}"
        text = f";text={quote(check_line(self.text, 'Reason'))}" if self.text else ""
        return f"{self.protocol}{cause}{text}"
