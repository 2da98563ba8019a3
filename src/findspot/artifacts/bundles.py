"""Bundles: versions with their lineage as one file, to be sent, archived and imported.

A bundle is a zip archive of a ``manifest.json`` and one entry ``blobs/<64 hexadecimal digits>`` for
each blob. Nothing is ever unpacked to a path, and no name of an entry is used as one.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from findspot.artifacts.bundle_records import decode, encode
from findspot.artifacts.exchange import Shipment, chosen, collect, lineage_choice
from findspot.artifacts.given_paths import file_path
from findspot.artifacts.leases import lease
from findspot.artifacts.location import storage_error
from findspot.artifacts.record_json import BadRecord
from findspot.artifacts.transfer import Progress, SentBlobs, TransferReport, kept, report
from findspot.artifacts.version import uri_of
from findspot.core.digests import ALGORITHM, Digest, Hasher, hash_bytes, is_digest
from findspot.core.errors import BlobDamaged, BlobMissing, Conflict, FindspotError

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactLike, ArtifactSpace
    from findspot.store.protocol import BlobStore

FORMAT: Final = 1
"""Raised when an older program could not read what is written."""

MANIFEST: Final = "manifest.json"
MANIFEST_LIMIT: Final = 64 << 20
"""Bytes of the manifest, at most."""
DEFLATED_UP_TO: Final = 64 << 10
"""Blobs of up to so many bytes are deflated; larger ones are stored as they are."""
RATIO: Final = 50
"""A bundle of over 64 MiB unpacked may be at most so many times as large as the file."""
RECORDS_LIMIT: Final = 256 << 20
"""Bytes of one blob that is read into memory (a log, metrics, an environment)."""

_BLOCK: Final = 1 << 20
_INLINE_TOTAL: Final = 256 << 10
_TIME: Final = (1980, 1, 1, 0, 0, 0)


class BadBundle(FindspotError):
    """A file is no bundle, or one that was damaged or tampered with; nothing was imported."""

    exit_code = 5

    def __init__(self, file: str, reason: str, how: str | None = None) -> None:
        self.reason = reason
        super().__init__(
            f"It cannot be imported: {reason}.",
            where=file,
            how=how or "Nothing was imported. Ask for the bundle again, and copy it whole.",
        )


class NoBundle(BadBundle):
    """There is no file where a bundle was said to be."""

    exit_code = 3


class BundleTooNew(BadBundle):
    """A newer Findspot wrote the bundle."""

    exit_code = 6

    def __init__(self, found: int, file: str) -> None:
        self.found, self.supported = found, FORMAT
        super().__init__(
            file,
            f"it has format {found}, and this Findspot reads formats up to {FORMAT}",
            how="Upgrade Findspot: pip install --upgrade findspot",
        )


# --------------------------------------------------------------------------- export


def export_bundle(
    space: ArtifactSpace,
    artifacts: ArtifactLike | Iterable[ArtifactLike],
    file: str | os.PathLike[str],
    *,
    lineage: bool | str = True,
    links: bool = True,
    replace: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Write versions with their lineage into one file; it is there whole, or not at all.

    Args:
        file: ends in ``.findspot`` by custom.
        lineage, links: as of `push`.
        replace: overwrite a file that is there.
        progress: called with the bytes written so far, and the bytes in all.

    Raises:
        BadPath: ``file`` can be no path of a file.
        NotFound: a reference points to nothing.
        BlobMissing, BlobDamaged: the bytes are not sound.
    """
    target = file_path(file)
    if os.path.lexists(target) and not replace:
        raise Conflict(
            "There is a file already.", where=str(target), how="Choose another name, or replace it."
        )
    shipment = collect(space, chosen(space, artifacts), lineage_choice(lineage), links=links)
    with kept(space, shipment, "export"):
        return _write(space, shipment, target, progress)


def _write(
    space: ArtifactSpace, shipment: Shipment, target: Path, progress: Progress | None
) -> Path:
    document, records = encode(shipment)
    sizes = {digest: len(data) for digest, data in records.items()}
    sizes |= {entry.digest: entry.size for entry in shipment.entries()}
    document = {"format": FORMAT, **document, "blobs": dict(sorted(sizes.items()))}
    inline = {e.digest: e.inline for e in shipment.entries() if e.inline is not None} | records
    places = {
        entry.digest: f"{uri_of(new.record)}, file {entry.path}"
        for new in shipment.versions
        for entry in new.files
    }
    done, total = 0, sum(sizes.values())
    draft = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("xb") as sink, zipfile.ZipFile(sink, "w", allowZip64=True) as archive:
            data = json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1)
            encoded = data.encode("utf-8", "backslashreplace")
            if len(encoded) > MANIFEST_LIMIT:
                raise FindspotError(
                    f"There are too many files for one bundle ({len(encoded)} bytes of records).",
                    where=str(target),
                    how="Export fewer versions at once, or use push.",
                )
            archive.writestr(_info(MANIFEST, len(encoded), deflate=True), encoded)
            for digest, size in sorted(sizes.items()):
                where = places.get(digest, f"blob {digest}")
                info = _info(_entry(digest), size, deflate=size <= DEFLATED_UP_TO)
                with archive.open(info, "w", force_zip64=size >= 1 << 31) as entry:
                    for block in _verified(space.store, digest, inline.get(digest), where):
                        entry.write(block)
                done += size
                if progress is not None:
                    progress(done, total)
        draft.replace(target)
    except OSError as error:
        raise storage_error(error, str(target), "The file") from error
    finally:
        with suppress(OSError):  # where it could not be made it cannot be taken away
            draft.unlink(missing_ok=True)
    return target


