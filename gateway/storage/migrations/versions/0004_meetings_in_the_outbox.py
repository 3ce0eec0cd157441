"""The outbox carries the meetings and notes of invites"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("outbox") as batch:
        batch.add_column(
            sa.Column("kind", sa.String(16), nullable=False, server_default="activity")
        )
        batch.add_column(
            sa.Column("invite_id", sa.String(128), nullable=False, server_default="")
        )
        # An id, its prefix, and a user's name behind it where ids meet.
        batch.alter_column(
            "key",
            type_=sa.String(255),
            existing_type=sa.String(160),
            existing_nullable=False,
        )
    op.create_index("ix_outbox_invite", "outbox", ["tenant", "user_id", "invite_id"])


def downgrade() -> None:
    op.execute("DELETE FROM outbox WHERE invite_id <> ''")
    op.drop_index("ix_outbox_invite", "outbox")
    with op.batch_alter_table("outbox") as batch:
        batch.alter_column(
            "key",
            type_=sa.String(160),
            existing_type=sa.String(255),
            existing_nullable=False,
        )
        batch.drop_column("invite_id")
        batch.drop_column("kind")
