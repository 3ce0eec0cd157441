"""Users beside those of the configuration file"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("number", sa.String(64), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("crm_user_id", sa.String(64), nullable=True),
        sa.Column("crm_username", sa.String(255), nullable=False),
        sa.Column("sip_username", sa.String(64), nullable=False),
        sa.Column("sip_auth_username", sa.String(255), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("is_disabled", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "user_id", name="pk_users"),
        sa.UniqueConstraint(
            "tenant", "sip_username", name="uq_users_tenant_sip_username"
        ),
        sa.UniqueConstraint(
            "tenant", "crm_user_id", name="uq_users_tenant_crm_user_id"
        ),
    )


def downgrade() -> None:
    op.drop_table("users")