def _verified(
    store: BlobStore, digest: Digest, inline: bytes | None, where: str
) -> Iterator[bytes]:
    if inline is not None:
        found = hash_bytes(inline)
        if found != digest:
            raise BlobDamaged(digest, found, where=where)
        yield inline
        return
    try:
        with store.open(digest) as reader:
            while block := reader.read(_BLOCK):
                yield block
    except BlobMissing as error:
        raise BlobMissing(error.digest, where=where) from None
    except BlobDamaged as error:
        raise BlobDamaged(error.expected, error.found, where=where) from None


def _info(name: str, size: int, *, deflate: bool) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _TIME)
    info.compress_type = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    info.create_system = 3
    info.file_size = size
    return info


def _entry(digest: Digest) -> str:
    return f"blobs/{digest.removeprefix(f'{ALGORITHM}:')}"


# --------------------------------------------------------------------------- import


def import_bundle(
    space: ArtifactSpace, file: str | os.PathLike[str], *, progress: Progress | None = None
) -> TransferReport:
    """Take the versions of a bundle into the workspace: all of them, or nothing.

    Every byte is compared with its digest before anything is recorded. No value is loaded, so no
    pickle runs; what was imported is foreign here, and pickles load only where they are trusted.
    What is here already stays as it is, so that importing twice adds nothing.

    Raises:
        BadBundle: it is no bundle, or damaged, cut short or tampered with.
        BundleTooNew: a newer Findspot wrote it.
        DifferentContent: a version of it is here with other content.
    """
    path = file_path(file)
    with _opened(path) as bundle:
        shipment = bundle.shipment(space.settings.inline_limit)
        with lease(space, purpose=f"import of {path.name}"):
            sent = bundle.store_blobs(space.store, shipment, progress)
            bundle.check_rest()
            return report(space, shipment, sent, refresh=False)


def read_bundle(file: str | os.PathLike[str]) -> Shipment:
    """What is in a bundle, without importing it; every byte is verified. Raises as
    `import_bundle`."""
    with _opened(file_path(file)) as bundle:
        shipment = bundle.shipment(0)
        bundle.check_rest()
    return shipment


@contextmanager
def _opened(file: Path) -> Iterator[_Bundle]:
    """A bundle to be read; whatever its bytes make a reader raise is a `BadBundle`."""
    try:
        source = file.open("rb")
    except FileNotFoundError as error:
        raise NoBundle(str(file), "there is no such file", how="Check the name.") from error
    except IsADirectoryError as error:
        raise BadBundle(str(file), "it is a folder", how="Name the file.") from error
    except OSError as error:
        raise BadBundle(
            str(file), f"it cannot be read ({error.strerror})", how="Check the name."
        ) from error
    try:
        with source, zipfile.ZipFile(source) as archive:
            yield _Bundle(str(file), archive, os.fstat(source.fileno()).st_size)
    except BadRecord as error:
        raise BadBundle(str(file), f"its manifest is wrong at {error}") from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, zipfile.LargeZipFile) as error:
        raise BadBundle(str(file), f"it is no whole zip archive ({error})") from error


