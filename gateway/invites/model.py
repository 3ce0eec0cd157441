"""An invite, its guests, and the mails that tell of it, as they are kept."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace

from gateway.activities.work_view import to_crm
from gateway.crm.connector import CrmRecord
from gateway.identity.users import UserKey
from gateway.sessions.wire import GuestRole, MailState, Record

# What a person's link may be used in: a phone, a laptop, and one more.
MAX_BROWSERS = 3


@dataclass(frozen=True, slots=True, order=True)
class InviteKey:
    """Invite ids are the clients' own: one names an invite only with its tenant."""

    tenant: str
    invite_id: str

    def __str__(self) -> str:
        return f"{self.tenant}/{self.invite_id}"


@dataclass(frozen=True, slots=True)
class Guest:
    """One who is invited. Times are Unix seconds.

    Attributes:
        guest_id: ours, unique among all tenants.
        email: as ``draft.check_email`` gives it, "" if none.
        time_zone: IANA name of where they are, "" for the invite's own.
        generation: of the link; links of earlier ones are revoked.
        browsers: hashes of the browsers that came in by this generation.
        joined_at: first time in the call.
        removed_at: when the rep took the guest out again.
        mail: of the newest mail to the guest; ``mail_problem`` is for people.
    """

    guest_id: str
    name: str
    email: str = ""
    role: GuestRole = GuestRole.CUSTOMER
    time_zone: str = ""
    generation: int = 1
    browsers: tuple[str, ...] = ()
    joined_at: float | None = None
    removed_at: float | None = None
    mail: MailState = MailState.NONE
    mail_problem: str = ""

    @property
    def is_used_up(self) -> bool:
        return len(self.browsers) >= MAX_BROWSERS


@dataclass(frozen=True, slots=True)
class Invite:
    """Times are Unix seconds.

    Attributes:
        guests: also those who were taken out; see :attr:`present`.
        sequence: of the calendar entry (RFC 5545), one more with each change.
        ended_at: when the end was dealt with: calls ended, no-show written.
        draft_hash: of what it was made from, to know a repeated create.
        ops: ids of the last operations, to know a repeated one after a restart.
        revision: counts all changes of the row.
    """

    tenant: str
    invite_id: str
    host: UserKey
    subject: str
    text: str
    starts_at: float
    ends_at: float
    time_zone: str
    language: str
    guests: tuple[Guest, ...]
    created_at: float
    sends_mail: bool = True
    contact: Record | None = None
    about: Record | None = None
    sequence: int = 0
    cancelled_at: float | None = None
    ended_at: float | None = None
    draft_hash: str = ""
    ops: tuple[str, ...] = ()
    revision: int = 0

    @property
    def key(self) -> InviteKey:
        return InviteKey(self.tenant, self.invite_id)

    @property
    def present(self) -> tuple[Guest, ...]:
        """The guests who are invited now."""
        return tuple(guest for guest in self.guests if guest.removed_at is None)

    @property
    def is_closed(self) -> bool:
        """Nothing happens to it any more."""
        return self.cancelled_at is not None or self.ended_at is not None

    @property
    def has_been_joined(self) -> bool:
        return any(guest.joined_at is not None for guest in self.guests)

    def guest(self, guest_id: str) -> Guest | None:
        """An invited guest by id; None too for one who was taken out."""
        return next((g for g in self.present if g.guest_id == guest_id), None)

    def with_guest(self, guest: Guest) -> Invite:
        """With this guest in the place of the one with the same id."""
        guests = tuple(
            guest if each.guest_id == guest.guest_id else each for each in self.guests
        )
        return replace(self, guests=guests)


class MailKind(enum.StrEnum):
    INVITATION = "invitation"
    CHANGE = "change"
    CANCELLATION = "cancellation"


@dataclass(frozen=True, slots=True)
class MailContent:
    """All that a mail says but the link, which is made when it is sent.

    Times are Unix seconds; ``opens_before_s`` how early guests may come in.
    """

    guest_name: str
    guest_email: str
    host_name: str
    host_email: str
    company: str
    subject: str
    text: str
    starts_at: float
    ends_at: float
    opens_before_s: int
    time_zone: str
    language: str
    sequence: int


@dataclass(frozen=True, slots=True)
class MailDraft:
    """A mail to be kept; which kind it is in the end depends on what was sent."""

    guest_id: str
    generation: int
    kind: MailKind
    content: MailContent


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that is kept. ``attempts`` are those that reached a server or tried to."""

    id: int
    invite: InviteKey
    host: UserKey
    guest_id: str
    generation: int
    kind: MailKind
    content: MailContent = field(repr=False)
    attempts: int
    created_at: float
    due_at: float


def kind_to_send(kind: MailKind, *, is_first: bool) -> MailKind | None:
    """What is said to a guest who may have heard nothing yet (``is_first``).

    Nobody is told of a change of what they do not know, or of its end.
    """
    if not is_first:
        return kind
    return None if kind is MailKind.CANCELLATION else MailKind.INVITATION


def crm_record(record: Record | None) -> CrmRecord | None:
    """A record that a page named, as the CRM's side has it."""
    return None if record is None else to_crm(record)
