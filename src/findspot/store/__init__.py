"""Bytes under their digests: deduplicated, verified, visible whole or not at all.

`open_store` opens a store by its URL; `findspot.store.protocol` says what every store guarantees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from pathlib import Path

    from findspot.store.protocol import BlobStore

__all__ = ["open_store"]

_REMOTE: Final = frozenset({"s3", "gs", "az"})


def open_store(
    url: str,
    *,
    durable: bool = False,
    cache: Path | None = None,
    cache_limit: int = 10_000_000_000,
) -> BlobStore:
    """The blob store at ``url``. Nothing is made or changed on disk before the first write.

    Args:
        url: a folder's path (``~`` is your home) or ``file:///folder``: a `LocalBlobStore`;
            ``memory://`` or ``memory://name``: a `MemoryBlobStore`, the same one for the same name
            in this process; ``s3://bucket/prefix``, ``gs://bucket/prefix`` or
            ``az://container/prefix``: an `ObjectBlobStore`, with credentials and endpoint by the
            usual environment variables.
        durable: a local store also survives a power cut; see `LocalBlobStore`.
        cache: a folder on this machine in which the blobs of a remote store that were used last
            are kept as files; see `CachedBlobStore`. Local stores need none.
        cache_limit: bytes that the cached blobs take at most.

    Raises:
        ExtraMissing: the store needs a library that is not installed.
        UnknownStore: no store can be opened under ``url``; the error lists the known kinds.

    >>> store = open_store("memory://example")
    >>> digest = store.put(b"sherds").digest
    >>> open_store("memory://example").read(digest)
    b'sherds'
    """
    from findspot.store.errors import KNOWN_STORES, UnknownStore

    scheme, found, rest = url.partition("://")
    if not found:
        return _local(url, url, durable)
    if scheme == "memory":
        from findspot.store.memory import shared_memory_store

        return shared_memory_store(rest)
    if scheme in _REMOTE:
        from findspot.store.object_store import ObjectBlobStore

        remote = ObjectBlobStore(url)
        if cache is None:
            return remote
        from findspot.store.cached_store import CachedBlobStore

        return CachedBlobStore(remote, cache, cache_limit)
    if scheme != "file":
        raise UnknownStore(url, f"its scheme is {scheme[:40]!r}", KNOWN_STORES)
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise UnknownStore(url, f"{parts.netloc!r} is another machine", KNOWN_STORES)
    if parts.query or parts.fragment:
        raise UnknownStore(
            url, "'?' and '#' in a folder's name are written %3F and %23", KNOWN_STORES
        )
    return _local(url, unquote(parts.path), durable)


def _local(url: str, folder: str, durable: bool) -> BlobStore:
    import os
    from pathlib import Path

    from findspot.store.errors import KNOWN_STORES, UnknownStore
    from findspot.store.local import LocalBlobStore

    if not folder:
        raise UnknownStore(url, "it names no folder", KNOWN_STORES)
    if "\0" in folder:
        raise UnknownStore(url, "a folder's name holds no NUL character", KNOWN_STORES)
    root = os.path.expanduser(folder)
    if os.path.exists(root) and not os.path.isdir(root):
        raise UnknownStore(url, "there is a file, not a folder", KNOWN_STORES)
    return LocalBlobStore(Path(root), durable=durable)