class _Bundle:
    """An open archive whose list of entries was found sound; its bytes are verified as they are
    read."""

    def __init__(self, file: str, archive: zipfile.ZipFile, size: int) -> None:
        self._file = file
        self._archive = archive
        self._entries = self._sound_entries(size)
        manifest = self._manifest()
        self._document = manifest
        self._sizes = self._blob_sizes(manifest)
        self._seen: set[Digest] = set()

    def shipment(self, inline_limit: int) -> Shipment:
        """The records, checked."""

        def inline(size: int, total: int) -> bool:
            return size <= inline_limit and total + size <= _INLINE_TOTAL

        shipment = decode(self._document, self._read, inline)
        for entry in shipment.entries():
            if self._sizes.get(entry.digest) != entry.size:
                raise BadBundle(
                    self._file, f"the blob of {entry.path!r} is missing, or of another size"
                )
        return shipment

    def store_blobs(
        self, store: BlobStore, shipment: Shipment, progress: Progress | None
    ) -> SentBlobs:
        """Put the files' blobs into a store, verified."""
        sizes = {e.digest: e.size for e in shipment.entries() if e.inline is None}
        missing = sorted(store.missing(sizes))
        done, total = 0, sum(sizes[digest] for digest in missing)
        for digest in missing:
            with store.writer(size_hint=sizes[digest]) as writer:
                for block in self._blocks(digest):
                    writer.write(block)
                writer.commit()
            done += sizes[digest]
            if progress is not None:
                progress(done, total)
        return SentBlobs(len(missing), total, len(sizes) - len(missing))

    def check_rest(self) -> None:
        """Verify the blobs that were not read."""
        for digest in self._sizes.keys() - self._seen:
            for _ in self._blocks(digest):
                pass

    # ------------------------------------------------------------------ inside

    def _sound_entries(self, size: int) -> dict[str, zipfile.ZipInfo]:
        entries: dict[str, zipfile.ZipInfo] = {}
        total = 0
        for info in self._archive.infolist():
            name = info.orig_filename
            plain = name == MANIFEST or (
                name.startswith("blobs/") and is_digest(f"{ALGORITHM}:{name[6:]}")
            )
            if not plain:
                raise self._bad(f"it holds {name[:80]!r}, which no bundle does")
            if name in entries:
                raise self._bad(f"it holds {name[:80]!r} twice")
            if info.flag_bits & 0x1:
                raise self._bad(f"{name} is encrypted")
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG):
                raise self._bad(f"{name} is no regular file")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise self._bad(f"{name} is compressed in a way that no bundle is")
            stored = info.compress_type == zipfile.ZIP_STORED
            if stored and info.file_size != info.compress_size:
                raise self._bad(f"{name} has two sizes")
            if not stored and name != MANIFEST and info.file_size > DEFLATED_UP_TO:
                raise self._bad(f"{name} is compressed, though it is large")
            total += info.file_size
            entries[name] = info
        if MANIFEST not in entries:
            raise self._bad(f"it holds no {MANIFEST}")
        if total > max(MANIFEST_LIMIT, RATIO * size):
            raise self._bad(f"it would grow to {total} bytes, over {RATIO} times its size")
        end = 0
        for info in sorted(entries.values(), key=lambda info: info.header_offset):
            if info.header_offset < end:
                raise self._bad(f"{info.filename} lies within another entry")
            end = info.header_offset + info.compress_size
        return entries

    def _manifest(self) -> dict[str, Any]:
        info = self._entries[MANIFEST]
        if info.file_size > MANIFEST_LIMIT:
            raise self._bad(f"its manifest has over {MANIFEST_LIMIT} bytes")
        try:
            document = json.loads(b"".join(self._raw(info)))
        except (ValueError, RecursionError) as error:
            raise self._bad("its manifest is no JSON") from error
        if not isinstance(document, dict):
            raise self._bad("its manifest is no object")
        number = document.get("format")
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise self._bad("its manifest names no format")
        if number > FORMAT:
            raise BundleTooNew(number, self._file)
        return document

    def _blob_sizes(self, document: dict[str, Any]) -> dict[Digest, int]:
        blobs = document.get("blobs")
        if not isinstance(blobs, dict):
            raise self._bad("its manifest lists no blobs")
        sizes: dict[Digest, int] = {}
        for digest, size in blobs.items():
            if not is_digest(digest) or not isinstance(size, int) or isinstance(size, bool):
                raise self._bad(f"its manifest lists the blob {digest[:80]!r}")
            sizes[Digest(digest)] = size
        listed = {_entry(digest) for digest in sizes}
        there = self._entries.keys() - {MANIFEST}
        if listed != there:
            name = sorted(listed ^ there)[0]
            raise self._bad(f"{name} is only in the {'manifest' if name in listed else 'archive'}")
        for digest, size in sizes.items():
            if self._entries[_entry(digest)].file_size != size:
                raise self._bad(f"{digest} has another size than the manifest says")
        return sizes

    def _read(self, digest: Digest) -> bytes:
        size = self._sizes.get(digest)
        if size is None:
            raise self._bad(f"the blob {digest} is not in it")
        if size > RECORDS_LIMIT:
            raise self._bad(f"the blob {digest} is too large for records")
        return b"".join(self._blocks(digest))

    def _blocks(self, digest: Digest) -> Iterator[bytes]:
        """The bytes of a blob; the last ones only if all of them have the digest."""
        hasher = Hasher()
        held = b""
        for block in self._raw(self._entries[_entry(digest)]):
            hasher.update(block)
            if held:
                yield held
            held = block
        found = hasher.digest()
        if found != digest or hasher.size != self._sizes[digest]:
            raise self._bad(f"bytes that should have the digest {digest} have {found}")
        self._seen.add(digest)
        if held:
            yield held

    def _raw(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """The bytes of an entry: never more than its declared size."""
        left = info.file_size
        try:
            with self._archive.open(info) as reader:
                while block := _read_at_most(reader, min(left, _BLOCK)):
                    left -= len(block)
                    yield block
        except (
            zipfile.BadZipFile,
            EOFError,
            NotImplementedError,
            RuntimeError,
            zlib.error,
        ) as error:
            raise self._bad(f"{info.filename} is damaged ({error})") from error
        if left:
            raise self._bad(f"{info.filename} is cut short")

    def _bad(self, reason: str) -> BadBundle:
        return BadBundle(self._file, reason)


def _read_at_most(reader: IO[bytes], size: int) -> bytes:
    return reader.read(size) if size else b""
