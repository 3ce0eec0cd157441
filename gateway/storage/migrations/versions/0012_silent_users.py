"""Users who do not want calls to ring"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "silent_users",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "user_id", name="pk_silent_users"),
    )


def downgrade() -> None:
    op.drop_table("silent_users")
