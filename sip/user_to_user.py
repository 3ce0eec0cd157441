"""The User-to-User header (RFC 7433): what a caller's system says of the caller."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from sip.errors import ParseError
from sip.headers import Headers
from sip.lexical import (
    QUOTED,
    encode,
    find_param,
    is_token,
    parse_params,
    unquote,
)

#: Of one value; the ISDN service carries 128 octets, and SIP peers not much more.
MAX_CHARS = 1024
#: RFC 7434: what a value is of that names no purpose.
ISDN_PURPOSE = "isdn-uui"
HEX = "hex"

_VALUE = re.compile(rf"""\s*({QUOTED}|[^\s;"]+)\s*(;.*)?""", re.DOTALL)
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")


@dataclass(frozen=True, slots=True)
class UserToUser:
    """One value.

    Attributes:
        data: as received, without quotes.
        purpose: the package that gives it its meaning, in lower case; "" if none is
            named, which means :data:`ISDN_PURPOSE`.
        encoding: of ``data``, in lower case; "" if none is named.
    """

    data: str
    purpose: str = ""
    encoding: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one ``uui-value``.

        Raises:
            ParseError: malformed, or longer than :data:`MAX_CHARS`.
        """
        if len(text) > MAX_CHARS:
            raise ParseError("User-to-User is too long")
        found = _VALUE.fullmatch(text)
        if found is None:
            raise ParseError("malformed User-to-User")
        data, params = found[1], parse_params(found[2] or "")
        if not data.startswith('"') and not is_token(data):
            raise ParseError("malformed User-to-User")
        return cls(
            unquote(data),
            (find_param(params, "purpose") or "").lower(),
            (find_param(params, "encoding") or "").lower(),
        )

    @classmethod
    def of_headers(cls, headers: Headers) -> tuple[Self, ...]:
        """All that can be read, in order; what is malformed is passed over, since no
        call fails for it."""
        try:
            values = headers.get_list("User-to-User")
        except ParseError:
            return ()
        found = []
        for value in values:
            try:
                found.append(cls.parse(value))
            except ParseError:
                continue
        return tuple(found)

    def octets(self, *, is_hex: bool | None = None) -> bytes:
        """What was meant.

        Args:
            is_hex: how to read a value that names no encoding; None: ``isdn-uui`` by
                name is hexadecimal (RFC 7434 5), and all else is text, as most
                senders mean it who say nothing.

        Raises:
            ParseError: it is not of its encoding, or of one that is not known.
        """
        if self.encoding not in ("", HEX):
            raise ParseError("unknown encoding of User-to-User")
        if is_hex is None:
            is_hex = self.purpose == ISDN_PURPOSE
        if self.encoding == HEX or is_hex:
            if _HEX.fullmatch(self.data) is None:
                raise ParseError("User-to-User is not hexadecimal")
            return bytes.fromhex(self.data)
        return encode(self.data)
