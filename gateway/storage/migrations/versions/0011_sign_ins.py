"""Sign-ins, so that they last over a restart and can be ended"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_ins",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("sign_in_id", sa.String(32), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("used_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double()),
        sa.Column("ending", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "sign_in_id", name="pk_sign_ins"),
    )
    op.create_index("ix_sign_ins_id", "sign_ins", ["sign_in_id"], unique=True)
    op.create_index("ix_sign_ins_ended", "sign_ins", ["ended_at"])


def downgrade() -> None:
    op.drop_table("sign_ins")
