"""The tables of the catalog, once for SQLite and PostgreSQL.

This module is imported only to create or migrate a database: everyday statements are SQL text
that both databases read (see `findspot.catalog.database`), so that opening a workspace does not pay
for importing SQLAlchemy.

Conventions: times are integer microseconds since 1970 in UTC; JSON is text, because it is only
ever read back as a whole; a record that is always read whole (a step's inputs, a version's labels)
keeps its mapping as JSON in its row, and a narrow table beside it serves searches. Text is compared
byte by byte on both databases.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeEngine

metadata = MetaData()

_Text: TypeEngine[Any] = Text().with_variant(Text(collation="C"), "postgresql")
_Id: TypeEngine[Any] = BigInteger().with_variant(Integer(), "sqlite")


def _id() -> Column[Any]:
    return Column("id", _Id, primary_key=True, autoincrement=True)


def _key(name: str) -> Column[Any]:
    return Column(name, _Text, primary_key=True)


def _text(name: str, *, null: bool = False) -> Column[Any]:
    return Column(name, _Text, nullable=null)


def _number(name: str, *, null: bool = False) -> Column[Any]:
    return Column(name, BigInteger, nullable=null)


def _flag(name: str) -> Column[Any]:
    return Column(name, Boolean(create_constraint=False), nullable=False)


def _narrow(name: str, *columns: Any) -> Table:
    """A table that is its own index: SQLite then keeps one B-tree for it instead of two."""
    return Table(name, metadata, *columns, sqlite_with_rowid=False)


settings = _narrow("settings", _key("name"), _text("value"))
projects = _narrow("projects", _key("name"), _number("created"))

artifacts = _narrow(
    "artifacts",
    _key("project"),
    _key("key"),
    _number("last_number"),  # the highest number ever given: it never falls
    _number("newest", null=True),  # the highest number that still exists
    _number("created"),
)

versions = Table(
    "versions",
    metadata,
    _id(),
    _text("uid"),
    _text("project"),
    _text("key"),
    _number("number"),
    _number("created"),
    _text("kind"),
    _text("name", null=True),
    _number("iteration"),
    _text("digest"),
    _number("size"),
    _number("file_count"),
    _flag("in_store"),
    _text("handler"),
    _text("handler_args"),
    _text("python_type"),
    _text("labels"),
    _text("tags"),
    _text("owner"),
    _text("job", null=True),
    _text("step", null=True),
    _text("output", null=True),
    _text("origin"),
    _text("seal"),
    _text("metadata"),
    _text("preview_type", null=True),
    Column("preview", LargeBinary, nullable=True),
    UniqueConstraint("uid", name="versions_uid"),
    UniqueConstraint("project", "key", "number", name="versions_number"),
    Index("versions_kind_created", "project", "kind", "created", "id"),
    Index("versions_project_created", "project", "created", "id"),
    Index("versions_digest", "digest"),
    Index(
        "versions_name",
        "project",
        "key",
        "name",
        unique=True,
        sqlite_where=text("name IS NOT NULL"),
        postgresql_where=text("name IS NOT NULL"),
    ),
    Index(
        "versions_job",
        "job",
        "step",
        sqlite_where=text("job IS NOT NULL"),
        postgresql_where=text("job IS NOT NULL"),
    ),
)

labels = _narrow(
    "labels",
    _key("project"),
    _key("name"),
    _key("value"),
    Column("created", BigInteger, primary_key=True, autoincrement=False),  # of the version
    Column("version", BigInteger, primary_key=True, autoincrement=False),  # its id
)

files = Table(
    "files",
    metadata,
    _key("owner"),  # uid of a version, or id of a snapshot
    _key("path"),
    _text("digest"),
    _number("size"),
    _flag("in_store"),
    Index("files_digest", "digest"),
    sqlite_with_rowid=False,
)

inline_blobs = Table(
    "inline_blobs",
    metadata,
    _id(),
    _text("digest"),
    Column("data", LargeBinary, nullable=False),
    UniqueConstraint("digest", name="inline_blobs_digest"),
)

documents = Table(
    "documents",
    metadata,
    _id(),
    _text("digest"),
    Column("data", LargeBinary, nullable=False),
    UniqueConstraint("digest", name="documents_digest"),
)

tags = Table(
    "tags",
    metadata,
    _key("project"),
    _key("key"),
    _key("tag"),
    _number("number"),  # of the version
    _number("created"),  # of the version
    _number("version"),  # its id
    Index("tags_tag", "tag", "created", "version"),
    sqlite_with_rowid=False,
)

tag_events = Table(
    "tag_events",
    metadata,
    _id(),
    _text("project"),
    _text("key"),
    _text("tag"),
    _number("version", null=True),
    _number("previous", null=True),
    _text("owner"),
    _number("time"),
    Index("tag_events_tag", "project", "key", "tag", "id"),
)

protected_tags = _narrow("protected_tags", _key("project"), _key("key"), _key("tag"))

links = Table(
    "links",
    metadata,
    _id(),
    _text("version"),
    _text("name"),
    _text("target"),
    _text("kind"),
    _text("owner"),
    _number("time"),
    Index("links_version", "version", "name", "id"),
    Index("links_target", "target", "id"),
)

signatures = _narrow(
    "signatures",
    _key("version"),
    _key("key"),
    _text("signature"),
    _text("owner"),
    _number("time"),
)

leases = _narrow(
    "leases",
    _key("id"),
    _text("owner"),
    _text("purpose"),
    _text("process"),
    _number("since"),
    _number("until"),
)

lease_versions = Table(
    "lease_versions",
    metadata,
    _key("version"),
    _key("lease"),
    Index("lease_versions_lease", "lease"),
    sqlite_with_rowid=False,
)

jobs = Table(
    "jobs",
    metadata,
    _key("id"),
    _text("project"),
    _text("experiment", null=True),
    _text("name"),
    _text("status"),
    _number("created"),
    _number("started", null=True),
    _number("ended", null=True),
    _text("entrypoint", null=True),
    _text("plugins"),
    _text("params"),
    _text("artifacts"),
    _text("options"),
    _text("environment", null=True),
    _number("seed", null=True),
    _text("owner"),
    _text("process"),
    _text("labels"),
    _text("parent", null=True),
    _text("failure", null=True),
    Index("jobs_project_created", "project", "created", "id"),
    Index("jobs_status_created", "status", "created", "id"),
    Index("jobs_created", "created", "id"),
)

steps = Table(
    "steps",
    metadata,
    _key("job"),
    _key("name"),
    _text("task"),
    _number("position"),
    _text("status"),
    _flag("cached"),
    _text("key", null=True),
    _text("parts"),
    _text("source_job", null=True),
    _text("params"),
    _text("inputs"),
    _text("outputs"),
    _number("started", null=True),
    _number("ended", null=True),
    _number("attempt"),
    _text("failure", null=True),
)

step_inputs = _narrow("step_inputs", _key("version"), _key("job"), _key("step"), _key("name"))
step_outputs = _narrow("step_outputs", _key("version"), _key("job"), _key("step"), _key("name"))
job_outputs = _narrow("job_outputs", _key("job"), _key("name"), _text("version"))

job_inputs = Table(
    "job_inputs",
    metadata,
    _id(),
    _text("job"),
    _text("step", null=True),
    _text("name"),
    _text("version"),
    Index("job_inputs_job", "job"),
    Index("job_inputs_version", "version"),
)

sources = Table(
    "sources",
    metadata,
    _id(),
    _text("job"),
    _text("step", null=True),
    _text("name"),
    _text("url"),
    _number("size", null=True),
    _text("etag", null=True),
    _text("digest", null=True),
    _number("modified", null=True),
    _number("time"),
    Index("sources_job", "job", "id"),
    Index("sources_url", "url", "id"),
)

cache = _narrow("cache", _key("key"), _text("job"), _text("step"))

metrics = Table(
    "metrics",
    metadata,
    _id(),
    _text("job"),
    _text("step", null=True),
    _text("name"),
    Column("value", Double, nullable=True),  # SQLite keeps NaN as NULL
    _number("at", null=True),
    _number("time"),
    Index("metrics_job", "job", "name", "id"),
)

log = Table(
    "log",
    metadata,
    _id(),
    _text("job"),
    _text("step", null=True),
    _number("time"),
    _text("level"),
    _text("source"),
    _text("text"),
    Index("log_job", "job", "id"),
)

events = Table(
    "events",
    metadata,
    _id(),
    _text("project"),
    _text("job"),
    _text("step", null=True),
    _number("time"),
    _text("what"),
    Index("events_job", "job", "id"),
)

snapshots = Table(
    "snapshots",
    metadata,
    _key("id"),
    _text("resource"),
    _text("project"),
    _text("name"),
    _number("number"),
    _text("digest"),
    _text("body"),
    _text("owner"),
    _number("created"),
    UniqueConstraint("resource", "project", "name", "number", name="snapshots_number"),
)

schedules = _narrow(
    "schedules",
    _key("project"),
    _key("name"),
    _text("definition"),  # id of a snapshot
    _flag("paused"),
    _number("due", null=True),
    _number("last_due", null=True),
    _text("last_job", null=True),
    _text("worker"),
    _number("claimed", null=True),
    _text("owner"),
    _number("created"),
    _number("revision"),
)
