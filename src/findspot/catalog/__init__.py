"""Records: who made what, when and from what; in SQLite or PostgreSQL, behind one Protocol.

`open_catalog` is the only entrance; what it returns is described by
`findspot.catalog.protocol.Catalog`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from findspot.catalog.protocol import Catalog

__all__ = ["open_catalog"]


def open_catalog(url: str) -> Catalog:
    """The catalog at an address; created or brought to this program's format where that is needed.

    Several processes may open a new address at once: one creates it, the others wait.

    Args:
        url: ``sqlite:////absolute/path``, ``sqlite:///relative/path``, a bare path to a file, or
            ``postgresql://user@host/database`` (as libpq reads it).

    Raises:
        InvalidCatalogUrl: the text is no address of a catalog.
        FormatTooNew: a newer Findspot wrote it.
        CatalogDamaged: it is a file, but no catalog, or a damaged one.
        CatalogUnavailable: it cannot be reached.
        ReadOnly: it does not exist and cannot be created.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     catalog = open_catalog(f"sqlite:///{folder}/catalog.db")
    ...     catalog.add_project("iris")
    ...     catalog.close()
    True
    """
    from findspot.catalog.sql_catalog import SqlCatalog

    scheme, found, rest = url.partition("://")
    if not found:
        scheme, rest = "sqlite", "/" + url
    if scheme == "sqlite" and rest.startswith("/") and rest != "/" and "\0" not in rest:
        from findspot.catalog.sqlite_database import SqliteDatabase

        return SqlCatalog(url, SqliteDatabase(rest[1:]))
    if scheme in ("postgresql", "postgres"):
        from findspot.catalog.postgres_database import PostgresDatabase

        return SqlCatalog(url, PostgresDatabase(url))
    from findspot.catalog.errors import InvalidCatalogUrl

    raise InvalidCatalogUrl(url)
