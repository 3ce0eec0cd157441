"""The sandbox's mailbox: what is handed in by SMTP is shown, whatever it is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from email.message import EmailMessage

import aiohttp
import aiosmtplib
import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st

from gateway.sandbox.console_server import Console
from gateway.sandbox.mail_reading import CalendarEntry, read_letter
from gateway.sandbox.mailbox import MAX_CONNECTIONS, MAX_MAILS, Mailbox
from tests.gateway.sandbox.mails import HTML, LINK, calendar, invitation

ANA = "ana.ruiz@acme-corp.example"


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    mailbox = Mailbox(now=lambda: 1_795_000_000.0)
    await mailbox.start()
    yield mailbox
    await mailbox.close()


@pytest.fixture
async def page(mailbox: Mailbox) -> AsyncIterator[TestClient[object, object]]:
    console = Console({}, {}, mailbox=mailbox, now=lambda: 0.0)
    mailbox.on_change = console.mails_changed
    async with TestClient(TestServer(console.application())) as client:
        yield client


async def send(mailbox: Mailbox, mail: EmailMessage, *to: str) -> str:
    host, port = mailbox.address
    _, answer = await aiosmtplib.send(
        mail,
        hostname=host,
        port=port,
        sender="invitations@acme.example",
        recipients=list(to) or [ANA],
        start_tls=False,
        timeout=5,
    )
    return answer


async def test_a_mail_is_kept_with_all_that_is_in_it(mailbox: Mailbox) -> None:
    assert "kept as 1" in await send(mailbox, invitation())
    (mail,) = mailbox.mails
    assert (mail.number, mail.at, mail.recipients) == (1, 1_795_000_000.0, (ANA,))
    letter = mail.letter
    assert letter.sender == "Robin Reyes <invitations@acme.example>"
    assert letter.subject == "Video call: Renewal quote"
    assert letter.text.startswith("Robin Reyes invites you")
    assert letter.html.strip() == HTML
    assert letter.link == LINK
    assert letter.calendar == CalendarEntry(
        method="REQUEST",
        summary="Renewal quote",
        starts="2026-11-25T14:00:00+00:00",
        ends="2026-11-25T14:30:00+00:00",
        organizer="robin.reyes@acme.example",
        attendees=(ANA,),
        status="CONFIRMED",
        sequence="0",
        uid="0193a5c2@acme.example",
    )


async def test_the_envelope_says_who_gets_it(mailbox: Mailbox) -> None:
    """A header may say anything; a blind copy is in none."""
    await send(mailbox, invitation(), "sam@acme.example", "ben@globex.example")
    assert mailbox.mails[0].recipients == ("sam@acme.example", "ben@globex.example")


async def test_the_newest_are_kept(mailbox: Mailbox) -> None:
    host, port = mailbox.address
    mail = invitation(html=None)
    client = aiosmtplib.SMTP(hostname=host, port=port, start_tls=False)
    async with client:
        for _ in range(MAX_MAILS + 3):
            await client.send_message(mail, sender="a@b.example", recipients=[ANA])
    assert len(mailbox.mails) == MAX_MAILS
    assert mailbox.mails[0].number == MAX_MAILS + 3
    assert mailbox.mail(3) is None
    assert mailbox.mail(4) is not None


async def test_a_mail_that_is_too_large_is_refused(mailbox: Mailbox) -> None:
    with pytest.raises(aiosmtplib.SMTPException):
        await send(mailbox, invitation(html="x" * 600_000))
    assert mailbox.mails == ()
    await send(mailbox, invitation())


async def test_closing_lets_nobody_hang(mailbox: Mailbox) -> None:
    reader, writer = await asyncio.open_connection(*mailbox.address)
    assert (await reader.readline()).startswith(b"220 ")
    async with asyncio.timeout(2):
        await mailbox.close()
        assert await is_cut(reader)
    writer.close()


async def test_too_many_connections_are_cut(mailbox: Mailbox) -> None:
    host, port = mailbox.address
    writers = []
    for _ in range(MAX_CONNECTIONS):
        reader, writer = await asyncio.open_connection(host, port)
        assert (await reader.readline()).startswith(b"220 ")
        writers.append(writer)
    reader, writer = await asyncio.open_connection(host, port)
    assert await is_cut(reader)
    assert not mailbox.mails
    for each in (*writers, writer):
        each.close()


async def is_cut(reader: asyncio.StreamReader) -> bool:
    """Whether nothing comes any more; what was on its way may."""
    try:
        async with asyncio.timeout(2):
            await reader.read()
    except ConnectionResetError:
        return True
    return reader.at_eof()


# The page's side -----------------------------------------------------------------


async def test_the_page_lists_what_comes(
    mailbox: Mailbox, page: TestClient[object, object]
) -> None:
    async with page.get("/events") as events:
        await said(events, "mails")
        await send(mailbox, invitation())
        listed = await said(events, "mails")
    assert '"subject": "Video call: Renewal quote"' in listed
    # What is in a mail is asked for by whoever opens it.
    assert "join" not in listed
    mail = await (await page.get("/mails/1")).json()
    assert mail["link"] == LINK
    assert mail["calendar"]["starts"] == "2026-11-25T14:00:00+00:00"
    assert (mail["hasHtml"], mail["to"]) == (True, [ANA])
    assert "html" not in mail


async def said(events: aiohttp.ClientResponse, kind: str) -> str:
    async with asyncio.timeout(5):
        async for line in events.content:
            if line == f"event: {kind}\n".encode():
                return (await events.content.readline()).decode()
    raise AssertionError(kind)


async def test_html_may_do_nothing(
    mailbox: Mailbox, page: TestClient[object, object]
) -> None:
    await send(mailbox, invitation())
    reply = await page.get("/mails/1/html")
    policy = reply.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert (await reply.text()).startswith('<base target="_blank">')
    source = await page.get("/mails/1/source")
    assert source.content_type == "text/plain"
    assert source.headers["X-Content-Type-Options"] == "nosniff"
    assert "Subject: Video call: Renewal quote" in await source.text()


@pytest.mark.parametrize(
    "path", ["/mails/2", "/mails/x", "/mails/1/other", "/mails/-1"]
)
async def test_other_addresses_are_nothing(
    mailbox: Mailbox, page: TestClient[object, object], path: str
) -> None:
    await send(mailbox, invitation())
    assert (await page.get(path)).status == 404


# Reading -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "link"),
    [
        (f"See https://a.example/x and ({LINK}).", LINK),
        ("See https://a.example/x, then http://b.example", "https://a.example/x"),
        ("javascript:alert(1) ftp://x", ""),
        ("", ""),
    ],
)
def test_the_link_to_click(text: str, link: str) -> None:
    mail = EmailMessage()
    mail.set_content(text)
    assert read_letter(bytes(mail)).link == link


def test_a_link_in_html_alone_is_found() -> None:
    mail = EmailMessage()
    mail.set_content(f'<a href="{LINK}">Join</a>', subtype="html")
    letter = read_letter(bytes(mail))
    assert (letter.link, letter.text) == (LINK, "")


def test_a_calendar_without_a_calendar() -> None:
    for text in ("", "nonsense", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"):
        mail = EmailMessage()
        mail.set_content("x")
        mail.add_alternative(text, subtype="calendar")
        assert read_letter(bytes(mail)).calendar is None


def test_a_day_has_no_time() -> None:
    text = calendar().replace(
        b"DTSTART:20261125T140000Z", b"DTSTART;VALUE=DATE:20261125"
    )
    mail = EmailMessage()
    mail.set_content("x")
    mail.add_alternative(text.decode(), subtype="calendar")
    entry = read_letter(bytes(mail)).calendar
    assert entry is not None
    assert entry.starts == "2026-11-25"


@given(st.binary(max_size=2000))
def test_any_bytes_are_shown_somehow(data: bytes) -> None:
    read_letter(data)


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_a_mail_with_anything_changed_is_shown_somehow(seed: int, count: int) -> None:
    rng = random.Random(seed)
    data = bytearray(bytes(invitation(sequence=2, method="CANCEL")))
    for _ in range(count):
        place = rng.randrange(len(data))
        match rng.randrange(3):
            case 0:
                data[place] = rng.randrange(256)
            case 1:
                del data[place : place + rng.randrange(1, 30)]
            case _:
                data[place:place] = rng.choice(
                    [
                        b"\r\n",
                        b"\r\n\r\n",
                        b"=?utf-8?b?",
                        b"\xff\xfe",
                        b";",
                        b"DTSTART:",
                    ]
                )
    letter = read_letter(bytes(data))
    assert letter.calendar is None or "\n" not in letter.calendar.summary
