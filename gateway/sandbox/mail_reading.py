"""A mail as the sandbox's mailbox shows it: texts, calendar entry, link. Pure.

Whatever came is shown somehow: what cannot be read is an empty part, not an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import default as DEFAULT_POLICY
from typing import Any, TypeVar

from icalendar import Calendar

T = TypeVar("T")

MAX_SHOWN = 200
# What the email package and icalendar raise for what is not as it should be.
_UNREADABLE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    MessageError,
)
_URL = re.compile(r"https?://[^\s<>\"']+")
_INVITE = "/join/"


@dataclass(frozen=True, slots=True)
class CalendarEntry:
    """The first event of a text/calendar part. ``starts`` and ``ends`` are ISO 8601,
    with a zone or, for whole days, without a time; "" where there is none."""

    method: str = ""
    summary: str = ""
    starts: str = ""
    ends: str = ""
    organizer: str = ""
    attendees: tuple[str, ...] = ()
    status: str = ""
    sequence: str = ""
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """``link`` is the one to click: an invite's, else the first, else ""."""

    sender: str = ""
    subject: str = ""
    text: str = ""
    html: str = ""
    link: str = ""
    calendar: CalendarEntry | None = None


def read_letter(data: bytes) -> Letter:
    """What is in the message, as far as it can be read."""
    message = _or(None, lambda: message_from_bytes(data, policy=DEFAULT_POLICY))
    if not isinstance(message, EmailMessage):
        return Letter(text=data.decode("utf-8", "replace"))
    parts: list[Any] = _or([], lambda: list(message.walk()))
    text = next(_texts(parts, "text/plain"), "")
    html = next(_texts(parts, "text/html"), "")
    entries = (_calendar_entry(part) for part in _texts(parts, "text/calendar"))
    return Letter(
        sender=_header(message, "From"),
        subject=_header(message, "Subject"),
        text=text,
        html=html,
        link=_link(text, html),
        calendar=next((entry for entry in entries if entry is not None), None),
    )


def _or(otherwise: T, read: Callable[[], T]) -> T:
    try:
        return read()
    except _UNREADABLE:
        return otherwise


def _header(message: EmailMessage, name: str) -> str:
    return _or("", lambda: _shown(message.get(name, "")))


def _shown(value: object) -> str:
    return " ".join(str(value).split())[:MAX_SHOWN]


def _texts(parts: list[Any], kind: str) -> Iterator[str]:
    for part in parts:
        if _or("", part.get_content_type) == kind:
            content = _or(None, part.get_content)
            if isinstance(content, bytes):
                content = content.decode("utf-8", "replace")
            if isinstance(content, str):
                yield content.replace("\r\n", "\n")


def _link(text: str, html: str) -> str:
    # In HTML an address may have its ampersands escaped; ours have none.
    found = [url.rstrip(".,;:!?)]}") for url in _URL.findall(f"{text}\n{html}")]
    return next((url for url in found if _INVITE in url), found[0] if found else "")


def _calendar_entry(text: str) -> CalendarEntry | None:
    return _or(None, lambda: _entry(Calendar.from_ical(text)))


def _entry(calendar: Any) -> CalendarEntry | None:
    for event in calendar.walk("VEVENT"):
        attendees = event.get("ATTENDEE", [])
        listed = attendees if isinstance(attendees, list) else [attendees]
        return CalendarEntry(
            method=_shown(calendar.get("METHOD", "")),
            summary=_shown(event.get("SUMMARY", "")),
            starts=_moment(event.get("DTSTART")),
            ends=_moment(event.get("DTEND")),
            organizer=_address(event.get("ORGANIZER", "")),
            attendees=tuple(_address(each) for each in listed[:20]),
            status=_shown(event.get("STATUS", "")),
            sequence=_shown(event.get("SEQUENCE", "")),
            uid=_shown(event.get("UID", "")),
        )
    return None


def _moment(value: Any) -> str:
    at = getattr(value, "dt", None)
    match at:
        case datetime() if at.tzinfo is not None:
            return at.astimezone(UTC).isoformat()
        case datetime() | date():
            return at.isoformat()
        case _:
            return ""


def _address(value: object) -> str:
    shown = _shown(value)
    return shown[7:] if shown.lower().startswith("mailto:") else shown
