"""What alembic runs to migrate the connection that `findspot.catalog.migrating` hands it."""

from __future__ import annotations

from alembic import context

from findspot.catalog.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
context.run_migrations()
