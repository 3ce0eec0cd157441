"""Bodies of ``message/sipfrag``: reports on REFER (RFC 3420, RFC 3515 2.4.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sip.errors import ParseError
from sip.message import Response, reason_phrase

MEDIA_TYPE = "message/sipfrag"

# Only the first line is of interest, however long the fragment.
_STATUS_LINE = re.compile(rb"SIP/2\.0 +([1-6]\d\d)(?: +([^\r\n]{0,200}))?", re.I)


@dataclass(frozen=True, slots=True)
class StatusLine:
    """What became of the referred request so far."""

    status: int
    reason_phrase: str = ""

    @classmethod
    def parse(cls, body: bytes) -> StatusLine:
        """Read the status line that begins a fragment.

        Raises:
            ParseError: it begins with something else.
        """
        match = _STATUS_LINE.match(body.lstrip(b"\r\n"))
        if match is None:
            raise ParseError("a sipfrag without a status line")
        phrase = (match[2] or b"").decode("utf-8", "surrogateescape").strip()
        return cls(int(match[1]), phrase)

    def to_bytes(self) -> bytes:
        """The fragment.

        Raises:
            InvalidValue: the phrase contains a line break, or the status is none.
        """
        phrase = self.reason_phrase or reason_phrase(self.status)
        head, _, _ = Response(self.status, phrase).to_bytes().partition(b"\r\n")
        return head + b"\r\n"
