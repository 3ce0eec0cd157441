"""Where guests are"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    time_zone = sa.Column("time_zone", sa.String(64), nullable=False, server_default="")
    with op.batch_alter_table("invite_guests") as batch:
        batch.add_column(time_zone)


def downgrade() -> None:
    with op.batch_alter_table("invite_guests") as batch:
        batch.drop_column("time_zone")
