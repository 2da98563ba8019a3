"""Read every byte again and compare it with its digest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from findspot.artifacts.version import uri_of
from findspot.core.digests import Digest, hash_bytes
from findspot.core.errors import BlobDamaged, BlobMissing

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.artifacts.version import ArtifactVersion

_WORKERS = 4


@dataclass(frozen=True, slots=True)
class Fault:
    """A blob that is missing or damaged.

    Args:
        found: the digest of the bytes that are there; None where there are none.
        users: versions that need it, as ``reference, file path``.
        jobs: that made those versions, and could make the bytes anew.
    """

    digest: Digest
    what: Literal["missing", "damaged"]
    found: Digest | None
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
        stored.update(space.catalog.blob_references())
        catalog = tuple(space.catalog.check())
        kept: Iterator[tuple[Digest, bytes]] = space.catalog.inline_blobs()
    else:
        for version in versions:
            for entry in version.files:
                if entry.inline is None:
                    stored[entry.digest] = entry.size
                else:
                    inline[entry.digest] = entry.inline
        catalog = ()
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
    return VerifyReport(count, read, tuple(faults), catalog)


def _checked(
    space: ArtifactSpace, stored: Mapping[Digest, int]
) -> Iterator[tuple[Digest, int, Fault | None]]:
    def check(digest: Digest) -> Fault | None:
        try:
            space.store.verify(digest)
        except BlobMissing:
            return _fault(space, digest, "missing", None)
        except BlobDamaged as error:
            return _fault(space, digest, "damaged", Digest(error.found))
        return None

    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="findspot-verify") as pool:
        for (digest, size), fault in zip(stored.items(), pool.map(check, stored), strict=True):
            yield digest, size, fault


def _fault(
    space: ArtifactSpace,
    digest: Digest,
    what: Literal["missing", "damaged"],
    found: Digest | None,
) -> Fault:
    users = space.catalog.users_of_blob(digest)
    jobs = dict.fromkeys(r.producer.job for r, _ in users if r.producer is not None)
    return Fault(
        digest, what, found, tuple(f"{uri_of(r)}, {path}" for r, path in users), tuple(jobs)
    )
