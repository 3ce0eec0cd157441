"""Up to where mailboxes of delivery reports have been read"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mailbox_positions",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("mailbox", sa.String(255), nullable=False),
        sa.Column("uid_validity", sa.BigInteger(), nullable=False),
        sa.Column("last_uid", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "mailbox", name="pk_mailbox_positions"),
    )


def downgrade() -> None:
    op.drop_table("mailbox_positions")
