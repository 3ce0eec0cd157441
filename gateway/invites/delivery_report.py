"""What a message in the mailbox of reports says: not delivered, delayed, or neither.

Read are delivery status notifications (RFC 3464 in RFC 3462's multipart/report), and
what older servers write: a note of their mail system with the message, or its header,
attached, or with ``X-Failed-Recipients``. An answer to a mail, by a person or by an
absence note, is no report, whatever it quotes.

Pure. The bytes come from strangers: nothing in them raises.
"""

from __future__ import annotations

import email
import email.policy
import enum
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.errors import MessageError
from email.message import Message
from email.utils import getaddresses

from gateway.invites.smtp import sanitised

# A report's own parts come before the message that it returns.
MAX_REPORT_BYTES = 256 * 1024
# Of one message, however many headers it has.
MAX_ADDRESSES = 32
MAX_PARTS = 64
MAX_HEADER_CHARS = 4096
MAX_DIAGNOSTIC_CHARS = 120

# Where servers write whom the report was for: the tag is in one of these.
_FOR_WHOM = (
    "Delivered-To",
    "X-Original-To",
    "X-Delivered-To",
    "Envelope-To",
    "X-Envelope-To",
    "To",
)
# What a mail system calls itself, in front of the @.
_MAIL_SYSTEM = re.compile(r"(?i)^(mailer-daemon|postmaster|mdaemon|mail-daemon)\b")
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_IS_DELAY = re.compile(r"(?i)\b(delay|delayed|warning|still (being )?(re)?tried)\b")
# With "X-Failed-Recipients" and the like, but no "multipart/report".
_RETURNED = frozenset(
    {"message/rfc822", "text/rfc822-headers", "message/global", "message/partial"}
)

# RFC 3463, in words for the rep; the longest match counts.
_WORDS = {
    "1": "The address is not good.",
    "1.1": "There is no such address.",
    "1.2": "The domain of the address takes no mail.",
    "1.6": "The mailbox has moved.",
    # RFC 7505 means the domain, Exchange the name in front of the @.
    "1.10": "The address, or its domain, takes no mail.",
    "2": "The mailbox does not take the mail.",
    "2.1": "The mailbox is closed.",
    "2.2": "The mailbox is full.",
    "2.3": "The mail is too large for the mailbox.",
    "3.4": "The mail is too large for the server.",
    "4": "The mail did not get to the server.",
    "4.4": "The domain of the address takes no mail.",
    "4.7": "The server could not be reached in time.",
    "7": "The server refused the mail, perhaps as spam.",
}
_FAILED = "The mail could not be delivered."
_DELAYED = "Delivery is delayed; it is tried again."


