"""What a guest receives: read by another parser than the one that wrote it."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest
import vobject
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.invites.calendar import Method, calendar_entry
from gateway.invites.mail import Envelope, as_html, as_text, compose, when
from gateway.invites.model import MailContent, MailKind
from gateway.invites.text import lines, one_line
from gateway.invites.words import LANGUAGES, WORDS
from tests.gateway.invites.samples import T0, content

LINK = "https://calls.acme.example/join/" + "A" * 32
ENVELOPE = Envelope(
    sender="invites@acme.example",
    host="calls.acme.example",
    uid="f" * 32,
    mail_id="f" * 32 + ".7",
    link=LINK,
    made_at=T0 - 3600,
)


def parsed(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    return message


def parts(message: EmailMessage) -> dict[str, EmailMessage]:
    return {
        part.get_content_type(): part
        for part in message.walk()
        if isinstance(part, EmailMessage) and not part.is_multipart()
    }


def event_of(text: str) -> Any:
    """By vobject, which is not what wrote it."""
    calendar = vobject.readOne(text)
    assert [child.name for child in calendar.getChildren()].count("VEVENT") == 1
    return calendar.vevent


def calendar_of(message: EmailMessage) -> str:
    text = parts(message)["text/calendar"].get_content()
    assert isinstance(text, str)
    return text


def test_the_shape_that_calendars_show_as_an_invitation() -> None:
    message = parsed(compose(MailKind.INVITATION, content(), ENVELOPE))
    assert message.get_content_type() == "multipart/mixed"
    alternative, attachment = message.iter_parts()
    assert alternative.get_content_type() == "multipart/alternative"
    kinds = [part.get_content_type() for part in alternative.iter_parts()]
    assert kinds == ["text/plain", "text/html", "text/calendar"]
    entry = parts(message)["text/calendar"]
    assert entry.get_param("method") == "REQUEST"
    assert attachment.get_content_type() == "application/ics"
    assert attachment.get_filename() == "invite.ics"
    attached = attachment.get_content()
    assert isinstance(attached, bytes)
    assert attached.decode().splitlines() == calendar_of(message).splitlines()


def test_headers() -> None:
    message = parsed(compose(MailKind.INVITATION, content(), ENVELOPE))
    (sender,) = message["From"].addresses
    assert sender == Address("Robin Reyes", addr_spec="invites@acme.example")
    (to,) = message["To"].addresses
    assert to == Address("Ana Ruiz", addr_spec="ana@customer.example")
    (reply,) = message["Reply-To"].addresses
    assert reply.addr_spec == "robin@acme.example"
    assert message["Subject"] == "Video call: Your offer"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    assert message["Message-ID"] == f"<{'f' * 32}.7@calls.acme.example>"
    assert message["Date"].datetime == datetime(2026, 12, 1, 14, tzinfo=UTC)


def test_a_host_without_an_address_is_not_named_for_answers() -> None:
    silent = content(host_email="", company="")
    message = parsed(compose(MailKind.INVITATION, silent, ENVELOPE))
    assert message["Reply-To"] is None
    assert WORDS["en"].questions not in as_text(MailKind.INVITATION, silent, LINK)
    organizer = event_of(calendar_of(message)).organizer
    assert organizer.value == "mailto:invites@acme.example"
    assert "SENT-BY" not in organizer.params


def test_the_same_mail_has_the_same_bytes_and_suits_every_server() -> None:
    rich = content(subject="Ünïcödé ☎", text="é" * 900, guest_name="Zoë " * 18)
    first = compose(MailKind.INVITATION, rich, ENVELOPE)
    assert first == compose(MailKind.INVITATION, rich, ENVELOPE)
    assert first.isascii()
    assert all(len(line) <= 998 for line in first.split(b"\r\n"))
    assert b"\n" not in first.replace(b"\r\n", b"")


def test_the_calendar_entry() -> None:
    message = parsed(
        compose(MailKind.INVITATION, content(text="Bring it; all, of\nit"), ENVELOPE)
    )
    event = event_of(calendar_of(message))
    assert event.uid.value == f"{'f' * 32}@calls.acme.example"
    assert event.dtstart.value == datetime(2026, 12, 1, 15, tzinfo=UTC)
    assert event.dtend.value == datetime(2026, 12, 1, 15, 30, tzinfo=UTC)
    assert event.dtstamp.value == datetime(2026, 12, 1, 14, tzinfo=UTC)
    assert event.sequence.value == "0"
    assert event.status.value == "CONFIRMED"
    assert event.summary.value == "Your offer"
    assert event.url.value == event.location.value == LINK
    assert event.description.value.endswith("\n\nBring it; all, of\nit")
    assert LINK in event.description.value
    assert event.organizer.value == "mailto:robin@acme.example"
    assert event.organizer.params["CN"] == ["Robin Reyes"]
    assert event.organizer.params["SENT-BY"] == ["mailto:invites@acme.example"]
    assert event.attendee.value == "mailto:ana@customer.example"
    assert event.attendee.params["RSVP"] == ["FALSE"]
    assert len(event.attendee_list) == 1


def test_a_change_and_a_cancellation_are_of_the_same_entry() -> None:
    first = parsed(compose(MailKind.INVITATION, content(), ENVELOPE))
    later = content(sequence=1, starts_at=T0 + 3600, ends_at=T0 + 5400)
    changed = parsed(compose(MailKind.CHANGE, later, ENVELOPE))
    gone = parsed(compose(MailKind.CANCELLATION, content(sequence=2), ENVELOPE))
    events = [event_of(calendar_of(message)) for message in (first, changed, gone)]
    assert len({event.uid.value for event in events}) == 1
    assert len({event.organizer.value for event in events}) == 1
    assert [event.sequence.value for event in events] == ["0", "1", "2"]
    assert parts(changed)["text/calendar"].get_param("method") == "REQUEST"
    assert parts(gone)["text/calendar"].get_param("method") == "CANCEL"
    assert events[2].status.value == "CANCELLED"
    assert changed["Subject"] == "Changed: Your offer"
    assert gone["Subject"] == "Cancelled: Your offer"
    assert "/join/" not in gone.as_string()
    assert "/join/" not in as_text(MailKind.CANCELLATION, content(), LINK)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("kind", list(MailKind))
def test_every_language_says_all_of_it(language: str, kind: MailKind) -> None:
    mail = content(language=language, text="Eins\nzwei")
    text = as_text(kind, mail, LINK)
    page = as_html(kind, mail, LINK)
    for what in ("Ana Ruiz", "Robin Reyes", "Acme Corp", "Your offer", when(mail)):
        assert what in text
        assert what in page
    assert "{" not in text
    assert (LINK in text) is (kind is not MailKind.CANCELLATION)
    assert page.count(f'href="{LINK}"') == (0 if kind is MailKind.CANCELLATION else 2)
    assert f'lang="{language}"' in page


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "en",
            "Tuesday, December 1, 2026, 4:00 PM – 4:30 PM "
            "(Central European Standard Time, GMT+01:00)",
        ),
        (
            "de",
            "Dienstag, 1. Dezember 2026, 16:00 – 16:30 "
            "(Mitteleuropäische Normalzeit, GMT+01:00)",
        ),
        (
            "es",
            "martes, 1 de diciembre de 2026, 16:00 – 16:30 "
            "(hora estándar de Europa central, GMT+01:00)",
        ),
        (
            "fr",
            "mardi 1 décembre 2026, 16:00 – 16:30 "
            "(heure normale d’Europe centrale, UTC+01:00)",
        ),
    ],
)
def test_the_time_in_the_guests_language_and_the_hosts_zone(
    language: str, expected: str
) -> None:
    assert when(content(language=language)) == expected


def test_over_midnight_and_over_the_change_of_the_clocks() -> None:
    early = T0 - 4 * 3600
    late = content(time_zone="Pacific/Auckland", starts_at=early, ends_at=early + 1800)
    assert when(late).startswith("Wednesday, December 2, 2026, 12:00 AM – 12:30 AM")
    long = content(ends_at=T0 + 10 * 3600)
    assert "4:00 PM – Wednesday, December 2, 2026, 2:00 AM" in when(long)
    # The same call, where the clocks were changed already and where they were not.
    spring = 1_773_054_000.0  # 9 March 2026, 11:00 UTC
    for zone, expected in (
        ("America/New_York", "7:00 AM – 7:30 AM (Eastern Daylight Time, GMT-04:00)"),
        ("Europe/Berlin", "12:00 PM – 12:30 PM (Central European Standard Time, GMT"),
    ):
        there = content(time_zone=zone, starts_at=spring, ends_at=spring + 1800)
        assert expected in when(there)
    # 25 October 2026, 02:30 CEST to 02:30 CET: an hour later.
    night = 1_792_888_200.0
    doubled = content(starts_at=night, ends_at=night + 3600)
    assert "2:30 AM – 2:30 AM (Central European Summer Time" in when(doubled)


# Injection ------------------------------------------------------------------------

NASTY = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "\r\nBcc: all@customer.example",
            "\nBEGIN:VALARM\nACTION:EMAIL\nEND:VALARM",
            'x";CN="y',
            "a\\nb\\,c;d:e",
            "<script>alert(1)</script>",
            '"><img src=x onerror=alert(1)>',
            "{host} {0.__class__} %s",
            "=?utf-8?q?=0D=0ABcc:_x@y.example?=",
            "^n^'^^",
            "\u2028\u2029\x85\x0b\x0c\x1c",
            "a" * 200 + " b" * 100,
            "&amp;&lt;",
            "–…”“'",
            "\u202eevil\u2066",
            "=?utf-8?b?",
            ".\r\n.\r\nMAIL FROM:<x@y.example>",
        ]
    ),
)


@st.composite
def contents(draw: st.DrawFn) -> MailContent:
    def name(pattern: st.SearchStrategy[str]) -> str:
        return one_line(draw(pattern)) or "x"

    return content(
        guest_name=name(NASTY)[:80],
        host_name=name(NASTY)[:120],
        company=one_line(draw(NASTY)),
        subject=name(NASTY)[:120],
        text=lines(draw(NASTY) + "\n" + draw(NASTY)),
        language=draw(st.sampled_from(sorted(LANGUAGES))),
    )


EXPECTED_HEADERS = [
    "From",
    "To",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "MIME-Version",
    "Content-Type",
]


@settings(max_examples=150, deadline=None)
@given(contents(), st.sampled_from(list(MailKind)))
def test_nothing_that_people_type_becomes_a_header(
    mail: MailContent, kind: MailKind
) -> None:
    data = compose(kind, mail, ENVELOPE)
    message = parsed(data)
    assert sorted(message.keys()) == sorted(EXPECTED_HEADERS)
    assert [a.addr_spec for a in message["To"].addresses] == ["ana@customer.example"]
    assert [a.addr_spec for a in message["From"].addresses] == ["invites@acme.example"]
    # The same by the old parser, which reads bytes as servers do.
    plain = email.message_from_bytes(data)
    assert len(plain.keys()) == len(EXPECTED_HEADERS)
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/calendar",
        "application/ics",
    ]
    assert b"\n" not in data.replace(b"\r\n", b"")


@settings(max_examples=200, deadline=None)
@given(contents(), st.sampled_from(list(Method)))
def test_the_calendar_says_what_was_typed_and_nothing_else(
    mail: MailContent, method: Method
) -> None:
    text = calendar_entry(
        mail, method, uid="u@h", link=LINK, sender="invites@acme.example", made_at=T0
    )
    assert text.replace("\r\n", "").count("\n") == 0
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    event = event_of(text)
    assert event.summary.value == mail.subject
    names = sorted(child.name for child in event.getChildren())
    expected = ["DESCRIPTION", "DTEND", "DTSTAMP", "DTSTART", "ORGANIZER", "SEQUENCE"]
    expected += ["STATUS", "SUMMARY", "UID"]
    if method is not Method.CANCEL:
        expected += ["LOCATION", "URL"]
        description = event.description.value
        if mail.text:
            assert description.endswith("\n\n" + mail.text)
    if method is not Method.PUBLISH:
        expected += ["ATTENDEE"]
        assert event.attendee.value == "mailto:ana@customer.example"
        shown = mail.guest_name.replace('"', "”").replace("^", "ˆ")
        assert event.attendee.params["CN"] == [shown]
    assert names == sorted(expected)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


@settings(max_examples=150, deadline=None)
@given(contents(), st.sampled_from(list(MailKind)))
def test_nothing_that_people_type_becomes_html(
    mail: MailContent, kind: MailKind
) -> None:
    page = _Tags()
    page.feed(as_html(kind, mail, LINK))
    allowed = {"html", "head", "meta", "title", "body", "div", "p", "strong", "br", "a"}
    assert set(page.tags) <= allowed
    assert page.attributes <= {"lang", "charset", "name", "content", "style", "href"}
    assert set(page.links) <= {LINK}
    assert mail.subject in page.text
    assert page.tags.count("a") == (0 if kind is MailKind.CANCELLATION else 2)


@pytest.mark.parametrize(
    "word", ["=?utf-8?q?=0D=0ABcc:_all@customer.example?=", "=??Q?=0D", "=?=?utf-8?b?"]
)
def test_an_encoded_word_that_was_typed_is_not_decoded(word: str) -> None:
    mail = content(subject=word, host_name=word, guest_name=word)
    message = parsed(compose(MailKind.INVITATION, mail, ENVELOPE))
    assert sorted(message.keys()) == sorted(EXPECTED_HEADERS)
    assert message["Subject"] == "Video call: " + word.replace("=?", "= ?")
    assert message["To"].addresses[0].display_name == word.replace("=?", "= ?")


def test_a_mail_has_one_link_and_it_is_the_guests_own() -> None:
    data = parsed(compose(MailKind.INVITATION, content(), ENVELOPE))
    found = set()
    for part in parts(data).values():
        text = part.get_content()
        text = text.decode() if isinstance(text, bytes) else text
        found |= set(re.findall(r"/join/[\w-]+", re.sub(r"\r?\n[ \t]", "", text)))
    assert found == {"/join/" + "A" * 32}
