"""Checks what a rep asks for; a refusal names the field that is wrong.

Pure: the time, and what the tenant can do, are handed in.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from email_validator import EmailNotValidError, validate_email

from gateway.invites import text
from gateway.invites.model import Invite
from gateway.invites.words import LANGUAGES
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import ErrorKind, GuestRole

# Clocks differ, and a dialog stays open for a while: "now" may be a little ago.
PAST_TOLERANCE_S = 300.0
MIN_INVITE_S = 60.0
MAX_AHEAD_S = 366 * 86400.0


@dataclass(frozen=True, slots=True)
class CheckedGuest:
    """``guest_id`` None: one who is new."""

    name: str
    email: str
    role: GuestRole
    guest_id: str | None
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class CheckedDraft:
    """A draft that is good. Times are Unix seconds."""

    subject: str
    text: str
    starts_at: float
    ends_at: float
    time_zone: str
    language: str
    guests: tuple[CheckedGuest, ...]
    contact: wire.Record | None
    about: wire.Record | None
    send_mail: bool


def check_draft(
    draft: wire.InviteDraft,
    *,
    now: float,
    can_mail: bool,
    language: str,
    before: Invite | None = None,
) -> CheckedDraft:
    """The draft, cleaned; ``before`` is the invite that it changes.

    ``language`` takes the place of one that there are no words in.

    Raises:
        RequestError: INVITE_INVALID, with the field.
    """
    subject = text.one_line(draft.subject)
    if not subject:
        raise invalid("subject", "Give the call a subject.")
    if draft.send_mail and not can_mail:
        raise invalid("send_mail", "E-mail is not set up here; copy the links instead.")
    starts_at, ends_at = draft.starts_at / 1000, draft.ends_at / 1000
    _check_times(starts_at, ends_at, now, before)
    return CheckedDraft(
        subject=subject,
        text=text.lines(draft.text),
        starts_at=starts_at,
        ends_at=ends_at,
        time_zone=_check_time_zone(draft.time_zone, "time_zone"),
        language=draft.language if draft.language in LANGUAGES else language,
        guests=_check_guests(draft.guests, draft.send_mail, before),
        contact=_clean(draft.contact),
        about=_clean(draft.about),
        send_mail=draft.send_mail,
    )


def check_email(address: str) -> str:
    """One address as mail servers write it: a name of the domain's in ASCII.

    No lists, quotes, comments, display names or addresses of machines. Letters
    outside ASCII before the @ are refused, since few servers take them; a domain
    with such letters becomes its ASCII form, which also shows a look-alike.

    Raises:
        ValueError: with words for the rep.
    """
    try:
        checked = validate_email(
            address.strip(" "),
            check_deliverability=False,
            allow_smtputf8=False,
            strict=True,
        )
    except EmailNotValidError as error:
        raise ValueError(text.one_line(str(error))) from None
    assert checked.ascii_email is not None  # without SMTPUTF8 there always is one
    return checked.ascii_email


def fingerprint(draft: wire.InviteDraft) -> str:
    """Tells a repeated create from another with the same id."""
    return hashlib.sha256(draft.model_dump_json().encode("utf-8")).hexdigest()


def invalid(field: str, message: str) -> RequestError:
    return RequestError(ErrorKind.INVITE_INVALID, message, field=field)


def _clean(record: wire.Record | None) -> wire.Record | None:
    """Of a record only the id counts; its words are shown, and written to the CRM."""
    if record is None:
        return None
    names = ("kind", "name", "company", "phone")
    words = {name: text.one_line(getattr(record, name)) for name in names}
    return record.model_copy(update=words)


def _check_times(
    starts_at: float, ends_at: float, now: float, before: Invite | None
) -> None:
    is_moved = before is None or starts_at != before.starts_at
    if is_moved and starts_at < now - PAST_TOLERANCE_S:
        raise invalid("starts_at", "The start is in the past.")
    if starts_at > now + MAX_AHEAD_S:
        raise invalid("starts_at", "The start is more than a year ahead.")
    if ends_at <= starts_at:
        raise invalid("ends_at", "The end must be after the start.")
    if ends_at - starts_at < MIN_INVITE_S:
        raise invalid("ends_at", "The call must last a minute at least.")
    if ends_at - starts_at > wire.MAX_INVITE_S:
        raise invalid("ends_at", "The call may last a day at most.")
    if ends_at <= now:
        raise invalid("ends_at", "The end is in the past.")


def _check_time_zone(name: str, field: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise invalid(field, "There is no such time zone.") from None
    return name


def _check_guests(
    drafts: tuple[wire.GuestDraft, ...], send_mail: bool, before: Invite | None
) -> tuple[CheckedGuest, ...]:
    guests: list[CheckedGuest] = []
    for index, draft in enumerate(drafts):
        where = f"guests.{index}"
        name = text.one_line(draft.name)
        if not name:
            raise invalid(f"{where}.name", "Say who it is.")
        email = ""
        if draft.email.strip(" "):
            try:
                email = check_email(draft.email)
            except ValueError as error:
                raise invalid(f"{where}.email", str(error)) from None
        elif send_mail:
            raise invalid(f"{where}.email", "An e-mail address is needed.")
        if email and any(email.casefold() == g.email.casefold() for g in guests):
            raise invalid(f"{where}.email", "This address is there twice.")
        guest_id = draft.guest_id
        if guest_id is not None:
            if before is None or before.guest(guest_id) is None:
                raise invalid(f"{where}.guest_id", "There is no such guest.")
            if any(guest_id == guest.guest_id for guest in guests):
                raise invalid(f"{where}.guest_id", "This guest is there twice.")
        zone = draft.time_zone
        if zone:
            zone = _check_time_zone(zone, f"{where}.time_zone")
        guests.append(CheckedGuest(name, email, draft.role, guest_id, zone))
    return tuple(guests)
