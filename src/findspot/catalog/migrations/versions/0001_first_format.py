"""The first format.

A migration is never changed once it was released: it must go on making what it made.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NAMED = sa.text("name IS NOT NULL")
_BY_JOB = sa.text("job IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "artifacts",
        sa.Column("project", _TEXT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.Column("newest", sa.BigInteger(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "cache",
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("job", _TEXT, nullable=False),
        sa.Column("step", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "documents",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest", name="documents_digest"),
    )
    op.create_table(
        "events",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("project", _TEXT, nullable=False),
        sa.Column("job", _TEXT, nullable=False),
        sa.Column("step", _TEXT, nullable=True),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("what", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("events_job", "events", ["job", "id"])
    op.create_table(
        "files",
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("path", _TEXT, nullable=False),
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("in_store", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "path"),
        sqlite_with_rowid=False,
    )
    op.create_index("files_digest", "files", ["digest"])
    op.create_table(
        "inline_blobs",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest", name="inline_blobs_digest"),
    )
    op.create_table(
        "job_inputs",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("job", _TEXT, nullable=False),
        sa.Column("step", _TEXT, nullable=True),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("version", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("job_inputs_job", "job_inputs", ["job"])
    op.create_index("job_inputs_version", "job_inputs", ["version"])
    op.create_table(
        "job_outputs",
        sa.Column("job", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("version", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("job", "name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "jobs",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("project", _TEXT, nullable=False),
        sa.Column("experiment", _TEXT, nullable=True),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=True),
        sa.Column("ended", sa.BigInteger(), nullable=True),
        sa.Column("entrypoint", _TEXT, nullable=True),
        sa.Column("plugins", _TEXT, nullable=False),
        sa.Column("params", _TEXT, nullable=False),
        sa.Column("artifacts", _TEXT, nullable=False),
        sa.Column("options", _TEXT, nullable=False),
        sa.Column("environment", _TEXT, nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("process", _TEXT, nullable=False),
        sa.Column("labels", _TEXT, nullable=False),
        sa.Column("parent", _TEXT, nullable=True),
        sa.Column("failure", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("jobs_created", "jobs", ["created", "id"])
    op.create_index("jobs_project_created", "jobs", ["project", "created", "id"])
    op.create_index("jobs_status_created", "jobs", ["status", "created", "id"])
    op.create_table(
        "labels",
        sa.Column("project", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("value", _TEXT, nullable=False),
        sa.Column("created", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("project", "name", "value", "created", "version"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("job", _TEXT, nullable=False),
        sa.Column("step", _TEXT, nullable=True),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("level", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("text", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("log_job", "log", ["job", "id"])
    op.create_table(
        "metrics",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("job", _TEXT, nullable=False),
        sa.Column("step", _TEXT, nullable=True),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("metrics_job", "metrics", ["job", "name", "id"])
    op.create_table(
        "projects",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "settings",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("value", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "snapshots",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("resource", _TEXT, nullable=False),
        sa.Column("project", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("body", _TEXT, nullable=False),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("resource", "project", "name", "number", name="snapshots_number"),
    )
    op.create_table(
        "step_inputs",
        sa.Column("version", _TEXT, nullable=False),
        sa.Column("job", _TEXT, nullable=False),
        sa.Column("step", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("version", "job", "step", "name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "step_outputs",
        sa.Column("version", _TEXT, nullable=False),
        sa.Column("job", _TEXT, nullable=False),
        sa.Column("step", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("version", "job", "step", "name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "steps",
        sa.Column("job", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("task", _TEXT, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("cached", sa.Boolean(), nullable=False),
        sa.Column("key", _TEXT, nullable=True),
        sa.Column("parts", _TEXT, nullable=False),
        sa.Column("source_job", _TEXT, nullable=True),
        sa.Column("params", _TEXT, nullable=False),
        sa.Column("inputs", _TEXT, nullable=False),
        sa.Column("outputs", _TEXT, nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=True),
        sa.Column("ended", sa.BigInteger(), nullable=True),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("failure", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("job", "name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tag_events",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("project", _TEXT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("tag", _TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.Column("previous", sa.BigInteger(), nullable=True),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("tag_events_tag", "tag_events", ["project", "key", "tag", "id"])
    op.create_table(
        "tags",
        sa.Column("project", _TEXT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("tag", _TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "key", "tag"),
        sqlite_with_rowid=False,
    )
    op.create_index("tags_tag", "tags", ["tag", "created", "version"])
    op.create_table(
        "versions",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("uid", _TEXT, nullable=False),
        sa.Column("project", _TEXT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=True),
        sa.Column("iteration", sa.BigInteger(), nullable=False),
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("file_count", sa.BigInteger(), nullable=False),
        sa.Column("in_store", sa.Boolean(), nullable=False),
        sa.Column("handler", _TEXT, nullable=False),
        sa.Column("handler_args", _TEXT, nullable=False),
        sa.Column("python_type", _TEXT, nullable=False),
        sa.Column("labels", _TEXT, nullable=False),
        sa.Column("tags", _TEXT, nullable=False),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("job", _TEXT, nullable=True),
        sa.Column("step", _TEXT, nullable=True),
        sa.Column("output", _TEXT, nullable=True),
        sa.Column("origin", _TEXT, nullable=False),
        sa.Column("seal", _TEXT, nullable=False),
        sa.Column("metadata", _TEXT, nullable=False),
        sa.Column("preview_type", _TEXT, nullable=True),
        sa.Column("preview", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project", "key", "number", name="versions_number"),
        sa.UniqueConstraint("uid", name="versions_uid"),
    )
    op.create_index("versions_digest", "versions", ["digest"])
    op.create_index(
        "versions_job", "versions", ["job", "step"], sqlite_where=_BY_JOB, postgresql_where=_BY_JOB
    )
    op.create_index("versions_kind_created", "versions", ["project", "kind", "created", "id"])
    op.create_index(
        "versions_name",
        "versions",
        ["project", "key", "name"],
        unique=True,
        sqlite_where=_NAMED,
        postgresql_where=_NAMED,
    )
    op.create_index("versions_project_created", "versions", ["project", "created", "id"])
