"""The tables. Every one has a tenant, and every key begins with it.

Times are Unix seconds in double precision: the same in SQLite and PostgreSQL, and
sortable. A change here needs a migration; a test compares the two.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# Named constraints, so that a later migration can name what it drops.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class CallRow(Base):
    """One call or attempt of one user; ``call_id`` may be the client's own choice,
    so it names a call only together with tenant and user."""

    __tablename__ = "calls"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    call_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    # The gateway node that holds the call: only it may finalise it after a crash.
    node: Mapped[str] = mapped_column(String(128))
    direction: Mapped[str] = mapped_column(String(16))
    number: Mapped[str] = mapped_column(String(255))
    e164: Mapped[str] = mapped_column(String(32))
    display_name: Mapped[str] = mapped_column(String(255))
    # The CRM record, all of it, as gateway.storage.serial writes it.
    record: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    # The video invite it came by, likewise.
    invite: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    started_at: Mapped[float] = mapped_column(Double)
    answered_at: Mapped[float | None] = mapped_column(Double)
    # Last time the node said that it still holds the call.
    seen_at: Mapped[float] = mapped_column(Double)
    ended_at: Mapped[float | None] = mapped_column(Double)
    reason: Mapped[str | None] = mapped_column(String(32))
    sip_code: Mapped[int | None] = mapped_column(Integer)
    type: Mapped[str] = mapped_column(String(16), server_default="external")
    device: Mapped[str] = mapped_column(String(16), server_default="here")
    transferred_to: Mapped[str] = mapped_column(String(255), server_default="")
    # What the rep has written down, as gateway.storage.serial writes it.
    work: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    # Whom it was with before, likewise.
    earlier: Mapped[list[dict[str, Any]] | None] = mapped_column(
        JSON(none_as_null=True)
    )

    __table_args__ = (
        Index("ix_calls_history", "tenant", "user_id", "started_at"),
        Index("ix_calls_open", "node", "ended_at"),
        Index("ix_calls_ended", "ended_at"),
    )


class OutboxRow(Base):
    """One activity on its way to the CRM; stays when written, for the history.

    Of a call (``call_id``) or of an invite (``invite_id``); the other is "".
    """

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True
    )
    tenant: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[str] = mapped_column(String(64))
    call_id: Mapped[str] = mapped_column(String(128))
    invite_id: Mapped[str] = mapped_column(String(128))
    # The activity's key in the CRM, unique there too.
    key: Mapped[str] = mapped_column(String(255))
    # What ``activity`` is: a call or note ("activity"), a call's task for later
    # ("next_step"), or a "meeting".
    kind: Mapped[str] = mapped_column(String(16))
    activity: Mapped[dict[str, Any]] = mapped_column(JSON)
    # Counts changes of ``activity``: a write of an older revision settles nothing.
    revision: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[float] = mapped_column(Double)
    # Retries are counted from here: the creation, or the last time a person asked.
    queued_at: Mapped[float] = mapped_column(Double)
    due_at: Mapped[float] = mapped_column(Double)
    lease_owner: Mapped[str] = mapped_column(String(128))
    leased_until: Mapped[float] = mapped_column(Double)
    problem: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(String(128))
    record_id: Mapped[str] = mapped_column(String(128))
    url: Mapped[str] = mapped_column(Text)
    # Versions of ``activity`` that the CRM may have, the latest one last.
    sent: Mapped[list[dict[str, Any]]] = mapped_column(JSON, server_default="[]")

    __table_args__ = (
        UniqueConstraint("tenant", "key"),
        Index("ix_outbox_call", "tenant", "user_id", "call_id"),
        Index("ix_outbox_invite", "tenant", "user_id", "invite_id"),
        Index("ix_outbox_due", "state", "tenant", "due_at"),
    )


class InviteRow(Base):
    """A video invite; its id may be the client's own choice."""

    __tablename__ = "invites"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    invite_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    starts_at: Mapped[float] = mapped_column(Double)
    ends_at: Mapped[float] = mapped_column(Double)
    time_zone: Mapped[str] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(8))
    sends_mail: Mapped[bool] = mapped_column(Boolean)
    # CRM records as the browser protocol writes them.
    contact: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    about: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    sequence: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[float] = mapped_column(Double)
    cancelled_at: Mapped[float | None] = mapped_column(Double)
    ended_at: Mapped[float | None] = mapped_column(Double)
    draft_hash: Mapped[str] = mapped_column(String(64))
    ops: Mapped[list[str]] = mapped_column(JSON)
    # Counts changes: a writer that has read an older revision changes nothing.
    revision: Mapped[int] = mapped_column(Integer)

    __table_args__ = (
        Index("ix_invites_host", "tenant", "user_id", "starts_at"),
        Index("ix_invites_open", "ended_at", "cancelled_at"),
        Index("ix_invites_ends", "ends_at"),
    )


