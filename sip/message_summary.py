"""``application/simple-message-summary``: who has how much voice mail (RFC 3842)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sip.errors import ParseError

MEDIA_TYPE = "application/simple-message-summary"
MAX_LINES = 64

_COUNTS = re.compile(
    r"(\d{1,9})\s*/\s*(\d{1,9})(?:\s*\(\s*(\d{1,9})\s*/\s*(\d{1,9})\s*\))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class MessageSummary:
    """What waits; counts are None when the server only says that something does.

    Attributes:
        new: voice messages not yet heard, urgent ones included.
        old: heard ones that are kept.
    """

    is_waiting: bool
    new: int | None = None
    old: int | None = None


def parse_message_summary(body: bytes) -> MessageSummary:
    """Read a summary; of the kinds of messages only voice is of interest.

    Raises:
        ParseError: it does not say whether messages wait.
    """
    text = body.decode("utf-8", "replace")
    fields: dict[str, str] = {}
    for line in text.splitlines()[:MAX_LINES]:
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    waiting = fields.get("messages-waiting", "").lower()
    if waiting not in ("yes", "no"):
        raise ParseError("a message summary that says nothing")
    counts = _COUNTS.fullmatch(fields.get("voice-message", ""))
    if counts is None:
        return MessageSummary(waiting == "yes")
    return MessageSummary(waiting == "yes", int(counts[1]), int(counts[2]))
