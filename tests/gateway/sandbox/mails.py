"""Mails to send to the sandbox's mailbox: an invitation, its change and its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

from icalendar import Calendar, Event

LINK = "https://gw.example/join/mT8xq0Zr8nYw5xkTt1oJmU2sGd7eHc4a"
START = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
HTML = f"""<html><head><title>x</title><style>p {{ color: #333 }}</style></head>
<body style="font-family: sans-serif"><h1>Renewal quote</h1>
<p>Robin Reyes invites you to a video call.</p>
<p><a href="{LINK}">Join the call</a></p>
<img src="http://tracker.invalid/pixel.png" alt="">
<script>document.title = "owned"; top.location = "/owned";</script></body></html>"""


def calendar(method: str = "REQUEST", *, sequence: int = 0) -> bytes:
    entry = Event()
    entry.add("uid", "0193a5c2@acme.example")
    entry.add("sequence", sequence)
    entry.add("summary", "Renewal quote")
    entry.add("dtstamp", START)
    entry.add("dtstart", START)
    entry.add("dtend", START + timedelta(minutes=30))
    entry.add("organizer", "mailto:robin.reyes@acme.example")
    entry.add("attendee", "mailto:ana.ruiz@acme-corp.example")
    entry.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    whole = Calendar()
    whole.add("prodid", "-//test//")
    whole.add("version", "2.0")
    whole.add("method", method)
    whole.add_component(entry)
    return whole.to_ical()


def invitation(
    subject: str = "Video call: Renewal quote",
    *,
    method: str = "REQUEST",
    sequence: int = 0,
    html: str | None = HTML,
) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "Robin Reyes <invitations@acme.example>"
    mail["To"] = "Ana Ruiz <ana.ruiz@acme-corp.example>"
    mail["Subject"] = subject
    mail.set_content(
        f"Robin Reyes invites you to a video call.\n\nHelp: https://gw.example/help\n"
        f"Join: {LINK}.\n"
    )
    if html is not None:
        mail.add_alternative(html, subtype="html")
    mail.add_alternative(
        calendar(method, sequence=sequence).decode(),
        subtype="calendar",
        params={"method": method},
    )
    return mail
