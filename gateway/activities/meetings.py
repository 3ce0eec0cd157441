"""What is written about a video invite: its Event, and the note of a no-show. Pure.

A guest's link is worth the call: it is in nothing that is written. The same state gives
the same meeting to the letter, so that what did not change is not written again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from gateway.activities.composer import MAX_SUBJECT, links, one_line
from gateway.crm.connector import (
    Activity,
    ActivityDirection,
    CrmRecord,
    CrmUser,
    Meeting,
)
from gateway.identity.users import User
from gateway.sessions.wire import InviteState

MAX_TEXT = 2000
# However it came into a text: whoever reads the CRM must not be able to come in.
_LINK = re.compile(r"\S*/join/\S*")
_LEFT_OUT = "[link]"
_REMARKS = {
    InviteState.CANCELLED: "Cancelled.",
    InviteState.NO_SHOW: "Nobody came.",
}
_OVER = frozenset({InviteState.OVER, InviteState.NO_SHOW})


@dataclass(frozen=True, slots=True)
class Invitee:
    """A guest. ``joined_at``: first time in the call, Unix seconds, None if never."""

    name: str
    email: str = ""
    is_colleague: bool = False
    joined_at: float | None = None


@dataclass(frozen=True, slots=True)
class InviteFacts:
    """An invite as far as the CRM is concerned. Times are Unix seconds.

    Attributes:
        location: opens the widget for the rep; a join link is refused.
        time_zone: IANA name, in which times are written; UTC if it is not known.
        contact: whom it is for; ``about``: the record it was made from.
    """

    invite_id: str
    state: InviteState
    subject: str
    starts_at: float
    ends_at: float
    invitees: Sequence[Invitee]
    text: str = ""
    location: str = ""
    time_zone: str = "UTC"
    contact: CrmRecord | None = None
    about: CrmRecord | None = None


def meeting_of(invite: InviteFacts, user: User) -> Meeting:
    """The invite's Event.

    Raises:
        ValueError: the location is a guest's link.
    """
    if _LINK.search(invite.location):
        raise ValueError("a guest's link is nothing for the CRM")
    who_id, what_id = _links(invite)
    return Meeting(
        key=f"meet:{invite.invite_id}",
        user=_crm_user(user),
        subject=f"Video call: {_subject(invite)}"[:MAX_SUBJECT],
        description=_description(invite, user),
        starts_at=datetime.fromtimestamp(invite.starts_at, UTC),
        ends_at=datetime.fromtimestamp(invite.ends_at, UTC),
        location=invite.location,
        who_id=who_id,
        what_id=what_id,
        is_cancelled=invite.state is InviteState.CANCELLED,
    )


def no_show_of(invite: InviteFacts, user: User) -> Activity:
    """The note that nobody came."""
    who_id, what_id = _links(invite)
    name = "" if invite.contact is None else one_line(invite.contact.name)
    name = name or (one_line(invite.invitees[0].name) if invite.invitees else "")
    subject = ", ".join(part for part in (name, _subject(invite)) if part)
    return Activity(
        key=f"noshow:{invite.invite_id}",
        user=_crm_user(user),
        direction=ActivityDirection.OUTBOUND,
        subject=f"No-show: {subject}"[:MAX_SUBJECT],
        outcome="No-show",
        description=_description(invite, user),
        started_at=datetime.fromtimestamp(invite.starts_at, UTC),
        duration_s=0,
        number="",
        who_id=who_id,
        what_id=what_id,
        is_call=False,
    )


def _links(invite: InviteFacts) -> tuple[str, str]:
    """(who_id, what_id): the contact's, and of the other record what is still free."""
    who_id, what_id = ("", "") if invite.contact is None else links(invite.contact)
    if invite.about is not None:
        other_who, other_what = links(invite.about)
        # What it was made from says more than the company of whom it is for.
        who_id, what_id = who_id or other_who, other_what or what_id
    return who_id, what_id


def _description(invite: InviteFacts, user: User) -> str:
    zone, zone_name = _zone(invite.time_zone)
    starts, ends = (
        datetime.fromtimestamp(at, zone) for at in (invite.starts_at, invite.ends_at)
    )
    end_format = "%H:%M" if starts.date() == ends.date() else "%Y-%m-%d %H:%M"
    lines = [
        f"Video call, {starts:%Y-%m-%d %H:%M} to {ends:{end_format}} ({zone_name})"
    ]
    if invite.state in _REMARKS:
        lines.append(_REMARKS[invite.state])
    lines.append("Invited:")
    lines += [f"- {_guest(guest, invite.state, zone)}" for guest in invite.invitees]
    host = f"{user.name} ({user.number})" if user.number else user.name
    lines.append(f"Host: {one_line(host)}")
    if text := invite.text[:MAX_TEXT].strip():
        shown = (one_line(_LINK.sub(_LEFT_OUT, line)) for line in text.splitlines())
        lines += ["", *(line for line in shown if line), ""]
    lines.append(f"Invite id: {one_line(invite.invite_id)}")
    return "\n".join(lines)


def _guest(guest: Invitee, state: InviteState, zone: tzinfo) -> str:
    who = _plain(guest.name)
    if guest.email:
        who += f" <{_plain(guest.email)}>"
    if guest.is_colleague:
        who += " (colleague)"
    if guest.joined_at is not None:
        return f"{who}: came at {datetime.fromtimestamp(guest.joined_at, zone):%H:%M}"
    return f"{who}: did not come" if state in _OVER else who


def _subject(invite: InviteFacts) -> str:
    return _plain(invite.subject)


def _plain(text: str) -> str:
    return one_line(_LINK.sub(_LEFT_OUT, text))


def _zone(name: str) -> tuple[tzinfo, str]:
    """A zone and its name. Names come from browsers: any may be unknown here."""
    try:
        return ZoneInfo(name), name
    except (ValueError, OSError, KeyError):
        # ZoneInfoNotFoundError is a KeyError; a folder's name is an OSError.
        return UTC, "UTC"


def _crm_user(user: User) -> CrmUser:
    return CrmUser(
        tenant=user.key.tenant, id=user.crm_user_id, username=user.crm_username
    )