class InviteGuestRow(Base):
    __tablename__ = "invite_guests"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    guest_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    invite_id: Mapped[str] = mapped_column(String(128))
    position: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(String(254))
    role: Mapped[str] = mapped_column(String(16))
    # Where the guest is; "" for the invite's own.
    time_zone: Mapped[str] = mapped_column(String(64))
    generation: Mapped[int] = mapped_column(Integer)
    # Hashes of the secrets of the browsers that used this generation's link.
    browsers: Mapped[list[str]] = mapped_column(JSON)
    joined_at: Mapped[float | None] = mapped_column(Double)
    removed_at: Mapped[float | None] = mapped_column(Double)

    __table_args__ = (Index("ix_invite_guests_invite", "tenant", "invite_id"),)


class InviteLinkRow(Base):
    """A link that was made, by the SHA-256 of its token; revoked ones stay known."""

    __tablename__ = "invite_links"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    invite_id: Mapped[str] = mapped_column(String(128))
    guest_id: Mapped[str] = mapped_column(String(64))
    generation: Mapped[int] = mapped_column(Integer)

    # Whoever comes by a link has not said of which tenant it is.
    __table_args__ = (Index("ix_invite_links_token", "token_hash", unique=True),)


class InviteMailRow(Base):
    """One mail to one guest, kept in the transaction of what it tells of."""

    __tablename__ = "invite_mails"

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True
    )
    tenant: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[str] = mapped_column(String(64))
    invite_id: Mapped[str] = mapped_column(String(128))
    guest_id: Mapped[str] = mapped_column(String(64))
    generation: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(16))
    # All that it says but the link; {} when that was forgotten.
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    has_body: Mapped[bool] = mapped_column(Boolean)
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[float] = mapped_column(Double)
    due_at: Mapped[float] = mapped_column(Double)
    # Which node hands it over, or did when it died.
    owner: Mapped[str] = mapped_column(String(128))
    problem: Mapped[str] = mapped_column(Text)

    __table_args__ = (
        Index("ix_invite_mails_due", "state", "due_at"),
        Index("ix_invite_mails_invite", "tenant", "invite_id"),
        Index("ix_invite_mails_user", "tenant", "user_id", "created_at"),
        Index("ix_invite_mails_body", "has_body", "created_at"),
    )


class MailboxPositionRow(Base):
    """Up to where a tenant's mailbox of delivery reports has been read."""

    __tablename__ = "mailbox_positions"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    # Account, server and folder: another mailbox is read from its own place.
    mailbox: Mapped[str] = mapped_column(String(255), primary_key=True)
    uid_validity: Mapped[int] = mapped_column(BigInteger)
    last_uid: Mapped[int] = mapped_column(BigInteger)


class UserRow(Base):
    """A rep whom the configuration file does not list."""

    __tablename__ = "users"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    number: Mapped[str] = mapped_column(String(64))
    email: Mapped[str] = mapped_column(String(254))
    crm_user_id: Mapped[str | None] = mapped_column(String(64))
    crm_username: Mapped[str] = mapped_column(String(255))
    sip_username: Mapped[str] = mapped_column(String(64))
    sip_auth_username: Mapped[str] = mapped_column(String(255))
    # Sealed for this tenant and user; "" when the tenant's shared one is meant.
    sealed_secret: Mapped[str] = mapped_column(Text)
    is_disabled: Mapped[bool] = mapped_column(Boolean)
    source: Mapped[str] = mapped_column(String(16))
    # Counts the row's changes: the service reads the table again when their sum grows.
    revision: Mapped[int] = mapped_column(Integer)

    __table_args__ = (
        UniqueConstraint("tenant", "sip_username"),
        UniqueConstraint("tenant", "crm_user_id"),
    )


class FavouriteRow(Base):
    """A number that a user wants at hand."""

    __tablename__ = "favourites"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    # As it is dialled: one however it was written.
    number: Mapped[str] = mapped_column(String(255), primary_key=True)
    # As the browser protocol writes it.
    entry: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(Double)


class SilentRow(Base):
    """A user who does not want calls to ring."""

    __tablename__ = "silent_users"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64), primary_key=True)


class SignInRow(Base):
    """One sign-in of one user, from the proof of who they are to its end.

    No token is in it: a refresh token is made from id and generation with a key that
    the database does not have.
    """

    __tablename__ = "sign_ins"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    sign_in_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64))
    method: Mapped[str] = mapped_column(String(16))
    # Counts uses of its refresh tokens.
    generation: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[float] = mapped_column(Double)
    used_at: Mapped[float] = mapped_column(Double)
    ended_at: Mapped[float | None] = mapped_column(Double)
    ending: Mapped[str] = mapped_column(String(16))

    __table_args__ = (
        # Whoever comes with a refresh token has not said of which tenant it is.
        Index("ix_sign_ins_id", "sign_in_id", unique=True),
        Index("ix_sign_ins_ended", "ended_at"),
    )
