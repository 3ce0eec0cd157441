"""The Replaces header (RFC 3891): the dialog that an INVITE is to take the place of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from sip.errors import InvalidValue, ParseError
from sip.headers import Headers
from sip.lexical import find_param, format_params, is_token, parse_params, split

# RFC 3261 25.1: word [ "@" word ]; no ";" and no white space, so that it stands alone.
_CALL_ID = re.compile(
    r"[A-Za-z0-9\-.!%*_+`'~()<>:\\\"/\[\]?{}]+"
    r"(?:@[A-Za-z0-9\-.!%*_+`'~()<>:\\\"/\[\]?{}]+)?"
)


@dataclass(frozen=True, slots=True)
class Replaces:
    """A dialog as the receiver of the INVITE knows it.

    Attributes:
        to_tag: the receiver's own tag in that dialog.
        from_tag: the tag of its peer there.
        early_only: only while it has not been answered.

    Raises:
        InvalidValue: from ``str()``, when a part cannot be written.
    """

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a Replaces value.

        Raises:
            ParseError: malformed, or without both tags.
        """
        # A Call-ID may hold quotes and brackets, which split() would pair up.
        call_id, semicolon, rest = text.strip().partition(";")
        params = parse_params(semicolon + rest)
        to_tag, from_tag = find_param(params, "to-tag"), find_param(params, "from-tag")
        if not to_tag or not from_tag or _CALL_ID.fullmatch(call_id.strip()) is None:
            raise ParseError("malformed Replaces")
        early = find_param(params, "early-only") is not None
        return cls(call_id.strip(), to_tag, from_tag, early)

    @classmethod
    def of_headers(cls, headers: Headers) -> Self | None:
        """The one Replaces of a request, None when there is none.

        Raises:
            ParseError: malformed, or more than one (RFC 3891 3).
        """
        values = headers.get_all("Replaces")
        if not values:
            return None
        if len(values) > 1 or any(len(split(value, ",")) > 1 for value in values):
            raise ParseError("more than one Replaces")
        return cls.parse(values[0])

    def __str__(self) -> str:
        if _CALL_ID.fullmatch(self.call_id) is None or not (
            is_token(self.to_tag) and is_token(self.from_tag)
        ):
            raise InvalidValue("a dialog that Replaces cannot name")
        params: list[tuple[str, str | None]] = [
            ("to-tag", self.to_tag),
            ("from-tag", self.from_tag),
        ]
        if self.early_only:
            params.append(("early-only", None))
        return f"{self.call_id}{format_params(params)}"
