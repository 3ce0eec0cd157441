"""Composes the mails. Pure: the same mail has the same bytes at every attempt."""

from __future__ import annotations

import hashlib
import html
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from gateway.invites.calendar import Method, calendar_entry
from gateway.invites.design import ACCENT, Design, on, readable
from gateway.invites.model import MailContent, MailKind
from gateway.invites.moments import when
from gateway.invites.templates import HTML, SUBJECT, TEXT, Look
from gateway.invites.words import WORDS, Words

# Every server takes it: seven bits, short lines.
_POLICY = SMTP.clone(cte_type="7bit", max_line_length=78)
_FILE = "invite.ics"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is around a mail's words.

    Attributes:
        sender: the address that it comes from.
        host: the name behind the @ of message ids and UIDs.
        uid: of the calendar entry, before the @.
        mail_id: unique among all mails.
        link: the guest's own.
        made_at: Unix seconds, when it was decided on.
    """

    sender: str
    host: str
    uid: str
    mail_id: str
    link: str
    made_at: float


# As nobody has chosen another.
PLAIN = Design()
_PLAIN_LOOK = Look(ACCENT)


def compose(
    kind: MailKind,
    content: MailContent,
    envelope: Envelope,
    design: Design = PLAIN,
) -> bytes:
    """The whole message, ready for DATA; in the company's design, by its templates
    where it has some."""
    words = WORDS[content.language]
    message = EmailMessage(policy=_POLICY)
    message["From"] = _address(content.host_name, envelope.sender)
    message["To"] = _address(content.guest_name, content.guest_email)
    if content.host_email:
        message["Reply-To"] = _address(content.host_name, content.host_email)
    cid = f"logo.{envelope.mail_id}@{envelope.host}"
    look = Look(design.accent, f"cid:{cid}" if design.logo is not None else "")

    def own(part: str) -> str | None:
        if design.templates is None:
            return None
        return design.templates.render(
            kind, content, part, link=envelope.link, look=look
        )

    subject = own(SUBJECT)
    if subject is None:
        subject = _subject(words, kind).format(subject=content.subject)
    message["Subject"] = _unencoded(subject)
    made_at = datetime.fromtimestamp(int(envelope.made_at), UTC)
    message["Date"] = format_datetime(made_at)
    message["Message-ID"] = f"<{envelope.mail_id}@{envelope.host}>"
    # RFC 3834: nobody's absence note is to come back.
    message["Auto-Submitted"] = "auto-generated"
    # The same to servers that ask for it in their own words; reports may come.
    message["X-Auto-Response-Suppress"] = "OOF, AutoReply"

    method = Method.CANCEL if kind is MailKind.CANCELLATION else Method.REQUEST
    entry = calendar_entry(
        content,
        method,
        uid=f"{envelope.uid}@{envelope.host}",
        link=envelope.link,
        sender=envelope.sender,
        made_at=envelope.made_at,
    )
    text, page = own(TEXT), own(HTML)
    message.set_content(as_text(kind, content, envelope.link) if text is None else text)
    if page is None:
        page = as_html(kind, content, envelope.link, look)
    message.add_alternative(page, subtype="html")
    if design.logo is not None and look.logo in page:
        _, dressed = message.iter_parts()
        assert isinstance(dressed, EmailMessage)
        dressed.add_related(
            design.logo.data,
            maintype="image",
            subtype=design.logo.subtype,
            cid=f"<{cid}>",
            disposition="inline",
            filename=f"logo.{design.logo.subtype}",
        )
    message.add_alternative(entry, subtype="calendar", params={"method": method.value})
    message.add_attachment(
        entry.encode("utf-8"), maintype="application", subtype="ics", filename=_FILE
    )
    _set_boundaries(message, envelope.mail_id)
    return message.as_bytes(policy=_POLICY)


def as_text(kind: MailKind, content: MailContent, link: str) -> str:
    """The plain words, which work alone."""
    words = WORDS[content.language]
    parts = [
        words.hello.format(guest=content.guest_name),
        _opening(words, kind, content),
        f"  {content.subject}\n  {words.when} {when(content)}",
    ]
    if kind is MailKind.CANCELLATION:
        parts.append(words.regret)
    else:
        if content.text:
            said = "\n".join(f"  {line}" for line in content.text.split("\n"))
            parts.append(f"{_message(words, content)}\n{said}")
        parts.append(f"{words.link}\n{link}")
        parts.append(" ".join(_hints(words, content)))
    if content.host_email:
        parts.append(words.questions)
    if kind is not MailKind.CANCELLATION:
        parts.append(words.see_you)
    parts.append(_signature(content))
    return "\n\n".join(parts) + "\n"


def as_html(
    kind: MailKind, content: MailContent, link: str, look: Look = _PLAIN_LOOK
) -> str:
    """The same words, dressed; styles are inline since mail readers drop others."""
    words = WORDS[content.language]
    escape = html.escape
    accent, ink, on_accent = look.accent, readable(look.accent), on(look.accent)
    parts = [
        _p(escape(words.hello.format(guest=content.guest_name))),
        _p(escape(_opening(words, kind, content))),
        '<div style="margin:0 0 16px;padding:12px 16px;border-left:4px solid '
        f"{accent};"
        'background:#f3f6fa;color:#1d2733">'
        f'<strong style="font-size:17px">{escape(content.subject)}</strong><br>'
        f"{escape(words.when)} {escape(when(content))}</div>",
    ]
    if look.logo:
        parts.insert(
            0,
            f'<p style="margin:0 0 24px"><img src="{escape(look.logo)}" '
            f'alt="{escape(content.company)}" style="max-width:220px;'
            'max-height:64px;border:0"></p>',
        )
    if kind is MailKind.CANCELLATION:
        parts.append(_p(escape(words.regret)))
    else:
        if content.text:
            said = escape(content.text).replace("\n", "<br>")
            parts.append(_p(f"{escape(_message(words, content))}<br>{said}"))
        url = escape(link)
        parts.append(
            f'<p style="margin:0 0 16px"><a href="{url}" style="display:inline-block;'
            f"padding:12px 20px;border-radius:6px;background:{accent};"
            f"color:{on_accent};"
            f'font-weight:bold;text-decoration:none">{escape(words.button)}</a></p>'
        )
        parts.append(
            _p(
                f"{escape(words.link)}<br>"
                f'<a href="{url}" style="color:{ink};word-break:break-all">{url}</a>'
            )
        )
        parts.append(_p(escape(" ".join(_hints(words, content)))))
    if content.host_email:
        parts.append(_p(escape(words.questions)))
    if kind is not MailKind.CANCELLATION:
        parts.append(_p(escape(words.see_you)))
    parts.append(_p(escape(_signature(content)).replace("\n", "<br>")))
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="{content.language}">\n<head>\n'
        '<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(content.subject)}</title>\n</head>\n"
        '<body style="margin:0;padding:24px;font-family:Arial,Helvetica,sans-serif;'
        'font-size:15px;line-height:1.5;color:#1d2733;background:#ffffff">\n'
        f'<div style="max-width:560px">\n{body}\n</div>\n</body>\n</html>\n'
    )


def _subject(words: Words, kind: MailKind) -> str:
    match kind:
        case MailKind.INVITATION:
            return words.invitation_subject
        case MailKind.CHANGE:
            return words.change_subject
        case MailKind.CANCELLATION:
            return words.cancellation_subject


def _opening(words: Words, kind: MailKind, content: MailContent) -> str:
    host = content.host_name
    if kind is MailKind.CHANGE:
        return words.change.format(host=host)
    if content.company:
        host = words.host_of.format(host=host, company=content.company)
    if kind is MailKind.CANCELLATION:
        return words.cancellation.format(host=host)
    return words.invitation.format(host=host)


def _message(words: Words, content: MailContent) -> str:
    return words.message.format(host=content.host_name)


def _hints(words: Words, content: MailContent) -> list[str]:
    hints = [words.nothing_needed]
    if content.opens_before_s >= 60:
        hints.append(words.early.format(minutes=content.opens_before_s // 60))
    return [*hints, words.private]


def _signature(content: MailContent) -> str:
    return "\n".join(filter(None, (content.host_name, content.company)))


def _p(inner: str) -> str:
    return f'<p style="margin:0 0 16px">{inner}</p>'


def _address(name: str, address: str) -> Address:
    return Address(display_name=_unencoded(name), addr_spec=address)


def _unencoded(text: str) -> str:
    """Without the beginnings of encoded words (RFC 2047): the standard library would
    decode one, and what was typed could hold a line break after all."""
    return text.replace("=?", "= ?")


def _set_boundaries(message: EmailMessage, seed: str) -> None:
    multiparts = [part for part in message.walk() if part.is_multipart()]
    for number, part in enumerate(multiparts):
        digest = hashlib.sha256(f"{seed} {number}".encode()).hexdigest()
        part.set_boundary(f"=_{digest[:32]}")
