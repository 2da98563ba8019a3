"""Steps have long rows, which SQLite keeps in whole pages of their own where a table is its own
index: a table with an index beside it takes a third of the room."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("cached", sa.Boolean(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.Column("source_job", sa.Text(), nullable=True),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("outputs", sa.Text(), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=True),
        sa.Column("ended", sa.BigInteger(), nullable=True),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
    )
    names = ", ".join(f'"{column.name}"' for column in columns)
    op.rename_table("steps", "narrow_steps")
    op.create_table("steps", *columns, sa.PrimaryKeyConstraint("job", "name"))
    op.execute(
        f"INSERT INTO steps ({names}) SELECT {names} FROM narrow_steps ORDER BY job, position"
    )
    op.drop_table("narrow_steps")
