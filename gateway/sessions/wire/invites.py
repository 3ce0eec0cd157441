"""Video invites: what a rep makes, changes and sees, and what a guest is told."""

from __future__ import annotations

import enum
from typing import Annotated, Literal

from pydantic import Field

from gateway.sessions.wire.base import Event, Id, Record, ShortText, Wire
from gateway.sessions.wire.calls import ActivityState, ActivityView

MAX_GUESTS = 4
MAX_INVITE_S = 24 * 3600
MAX_SUBJECT_CHARS = 120
MAX_TEXT_CHARS = 1000

Email = Annotated[str, Field(min_length=3, max_length=254)]
PersonName = Annotated[str, Field(min_length=1, max_length=80)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2}$")]


class InviteState(enum.StrEnum):
    """``open``: guests may come in now. ``no_show``: over, and no guest ever came."""

    SCHEDULED = "scheduled"
    OPEN = "open"
    OVER = "over"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"


class MailState(enum.StrEnum):
    """Of the last mail to a guest. ``none``: nothing was to be sent. ``failed``: it
    never left; ``bounced``: it left, and a notice came that it was not delivered.
    ``uncertain``: the gateway died while it was being handed over; resend it to be
    sure. ``sent`` with a ``mail_problem``: delivery is delayed."""

    NONE = "none"
    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    BOUNCED = "bounced"
    UNCERTAIN = "uncertain"


class GuestRole(enum.StrEnum):
    CUSTOMER = "customer"
    COLLEAGUE = "colleague"


class GuestDraft(Wire):
    """Whom to invite; ``guest_id`` of one who is invited already. ``email`` may be
    empty where no mail is to be sent. ``time_zone``: IANA name of where the guest is,
    in which they are told when it is; empty for the invite's own."""

    name: PersonName
    email: Annotated[str, Field(max_length=254)] = ""
    role: GuestRole = GuestRole.CUSTOMER
    time_zone: Annotated[str, Field(max_length=64)] = ""
    guest_id: Id | None = None


class GuestView(Wire):
    """``joined_at``: first time in the call, Unix ms; ``mail_problem`` for people."""

    guest_id: Id
    name: ShortText
    email: ShortText = ""
    role: GuestRole = GuestRole.CUSTOMER
    time_zone: ShortText = ""
    mail: MailState = MailState.NONE
    mail_problem: ShortText = ""
    joined_at: int | None = None
    is_in_call: bool = False


class InviteView(Wire):
    """An invite as its rep sees it. Times are Unix milliseconds; ``opens_at`` is when
    guests may come in; ``event`` is the CRM's calendar event."""

    invite_id: Id
    state: InviteState
    subject: ShortText
    text: Annotated[str, Field(max_length=MAX_TEXT_CHARS)] = ""
    starts_at: int
    ends_at: int
    opens_at: int
    time_zone: ShortText
    language: Language
    guests: tuple[GuestView, ...]
    contact: Record | None = None
    about: Record | None = None
    event: ActivityView = ActivityView(state=ActivityState.NONE)


class InviteDraft(Wire):
    """``time_zone``: IANA name of where the rep is; mails to guests without one of
    their own are written in it. ``contact``: whom it is for in
    the CRM; ``about``: the record it was made from (an Opportunity, a Case)."""

    subject: Annotated[str, Field(min_length=1, max_length=MAX_SUBJECT_CHARS)]
    text: Annotated[str, Field(max_length=MAX_TEXT_CHARS)] = ""
    starts_at: Annotated[int, Field(ge=0, le=2**53)]
    ends_at: Annotated[int, Field(ge=0, le=2**53)]
    time_zone: Annotated[str, Field(min_length=1, max_length=64)]
    language: Language = "en"
    guests: Annotated[
        tuple[GuestDraft, ...], Field(min_length=1, max_length=MAX_GUESTS)
    ]
    contact: Record | None = None
    about: Record | None = None
    # False: the rep hands the links over by another way.
    send_mail: bool = True


class InviteCreate(Wire):
    """``invite_id`` is client-made. "Start now": ``starts_at`` is this moment."""

    op_id: Id
    invite_id: Id
    invite: InviteDraft


class InviteChange(Wire):
    """Everything anew. Guests that are left out are told that it is cancelled."""

    op_id: Id
    invite_id: Id
    invite: InviteDraft


class InviteCancel(Wire):
    op_id: Id
    invite_id: Id


class InviteResend(Wire):
    """Mail the invitation again, to all guests or to one."""

    op_id: Id
    invite_id: Id
    guest_id: Id | None = None


class InviteExtend(Wire):
    """Let it end later, also while it runs."""

    op_id: Id
    invite_id: Id
    minutes: Annotated[int, Field(ge=1, le=240)]


class InviteLink(Wire):
    invite_id: Id
    guest_id: Id


class InviteLinkResult(Wire):
    url: Annotated[str, Field(repr=False)]


class InviteResult(Wire):
    invite: InviteView


class InviteList(Wire):
    """``past``: those that are over, newest first, else what comes, next first;
    ``after`` is the last ``invite_id`` of the page before."""

    past: bool = False
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    after: Id | None = None


class InviteListResult(Wire):
    invites: tuple[InviteView, ...]


class InviteUpdatedEvent(Event):
    """Changed, opened, joined, mailed, written to the CRM, over."""

    type: Literal["invite.updated"] = "invite.updated"
    invite: InviteView


class InviteEndingEvent(Event):
    """The invite's time ends soon; to its rep and to guests in the call."""

    type: Literal["invite.ending"] = "invite.ending"
    invite_id: Id
    ends_at: int


# Guests ---------------------------------------------------------------------------


class JoinState(enum.StrEnum):
    """``unknown``: no such link, for whatever reason. ``in_use``: somebody is in the
    call by it, in another browser; ``used_up``: as many browsers as may have used it.
    """

    EARLY = "early"
    OPEN = "open"
    OVER = "over"
    CANCELLED = "cancelled"
    REVOKED = "revoked"
    IN_USE = "in_use"
    USED_UP = "used_up"
    UNKNOWN = "unknown"


class JoinView(Wire):
    """What a link leads to. Times are Unix ms, 0 when the link is ``unknown``;
    ``contact`` is how to reach the host otherwise. ``time_zone`` is the host's;
    ``guest_time_zone`` what the host takes for the guest's, empty if nothing."""

    state: JoinState
    subject: ShortText = ""
    host: ShortText = ""
    company: ShortText = ""
    contact: ShortText = ""
    guest: ShortText = ""
    language: Language = "en"
    time_zone: ShortText = ""
    guest_time_zone: ShortText = ""
    opens_at: int = 0
    starts_at: int = 0
    ends_at: int = 0
    server_time: int
