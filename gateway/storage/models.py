"""The tables. Every one has a tenant, and every key begins with it.

Times are Unix seconds in double precision: the same in SQLite and PostgreSQL, and
sortable. A change here needs a migration; a test compares the two.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
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

    __table_args__ = (
        Index("ix_calls_history", "tenant", "user_id", "started_at"),
        Index("ix_calls_open", "node", "ended_at"),
    )


class OutboxRow(Base):
    """One activity on its way to the CRM; stays when written, for the history."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True
    )
    tenant: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[str] = mapped_column(String(64))
    call_id: Mapped[str] = mapped_column(String(128))
    # The activity's key in the CRM, unique there too.
    key: Mapped[str] = mapped_column(String(160))
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

    __table_args__ = (
        UniqueConstraint("tenant", "key"),
        Index("ix_outbox_call", "tenant", "user_id", "call_id"),
        Index("ix_outbox_due", "state", "tenant", "due_at"),
    )
