"""What reps write down about calls, and what of an activity may be in the CRM"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("calls") as batch:
        batch.add_column(
            sa.Column("type", sa.String(16), nullable=False, server_default="external")
        )
        batch.add_column(
            sa.Column("device", sa.String(16), nullable=False, server_default="here")
        )
        batch.add_column(sa.Column("work", sa.JSON(none_as_null=True), nullable=True))
    with op.batch_alter_table("outbox") as batch:
        batch.add_column(
            sa.Column("sent", sa.JSON(), nullable=False, server_default="[]")
        )


def downgrade() -> None:
    op.execute("DELETE FROM outbox WHERE kind = 'next_step'")
    with op.batch_alter_table("outbox") as batch:
        batch.drop_column("sent")
    with op.batch_alter_table("calls") as batch:
        batch.drop_column("work")
        batch.drop_column("device")
        batch.drop_column("type")
