"""Read every byte again and compare it with its digest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Literal

from findspot.artifacts.version import uri_of
from findspot.core.digests import Digest, hash_bytes
from findspot.core.errors import BlobDamaged, BlobMissing
from findspot.core.records import manifest_digest
from findspot.store.errors import StoreUnreadable

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.artifacts.version import ArtifactVersion

_WORKERS = 4
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Fault:
    """A blob that is missing or damaged.

    Args:
        found: the digest of the bytes that are there, or why they cannot be read; None where there
            are none.
        users: versions that need it, as ``reference, file path``.
        jobs: that made those versions, and could make the bytes anew.
    """

    digest: Digest
    what: Literal["missing", "damaged"]
    found: str | None
    users: tuple[str, ...]
    jobs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `verify` found.

    Args:
        blobs, size: how many blobs were read, and their bytes.
        faults: blobs that are not as recorded.
        catalog: faults of the database itself.
    """

    blobs: int
    size: int
    faults: tuple[Fault, ...] = ()
    catalog: tuple[str, ...] = field(default=())

    @property
    def sound(self) -> bool:
        """Whether everything is as it was recorded."""
        return not self.faults and not self.catalog


def verify(
    space: ArtifactSpace,
    versions: Iterable[ArtifactVersion] | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> VerifyReport:
    """Read every blob of the given versions, or of the whole workspace, and the catalog.

    Args:
        versions: None: everything that any version or snapshot needs.
        progress: called with the bytes read so far and the bytes in all.
    """
    inline: dict[Digest, bytes] = {}
    stored: dict[Digest, int] = {}
    if versions is None:
        known = space.existing_catalog
        stored.update(known.blob_references())
        catalog = known.check()
        kept: Iterator[tuple[Digest, bytes]] = known.inline_blobs()
    else:
        catalog = []
        for version in versions:
            if manifest_digest(version.files, version.handler) != version.digest:
                catalog.append(f"{version.uri}: its files are not those that were recorded")
            for entry in version.files:
                if entry.inline is None:
                    stored[entry.digest] = entry.size
                else:
                    inline[entry.digest] = entry.inline
        kept = iter(inline.items())
    faults: list[Fault] = []
    count = read = 0
    for digest, data in kept:
        count += 1
        read += len(data)
        found = hash_bytes(data)
        if found != digest:
            faults.append(_fault(space, digest, "damaged", found))
    total = read + sum(stored.values())
    for _, size, fault in _checked(space, stored):
        count += 1
        read += size
        if fault is not None:
            faults.append(fault)
        if progress is not None:
            progress(read, total)
    return VerifyReport(count, read, tuple(faults), tuple(catalog))


def _checked(
    space: ArtifactSpace, stored: Mapping[Digest, int]
) -> Iterator[tuple[Digest, int, Fault | None]]:
    def check(digest: Digest) -> Fault | None:
        try:
            space.store.verify(digest)
        except BlobMissing:
            return _fault(space, digest, "missing", None)
        except BlobDamaged as error:
            return _fault(space, digest, "damaged", error.found)
        except StoreUnreadable as error:
            return _fault(space, digest, "damaged", error.reason)
        return None

    # Not all at once: the pool would keep a future for each of a million blobs.
    digests = iter(stored.items())
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="findspot-verify") as pool:
        while some := list(islice(digests, _AT_ONCE)):
            for (digest, size), fault in zip(
                some, pool.map(check, [d for d, _ in some]), strict=True
            ):
                yield digest, size, fault


def _fault(
    space: ArtifactSpace,
    digest: Digest,
    what: Literal["missing", "damaged"],
    found: str | None,
) -> Fault:
    users = space.catalog.users_of_blob(digest)
    jobs = dict.fromkeys(r.producer.job for r, _ in users if r.producer is not None)
    return Fault(
        digest, what, found, tuple(f"{uri_of(r)}, {path}" for r, path in users), tuple(jobs)
    )