class Outcome(enum.StrEnum):
    """FAILED: for good. DELAYED: it is tried again. DELIVERED: or relayed. ANSWER: an
    automatic one, of a mailbox and not of a mail system. OTHER: no report.
    UNREADABLE: what cannot be read at all."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    ANSWER = "answer"
    OTHER = "other"
    UNREADABLE = "unreadable"


# By the class of a status (RFC 3463 3.1), where no action is named.
_OF_CLASS = {"5": Outcome.FAILED, "4": Outcome.DELAYED, "2": Outcome.DELIVERED}


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """``addresses``: whom the message was for, lower case, among them perhaps a mail's
    own return path; ``reason``: for the rep, one short line, no link in it."""

    outcome: Outcome
    addresses: tuple[str, ...] = ()
    reason: str = ""


def read_report(data: bytes) -> DeliveryReport:
    """What the message says; of one that is longer than :data:`MAX_REPORT_BYTES` the
    beginning is read."""
    try:
        message = email.message_from_bytes(
            data[:MAX_REPORT_BYTES], policy=email.policy.compat32
        )
        addresses = _addresses(message)
        outcome, reason = _judge(message)
    except (MessageError, ValueError, LookupError, TypeError, AttributeError):
        # The parser's own ways to say that a header or a charset is broken.
        return DeliveryReport(Outcome.UNREADABLE)
    except RecursionError:
        return DeliveryReport(Outcome.UNREADABLE)
    return DeliveryReport(outcome, addresses, reason)


def _judge(message: Message) -> tuple[Outcome, str]:
    kind = message.get_content_type()
    report = _word(message.get_param("report-type"))
    status = next((p for p in _parts(message) if _is_status(p)), None)
    if status is not None and (kind == "multipart/report" or report):
        return _of_recipients(_groups(status))
    if report == "disposition-notification":
        # "Read", or "deleted unread": it has arrived.
        return Outcome.ANSWER, ""
    if _is_old_report(message):
        return _of_old_report(message)
    automatic = _header(message, "Auto-Submitted").strip().lower()
    if (automatic and not automatic.startswith("no")) or _is_absence_note(message):
        return Outcome.ANSWER, ""
    return Outcome.OTHER, ""


# RFC 3464 -------------------------------------------------------------------------


def _is_status(part: Message) -> bool:
    return part.get_content_type() in (
        "message/delivery-status",
        "message/global-delivery-status",
    )


def _groups(status: Message) -> list[Message]:
    """The fields of each recipient (and of the message, which has no action)."""
    payload = status.get_payload()
    groups: list[Message] = []
    for part in payload if isinstance(payload, list) else [status]:
        if len(groups) >= MAX_PARTS or not isinstance(part, Message):
            break
        groups.append(part)
        # RFC 6533's kind is not known to the parser: the first group, then text.
        text = part.get_payload()
        if isinstance(text, str) and text.strip():
            blocks = re.split(r"\r?\n[ \t]*\r?\n", text.strip())[:MAX_PARTS]
            groups += [email.message_from_string(block) for block in blocks]
    return groups


def _of_recipients(groups: Iterable[Message]) -> tuple[Outcome, str]:
    found: dict[Outcome, str] = {}
    for group in groups:
        action = _header(group, "Action").strip().lower().partition(" ")[0]
        status = _STATUS.search(_header(group, "Status"))
        diagnostic = _diagnostic(_header(group, "Diagnostic-Code"))
        outcome = _outcome(action, status.group(1) if status else "")
        if outcome is not None and outcome not in found:
            found[outcome] = _reason(outcome, status, diagnostic)
    # A mail has one recipient; behind it may be several, by forwarding.
    for outcome in (Outcome.FAILED, Outcome.DELAYED, Outcome.DELIVERED):
        if outcome in found:
            return outcome, found[outcome]
    return Outcome.OTHER, ""


def _outcome(action: str, status_class: str) -> Outcome | None:
    match action:
        case "failed":
            return Outcome.FAILED
        case "delayed":
            return Outcome.DELAYED
        case "delivered" | "relayed" | "expanded":
            return Outcome.DELIVERED
        case _:
            return _OF_CLASS.get(status_class)


# Before RFC 3464 ------------------------------------------------------------------


def _is_old_report(message: Message) -> bool:
    if message.get("X-Failed-Recipients") is not None:
        return True
    if not _is_of_mail_system(message):
        return False
    return any(part.get_content_type() in _RETURNED for part in _parts(message))


def _is_of_mail_system(message: Message) -> bool:
    """By its sender: none in the envelope (RFC 5321 4.5.5), a daemon in the header."""
    path = message.get("Return-Path")
    if path is not None and _text(path).strip() not in ("<>", ""):
        return False
    senders = _mailboxes([_header(message, "From")])
    return any(_MAIL_SYSTEM.match(sender) for sender in senders)


def _of_old_report(message: Message) -> tuple[Outcome, str]:
    words = _first_text(message)
    status = _STATUS.search(words)
    is_delay = bool(_IS_DELAY.search(_header(message, "Subject")))
    if status is not None and status.group(1) != "2":
        outcome = Outcome.DELAYED if status.group(1) == "4" else Outcome.FAILED
    else:
        status, outcome = None, Outcome.FAILED
    if is_delay and message.get("X-Failed-Recipients") is None:
        outcome = Outcome.DELAYED
    return outcome, _reason(outcome, status, "")


def _first_text(message: Message) -> str:
    for part in _parts(message):
        if part.get_content_type() == "text/plain":
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                return payload[:MAX_HEADER_CHARS].decode("utf-8", "replace")
    return ""


def _is_absence_note(message: Message) -> bool:
    """As those write that do not know RFC 3834."""
    return any(
        message.get(name) is not None
        for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Response")
    ) or _header(message, "Precedence").strip().lower() in ("auto_reply", "bulk")


# Parts and words ------------------------------------------------------------------


def _parts(message: Message) -> Iterator[Message]:
    """The message and its parts, not those of the message that it returns."""
    waiting = [message]
    count = 0
    while waiting and count < MAX_PARTS:
        part = waiting.pop(0)
        count += 1
        yield part
        payload = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(payload, list):
            waiting += [each for each in payload if isinstance(each, Message)]


def _addresses(message: Message) -> tuple[str, ...]:
    values = []
    for name in _FOR_WHOM:
        values += [_text(value) for value in message.get_all(name, [])[:MAX_ADDRESSES]]
    return tuple(dict.fromkeys(_mailboxes(values)))[:MAX_ADDRESSES]


def _mailboxes(values: Iterable[str]) -> list[str]:
    return [
        address.lower()
        for _, address in getaddresses(list(values)[:MAX_ADDRESSES])
        if "@" in address or _MAIL_SYSTEM.match(address)
    ]


def _header(message: Message, name: str) -> str:
    value = message.get(name)
    return "" if value is None else _text(value)


def _text(value: object) -> str:
    return re.sub(r"\s+", " ", str(value)[:MAX_HEADER_CHARS])


def _word(value: object) -> str:
    return value.lower() if isinstance(value, str) else ""


def _diagnostic(field: str) -> str:
    """The other server's words: ``smtp; 550 5.1.1 no such user``."""
    kind, semicolon, words = field.partition(";")
    return sanitised(words if semicolon and " " not in kind.strip() else field)


def _reason(outcome: Outcome, status: re.Match[str] | None, diagnostic: str) -> str:
    if outcome is Outcome.DELIVERED:
        return ""
    said = _DELAYED if outcome is Outcome.DELAYED else _said_of(status)
    code = status.group(0) if status else ""
    detail = diagnostic if code in diagnostic else f"{code} {diagnostic}".strip()
    detail = detail[:MAX_DIAGNOSTIC_CHARS].strip()
    return f"{said} ({detail})" if detail else said


def _said_of(status: re.Match[str] | None) -> str:
    if status is None or status.group(1) != "5":
        # "4.4.7" with "failed": it was tried for long enough.
        if status is not None and status.group(2, 3) in (("4", "7"), ("4", "1")):
            return _WORDS["4.7"]
        return _FAILED
    subject, detail = status.group(2), status.group(3)
    return _WORDS.get(f"{subject}.{detail}") or _WORDS.get(subject) or _FAILED
