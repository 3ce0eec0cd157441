"""What each of the rep's requests makes of an invite, and whom it has told by mail.

Pure: ids and the time are handed in, nothing is kept here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from gateway.identity.users import User
from gateway.invites.draft import CheckedDraft, CheckedGuest, invalid
from gateway.invites.model import (
    Guest,
    Invite,
    InviteKey,
    MailContent,
    MailDraft,
    MailKind,
)
from gateway.invites.text import one_line
from gateway.sessions import wire

# Enough to know any request that a client may still repeat.
REMEMBERED_OPS = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """The invite as it will be, and the mails that say so."""

    invite: Invite
    mails: tuple[MailDraft, ...] = ()


@dataclass(frozen=True, slots=True)
class Sender:
    """Who mails come from: the host, and what the tenant adds."""

    host: User
    open_before_s: int

    def content(self, invite: Invite, guest: Guest, sequence: int) -> MailContent:
        return MailContent(
            guest_name=guest.name,
            guest_email=guest.email,
            host_name=one_line(self.host.name) or self.host.key.user,
            host_email=self.host.email,
            company=one_line(self.host.company),
            subject=invite.subject,
            text=invite.text,
            starts_at=invite.starts_at,
            ends_at=invite.ends_at,
            opens_before_s=self.open_before_s,
            time_zone=guest.time_zone or invite.time_zone,
            language=invite.language,
            sequence=sequence,
        )

    def mails(
        self, invite: Invite, guests: Iterable[Guest], kind: MailKind
    ) -> tuple[MailDraft, ...]:
        """One to each of the guests who has an address."""
        return tuple(
            MailDraft(
                guest.guest_id,
                guest.generation,
                kind,
                self.content(invite, guest, invite.sequence),
            )
            for guest in guests
            if guest.email
        )


def create(
    key: InviteKey,
    draft: CheckedDraft,
    sender: Sender,
    *,
    draft_hash: str,
    op_id: str,
    now: float,
    new_id: Callable[[], str],
) -> Plan:
    invite = Invite(
        tenant=key.tenant,
        invite_id=key.invite_id,
        host=sender.host.key,
        subject=draft.subject,
        text=draft.text,
        starts_at=draft.starts_at,
        ends_at=draft.ends_at,
        time_zone=draft.time_zone,
        language=draft.language,
        guests=tuple(_new_guest(guest, new_id()) for guest in draft.guests),
        created_at=now,
        sends_mail=draft.send_mail,
        contact=draft.contact,
        about=draft.about,
        draft_hash=draft_hash,
        ops=(op_id,),
    )
    if not invite.sends_mail:
        return Plan(invite)
    return Plan(invite, sender.mails(invite, invite.present, MailKind.INVITATION))


def change(
    before: Invite,
    draft: CheckedDraft,
    sender: Sender,
    *,
    op_id: str,
    now: float,
    new_id: Callable[[], str],
) -> Plan:
    """Everything anew.

    Who gets another address is another guest: what the old address got, link and
    sign-in, must not be worth anything to its reader.
    """
    kept: list[Guest] = []
    added: list[Guest] = []
    for wanted in draft.guests:
        old = before.guest(wanted.guest_id) if wanted.guest_id is not None else None
        if old is None:
            old = _same_address(before, draft, wanted)
        if old is None or (old.email and old.email != wanted.email):
            added.append(_new_guest(wanted, new_id()))
        else:
            kept.append(
                replace(
                    old,
                    name=wanted.name,
                    email=wanted.email,
                    role=wanted.role,
                    time_zone=wanted.time_zone,
                )
            )
    staying = {guest.guest_id for guest in kept}
    removed = [
        replace(guest, removed_at=now)
        for guest in before.present
        if guest.guest_id not in staying
    ]
    gone = [guest for guest in before.guests if guest.removed_at is not None]
    after = replace(
        before,
        subject=draft.subject,
        text=draft.text,
        starts_at=draft.starts_at,
        ends_at=draft.ends_at,
        time_zone=draft.time_zone,
        language=draft.language,
        guests=(*kept, *added, *removed, *gone),
        sends_mail=draft.send_mail,
        contact=draft.contact,
        about=draft.about,
        sequence=before.sequence + 1,
        ops=_with(before.ops, op_id),
    )
    mails: tuple[MailDraft, ...] = ()
    if after.sends_mail:
        told = [
            guest
            for guest in kept
            if _says_otherwise(before, after, guest) or _was_not_mailed(before, guest)
        ]
        mails = sender.mails(after, told, MailKind.CHANGE)
        mails += sender.mails(after, added, MailKind.INVITATION)
    # Also without mail: whoever was sent the link once is told that it is over.
    mails += sender.mails(after, removed, MailKind.CANCELLATION)
    return Plan(after, mails)


def cancel(before: Invite, sender: Sender, *, op_id: str, now: float) -> Plan:
    after = replace(
        before,
        cancelled_at=now,
        sequence=before.sequence + 1,
        ops=_with(before.ops, op_id),
    )
    return Plan(after, sender.mails(after, after.present, MailKind.CANCELLATION))


def extend(
    before: Invite,
    sender: Sender,
    *,
    minutes: int,
    op_id: str,
    is_running: bool,
) -> Plan:
    """Let it end later. Who is in the call hears it there, not by mail.

    Raises:
        RequestError: longer than a day.
    """
    ends_at = before.ends_at + minutes * 60.0
    if ends_at - before.starts_at > wire.MAX_INVITE_S:
        raise invalid("minutes", "The call may last a day at most.")
    after = replace(
        before,
        ends_at=ends_at,
        sequence=before.sequence + 1,
        ops=_with(before.ops, op_id),
    )
    if is_running or not after.sends_mail:
        return Plan(after)
    return Plan(after, sender.mails(after, after.present, MailKind.CHANGE))


def resend(before: Invite, sender: Sender, *, guest_id: str | None, op_id: str) -> Plan:
    """Mail the invitation again. A link that is used up is replaced by a new one.

    Raises:
        RequestError: nobody to mail it to.
    """
    guests = [
        guest
        for guest in before.present
        if guest.email and guest_id in (None, guest.guest_id)
    ]
    if not guests:
        raise invalid("guest_id", "There is no e-mail address to send it to.")
    after = replace(before, ops=_with(before.ops, op_id))
    renewed = []
    for guest in guests:
        if guest.is_used_up:
            guest = replace(guest, generation=guest.generation + 1, browsers=())
            after = after.with_guest(guest)
        renewed.append(guest)
    return Plan(after, sender.mails(after, renewed, MailKind.INVITATION))


def _new_guest(guest: CheckedGuest, guest_id: str) -> Guest:
    return Guest(
        guest_id, guest.name, guest.email, guest.role, time_zone=guest.time_zone
    )


def _same_address(
    before: Invite, draft: CheckedDraft, wanted: CheckedGuest
) -> Guest | None:
    """Whom a client means that names a known guest by the address alone."""
    named = {guest.guest_id for guest in draft.guests}
    return next(
        (
            guest
            for guest in before.present
            if wanted.email
            and guest.email == wanted.email
            and guest.guest_id not in named
        ),
        None,
    )


def _says_otherwise(before: Invite, after: Invite, guest: Guest) -> bool:
    """Whether the guest's mail would read otherwise now."""

    def told(invite: Invite) -> tuple[object, ...]:
        known = invite.guest(guest.guest_id)
        own_zone = known.time_zone if known is not None else ""
        return (
            invite.subject,
            invite.text,
            invite.starts_at,
            invite.ends_at,
            own_zone or invite.time_zone,
            invite.language,
        )

    return told(before) != told(after)


def _was_not_mailed(before: Invite, guest: Guest) -> bool:
    old = before.guest(guest.guest_id)
    return not before.sends_mail or (old is not None and not old.email)


def _with(ops: tuple[str, ...], op_id: str) -> tuple[str, ...]:
    return (*ops, op_id)[-REMEMBERED_OPS:]
