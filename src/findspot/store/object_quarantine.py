"""Blobs on their way out of a bucket: away from readers, and back if somebody asks for one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from findspot.core.digests import Digest
from findspot.store.object_errors import Absent
from findspot.store.object_keys import (
    COPY_LIMIT,
    QUARANTINE,
    blob_key,
    digest_at,
    quarantine_key,
)
from findspot.store.object_transfers import Transfers
from findspot.store.protocol import StoredBlob


class ObjectQuarantine:
    """The objects of quarantined blobs, beside those of the others.

    A blob goes in and comes out by a copy, and only then a removal, so that it is in one of the two
    places at every instant. The object's time says since when it is here.
    """

    def __init__(self, transfers: Transfers) -> None:
        self._transfers = transfers

    def take(self, digest: Digest) -> bool:
        """Take a blob; False where none is stored. There must be one who does this at a time."""
        key = blob_key(digest)
        found = self._transfers.head(key)
        if found is None:
            return False
        self._transfers.copy(key, quarantine_key(digest), found, COPY_LIMIT)
        self._transfers.delete(key)
        return True

    def give_back(self, digest: Digest) -> bool:
        """Put the blob back; whether it is stored now.

        The copy here stays until it is purged: to remove it now could meet a `take` that has made
        it and is about to remove the other.
        """
        key = blob_key(digest)
        if self._transfers.head(key) is not None:
            return True
        waiting = self._transfers.head(quarantine_key(digest))
        if waiting is None:
            return False
        try:
            self._transfers.copy(quarantine_key(digest), key, waiting, COPY_LIMIT)
        except Absent:
            return self._transfers.head(key) is not None
        return True

    def list(self) -> Iterator[StoredBlob]:
        """All that are here, and since when; a page in memory at a time."""
        for key, size, since in self._transfers.listing(QUARANTINE):
            if digest := digest_at(key, QUARANTINE):
                yield StoredBlob(digest, size, since)

    def purge(self, digests: Iterable[Digest], older_than: datetime) -> int:
        """Delete for good those that are here since before then; the bytes freed."""
        wanted = set(digests)
        old = [
            blob
            for blob in (self.list() if wanted else ())
            if blob.digest in wanted and blob.modified < older_than
        ]
        if old:
            self._transfers.delete([quarantine_key(blob.digest) for blob in old])
        return sum(blob.size for blob in old)
