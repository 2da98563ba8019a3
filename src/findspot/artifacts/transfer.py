"""`push` and `pull`: versions from one workspace to another; only blobs that are missing travel."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any

from findspot.artifacts.arrival import record
from findspot.artifacts.exchange import Shipment, chosen, collect, lineage_choice
from findspot.artifacts.leases import lease
from findspot.artifacts.location import BadWorkspaceUrl
from findspot.artifacts.opening import OpenedWorkspace
from findspot.artifacts.version import uri_of
from findspot.core.digests import Digest, hash_bytes
from findspot.core.errors import BlobDamaged, BlobMissing, FindspotError, ReadOnly

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactLike, ArtifactSpace
    from findspot.store.protocol import BlobStore

Progress = Callable[[int, int], None]
"""Called with the bytes done so far and the bytes in all."""

_WORKERS = 4
_BLOCK = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferReport:
    """What a push, a pull or an import did.

    Args:
        versions: references, in the target, of the versions that are new there.
        known: how many versions were there already.
        blobs, size: blobs that travelled, and their bytes.
        blobs_known: how many blobs were there already.
        jobs, links, signatures: how many of them are new.
        conflicts: tags and names that are taken in the target, as sentences.
    """

    versions: tuple[str, ...]
    known: int
    blobs: int
    size: int
    blobs_known: int
    jobs: int
    links: int
    signatures: int
    conflicts: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        lists = {"versions": list(self.versions), "conflicts": list(self.conflicts)}
        names = ("known", "blobs", "size", "blobs_known", "jobs", "links", "signatures")
        return lists | {name: getattr(self, name) for name in names}

    def __bool__(self) -> bool:
        """Whether anything is new in the target."""
        return bool(self.versions or self.blobs or self.jobs or self.links or self.signatures)


def push(
    space: ArtifactSpace,
    other: ArtifactSpace | str | os.PathLike[str],
    artifacts: ArtifactLike | Iterable[ArtifactLike],
    *,
    lineage: bool | str = True,
    links: bool = True,
    progress: Progress | None = None,
) -> TransferReport:
    """Send versions to another workspace; there they appear all at once, when all their bytes are
    there and verified, or not at all.

    They keep uid, name, labels, metadata, time, producer, links and signatures, and get the next
    numbers of their artifacts there. What is there already is not sent, so a push that was killed
    goes on where it was, and a second one adds nothing. Tags and names that are taken there stay,
    and are reported. In the other workspace the versions are foreign: pickles load only where they
    are trusted.

    Args:
        other: a workspace, or its folder or URL, which is opened by its own settings: environment
            variables such as ``FINDSPOT_STORE`` speak of the current workspace.
        artifacts: references, or one; what they point to now is sent.
        lineage: True: also all versions that they came from, with the jobs, steps and code that
            made them. ``"records"``: the jobs, steps and code only. False: neither.
        links: also the versions that they link to, as far as these are here, and so on from those.
            The links themselves always travel.
        progress: called with the bytes sent so far, and the bytes to send.

    Raises:
        NotFound: a reference points to nothing.
        BlobMissing, BlobDamaged: the bytes are not sound here; nothing is recorded there.
        DifferentContent: a uid has other content there; nothing is recorded.
        StorageFull, ReadOnly: the other workspace cannot take it.
    """
    choice = lineage_choice(lineage)
    with _Opened(space, other) as target:
        if target.id == space.id:
            raise FindspotError(
                "Both are the same workspace.", where=str(space.folder), how="Name another one."
            )
        shipment = collect(space, chosen(space, artifacts), choice, links=links)
        with kept(space, shipment, "push"), lease(target, purpose="push"):
            sent = send_blobs(space, target, shipment, progress)
            return report(target, shipment, sent, refresh=True)


def pull(
    space: ArtifactSpace,
    other: ArtifactSpace | str | os.PathLike[str],
    artifacts: ArtifactLike | Iterable[ArtifactLike],
    *,
    lineage: bool | str = True,
    links: bool = True,
    progress: Progress | None = None,
) -> TransferReport:
    """Fetch versions from another workspace: its `push` to this one.

    Raises:
        NoWorkspace: there is none where ``other`` points to.
    """
    with _Opened(space, other) as source:
        _ = source.existing_catalog  # where there is no workspace, none is made to be empty
        return push(source, space, artifacts, lineage=lineage, links=links, progress=progress)


class _Opened:
    """The other workspace: as it was given, or opened for as long as it is needed."""

    def __init__(self, space: ArtifactSpace, other: ArtifactSpace | str | os.PathLike[str]) -> None:
        self._given = other
        self._class = type(space)
        self._own: ArtifactSpace | None = None

    def __enter__(self) -> ArtifactSpace:
        if not isinstance(self._given, str | os.PathLike):
            if not isinstance(self._given, OpenedWorkspace):
                raise BadWorkspaceUrl(repr(self._given), "it is neither text nor a path")
            return self._given
        self._own = self._class(self._given, ambient=False)
        return self._own

    def __exit__(self, *_: object) -> None:
        if self._own is not None:
            self._own.close()


@contextmanager
def kept(source: ArtifactSpace, shipment: Shipment, purpose: str) -> Iterator[None]:
    """Keep what is read from being collected meanwhile, where leases can be taken at all."""
    with ExitStack() as stack:
        # A workspace that cannot be written to is not collected by its readers either.
        with suppress(ReadOnly):
            uids = [new.record.uid for new in shipment.versions]
            stack.enter_context(lease(source, uids, purpose))
        yield


@dataclass(frozen=True, slots=True)
class SentBlobs:
    """How many blobs travelled, their bytes, and how many were there already."""

    count: int
    size: int
    known: int


def report(
    target: ArtifactSpace, shipment: Shipment, sent: SentBlobs, *, refresh: bool
) -> TransferReport:
    """Record a shipment whose blobs are there, and say what was new."""
    arrival = record(target, shipment, refresh=refresh)
    new = target.catalog.versions(arrival.numbers)
    return TransferReport(
        versions=tuple(uri_of(new[uid]) for uid in arrival.numbers if uid in new),
        known=len(arrival.known),
        blobs=sent.count,
        size=sent.size,
        blobs_known=sent.known,
        jobs=arrival.jobs,
        links=arrival.links,
        signatures=arrival.signatures,
        conflicts=arrival.conflicts,
    )


def send_blobs(
    source: ArtifactSpace, target: ArtifactSpace, shipment: Shipment, progress: Progress | None
) -> SentBlobs:
    """Copy the blobs of a shipment that the target does not have, several at a time, verified."""
    places: dict[Digest, str] = {}
    sizes: dict[Digest, int] = {}
    for new in shipment.versions:
        for entry in new.files:
            where = f"{uri_of(new.record)}, file {entry.path}"
            if entry.inline is not None:
                # Bytes inside the catalog travel with the records: damage must not.
                found = hash_bytes(entry.inline)
                if found != entry.digest:
                    raise BlobDamaged(entry.digest, found, where=where)
                continue
            places.setdefault(entry.digest, where)
            sizes[entry.digest] = entry.size
    for entry in shipment.entries():
        if entry.inline is None and entry.digest not in sizes:
            places[entry.digest], sizes[entry.digest] = f"code file {entry.path}", entry.size
    missing = sorted(target.store.missing(sizes), key=lambda digest: (-sizes[digest], digest))
    total = sum(sizes[digest] for digest in missing)
    done = 0
    stop = Event()
    if progress is not None:
        progress(0, total)
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="findspot-transfer") as pool:
        running = {
            pool.submit(copy_blob, source.store, target.store, digest, places[digest], stop): digest
            for digest in missing
        }
        try:
            for ready in as_completed(running):
                ready.result()
                done += sizes[running[ready]]
                if progress is not None:
                    progress(done, total)
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return SentBlobs(len(missing), total, len(sizes) - len(missing))


def copy_blob(
    source: BlobStore, target: BlobStore, digest: Digest, where: str, stop: Event
) -> None:
    """Copy one blob in constant memory; it is there whole and right, or not at all."""
    try:
        size = source.size(digest)
        with source.open(digest) as reader, target.writer(size_hint=size) as writer:
            while data := reader.read(_BLOCK):
                if stop.is_set():
                    return
                writer.write(data)
            found = writer.commit().digest  # the writer hashes what it writes
            if found != digest:
                raise BlobDamaged(digest, found, where=where)
    except BlobMissing as error:
        raise BlobMissing(
            error.digest, where=where, how="Run the job again that made it, or leave it out."
        ) from None
    except BlobDamaged as error:
        raise BlobDamaged(error.expected, error.found, where=where) from None
