"""The calendar entry of an invite (RFC 5545, RFC 5546).

One entry per guest, with a UID of its own: guests get different links, and two of
them may share a mailbox.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime

from icalendar import Calendar, Event, vCalAddress, vText

from gateway.invites.model import MailContent
from gateway.invites.words import WORDS

PRODUCT = "-//Ringbridge//Video invites//EN"


class Method(enum.StrEnum):
    """``PUBLISH`` is what a guest takes from the page, the others come by mail."""

    REQUEST = "REQUEST"
    CANCEL = "CANCEL"
    PUBLISH = "PUBLISH"


def calendar_entry(
    content: MailContent,
    method: Method,
    *,
    uid: str,
    link: str,
    sender: str,
    made_at: float,
) -> str:
    """The iCalendar object, folded, with CRLF.

    ``sender`` is the address that mails come from: it is the organizer when the host
    has no address, and is said to act for the host otherwise.
    """
    words = WORDS[content.language]
    calendar = Calendar()
    calendar.add("PRODID", PRODUCT)
    calendar.add("VERSION", "2.0")
    calendar.add("METHOD", method.value)
    event = Event()
    event.add("UID", uid)
    event.add("SEQUENCE", content.sequence)
    event.add("DTSTAMP", _utc(made_at))
    event.add("DTSTART", _utc(content.starts_at))
    event.add("DTEND", _utc(content.ends_at))
    event.add("SUMMARY", content.subject)
    event.add("STATUS", "CANCELLED" if method is Method.CANCEL else "CONFIRMED")
    if organizer := _organizer(content, sender):
        event.add("ORGANIZER", organizer)
    if method is not Method.PUBLISH and content.guest_email:
        event.add("ATTENDEE", _attendee(content))
    if method is not Method.CANCEL:
        event.add("LOCATION", link)
        event.add("URL", link)
        event.add("DESCRIPTION", "\n\n".join(_description(content, link)))
    else:
        event.add("DESCRIPTION", words.regret)
    calendar.add_component(event)
    data: bytes = calendar.to_ical()
    return data.decode("utf-8")


def _description(content: MailContent, link: str) -> list[str]:
    words = WORDS[content.language]
    head = words.calendar.format(host=content.host_name)
    return [f"{head}\n{link}", *([content.text] if content.text else [])]


def _organizer(content: MailContent, sender: str) -> vCalAddress | None:
    address = content.host_email or sender
    if not address:
        return None
    organizer = vCalAddress(f"mailto:{address}")
    organizer.params["CN"] = vText(_parameter(content.host_name))
    if sender and sender.casefold() != address.casefold():
        organizer.params["SENT-BY"] = vText(f"mailto:{sender}")
    return organizer


def _attendee(content: MailContent) -> vCalAddress:
    attendee = vCalAddress(f"mailto:{content.guest_email}")
    attendee.params["CN"] = vText(_parameter(content.guest_name))
    attendee.params["ROLE"] = vText("REQ-PARTICIPANT")
    attendee.params["PARTSTAT"] = vText("NEEDS-ACTION")
    # Answers would go to a mailbox that nobody reads for us.
    attendee.params["RSVP"] = vText("FALSE")
    return attendee


def _parameter(name: str) -> str:
    # RFC 5545 3.2: a quoted parameter cannot hold a quote; RFC 6868's ^' is read by
    # few, so a look-alike takes its place.
    return name.replace('"', "”").replace("^", "ˆ")


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(int(at), UTC)
