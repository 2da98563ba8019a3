"""Keys of objects in a bucket: which blob an object is, and where it lies."""

from __future__ import annotations

import os
import re
from typing import Final

from findspot.core.digests import Digest

BLOBS: Final = "blake3"
QUARANTINE: Final = "quarantine"
TEMPORARY: Final = "tmp"

COPY_LIMIT: Final = 5 << 30
"""Bytes. S3 copies no larger object by one request."""

_REST = re.compile(r"/([0-9a-f]{2})/([0-9a-f]{62})")


def blob_key(digest: Digest) -> str:
    """Where a blob lies."""
    return f"{BLOBS}/{digest[7:9]}/{digest[9:]}"


def quarantine_key(digest: Digest) -> str:
    """Where it lies while it is in quarantine."""
    return f"{QUARANTINE}/{digest[7:9]}/{digest[9:]}"


def temporary_key() -> str:
    """A new key for an upload whose digest is not known yet."""
    return f"{TEMPORARY}/{os.urandom(16).hex()}"


def digest_at(key: str, folder: str) -> Digest | None:
    """The blob of a key in a folder (`BLOBS`, `QUARANTINE`); None of another program's object."""
    found = _REST.fullmatch(key, len(folder)) if key.startswith(folder) else None
    return None if found is None else Digest(f"blake3:{found[1]}{found[2]}")
