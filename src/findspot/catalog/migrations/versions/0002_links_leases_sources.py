"""Links, signatures, protected tags, leases, and what jobs read from outside."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "protected_tags",
        sa.Column("project", _TEXT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("tag", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("project", "key", "tag"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "links",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("version", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("target", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("links_version", "links", ["version", "name", "id"])
    op.create_index("links_target", "links", ["target", "id"])
    op.create_table(
        "signatures",
        sa.Column("version", _TEXT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("signature", _TEXT, nullable=False),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "leases",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("purpose", _TEXT, nullable=False),
        sa.Column("process", _TEXT, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lease_versions",
        sa.Column("version", _TEXT, nullable=False),
        sa.Column("lease", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("version", "lease"),
        sqlite_with_rowid=False,
    )
    op.create_index("lease_versions_lease", "lease_versions", ["lease"])
    op.create_table(
        "sources",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("job", _TEXT, nullable=False),
        sa.Column("step", _TEXT, nullable=True),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("url", _TEXT, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("etag", _TEXT, nullable=True),
        sa.Column("digest", _TEXT, nullable=True),
        sa.Column("modified", sa.BigInteger(), nullable=True),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("sources_job", "sources", ["job", "id"])
    op.create_index("sources_url", "sources", ["url", "id"])
