"""Count the calls to Google for all processes together."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "google_calls",
        sa.Column("id", _INT, autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("started", _INT, nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_google_calls_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_google_calls")),
    )


def downgrade() -> None:
    """Drop it; the day's count is lost."""
    op.drop_table("google_calls")
