"""What old rows are found by; mails may lose what they said"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("invite_mails") as batch:
        batch.add_column(
            sa.Column(
                "has_body", sa.Boolean(), nullable=False, server_default=sa.true()
            )
        )
    op.create_index("ix_invite_mails_body", "invite_mails", ["has_body", "created_at"])
    op.create_index("ix_calls_ended", "calls", ["ended_at"])
    op.create_index("ix_invites_ends", "invites", ["ends_at"])


def downgrade() -> None:
    op.drop_index("ix_invites_ends", "invites")
    op.drop_index("ix_calls_ended", "calls")
    op.drop_index("ix_invite_mails_body", "invite_mails")
    with op.batch_alter_table("invite_mails") as batch:
        batch.drop_column("has_body")
