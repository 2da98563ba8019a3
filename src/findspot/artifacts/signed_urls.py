"""URLs by which anybody can fetch a version's file from the bucket that it is in, for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from findspot.core.errors import FindspotError

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.core.records import FileEntry

LONGEST = 7 * 86_400
"""Seconds; no server signs for longer."""


def presigned(space: ArtifactSpace, entry: FileEntry, expires: float) -> str:
    """A URL of one file; see `ArtifactVersion.presigned`."""
    from findspot.store.cached_store import Signs
    from findspot.store.errors import CannotSign

    if isinstance(expires, bool) or not isinstance(expires, int | float):
        raise _no_time(expires)
    if not 1 <= expires <= LONGEST:
        raise _no_time(expires)
    store = space.store
    if not isinstance(store, Signs):
        raise CannotSign(store.url, "this workspace keeps its blobs on no server")
    if entry.inline is not None and store.size(entry.digest) is None:
        store.put(entry.inline)  # small files are kept in the catalog, which nobody else can ask
    return store.presigned(entry.digest, expires)


def _no_time(expires: object) -> FindspotError:
    return FindspotError(
        f"A URL cannot be valid for {expires!r} seconds.",
        how=f"Give a number of seconds from 1 to {LONGEST} (a week).",
    )
