"""Video invites, their guests, links and mails"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "invites",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("invite_id", sa.String(128), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.Double(), nullable=False),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("sends_mail", sa.Boolean(), nullable=False),
        sa.Column("contact", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("about", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("cancelled_at", sa.Double(), nullable=True),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("draft_hash", sa.String(64), nullable=False),
        sa.Column("ops", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "invite_id", name="pk_invites"),
    )
    op.create_index("ix_invites_host", "invites", ["tenant", "user_id", "starts_at"])
    op.create_index("ix_invites_open", "invites", ["ended_at", "cancelled_at"])
    op.create_table(
        "invite_guests",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("guest_id", sa.String(64), nullable=False),
        sa.Column("invite_id", sa.String(128), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("browsers", sa.JSON(), nullable=False),
        sa.Column("joined_at", sa.Double(), nullable=True),
        sa.Column("removed_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "guest_id", name="pk_invite_guests"),
    )
    op.create_index("ix_invite_guests_invite", "invite_guests", ["tenant", "invite_id"])
    op.create_table(
        "invite_links",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("invite_id", sa.String(128), nullable=False),
        sa.Column("guest_id", sa.String(64), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "token_hash", name="pk_invite_links"),
    )
    op.create_index(
        "ix_invite_links_token", "invite_links", ["token_hash"], unique=True
    )
    op.create_table(
        "invite_mails",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("invite_id", sa.String(128), nullable=False),
        sa.Column("guest_id", sa.String(64), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_invite_mails"),
    )
    op.create_index("ix_invite_mails_due", "invite_mails", ["state", "due_at"])
    op.create_index("ix_invite_mails_invite", "invite_mails", ["tenant", "invite_id"])
    op.create_index(
        "ix_invite_mails_user", "invite_mails", ["tenant", "user_id", "created_at"]
    )


def downgrade() -> None:
    for table in ("invite_mails", "invite_links", "invite_guests", "invites"):
        op.drop_table(table)
